import csv
import hashlib
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellpk import DataError
from cellpk.study.containers import read_grid, write_dataset
from cellpk.study.dataset import Dataset, Variable


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
    assert grid.cells.to_numpy().tolist() == [["1", "2.5"]]
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
    # A row of several lines stands where it begins.
    assert grid.rows.tolist() == [2, 4, 7]
    assert grid.cells["a"].tolist() == ["1", "x y", "4"]


@pytest.mark.parametrize("mark", ["", '"'])
def test_text_is_read_the_same_with_and_without_quotation_marks(tmp_path, mark):
    text = f"{mark}a{mark},b\r\n  x  y ,\r\n , \r\n\r\n\u00a0é\t1,NA\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode())
    grid = read_grid("a.csv", tmp_path)
    assert grid.cells.to_numpy().tolist() == [["x y", ""], ["é 1", "NA"]]
    assert grid.rows.tolist() == [2, 5]


def test_every_row_of_another_length_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1\n2,3\n\n4,5,6\n")
    with pytest.raises(DataError) as caught:
        read_grid("a.csv", tmp_path)
    assert [problem.row for problem in caught.value.problems] == [2, 5]


def by_the_csv_module(text, sign):
    """The rows of a text that say something, with their lines; None if it is odd."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    rows, begins = [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((begins, [" ".join(cell.split()) for cell in row]))
            begins = reader.line_num + 1
    except csv.Error:
        return None
    if len(rows) < 2 or len({len(row) for _, row in rows}) > 1:
        return None
    return rows


SIGNS = [
    *",;\t|\r\n\0\v\f\x1c\x85\u2028\u3000\xa0\"' abé€.",
    "\r\n",
    "\n",
    "\n",
    ",",
    ",",
]


@st.composite
def tables(draw):
    """Text that is a table more often than not, and its separator."""
    sign = draw(st.sampled_from(",;\t"))
    cell = st.lists(st.sampled_from(SIGNS[:-6]), max_size=2).map("".join)
    n = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(cell, min_size=n, max_size=n), max_size=5))
    ends = st.sampled_from(["\n", "\r\n", "\n\n"])
    return "".join(sign.join(row) + draw(ends) for row in rows), sign


ANY_TEXT = st.lists(st.sampled_from(SIGNS), max_size=24).map("".join)


@settings(max_examples=500, deadline=None)
@given(st.one_of(tables(), st.tuples(ANY_TEXT, st.sampled_from(",;\t"))))
@example(("a,b\n\xa0,\u3000\n1,2\n", ","))
@example(("a,b,\n1,2,\n", ","))
@example(("a\r1\r\r2", ","))
@example(("a\n\n1\n \n2\n", ";"))
@example(("a,b\n\x1c,\x85\n\u2028x,2", ","))
def test_both_ways_of_reading_agree_with_the_csv_module(tmp_path_factory, table):
    text, sign = table
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(text.encode())
    rows = by_the_csv_module(text, sign)
    try:
        grid = read_grid("a.csv", path.parent, separator=sign)
    except DataError as error:
        told = {problem.what for problem in error.problems}
        twice = "two columns have the same name" in told
        nul = "\0" in text.partition("\n")[0]
        assert rows is None or twice or nul
        return
    (_, names), *rows = rows
    assert grid.rows.tolist() == [line for line, _ in rows]
    cells = pd.DataFrame([row for _, row in rows], dtype="str")
    named = [i for i, name in enumerate(names) if name or (cells[i] != "").any()]
    assert grid.source["columns"] == [header(text, sign, names[i], i) for i in named]
    for i in named:
        # Of several columns without a name, the last one is kept.
        if names[i] or i == max(k for k in named if not names[k]):
            name = grid.source["columns"][named.index(i)]
            assert grid.cells[name].tolist() == cells[i].tolist()


def header(text, sign, name, i):
    """A name keeps the white space within it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    first = next(row for row in reader if any(cell.strip() for cell in row))
    assert " ".join(first[i].split()) == name
    return first[i].strip()


def test_cells_of_any_length_are_read_and_an_open_quotation_mark_is_told(tmp_path):
    long = "x" * 200_000
    (tmp_path / "a.csv").write_text(f"a,b\n1,{'z' * 100_000}\n")
    assert read_grid("a.csv", tmp_path).cells["b"].str.len().tolist() == [100_000]
    wide = ",".join("x" * 99 + str(i) for i in range(2000))
    (tmp_path / "a.csv").write_text(f"{wide}\n{wide}\n")
    assert read_grid("a.csv", tmp_path).cells.shape == (1, 2000)
    for text in (f"a,b\n1,{long}\n", f'a,b\n1,"2\n{long}\n'):
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(DataError, match="quotation mark that is not closed"):
            read_grid("a.csv", tmp_path)


def test_many_rows_of_another_length_are_told_in_one_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2,\n" * 5000 + "1\n")
    with pytest.raises(DataError) as caught:
        read_grid("a.csv", tmp_path)
    many, one = caught.value.problems
    assert (many.row, one.row) == (2, 5002)
    assert "3 cells, the header 2 (and in 4999 more rows: 3, 4, 5, 6, 7" in many.what


def test_columns_without_name_or_text_are_left_out_as_workbooks_add_them(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,,\n1,2,,\n3,4, ,\n")
    grid = read_grid("a.csv", tmp_path)
    assert list(grid.cells) == grid.source["columns"] == ["a", "b"]
    # The names of rows that R adds are no column that anybody can ask for.
    (tmp_path / "a.csv").write_text('"","a"\n"1",5\n"2",6\n')
    assert read_grid("a.csv", tmp_path).cells["a"].tolist() == ["5", "6"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_says_what_to_do(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("a,b\n1,é\n".encode(encoding))
    with pytest.raises(DataError, match="encoding = 'utf-16"):
        read_grid("a.csv", tmp_path)
    assert read_grid("a.csv", tmp_path, encoding=encoding).cells["b"].tolist() == ["é"]


def test_decimal_commas_stand_in_cells_between_semicolons(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1,5;<0,5\n")
    grid = read_grid("a.csv", tmp_path, separator=";")
    assert grid.cells.to_numpy().tolist() == [["1,5", "<0,5"]]


def test_the_ending_tsv_says_that_tabs_separate(tmp_path):
    (tmp_path / "a.tsv").write_text("a\tb\n1,5\t2\n")
    assert read_grid("a.tsv", tmp_path).cells.to_numpy().tolist() == [["1,5", "2"]]
    (tmp_path / "a.tsv").write_text("a;b\n1;2\n")
    grid = read_grid("a.tsv", tmp_path, separator=";")
    assert grid.cells.to_numpy().tolist() == [["1", "2"]]


def test_what_is_missing_can_be_a_point(tmp_path):
    frame = pd.DataFrame({"ID": ["", "x"], "DV": [np.nan, 2.0]})
    variables = [Variable("ID", ""), Variable("DV", "")]
    data = Dataset("a", "", frame, variables, missing=".")
    frame.loc[0, "ID"] = "y"
    path = write_dataset(data, tmp_path)
    assert path.read_text() == "ID,DV\ny,.\nx,2\n"
