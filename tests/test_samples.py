import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpk import DataError, Study, read_study
from cellpk.study.toml_text import toml_lines

SETTINGS = {"study": {"id": "A", "infusion_day": 0}}


def study_of(*rows, settings=None, **constant):
    """Make a study of rows (level, further columns)."""
    table = [
        {"patient": "1", "time": i, "assay": "qpcr", **constant, "level": level, **more}
        for i, (level, more) in enumerate(rows)
    ]
    frame = pd.DataFrame(table, dtype=object)
    return Study.from_frames(samples=frame, settings={**SETTINGS, **(settings or {})})


def problems_of(*rows, **constant):
    with pytest.raises(DataError) as caught:
        study_of(*rows, **constant)
    return caught.value.problems


def problem_of(*rows, **constant):
    (problem,) = problems_of(*rows, **constant)
    return problem


def only(study):
    return study.samples.iloc[0]


@pytest.mark.parametrize(
    ("level", "limits", "state"),
    [
        (100, {"lloq": 50}, "quantified"),
        (50, {"lloq": 50}, "quantified"),
        (49, {"lloq": 50}, "below"),
        (49, {"lloq": 50, "llod": 20}, "detected"),
        (19, {"lloq": 50, "llod": 20}, "below"),
        (0, {"lloq": 50}, "below"),
        (0, {"llod": 20}, "below"),
        (1001, {"uloq": 1000}, "above"),
        ("<LLOQ", {"lloq": 50}, "below"),
        ("<20", {"lloq": 50, "llod": 20}, "below"),
        ("", {"lloq": 50}, "missing"),
        (None, {}, "missing"),
    ],
)
def test_a_level_is_held_against_its_limits(level, limits, state):
    sample = only(study_of((level, limits)))
    assert sample["state"] == state
    assert np.isfinite(sample["level"]) == (state in {"quantified", "detected"})
    for name in ("lloq", "llod", "uloq"):
        np.testing.assert_equal(sample[name], float(limits.get(name, np.nan)))


def test_a_limit_in_the_text_is_the_limit_of_that_sample():
    samples = study_of(("<50", {}), (">1e6", {}), (80, {})).samples
    assert samples["state"].tolist() == ["below", "above", "quantified"]
    np.testing.assert_array_equal(samples["lloq"], [50, np.nan, np.nan])
    np.testing.assert_array_equal(samples["uloq"], [np.nan, 1e6, np.nan])
    assert samples["reported"].tolist() == ["<50", ">1e6", "80"]


def test_a_text_and_a_column_may_not_state_different_limits():
    assert "different limits" in problem_of(("<100", {"lloq": 50})).what
    assert "different limits" in problem_of((">100", {"uloq": 500})).what


def test_a_stated_state_wins_over_what_the_level_says():
    study = study_of((50, {"state": "below", "lloq": 50}))
    assert only(study)["state"] == "below"
    assert np.isnan(only(study)["level"])


def test_limits_of_the_assay_fill_in_where_samples_state_none():
    settings = {"limits": {"qpcr": {"lloq": 50, "llod": 10}}}
    samples = study_of((20, {}), (20, {"lloq": 15}), settings=settings).samples
    assert samples["state"].tolist() == ["detected", "quantified"]
    assert samples["lloq"].tolist() == [50, 15]
    assert not samples["limit_assumed"].any()


def test_a_zero_needs_a_limit_or_a_rule():
    problem = problem_of((0, {}))
    assert "zero = 'below'" in problem.todo
    settings = {"limits": {"qpcr": {"zero": "below"}}}
    sample = only(study_of((0, {}), settings=settings))
    assert sample["state"] == "below"
    assert np.isnan(sample["lloq"])
    assert sample["reported"] == "0"


def test_an_assumed_limit_stands_only_where_nobody_knows_the_limit():
    limits = {"zero": "below", "assumed_lloq": 5, "why": "it is usual"}
    rows = [(0, {}), ("BLQ", {}), ("<20", {}), (3, {}), (0, {"lloq": 50})]
    study = study_of(*rows, settings={"limits": {"qpcr": limits}})
    samples = study.samples
    np.testing.assert_array_equal(samples["lloq"], [5, 5, 20, np.nan, 50])
    assert samples["limit_assumed"].tolist() == [True, True, False, False, False]
    assert samples["state"].tolist() == ["below"] * 3 + ["quantified", "below"]
    problems = study.problems
    (what,) = problems.loc[problems["rule"] == "unknown_limits", "what"]
    assert what.startswith("2 samples of qpcr are reported as '0', 'BLQ' with no limit")
    assert what.endswith("take 5 copies/ug as their limit, an assumption: it is usual")


def test_levels_and_limits_come_in_the_unit_of_the_assay():
    rows = [(0.3, {"lloq": 0.01}), ("<0.02", {}), (0.004, {"lloq": 0.01})]
    study = study_of(*rows, unit="10^9/L", assay="flow")
    assert study.samples["unit"].unique().tolist() == ["cells/uL"]
    assert study.samples["level"][0] == pytest.approx(300, rel=1e-12)
    np.testing.assert_allclose(study.samples["lloq"], [10, 20, 10], rtol=1e-12)
    assert study.samples["state"][2] == "below"


def test_units_that_do_not_fit_the_assay_are_refused():
    problem = problem_of((3, {}), assay="qpcr", unit="cells/uL")
    assert "'cells/uL' does not fit the assay 'qpcr'" in problem.what


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        ((-4, {}), "level", "cannot be negative"),
        (("<-4", {}), "level", "a limit is above 0"),
        (("lots", {}), "level", "neither a number nor a text"),
        ((float("inf"), {}), "level", "neither a number nor a text"),
        (("1,5", {}), "level", "it has a decimal comma"),
        (("1,234", {}), "level", "it has a thousands separator or a decimal comma"),
        (("3 cells/uL", {}), "level", "the unit 'cells/ul' in the text does not fit"),
        (("5.2 %", {}), "level", "the unit '%' in the text does not fit"),
        (("<50", {"lloq": 20}), "level", "state different limits"),
        (("detected <50", {"lloq": 20}), "level", "state different limits"),
        ((3, {"time": ""}), "time", "'time' is missing"),
        ((3, {"time": "noon"}), "time", "'time' is not a number"),
        ((3, {"patient": " "}), "patient", "the patient is missing"),
        ((3, {"lloq": 0}), "lloq", "'lloq' is not above 0"),
        ((3, {"lloq": "x"}), "lloq", "'lloq' is not a number"),
        ((3, {"lloq": 1, "llod": 2}), "llod", "'llod' is above 'lloq'"),
        ((3, {"lloq": 9, "uloq": 2}), "lloq", "'lloq' is above 'uloq'"),
        ((3, {"assay": "qpcrr"}), "assay", "the assay is not known"),
        ((3, {"state": "belwo"}), "state", "the state is not known"),
        (("", {"state": "quantified"}), "level", "there is no level"),
        ((3, {"excluded": "maybe"}), "excluded", "'excluded' is not a flag"),
        ((3, {"nominal_time": "D1"}), "nominal_time", "is not a number"),
    ],
)
def test_what_is_impossible_is_told_with_its_place(row, column, what):
    problem = problem_of((8, {"patient": "2"}), row)
    assert what in problem.what
    assert (problem.file, problem.row, problem.column) == ("samples", 3, column)
    assert problem.severity == "error"
    assert problem.todo


def test_many_equal_problems_are_one_sentence():
    problem = problem_of(*[(3, {"assay": "pcr"})] * 30)
    assert problem.row == 2
    assert "in 29 more rows: 3, 4, 5" in problem.what
    assert "'qpcr'" in problem.todo


def test_the_same_sample_with_another_level_is_refused():
    problem = problem_of((3, {"time": 7}), (4, {"time": 7}))
    assert "another level of the same sample ('3')" in problem.what
    assert (problem.row, problem.value) == (3, "4")


def test_the_same_sample_twice_counts_once_and_stays_in_the_table():
    rows = [(3, {"time": 7})] * 2 + [("ND", {"time": 8})] * 2
    study = study_of(*rows, lloq=1)
    assert study.samples["excluded"].tolist() == [False, True, False, True]
    assert study.samples["reason"][1] == "stands twice: the same as row 2 of samples"
    assert study.counts["used"] == 2
    assert study.counts["excluded"] == 2
    assert study.problems["row"].tolist() == [3, 5]


def test_what_is_excluded_or_missing_is_no_second_sample():
    rows = [(3, {"excluded": 1}), (4, {}), ("", {})]
    study = study_of(*rows, time=7)
    assert study.counts["used"] == 1
    assert study.samples["reason"].tolist()[0] == "excluded in the file"


def test_other_specimens_and_assays_are_other_samples():
    rows = [(3, {"specimen": "blood"}), (4, {"specimen": "marrow"}), (5, {})]
    study = study_of(*rows, time=7)
    assert study.counts["used"] == 3
    assert len(study.select("qpcr", specimen="marrow")) == 1


def test_a_level_may_state_its_unit():
    rows = [("0.3 10^9/L", {}), ("<0.02 10^9/L", {}), ("5 cells/uL", {})]
    samples = study_of(*rows, assay="flow").samples
    np.testing.assert_allclose(samples["level"], [300, np.nan, 5], rtol=1e-12)
    np.testing.assert_allclose(samples["lloq"], [np.nan, 20, np.nan], rtol=1e-12)
    assert samples["reported_unit"].tolist() == ["10^9/l", "10^9/l", "cells/ul"]
    assert only(study_of(("5.2 %", {}), assay="flow_percent"))["level"] == 5.2


def test_the_unit_of_a_text_has_to_be_that_of_its_column():
    same = study_of(("5 cells/uL", {}), unit="10^6/L", assay="flow")
    assert only(same)["level"] == 5
    problem = problem_of(("5 cells/uL", {}), unit="10^9/L", assay="flow")
    assert "states the unit 'cells/ul', but the unit is '10^9/L'" in problem.what
    assert problem.rule == "contradicted_unit"


def test_a_text_that_says_why_there_is_no_result_is_the_reason():
    rows = [("QNS", {}), ("not done", {}), ("NA", {}), ("", {}), ("-", {})]
    samples = study_of(*rows).samples
    assert samples["state"].unique().tolist() == ["missing"]
    assert samples["reason"].tolist() == [
        *("reported as QNS", "reported as not done", "", "", "")
    ]


def test_errors_name_the_rule_that_is_broken():
    rules = {
        "lots": "level_not_understood",
        "-4": "negative_level",
        "<-4": "limit_not_above_zero",
        "0": "zero_without_limit",
    }
    for level, rule in rules.items():
        assert problem_of((level, {})).rule == rule
    assert problem_of((3, {"time": 7}), (4, {"time": 7})).rule == (
        "two_levels_of_one_sample"
    )


def test_study_toml_says_what_the_texts_of_a_file_mean():
    said = {"haemolysed": "NA", "50 (BLQ)": "<50", "-99": "NA"}
    rows = [("haemolysed", {}), ("50 (BLQ)", {}), ("-99", {}), ("70", {})]
    frame = pd.DataFrame([{"time": i, "level": x} for i, (x, _) in enumerate(rows)])
    files = {"file": "levels.csv", "assay": "qpcr", "texts": said}
    with tempfile.TemporaryDirectory() as folder:
        frame.assign(patient="1").to_csv(f"{folder}/levels.csv", index=False)
        text = "\n".join(toml_lines({"study": SETTINGS["study"], "samples": [files]}))
        Path(folder, "study.toml").write_text(text)
        samples = read_study(folder).samples
    assert samples["state"].tolist() == ["missing", "below", "missing", "quantified"]
    assert samples["lloq"].tolist()[1] == 50
    assert samples["reported"].tolist() == ["haemolysed", "50 (BLQ)", "-99", "70"]
    assert samples["reason"][0] == "reported as haemolysed"


def test_a_wrong_time_makes_no_other_problem_of_its_sample():
    problems = [
        problem.what
        for problem in problems_of(("5", {"time": "x"}), ("6", {"time": "y"}))
    ]
    assert problems == ["'time' is not a number"] * 2


def test_a_date_is_told_as_one():
    problem = problem_of(("5", {"time": "2024-03-01"}))
    assert problem.what == "'time' is a date, not a number"
    assert "days from the infusion" in problem.todo


@pytest.mark.parametrize(("one", "other"), [("<50", "<20"), ("BLQ", "<50")])
def test_two_limits_of_one_sample_are_no_copy_of_each_other(one, other):
    problem = problem_of((one, {"time": 7}), (other, {"time": 7}))
    assert problem.rule == "two_levels_of_one_sample"
    assert problem.value == other
    twice = study_of((other, {"time": 7}), (other, {"time": 7})).samples
    assert twice["excluded"].tolist() == [False, True]
