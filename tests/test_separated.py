import hashlib

import pytest

from cellpk import DataError
from cellpk.study.containers import read_grid


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2,3\n", "row has 3 cells, the header 2"),
        (b'a,b\n"1,2\n', "not CSV"),
        (b"a,b\n\xff,2\n", "not utf-8 text"),
    ],
)
def test_a_file_that_is_no_table_is_a_data_error(tmp_path, content, word):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=word):
        read_grid("a.csv", tmp_path)


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        read_grid(name, tmp_path)


def test_an_encoding_that_nobody_knows_is_a_data_error(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="'utf-9' is not known"):
        read_grid("a.csv", tmp_path, encoding="utf-9")


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("patient;level\r\n1;2.5\r\n", {"separator": ";"}),
        ("\ufeffpatient,level\n\n1,2.5\n", {}),
        ("patient\tlevel\n1\t2.5", {"separator": "\t"}),
        ('"patient", level \n1,"2.5"\n\n', {}),
    ],
)
def test_csv_files_are_read_as_they_were_saved(tmp_path, content, how):
    data = content.encode()
    (tmp_path / "a.csv").write_bytes(data)
    grid = read_grid("a.csv", tmp_path, **how)
    assert grid.cells.values.tolist() == [["1", "2.5"]]
    assert grid.source == {
        "file": "a.csv",
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": 1,
        "columns": ["patient", "level"],
    }


def test_chinese_files_are_read_in_their_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("姓名,level\n张,2\n".encode("gb18030"))
    grid = read_grid("a.csv", tmp_path, encoding="gb18030")
    assert grid.cells["姓名"].tolist() == ["张"]


def test_rows_know_their_lines_beyond_empty_lines_and_line_breaks(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,2\n\n"x\ny",3\n,\n4,5\n')
    grid = read_grid("a.csv", tmp_path)
    assert grid.rows.tolist() == [2, 5, 7]
    assert grid.cells["a"].tolist() == ["1", "x y", "4"]


@pytest.mark.parametrize("mark", ["", '"'])
def test_text_is_read_the_same_with_and_without_quotation_marks(tmp_path, mark):
    text = f"{mark}a{mark},b\r\n  x  y ,\r\n , \r\n\r\n\u00a0é\t1,NA\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode())
    grid = read_grid("a.csv", tmp_path)
    assert grid.cells.values.tolist() == [["x y", ""], ["é 1", "NA"]]
    assert grid.rows.tolist() == [2, 5]


def test_every_row_of_another_length_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1\n2,3\n\n4,5,6\n")
    with pytest.raises(DataError) as caught:
        read_grid("a.csv", tmp_path)
    assert [problem.row for problem in caught.value.problems] == [2, 5]
