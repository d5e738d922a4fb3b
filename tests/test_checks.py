"""The rules as a whole: what they say of good studies, and how findings are told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from check_examples import QUIET, course, frame, samples, together

import cellpk as ck
from cellpk import Study
from cellpk.study.checks import rules
from cellpk.study.checks.outliers import FEW

CAR22 = Path(__file__).parents[1] / "notebooks" / "car22_study.toml"
SHARED = CAR22.parents[1].parent / "shared" / "data" / "car22"
USUAL = {"missing_outcomes", "missing_results", "before_infusion"}
PATIENTS = pd.DataFrame({"patient": ["1", "2"], "age": [50, 60]})


def doubts(frames=QUIET, **more):
    return Study.from_frames(**frames, **more).problems


def test_a_study_in_order_has_no_problems():
    infusions = pd.DataFrame({"patient": ["1", "2"], "time": 0.0})
    assert doubts(patients=PATIENTS, infusions=infusions).empty


def made_study():
    """A full study in order: two assays, visits, limits, every other table."""
    days = [-1, 1, 3, 7, 10, 14, 21, 28, 60, 90]
    log10 = [None, None, 1.9, 3.1, 4.2, 4.0, 3.1, 2.6, 2.2, None]
    rows = [
        {
            "patient": f"00{p}",
            "time": day + 0.01 * p,
            "nominal_time": day,
            "visit": f"Day {day}",
            "assay": assay,
            "level": f"<{50 * factor:g}"
            if x is None
            else f"{factor * 10**x * (1 + p / 7):.4g}",
            "lloq": 50 * factor,
            "llod": 10 * factor,
        }
        for p in range(1, 7)
        for assay, factor in (("qpcr", 1.0), ("flow", 0.0137))
        for day, x in zip(days, log10, strict=True)
    ]
    table = pd.DataFrame(rows)
    patients = [f"00{p}" for p in range(1, 7)]
    grades = {"endpoint": "crs_grade", "value": [1, 2, 1, 2, 3, 1], "time": 4.0}
    best = {"endpoint": "best_response", "value": "CR", "time": 28.0}
    told = pd.concat(
        [pd.DataFrame({"patient": patients, **row}) for row in (grades, best)]
    )
    return Study.from_frames(
        samples=table,
        patients=pd.DataFrame({"patient": patients, "age": range(50, 56)}),
        infusions=pd.DataFrame(
            {"patient": patients, "time": 0.0, "dose": [1e8, 1e8, 1e8, 3e8, 3e8, 1e9]}
        ).assign(unit="cells", lot="A"),
        comedication=pd.DataFrame(
            {"patient": ["002"], "drug": "tocilizumab", "time": 4.5, "end_time": 4.5}
        ),
        outcomes=told,
    )


def test_a_full_study_in_order_has_baseline_samples_only():
    assert set(made_study().problems["rule"]) == {"before_infusion"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulated_trials_raise_no_false_alarm(seed):
    assert set(ck.simulate_study(seed=seed).problems["rule"]) <= USUAL


@pytest.mark.slow
def test_of_20_simulated_trials_no_right_level_is_told():
    found = pd.concat([ck.simulate_study(seed=s).problems for s in range(1, 21)])
    found = found[~found["rule"].isin(USUAL)]
    assert found["rule"].tolist() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decades", "least"), [(1, 0.1), (-1, 0.1), (3, 0.7), (-3, 0.7)]
)
def test_a_level_off_by_powers_of_ten_is_found(decades, least):
    """How often a single error is told, by its own series or by the other assay."""
    rng = np.random.default_rng(7)
    hits = []
    for seed in range(1, 14):
        table = ck.simulate_study(seed=seed).samples
        table = table.drop(columns=["reported", "file", "row"])
        table[["lloq", "uloq"]] = np.nan
        right = table.index[
            (table["assay"] == "flow") & (table["state"] == "quantified")
        ]
        for row in rng.choice(right, 3, replace=False):
            wrong = table.copy()
            wrong.loc[row, "level"] *= 10.0**decades
            found = Study.from_frames(wrong).problems
            told = found["rule"].isin(["assays_disagree", "powers_of_ten_in_a_series"])
            hits.append(row + 2 in set(found.loc[told, "row"]))
    assert np.mean(hits) >= least, np.mean(hits)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
def test_what_is_odd_in_a_published_data_set_is_told():
    found = ck.read_study(CAR22).problems
    digits = found[found["rule"] == "same_digits"]
    assert digits["patient"].tolist() == ["1124", "4419"]
    assert "flow 0.8918, flow_percent 8.918" in digits["what"].iloc[1]
    repeated = found[found["rule"] == "repeated_levels"]
    assert set(repeated["what"].str.split().str[2]) == {"1472", "1502"}
    silent = {"assays_disagree", "powers_of_ten_in_a_series", "identical_series"}
    assert not silent & set(found["rule"])


def test_a_rough_assay_is_told_in_one_sentence():
    rng = np.random.default_rng(1)
    levels = 10 ** rng.normal(2, 1, 200)
    found = doubts(together(course(*levels.round(3))))
    (what,) = found.loc[found["rule"] == "powers_of_ten_in_a_series", "what"]
    assert int(what.split()[0]) > FEW
    assert "of 198 levels of flow lie far above or below" in what


def test_many_findings_are_cut_with_a_count():
    rows = [(str(p), 0, 30) for p in range(150)]
    found = doubts(samples(*rows))
    told = found[found["rule"] == "car_t_before_infusion"]
    assert len(told) == 101
    assert told["what"].iloc[-1].endswith("(so are 50 more samples)")


def test_whole_days_in_hours_are_told_without_visits():
    hours = samples(*[("1", t, 30 - t / 100) for t in (24, 168, 336, 672)])
    assert "hours_for_days" in doubts(hours)["rule"].tolist()
    half_years = samples(*[("1", t, 30 - t / 100) for t in (168, 336, 504, 672)])
    assert "hours_for_days" not in doubts(half_years)["rule"].tolist()


def test_visits_from_day_0_show_times_from_day_1():
    rows = [("1", d + 1, 40 - d, f"Day {d}") for d in (0, 7, 14, 21)]
    told = {"samples": frame("patient time level visit", *rows, assay="flow")}
    assert doubts(told)["rule"].tolist() == ["day_zero_or_one"]
    named = told["samples"].assign(visit=[f"Day {d}" for d in (1, 7, 14, 21)])
    assert doubts({"samples": named}).empty


def test_one_assay_that_copies_another_is_told():
    levels = (12.5, 413, 37.2)
    copied = together(course(*levels, assay="qpcr"), course(*levels, assay="ddpcr"))
    found = doubts(copied)
    assert "the 3 levels of qpcr are those of ddpcr in patient 1" in set(found["what"])


def test_a_code_counts_from_its_third_time_on():
    rows = [("1", t, level) for t, level in enumerate((999, 999, 3, 999, 4), 1)]
    assert "3 of 3 samples of flow with a number like a code: 999" in set(
        doubts(samples(*rows))["what"]
    )
    beside = [("1", 9, 1000), ("1", 10, 998)]
    assert "codes_for_levels" not in set(doubts(samples(*rows, *beside))["rule"])


def test_what_a_row_order_shows_is_lost_when_the_study_is_written(tmp_path):
    rows = [("1", t, 90 - t) for t in (*range(2, 42, 2), 39, *range(42, 60, 2))]
    study = Study.from_frames(**samples(*rows))
    assert study.problems["rule"].tolist() == ["out_of_order"]
    again = ck.read_study(ck.write_study(study, tmp_path))
    assert again == study
    assert again.problems.empty


def test_one_sample_is_told_with_its_place_and_many_with_their_file():
    one = doubts(samples(("1", 7, 30), ("1", 9, "ND"), ("2", 7, 3))).iloc[0]
    assert (one["row"], one["patient"], one["value"]) == (3, "1", "ND")
    many = doubts(samples(("1", 7, "ND"), ("1", 9, "ND"), ("2", 7, 3))).iloc[0]
    assert (many["file"], many["patient"]) == ("samples", "1")
    assert pd.isna(many["row"])


def test_warnings_come_before_notes_and_name_their_rule():
    found = doubts(samples(("1", -1, "ND"), ("2", 7, "")), patients=PATIENTS)
    assert found["severity"].tolist() == sorted(found["severity"], reverse=True)
    assert set(found["severity"]) == {"warning", "note"}
    assert set(found["rule"]) <= set(rules())


def test_the_name_of_a_visit_tells_when_a_sample_was_due():
    rows = [(7, "Day 7"), (336, "Day 14"), (21, "Week 3"), (28, "Day 28")]
    frame = pd.DataFrame(rows, columns=["time", "visit"]).assign(patient="1", level=3)
    told = doubts({"samples": frame.assign(assay="flow")})
    what = "the flow sample of visit day 14 was taken on day 336"
    assert told.loc[told["rule"] == "off_schedule", "what"].tolist() == [what]
    # After a second infusion, "Day 14" may be that of either.
    again = pd.DataFrame({"patient": "1", "time": [0, 322]})
    told = doubts({"samples": frame.assign(assay="flow")}, infusions=again)
    assert "off_schedule" not in set(told["rule"])


def test_a_series_that_many_patients_have_is_told_once():
    levels = [310.25, 9108.5, 1204.75, 88.125]
    table = pd.DataFrame(
        {
            "patient": np.repeat([f"P{i:02}" for i in range(30)], 4),
            "time": np.tile([7.0, 14.0, 21.0, 28.0], 30),
            "level": np.tile(levels, 30),
        }
    )
    study = Study.from_frames(samples=table.assign(assay="qpcr"))
    told = study.problems.query("rule == 'identical_series'")["what"].tolist()
    assert told == ["the 4 levels of qpcr in patient P00 are those of 29 more series"]
