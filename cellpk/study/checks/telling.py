"""How a rule tells what it found: with its place where it is one, else in sum."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from cellpk.errors import Problem, Severity

NAMED = 10
"""Up to so many patients are named in a sentence."""

MOST = 100
"""Up to so many findings of a rule are told one by one."""

Sample = dict[Hashable, Any]


def told(
    rows: pd.DataFrame, what: str, todo: str, *, severity: Severity = "warning"
) -> Problem:
    """Tell of some samples: with its place if it is one, else where all of them are.

    Examples
    --------
    >>> row = {"file": "s.csv", "row": 7, "patient": "01", "reported": "3"}
    >>> told(pd.DataFrame([row]), "odd", "Look.").where
    "s.csv, row 7, patient 01, column level, value '3'"
    """
    one = rows.iloc[:1].to_dict("records")[0]
    if len(rows) == 1:
        return replace(of_one(one, what, todo), severity=severity)
    file = one["file"] if (rows["file"] == one["file"]).all() else ""
    patient = one["patient"] if (rows["patient"] == one["patient"]).all() else ""
    return Problem(what, todo, severity, file=file, patient=patient, column="level")


def of_one(sample: Sample, what: str, todo: str, *, column: str = "level") -> Problem:
    """Tell of one sample, with its place.

    Examples
    --------
    >>> row = {"file": "s.csv", "row": 7, "patient": "01", "reported": "3"}
    >>> of_one(row, "odd", "Look.").row
    7
    """
    return Problem(
        what,
        todo,
        "warning",
        file=sample["file"],
        row=int(sample["row"]),
        patient=sample["patient"],
        column=column,
        value=sample["reported"] if column == "level" else f"{sample[column]:.10g}",
    )


def each(
    rows: pd.DataFrame,
    what: Callable[[Sample], str],
    todo: str,
    *,
    column: str = "level",
) -> Iterator[Problem]:
    """Tell of samples one by one; of very many, the first ones and their number.

    Parameters
    ----------
    rows : DataFrame
        Samples, and any columns that ``what`` asks for.
    what : callable
        What is said of one of them.
    todo : str
        What to do about it.
    column : str
        Which column is doubtful.

    Examples
    --------
    >>> row = {"file": "s.csv", "row": 7, "patient": "01", "reported": "3"}
    >>> rows = pd.DataFrame([row] * 102)
    >>> found = list(each(rows, lambda sample: "odd", "Look."))
    >>> len(found), found[-1].what
    (101, 'odd (so are 2 more samples)')
    """
    samples = rows.head(MOST).to_dict("records")
    for sample in samples:
        yield of_one(sample, what(sample), todo, column=column)
    if len(rows) > MOST:
        more = f" (so are {len(rows) - MOST} more samples)"
        yield Problem(what(samples[-1]) + more, todo, "warning", column=column)


def by_assay(samples: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """Yield each assay's samples and the words '3 samples of flow' and 'are'.

    Examples
    --------
    >>> [some for _, _, some, _ in by_assay(pd.DataFrame({"assay": ["flow"]}))]
    ['1 sample of flow']
    """
    for name, rows in samples.groupby("assay", sort=False):
        word, verb = ("sample", "is") if len(rows) == 1 else ("samples", "are")
        yield str(name), rows, f"{len(rows)} {word} of {name}", verb


def patients(n: int) -> str:
    """Return '1 patient' or '2 patients'.

    Examples
    --------
    >>> patients(1), patients(2)
    ('1 patient', '2 patients')
    """
    return "1 patient" if n == 1 else f"{n} patients"


def names(several: pd.Series) -> str:
    """Name some patients, each once.

    Examples
    --------
    >>> names(pd.Series(["01", "02", "01"]))
    '01, 02'
    """
    listed = list(dict.fromkeys(several))
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more
