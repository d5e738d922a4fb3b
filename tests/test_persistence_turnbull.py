"""Turnbull's estimate: textbook data, other engines, closed forms, Kuhn-Tucker."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, isotonic_regression
from scipy.stats import chi2

from cellpk.errors import DataError
from cellpk.kinetics.persistence_turnbull import Turnbull

FROZEN = Path(__file__).parent / "published/persistence"

# Finkelstein and Wolfe (1985), Biometrics 41:933-945: months to breast retraction.
RADIOTHERAPY = """45 . 25 37 37 . 6 10 46 . 0 5 0 7 26 40 18 . 46 . 46 . 24 . 46 . 27 34
36 . 7 16 36 44 5 11 17 . 46 . 19 35 7 14 36 48 17 25 37 44 37 . 24 . 0 8 40 . 32 . 4 11
17 25 33 . 15 . 46 . 19 26 11 15 11 18 37 . 22 . 38 . 34 . 46 . 5 12 36 . 46 ."""
WITH_CHEMOTHERAPY = """8 12 0 5 30 34 0 22 5 8 13 . 24 31 12 20 10 17 17 27 11 . 8 21 17
23 33 40 4 9 24 30 31 . 11 . 16 24 13 39 14 19 13 . 19 32 4 8 11 13 34 . 34 . 16 20 13 .
30 36 18 25 16 24 18 24 17 26 35 . 16 60 32 . 15 22 35 39 23 . 11 17 21 . 44 48 22 32 11
20 14 17 10 35 48 ."""

# Regions and masses of their NPMLE by surpyval 0.25 (Turnbull, tolerance 1e-13).
MASSES = {
    RADIOTHERAPY: """4 5 0.0463 6 7 0.0334 7 8 0.0887 11 12 0.0708 24 25 0.0926
        33 34 0.0818 38 40 0.1209 46 48 0.4656""",
    WITH_CHEMOTHERAPY: """4 5 0.0433 5 8 0.0433 11 12 0.0692 16 17 0.1454 18 19 0.1411
        19 20 0.1157 24 25 0.0999 30 31 0.0709 35 36 0.1608 44 48 0.0552
        48 60 0.0552""",
}


def pairs(text):
    numbers = [np.inf if word == "." else float(word) for word in text.split()]
    return np.array(numbers).reshape(-1, 2).T


def visits_of(rng, n, *, days=(7, 14, 28, 60, 90, 180, 270), median=80.0, mixed=True):
    """Draw intervals of loss: seen at visits, some of which are missed."""
    loss = rng.exponential(median / np.log(2), n)
    left, right = np.zeros(n), np.full(n, np.inf)
    for i in range(n):
        seen = np.array(days) + (rng.integers(-3, 4, len(days)) if mixed else 0)
        seen = seen[rng.random(len(days)) > 0.2] if mixed else seen
        seen = seen if len(seen) else np.array([7])
        left[i] = max([0, *seen[seen < loss[i]]])
        right[i] = min([np.inf, *seen[seen >= loss[i]]])
    right[(left == 0) & np.isinf(right)] = 7
    return left, right


@pytest.mark.parametrize("data", MASSES, ids=["radiotherapy", "chemotherapy"])
def test_the_estimate_of_breast_cosmesis_is_that_of_surpyval(data):
    estimate = Turnbull(*pairs(data))
    expected = np.array(MASSES[data].split(), float).reshape(-1, 3)
    assert np.allclose(estimate.regions, expected, atol=5e-5)


def test_two_other_engines_agree_on_frozen_cases():
    intervals = pd.read_csv(FROZEN / "intervals.csv").fillna({"right": np.inf})
    peers = pd.read_csv(FROZEN / "peers.csv")
    for case, rows in intervals.groupby("case"):
        left, right = rows[["left", "right"]].to_numpy(float).T
        expected = peers[peers["case"] == case]
        ours = [Turnbull(left, right).share(day)[1] for day in expected["day"]]
        assert np.allclose(ours, expected["surpyval"], atol=1e-10)
        later = Turnbull(np.where(left > 0, left + 0.5, 0), right)
        ours = [later.share(day)[1] for day in expected["day"]]
        assert np.allclose(ours, expected["lifelines"], atol=5e-3)


@pytest.mark.parametrize("seed", range(12))
def test_kuhn_tucker_conditions_hold_over_every_interval_of_days(seed):
    """No mass anywhere could raise the likelihood; where there is mass, it is flat."""
    left, right = visits_of(np.random.default_rng(seed), [5, 12, 59, 150][seed % 4])
    estimate = Turnbull(left, right)
    inside = np.array(
        [
            [a <= r.left and r.right <= b for r in estimate.regions]
            for a, b in zip(left, right, strict=True)
        ]
    )
    mass = np.array([region.mass for region in estimate.regions])
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    likelihood = inside @ mass
    ends = np.unique([*left, *right, right.max() + 1])
    for day in (ends[:-1] + ends[1:]) / 2:  # any day, in a region or not
        covers = (left < day) & (day <= right)
        assert (covers / likelihood).sum() <= len(left) + 1e-6
    assert (inside.T / likelihood).sum(axis=1) == pytest.approx(len(left), abs=1e-6)
    assert estimate.gap < 1e-9


def test_exact_times_give_kaplan_and_meier():
    rng = np.random.default_rng(3)
    time, seen = rng.exponential(60, 40).round(1) + 1, rng.random(40) < 0.7
    left = np.where(seen, time - 1e-4, time)
    estimate = Turnbull(left, np.where(seen, time, np.inf))
    level = 1.0
    for day in np.unique(time[seen]):
        level *= 1 - ((time == day) & seen).sum() / (time >= day).sum()
        assert estimate.share(day)[1] == pytest.approx(level, abs=1e-8)


def test_one_visit_each_gives_isotonic_regression():
    """Current-status data: the NPMLE is the increasing fit of lost on day."""
    rng = np.random.default_rng(4)
    day = rng.permutation(np.arange(10.0, 90))
    lost = rng.exponential(60, 80) < day
    estimate = Turnbull(np.where(lost, 0, day), np.where(lost, day, np.inf))
    order = np.argsort(day)
    expected = 1 - isotonic_regression(lost[order].astype(float)).x
    ours = [estimate.share(each)[1] for each in day[order]]
    assert np.allclose(ours, expected, atol=1e-7)


def test_common_visits_give_plain_shares():
    left = np.array([0.0, 0, 28, 28, 28, 60, 60, 90])
    right = np.array([28.0, 28, 60, 60, 60, 90, 90, np.inf])
    estimate = Turnbull(left, right)
    assert [estimate.share(day)[1] for day in (28, 60, 90)] == pytest.approx(
        [6 / 8, 3 / 8, 1 / 8]
    )
    assert estimate.share(45) == pytest.approx((3 / 8, 6 / 8))
    # half are lost when 2 of the 3 in (28, 60] are
    assert estimate.median == pytest.approx(28 + 2 / 3 * 32)
    assert estimate.median_region[:2] == (28, 60)


def test_interval_at_a_common_visit_is_the_likelihood_ratio_interval_of_a_share():
    left, right = np.repeat([0.0, 28], [3, 9]), np.repeat([28.0, np.inf], [3, 9])

    def excess(p):
        best = 9 * np.log(9 / 12) + 3 * np.log(3 / 12)
        return 2 * (best - 9 * np.log(p) - 3 * np.log(1 - p)) - chi2.ppf(0.95, 1)

    expected = brentq(excess, 1e-6, 0.75), brentq(excess, 0.75, 1 - 1e-6)
    assert Turnbull(left, right).interval(28) == pytest.approx(expected, abs=1e-4)


def test_interval_where_none_or_all_are_lost_is_one_sided():
    kept = Turnbull(np.full(10, 28.0), np.full(10, np.inf))
    low, high = kept.interval(28)
    assert high == 1
    assert low == pytest.approx(np.exp(-chi2.ppf(0.95, 1) / 20), abs=1e-4)
    assert np.isnan(kept.median)
    assert kept.median_interval == (28.0, np.inf)
    lost = Turnbull(np.zeros(10), np.full(10, 28.0))
    assert lost.interval(28) == pytest.approx((0, 1 - low), abs=1e-4)
    assert lost.median_interval == (0.0, 28.0)
    assert lost.interval(0) == (1.0, 1.0)


def test_median_interval_holds_the_days_that_a_test_of_one_half_allows():
    left, right = visits_of(np.random.default_rng(8), 24, mixed=False)
    estimate = Turnbull(left, right)
    low, high = estimate.median_interval
    for day in (7, 14, 28, 60, 90, 180, 270):
        below, above = estimate.interval(day)
        allowed = below <= 0.5 <= above
        assert allowed <= (low <= day <= high)
    assert low < estimate.median < high


def test_more_patients_give_narrower_intervals_and_more_confidence_wider():
    left, right = visits_of(np.random.default_rng(5), 20)
    once = Turnbull(left, right)
    thrice = Turnbull(np.tile(left, 3), np.tile(right, 3))
    sure = Turnbull(left, right, confidence=0.99)
    assert np.allclose(once.regions, thrice.regions, atol=1e-8)

    def width(estimate):
        low, high = estimate.interval(60)
        return high - low

    assert width(thrice) < width(once) < width(sure)


def test_order_of_patients_and_unit_of_time_do_not_matter():
    left, right = visits_of(np.random.default_rng(6), 30)
    order = np.random.default_rng(7).permutation(30)
    estimate = Turnbull(left, right)
    mixed = Turnbull(left[order], right[order])
    hours = Turnbull(24 * left, 24 * right)
    assert np.allclose(mixed.regions, estimate.regions)
    assert hours.median == pytest.approx(24 * estimate.median)
    assert hours.median_interval == pytest.approx(
        tuple(24 * day for day in estimate.median_interval)
    )


@pytest.mark.parametrize("ends", [([5.0], [5.0]), ([-1.0], [5.0]), ([], [])])
def test_intervals_that_hold_nothing_are_refused(ends):
    with pytest.raises(DataError, match="must begin at day 0"):
        Turnbull(*(np.array(end) for end in ends))
