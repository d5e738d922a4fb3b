"""Random profiles: many at once against a plain loop, and against pkpdutils.

The profiles rise, fall and rise again, hold ties, missing levels and levels below the
limit in all places, and may have no sample at time 0.
"""

from itertools import product
from pathlib import Path

import nca_reference as reference
import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.metrics import lambda_z

PUBLISHED = Path(__file__).parent / "published" / "nca"
LLOQ = 5.0
BELOW = {"zero": reference.KEEP, "pknca": reference.PKNCA, "drop": reference.DROP}
AREAS = ((3, 28), (0, 80))
GOAL = 50.0
RENAMED = {
    "points": "lambda_z_points",
    "start": "lambda_z_start",
    "end": "lambda_z_end",
    "r2adj": "lambda_z_r2adj",
    "span": "lambda_z_span",
    "extrapolated_obs": "auc_extrapolated_obs",
    "extrapolated_pred": "auc_extrapolated_pred",
}
AS_OTHERS = {"convention": "winnonlin", "infinity": True, "above": {"flow": GOAL}}


def random_profiles(seed, count):
    rng = np.random.default_rng(seed)
    for patient in range(count):
        times = np.unique(rng.uniform(0.3, 60, rng.integers(1, 15)).round(2))
        if rng.random() < 0.6:
            times = np.insert(times, 0, 0.0)
        peak, top = rng.uniform(1, 20), 10 ** rng.uniform(1, 4)
        rise, fall = rng.uniform(0.2, 0.9), rng.uniform(0.02, 0.3)
        late = rng.choice([0.0, 0.08]) * np.maximum(times - peak - 20, 0)
        log_level = np.where(times < peak, rise, -fall) * (times - peak) + late
        levels = (top * np.exp(log_level + rng.normal(0, 0.35, len(times)))).round(1)
        if rng.random() < 0.4 and len(levels) > 1:
            levels[rng.integers(1, len(levels))] = levels.max()
            levels[-1] = levels[-2]
        embedded = rng.random(len(levels)) < rng.choice([0, 0.15])
        levels = np.where((levels < LLOQ) | embedded, 0.0, levels)
        missing = rng.random(len(levels)) < 0.05
        yield patient, times, np.where(missing, np.nan, levels)


def as_study(profiles):
    rows = [
        pd.DataFrame({"patient": f"{patient:03}", "time": times, "level": levels})
        for patient, times, levels in profiles
    ]
    samples = pd.concat(rows).assign(assay="flow", lloq=LLOQ)
    samples["state"] = np.where(
        samples["level"].isna(),
        "missing",
        np.where(samples["level"] == 0, "below", "quantified"),
    )
    samples["level"] = samples["level"].mask(samples["level"] == 0)
    return ck.Study.from_frames(samples)


PROFILES = [
    (patient, times.tolist(), [None if np.isnan(c) else float(c) for c in levels])
    for patient, times, levels in random_profiles(7, 250)
]
PROFILES = [
    each
    for each in PROFILES
    if any(c and t > 0 for t, c in zip(each[1], each[2], strict=True))
]
STUDY = as_study([(p, t, np.array(c, float)) for p, t, c in PROFILES])


def by_loop(times, levels, *, rule, below, at_zero, with_peak):
    one = reference.areas(
        times,
        levels,
        rule=rule,
        below=BELOW[below],
        at_zero=at_zero,
        with_peak=with_peak,
        falling=True,
    )
    curve = reference.from_infusion(
        reference.prepared(times, levels, BELOW[below]), at_zero
    )
    law = {"rule": rule, "tmax": one["log_from"]}
    one["time_above"] = reference.time_above(curve, GOAL, **law)
    for start, end in AREAS:
        t_last = one["t_last"]
        area = reference.area(curve, min(start, t_last), min(end, t_last), **law)
        if end > t_last:
            area += reference.area_beyond(one, end) if "lambda_z" in one else np.nan
        if start > t_last and "lambda_z" in one:
            area -= reference.area_beyond(one, start)
        one[f"auc_{start}_{end}"] = area
    return one


@pytest.mark.parametrize("at_zero", ["zero", "extrapolated"])
@pytest.mark.parametrize(
    ("rule", "below"),
    list(product(["linear", "linear_up_log_down", "linear_log"], BELOW)),
)
def test_many_at_once_equal_a_plain_loop(rule, below, at_zero):
    with_peak = at_zero == "extrapolated"
    found = ck.nca(
        STUDY,
        auc_rule=rule,
        below=below,
        at_zero=at_zero,
        lambda_z_peak=with_peak,
        beyond="infinity_obs",
        areas=AREAS,
        **AS_OTHERS,
    )
    rules = {"rule": rule, "below": below, "at_zero": at_zero, "with_peak": with_peak}
    expected = pd.DataFrame([by_loop(t, c, **rules) for _, t, c in PROFILES])
    expected = expected.rename(columns=RENAMED)
    table = found.table
    for name in [column for column in expected if column in table]:
        ours, theirs = table[name].to_numpy(), expected[name].to_numpy(float)
        assert ours == pytest.approx(theirs, rel=1e-11, nan_ok=True), name
        assert ((found.reasons[name] == "") == table[name].notna()).all(), name


def test_the_profiles_hold_what_tells_rules_apart():
    levels = [np.array(c, float) for _, _, c in PROFILES]
    assert len(PROFILES) > 200
    seen = {
        "embedded": sum((c[1:-1] == 0).any() for c in levels if c[-1] > 0),
        "lost": sum(c[-1] == 0 for c in levels),
        "missing": sum(np.isnan(c).any() for c in levels),
        "without time 0": sum(t[0] > 0 for _, t, _ in PROFILES),
        "ties of the peak": sum((c == np.nanmax(c)).sum() > 1 for c in levels),
        "one level": sum((c > 0).sum() == 1 for c in levels),
    }
    assert min(seen.values()) >= 5, seen


def pkpdutils_cases():
    frozen = pd.read_csv(PUBLISHED / "pkpdutils.csv")
    return frozen.groupby(["below", "auc_rule"])


def without_same_areas(profiles, theirs):
    """Say where pkpdutils' areas between days are others by its rules.

    They keep levels below the limit between others as 0, whatever the rule.
    """
    other = pd.DataFrame(data=False, index=theirs.index, columns=theirs.columns)
    for patient, rows in profiles.dropna().groupby("profile"):
        if patient in other.index:
            above = np.flatnonzero(rows["level"])
            embedded = np.ptp(above) + 1 > len(above)
            other.loc[patient, ["auc_0_80", "auc_3_28"]] = embedded
    return other


@pytest.mark.parametrize("case", list(pkpdutils_cases().groups))
def test_pkpdutils_gives_the_same(case):
    below, rule = case
    profiles = pd.read_csv(PUBLISHED / "random_profiles.csv")
    study = as_study(
        (patient, rows["time"].to_numpy(), rows["level"].to_numpy())
        for patient, rows in profiles.groupby("profile")
    )
    found = ck.nca(
        study,
        auc_rule=rule,
        below=below,
        at_zero="zero",
        areas=AREAS,
        **AS_OTHERS,
    )
    ours = found.table.assign(aumc_last=found.table.eval("mrt_last * auc_last"))
    ours = ours.set_index(ours["patient"].astype(int))
    theirs = pkpdutils_cases().get_group(case).set_index("profile")
    names = {
        "clast": "c_last",
        "tlast": "t_last",
        "lambda_z_n_points": "lambda_z_points",
        "lambda_z_t_first": "lambda_z_start",
        "lambda_z_r2_adj": "lambda_z_r2adj",
    }
    theirs = theirs.drop(columns=["below", "auc_rule"]).rename(columns=names)
    # pkpdutils tells nothing of a profile with a single sample left.
    alone = theirs["cmax"].isna()
    assert (ours.loc[alone, "n_quantified"] == 1).all()
    ours, theirs = ours[~alone], theirs[~alone]
    assert len(theirs) >= 38
    theirs = theirs.mask(without_same_areas(profiles, theirs))
    for name in theirs.columns[theirs.notna().any()]:
        expected = theirs[name].to_numpy()
        known = ~np.isnan(expected)
        if not name.startswith("auc_"):
            assert (ours[name].notna().to_numpy() == known).all(), name
        assert ours[name].to_numpy()[known] == pytest.approx(
            expected[known], rel=1e-9
        ), name


def test_a_rising_line_that_fits_best_leaves_no_slope_but_in_winnonlin():
    profiles = pd.read_csv(PUBLISHED / "random_profiles.csv")
    rows = profiles[profiles["profile"] == 48]
    times, levels = rows["time"].tolist(), rows["level"].fillna(0).tolist()
    usable = [(t, c) for t, c in zip(times, levels, strict=True) if c > 0]
    tmax = max(usable, key=lambda each: each[1])[0]
    after = [each for each in usable if each[0] > tmax]
    fits = [reference.regression(after[-n:]) for n in range(3, len(after) + 1)]
    best, falling = max(fits, key=lambda fit: fit[3]), [f for f in fits if f[0] < 0]
    assert best[0] > 0
    assert falling
    assert np.isnan(lambda_z(times, levels, convention="pknca"))
    best_falling = max(falling, key=lambda fit: fit[3])
    slope = lambda_z(times, levels, convention="winnonlin")
    assert slope == pytest.approx(-best_falling[0], rel=1e-12)
