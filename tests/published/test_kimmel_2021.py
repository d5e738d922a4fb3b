"""Kimmel, Locke & Altrock 2021, doi:10.1098/rspb.2021.0229, from Table 1 by SciPy.

States are solved as logarithms: the tumour falls below a hundredth of a cell.
"""

from math import exp, log

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

import cellpk as ck

INFUSED = 1.80e8
DAYS = [0.5, 1, 3, 5, 7, 10, 14, 28, 60, 90, 109, 150, 200]


def rates(_, logs):
    host, car, _ = np.exp(logs)
    total = host + car
    gap = (total - 2.50e11) ** 2
    growth = 0.0251 + 0.525 * gap / (0.423 * total**2 + gap)
    return [
        -0.170 * log(total / 2.50e11),
        -growth * log(total / 6.96e10),
        0.05 - 1.15 * car / (2.024e9 + car),
    ]


@pytest.fixture(scope="module")
def logs():
    start = np.log([3.00e9, INFUSED, 9.486e10])
    answer = solve_ivp(
        rates, (0, 200), start, "LSODA", dense_output=True, rtol=1e-11, atol=1e-11
    )
    return answer.sol


@pytest.fixture(scope="module")
def model():
    return ck.load_model("kimmel_2021_axicel")


def turn(function, start, stop):
    found = minimize_scalar(
        function, bounds=(start, stop), method="bounded", options={"xatol": 1e-7}
    )
    return found.x, found.fun


def test_cells_peak_on_day_7_at_84_times_those_infused(logs):
    day, value = turn(lambda t: -logs(t)[1], 1, 28)
    assert day == pytest.approx(7.0, abs=0.05)
    assert exp(-value) == pytest.approx(1.511e10, abs=5e6)
    assert exp(-value) / INFUSED == pytest.approx(84, abs=0.5)


@pytest.mark.parametrize(
    ("day", "cells", "half"), [(28, 1.254e9, 5e5), (90, 1.707e8, 5e4)]
)
def test_cells_on_days_28_and_90(logs, day, cells, half):
    assert exp(logs(day)[1]) == pytest.approx(cells, abs=half)


def test_the_tumour_falls_to_a_hundredth_of_a_cell(logs):
    day, value = turn(lambda t: logs(t)[2], 30, 200)
    assert day == pytest.approx(109, abs=0.5)
    assert exp(value) == pytest.approx(0.01, abs=0.005)


def test_the_model_gives_the_same_course(model, logs):
    course = model.course(DAYS)
    expected = np.exp(logs(DAYS))
    for name, column in zip(["N", "C", "B"], expected, strict=True):
        np.testing.assert_allclose(course[name], column, rtol=1e-5)


def test_the_growth_rate_of_the_tumour_is_said_to_be_chosen(model):
    assert model.parameters["r_b"].value == 0.05
    assert "chosen" in model.parameters["r_b"].source
    assert "0.01 to 0.50" in model.note


def test_prior_information_is_the_width_of_the_printed_quartiles(model):
    quartiles = {
        "K_c": (6.15, 9.65),
        "r_n": (0.165, 0.170),
        "rho_c": (0.0208, 0.0354),
        "a": (0.100, 0.302),
        "b": (0.467, 0.522),
        "gamma_b": (0.64, 1.35),
        "k_b": (1.40, 3.125),
    }
    for name, (low, high) in quartiles.items():
        width = log(high / low) / 1.349
        assert model.parameters[name].prior_sd == pytest.approx(width, rel=2e-3), name


def test_a_second_infusion_without_chemotherapy_does_not_expand(model):
    course = model.course([90, 97, 104], infusions=[(0, INFUSED), (90, INFUSED)])
    before, after, later = course["C"]
    assert later < after < before + INFUSED
