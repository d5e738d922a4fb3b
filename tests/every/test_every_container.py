"""Every kind of file that is written: what is read back is what was written."""

import string
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpk import DataError, Study, read_study, write_study
from cellpk.study import parsing
from cellpk.study.containers import containers, read_grid, write_dataset
from cellpk.study.dataset import Dataset, Variable
from cellpk.study.exchange import formats

WRITTEN = sorted(ending for ending, kind in containers().items() if kind.write)
LABELLED = {".xpt", ".parquet", ".pq", ".json", ".ndjson", ".dsjc"}

PILOT = Path(__file__).parents[2] / "../shared/data/sdtm_pilot"

NUMBERS = st.one_of(
    st.floats(allow_infinity=False),
    st.integers(-(2**53), 2**53).map(float),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 1e300, 0.1, 1 / 3, np.nan]),
)
ODD_TEXTS = [
    "",
    "NA",
    "1.50",
    "007",
    "<50",
    "张三",
    "😀é",
    '"a"',
    "a,b;c\td|e",
    "a\r\nb",
]
ODD_TEXTS += ["a\nb", "a\rb", " a  b ", "\u2028", "\x1c", "\ufeffa", "x" * 201, "a\0b"]
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12), st.sampled_from(ODD_TEXTS)
)
NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
PRINTED = st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"])
LABELS = st.text(PRINTED, max_size=10)


@st.composite
def datasets(draw):
    """A column that is never empty, and some of numbers and of text."""
    n = draw(st.integers(1, 6))
    frame = {"ID": [f"p{i}" for i in range(n)]}
    names = draw(
        st.lists(NAMES, max_size=4, unique_by=str.upper).filter(
            lambda names: "ID" not in map(str.upper, names)
        )
    )
    for name in names:
        kind = draw(st.sampled_from([NUMBERS, TEXTS]))
        frame[name] = draw(st.lists(kind, min_size=n, max_size=n))
        if kind is TEXTS:
            frame[name] = pd.Series(frame[name], dtype="str")
    labels = draw(st.lists(LABELS, min_size=len(frame), max_size=len(frame)))
    variables = [Variable(*pair) for pair in zip(frame, labels, strict=True)]
    return Dataset("pc", "Levels", pd.DataFrame(frame), variables)


def unfit(dataset):
    """What the standard of XPT files has no room for, said in other words."""
    for column in dataset.frame:
        for cell in dataset.frame[column].tolist():
            if isinstance(cell, str):
                if len(cell.encode()) > 200 or "\0" in cell:
                    yield cell
            elif cell and (abs(cell) < 2**-260 or abs(cell) >= 2**249):
                yield cell


@pytest.mark.parametrize("ending", WRITTEN)
@settings(max_examples=30, deadline=None)
@given(dataset=datasets())
def test_what_is_read_is_what_was_written(tmp_path_factory, ending, dataset):
    folder = tmp_path_factory.mktemp("files")
    if ending == ".xpt" and (cells := list(unfit(dataset))):
        with pytest.raises(DataError) as caught:
            write_dataset(dataset, folder, ending)
        # More than five in a column are told in one sentence.
        assert len(caught.value.problems) == len(cells) or len(dataset.frame) > 5
        return
    path = write_dataset(dataset, folder, ending)
    grid = read_grid(path.name, folder)
    # White space folds to one blank, and a negative zero is a zero.
    expected = parsing.as_text(dataset.plain())
    pd.testing.assert_frame_equal(grid.cells, expected)
    assert grid.source["rows"] == len(dataset.frame)
    for name, column in dataset.frame.items():
        if column.dtype == "float64":
            back = parsing.numbers(grid.cells[name])
            np.testing.assert_array_equal(back, column.to_numpy())
    if ending in LABELLED:
        labels = {name: label for name, label in dataset.labels.items() if label}
        assert grid.labels == labels
    else:
        assert grid.labels == {}


def test_the_same_data_are_the_same_bytes_on_every_day(tmp_path):
    frame = pd.DataFrame({"ID": ["1", "2"], "DV": [0.1, np.nan], "N": [1, 2]})
    variables = [Variable(name, name.lower()) for name in frame]
    data = Dataset("pc", "Levels", frame, variables)
    kinds = [(write_dataset(data, tmp_path, ending), ending) for ending in WRITTEN]
    one = {ending: path.read_bytes() for path, ending in kinds}
    time.sleep(1.1)  # SAS files say to the second when they were made
    for path, ending in kinds:
        path.unlink()
        assert write_dataset(data, tmp_path, ending).read_bytes() == one[ending]


@pytest.mark.parametrize("ending", WRITTEN)
def test_what_no_file_can_hold_is_told_at_once(tmp_path, ending):
    frame = pd.DataFrame({"A": ["x", " ", "\n"], "B": [np.inf, np.nan, -np.inf]})
    data = Dataset("a", "", frame, [Variable("A", ""), Variable("B", "")])
    with pytest.raises(DataError) as caught:
        write_dataset(data, tmp_path, ending)
    told = [(problem.row, problem.column) for problem in caught.value.problems]
    assert told == [(2, "B"), (4, "B"), (3, "")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", formats()["tidy"].endings)
def test_a_study_is_the_same_through_every_ending_of_its_format(tmp_path, ending):
    samples = pd.DataFrame(
        {
            "patient": ["1", "1", "2"],
            "time": [1 / 3, 7, 14],
            "level": ["<50", 0.1, "BLQ"],
            "assay": "qpcr",
            "visit": ["D0", 'D7 "a",\nb', "D14"],
        }
    )
    study = Study.from_frames(samples=samples)
    assert read_study(write_study(study, tmp_path, ending=ending)) == study


def test_a_kind_that_is_only_read_is_not_written(tmp_path):
    data = Dataset("a", "", pd.DataFrame({"A": [1]}), [Variable("A", "")])
    with pytest.raises(DataError, match=r"'.sas7bdat' files. Use one of: .csv, "):
        write_dataset(data, tmp_path, ".sas7bdat")


@pytest.mark.parametrize("ending", WRITTEN)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_file_that_was_damaged_is_an_error_or_a_table(tmp_path_factory, ending, data):
    folder = tmp_path_factory.mktemp("damaged")
    frame = pd.DataFrame({"ID": ["01", "张三", "x"], "DV": [0.1, np.nan, 3]})
    variables = [Variable(name, name) for name in frame]
    path = write_dataset(Dataset("pc", "Levels", frame, variables), folder, ending)
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(start + 99, len(content))))
    put = data.draw(st.binary(max_size=9))
    path.write_bytes(content[:start] + put + content[end:])
    try:
        grid = read_grid(path.name, folder)
    except DataError:
        return
    assert len(grid.rows) == len(grid.cells) == grid.source["rows"]


@pytest.mark.parametrize("ending", WRITTEN)
@pytest.mark.parametrize("name", ["pc", "dm", "supprs_onco_imwg"])
def test_the_data_of_a_pilot_study_are_the_same_in_every_kind(tmp_path, ending, name):
    if not PILOT.is_dir():
        pytest.skip("the pilot data stand beside the repository, not in it")
    cells = read_grid(f"{name}.csv", PILOT).cells
    numbers = {
        column: parsing.numbers(text)
        for column, text in cells.items()
        if column in {"PCSTRESN", "PCLLOQ", "AGE", "VISITNUM"}
    }
    frame = cells.assign(**numbers)
    variables = [Variable(column, f"About {column}") for column in frame]
    data = Dataset(name[:8], "Pilot", frame, variables)
    grid = read_grid(write_dataset(data, tmp_path, ending).name, tmp_path)
    pd.testing.assert_frame_equal(grid.cells, parsing.as_text(frame))
    for column, values in numbers.items():
        np.testing.assert_array_equal(parsing.numbers(grid.cells[column]), values)
