"""A table to be written: its values, and what each of its columns means."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


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

    def __post_init__(self) -> None:
        names = [variable.name for variable in self.variables]
        assert names == list(self.frame.columns), (names, list(self.frame.columns))

    @property
    def labels(self) -> dict[str, str]:
        """The label of each column."""
        return {variable.name: variable.label for variable in self.variables}


def dictionary(datasets: Sequence[Dataset]) -> pd.DataFrame:
    """Return the data dictionary: one row per column of each data set.

    Parameters
    ----------
    datasets : sequence of Dataset
        What was written.

    Returns
    -------
    DataFrame
        dataset, variable, label, type ("number" or "text"), length (of the longest
        text, in bytes of UTF-8) and meaning.

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
            **_type(dataset.frame[variable.name]),
            "meaning": variable.meaning,
        }
        for dataset in datasets
        for variable in dataset.variables
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


def _type(column: pd.Series) -> dict[str, str | int]:
    if is_number(column):
        return {"type": "number", "length": 8}
    lengths = [len(str(cell).encode()) for cell in column.unique()]
    return {"type": "text", "length": max(lengths, default=0)}
