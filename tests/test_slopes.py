"""Terminal slopes chosen by hand and with levels below the limit (Tobit)."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from cellpk.kinetics import slopes
from cellpk.kinetics.metrics import METRICS, half_life, lambda_z, lambda_z_points
from cellpk.kinetics.profiles import Profiles

DAYS = np.array([10, 14, 21, 28, 35, 42, 56, 70, 84])
LOOSE = {"lambda_z_r2adj": "any", "lambda_z_span": 0}


def fallen(seed, *, rate=0.1, sd=0.5, lloq=2.0):
    """A profile that falls from its peak on day 7, with noise of the log level."""
    rng = np.random.default_rng(seed)
    truth = 5.5 - rate * (DAYS - 10)
    levels = np.exp(truth + sd * rng.standard_normal(DAYS.size))
    levels = np.where(levels < lloq, 0.0, levels)
    return np.insert(DAYS, 0, 7), np.insert(levels, 0, 1e4)


def by_simplex(days, levels, lloq):
    """Maximise the plain likelihood by another method."""

    def loss(theta):
        line = theta[0] + theta[1] * days
        sd = np.exp(theta[2])
        known = norm.logpdf(np.log(np.where(levels > 0, levels, 1.0)), line, sd)
        below = norm.logcdf(np.log(lloq), line, sd)
        return -np.where(levels > 0, known, below).sum()

    found = minimize(
        loss,
        [5.0, -0.1, -0.5],
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000},
    )
    return -found.x[1]


@pytest.mark.parametrize("seed", range(8))
def test_a_censored_slope_maximises_the_plain_likelihood(seed):
    days, levels = fallen(seed)
    assert (levels == 0).any()
    rules = {"lloq": 2.0, "lambda_z_below": "censored", **LOOSE}
    profile = Profiles.one(days, levels, **rules)
    used = days >= profile.decline.start[0]
    expected = by_simplex(days[used], levels[used], 2.0)
    assert lambda_z(days, levels, **rules) == pytest.approx(expected, rel=1e-5)


def test_a_censored_slope_takes_the_bias_of_left_out_levels_away():
    """The levels that are left of the tail are its lucky ones: half-lives come long."""
    cases = [fallen(seed, lloq=20.0) for seed in range(100, 400)]
    ends = {"lloq": 20.0, **LOOSE}
    median = {}
    for below in ("left_out", "censored"):
        rates = []
        for days, levels in cases:
            rules = ends | {"by_hand": days[(levels > 0) & (days >= 10)]}
            rates.append(lambda_z(days, levels, lambda_z_below=below, **rules))
        median[below] = np.nanmedian(rates)
    assert median["left_out"] < 0.09
    assert median["censored"] == pytest.approx(0.1, abs=0.005)


def test_without_a_level_below_the_limit_both_slopes_are_one():
    days, levels = fallen(3, lloq=1e-9)
    assert lambda_z(days, levels, lambda_z_below="censored", **LOOSE) == lambda_z(
        days, levels, **LOOSE
    )


def test_levels_on_a_line_that_runs_below_the_limit_keep_it():
    halves = {"times": [7, 14, 21, 28, 35], "levels": [90, 40, 20, 10, 0]}
    censored = lambda_z(**halves, lloq=6.0, lambda_z_below="censored")
    assert censored == pytest.approx(np.log(2) / 7, rel=1e-12)
    steeper = lambda_z(**halves, lloq=1.0, lambda_z_below="censored")
    assert steeper > 1.05 * np.log(2) / 7


def test_a_limit_that_is_not_known_says_nothing():
    levels = [90, 40, 22, 10, 0]
    rules = {"lambda_z_below": "censored"}
    assert lambda_z([7, 14, 21, 28, 35], levels, **rules) == lambda_z(
        [7, 14, 21, 28, 35], levels
    )


def test_a_maximum_that_was_not_found_is_told(monkeypatch):
    monkeypatch.setattr(slopes, "_FLAT", -1.0)
    days, levels = fallen(1)
    profile = Profiles.one(days, levels, lloq=2.0, lambda_z_below="censored", **LOOSE)
    assert METRICS["half_life"].compute(profile).reason[0] == "no_censored_fit"


def test_points_chosen_by_hand_are_the_slope_whatever_its_fit():
    days, levels = [7, 14, 21, 28, 35], [90, 80, 20, 30, 5]
    assert np.isnan(half_life(days, levels))
    chosen = {"by_hand": [14, 21]}
    assert half_life(days, levels, **chosen) == pytest.approx(7 / 2)  # 80 to 20: two
    assert lambda_z_points(days, levels, **chosen) == 2
    profile = Profiles.one(days, levels, **chosen)
    assert METRICS["lambda_z_r2adj"].compute(profile).reason[0] == "few_points"


def test_points_left_out_by_hand_are_no_part_of_it():
    days, levels = [7, 14, 21, 28, 35, 42], [90, 64, 16, 40, 1, 0.25]
    rate = np.log(4) / 7
    assert lambda_z(days, levels, left_out=[28]) == pytest.approx(rate)
    assert lambda_z(days, levels) != pytest.approx(rate)


def test_the_peak_is_a_point_where_the_rules_say_so():
    days, levels = [7, 14, 21, 28], [64, 16, 4, 1]
    assert lambda_z_points(days, levels) == 3
    assert lambda_z_points(days, levels, lambda_z_peak=True) == 4
