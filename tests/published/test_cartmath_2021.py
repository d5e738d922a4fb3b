"""CARTmath (Barros et al. 2021, Cancers 13:2941) from the published values by SciPy.

States are solved as logarithms from the infusion on; memory cells, none at first, are
not. The authors' rule that fewer than 1e-6 cells are none is not followed.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import cellpk as ck

# phi, rho, epsilon, theta, alpha, mu, r, b, gamma
HDLM2 = (
    0.265,
    0.350,
    0.150,
    6.0e-6,
    4.5e-8,
    5.0e-3,
    5.650026e-2,
    1.404029e-12,
    3.715843e-6,
)
RAJI = (
    0.830,
    0.8300536,
    1.59795,
    2.3e-4,
    1.248506e-8,
    6.89e-7,
    0.5071721,
    0.0,
    3.365388e-8,
)
CASES = {
    "hdlm2": (HDLM2, 2e6, 42, 1.5e6, 200),
    "raji": (RAJI, 3e6, 7, 1e7, 15),
    "raji_ido": ((*RAJI[:4], 1.461699e-8, *RAJI[5:]), 3e6, 7, 1e7, 15),
    "raji_ido_1mt": ((*RAJI[:4], 1.261662e-8, *RAJI[5:]), 3e6, 7, 1e7, 15),
}


def rates(_, states, values):
    phi, rho, epsilon, theta, alpha, mu, r, b, gamma = values
    effector, tumour, memory = np.exp(states[0]), np.exp(states[1]), states[2]
    return [
        phi - rho + theta * tumour * memory / effector - alpha * tumour,
        r * (1 - b * tumour) - gamma * effector,
        epsilon * effector - theta * tumour * memory - mu * memory,
    ]


def grown(values, start, day):
    """Tumour cells that grow logistically, in closed form."""
    r, b = values[6:8]
    return start * np.exp(r * day) / (1 + b * start * np.expm1(r * day))


@pytest.fixture(scope="module")
def solved():
    return {name: solve(*case) for name, case in CASES.items()}


def solve(values, tumour, day, cells, until):
    start = [np.log(cells), np.log(grown(values, tumour, day)), 0]
    answer = solve_ivp(
        rates,
        (day, until),
        start,
        "LSODA",
        args=(values,),
        dense_output=True,
        rtol=1e-12,
        atol=1e-12,
    )

    def course(days):
        effector, tumours, memory = answer.sol(days)
        return np.exp(effector), memory, np.exp(tumours)

    return course


def test_hdlm2_is_gone_by_the_rule_of_the_authors(solved):
    values, start, day, *_ = CASES["hdlm2"]
    assert grown(values, start, day) == pytest.approx(2.1459e7, abs=500)
    assert solved["hdlm2"](45)[2] == pytest.approx(30.2, abs=0.05)
    gone = brentq(lambda t: np.log(solved["hdlm2"](t)[2] / 1e-6), 45, 60)
    assert gone == pytest.approx(50.4, abs=0.05)
    assert sum(solved["hdlm2"](60)[:2]) == pytest.approx(1.982e6, abs=500)
    assert sum(solved["hdlm2"](200)[:2]) == pytest.approx(1.116e6, abs=500)
    assert solved["hdlm2"](95)[2] == pytest.approx(2.6e-18, rel=0.02)


@pytest.mark.parametrize(
    ("name", "day", "tumour", "half"),
    [
        ("raji", 10, 1.415e8, 5e4),
        ("raji", 15, 9.409e8, 5e4),
        ("raji_ido", 10, 2.308e8, 5e4),
        ("raji_ido", 15, 2.839e9, 5e5),
        ("raji_ido_1mt", 10, 1.478e8, 5e4),
        ("raji_ido_1mt", 15, 1.171e9, 5e5),
    ],
)
def test_raji_escapes_faster_with_ido(solved, name, day, tumour, half):
    assert solved[name](day)[2] == pytest.approx(tumour, abs=half)


@pytest.mark.parametrize(
    ("name", "cells", "half"),
    [("raji", 1.17e7, 5e4), ("raji_ido", 1.86e6, 5e3), ("raji_ido_1mt", 1.05e7, 5e4)],
)
def test_raji_cells_three_days_after_infusion(solved, name, cells, half):
    assert sum(solved[name](10)[:2]) == pytest.approx(cells, abs=half)


@pytest.mark.parametrize("name", CASES)
def test_the_model_gives_the_same_course(name, solved):
    values, start, first, _, until = CASES[name]
    model = ck.load_model(f"barros_2021_cartmath_{name}")
    before, after = np.array([0, first / 2, first]), np.linspace(first, until, 12)[1:]
    course = model.course([*before, *after])
    grows = [grown(values, start, day) for day in before]
    np.testing.assert_allclose(course["T"][:3], grows, rtol=1e-5)
    assert (course["C"][:3] == 0).all()
    for state, expected in zip("CMT", solved[name](after), strict=True):
        np.testing.assert_allclose(course[state][3:], expected, rtol=1e-5)


def test_only_alpha_differs_between_raji_tumours():
    rows = [
        {name: row.value for name, row in ck.load_model(model).parameters.items()}
        for model in (
            f"barros_2021_cartmath_{name}" for name in CASES if "raji" in name
        )
    ]
    assert [row.pop("alpha") for row in rows] == [1.248506e-8, 1.461699e-8, 1.261662e-8]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]["phi"] < rows[0]["rho"]
