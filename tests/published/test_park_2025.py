"""Park et al. 2025, doi:10.1111/cts.70146: CAR-T and B cells, by SciPy.

States are solved as logarithms from the deposited code's floor of 1e-12, and B cells
return by its switch, located as an event. Expected levels are those that nlmixr2lib
prints on grids of quarter, half and whole days.
"""

import functools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.model.reproduce import reproduce

KON = 2.1e5 * 86400 / 6.023e23
KOFF = 6.81e-5 * 86400
FLOOR = 1e-12
EXPANSION = np.array([1.8, 1.8 / 1.12])
LEAVE = np.array([0.15, 0.11, 0.72, 0])
LOSS = np.array([0.69, 0.69, 0.69, 47.38])
GROWS = np.array([1, 1, 1, 0])
PRODUCT = np.outer([0.230, 0.759], [0.0729, 0.221, 0.609, 0.0977])
DAYS = np.array([0.01, 0.1, 0.5, 1, 2, 3, 5, 7, 8.5, 8.75, 9, 12, 20, 40, 90, 200])
NAMES = [
    f"{kind}{subset}{place}" for place in "bm" for subset in "84" for kind in "NCMF"
]
NAMES += ["X8b", "X4b", "X8m", "X4m", "Bb", "Bm"]


def space(cells, bound, b_cells):
    """Growth and handing on of cells, changes of complexes and of B cells."""
    total = cells.sum(axis=1)
    per_car = bound / total
    speed = EXPANSION * per_car / (1.9e-5 + per_car)
    handed = np.hstack([np.zeros((2, 1)), (cells * LEAVE)[:, :3]])
    gain = speed[:, None] * GROWS * cells - LEAVE * cells + handed
    free = b_cells * 14000 - bound.sum()
    binding = KON * (total * 15000 - bound) * free - KOFF * bound
    per_b = bound.sum() / max(b_cells, FLOOR)
    return gain, binding / bound, 0.0193 - 2.76 * per_b / (7.71 + per_b)


def rates(_, states, returning):
    natural = np.exp(states[:22])
    blood, marrow = natural[:8].reshape(2, 4), natural[8:16].reshape(2, 4)
    gain, bound, b_blood = space(blood, natural[16:18], natural[20])
    gain_m, bound_m, b_marrow = space(marrow, natural[18:20], natural[21])
    blood_rate = gain - 1.41 * blood + 0.0017 * marrow * 1.6 / 5 - LOSS * blood
    marrow_rate = gain_m + 1.41 * blood * 5 / 1.6 - 0.0017 * marrow
    influx = 1.58e6 * (1 - (natural[20] + states[22]) / 449e6) if returning else 0.0
    return np.concatenate(
        [
            (blood_rate / blood).ravel(),
            (marrow_rate / marrow).ravel(),
            bound,
            bound_m,
            [b_blood, b_marrow, influx],
        ]
    )


def above_threshold(_, states, returning):
    return np.exp(states[:8]).sum() * 1e-6 - 2.38


above_threshold.terminal = True


@functools.cache
def solve(dose=7e7):
    """Phases between crossings of the threshold: end and course of each."""
    start = np.concatenate(
        [(PRODUCT * dose / 5).ravel(), np.full(12, FLOOR), [1.43e8, 1.5e9]]
    )
    states, day, phases = np.append(np.log(start), 0.0), 0.0, []
    while day < DAYS[-1]:
        returning = bool(above_threshold(day, states, None) < 0)
        above_threshold.direction = 1 if returning else -1
        answer = solve_ivp(
            rates,
            (day, DAYS[-1]),
            states,
            "LSODA",
            args=(returning,),
            dense_output=True,
            events=above_threshold,
            rtol=1e-9,
            atol=1e-10,
            first_step=1e-6 if day else 1e-25,
        )
        day, states = answer.t[-1], answer.y[:, -1]
        phases.append((day, answer.sol))
        if answer.status == 1:  # a hair beyond the crossing, lest it is found again
            states = states + 1e-12 * rates(day, states, returning)
            phases[-1] = (day, answer.sol)
    return phases


def course(dose, days):
    """States at the days, natural scale, one row for each."""
    phases = solve(dose)
    rows = [next(sol(day) for end, sol in phases if day <= end) for day in days]
    return np.array([np.append(np.exp(row[:22]), row[22]) for row in rows]).T


def flow(states):
    return states[:8].sum(axis=0) * 1e-6


def b_cells(states):
    return (states[20] + states[22]) * 1e-6


@pytest.fixture(scope="module")
def model():
    return ck.load_model("park_2025_sle")


PRINTED = [
    (7e7, 8.5, 130.00, 181.5),
    (3.5e7, 9.5, 105.70, 193.0),
    (7e6, 11.0, 73.13, 201.1),
    (3.5e6, 11.5, 68.81, 201.8),
    (7e5, 12.5, 71.35, 201.1),
]


@pytest.mark.parametrize(("dose", "day", "level", "late"), PRINTED)
def test_highest_of_half_days_and_b_cells_of_day_200(dose, day, level, late):
    days = np.arange(0.5, 30, 0.5)
    levels = flow(course(dose, days))
    assert days[levels.argmax()] == day
    assert levels.max() == pytest.approx(level, abs=0.016 if dose == 7e7 else 0.005)
    assert b_cells(course(dose, [200]))[0] == pytest.approx(late, abs=0.05)


def test_levels_about_the_peak():
    found = flow(course(7e7, [8.75, 9]))
    assert found[0] == pytest.approx(131.4, abs=0.05)
    assert found[1] == pytest.approx(129.971, abs=5e-4)


def test_naive_cells_peak_below_2e7():
    found = course(7e7, np.arange(0.5, 30, 0.01))[[0, 4]].sum(axis=0)
    assert found.max() == pytest.approx(1.65e7, abs=5e4)


def test_b_cells_are_lost_and_return_when_few_cells_are_left():
    ends = [end for end, _ in solve(7e7)]
    assert ends == pytest.approx([2.065, 4.055, 54.841, 200], abs=1e-3)
    assert b_cells(course(7e7, [40]))[0] < 4 < b_cells(course(7e7, [90]))[0]


@pytest.mark.parametrize("dose", [7e7, 7e5])
def test_the_model_gives_the_same_course(model, dose):
    found = model.course(DAYS, infusions=[(0, dose)])
    expected = course(dose, DAYS)
    seen = dict(zip(NAMES, expected, strict=False))
    for name, column in seen.items():
        above = column > 1e-6  # below that many cells per L the floors are compared
        np.testing.assert_allclose(
            found[name][above], column[above], rtol=2e-5, err_msg=name
        )
    np.testing.assert_allclose(found["flow"], flow(expected), rtol=1e-5)
    # the gate of return stands for the switch
    np.testing.assert_allclose(found["bcells"], b_cells(expected), rtol=2e-2)
    assert found["bcells"].iloc[-1] == pytest.approx(b_cells(expected)[-1], rel=1e-4)


def test_body_weight_dilutes(model):
    light, heavy = (
        model.course([1e-9], covariates={"weight": weight})["flow"].iloc[0]
        for weight in (35, 140)
    )
    assert light == pytest.approx(4 * heavy, rel=1e-5)


def test_what_is_left_out_is_said(model):
    assert "23 of its" in " ".join(model.note.split())
    assert "lymphodepletion" in model.note
    assert set(model.free) == {
        "kexp_max",
        "ec50",
        "kkill_max",
        "threshold",
        "influx",
        "b_max",
    }


def test_printed_numbers_come_back(model):
    assert reproduce(model)["agrees"].all()
