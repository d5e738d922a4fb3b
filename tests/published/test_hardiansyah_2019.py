"""Hardiansyah & Ng 2019, doi:10.1111/cts.12636, from Tables S1 and S2 by SciPy.

Peaks that nlmixr2lib prints were found there on a grid of 0.1 day.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

import cellpk as ck

# P_IL6, P_IL10, P_IFN, rE, dE, aE, KBC, B0, dose in 1e9 cells, three baselines
PATIENTS = {
    "upn1": (
        1.8e-3,
        0.7e-3,
        0.3e-3,
        16.16,
        23.04,
        0.024,
        0.19,
        4.14,
        1.1,
        1.7,
        4.5,
        2.3,
    ),
    "upn3": (
        0.6e-2,
        1.7e-2,
        0.6e-2,
        14.40,
        1.44,
        0.12,
        2.21,
        0.93,
        0.014,
        1.0,
        0.5,
        1.7,
    ),
}
STATES = ["B", "E", "E_t", "M", "M_t", "IL6", "IL10", "IFN"]


def rates(_, states, numbers):
    p6, p10, p_ifn, r_e, d_e, a_e, kbc, *_, base6, base10, base_ifn = numbers
    b, e, et, m, mt, il6, il10, ifn = states
    share = b / (b + 1e5)
    made = 1e6 * b * e
    held = 0.59 + 0.41 * 650 / (il10 + 650)
    to_memory, to_effector = a_e * e * (1 - share), 1.0 * m * share
    return [
        0.0093 * b - 0.0076 * b - kbc * e * b,
        r_e * e * b - d_e * e - 76.78 * e + 1.84 * et - to_memory + to_effector,
        76.78 * e - 1.84 * et,
        0.0509 * m - 0.408 * m - 76.78 * m + 1.84 * mt + to_memory - to_effector,
        76.78 * m - 1.84 * mt,
        3.96 * base6 + p6 * made - 3.96 * il6,
        4.68 * base10 + p10 * made - 4.68 * il10,
        1.51 * base_ifn + p_ifn * made * held - 1.51 * ifn,
    ]


def solve(numbers, *, until=350, shares=(0.1, 0.3, 0.6)):
    """States as a function of day: 10, 30 and 60 % enter blood on days 0, 1 and 2."""
    states = np.array([numbers[7], 0, 0, 0, 0, *numbers[9:]], dtype=float)
    pieces = []
    for (start, stop), share in zip(pairwise([0, 1, 2, until]), shares, strict=True):
        states[1] += share * numbers[8]
        answer = solve_ivp(
            rates,
            (start, stop),
            states,
            "LSODA",
            args=(numbers,),
            dense_output=True,
            rtol=1e-10,
            atol=1e-13,
        )
        pieces.append((stop, answer.sol))
        states = answer.y[:, -1].copy()
    return lambda day: next(sol for stop, sol in pieces if day <= stop)(day)


def peak(of, start, stop):
    found = minimize_scalar(
        lambda t: -of(t),
        bounds=(start, stop),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return found.x, -found.fun


@pytest.fixture(scope="module")
def upn1():
    return solve(PATIENTS["upn1"])


@pytest.fixture(scope="module")
def upn3():
    return solve(PATIENTS["upn3"])


def test_upn1_il6_peaks_at_2747_on_day_3(upn1):
    day, level = peak(lambda t: upn1(t)[5], 2.1, 8)
    assert level == pytest.approx(2747.6, abs=0.05)
    assert day == pytest.approx(3.25, abs=0.005)
    assert upn1(3.3)[5] == pytest.approx(2744.7, abs=0.05)  # nlmixr2lib


def test_upn1_car_t_cells_are_those_in_blood(upn1):
    day, level = peak(lambda t: upn1(t)[1] + upn1(t)[3], 2.5, 10)
    assert level == pytest.approx(2.55, abs=0.005)
    assert day == pytest.approx(3.8, abs=0.05)
    assert peak(lambda t: upn1(t)[3], 5, 30)[1] == pytest.approx(0.00734, abs=5e-6)


def test_upn1_other_cytokines_and_leukaemia(upn1):
    assert peak(lambda t: upn1(t)[6], 2.1, 8)[1] == pytest.approx(915.3, abs=0.05)
    assert peak(lambda t: upn1(t)[7], 2.1, 8)[1] == pytest.approx(828.4, abs=0.05)
    assert upn1(50)[0] == pytest.approx(0.291, abs=5e-4)
    assert upn1(350)[0] == pytest.approx(0.484, abs=5e-4)


def test_upn3_peaks_late_and_low(upn3):
    day, level = peak(lambda t: upn3(t)[5], 10, 30)
    assert (day, level) == pytest.approx((19.2, 49.3), abs=0.05)
    assert level == pytest.approx(49, abs=0.5)
    day, level = peak(lambda t: upn3(t)[1] + upn3(t)[3], 10, 60)
    assert day == pytest.approx(27, abs=0.5)
    assert level == pytest.approx(0.097, abs=5e-4)
    assert peak(lambda t: upn3(t)[3], 30, 150)[1] == pytest.approx(0.00718, abs=5e-6)


@pytest.mark.parametrize(("name", "least"), [("upn1", 155.09), ("upn3", 20.03)])
def test_burden_and_not_dose_sets_il6(name, least):
    """Peak from half to twice the burden: nlmixr2lib prints 155.09 and 20.03."""
    folds = []
    for place in (7, 8):
        peaks = []
        for times in (0.5, 2):
            numbers = list(PATIENTS[name])
            numbers[place] *= times
            course = solve(numbers, until=120)
            days = np.arange(0, 120.05, 0.1)
            peaks.append(max(course(min(day, 120))[5] for day in days))
        folds.append(max(peaks) / min(peaks))
    assert folds[0] == pytest.approx(least, abs=0.006)
    assert folds[1] < 1.03


@pytest.mark.parametrize("name", ["upn1", "upn3"])
def test_the_model_gives_the_same_course(name, request):
    model = ck.load_model(f"hardiansyah_2019_cll_{name}")
    expected = request.getfixturevalue(name)
    days = [0.1, 0.9, 1.5, 2.01, 3, 3.3, 5, 10, 19.2, 28, 90, 180, 350]
    course = model.course(days)
    found = course[STATES].to_numpy()
    np.testing.assert_allclose(found, [expected(day) for day in days], rtol=1e-5)
    np.testing.assert_allclose(course["car"], course["E"] + course["M"], rtol=1e-12)


def test_il6_is_lost_with_a_half_life_of_four_hours():
    model = ck.load_model("hardiansyah_2019_cll_upn1")
    hours = 24 * model.formula(model.derived["il6_half_life"].expression)
    assert hours == pytest.approx(4.2, abs=0.05)
