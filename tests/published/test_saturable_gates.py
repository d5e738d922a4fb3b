"""Saturable expansion with smooth gates, by SciPy; and its limits, with Stein 2019."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize_scalar
from scipy.special import expit

import cellpk as ck

VALUES = {
    "start": 6.15,
    "rho": 1.1,
    "km": 24000.0,
    "t_expand": 8.7,
    "t_contract": 8.7,
    "delay": 2.0,
    "w_expand": 0.5,
    "w_contract": 0.5,
    "w_convert": 0.5,
    "alpha": 0.16,
    "fb": 0.0079,
    "beta": 0.0032,
}
DAYS = [0, 1, 3, 5, 7, 8, 9, 10, 12, 14, 21, 28, 60, 90, 180, 365]


def rates(t, states, v):
    cells, memory = np.exp(states[0]), states[1]  # effector cells as a logarithm
    ended = expit((t - v["t_expand"]) / v["w_expand"])
    falling = expit((t - v["t_contract"]) / v["w_contract"])
    converting = expit((t - v["t_contract"] - v["delay"]) / v["w_convert"])
    grows = v["rho"] * v["km"] / (v["km"] + cells)
    return [
        (1 - ended) * grows - falling * v["alpha"],
        converting * v["fb"] * (v["alpha"] - v["beta"]) * cells - v["beta"] * memory,
    ]


def solve(**changes):
    values = {**VALUES, **changes}
    answer = solve_ivp(
        rates,
        (0, 365),
        [np.log(values["start"]), 0],
        "LSODA",
        args=(values,),
        dense_output=True,
        rtol=1e-11,
        atol=1e-20,
        max_step=1.0,
    )

    def course(days):
        logs, memory = answer.sol(days)
        return np.array([np.exp(logs), memory])

    return course


@pytest.fixture(scope="module")
def states():
    return solve()


@pytest.fixture(scope="module")
def model():
    return ck.load_model("saturable_smooth_gates")


def test_the_typical_course_is_near_that_of_stein(states):
    found = minimize_scalar(
        lambda t: -states(t).sum(), bounds=(7, 12), method="bounded"
    )
    assert -found.fun == pytest.approx(2.328e4, abs=5)
    assert found.x == pytest.approx(9.33, abs=5e-3)
    area = quad(lambda t: states(t).sum(), 0, 28, limit=200, epsrel=1e-8)[0]
    assert area == pytest.approx(2.032e5, abs=50)
    assert states(90).sum() == pytest.approx(126.5, abs=0.05)


@pytest.mark.parametrize(
    "changes", [{}, {"delay": 0.1, "w_convert": 2.0}, {"km": 1e8, "rho": 0.9}]
)
def test_the_model_gives_the_same_course(model, changes):
    course = model.course(DAYS, **changes)
    effector, memory = solve(**changes)(DAYS)
    np.testing.assert_allclose(course["E"], effector, rtol=1e-5)
    np.testing.assert_allclose(course["M"][1:], memory[1:], rtol=1e-5)
    np.testing.assert_allclose(course["qpcr"], effector + memory, rtol=1e-5)


def test_constant_expansion_and_narrow_gates_give_stein(model):
    """Gates a thousandth of a day wide differ from a switch by about that share."""
    narrow = dict.fromkeys(["w_expand", "w_contract", "w_convert"], 1e-3)
    near = model.curve(
        DAYS,
        **narrow,
        start=24000 / 3900,
        rho=np.log(3900) / 9.3,
        km=1e12,
        t_expand=9.3,
        t_contract=9.3,
        delay=1e-9,
    )
    stein = ck.load_model("stein_2019_tisagenlecleucel").curve(DAYS)
    np.testing.assert_allclose(near, stein, rtol=2e-3)


def test_expansion_slows_as_cells_get_many(states):
    early, late = np.log(states([1, 2])[0]), np.log(states([7, 8])[0])
    assert np.diff(early)[0] == pytest.approx(1.1, rel=2e-3)
    assert np.diff(late)[0] < 0.95


def test_the_file_says_that_it_is_not_published(model):
    assert model.status == "unpublished"
    for name, row in model.parameters.items():
        known = "Stein" in row.source or "illustrative" in row.source
        assert known, name
