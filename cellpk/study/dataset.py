"""A table to be written: its values, and what each of its columns means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.grid import at_rows

MADE = "2000-01-01T00:00:00"
"""When a file says that it was made, where its kind has to say so.

It is always the same moment, so that the same data are the same bytes on every day.
When an analysis was run is told by its manifest.
"""


@dataclass(frozen=True)
class Variable:
    """One column of a data set, as the data dictionary tells it.

    Parameters
    ----------
    name : str
        Its name in the file.
    label : str
        What it is called, in at most 40 characters.
    meaning : str
        What more there is to say: unit, codes, where it comes from.

    Examples
    --------
    >>> Variable("TIME", "Time after first infusion", "day").name
    'TIME'
    """

    name: str
    label: str
    meaning: str = ""


@dataclass(frozen=True)
class Dataset:
    """One table to be written.

    Parameters
    ----------
    name : str
        The file's name without its ending, and the name inside files that hold one.
    label : str
        What it is called, in at most 40 characters.
    frame : DataFrame
        The values: columns of numbers (NaN where there is none) or of text ("").
    variables : sequence of Variable
        One per column, in the order of the columns.
    missing : str
        What stands in a text file where there is no number.

    Examples
    --------
    >>> frame = pd.DataFrame({"TIME": [7.0]})
    >>> Dataset("pc", "Levels", frame, [Variable("TIME", "Time", "day")]).name
    'pc'
    """

    name: str
    label: str
    frame: pd.DataFrame
    variables: Sequence[Variable]
    missing: str = ""

    def __post_init__(self) -> None:
        names = [variable.name for variable in self.variables]
        assert names == list(self.frame.columns), (names, list(self.frame.columns))

    @property
    def labels(self) -> dict[str, str]:
        """The label of each column."""
        return {variable.name: variable.label for variable in self.variables}

    def plain(self) -> pd.DataFrame:
        """Return the values as files hold them.

        Returns
        -------
        DataFrame
            Columns of int64, of float64 (NaN where there is none; no negative zero,
            which text and some files cannot tell from zero) or of text ("" where there
            is none).

        Examples
        --------
        >>> frame = pd.DataFrame({"A": ["x", None], "B": [-0.0, None]})
        >>> data = Dataset("a", "", frame, [Variable("A", ""), Variable("B", "")])
        >>> data.plain().values.tolist()
        [['x', 0.0], ['', nan]]
        """
        columns = {name: _plain(column) for name, column in self.frame.items()}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.frame)))

    def problems(self, file: str) -> list[Problem]:
        """Return what no kind of file can hold: infinite numbers, rows of nothing.

        A row without any value is left out where a text file is read, and the end of a
        SAS transport file where it is the last one.

        Parameters
        ----------
        file : str
            What the file would be called.

        Examples
        --------
        >>> frame = pd.DataFrame({"A": [1.0, np.inf, np.nan]})
        >>> data = Dataset("a", "", frame, [Variable("A", "")])
        >>> [(problem.row, problem.what) for problem in data.problems("a.csv")]
        [(3, 'a number is infinite'), (4, 'the row holds no value')]
        """
        frame = self.plain()
        problems: list[Problem] = []
        blank = np.arange(len(frame))
        for name, column in frame.items():
            values = column.to_numpy()
            if is_number(column):
                rows = np.flatnonzero(np.isinf(values))
                todo = "Leave it empty, or say what it stands for."
                problems += at_rows(
                    (rows + 2).tolist(),
                    "a number is infinite",
                    todo,
                    file=file,
                    column=str(name),
                )
            blank = blank[_is_blank(values[blank])]
        todo = "Leave the row out."
        what = "the row holds no value"
        return problems + at_rows((blank + 2).tolist(), what, todo, file=file)


def dictionary(datasets: Sequence[Dataset]) -> pd.DataFrame:
    """Return the data dictionary: one row per column of each data set.

    Parameters
    ----------
    datasets : sequence of Dataset
        What was written.

    Returns
    -------
    DataFrame
        dataset, variable, label, type ("number" or "text"), length (8 for numbers; of
        the longest text, in bytes of UTF-8) and meaning.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": ["01"]})
    >>> data = Dataset("pc", "Levels", frame, [Variable("ID", "Patient")])
    >>> dictionary([data]).values.tolist()
    [['pc', 'ID', 'Patient', 'text', 2, '']]
    """
    rows = [
        {
            "dataset": dataset.name,
            "variable": variable.name,
            "label": variable.label,
            **_type(column),
            "meaning": variable.meaning,
        }
        for dataset in datasets
        for variable, (_, column) in zip(
            dataset.variables, dataset.plain().items(), strict=True
        )
    ]
    columns = ["dataset", "variable", "label", "type", "length", "meaning"]
    return pd.DataFrame(rows, columns=columns)


def is_number(column: pd.Series) -> bool:
    """Tell whether a column of a data set holds numbers.

    Examples
    --------
    >>> is_number(pd.Series([1.5])), is_number(pd.Series(["a"]))
    (True, False)
    """
    return pd.api.types.is_numeric_dtype(column.dtype)


def _plain(column: pd.Series) -> pd.Series:
    column = column.reset_index(drop=True)
    if not is_number(column):
        return column.astype("str").fillna("")
    if pd.api.types.is_float_dtype(column.dtype) or column.isna().any():
        return column.astype("float64") + 0.0
    return column.astype("int64")


def _is_blank(cells: NDArray) -> NDArray[np.bool_]:
    """Tell which cells hold no number, or nothing but white space."""
    if cells.dtype == object:
        return np.array([not str(cell).strip() for cell in cells], dtype=bool)
    return np.isnan(cells)


def _type(column: pd.Series) -> dict[str, str | int]:
    if is_number(column):
        return {"type": "number", "length": 8}
    lengths = [len(cell.encode()) for cell in column.unique()]
    return {"type": "text", "length": max(lengths, default=0)}
