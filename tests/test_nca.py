from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.metrics import METRICS
from cellpk.kinetics.remarks import NOTES

ROOT = Path(__file__).parents[1]
CAR22 = ROOT.parent / "shared" / "data" / "car22"


PEAKS = {"cmax", "tmax", "c_last", "t_last", "second_peak", "second_peak_time"}
PEAKS |= {"rebounds"}


def study(*rows, infusions=None, **constant):
    """Make a study of (patient, time, level) samples; flow with limit 5 unless said."""
    samples = pd.DataFrame(rows, columns=["patient", "time", "level"])
    samples = samples.assign(**({"assay": "flow", "lloq": 5.0} | constant))
    if infusions is not None:
        infusions = pd.DataFrame(infusions, columns=["patient", "time"])
        infusions = infusions.assign(dose=1e8, unit="cells")
    return ck.Study.from_frames(samples, infusions=infusions)


def profile(patient, times, levels):
    return [(patient, t, c) for t, c in zip(times, levels, strict=True)]


def row(metrics, patient, assay="flow", frame="table"):
    rows = getattr(metrics, frame)
    return rows[(rows["patient"] == patient) & (rows["assay"] == assay)].squeeze()


@pytest.fixture
def two_assays():
    cells = profile("A", [7, 14, 28, 42], [300, 900, 90, 9]) + profile(
        "B", [14], ["<5"]
    )
    il6 = profile("A", [0, 3, 7], [400, 250, 40]) + profile("C", [2, 5], [15, 80])
    samples = pd.DataFrame(cells + il6, columns=["patient", "time", "level"])
    samples["assay"] = ["flow"] * len(cells) + ["il6"] * len(il6)
    samples["lloq"] = 5.0
    return ck.Study.from_frames(samples)


def test_every_patient_has_a_row_for_every_series(two_assays):
    table = ck.nca(two_assays).table
    assert table[["patient", "assay"]].to_numpy().tolist() == [
        [patient, assay] for patient in "ABC" for assay in ("flow", "il6")
    ]
    assert table["n_samples"].tolist() == [4, 3, 1, 0, 0, 2]


def test_a_patient_without_samples_is_missing_and_not_negative(two_assays):
    metrics = ck.nca(two_assays)
    assert np.isnan(row(metrics, "C")["cmax"])
    assert row(metrics, "C", frame="reasons")["cmax"] == "no_sample"
    assert row(metrics, "B")["cmax"] == 0


def test_columns_stand_in_the_agreed_order(two_assays):
    metrics = ck.nca(two_assays)
    series, counts = ["patient", "assay", "specimen"], ["n_samples", "n_quantified"]
    flags = ["cmax_evaluable", "auc_0_28_evaluable", "notes"]
    names = list(metrics.metrics)
    assert names == [name for name, m in METRICS.items() if not m.infinity]
    assert list(metrics.table) == [*series, *counts, "n_below", *names, *flags]
    assert list(metrics.reasons) == [*series, *names]


def test_a_cytokine_has_a_peak_after_infusion_but_no_area_and_no_half_life(two_assays):
    metrics = ck.nca(two_assays)
    found = row(metrics, "A", "il6")
    assert found[["cmax", "tmax", "c_last", "t_last"]].tolist() == [250, 3, 40, 7]
    assert found["notes"] == ""
    reasons = row(metrics, "A", "il6", frame="reasons")
    refused = {n for n in metrics.metrics if reasons[n] == "not_a_cell_series"}
    assert set(metrics.metrics) - refused == PEAKS | {"t_last_censored", "t_bql"}
    assert found[list(refused)].isna().all()


def test_units_come_from_the_assay(two_assays):
    metrics = ck.nca(two_assays)
    units = metrics.units("flow")
    assert units["cmax"] == "cells/uL"
    assert units["auc_0_28"] == "day*cells/uL"
    assert (units["half_life"], units["lambda_z"]) == ("day", "1/day")
    with pytest.raises(ck.DataError, match=r"no assay 'flw'.*'flow'"):
        metrics.units("flw")


def test_results_cannot_be_changed_from_outside(two_assays):
    metrics = ck.nca(two_assays)
    table = metrics.table
    table["cmax"] = 0.0
    assert row(metrics, "A")["cmax"] == 900


def test_metrics_print_in_one_line_and_as_a_table(two_assays):
    metrics = ck.nca(two_assays)
    assert repr(metrics) == (
        "Metrics study: 3 patients, flow (Cmax 2, AUC0-28d 1, half-life 0), "
        "il6 (Cmax 2, AUC0-28d 0, half-life 0)"
    )
    assert "<table" in metrics._repr_html_()
    assert "NC" in metrics._repr_html_()


def test_states_count_for_what_they_are():
    samples = pd.DataFrame(
        {
            "time": [3, 7, 10, 14, 21, 28],
            "level": [None, 8.0, None, None, 60, 40],
            "state": [
                "below",
                "detected",
                "above",
                "missing",
                "quantified",
                "quantified",
            ],
        }
    ).assign(patient="A", assay="qpcr", lloq=50.0, llod=5.0, uloq=1e5)
    samples.loc[5, "level"] = 90.0
    metrics = ck.nca(ck.Study.from_frames(samples))
    found, why = row(metrics, "A", "qpcr"), row(metrics, "A", "qpcr", frame="reasons")
    assert found[["n_samples", "n_quantified", "n_below"]].tolist() == [5, 2, 2]
    assert found["tmax"] == 10
    assert why[["cmax", "auc_0_28"]].tolist() == ["above_upper_limit"] * 2


def test_excluded_samples_are_not_used():
    rows = profile("A", [7, 14, 21, 28], [10, 9000, 20, 30])
    all_used = study(*rows)
    samples = all_used.samples
    samples["excluded"] = samples["time"] == 14
    samples["reason"] = ["", "haemolysed", "", ""]
    metrics = ck.nca(ck.Study.from_frames(samples))
    assert row(ck.nca(all_used), "A")["cmax"] == 9000
    assert row(metrics, "A")["cmax"] == 30


@pytest.mark.parametrize(
    ("times", "levels", "note"),
    [
        ([-1, 7, 14, 28], [9, 100, 900, 90], "before_infusion"),
        ([0, 7, 14, 28], [60, 100, 900, 90], "before_infusion before_infusion_high"),
        ([1, 7, 14, 28], [950, 100, 900, 90], "early_peak"),
        ([7, 14, 28, 120], [100, 900, 90, 5000], "second_peak"),
        ([7, 14, 28, 120], [100, 900, 90, 500], ""),
        ([0, 7, 14, 28], ["<5", "<5", "<5", "<5"], ""),
    ],
)
def test_what_is_doubtful_about_a_patient_is_noted(times, levels, note):
    found = row(ck.nca(study(*profile("A", times, levels))), "A")
    assert found["notes"] == note
    assert set(note.split()) <= set(NOTES)
    assert found["cmax_evaluable"] == ("high" not in note)


@pytest.mark.parametrize(
    ("times", "evaluable"),
    [
        ([7, 14, 28], True),
        ([0, 21, 28], True),
        ([7, 14, 29], False),
        ([3, 5, 6, 22, 28], False),
        ([7, 14], False),
    ],
)
def test_cmax_is_evaluable_with_three_samples_one_of_them_near_the_peak(
    times, evaluable
):
    found = row(ck.nca(study(*profile("A", times, [9 * (t > 0) for t in times]))), "A")
    assert found["cmax"] == 9
    assert found["cmax_evaluable"] == evaluable


def test_the_area_is_evaluable_where_it_is_calculable():
    rows = [
        *profile("28", [7, 14, 28], [100, 900, 90]),
        *profile("25", [7, 10, 14, 18, 25], [100, 900, 300, 100, 10]),
        *profile("25 short", [7, 14, 25], [100, 900, 90]),
        *profile("21", [7, 14, 21], [100, 900, 90]),
    ]
    metrics = ck.nca(study(*rows))
    table = metrics.table.set_index("patient")
    assert table["auc_0_28_evaluable"].to_dict() == {
        "28": True,
        "25": True,
        "25 short": False,
        "21": False,
    }
    why = metrics.reasons.set_index("patient")["auc_0_28"]
    assert why[["25 short", "21"]].tolist() == ["no_lambda_z", "ends_early"]
    rate = table.loc["25", "lambda_z"]
    beyond = 10 * (1 - np.exp(-rate * 3)) / rate
    measured = table.loc["25", "auc_last"]
    assert table.loc["25", "auc_0_28"] == pytest.approx(measured + beyond, rel=1e-14)


def test_samples_after_a_further_infusion_are_not_used_but_a_split_dose_is_one_dose():
    rows = profile("A", [7, 14, 28, 60], [100, 90, 8, 5000])
    rows += profile("B", [7, 14, 28, 60], [100, 90, 8, 5000])
    infused = [("A", 0), ("A", 45), ("B", 0), ("B", 2)]
    metrics = ck.nca(study(*rows, infusions=infused))
    assert row(metrics, "A")[["n_samples", "cmax", "notes"]].tolist() == [
        3,
        100,
        "reinfusion",
    ]
    assert row(metrics, "B")["cmax"] == 5000


def test_blood_and_marrow_are_different_series():
    rows = profile("A", [7, 14], [100, 90]) + profile("A", [14], [7000])
    metrics = ck.nca(study(*rows, specimen=["blood", "blood", "marrow"]))
    assert metrics.table[["specimen", "cmax"]].to_numpy().tolist() == [
        ["blood", 100],
        ["marrow", 7000],
    ]


def test_rules_are_sentences_that_follow_the_options():
    one = study(*profile("A", [7, 40, 80], [100, 50, 900]))
    usual, early = ck.nca(one), ck.nca(one, cmax_window=(0, 60))
    assert (row(usual, "A")["cmax"], row(early, "A")["cmax"]) == (900, 100)
    assert any("up to day 90" in sentence for sentence in usual.rules)
    assert any("up to day 60" in sentence for sentence in early.rules)
    assert all(sentence.endswith(".") for sentence in usual.rules)


def test_the_same_study_gives_the_same_metrics():
    rows = profile("A", [7, 14, 28], [100, 900, 90]) + profile("B", [7, 14], [20, 10])
    first, again = ck.nca(study(*rows)), ck.nca(study(*reversed(rows)))
    pd.testing.assert_frame_equal(first.table, again.table)
    pd.testing.assert_frame_equal(first.reasons, again.reasons)


@pytest.mark.skipif(not CAR22.exists(), reason="the car22 data are not at hand")
def test_observed_peaks_of_car22_separate_responders_as_the_data_source_says():
    """SOURCE.md: median Cmax 747 cells/uL in CR (n=40), 9.0 in the rest (n=15)."""
    study = ck.read_study(ROOT / "notebooks" / "car22_study.toml")
    table = ck.nca(study).table
    flow = table[table["assay"] == "flow"].set_index("patient")
    outcomes = study.outcomes.set_index("patient")
    responses = outcomes.loc[outcomes["endpoint"] == "best_response", "value"]
    peaks = flow["cmax"].groupby(responses == "CR")
    assert peaks.count().to_dict() == {False: 15, True: 40}
    assert peaks.median().round(1).to_dict() == {False: 9.0, True: 747.0}
