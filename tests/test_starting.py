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
