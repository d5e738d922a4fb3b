"""Persistence of a study: whose loss lies where, who is counted at which visit."""

import numpy as np
import pandas as pd
import pytest
from persistence_study import study_of

import cellpk as ck
from cellpk.errors import DataError
from cellpk.kinetics.persistence import persistence


def found(study, rules=None, **options):
    return persistence(ck.nca(study, **(rules or {})), study, **options)


def test_each_patient_has_the_days_between_which_the_level_was_lost():
    table = found(study_of()).table.set_index("patient")
    assert table[["left", "right", "status"]].T.to_dict("list") == {
        "lost": [28, 60, "lost"],
        "again": [60, 92, "lost"],
        "still": [60, np.inf, "quantifiable"],
        "never": [0, 3, "never_quantifiable"],
        "high": [30, 60, "lost"],
        "missed": [7, 62, "lost"],
        "empty": [pytest.approx(np.nan, nan_ok=True)] * 2 + ["not_sampled"],
    }
    assert table.index[~table["in_curve"]].tolist() == ["empty"]


def test_intervals_are_those_of_the_samples_one_by_one():
    study = ck.simulate_study(seed=1)
    for assay in ("qpcr", "flow"):
        table = found(study, assay=assay).table.set_index("patient")
        samples = study.select(assay).query("time > 0").sort_values("time")
        for patient, own in samples.groupby("patient"):
            left, right = 0.0, np.inf
            for time, state in zip(own["time"], own["state"], strict=True):
                if state == "quantified":
                    left, right = time, np.inf
                elif right == np.inf:
                    right = time
            assert table.loc[patient, ["left", "right"]].tolist() == [left, right]


def test_metrics_of_other_patients_are_refused():
    with pytest.raises(DataError, match="patients of another study"):
        persistence(ck.nca(study_of()), ck.simulate_study(seed=1))


def test_shares_at_visits_are_those_of_the_metrics():
    study = ck.simulate_study(seed=1)
    metrics = ck.nca(study)
    visits = persistence(metrics, study, assay="flow").visits
    present = metrics.table.query("assay == 'flow'")
    for row in visits.to_dict("records"):
        column = present[f"present_{row['visit']}"]
        assert row["sampled"] == column.notna().sum()
        assert row["quantifiable"] == column.sum()


def test_patients_who_never_expanded_are_in_the_curve_unless_asked_not():
    every, some = found(study_of()), found(study_of(), expanded_only=True)
    assert every.summary[["n", "never_quantifiable"]].to_numpy().tolist() == [[6, 1]]
    assert some.summary[["n", "never_quantifiable"]].to_numpy().tolist() == [[5, 0]]
    assert every.curve["persistence"].min() >= 0
    assert some.summary["median"][0] > every.summary["median"][0]


def test_the_naive_median_is_that_of_those_seen_below_the_limit():
    row = found(study_of()).summary.iloc[0]
    assert row["naive_n"] == 4  # lost, again, high, missed
    assert row["naive_median"] == np.median([60, 92, 60, 62])
    assert (row["naive_minimum"], row["naive_maximum"]) == (60, 92)


def test_visits_count_those_sampled_and_say_who_was_not():
    visits = found(study_of()).visits.set_index("visit")
    d28 = visits.loc["d28"]
    # never is detected; missed and empty have no result in days 21 to 35
    assert d28[["at_risk", "sampled", "quantifiable"]].tolist() == [6, 5, 3]
    assert d28[["detected", "not_detected", "not_sampled"]].tolist() == [1, 1, 1]
    assert d28["share"] == 3 / 5
    # Clopper and Pearson (1934) of 3 in 5
    assert d28[["low", "high"]].tolist() == pytest.approx([0.1466, 0.9473], abs=1e-4)
    m3 = visits.loc["m3"]  # opens on day 77.3, when 'still' is dead
    assert m3[["at_risk", "sampled", "not_detected"]].tolist() == [2, 2, 2]
    m12 = visits.loc["m12"]
    assert m12[["at_risk", "sampled"]].tolist() == [0, 0]
    assert np.isnan(m12["share"])


def test_followed_means_any_record_that_reaches_the_window():
    one = {"1": [(28, 90)]}
    drug = pd.DataFrame({"patient": ["1"], "drug": "tocilizumab", "time": 80.0})
    contact = pd.DataFrame({"patient": ["1"], "last_contact": [300]})
    planned = {"1": [(28, 90), (180, None)]}

    def at_risk(study):
        return found(study).visits.set_index("visit")["at_risk"].to_dict()

    only = {"d28": 1, "m2": 0, "m3": 0, "m6": 0, "m9": 0, "m12": 0}
    assert at_risk(study_of(one, died={})) == only
    # a sample that was planned and not taken shows nobody
    assert at_risk(study_of(planned, died={})) == only
    assert at_risk(study_of(one, died={}, comedication=drug))["m3"] == 1
    seen = at_risk(study_of(one, died={}, patients=contact))
    assert (seen["m9"], seen["m12"]) == (1, 0)


def test_a_further_infusion_ends_what_counts_unless_kept():
    levels = {"1": [(7, 90), (28, 60), (60, 0), (120, 80)]}
    doses = pd.DataFrame({"patient": "1", "time": [0, 50], "dose": 1e8})
    study = study_of(levels, died={}, infusions=doses)
    cut, kept = found(study), found(study, {"reinfusion": "keep"})
    assert cut.table[["left", "right"]].to_numpy().tolist() == [[28, np.inf]]
    assert cut.visits.set_index("visit")["at_risk"].loc[["m2", "m3"]].tolist() == [1, 0]
    assert kept.table[["left", "right"]].to_numpy().tolist() == [[120, np.inf]]
    assert kept.visits.set_index("visit").loc["m3", "at_risk"] == 1


def test_visits_are_those_of_the_rules():
    visits = found(study_of(), {"visits": {"w4": (28, 7)}}).visits
    assert visits["visit"].tolist() == ["w4"]


def test_numbers_open_lost_and_censored_sum_to_the_patients():
    result = found(study_of())
    table = result.open_at([0, 3, 28, 60, 61, 400])
    assert table["open"].tolist() == [6, 5, 5, 3, 2, 0]
    assert table["lost"].tolist() == [0, 1, 1, 3, 3, 5]
    assert table["censored"].tolist() == [0, 0, 0, 0, 1, 1]
    assert (table[["open", "lost", "censored"]].sum(axis=1) == 6).all()


def test_the_curve_falls_from_1_and_stays_within_its_interval():
    curve = persistence(ck.nca(s := ck.simulate_study(seed=2)), s, assay="flow").curve
    assert curve.iloc[0].tolist() == [0, 1, 1, 1, True]
    for column in ("persistence", "low", "high"):
        assert curve[column].is_monotonic_decreasing
    assert curve["day"].is_monotonic_increasing
    assert curve["persistence"].between(curve["low"], curve["high"]).all()
    flat = curve["persistence"].diff().iloc[1:][curve["level"].iloc[1:]]
    assert (flat.abs() < 1e-9).all()


def test_groups_are_estimated_alone():
    result = found(study_of())
    two = result.among(["lost", "still", "empty"])
    assert two.summary["n"][0] == 2
    assert two.summary["not_in_curve"][0] == 1
    alone = result.among(["empty"])
    assert alone.estimate is None
    assert np.isnan(alone.summary["median"][0])
    assert alone.curve["day"].tolist() == [0]


def test_it_says_what_it_is():
    result = found(study_of())
    assert repr(result) == (
        "Persistence study: flow in blood, 6 patients (5 lost, of whom 1 never "
        "quantifiable; 1 not in the curve), median 54.0 days (95% interval 0.0 to 92.0)"
    )
    assert "<table" in result._repr_html_()
    copy = result.table
    copy["left"] = 0
    assert result.table["left"].max() == 60


def test_what_is_not_there_is_refused():
    study = study_of()
    metrics = ck.nca(study)
    with pytest.raises(DataError, match="no samples of flow in 'marow'"):
        persistence(metrics, study, specimen="marow")
    with pytest.raises(DataError, match="qpcr"):
        persistence(metrics, study, assay="qpcr")
    with pytest.raises(DataError, match="between 0 and 1"):
        persistence(metrics, study, confidence=95)
