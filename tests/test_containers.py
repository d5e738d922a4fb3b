import pytest

from cellpk import DataError
from cellpk.study.containers import containers, read_grid
from cellpk.study.grid import LISTED, at_rows

KINDS = {
    ".csv": "text with separators",
    ".xpt": "SAS transport",
    ".sas7bdat": "SAS data set",
    ".json": "Dataset-JSON",
    ".ndjson": "Dataset-JSON in lines",
    ".dsjc": "compressed Dataset-JSON",
    ".parquet": "Parquet",
}


def problem_of(folder, name, data):
    (folder / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_grid(name, folder)
    (problem,) = caught.value.problems
    assert problem.file == name
    return problem


def test_the_kinds_of_files_are_found_by_themselves():
    assert {ending: containers()[ending].label for ending in KINDS} == KINDS
    assert containers()[".sas7bdat"].write is None


@pytest.mark.parametrize("ending", [".xlsx", ".XLSX", ".xls", ".xlsm", ".ods"])
def test_a_workbook_is_to_be_saved_as_csv(tmp_path, ending):
    problem = problem_of(tmp_path, f"a{ending}", b"PK\x03\x04")
    assert "CSV UTF-8" in problem.todo


def test_an_ending_that_nobody_knows_offers_the_nearest(tmp_path):
    assert problem_of(tmp_path, "a.cvs", b"x").todo == "Did you mean '.csv'?"
    assert "Use one of" in problem_of(tmp_path, "a", b"x").todo


@pytest.mark.parametrize(
    ("data", "said", "todo"),
    [
        (b"PK\x03\x04\x14\x00", "a workbook", "CSV UTF-8"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "an old workbook", "CSV UTF-8"),
        (b"\xef\xbb\xbf \r\n<!DOCTYPE html><p>", "a web page", "CSV UTF-8"),
        (b"<HTML>", "a web page", "CSV UTF-8"),
        (b'<?xml version="1.0"?>', "XML", "CSV UTF-8"),
        (b"{\\rtf1 ", "an RTF text", "CSV UTF-8"),
        (b"%PDF-1.7", "a PDF", "CSV UTF-8"),
        (b"\x1f\x8b\x08", "a packed file", "'.dsjc'"),
        (b"PAR1xxxxPAR1", "Parquet", "'.parquet'"),
        (b"HEADER RECORD*******LIBRARY", "a SAS transport file", "'.xpt'"),
        (b"\0" * 12 + b"\xc2\xea\x81\x60\xb3", "a SAS data set", "'.sas7bdat'"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".TXT", ".json"])
def test_a_file_under_a_wrong_name_says_what_it_is(tmp_path, ending, data, said, todo):
    problem = problem_of(tmp_path, f"a{ending}", data)
    assert problem.what.startswith(f"the file is {said}")
    assert todo in problem.todo


def test_an_ending_may_be_in_capitals(tmp_path):
    (tmp_path / "A.CSV").write_text("a\n1\n")
    assert read_grid("A.CSV", tmp_path).cells["a"].tolist() == ["1"]


def test_equal_faults_are_told_one_by_one_or_in_one_sentence():
    few = at_rows(range(2, 2 + LISTED), "odd", "Look.", file="f", values=["x" * 50])
    assert [problem.row for problem in few] == [2, 3, 4, 5, 6]
    assert few[0].value == "x" * 40 + "..."
    assert few[1].value == ""
    (many,) = at_rows(range(2, 3 + LISTED), "odd", "Look.", file="f")
    assert many.row == 2
    assert many.what == "odd (and in 5 more rows: 3, 4, 5, 6, 7, ...)"
    assert at_rows([], "odd", "Look.", file="f") == []
