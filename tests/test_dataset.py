import numpy as np
import pandas as pd
import pytest

from cellpk.study.dataset import Dataset, Variable, dictionary


def dataset(frame, **more):
    variables = [Variable(name, f"About {name}", "ng") for name in frame]
    return Dataset("pc", "Levels", pd.DataFrame(frame), variables, **more)


def test_plain_values_are_numbers_or_text():
    frame = pd.DataFrame(
        {
            "float": [-0.0, np.nan],
            "gaps": pd.array([1, None], dtype="Int64"),
            "whole": pd.array([1, 2], dtype="Int32"),
            "flag": [True, False],
            "text": ["x", None],
            "kind": pd.Categorical(["a", None]),
            "mixed": pd.array([1, "<5"], dtype=object),
        },
        index=[7, 9],
    )
    plain = dataset(frame).plain()
    types = ["float64", "float64", "int64", "int64", "str", "str", "str"]
    assert list(map(str, plain.dtypes)) == types
    assert plain.index.tolist() == [0, 1]
    assert not np.signbit(plain["float"][0])
    assert plain["flag"].tolist() == [1, 0]
    assert plain["text"].tolist() == ["x", ""]
    assert plain["kind"].tolist() == ["a", ""]
    assert plain["mixed"].tolist() == ["1", "<5"]


def test_the_dictionary_has_a_row_for_every_column():
    frame = {"ID": ["é", None, "abc"], "DV": [0.1, 2, 3], "EMPTY": ["", "", ""]}
    one, two = dataset(frame), dataset({"ID": ["x"]})
    table = dictionary([one, two])
    assert table.to_numpy().tolist() == [
        ["pc", "ID", "About ID", "text", 3, "ng"],
        ["pc", "DV", "About DV", "number", 8, "ng"],
        ["pc", "EMPTY", "About EMPTY", "text", 0, "ng"],
        ["pc", "ID", "About ID", "text", 1, "ng"],
    ]
    assert dictionary([]).columns.tolist() == table.columns.tolist()


def test_rows_of_nothing_and_infinite_numbers_are_told():
    frame = {"ID": ["x", "\u3000", "", ""], "DV": [np.inf, np.nan, 1, np.nan]}
    told = [(p.row, p.column, p.what) for p in dataset(frame).problems("pc.csv")]
    assert told == [
        (2, "DV", "a number is infinite"),
        (3, "", "the row holds no value"),
        (5, "", "the row holds no value"),
    ]


def test_every_column_has_its_variable():
    frame = pd.DataFrame({"A": [1], "B": [2]})
    with pytest.raises(AssertionError):
        Dataset("a", "", frame, [Variable("B", ""), Variable("A", "")])
