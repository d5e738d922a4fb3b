"""What NONMEM and Monolix data sets share: rows, times, assays, doses, covariates."""

import pandas as pd
import pytest
from event_files import doubts_of, fates, problems_of, study_of

from cellpk import Study, read_study
from cellpk.study.events.rows import rows_of
from cellpk.study.starting import start_study

QPCR = 'time_unit = "day"\nassay = "qpcr"'
both_formats = pytest.mark.parametrize("name", ["nonmem", "monolix"])


@both_formats
def test_without_evid_a_row_with_an_amount_is_a_dose(tmp_path, name):
    text = "ID,TIME,DV,AMT\n1,0,.,1e8\n1,7,310,.\n1,9,300,0\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.samples["time"].tolist() == [7, 9]
    assert study.infusions["dose"].tolist() == [1e8]
    text = "ID,TIME,DV,AMT,EVID\n1,0,.,1e8,.\n1,7,310,.,.\n1,9,300,.,0\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.infusions["dose"].tolist() == [1e8]
    assert "(2 rows: 2, 3)" in doubts_of(study, "EVID is blank")[0]["what"]


@both_formats
def test_other_events_and_resets_are_set_aside_with_their_reason(tmp_path, name):
    text = (
        "ID,TIME,DV,AMT,EVID\n1,0,.,1e8,1\n1,7,310,.,0\n1,8,.,.,2\n1,9,.,.,3\n"
        "1,90,.,2e8,4\n1,95,9,.,0\n"
    )
    study = study_of(tmp_path, text, QPCR, name=name)
    assert fates(study) == {
        ("used", "samples", ""): 2,
        ("used", "infusions", ""): 2,
        ("set aside", "", "EVID=2: neither a sample nor a dose"): 1,
        ("set aside", "", "EVID=3: a reset"): 1,
    }
    assert study.infusions["time"].tolist() == [0, 90]
    assert doubts_of(study, "EVID=4, a reset and a dose")[0]["row"] == 6
    assert doubts_of(study, "EVID=3, a reset")[0]["row"] == 5


@both_formats
def test_a_time_that_starts_again_at_a_reset_is_impossible(tmp_path, name):
    text = "ID,TIME,DV,AMT,EVID\n1,0,.,1e8,1\n1,90,310,.,0\n1,0,.,1e8,4\n1,7,9,.,0\n"
    (problem,) = problems_of(tmp_path, text, QPCR, name=name)
    assert (problem.row, problem.column) == (4, "TIME")
    assert "another time 0" in problem.what


@both_formats
@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        ("ADDL", "2", "further doses"),
        ("SS", "1", "doses without a beginning"),
        ("EVID", "5", "the EVID is not known"),
        ("MDV", "3", "the MDV is not known"),
        ("AMT", "plenty", "'dose' is not a number"),
    ],
)
def test_what_no_car_t_product_has_is_refused(tmp_path, name, header, value, words):
    text = f"ID,TIME,DV,{header}\n1,7,3,.\n1,0,.,{value}\n"
    if header in {"ADDL", "SS"}:
        text = f"ID,TIME,DV,AMT,{header}\n1,0,.,9,{value}\n1,7,3,.,.\n"
    problems = problems_of(tmp_path, text, QPCR, name=name)
    (problem,) = [p for p in problems if words in p.what]
    assert (problem.column, problem.value) == (header, value)


@both_formats
def test_how_long_an_infusion_takes_is_not_read_and_that_is_noted(tmp_path, name):
    text = "ID,TIME,DV,AMT,RATE\n1,0,.,1e8,1e9\n1,7,3,.,.\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    (note,) = doubts_of(study, "RATE is not read")
    assert note["severity"] == "note"
    assert "RATE" not in study.patients


@both_formats
def test_an_infusion_of_unknown_dose_is_one(tmp_path, name):
    text = "ID,TIME,DV,AMT,EVID\n1,0,.,0,1\n1,0.1,.,.,1\n1,7,3,5,0\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.infusions["dose"].isna().tolist() == [True, True]
    assert doubts_of(study, "the dose of an infusion is not known")
    assert doubts_of(study, "a row with EVID=0 has an amount")[0]["row"] == 4


@both_formats
def test_clock_times_are_refused_and_dates_are_a_doubt(tmp_path, name):
    text = "ID,DATE,TIME,DV\n1,1/2/2024,8:30,3\n1,2/2/2024,9:00,4\n"
    (problem,) = problems_of(tmp_path, text, QPCR, name=name)
    assert problem.what.startswith("the times are clock times and dates, not elapsed")
    assert (problem.row, problem.value) == (2, "8:30")
    text = "ID,DATE,TIME,DV\n1,1/2/2024,7,3\n1,2/2/2024,8,4\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.samples["time"].tolist() == [7, 8]
    assert doubts_of(study, "a date stands beside TIME")
    assert list(study.patients) == ["patient"]


@both_formats
def test_the_unit_of_times_must_be_said(tmp_path, name):
    text = "ID,TIME,DV\n1,168,3\n"
    (problem,) = problems_of(tmp_path, text, 'assay = "qpcr"', name=name)
    assert problem.column == "data.1.time_unit"
    said = 'assay = "qpcr"\ntime_unit = "hour"'
    study = study_of(tmp_path, text, said, name=name)
    assert study.samples["time"].tolist() == [7]


@both_formats
def test_times_count_from_the_first_dose_only_where_that_is_said(tmp_path, name):
    text = (
        "ID,TIME,NTIME,DV,AMT\n"
        "1,24,0,.,9\n1,192,7,3,.\n1,240,.,.,9\n2,5,.,.,9\n2,53,2,4,.\n"
    )
    said = 'assay = "qpcr"\ntime_unit = "hour"'
    study = study_of(tmp_path, text, said, name=name)
    assert study.samples["time"].round(6).tolist() == [8, round(53 / 24, 6)]
    assert len(doubts_of(study, "the first infusion is not at time 0")) == 2
    study = study_of(tmp_path, text, f'{said}\ntime_zero = "first_dose"', name=name)
    assert study.samples["time"].tolist() == [7, 2]
    assert study.infusions["time"].tolist() == [0, 9, 0]
    assert study.samples["nominal_time"].round(9).tolist() == [0.291666667, 0.083333333]
    text += "3,7,1,4,.\n3,8,1,4,.\n"
    problems = problems_of(
        tmp_path, text, f'{said}\ntime_zero = "first_dose"', name=name
    )
    assert [(p.patient, p.row) for p in problems] == [("3", 7)]


@both_formats
@pytest.mark.parametrize(
    ("sign", "left"), [("C", ["2", "#3", "@4", "5"]), ("@", ["2", "#3", "5"])]
)
def test_rows_that_ignore_leaves_out_are_set_aside(tmp_path, name, sign, left):
    text = "ID,TIME,DV\nC1,1,3\n2,1,3\n#3,1,3\n@4,1,3\n5,1,3\n"
    study = study_of(tmp_path, text, f'{QPCR}\nignore = "{sign}"', name=name)
    assert sorted(study.samples["patient"]) == sorted(left)
    reason = f"begins with {sign}, as IGNORE={sign} leaves out"
    assert fates(study)["set aside", "", reason] == 5 - len(left)


@both_formats
def test_marked_rows_are_a_doubt_until_the_sign_is_said(tmp_path, name):
    text = "C,ID,TIME,DV\n.,1,1,3\nC,1,2,400\n.,1,3,5\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert len(study.samples) == 3
    assert doubts_of(study, "rows have a mark in 'C'")[0]["row"] == 3
    study = study_of(tmp_path, text, f'{QPCR}\nignore = "C"', name=name)
    assert study.samples["level"].tolist() == [3, 5]
    (problem,) = problems_of(tmp_path, text, f'{QPCR}\nignore = "CC"', name=name)
    assert problem.value == "CC"


@both_formats
def test_names_of_columns_are_found_without_their_case_and_can_be_mapped(
    tmp_path, name
):
    text = "subj\ttime\tDv\tamt\n1\t0\t.\t9\n1\t7\t3\t.\n"
    said = f'{QPCR}\nseparator = "\\t"\ncolumns = {{ patient = "SUBJ" }}'
    study = study_of(tmp_path, text, said, name=name)
    assert study.samples[["patient", "time", "level"]].to_numpy().tolist() == [
        ["1", 7, 3]
    ]
    (problem,) = problems_of(tmp_path, "ID,TIME,CONC\n1,7,3\n", QPCR, name=name)
    assert problem.column == "DV"
    said = f'{QPCR}\ncolumns = {{ lvel = "DV" }}'
    (problem,) = problems_of(tmp_path, "ID,TIME,DV\n1,7,3\n", said, name=name)
    assert "Did you mean 'level'?" in problem.what
    said = f'{QPCR}\ncolumns = {{ lloq = "DV", level = "DV" }}'
    (problem,) = problems_of(tmp_path, "ID,TIME,DV\n1,7,3\n", said, name=name)
    assert "two of our columns" in problem.what


KINDS = "ID,TIME,DV,DVID\n1,7,310,1.0\n1,7,12,2\n1,8,13,2\n"


@both_formats
def test_codes_tell_assay_unit_and_specimen(tmp_path, name):
    said = (
        'time_unit = "day"\nassays = { 1 = "qpcr", 2 = "flow" }\n'
        'unit = { 2 = "10^9/L" }\nspecimen = { 1 = "blood", 2 = "csf" }'
    )
    study = study_of(tmp_path, KINDS, said, name=name)
    assert study.select("flow")["level"].tolist() == [12e3, 13e3]
    assert study.select("qpcr")["specimen"].tolist() == ["blood"]
    assert study.select("flow")["specimen"].unique().tolist() == ["csf"]
    study = study_of(tmp_path, KINDS.replace("DVID", "CMT"), said, name=name)
    assert study.assays == ("qpcr", "flow")


@both_formats
@pytest.mark.parametrize("column", ["DVID", "CMT"])
def test_samples_of_several_kinds_are_never_pooled(tmp_path, name, column):
    text = KINDS.replace("DVID", column)
    (problem,) = problems_of(tmp_path, text, QPCR, name=name)
    assert (problem.column, problem.value) == (column, "qpcr")
    assert "tells 2 kinds of samples" in problem.what
    assert 'assays = { 1 = "...", 2 = "..." }' in problem.todo
    said = 'time_unit = "day"\nassays = { 1 = "qpcr" }'
    problems = problems_of(tmp_path, text, said, name=name)
    assert {p.value for p in problems} == {"2"}
    text = "ID,TIME,DV\n1,7,310\n"
    problems = problems_of(tmp_path, text, 'time_unit = "day"', name=name)
    assert "study.toml does not say which assay" in problems[0].what


@both_formats
def test_what_is_constant_within_patients_is_a_covariate(tmp_path, name):
    text = (
        "ID,TIME,DV,WT,SEX,EGFR,BODY MASS,TAD\n"
        "1,7,3,70,M,90,22,7\n1,8,4,70.0,M,85,22,8\n2,7,5,.,F,60,23,7\n2,8,5,64,F,60,.,8\n"
    )
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.patients.to_dict("list") == {
        "patient": ["1", "2"],
        "WT": [70, 64],
        "SEX": ["M", "F"],
    }
    (doubt,) = doubts_of(study, "EGFR changes within a patient (1): it is not read")
    assert "EGFR = 'EGFR'" in doubt["todo"]
    assert doubts_of(study, "'BODY MASS' is not read")
    said = f'{QPCR}\n[data.covariates]\negfr = "eGFR"\nbmi = "BODY MASS"'
    study = study_of(tmp_path, text, said, name=name)
    assert study.patients.to_dict("list") == {
        "patient": ["1", "2"],
        "egfr": [90, 60],
        "bmi": [22, 23],
    }
    assert doubts_of(study, "egfr changes within a patient (1): the first value is")


@both_formats
def test_covariates_that_are_not_there_or_stand_twice_are_told(tmp_path, name):
    text = "ID,TIME,DV,WT\n1,7,3,70\n"
    said = f'{QPCR}\ncovariates = {{ weight = "WGT" }}'
    (problem,) = problems_of(tmp_path, text, said, name=name)
    assert (problem.column, problem.todo) == ("WGT", "Did you mean 'WT'?")
    (tmp_path / "people.csv").write_text("patient,weight\n1,71\n")
    more = '[patients]\nfile = "people.csv"'
    study = study_of(tmp_path, text, QPCR, name=name, more=more)
    assert study.patients["weight"].tolist() == [71]
    assert doubts_of(study, "WT: not read, since covariates stand in [patients]")
    said = f'{QPCR}\ncovariates = {{ weight = "WT" }}'
    (problem,) = problems_of(tmp_path, text, said, name=name, more=more)
    assert problem.value == "weight"


@both_formats
def test_a_patient_without_samples_or_doses_is_one(tmp_path, name):
    text = "ID,TIME,DV,EVID,AGE\n1,7,3,0,61\n2,0,.,2,48\n2,9,.,2,48\n1,8,.,2,61\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.patients["patient"].tolist() == ["1", "2"]
    assert study.patients["AGE"].tolist() == [61, 48]
    assert fates(study) == {
        ("used", "samples", ""): 1,
        ("used", "patients", ""): 1,
        ("set aside", "", "EVID=2: neither a sample nor a dose"): 2,
    }


@both_formats
def test_rows_that_a_run_would_take_otherwise_are_doubts(tmp_path, name):
    text = "ID,TIME,DV\n1,7,3\n1,2,4\n2,1,3\n1,9,5\n2,3,5\n"
    study = study_of(tmp_path, text, QPCR, name=name)
    assert study.samples["time"].tolist() == [2, 7, 9, 1, 3]
    (doubt,) = doubts_of(study, "the time goes back within a patient")
    assert (doubt["row"], doubt["patient"]) == (3, "1")
    (doubt,) = doubts_of(study, "rows of a patient stand in two places")
    assert "(2 rows: 5, 6)" in doubt["what"]


@both_formats
def test_two_files_of_one_section_share_their_patients(tmp_path, name):
    (tmp_path / "more.csv").write_text("ID,TIME,DV,DVID,AGE\n1,7,9,2,\n2,7,8,2,50\n")
    text = "ID,TIME,DV,DVID,AGE,SEX\n1,7,3,1,61,F\n"
    said = 'time_unit = "day"\nassays = { 1 = "qpcr", 2 = "flow" }'
    study_of(tmp_path, text, said, name=name)
    path = tmp_path / "study.toml"
    said = path.read_text().replace('["data.csv"]', '["data.csv", "more.csv"]')
    path.write_text(said)
    study = read_study(path)
    assert study.patients["AGE"].tolist() == [61, 50]
    assert study.patients["SEX"].fillna("").tolist() == ["F", ""]
    assert len(study.samples) == 3


def test_files_are_recognised_and_what_is_open_is_asked_for(tmp_path):
    (tmp_path / "poppk.csv").write_text("ID,TIME,DV,EVID,DVID\n1,0,.,1,0\n1,7,3,0,2\n")
    (tmp_path / "mlx.csv").write_text("ID,TIME,Y,CENS\n1,7,50,1\n")
    text = start_study(tmp_path).read_text("utf-8")
    assert 'format = "nonmem"\nfiles = ["poppk.csv"]\ntime_unit = "?"' in text
    assert 'format = "monolix"\nfiles = ["mlx.csv"]\ntime_unit = "?"' in text
    assert '2 = "?"' in text
    assert '0 = "?"' not in text


def test_a_sample_at_the_time_of_the_infusion_stands_before_it():
    samples = pd.DataFrame({"patient": ["1", "1"], "time": [0.0, 7.0], "level": [0, 3]})
    infusions = pd.DataFrame({"patient": ["1"], "time": [0.0], "dose": [1e8]})
    study = Study.from_frames(
        samples=samples.assign(assay="flow", lloq=1.0), infusions=infusions
    )
    assert rows_of(study)["record"].tolist() == ["sample", "infusion", "sample"]
