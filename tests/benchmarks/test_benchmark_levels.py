"""The benchmark runs, and its solvers are as accurate as its tables claim."""

from dataclasses import replace

import numpy as np
import pytest
from levels import (
    ACCURACY,
    DAYS,
    HARDIANSYAH,
    KIMMEL,
    SLOPE_ACCURACY,
    STEIN,
    closed_contest,
    ode_contest,
    simulations,
)

from cellpk.model.compile.ode_kernel import ode_kernel


@pytest.mark.parametrize("contest", [STEIN, KIMMEL, HARDIANSYAH], ids=lambda c: c.name)
def test_models_by_hand_are_the_same_models(contest):
    theta = replace(contest, patients=2).theta
    found = ode_kernel(contest.model).solve(theta, DAYS, tolerance=1e-10)
    for one, level in zip(theta, found.log_level, strict=True):
        by_hand = contest.peer(one, DAYS, method="LSODA", tolerance=1e-11)
        assert np.abs(by_hand - level).max() < 1e-7


def test_what_is_written_by_hand_gives_the_levels_and_slopes_of_the_model():
    table = closed_contest(patients=3)
    assert (table[["error", "slope_error"]].to_numpy() < 1e-12).all()


@pytest.mark.slow
@pytest.mark.parametrize("contest", [STEIN, KIMMEL, HARDIANSYAH], ids=lambda c: c.name)
def test_every_solver_of_a_table_is_as_accurate_as_the_others(contest):
    table = ode_contest(replace(contest, patients=2), methods=("LSODA",), budget=0)
    assert (table["error"] <= ACCURACY).all()
    assert (table["slope_error"] <= SLOPE_ACCURACY).all()
    assert (table[["value_us", "gradient_us"]] > 0).all(axis=None)


def test_virtual_patients_are_all_calculated():
    assert (simulations((3, 3))["failed"] == 0).all()
