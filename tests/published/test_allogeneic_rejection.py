"""Rejection of allogeneic cells by returning lymphocytes, by SciPy and by its signs."""

from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar
from scipy.special import expit

import cellpk as ck

FULL, DOSE = 2.5e11, 1.8e8
DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 35]


def solve(
    *, infusions=((0, DOSE),), chemo=(), rejection=0.7, sensitising=0.0, until=100
):
    """Lymphocytes, IL-7, effector, memory and sensitisation as a function of day."""
    days = {0.0, until, *(day for day, _ in infusions), *chemo}
    states = np.array([log(3e9), 1 / (0.1 + 0.9 * 3e9 / FULL), 0, 0, 0])
    pieces = []
    for start, stop in pairwise(sorted(days)):
        states[2] += sum(cells for day, cells in infusions if day == start)
        latest = max(day for day, _ in infusions if day <= start)
        under = bool(chemo) and chemo[0] <= start < chemo[1]
        answer = solve_ivp(
            rates,
            (start, stop),
            states,
            "LSODA",
            args=(latest, under, rejection, sensitising),
            dense_output=True,
            rtol=1e-11,
            atol=[1e-12, 1e-13, 1e-12, 1e-12, 1e-14],
        )
        pieces.append((stop, answer.sol))
        states = answer.y[:, -1].copy()

    def course(days):
        found = [next(s for stop, s in pieces if day <= stop)(day) for day in days]
        host, *rest = np.array(found).T
        return np.array([np.exp(host), *rest])

    return course


def rates(t, states, latest, under, rejection, sensitising):
    log_host, il7, cells, memory, primed = states
    host = exp(log_host)
    lost = rejection * host / FULL * (1 + sensitising * primed)
    grows = 0.7 * (1 + 0.5 * il7 / (il7 + 5)) * expit(-(t - latest - 7) / 0.5)
    every = cells + memory
    return [
        0.17 * log(FULL / host) - 1.3 * under,
        1 - (0.1 + 0.9 * (host + every) / FULL) * il7,
        (grows - 0.16 - lost) * cells,
        0.0079 * (0.16 - 0.0032) * cells - (0.0032 + lost) * memory,
        0.05 * (every / (every + 1e9) - primed),
    ]


@pytest.fixture(scope="module")
def model():
    return ck.load_model("allogeneic_rejection")


def cells_of(course, days):
    return course(days)[2:4].sum(axis=0)


def bends(levels):
    """Second differences of log levels at equal steps: below 0 is bent downwards."""
    return np.diff(np.log(levels), 2)


def test_the_typical_course():
    course = solve()
    found = minimize_scalar(
        lambda t: -cells_of(course, [t])[0], bounds=(3, 15), method="bounded"
    )
    assert -found.fun == pytest.approx(1.557e10, abs=5e6)
    assert found.x == pytest.approx(7.2, abs=0.05)
    assert cells_of(course, [28])[0] == pytest.approx(1.95e4, abs=50)
    assert cells_of(solve(rejection=1e-9), [28])[0] == pytest.approx(1.49e9, abs=5e6)
    assert course([0])[1, 0] == pytest.approx(9.03, abs=5e-3)


def test_chemotherapy_of_five_days_takes_lymphocytes_to_those_of_kimmel():
    course = solve(infusions=((0, DOSE), (60, DOSE)), chemo=(55, 60))
    assert course([60])[0, 0] == pytest.approx(3.0e9, rel=0.06)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"rejection": 0.2},
        {"sensitising": 2.0},
        {"infusions": ((0, DOSE), (60, DOSE))},
        {"infusions": ((0, DOSE), (60, DOSE)), "chemo": (55, 60), "sensitising": 2.0},
    ],
)
def test_the_model_gives_the_same_course(model, case):
    infusions, chemo = case.get("infusions", ((0, DOSE),)), case.get("chemo", ())
    changes = {k: v for k, v in case.items() if k in ("rejection", "sensitising")}
    days = DAYS + [61, 64, 67, 70] * (len(infusions) > 1)
    course = model.course(
        days,
        infusions=list(infusions),
        covariates={
            "infused": {day: day for day, _ in infusions},
            "chemo": {chemo[0]: 1, chemo[1]: 0} if chemo else 0,
        },
        **changes,
    )
    expected = solve(**case)(days)
    for state, column in zip("HIEMA", expected, strict=True):
        np.testing.assert_allclose(course[state], column, rtol=1e-5, err_msg=state)


def test_rejection_bends_the_decline_down_and_memory_bends_it_up(model):
    days = np.arange(12.0, 28.5, 0.5)
    assert (bends(model.curve(days, observed="car")) < 0).all()
    kept = model.curve(days, observed="car", rejection=1e-9)
    assert (bends(kept) > 0).all()
    assert (bends(cells_of(solve(), days)) < 0).all()
    assert (bends(cells_of(solve(rejection=1e-9), days)) > 0).all()


def decline(model, first, *, chemo=0):
    """Rate at which 1.8e8 cells infused on a day are lost from day 8 to 12 after it."""
    infusions = [(0, DOSE)] + [(first, DOSE)] * (first > 0)
    course = model.course(
        [first + 8, first + 12],
        infusions=infusions,
        covariates={"infused": {day: day for day, _ in infusions}, "chemo": chemo},
    )
    return -np.diff(np.log(course["car"]))[0] / 4


def test_a_second_infusion_is_rejected_faster_when_the_host_is_back(model):
    first, second = decline(model, 0), decline(model, 60)
    assert second > 1.5 * first
    again = decline(model, 60, chemo={55: 1, 60: 0})
    assert again < second
    assert again == pytest.approx(first, rel=0.1)


def test_a_second_infusion_needs_chemotherapy_to_expand(model):
    schedule = {"infusions": [(0, DOSE), (60, DOSE)]}
    days = {"infused": {60: 60}}
    without = model.course([67], **schedule, covariates=days)["car"][0]
    with_it = model.course(
        [67], **schedule, covariates={**days, "chemo": {55: 1, 60: 0}}
    )["car"][0]
    assert without < DOSE
    assert with_it > 10 * DOSE


def test_the_file_says_that_it_is_not_published(model):
    assert model.status == "unpublished"
    for name, row in model.parameters.items():
        known = any(word in row.source for word in ("Stein", "Kimmel", "cellpk design"))
        assert known, name
