"""Intervals from assay error: closed forms, what has none, and what is refused."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.assay_error import metric_intervals
from cellpk.kinetics.reasons import REASONS

CV = 0.25
SD = np.sqrt(np.log1p(CV**2))
Z = NormalDist().inv_cdf(0.95)


def study(**patients):
    """Make a study of flow levels, limit 5, from {patient: {day: level}}."""
    rows = [
        {"patient": name, "time": day, "level": level}
        for name, profile in patients.items()
        for day, level in profile.items()
    ]
    return ck.Study.from_frames(pd.DataFrame(rows).assign(assay="flow", lloq=5.0))


def row(found, metric="cmax", patient="A"):
    chosen = (found["metric"] == metric) & (found["patient"] == patient)
    return found[chosen].squeeze()


PEAK = {7: 100, 14: 9000, 21: 300, 28: 40}
PLATEAU = {7: 880, 14: 900, 21: 890, 28: 40}


def test_a_row_for_each_patient_and_metric():
    found = metric_intervals(study(A=PEAK, B=PLATEAU), error=CV)
    assert list(found) == [
        *["patient", "assay", "specimen", "metric", "value", "low", "high", "reason"]
    ]
    assert found["patient"].tolist() == ["A", "A", "B", "B"]
    assert found["metric"].tolist() == ["cmax", "auc_0_28"] * 2
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()


def test_values_are_those_of_nca():
    patients = study(A=PEAK, B=PLATEAU)
    names = ["auc_0_14", "cmax", "auc_0_7"]
    found = metric_intervals(patients, error=CV, names=names, auc_rule="linear")
    table = ck.nca(patients, auc_rule="linear").table
    assert found["value"].tolist() == table[names].to_numpy().ravel().tolist()


def test_a_lone_peak_has_the_interval_of_one_level():
    found = row(metric_intervals(study(A=PEAK), error=CV))
    assert found["low"] == pytest.approx(9000 * np.exp(-Z * SD))
    assert found["high"] == pytest.approx(9000 * np.exp(Z * SD))


def test_a_plateau_may_lie_lower_because_the_highest_was_picked():
    # Where all three are equal, the highest exceeds exp(z*SD) with chance 1 - P(z)**3.
    found = row(metric_intervals(study(A=PLATEAU), error=CV))
    z = NormalDist().inv_cdf(0.95 ** (1 / 3))
    assert found["low"] == pytest.approx(900 * np.exp(-z * SD))
    assert found["high"] == pytest.approx(900 * np.exp(Z * SD))


def test_only_levels_of_the_window_are_rivals():
    late = PEAK | {100: 8900}
    found = row(metric_intervals(study(A=late), error=CV))
    assert found["low"] == pytest.approx(9000 * np.exp(-Z * SD))
    found = row(metric_intervals(study(A=late), error=CV, cmax_window=(0, 120)))
    assert found["low"] < 8999 * np.exp(-Z * SD)


def test_the_area_of_a_triangle_has_the_interval_of_its_one_level():
    # Straight lines to and from 0: the area is proportional to the level.
    found = metric_intervals(study(A={7: 0, 14: 900, 28: 0}), error=CV, draws=20_000)
    area = row(found, "auc_0_28")
    assert area["value"] == 900 * 21 / 2
    assert area["low"] == pytest.approx(area["value"] * np.exp(-Z * SD), rel=0.01)
    assert area["high"] == pytest.approx(area["value"] * np.exp(Z * SD), rel=0.01)


def test_an_area_of_many_levels_is_surer_than_one_level():
    many = dict.fromkeys(range(1, 29), 900)
    found = metric_intervals(study(A=many, B={14: 900, 28: 0}), error=CV)
    widths = found.assign(width=np.log(found["high"] / found["low"]))
    area = widths[widths["metric"] == "auc_0_28"].set_index("patient")["width"]
    # 28 equal weights: the error of the mean is 1/sqrt(28) of that of a level.
    assert area["A"] == pytest.approx(2 * Z * SD / np.sqrt(28), rel=0.1)
    assert area["B"] == pytest.approx(2 * Z * SD, rel=0.1)


def test_a_higher_level_and_a_larger_error_give_wider_intervals():
    def width(**asked):
        found = row(metric_intervals(study(A=PLATEAU), **asked), "auc_0_28")
        return found["high"] / found["low"]

    assert width(error=CV) < width(error=CV, level=0.95)
    assert width(error=0.1) < width(error=CV) < width(error=0.4)


def test_an_area_that_ends_by_lambda_z_has_an_interval():
    falling = {7: 800, 12: 400, 17: 200, 22: 100, 25: 66}
    found = row(metric_intervals(study(A=falling), error=CV), "auc_0_28")
    assert found["reason"] == ""
    assert found["low"] < found["value"] < found["high"]


def test_a_patient_has_the_same_interval_alone_and_among_others():
    alone = metric_intervals(study(B=PLATEAU), error=CV)
    others = {f"C{i}": PEAK | {35 + i: 6} for i in range(80)}
    among = metric_intervals(study(A=PEAK, **others, B=PLATEAU), error=CV)
    among = among[among["patient"] == "B"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_intervals_follow_the_seed():
    one, same, other = (
        metric_intervals(study(A=PEAK), error=CV, seed=seed) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same)
    assert row(one, "auc_0_28")["low"] != row(other, "auc_0_28")["low"]


def test_what_is_not_calculable_stays_so_with_its_reason():
    found = metric_intervals(study(A=PEAK, B={7: 40, 14: 90}), error=CV)
    short = row(found, "auc_0_28", "B")
    assert short["reason"] == "ends_early"
    assert short[["value", "low", "high"]].isna().all()
    assert row(found, "cmax", "B")["reason"] == ""


def test_levels_below_the_limit_have_no_relative_error():
    found = metric_intervals(study(A=dict.fromkeys([7, 14, 21, 28], 0)), error=CV)
    assert found["value"].tolist() == [0, 0]
    assert found[["low", "high"]].isna().all(axis=None)
    assert found["reason"].tolist() == ["no_quantifiable"] * 2


def test_an_area_that_half_of_the_draws_lose_has_no_interval():
    found = metric_intervals(study(A={7: 0, 14: 5.05, 28: 0}), error=0.4)
    area = row(found, "auc_0_28")
    assert area["reason"] == "lost_in_error"
    assert area["value"] > 0
    assert np.isnan(area["high"])


def test_every_reason_is_explained():
    found = metric_intervals(study(A={7: 0, 14: 5.05, 28: 0}), error=0.4)
    assert set(found["reason"]) - {""} <= set(REASONS)


@pytest.fixture
def two_assays():
    rows = pd.DataFrame({"patient": "A", "time": [7.0, 14, 28], "level": [9.0, 80, 7]})
    parts = [rows.assign(assay=assay, lloq=5.0) for assay in ("flow", "il6")]
    return ck.Study.from_frames(pd.concat(parts))


def test_each_assay_has_its_own_error(two_assays):
    found = metric_intervals(two_assays, error={"flow": 0.1, "il6": 0.4})
    peaks = found[found["metric"] == "cmax"].set_index("assay")
    for assay, cv in {"flow": 0.1, "il6": 0.4}.items():
        high = 80 * np.exp(Z * np.sqrt(np.log1p(cv**2)))
        assert peaks.loc[assay, "high"] == pytest.approx(high)
    refused = found[(found["assay"] == "il6") & (found["metric"] == "auc_0_28")]
    assert refused["reason"].tolist() == ["not_a_cell_series"]


def test_assays_without_an_error_have_no_rows(two_assays):
    found = metric_intervals(two_assays, error={"il6": 0.1})
    assert set(found["assay"]) == {"il6"}


def test_one_error_does_not_hold_for_two_assays(two_assays):
    with pytest.raises(ck.DataError, match="one error is given for the assays flow"):
        metric_intervals(two_assays, error=0.2)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "not known, and none is assumed"),
        ({"error": 25}, r"Write 0\.25 for 25 %"),
        ({"error": 0.0}, "between 0 and 1"),
        ({"error": float("nan")}, "between 0 and 1"),
        ({"error": {"flwo": 0.2}}, "Did you mean 'flow'"),
        ({"error": 0.2, "level": 90}, r"Write 0\.9 for 90 %"),
        ({"error": 0.2, "names": ["auc_0_29"]}, "Did you mean 'auc_0_28'"),
        ({"error": 0.2, "names": ["auc_last"]}, "to a fixed day"),
        ({"error": 0.2, "names": ["half_life"]}, "for Cmax and for areas"),
        ({"error": 0.2, "auc_rul": "linear"}, "Did you mean 'auc_rule'"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked, message):
    with pytest.raises(ck.DataError, match=message):
        metric_intervals(study(A=PEAK), **asked)
