"""Courses against closed forms, matrix exponentials and SciPy."""

import math

import numpy as np
import pytest
from mass_action import FACTOR, LAG, SCALE, T, follow, parameters
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from cellpk.model.compile.integrate import (
    DONE,
    NEGATIVE,
    NOT_FINITE,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
)

NONE = -1


def log_slopes(level, p, indices):
    """Central differences of a log level by the log of parameters."""
    found = []
    for j in indices:
        h = 1e-5 * p[j]
        up, down = p.copy(), p.copy()
        up[j] += h
        down[j] -= h
        found.append((np.log(level(up)) - np.log(level(down))) / (2e-5))
    return np.array(found).T


def agrees(task, level, p, indices):
    """Log levels within 1e-6 of the truth, sensitivities within 1e-5."""
    assert task.codes[0] == DONE
    truth = level(p)
    np.testing.assert_allclose(np.log(task.levels[0] / truth), 0, atol=1e-6)
    scaled = task.gradient[0][:, indices] * p[indices] / task.levels[0][:, None]
    expected = log_slopes(level, p, indices)
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-5)


STEIN = [
    ((0, NONE, 1), {0: 1}),
    ((0, NONE, 2), {0: -1}),
    ((0, NONE, 2), {1: 1}),
    ((1, NONE, 2), {1: -1}),
]
STEIN_RATES = [0.889, 0.16, 0.0079 * (0.16 - 0.0032), 0.0032]
DAYS = np.array([0.5, 3, 9.2999, 9.35, 9.5, 14, 28, 90, 360])


def memory(p, days=DAYS):
    rho, alpha, k, beta = p[:4]
    tau = np.maximum(days - p[T], 0)
    peak = 6.15 * p[SCALE] * np.exp(rho * p[T])
    return peak * k / (alpha - beta) * (np.exp(-beta * tau) - np.exp(-alpha * tau))


def effector(p, days=DAYS):
    grown = np.exp(p[0] * np.minimum(days, p[T]))
    return 6.15 * p[SCALE] * grown * np.exp(-p[1] * np.maximum(days - p[T], 0))


def test_a_state_that_is_zero_up_to_a_switch_and_its_sensitivities():
    """Stein et al. 2019: memory cells begin at tmax, which is a parameter."""
    p = parameters(STEIN, [6.15], STEIN_RATES, switch=9.3)
    agrees(follow(p, DAYS), effector, p, [0, 1, T, SCALE])
    task = follow(p, DAYS, which=1)
    assert (task.levels[0, :3] == 0).all()
    late = follow(p, DAYS[3:], which=1)
    agrees(late, lambda q: memory(q, DAYS[3:]), p, [0, 1, 2, 3, T, SCALE])


def test_levels_are_the_same_bits_with_and_without_sensitivities():
    p = parameters(STEIN, [6.15], STEIN_RATES, switch=9.3)
    for tolerance in (1e-5, 1e-8):
        with_them = follow(p, DAYS, tolerance=tolerance)
        alone = follow(p, DAYS, tolerance=tolerance, gradient=False)
        np.testing.assert_array_equal(with_them.states, alone.states)
        assert with_them.tried == alone.tried


def test_patients_do_not_depend_on_each_other():
    p = parameters(STEIN, [6.15], STEIN_RATES, switch=9.3)
    other = parameters(STEIN, [100.0], [0.3, 0.5, 0.1, 0.05], switch=20)
    both = follow([other, p], DAYS)
    np.testing.assert_array_equal(both.gradient[1], follow(p, DAYS).gradient[0])


def test_a_switch_that_never_comes_and_one_before_day_0_are_no_switch():
    for day, rate in ((math.inf, 0.889), (-3.0, -0.16)):
        p = parameters(STEIN, [6.15], STEIN_RATES, switch=day)
        task = follow(p, [5.0])
        assert np.log(task.levels[0, 0] / 6.15) == pytest.approx(5 * rate, abs=1e-7)
        assert task.gradient[0, 0, T] == 0


CHAIN = [((i, NONE, 0), {i: -1, i + 1: 1}) for i in range(4)]


@pytest.mark.parametrize("days", [[1e-3, 0.01, 0.1, 1, 10, 100], [1, 10, 100]])
def test_a_chain_of_states_that_start_empty(days):
    """Closed form by matrix exponential; the last state begins as t to the fourth."""
    p = parameters(CHAIN, [3.0], [1.0, 0.7, 2.0, 0.05])

    def last(q):
        a = np.diag([*-q[:4], 0.0]) + np.diag(q[:4], -1)
        return np.array([3 * q[SCALE] * expm(a * t)[4, 0] for t in days])

    agrees(follow(p, days, which=4), last, p, [0, 1, 2, 3, SCALE])


ROBERTSON = [
    ((0, NONE, 0), {0: -1, 1: 1}),
    ((1, 2, 0), {0: 1, 1: -1}),
    ((1, 1, 0), {1: -1, 2: 1}),
]


def test_robertsons_stiff_problem():
    """Hairer & Wanner 1996, section IV.10: rates 0.04, 1e4 and 3e7."""
    days = [0.4, 40, 4e3]
    p = parameters(ROBERTSON, [1.0], [0.04, 1e4, 3e7])

    def middle(q):
        def rates(_, y):
            one, two, three = q[0] * y[0], q[1] * y[1] * y[2], q[2] * y[1] ** 2
            return [two - one, one - two - three, three]

        method = {"method": "Radau", "rtol": 1e-11, "atol": 1e-20}
        start = [q[SCALE], 0, 0]
        return solve_ivp(rates, (0, 4e3), start, t_eval=days, **method).y[1]

    agrees(follow(p, days, which=1), middle, p, [0, 1, 2])


def test_binding_within_microseconds():
    """kon 1e9 a day: C = kon/koff (a - C)(b - C) holds from the first sample on."""
    binding = [((0, 1, 0), {0: -1, 1: -1, 2: 1}), ((2, NONE, 0), {0: 1, 1: 1, 2: -1})]
    p = parameters(binding, [5.0, 2.0], [1e9, 1e9])
    both = 5 + 2 + 1
    expected = (both - math.sqrt(both**2 - 4 * 5 * 2)) / 2
    task = follow(p, [1e-3, 1, 100], which=2)
    np.testing.assert_allclose(task.levels[0], expected, rtol=1e-7)


DYING = [
    ((0, NONE, 0), {0: -1}),
    ((0, NONE, 0), {1: 1}),
    ((1, NONE, 0), {1: -1}),
    ((NONE, NONE, 0), {}),
    ((NONE, NONE, 0), {}),
    ((0, NONE, 0), {0: 1}),
]
EVENTS = {"infusions": [(0, 2.0), (30, 3.0)], "steps": [(31, 0.0), (33, 1.0)]}


def reinfused(q, days):
    """Exact: cells vanish at k0 and grow at k5 except on days 31 to 33."""

    def flow(grows, span):
        a = np.array([[grows * q[5] - q[0], 0], [q[1], -q[2]]])
        return expm(a * span)

    stops = [(q[LAG], 2.0), (30 + q[LAG], 3.0), (31.0, None), (33.0, None)]
    found = []
    for day in days:
        x, now, grows = np.zeros(2), 0.0, 1.0
        for stop, cells in [*sorted(stops, key=lambda s: s[0]), (day, 0.0)]:
            end = min(stop, day)
            x, now = flow(grows, end - now) @ x, end
            if stop < day and cells is not None:
                x[0] += q[FACTOR] * cells
            grows = grows if cells is not None else 1.0 - grows
        found.append(x)
    return np.array(found)


def test_cells_that_come_again_with_a_lag_while_a_covariate_changes():
    days = np.array([1, 5, 30, 30.4, 30.6, 31, 32, 33, 34, 60.0])
    p = parameters(DYING, [0.0], [2.0, 0.5, 0.1, 1, 1, 1.2], lag=0.5)

    for which, indices in ((0, [0, 5, LAG, FACTOR]), (1, [0, 1, 2, 5, LAG, FACTOR])):
        task = follow(p, days, which=which, **EVENTS)
        agrees(task, lambda q, i=which: reinfused(q, days)[:, i], p, indices)


def test_cells_that_died_out_below_every_number_can_come_again():
    days = [5, 20, 29, 30.51, 31]
    p = parameters(DYING, [0.0], [100.0, 0.5, 0.1, 1, 1, 1.2], lag=0.5)
    task = follow(p, days, **EVENTS)
    level, truth = task.levels[0], reinfused(p, days)[:, 0]
    assert task.codes[0] == DONE
    assert level[1] == level[2] == 0  # exp(-98.8*19.5) is 1e-837
    np.testing.assert_allclose(
        np.log(level[[0, 3, 4]] / truth[[0, 3, 4]]), 0, atol=1e-6
    )
    assert (task.gradient[0, 1:3] == 0).all()


def test_the_dead_stay_dead_though_they_would_grow():
    """Killed until day 10, growing by 5 a day from then on: rounding must not show."""
    killed = [
        ((0, NONE, 1), {0: -1}),
        ((0, NONE, 2), {0: 1}),
        ((0, NONE, 0), {1: 1}),
        ((1, NONE, 0), {1: -1}),
        ((1, 1, 0), {2: 1}),
    ]
    p = parameters(killed, [1.0, 1.0], [99.0, 5.0, 100.0, 0.5, 1.0], switch=10.0)
    for which in range(2):
        task = follow(p, [9, 20, 60, 100], which=which)
        assert (task.states[0, :, 0] == 0).all()
    truth = np.log(1 + 100 / 98.5) - 0.5 * np.array([9, 20, 60, 100])
    np.testing.assert_allclose(np.log(task.levels[0]), truth, atol=1e-6)
    np.testing.assert_allclose(task.gradient[0, :, 1], 0)
    slope = task.gradient[0, :, 3] / task.levels[0]
    expected = -np.array([9, 20, 60, 100]) + (100 / 98.5**2) / (1 + 100 / 98.5)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_infusions_at_nearly_the_same_time_both_count():
    p = parameters(DYING, [0.0], [0.1, 0.5, 0.1, 1, 1, 0.1])
    task = follow(p, [5.0], infusions=[(1, 2.0), (1 + 1e-14, 3.0), (1, 1.0)])
    assert task.levels[0, 0] == pytest.approx(6, rel=1e-7)


def test_a_course_that_explodes_ends_with_the_day():
    """E' = E**2 from 1 is 1/(1 - t)."""
    p = parameters([((0, 0, 0), {0: 1})], [1.0], [1.0])
    task = follow(p, [0.5, 2.0])
    assert task.codes[0] == STEP_TOO_SMALL
    assert task.days[0] == pytest.approx(1.0, abs=1e-6)
    assert task.levels[0, 0] == pytest.approx(2, rel=1e-7)


def test_a_state_that_would_turn_negative_ends_with_its_number():
    p = parameters([((1, NONE, 0), {0: -1})], [0.0, 1.0], [1.0])
    task = follow(p, [1.0])
    assert (task.codes[0], task.culprits[0]) == (NEGATIVE, 0)
    assert task.days[0] == pytest.approx(0, abs=1e-6)
    p = parameters([], [-1.0], [])
    assert follow(p, [1.0]).codes[0] == NEGATIVE


def test_a_number_that_is_none_ends_at_once():
    for index in (0, T, SCALE):
        p = parameters(STEIN, [6.15], STEIN_RATES, switch=9.3)
        p[index] = math.nan
        assert follow(p, [20.0]).codes[0] == NOT_FINITE


def test_a_course_that_never_ends_is_given_up():
    """Volterra's fish and sharks, for a million days."""
    waves = [
        ((0, NONE, 0), {0: 1}),
        ((0, 1, 0), {0: -1, 1: 1}),
        ((1, NONE, 0), {1: -1}),
    ]
    p = parameters(waves, [10.0, 5.0], [1.0, 0.1, 1.0])
    task = follow(p, [1e6])
    assert task.codes[0] == TOO_MANY_STEPS
    assert 0 < task.days[0] < 1e6
