"""Persistence of simulated studies whose losses are known: bias and coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import cellpk as ck
from cellpk.kinetics.persistence import persistence
from cellpk.kinetics.persistence_turnbull import Turnbull

VISITS = np.array([3, 7, 10, 14, 21, 28, 42, 60, 90, 120, 180, 270, 360.0])
SPREAD = 1.0  # of the log of the time to loss
MEDIAN = 150.0
FOLLOWED = (60.0, 400.0)  # patients entered one after the other
DAY = 91.0


def draw(rng, n):
    """Return the intervals of one study and the true losses."""
    loss = MEDIAN * np.exp(SPREAD * rng.standard_normal(n))
    ends = rng.uniform(*FOLLOWED, n)
    off = VISITS * rng.uniform(-0.07, 0.07, (n, len(VISITS)))
    came = (rng.random(off.shape) > 0.15) & (VISITS + off <= ends[:, None])
    came[:, 1] |= ~came.any(axis=1)
    days = np.where(came, VISITS + off, np.nan)
    left = np.nanmax(np.where(days < loss[:, None], days, 0.0), axis=1)
    after = np.where(came & (days >= loss[:, None]), days, np.inf)
    return left, after.min(axis=1), loss


def kaplan_meier_median(time, seen):
    level = 1.0
    for day in np.unique(time[seen]):
        level *= 1 - ((time == day) & seen).sum() / (time >= day).sum()
        if level <= 0.5:
            return day
    return np.nan


@pytest.fixture(scope="module", params=[(12, 200), (59, 200)], ids=["12", "59"])
def studies(request):
    """What 200 studies of 12 and of 59 patients give."""
    patients, count = request.param
    rng = np.random.default_rng(2026)
    rows = []
    for _ in range(count):
        left, right, _loss = draw(rng, patients)
        estimate = Turnbull(left, right)
        seen = np.isfinite(right)
        low, high = estimate.median_interval
        share = estimate.interval(DAY)
        rows.append(
            {
                "turnbull": estimate.median,
                "naive": np.median(right[seen]),
                "exact": kaplan_meier_median(np.where(seen, right, left), seen),
                "low": low,
                "high": high,
                "share_low": share[0],
                "share_high": share[1],
            }
        )
    return pd.DataFrame(rows)


def bias(medians):
    return float(np.exp(np.nanmean(np.log(medians / MEDIAN))) - 1)


def test_the_naive_median_is_far_too_early(studies):
    assert bias(studies["naive"]) < -0.2


def test_taking_the_day_it_was_noticed_for_the_day_of_loss_is_too_late(studies):
    assert bias(studies["exact"]) > 0.1


def test_turnbulls_median_is_near_the_truth(studies):
    assert abs(bias(studies["turnbull"])) < 0.08


def test_intervals_of_the_median_hold_the_truth_as_often_as_they_say(studies):
    held = (studies["low"] <= MEDIAN) & (studies["high"] >= MEDIAN)
    assert 0.92 <= held.mean() <= 1


def test_intervals_of_persistence_hold_the_truth_as_often_as_they_say(studies):
    truth = 1 - norm.cdf(np.log(DAY / MEDIAN) / SPREAD)
    held = (studies["share_low"] <= truth) & (studies["share_high"] >= truth)
    assert 0.92 <= held.mean() <= 0.995


def test_from_levels_to_intervals_that_hold_each_true_loss():
    """A level that falls through the LLOQ at a known day, sampled at visits."""
    rng = np.random.default_rng(7)
    left, right, loss = draw(rng, 59)
    rows = []
    for number, day in enumerate(loss):
        until = right[number] if np.isfinite(right[number]) else left[number]
        days = VISITS[until > VISITS]
        days = np.unique([*days, max(left[number], 1.0), until])
        levels = 10 * np.exp(0.05 * (day - days))
        rows += [
            {"patient": str(number), "time": time, "level": level}
            for time, level in zip(days, levels, strict=True)
        ]
    samples = pd.DataFrame(rows).assign(assay="flow", lloq=10.0)
    study = ck.Study.from_frames(samples)
    table = persistence(ck.nca(study), study).table
    truth = table["patient"].astype(int).map(lambda number: loss[number])
    assert (table["left"] < truth).all()
    assert (truth <= table["right"]).all()
    assert np.isinf(table["right"]).sum() == np.isinf(right).sum()
