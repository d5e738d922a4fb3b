"""What holds for every metric; a new one is found by itself."""

import inspect
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cellpk.kinetics import metrics
from cellpk.kinetics.metrics import METRICS, REASONS
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.registry import FUNCTIONS, KINDS

INF = np.inf
AWKWARD = {
    "typical": (
        [-1, 2, 4, 6, 8, 10, 14, 21, 28, 60, 75, 90, 120, 150, 180, 270, 365, 400],
        [0, 6, 3, 20, 90, 300, 120, 40, 11, 4, 9, 8, 5, 3, 1.5, 0.5, 0, 0],
    ),
    "nadir below": (
        [-1, 2, 7, 10, 14, 21, 28, 60, 90],
        [0, 0, 90, 300, 120, 9, 4, 2, 0],
    ),
    "two rises": ([7, 14, 28, 60, 90, 120], [900, 300, 40, 400, 90, 200]),
    "no sample": ([], []),
    "all below": ([0, 7, 14, 21, 28], [0, 0, 0, 0, 0]),
    "one sample": ([10], [300]),
    "one sample below": ([10], [0]),
    "only before infusion": ([-7, -1, 0], [4, 0, 2]),
    "only late": ([120, 150], [8, 4]),
    "ties": ([7, 10, 14, 28], [300, 300, 100, 50]),
    "two at one time": ([7, 7, 14, 14, 28], [300, 200, 100, 100, 30]),
    "flat": ([7, 14, 21, 28], [5, 5, 5, 5]),
    "gap": ([1, 200], [2, 6]),
    "hole": ([7, 10, 14, 21, 35], [90, 300, 0, 40, 10]),
    "above": ([7, 10, 14, 21, 35, 40], [90, INF, INF, 40, 20, 5]),
    "above at the end": ([7, 14, 25], [90, 100, INF]),
    "above before infusion": ([-1, 14, 30], [INF, 100, 20]),
    "ends on day 25": ([7, 10, 14, 18, 25], [90, 300, 150, 70, 20]),
    "ends below on day 25": ([7, 10, 14, 18, 25], [90, 300, 150, 70, 0]),
    "second peak": ([7, 14, 28, 120], [90, 50, 10, 900]),
    "tiny and huge": ([7, 14, 28, 35], [1e-12, 1e12, 1e-12, 1e-13]),
}
GROWTH = {
    "level": 5.0,
    "day": 3.0,
    "day*level": 15.0,
    "1/day": 1 / 3,
    "1": 1.0,
    "%": 1.0,
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())


def together(*, levels=1.0, times=1.0):
    """All awkward profiles on flat arrays; a day lengthens with the times."""
    sizes = [len(t) for t, _ in AWKWARD.values()]
    flat_times = np.concatenate([t for t, _ in AWKWARD.values()]).astype(float)
    flat_levels = np.concatenate([c for _, c in AWKWARD.values()]).astype(float)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    lloq, above = 1e-3 * levels, 10.0 * levels
    return Profiles.stacked(
        flat_times * times,
        flat_levels * levels,
        bounds,
        lloq=lloq,
        above=above,
        day=times,
    )


def alone(metric, times, levels):
    profile = Profiles.one(times, levels, lloq=1e-15, above=10.0)
    return metric.compute(replace(profile, lloq=np.full(profile.times.shape, 1e-3)))


@every_metric
def test_a_metric_is_a_finite_number_or_has_a_reason(metric):
    found = metric.compute(together())
    assert set(found.reason) <= {"", *REASONS}
    np.testing.assert_array_equal(np.isfinite(found.value), found.reason == "")
    np.testing.assert_array_equal(np.isnan(found.value), found.reason != "")


@every_metric
def test_a_patient_alone_has_the_metric_that_she_has_among_others(metric):
    each = [alone(metric, t, c).value[0] for t, c in AWKWARD.values()]
    np.testing.assert_array_equal(metric.compute(together()).value, each)


@every_metric
def test_a_metric_scales_as_its_unit_says(metric):
    before, after = (
        metric.compute(together()),
        metric.compute(together(levels=5, times=3)),
    )
    np.testing.assert_array_equal(after.reason, before.reason)
    expected = before.value * GROWTH[metric.unit_kind]
    np.testing.assert_allclose(after.value, expected, rtol=1e-12)


@every_metric
def test_a_metric_never_takes_a_missing_level_for_zero(metric):
    times, levels = AWKWARD["typical"]
    with_gaps = np.insert(np.array(levels, float), [3, 5, 9, 17], np.nan)
    at = np.insert(np.array(times, float), [3, 5, 9, 17], [5, 9, 50, 380])
    found, expected = (
        alone(metric, *pair) for pair in ((at, with_gaps), (times, levels))
    )
    np.testing.assert_array_equal(found.value, expected.value)


@every_metric
def test_a_metric_has_a_value_for_a_typical_patient(metric):
    assert np.isfinite(alone(metric, *AWKWARD["typical"]).value[0])


@every_metric
def test_a_metric_says_what_it_is(metric):
    assert metric.label
    assert metric.unit_kind in GROWTH
    assert metric.kind in KINDS
    assert metric.summary in {"geometric", "median", "share"}
    assert re.fullmatch(r"[A-Z][A-Z0-9]{1,7}", metric.cdisc)
    assert (metric.days is not None) == (metric.cdisc == "AUCINT")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_metric_of_one_patient_is_documented(name):
    one = getattr(metrics, name)
    assert {"Parameters", "Returns", "Examples"} <= set(one.__doc__.split("\n"))
    arguments = ["times", "levels", "lloq", "rules"]
    assert list(inspect.signature(one).parameters) == arguments
    profile = AWKWARD["two rises"]
    expected = METRICS[name].compute(Profiles.one(*profile)).value[0]
    np.testing.assert_array_equal(one(*profile), expected)


def test_no_two_metrics_share_a_code_but_areas_between_days():
    codes = Counter(m.cdisc for m in METRICS.values() if m.cdisc != "AUCINT")
    assert set(codes.values()) == {1}


def test_every_reason_is_a_sentence():
    assert all(re.fullmatch(r"[A-Z].*\.", sentence) for sentence in REASONS.values())
