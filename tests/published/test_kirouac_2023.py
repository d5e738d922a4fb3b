"""Kirouac et al. 2023, doi:10.1038/s41587-023-01687-x, by SciPy.

Equations and the 36 virtual patients are those of mstadt/CART2; each class is looked at
with the medians of its 12 patients, to four figures.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

import cellpk as ck

TABLE = """
u_m      0.8986    0.2976    0.001038
f_max    0.5908    0.6       0.5524
k_m      0.7626    1.391     0.7308
d_m      0.3518    0.4608    0.001032
u_e      0.9611    0.5399    0.08652
k_e      2.485     2.636     1.19
d_e1     0.02854   0.1348    0.00119
n_div    5.041     5.653     5.986
d_e2     0.4422    0.6729    0.001292
k_ex     0.3605    0.3       0.1109
k_x      0.6862    1.257     0.9858
r_m      0.9874    0.8244    0.6748
k_r      2.661     2.477     2.428
d_x      0.005946  0.09053   0.05986
b_growth 0.05027   0.05051   0.05034
B_max    2.264e11  2.019e8   1.618e10
k_kill   0.9381    0.9164    0.1428
TK50     1.141e6   6.513e8   6.053e8
k_t      0.5541    0.9483    1.8
k_b1     0.9872    0.8092    0.5334
k_b2     0.6013    0.5795    0.1648
B50      1.993e9   3.727e9   3.1e9
f_loss   494.4     733.6     1000
f_tm     3.747     4.066     5.912
f_te1    7.856     1.525     9.912
f_te2    49.69     54.48     31.1
f_tx     23.58     20.27     7.321
"""
CLASSES = ("kirouac_2023_cd19", "kirouac_2023_cd19_pr", "kirouac_2023_cd19_nr")


def medians(name):
    """The parameters of a class."""
    rows = [line.split() for line in TABLE.strip().splitlines()]
    return {row[0]: float(row[1 + CLASSES.index(name)]) for row in rows}


def hill(x, power, half):
    return x**power / (half**power + x**power)


def rates(_, states, p):
    tm, t1, t2, tx, b, a, dose, rest = states
    # a step of the solver may try fewer than no cells
    a, t2_seen = max(a, 0.0), max(t2, 0.0)
    stays = p["f_max"] * (1 - hill(a, p["k_m"], p["B50"]))
    expands = p["u_e"] * hill(a, p["k_e"], p["B50"]) * t1
    tires = p["k_ex"] * hill(a, p["k_x"], p["B50"]) * t2
    rests = p["r_m"] * (1 - hill(a, p["k_r"], p["B50"])) * t2
    shares = [p[name] for name in ("f_tm", "f_te1", "f_te2", "f_tx")]
    into = [share * rest for share in shares]
    return [
        p["u_m"] * stays * tm
        - p["u_m"] * (1 - stays) * tm
        - p["d_m"] * tm
        + into[0]
        + rests,
        2 * p["u_m"] * (1 - stays) * tm - expands - p["d_e1"] * t1 + into[1],
        2 ** p["n_div"] * expands - tires - p["d_e2"] * t2 + into[2] - rests,
        tires - p["d_x"] * tx + into[3],
        p["b_growth"] * b * (1 - b / p["B_max"])
        - p["k_kill"] * b * hill(t2_seen, p["k_t"], p["TK50"]),
        p["k_b1"] * b - p["k_b2"] * a,
        -p["f_loss"] * dose - dose,
        dose - sum(shares) * rest,
    ]


@pytest.fixture(scope="module")
def solved():
    return {name: solve(medians(name)) for name in CLASSES}


def solve(values):
    answer = solve_ivp(
        rates,
        (0, 180),
        [0, 0, 0, 0, 1e10, 1e10, 1e8, 0],
        "LSODA",
        args=(values,),
        dense_output=True,
        rtol=1e-10,
        atol=1e-12,
    )
    return answer.sol


def turn(function, start, stop):
    found = minimize_scalar(
        function, bounds=(start, stop), method="bounded", options={"xatol": 1e-6}
    )
    return found.x, found.fun


def within(text):
    """Half a unit of the last printed figure."""
    figures, _, power = text.partition("e")
    digits = len(figures.partition(".")[2])
    return float(text), 0.5 * 10.0 ** (int(power or 0) - digits)


@pytest.mark.parametrize(
    ("name", "cells", "day", "later", "left"),
    [
        ("kirouac_2023_cd19", "2.09e8", "21.3", 90, "4.07e7"),
        ("kirouac_2023_cd19_pr", "7.62e5", "9.2", 28, "1.74e5"),
        ("kirouac_2023_cd19_nr", "7.62e5", "18.4", 28, "6.86e5"),
    ],
)
def test_peaks_and_later_levels_of_the_classes(solved, name, cells, day, later, left):
    found_day, value = turn(lambda t: -solved[name](t)[:4].sum(), 3, 60)
    for text, found in (
        (cells, -value),
        (day, found_day),
        (left, solved[name](later)[:4].sum()),
    ):
        number, half = within(text)
        assert found == pytest.approx(number, abs=half)


def test_b_cells_of_the_classes(solved):
    day, cells = turn(lambda t: solved["kirouac_2023_cd19"](t)[4], 5, 60)
    assert cells == pytest.approx(1.51e6, abs=5e3)
    assert day == pytest.approx(21.4, abs=0.05)
    assert solved["kirouac_2023_cd19_pr"](90)[4] == pytest.approx(2.04e8, abs=5e5)
    assert solved["kirouac_2023_cd19_nr"](90)[4] == pytest.approx(1.61e10, abs=5e7)


@pytest.mark.parametrize("name", CLASSES)
def test_the_model_gives_the_same_course(name, solved):
    days = [0.05, 0.5, 1, 3, 7, 14, 21, 28, 60, 90, 180]
    course = ck.load_model(name).course(days)
    expected = solved[name](days)
    cells = ["Tm", "T1", "T2", "Tx", "B", "A"]
    np.testing.assert_allclose(course[cells].to_numpy().T, expected[:6], rtol=1e-5)
    np.testing.assert_allclose(course["car"], expected[:4].sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", CLASSES)
def test_the_file_holds_these_numbers(name):
    model = ck.load_model(name)
    for parameter, value in medians(name).items():
        assert model.parameters[parameter].value == value, parameter
    assert "median" in model.note
