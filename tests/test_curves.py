"""Areas, moments and times above a level against quadrature of the same curve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from cellpk.kinetics.curves import area_under, moment_under, time_above
from cellpk.kinetics.profiles import Profiles

TIMES = np.array([0.0, 3, 7, 10, 14, 21, 28, 35])
LEVELS = np.array([0.0, 20, 400, 1000, 500, 500, 80, 0])
RULES = ("linear_up_log_down", "linear", "linear_log")


def level_at(day, rule):
    """The level between samples, written a second time."""
    if day >= TIMES[-1]:
        return LEVELS[-1]
    place = np.searchsorted(TIMES, day, side="right") - 1
    (t1, t2), (c1, c2) = TIMES[place : place + 2], LEVELS[place : place + 2]
    share = (day - t1) / (t2 - t1)
    log = min(c1, c2) > 0 and (
        (rule == "linear_up_log_down" and c2 < c1)
        or (rule == "linear_log" and t1 >= 10 and c1 != c2)
    )
    return c1 * (c2 / c1) ** share if log else c1 + (c2 - c1) * share


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("start", "end"), [(0, 28), (5, 9), (8, 8.5), (12, 31), (0, 99)]
)
def test_an_area_is_the_integral_of_the_curve(rule, start, end):
    curve = Profiles.one(TIMES, LEVELS, auc_rule=rule).curve
    stops = TIMES[(start < TIMES) & (end > TIMES)]
    stop = min(end, TIMES[-1])
    expected = quad(level_at, start, stop, args=(rule,), points=stops, limit=200)[0]
    assert area_under(curve, start, end)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_the_time_above_a_level_is_counted_on_the_same_curve(rule):
    curve = Profiles.one(TIMES, LEVELS, auc_rule=rule).curve
    grid = np.linspace(0, 35, 200_001)
    levels = np.array([level_at(day, rule) for day in grid])
    for goal in (10, 80, 300, 500.0001, 999):
        found = time_above(curve, float(goal))[0]
        assert found == pytest.approx((levels >= goal).mean() * 35, abs=2e-3)
    assert time_above(curve, 1000.1)[0] == 0


def test_a_level_that_is_held_counts_as_above_it():
    curve = Profiles.one([0, 7, 14], [50, 50, 50]).curve
    assert time_above(curve, 50.0)[0] == 14


def test_a_moment_on_falling_pieces_is_the_integral_of_time_times_level():
    fall = Profiles.one([0, 5, 30], [900, 300, 2]).curve

    def level(t):
        return 900 * 3 ** (-t / 5) if t < 5 else 300 * 150 ** (-(t - 5) / 25)

    expected = quad(lambda t: t * level(t), 0, 30, points=[5])[0]
    assert moment_under(fall, 0, 30)[0] == pytest.approx(expected, rel=1e-10)


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-12, 3.0), st.floats(0.01, 50))
def test_a_moment_loses_no_digits_however_flat_the_fall(rate, length):
    curve = Profiles.one([0, length], [1.0, np.exp(-rate)]).curve
    x, scale = rate, length**2
    exact = (
        (1 - np.exp(-x) * (1 + x)) / x**2
        if x > 0.1
        else quad(lambda s: s * np.exp(-x * s), 0, 1)[0]
    )
    if curve.levels[1] < 1:
        assert moment_under(curve, 0, length)[0] == pytest.approx(
            exact * scale, rel=1e-9
        )
