import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.grouping import grouping
from cellpk.reporting.level_statistics import level_statistics
from cellpk.reporting.placing import placed, series
from cellpk.reporting.visits import by_visit


def study_of(rows, **columns):
    """A study of qPCR samples: (patient, time, level), an LLOQ of 50."""
    samples = pd.DataFrame(rows, columns=["patient", "time", "level"])
    samples = samples.assign(assay="qpcr", unit="copies/ug", lloq=50.0, **columns)
    return ck.Study.from_frames(samples)


def on_day_7(levels, **columns):
    rows = [(str(n), 7.0, level) for n, level in enumerate(levels)]
    return study_of(rows, nominal_time=7.0, **columns)


def statistics(study, *, below="left_out", by=None, days=None):
    samples = placed(study.select("qpcr"))
    groups = grouping(study, by)
    return level_statistics(study, samples, groups, below=below, days=days)


def only(study, **options):
    (row,) = statistics(study, **options).table.to_dict("records")
    return row


def test_statistics_by_hand():
    """100, 1000, 10000 and one below: mean 11100 / 4, geometric mean of three 1000."""
    row = only(on_day_7(["100", "1000", "10000", "<50"]))
    assert (row["n"], row["n_quantified"], row["n_below"]) == (4, 3, 1)
    assert row["mean"] == pytest.approx(2775)
    deviations = np.array([100, 1000, 10000, 0]) - 2775
    assert row["sd"] == pytest.approx(np.sqrt((deviations**2).sum() / 3))
    assert row["geometric_mean"] == pytest.approx(1000)
    assert row["geometric_sd"] == pytest.approx(10)
    cv = 100 * np.sqrt(np.exp(np.log(10) ** 2) - 1)
    assert row["geometric_cv"] == pytest.approx(cv)
    assert row["median"] == pytest.approx(550)
    assert row["maximum"] == 10000
    assert not row["mostly_below"]


def test_half_of_the_limit_enters_geometric_statistics_only():
    """25 for the one below: geometric mean (25 x 400 x 1000 x 10000)^(1/4)."""
    row = only(on_day_7(["400", "1000", "10000", "<50"]), below="half")
    assert row["geometric_mean"] == pytest.approx((25 * 400 * 1e7) ** 0.25)
    assert row["mean"] == pytest.approx(11400 / 4)
    assert row["minimum"] == 0


def test_half_below_is_not_most_and_a_median_next_to_one_below_is_not_known():
    half = only(on_day_7(["100", "1000", "<50", "<50"]))
    assert not half["mostly_below"]
    assert half["median"] == 0
    most = only(on_day_7(["100", "1000", "<50", "<50", "<50"]))
    assert most["mostly_below"]
    assert (most["median"], most["floor"]) == (0, pytest.approx(25))


def test_two_samples_are_listed_and_have_no_statistics():
    row = only(on_day_7(["<50", "700"]))
    assert row["values"] == "0.0 700.0"
    assert np.isnan([row["mean"], row["geometric_mean"], row["median"]]).all()


def test_detected_counts_as_below_and_by_itself():
    study = on_day_7([30.0, 100, 200, 300], llod=20.0)
    row = only(study)
    assert study.samples["state"].tolist().count("detected") == 1
    assert (row["n_below"], row["n_detected"], row["n_quantified"]) == (1, 1, 3)
    assert row["mean"] == pytest.approx(150)


def test_above_the_upper_limit_counts_as_that_limit():
    row = only(on_day_7([">1000", "10", "100", "100"], uloq=1000.0))
    assert (row["n_above"], row["maximum"]) == (1, 1000)


def test_groups_and_all_patients_add_up():
    patients = pd.DataFrame({"patient": ["0", "1", "2"], "arm": ["A", "A", "B"]})
    samples = on_day_7([60, 70, 80]).samples.drop(columns=["file", "row"])
    study = ck.Study.from_frames(samples, patients=patients)
    table = statistics(study, by="arm").table.set_index("group")
    assert table["n"].to_dict() == {"A": 2, "B": 1, "Total": 3}
    assert table.loc["Total", "geometric_mean"] == pytest.approx(
        (60 * 70 * 80) ** (1 / 3)
    )


def test_unknown_rule_for_below_is_refused():
    with pytest.raises(DataError, match="Did you mean 'half'"):
        statistics(on_day_7([60]), below="halve")


def visits(study, **options):
    rows, notes = by_visit(study, placed(study.select("qpcr")), **options)
    return list(zip(rows["patient"], rows["visit"], rows["day"], strict=True)), notes


def test_a_nominal_day_is_the_visit_whatever_the_actual_time():
    study = study_of([("1", 9.4, 60), ("2", 6.1, 60)], nominal_time=[7.0, 7.0])
    assert visits(study) == ([("1", "Day 7", 7.0), ("2", "Day 7", 7.0)], ())


def test_a_visit_keeps_its_name_and_names_of_one_day_stay_apart():
    rows = [("1", 0.0, 60), ("1", 0.1, 70)]
    study = study_of(rows, nominal_time=0.0, visit=["Pre-dose", "Post-dose"])
    found, notes = visits(study)
    assert [name for _, name, _ in found] == ["Post-dose", "Pre-dose"]
    assert notes == ()


def test_a_visit_without_a_nominal_day_is_at_the_median_of_its_times():
    rows = [("1", 13.0, 60), ("2", 14.0, 60), ("3", 17.0, 60)]
    found, _ = visits(study_of(rows, visit="Week 2"))
    assert {(name, day) for _, name, day in found} == {("Week 2", 14.0)}


def test_without_a_plan_samples_go_to_the_nearest_stated_day():
    """Half way between 14 and 21 is 17.5; before 0 stands apart."""
    rows = [("1", -0.2, 60), ("1", 0.0, 60), ("1", 17.4, 60), ("1", 17.6, 60)]
    found, notes = visits(study_of(rows))
    assert [day for _, _, day in found] == [-1.0, 0.0, 14.0, 21.0]
    assert found[0][1] == "Before infusion"
    assert notes == (
        "Samples are put to the nearest of days 0, 1, 3, 7, 10, 14 and 21; those "
        "before the infusion stand apart, by actual time.",
    )


def test_the_planned_days_of_the_study_come_before_our_own():
    rows = [("1", 10.0, 60), ("2", 20.0, 60), ("3", 12.0, 60), ("3", 99.0, 60)]
    study = study_of(rows, nominal_time=[10.0, 20.0, np.nan, np.nan])
    found, notes = visits(study)
    assert ("3", "Day 10", 10.0) in found
    assert "nearest of the planned days 10 and 20" in notes[0]
    assert notes[1] == "Samples far from all of these days are left out (1)."


def test_of_several_samples_the_planned_then_the_nearest_counts():
    rows = [("1", 7.9, 60), ("1", 7.0, 70), ("1", 14.4, 80), ("1", 13.9, 90)]
    study = study_of(rows, nominal_time=[7.0, np.nan, 14.0, 14.0])
    kept, notes = by_visit(study, placed(study.select("qpcr")))
    assert kept["level"].tolist() == [60.0, 90.0]
    assert notes[-1].endswith("2 others are left out.")


def test_unscheduled_samples_are_left_out_and_counted():
    study = study_of(
        [("1", 7.0, 60), ("1", 8.0, 60)],
        nominal_time=[7.0, np.nan],
        visit=["Day 7", "Unscheduled 1"],
    )
    found, notes = visits(study)
    assert [name for _, name, _ in found] == ["Day 7"]
    assert notes == ("Unscheduled samples are left out (1).",)


def test_days_asked_for_come_before_the_plan():
    study = study_of([("1", 9.0, 60), ("2", 27.0, 60)], nominal_time=[7.0, 28.0])
    found, _ = visits(study, days=(9, 27))
    assert [name for _, name, _ in found] == ["Day 9", "Day 27"]


def test_a_specimen_is_chosen_named_or_refused():
    study = study_of(
        [("1", 7.0, 60), ("1", 7.0, 70)], specimen=["blood", "bone marrow"]
    )
    samples, notes = series(study, "qpcr", specimen="BM")
    assert samples["level"].tolist() == [70.0]
    assert notes == ("Specimen: marrow. Left out: blood.",)
    with pytest.raises(DataError, match="there is no sample of qpcr in the spec"):
        series(study, "qpcr", specimen="csf")


def test_samples_after_a_further_infusion_are_counted_in_a_note():
    samples = pd.DataFrame({"patient": ["1", "1", "2", "2"], "time": [7.0, 28, 7, 28]})
    infusions = pd.DataFrame({"patient": ["1", "1", "2"], "time": [0.0, 20, 0]})
    study = ck.Study.from_frames(
        samples.assign(level=5.0, assay="flow"),
        infusions=infusions.assign(dose=1e8, unit="cells"),
    )
    notes = " ".join(ck.tables.levels(study).footnotes)
    assert "after a further infusion or another cell therapy are included (1)" in notes
    assert "further infusion" not in " ".join(ck.tables.levels(study, days=[7]).notes)


def test_an_assumed_limit_is_told():
    samples = pd.DataFrame({"patient": ["1", "2"], "time": 7.0, "level": [5.0, 0.0]})
    assumed = {"zero": "below", "assumed_lloq": 2.0, "why": "None is stated."}
    about = {"study": {"id": "A", "infusion_day": 0}, "limits": {"flow": assumed}}
    study = ck.Study.from_frames(samples.assign(assay="flow"), settings=about)
    notes = ck.tables.levels(study).footnotes
    assert "The LLOQ of 2 cells/µL is assumed; the data state none." in notes


def test_table_of_levels(small_study, snapshot):
    table = ck.tables.levels(small_study, by="dose_level")
    snapshot("levels_by_dose", repr(table))


def test_table_says_below_for_means_of_mostly_below():
    table = ck.tables.levels(on_day_7(["100", "1000", "<50", "<50", "<50"]))
    cells = table.shown.set_index("statistic")["All patients"]
    assert cells["Mean (SD)"] == cells["Geometric mean (geometric CV%)"] == "BLQ"
    assert cells["Median (Q1, Q3)"] == "BLQ (BLQ, 100)"
    assert cells["Minimum, maximum"] == "BLQ, 1,000"
    assert cells["Below LLOQ, n (%)"] == "3 (60.0)"


def test_table_says_which_rule_the_geometric_mean_follows():
    study = on_day_7(["100", "1000", "10000", "<50"])
    plain, half = (ck.tables.levels(study, below=rule) for rule in ("left_out", "half"))
    assert any("of the quantified levels only" in note for note in plain.footnotes)
    assert any("counts as half of it" in note for note in half.footnotes)
    assert half.name == "levels_qpcr_half"
