import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from cellpk import DataError
from cellpk.study.containers import read_grid, write_dataset
from cellpk.study.dataset import Dataset, Variable


def read(folder, **columns):
    parquet.write_table(pa.table(columns), folder / "a.parquet")
    return read_grid("a.parquet", folder)


NOON = dt.datetime(2014, 1, 2, 12)


@pytest.mark.parametrize(
    ("values", "kind", "cells"),
    [
        ([2**60 + 1, None], pa.int64(), ["1152921504606846977", ""]),
        ([2**64 - 1, None], pa.uint64(), ["18446744073709551615", ""]),
        ([0.1, None], pa.float64(), ["0.1", ""]),
        ([7.0, None], pa.float64(), ["7", ""]),
        ([0.5, None], pa.float32(), ["0.5", ""]),
        ([Decimal("1.50"), None], pa.decimal128(9, 2), ["1.50", ""]),
        ([True, None], pa.bool_(), ["True", ""]),
        (["x", None], pa.string(), ["x", ""]),
        (["x", None], pa.large_string(), ["x", ""]),
        ([dt.date(2014, 1, 2), None], pa.date32(), ["2014-01-02", ""]),
        ([dt.date(2014, 1, 2), None], pa.date64(), ["2014-01-02", ""]),
        ([dt.time(8, 30), None], pa.time64("us"), ["08:30:00", ""]),
        ([NOON, None], pa.timestamp("us"), ["2014-01-02T12:00:00", ""]),
        ([NOON, None], pa.timestamp("s"), ["2014-01-02T12:00:00", ""]),
        ([NOON, None], pa.timestamp("ns"), ["2014-01-02T12:00:00", ""]),
        (
            [NOON, None],
            pa.timestamp("ms", tz="Asia/Shanghai"),
            ["2014-01-02T20:00:00+08:00", ""],
        ),
        ([None, None], pa.null(), ["", ""]),
    ],
)
def test_every_type_comes_as_the_text_of_its_value(tmp_path, values, kind, cells):
    array = pa.array(values, kind)
    assert read(tmp_path, a=array).cells["a"].tolist() == cells
    if not pa.types.is_null(kind) and getattr(kind, "tz", None) is None:
        packed = array.dictionary_encode()
        assert read(tmp_path, a=packed).cells["a"].tolist() == cells


def test_moments_keep_the_part_of_a_second(tmp_path):
    moments = pa.array([NOON + dt.timedelta(milliseconds=1)], pa.timestamp("ms"))
    cells = read(tmp_path, a=moments).cells["a"]
    assert cells.tolist() == ["2014-01-02T12:00:00.001000"]


def test_columns_that_are_no_cells_are_told_all_at_once(tmp_path):
    with pytest.raises(DataError) as caught:
        read(
            tmp_path,
            levels=pa.array([[1], [2]]),
            fine=pa.array([1, 2]),
            parts=pa.array([{"a": 1}, None]),
            raw=pa.array([b"a", b"\xff"]),
            fixed=pa.array([b"ab", b"cd"], pa.binary(2)),
            span=pa.array([1, 2], pa.duration("s")),
        )
    columns = [problem.column for problem in caught.value.problems]
    assert columns == ["levels", "parts", "raw", "fixed", "span"]
    assert "list<element: int64>" in caught.value.problems[0].what


def test_names_that_are_there_twice_are_told(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="two columns have the same name"):
        read_grid("a.parquet", tmp_path)


@pytest.mark.parametrize(
    "data", [b"PAR1", b"PAR1" + b"x" * 50 + b"PAR1", b"a,b\n1,2\n"]
)
def test_what_is_no_parquet_file_is_told(tmp_path, data):
    (tmp_path / "a.pq").write_bytes(data)
    with pytest.raises(DataError, match="is not a Parquet file"):
        read_grid("a.pq", tmp_path)


def test_a_written_file_is_a_plain_one_with_labels(tmp_path):
    frame = pd.DataFrame({"ID": ["a", None], "DV": [0.1, np.nan], "N": [1, 2]})
    variables = [Variable("ID", "Patient"), Variable("DV", ""), Variable("N", "É")]
    path = write_dataset(Dataset("a", "Levels", frame, variables), tmp_path, ".parquet")
    schema = parquet.read_schema(path)
    assert schema.types == [pa.string(), pa.float64(), pa.int64()]
    assert schema.metadata == {b"label": b"Levels"}
    assert pd.read_parquet(path)["DV"].tolist()[0] == 0.1
    grid = read_grid("a.parquet", tmp_path)
    assert grid.labels == {"ID": "Patient", "N": "É"}
    assert grid.cells.to_numpy().tolist() == [["a", "0.1", "1"], ["", "", "2"]]


def test_a_file_without_rows_is_a_grid_without_rows(tmp_path):
    grid = read(tmp_path, a=pa.array([], pa.int64()), d=pa.array([], pa.date32()))
    assert grid.cells.shape == (0, 2)
