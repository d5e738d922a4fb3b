"""Owens & Bozic 2021, Bull Math Biol: the equations, values for lymphoma, by SciPy.

The paper's starting values are not known here; those below only exercise the equations.
"""

from math import exp, expm1, log

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.errors import ModelError

CASE = {"tumour_0": 1e10, "host_0": 1e6, "car_0": 1e8, "chemo_0": 1.0}
DAYS = [0.1, 0.5, 1, 2, 3, 5, 7, 14, 28]


def rates(_, logs):
    """The logarithms of tumour, effector and CAR-T cells, and chemotherapy."""
    tumour, host, car = np.exp(logs[:3])
    room = -log((host + car) / 1.65e9)
    harm = -expm1(-logs[3])

    def killed(most, killers):
        ratio = (killers / tumour) ** 1.395
        return most * ratio / (0.305 + ratio)

    by_host, by_car = killed(2.03, host), killed(2.25, car)

    def called(most, part):
        square = (part * tumour) ** 2
        return most * square / (2.019e5 + square) * room

    return [
        0.255 * (1 - tumour / 2e12) - by_host - by_car - 0.7 * harm,
        1.4e3 / host - 7e-3 + called(1.1e-2, by_host) - 3.42e-11 * tumour - 0.6 * harm,
        -0.0293 + called(0.242, by_car) - 3e-11 * tumour - 0.6 * harm,
        -0.9 * logs[3],
    ]


@pytest.fixture(scope="module")
def model():
    return ck.load_model("owens_bozic_2021_lbcl")


def test_the_model_gives_the_same_course(model):
    start = [*np.log([CASE["tumour_0"], CASE["host_0"], CASE["car_0"]]), 1.0]
    answer = solve_ivp(
        rates, (0, 28), start, "LSODA", t_eval=DAYS, rtol=1e-11, atol=1e-11
    )
    course = model.with_values(**CASE).course(DAYS)
    for state, column in zip("TEC", np.exp(answer.y[:3]), strict=True):
        np.testing.assert_allclose(course[state], column, rtol=1e-5)
    np.testing.assert_allclose(course["M"], [exp(-0.9 * t) for t in DAYS], rtol=1e-5)


def test_what_was_not_known_has_to_be_given(model):
    with pytest.raises(ModelError, match="no value is published") as caught:
        model.course(DAYS)
    for name in CASE:
        assert name in str(caught.value)


def test_stronger_chemotherapy_takes_more_of_everything(model):
    weak, strong = (
        model.with_values(**{**CASE, "chemo_0": dose}).course([1]) for dose in (0.5, 2)
    )
    for state in "TEC":
        assert strong[state].iloc[0] < weak[state].iloc[0]
