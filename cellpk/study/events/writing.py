"""Event records as one data set: its columns, their meaning, and how they are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.columns import LABELS
from cellpk.study.dataset import Dataset, Variable, is_number
from cellpk.study.events.rows import escaped, kinds_of, rows_of
from cellpk.study.exchange import Export

if TYPE_CHECKING:
    from cellpk.study.study import Study

CARRIED = ("samples", "infusions", "patients")
"""The tables that event records carry."""

LONGEST = 20
"""Signs of a name: a label of $INPUT has at most 24, in the first NONMEM 7 20."""

RESERVED = frozenset(
    {
        *("ID", "L1", "L2", "DV", "MDV", "RAW_", "MRG_", "RPT_", "REPL_", "TIME"),
        *("DATE", "DAT1", "DAT2", "DAT3", "DROP", "SKIP", "EVID", "AMT", "RATE", "SS"),
        *("II", "ADDL", "CMT", "PCMT", "CALL", "CONT", "C", "OCC"),
        *("XVID1", "XVID2", "XVID3", "XVID4", "XVID5"),
    }
)
"""Labels that mean something to NM-TRAN (NONMEM help, $INPUT): no covariate has one."""


MANY = 50
"""Up to so many codes of a text are listed in the dictionary."""

TEXT = "text, in which %2C is a comma, and '.' is nothing"
"""What the dictionary says of texts; see ``escaped``."""


@dataclass(frozen=True)
class Column:
    """A column of numbers of a data set.

    Parameters
    ----------
    name, label, meaning : str
        As the data dictionary tells it.
    values : callable
        From the rows, as ``rows_of`` makes them, to the values.
    role : str
        Our name of what it holds, under which it is read again; "" where it is not.

    Examples
    --------
    >>> Column("ADM", "Kind of dose", "1", lambda rows: rows["kind"]).role
    ''
    """

    name: str
    label: str
    meaning: str
    values: Callable[[pd.DataFrame], pd.Series]
    role: str = ""


@dataclass(frozen=True)
class Dialect:
    """What is special to a format of event records.

    Parameters
    ----------
    name : str
        Of the format and of its file.
    kinds : str
        The column that tells the assay and specimen of a sample.
    place : Column
        Where a dose goes.
    flags : tuple of Column
        What tells on which side of the limits a sample lies.

    Examples
    --------
    >>> Dialect("x", "DVID", Column("CMT", "", "", lambda r: r["kind"]), ()).kinds
    'DVID'
    """

    name: str
    kinds: str
    place: Column
    flags: tuple[Column, ...]


class Table:
    """The columns of a data set while they are collected.

    Parameters
    ----------
    rows : DataFrame
        As ``rows_of`` makes them.

    Examples
    --------
    >>> table = Table(pd.DataFrame({"a": [1]}))
    >>> table.add(Column("A", "A number", "", lambda rows: rows["a"], "level"))
    >>> table.name("a"), table.roles
    ('A_2', {'level': 'A'})
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self.columns: dict[str, pd.Series] = {}
        self.variables: list[Variable] = []
        self.roles: dict[str, str] = {}
        self.taken = {*RESERVED, *_TEXTS.values()}

    def add(self, column: Column) -> None:
        """Add a column; one with a role is read again under it."""
        self.columns[column.name] = column.values(self.rows)
        variable = Variable(column.name, column.label[:40], column.meaning)
        self.variables.append(variable)
        if column.role:
            self.roles[column.role] = column.name

    def name(self, wanted: str) -> str:
        """Return a name that NM-TRAN takes and no other column has."""
        start = wanted.upper().lstrip("_")
        start = start if start[:1].isalpha() else f"X{start}"
        taken, tail, number = {*self.columns, *self.taken}, "", 1
        while f"{start[: LONGEST - len(tail)]}{tail}" in taken:
            number += 1
            tail = f"_{number}"
        return f"{start[: LONGEST - len(tail)]}{tail}"


def _flag(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows[name].astype("int64")


def _of(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows[name]


def _logarithm(rows: pd.DataFrame) -> pd.Series:
    known = rows["dv"].where(rows["dv"] > 0)
    return pd.Series(np.log(known.to_numpy()), index=rows.index)


_TIMES = (
    Column("ID", "Number of the patient", "PATIENT is the name", _of("number")),
    Column("TIME", "Time after first infusion", "day", _of("time"), "time"),
    Column(
        "NTIME",
        "Planned time after first infusion",
        "day",
        _of("nominal_time"),
        "nominal_time",
    ),
    Column(
        "DV",
        "Level, or the limit it lies beyond",
        "in UNIT; LLOQ where below or detected, ULOQ where above",
        _of("dv"),
        "level",
    ),
    Column("LNDV", "Natural logarithm of DV", "of DV in UNIT", _logarithm),
    Column(
        "AMT", "Dose", "in DOSEUNIT; not known where EVID is 2", _of("dose"), "dose"
    ),
    Column(
        "EVID",
        "Kind of event",
        "0 sample, 1 infusion, 2 neither, or an infusion of unknown dose (RECORD)",
        _of("evid"),
        "evid",
    ),
    Column(
        "MDV",
        "DV is not to be used",
        "1 no sample, no result, a limit that is not known, or excluded; else 0",
        _of("mdv"),
        "mdv",
    ),
)
_LIMITS = tuple(
    Column(name.upper(), LABELS[name][0], "in UNIT", _of(name), name)
    for name in ("lloq", "llod", "uloq")
)
_REST = (
    Column("EXCL", *LABELS["excluded"], _flag("excluded"), "excluded"),
    Column(
        "DETDV",
        "Level where detected below LLOQ",
        "in UNIT, if it is known",
        lambda rows: rows["level"].where(rows["state"] == "detected"),
        "detected",
    ),
    Column(
        "ASSUMED", *LABELS["limit_assumed"], _flag("limit_assumed"), "limit_assumed"
    ),
)
_TEXTS = {
    "patient": "PATIENT",
    "record": "RECORD",
    "visit": "VISIT",
    "assay": "ASSAY",
    "specimen": "SPECIMEN",
    "unit": "UNIT",
    "state": "STATE",
    "reported": "REPORTED",
    "reported_unit": "REPUNIT",
    "derived": "DERIVED",
    "reason": "REASON",
    "dose_unit": "DOSEUNIT",
    "lot": "LOT",
}
_ROW = ("Kind of row", "sample, infusion, or patient of whom there is neither")
_LABELS = {**LABELS, "record": _ROW, "dose_unit": ("Unit of the dose", "")}


def export(study: "Study", dialect: Dialect) -> Export:
    """Return a study as one data set of event records.

    Parameters
    ----------
    study : Study
        The study.
    dialect : Dialect
        What is special to the format.

    Returns
    -------
    Export
        The data set, numbers before texts; how it is read again; and what a person who
        runs it has to know.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": ["a"], "time": [7], "level": [3], "assay": ["qpcr"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> place = Column("CMT", "", "", lambda rows: rows["kind"])
    >>> export(study, Dialect("x", "DVID", place, ())).section["assays"]
    {'1': 'qpcr'}
    """
    table = Table(rows_of(study))
    kind = _kind(study, dialect.kinds)
    for column in (*_TIMES, dialect.place, kind, *dialect.flags, *_LIMITS, *_REST):
        table.add(column)
    covariates = _covariates(study, table)
    for role, name in _TEXTS.items():
        more = _LABELS[role][1].replace("empty", "nothing")
        meaning = f"{TEXT}; {more}" if more else TEXT
        said = "" if role == "assay" else role
        values = _given(escaped(table.rows[role]))
        table.add(Column(name, _LABELS[role][0], meaning, values, said))
    for column in covariates.texts:
        table.add(column)
    section = {
        "time_unit": "day",
        "assays": {str(i): assay for i, (assay, _) in enumerate(kinds_of(study), 1)},
        "columns": table.roles,
        "covariates": covariates.read,
        "escaped": True,
    }
    frame = pd.DataFrame(table.columns)
    label = "Samples, infusions and covariates"
    data = Dataset(dialect.name, label, frame, table.variables, missing=".")
    return Export((data,), section, CARRIED, tuple(_remarks(table.rows)))


def numbers_of(data: Dataset) -> list[str]:
    """Return the columns of numbers, which are those that a run can read.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": [1], "LOT": ["a"]})
    >>> numbers_of(Dataset("a", "", frame, [Variable("ID", ""), Variable("LOT", "")]))
    ['ID']
    """
    return [str(name) for name, column in data.frame.items() if is_number(column)]


def _kind(study: "Study", name: str) -> Column:
    units = study.settings.known_assays
    codes = [
        f"{i} {assay}{f' in {specimen}' if specimen else ''} ({units[assay].unit})"
        for i, (assay, specimen) in enumerate(kinds_of(study), 1)
    ]
    meaning = f"{'; '.join(codes)}; 0 no sample"
    return Column(name, "Assay and specimen", meaning, _of("kind"), "assay")


def _given(values: pd.Series) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda _: values


@dataclass(frozen=True)
class _Covariates:
    """Where covariates are read from, and their columns of text."""

    read: dict[str, str]
    texts: Sequence[Column]


def _covariates(study: "Study", table: Table) -> _Covariates:
    """Add the covariates as numbers: texts are coded, and stand at the end as well."""
    patients = study.patients.set_index("patient")
    read: dict[str, str] = {}
    texts: list[Column] = []
    for covariate in map(str, patients.columns):
        column = patients[covariate]
        values = table.rows["patient"].map(column)
        words = covariate.replace("_", " ")
        read[covariate] = name = table.name(covariate)
        meaning, number = study.settings.units.get(covariate, ""), values
        if not is_number(column):
            codes = {
                word: i for i, word in enumerate(sorted(column.dropna().unique()), 1)
            }
            some = [f"{code} {word}" for word, code in codes.items()][:MANY]
            more = ["... in alphabetical order"] if len(codes) > MANY else []
            meaning = "; ".join([*some, *more])
            number = values.map(codes).astype("float64")
        table.add(Column(name, words, meaning, _given(number)))
        if not is_number(column):
            read[covariate] = text = table.name(f"{name[: LONGEST - 2]}_T")
            table.taken.add(text)
            meaning = f"{TEXT}; {name} is its code"
            texts.append(Column(text, words, meaning, _given(escaped(values))))
    return _Covariates(read, texts)


def _remarks(rows: pd.DataFrame) -> list[str]:
    """Say how many rows a run cannot use as they are, and why."""
    sample = (rows["record"] == "sample") & ~rows["excluded"]
    unlimited = sample & rows["dv"].isna()
    low = unlimited & rows["state"].isin(["below", "detected"])
    counts = {
        "samples below a limit that is not known have MDV=1, so that a run leaves them "
        "out; state lloq, or assumed_lloq and why, under [limits.ASSAY]": low,
        "samples above a limit that is not known have MDV=1; state uloq under "
        "[limits.ASSAY]": unlimited & (rows["state"] == "above"),
        "infusions of unknown dose have EVID=2": (rows["record"] == "infusion")
        & rows["dose"].isna(),
        "excluded samples have MDV=1 and EXCL=1": rows["excluded"],
        "patients of whom there is neither a sample nor an infusion have one row with "
        "EVID=2": rows["record"] == "patient",
    }
    told = ["in texts %2C stands for a comma, and the like; '.' is nothing"]
    for what, here in counts.items():
        n = int(here.sum())
        if n:
            told.append(f"{what} ({n} {'row' if n == 1 else 'rows'})")
    return [f"Note: {words}." for words in told]
