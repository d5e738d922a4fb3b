"""Stein et al. 2019 with tocilizumab and steroids, doi:10.1002/psp4.12388, by SciPy."""

from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.model.reproduce import reproduce

DAYS = [0, 2, 5.7, 6, 7.5, 8, 9, 9.3, 10, 14, 28, 90, 365]
RHO = log(3900) / 9.3
CASES = [(np.inf, np.inf), (5.7, np.inf), (5.7, 7.5), (8, 2), (0, 0.5), (12, 20)]


def solve(toci_day, steroid_day, *, factors=(1.2, 1.0)):
    """Levels on DAYS, restarting wherever the rates jump."""
    ends = sorted({0, 9.3, 365, *(d for d in (toci_day, steroid_day) if d < 365)})
    states, found = np.array([24000 / 3900, 0.0]), {}
    for start, stop in pairwise(ends):
        speed = RHO * np.prod(
            [
                factor
                for factor, day in zip(factors, (toci_day, steroid_day), strict=True)
                if start >= day
            ]
        )
        grown, falls = (speed, 0.0) if start < 9.3 else (0.0, 1.0)
        matrix = np.array(
            [
                [grown - falls * 0.16, 0],
                [falls * 0.0079 * (0.16 - 0.0032), -falls * 0.0032],
            ]
        )
        wanted = [day for day in DAYS if start <= day <= stop]
        answer = solve_ivp(
            lambda _, y, a=matrix: a @ y,
            (start, stop),
            states,
            "LSODA",
            dense_output=True,
            rtol=1e-11,
            atol=1e-9,
        )
        found |= {day: answer.sol(day).sum() for day in wanted}
        states = answer.y[:, -1]
    return np.array([found[day] for day in DAYS])


@pytest.fixture(scope="module")
def model():
    return ck.load_model("stein_2019_comedication")


def test_levels_without_comedication_are_those_of_the_final_model():
    levels = dict(zip(DAYS, solve(np.inf, np.inf), strict=True))
    assert [levels[day] for day in (28, 90, 365)] == pytest.approx(
        [1373.56, 146.51, 60.745], abs=5e-3
    )


def test_tocilizumab_from_day_5_7_lifts_the_peak_as_the_formula_says():
    expected = 24000 * exp(RHO * 0.2 * (9.3 - 5.7))
    assert round(expected) == 45523
    assert solve(5.7, np.inf)[DAYS.index(9.3)] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("toci_day", "steroid_day"), CASES)
def test_the_closed_form_gives_the_same_levels(model, toci_day, steroid_day):
    given = {"toci_day": toci_day, "steroid_day": steroid_day}
    computed = model.curve(DAYS, covariates=given)
    np.testing.assert_allclose(computed, solve(toci_day, steroid_day), rtol=1e-7)


def test_both_factors_multiply(model):
    given = {"toci_day": 3, "steroid_day": 6}
    computed = model.curve(DAYS, covariates=given, fster=0.7)
    expected = solve(3, 6, factors=(1.2, 0.7))
    np.testing.assert_allclose(computed, expected, rtol=1e-7)


def test_the_factors_have_the_printed_values_and_no_spread(model):
    assert model.parameters["ftoci"].value == 1.2
    assert model.parameters["fster"].value == 1.0
    assert not {"ftoci", "fster"} & set(model.free)


def test_the_typical_patient_is_that_of_the_final_model(model):
    final = ck.load_model("stein_2019_tisagenlecleucel")
    np.testing.assert_allclose(model.curve(DAYS), final.curve(DAYS), rtol=1e-12)


def test_printed_numbers_come_back(model):
    assert reproduce(model)["agrees"].all()
