import numpy as np
import pandas as pd
import pytest

from cellpk import DataError, Study, read_study

SAMPLES = pd.DataFrame(
    {"patient": ["1", "2"], "time": 7, "level": [3, 4], "assay": "qpcr"}
)


def problem_of(**frames):
    with pytest.raises(DataError) as caught:
        Study.from_frames(samples=SAMPLES, **frames)
    (problem,) = caught.value.problems
    return problem


def test_covariates_get_the_type_that_their_values_have():
    patients = pd.DataFrame(
        {
            "patient": ["1", "2"],
            "dose_level": ["1", "2"],
            "blasts": ["0.5", "NA"],
            "sex": ["F", ""],
            "site": ["007", "012"],
            "unknown": ["", ""],
        }
    )
    table = Study.from_frames(samples=SAMPLES, patients=patients).patients
    assert table["dose_level"].dtype == "int64"
    assert table["blasts"].dtype == "float64"
    assert np.isnan(table["blasts"][1])
    assert table["sex"].dtype == "str"
    assert table["sex"].isna().tolist() == [False, True]
    assert table["site"].tolist() == ["007", "012"]
    assert table["unknown"].isna().all()


def test_whoever_stands_in_any_table_is_a_patient_of_the_study():
    study = Study.from_frames(
        samples=SAMPLES,
        patients=pd.DataFrame({"patient": ["1", "3"], "age": [50, 60]}),
        infusions=pd.DataFrame({"patient": ["4"], "dose": [1e8]}),
    )
    assert study.patients["patient"].tolist() == ["1", "2", "3", "4"]
    assert study.counts["patients"] == 4
    assert study.infusions["time"].tolist() == [0]


def test_a_patient_listed_twice_is_refused():
    problem = problem_of(patients=pd.DataFrame({"patient": ["1", "2", "1"]}))
    assert problem.what == "the patient is listed twice"
    assert (problem.file, problem.row, problem.patient) == ("patients", 4, "1")


def test_a_covariate_needs_an_ascii_name():
    frame = pd.DataFrame({"patient": ["1", "2"], "Größe (cm)": [170, 180]})
    assert problem_of(patients=frame).column == "Größe (cm)"


@pytest.mark.parametrize(
    ("endpoint", "value", "spelt"),
    [
        ("best_response", "scr", "sCR"),
        ("best_response", "NE", "NE"),
        ("crs_grade", 2.0, "2"),
        ("crs_grade", "2.0", "2"),
        ("mrd", "Negative", "negative"),
        ("death", 1, "1"),
    ],
)
def test_outcomes_are_spelt_one_way(endpoint, value, spelt):
    frame = pd.DataFrame({"patient": ["1"], "endpoint": endpoint, "value": [value]})
    study = Study.from_frames(samples=SAMPLES, outcomes=frame)
    assert study.outcomes["value"].tolist() == [spelt]
    assert study.outcomes["time"].isna().all()


@pytest.mark.parametrize(
    ("endpoint", "value", "words"),
    [
        ("crs_grade", "severe", "Use one of 0, 1, 2, 3, 4, 5"),
        ("crs_grade", "7", "Use one of 0"),
        ("best_response", "good", "sCR, CR, VGPR"),
        ("best_respons", "CR", "Did you mean 'best_response'?"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(endpoint, value, words):
    frame = pd.DataFrame({"patient": ["1"], "endpoint": endpoint, "value": [value]})
    assert words in problem_of(outcomes=frame).todo


def test_blank_outcomes_are_not_assessed():
    rows = {"patient": ["1", "2"], "endpoint": "best_response", "value": ["CR", ""]}
    study = Study.from_frames(samples=SAMPLES, outcomes=pd.DataFrame(rows))
    assert study.outcomes["patient"].tolist() == ["1"]
    assert "missing for 1 of 2 patients: 2" in study.problems["what"][0]


def test_two_best_responses_of_one_patient_are_refused():
    rows = {"patient": ["1", "1"], "endpoint": "best_response", "value": ["CR", "PD"]}
    problem = problem_of(outcomes=pd.DataFrame(rows))
    assert (problem.patient, problem.value) == ("1", "CR, PD")


@pytest.mark.parametrize(
    ("table", "frame", "column"),
    [
        ("infusions", {"patient": ["1"], "dose": [0]}, "dose"),
        ("infusions", {"patient": ["1"], "time": [""]}, "time"),
        ("infusions", {"patient": [None]}, "patient"),
        ("comedication", {"patient": ["1"], "drug": [""]}, "drug"),
        ("comedication", {"patient": ["1"]}, "drug"),
        ("comedication", {"patient": ["1"], "drug": ["x"], "time": ["?"]}, "time"),
        ("outcomes", {"patient": ["1"], "endpoint": ["mrd"]}, "value"),
        ("patients", {"ID": ["1"]}, "patient"),
    ],
)
def test_impossible_cells_and_missing_columns_are_refused(table, frame, column):
    problem = problem_of(**{table: pd.DataFrame(frame)})
    assert (problem.file, problem.column) == (table, column)


def test_drugs_are_in_lower_case_and_their_times_may_be_unknown():
    frame = pd.DataFrame(
        {"patient": ["1", "2"], "drug": "Tocilizumab", "time": [3, ""]}
    )
    study = Study.from_frames(samples=SAMPLES, comedication=frame)
    assert study.comedication["drug"].unique().tolist() == ["tocilizumab"]
    assert "tocilizumab was given to 1 patient at a" in study.problems["what"][0]


PATIENT_FILES = """
[study]
id = "A"
infusion_day = 0
[[samples]]
file = "levels.csv"
[[data]]
format = "nonmem"
files = ["one.csv"]
time_unit = "day"
assay = "il6"
[[data]]
format = "nonmem"
files = ["other.csv"]
time_unit = "day"
assay = "crp"
"""


def two_files_of_patients(folder, other_age):
    (folder / "study.toml").write_text(PATIENT_FILES)
    (folder / "levels.csv").write_text("patient,time,level,assay\n1,7,3,flow\n")
    (folder / "one.csv").write_text("ID,TIME,DV,AGE\n1,7,3,50\n2,7,4,61\n")
    (folder / "other.csv").write_text(f"ID,TIME,DV,AGE,SEX\n1,7,3,{other_age},2\n")
    return read_study(folder)


def test_patients_of_several_files_have_one_row_each(tmp_path):
    patients = two_files_of_patients(tmp_path, 50).patients
    assert patients.columns.tolist() == ["patient", "AGE", "SEX"]
    assert patients.to_numpy(object)[0].tolist() == ["1", 50, 2]
    assert patients["patient"].tolist() == ["1", "2"]


def test_files_that_contradict_each_other_on_a_patient_are_a_data_error(tmp_path):
    with pytest.raises(DataError, match="different values of") as caught:
        two_files_of_patients(tmp_path, 51)
    (problem,) = caught.value.problems
    assert (problem.patient, problem.value) == ("1", "50, 51")


def test_covariates_have_the_decimal_sign_of_their_file(tmp_path):
    SAMPLES.to_csv(tmp_path / "s.csv", index=False)
    people = tmp_path / "p.csv"
    people.write_text("patient;kg;site;unit\n1;80,5;007;a,b\n2;60;012;1\n")
    (tmp_path / "study.toml").write_text(
        "[study]\nid = 'A'\ninfusion_day = 0\n[[samples]]\nfile = 's.csv'\n"
        "[patients]\nfile = 'p.csv'\nseparator = ';'\ndecimal = ','\n"
    )
    table = read_study(tmp_path).patients
    assert table["kg"].tolist() == [80.5, 60]
    assert table["site"].tolist() == ["007", "012"]
    assert table["unit"].tolist() == ["a,b", "1"]
    # With the comma for decimals, 1.500 is either 1500 or 1.5.
    people.write_text(people.read_text().replace("60", "1.500"))
    with pytest.raises(DataError, match="'kg' has a point") as caught:
        read_study(tmp_path)
    assert caught.value.problems[0].row == 3
