import tomllib

import pytest

from cellpk import DataError, read_study
from cellpk.study.starting import start_study

LEVELS = "ID;DAY;DV;UNIT;ASSAY;LOQ\n1;7;300;cells/uL;flow_abs;1\n1;9;12;pg/mL;IL-6;2\n"
PEOPLE = "USUBJID,AGE\n1,50\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "levels.csv").write_text(LEVELS)
    (tmp_path / "people.csv").write_text(PEOPLE)
    return tmp_path


def begun(folder):
    return tomllib.loads(start_study(folder).read_text("utf-8"))


def test_columns_and_words_that_speak_for_themselves_are_mapped(folder):
    said = begun(folder)
    (samples,) = said["samples"]
    assert samples == {
        "file": "levels.csv",
        "separator": ";",
        "columns": {
            "patient": "ID",
            "time": "DAY",
            "level": "DV",
            "unit": "UNIT",
            "assay": "ASSAY",
            "lloq": "LOQ",
        },
        "assays": {"flow_abs": "?", "IL-6": "il6"},
    }
    assert said["patients"] == {"file": "people.csv", "columns": {"patient": "USUBJID"}}


def test_what_nobody_but_a_person_can_say_is_asked_for(folder):
    path = start_study(folder)
    with pytest.raises(DataError, match="infusion_day") as caught:
        read_study(path)
    assert "Say 0 or 1" in str(caught.value)
    said = path.read_text().replace("# infusion_day = 0", "infusion_day = 0")
    path.write_text(said)
    with pytest.raises(DataError, match="the assay is not known") as caught:
        read_study(path)
    path.write_text(said.replace('flow_abs = "?"', 'flow_abs = "flow"'))
    study = read_study(path)
    assert study.assays == ("flow", "il6")
    assert study.patients.columns.tolist() == ["patient", "AGE"]


def test_a_study_toml_is_never_changed(folder):
    (folder / "study.toml").write_text("mine")
    with pytest.raises(DataError, match="already"):
        start_study(folder)
    assert (folder / "study.toml").read_text() == "mine"


def test_a_file_that_cannot_be_read_is_told_and_keeps_nothing_up(folder):
    (folder / "broken.csv").write_text("a,b\n1\n")
    text = start_study(folder).read_text()
    assert "# not read: broken.csv: the row has 1 cells, the header 2" in text


@pytest.mark.parametrize("name", [".", "nowhere"])
def test_a_folder_without_files_is_a_data_error(tmp_path, name):
    with pytest.raises(DataError, match="no file that can be read"):
        start_study(tmp_path / name)


def test_one_table_of_patients_is_taken_and_samples_without_assay_are_asked(tmp_path):
    (tmp_path / "a.csv").write_text("ID,AGE\n1,5\n")
    (tmp_path / "b.csv").write_text("ID,SEX\n1,F\n")
    (tmp_path / "c.csv").write_text("ID,TIME,DV\n1,7,3\n")
    text = start_study(tmp_path).read_text()
    said = tomllib.loads(text)
    assert said["patients"]["file"] == "a.csv"
    assert said["samples"][0]["assay"] == "?"
    assert "# Of no table by its columns: b.csv (ID, SEX)" in text


def test_a_file_of_levels_is_none_of_patients(tmp_path):
    (tmp_path / "a.csv").write_text("ID,WHEN,DV\n1,7,3\n")
    (tmp_path / "b.csv").write_text("ID,SITE\n1,3\n1,4\n")
    assert "patients" not in begun(tmp_path)


def test_a_column_of_hours_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("ID,Time (hours),DV,ASSAY\n1,7,3,qpcr\n")
    (samples,) = begun(tmp_path)["samples"]
    assert samples["time_unit"] == "hour"


def test_a_table_takes_only_the_columns_that_it_has(tmp_path):
    (tmp_path / "a.csv").write_text("ID,TIME,DV,ASSAY,DOSE,DRUG\n1,7,3,qpcr,9,x\n")
    (samples,) = begun(tmp_path)["samples"]
    columns = {"patient": "ID", "time": "TIME", "level": "DV", "assay": "ASSAY"}
    assert samples["columns"] == columns


def test_a_file_of_doses_and_covariates_is_read_for_both(tmp_path):
    (tmp_path / "a.csv").write_text("ID,TIME,DV,ASSAY\n1,7,3,qpcr\n")
    (tmp_path / "b.csv").write_text("ID,AGE,DOSE,LOT\n1,54,1e8,L1\n")
    path = start_study(tmp_path)
    path.write_text(path.read_text().replace("# infusion_day", "infusion_day"))
    study = read_study(path)
    assert study.infusions[["dose", "lot"]].values.tolist() == [[1e8, "L1"]]
    assert study.patients["AGE"].tolist() == [54]


def test_a_covariate_gets_a_name_and_none_is_lost(tmp_path):
    (tmp_path / "a.csv").write_text("ID,TIME,DV,ASSAY\n1,7,3,qpcr\n")
    (tmp_path / "b.csv").write_text("ID,Sex,Weight (kg),Weight kg\n1,F,80,81\n")
    said = begun(tmp_path)["patients"]["columns"]
    names = {"Sex": "Sex", "Weight_kg": "Weight (kg)", "covariate_3": "Weight kg"}
    assert said == {"patient": "ID", **names}


def test_a_file_of_outcomes_is_none_of_samples(tmp_path):
    (tmp_path / "o.csv").write_text("patient,endpoint,value,time\n1,crs_grade,2,3\n")
    assert begun(tmp_path)["outcomes"] == [{"file": "o.csv"}]


@pytest.mark.parametrize(
    ("cells", "says"),
    [("1,5;<2,5", True), ("1,5;2.5", False), ("1,234;2", False), ("1,5;7", True)],
)
def test_a_decimal_comma_is_told_only_where_it_is_sure(tmp_path, cells, says):
    rows = "".join(f"1;{day};{cell}\n" for day, cell in enumerate(cells.split(";")))
    (tmp_path / "a.csv").write_text(f"ID;TIME;DV\n{rows}")
    assert ("decimal" in begun(tmp_path)["samples"][0]) == says
