"""Files of event records, as NONMEM and Monolix read them: samples, doses, covariates.

NONMEM's rules are those of its Users Guide, part VI (chapter V, event records) and the
help pages on $DATA, $INPUT, EVID and "DV and MDV"; Monolix's those of its data set
guide (columns, censoring, the use of "."). The two formats differ in how they say that
a sample is beyond a limit; everything else they share, and it stands here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem, Severity
from cellpk.study import parsing
from cellpk.study.delivery import Delivery
from cellpk.study.events.section import EventFiles
from cellpk.study.file_sections import TableFile
from cellpk.study.grid import Grid
from cellpk.study.sheet import LISTED, Mask, Sheet

EVIDS = {0: "observation", 1: "dose", 2: "other", 3: "reset", 4: "reset and dose"}
"""What the codes of EVID mean (NONMEM help, EVID data item; Monolix, EVENT ID)."""

DOSE_ITEMS = ("dose", "rate", "addl", "ii", "ss")
"""The items of which one that is not 0 makes a dose of a row without EVID."""


@dataclass
class Records:
    """One file of event records, with its columns found by what they hold.

    Parameters
    ----------
    grid : Grid
        The rows that are read; those that a run ignores are set aside before.
    section : EventFiles
        What study.toml says of the file.
    delivery : Delivery
        Where problems and doubts are collected.
    headers : mapping
        By our name of what a column holds, what the file calls it.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": [1, 1], "TIME": [0, 7], "DV": [".", 3]})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> records.text("level").tolist(), records.number("level").tolist()
    (['', '3'], [nan, 3.0])
    >>> "mdv" in records, records.flag("mdv").tolist()
    (False, [False, False])
    >>> rows = records.number("level") > 0
    >>> records.lines(rows), records.lines(~rows | rows)
    ('row 3', '2 rows: 2, 3')
    >>> records.doubt(rows, "high", "Look.", role="level")
    >>> print(records.delivery.doubts[0])
    a, row 3, patient 1, column DV, value '3':
      high (row 3). Look.
    """

    grid: Grid
    section: EventFiles
    delivery: Delivery
    headers: Mapping[str, str]
    sheet: Sheet = field(init=False)

    def __post_init__(self) -> None:
        said = TableFile.model_construct(file=self.grid.file, columns=self.headers)
        self.sheet = Sheet(
            self.grid.cells, said, self.grid.rows, self.delivery.problems
        )

    def __contains__(self, role: str) -> bool:
        return role in self.headers

    def __len__(self) -> int:
        return len(self.grid.rows)

    def text(self, role: str) -> pd.Series:
        """Return a column as text, "" where it is blank, "." or absent."""
        if role not in self:
            return pd.Series([""] * len(self), dtype="str")
        return self.cells(self.headers[role])

    def cells(self, header: str) -> pd.Series:
        """Return the column of a name as text, "" where it is blank or "."."""
        cells = self.grid.cells[header]
        text = cells.mask(cells == ".", "")
        if self.section.escaped and bool(text.str.contains("%", regex=False).any()):
            text = text.map(unquote).astype("str")
        return text

    def number(self, role: str) -> NDArray[np.float64]:
        """Return a column as numbers, NaN where it is blank, "." or absent."""
        if role not in self:
            return np.full(len(self), np.nan)
        return self.sheet.number(role)

    def flag(self, role: str) -> Mask:
        """Return a column of 1 and 0; blank and absent are no."""
        if role not in self:
            return np.zeros(len(self), dtype=bool)
        return self.sheet.flag(role)

    def complain(self, wrong: Mask, what: str, todo: str, *, role: str) -> None:
        """Add a problem for each wrong row."""
        self.sheet.complain(wrong, what, todo, column=role)

    def doubt(
        self,
        rows: Mask,
        what: str,
        todo: str,
        *,
        role: str,
        severity: Severity = "warning",
    ) -> None:
        """Add one doubt that names the rows that it is about."""
        where = np.flatnonzero(rows)
        if where.size:
            first, one = where[0], where.size == 1
            told = Problem(
                f"{what} ({self.lines(rows)})",
                todo,
                severity,
                file=self.grid.file,
                row=int(self.grid.rows[first]),
                patient=self.text("patient").iloc[first] if one else "",
                column=self.headers.get(role, role),
                value=self.text(role).iloc[first] if one else "",
            )
            self.delivery.doubts.append(told)

    def lines(self, rows: Mask) -> str:
        """Return the lines of rows: "row 7", "12 rows: 7, 8, 9, 10, 11 ..."."""
        lines = self.grid.rows[rows]
        if len(lines) == 1:
            return f"row {lines[0]}"
        more = " ..." if len(lines) > LISTED else ""
        return f"{len(lines)} rows: {', '.join(map(str, lines[:LISTED]))}{more}"


@dataclass(frozen=True)
class Levels:
    """What the samples of a file are, as texts by our names of columns.

    Parameters
    ----------
    columns : mapping of Series
        level, state, lloq, llod, uloq, reported, reported_unit, excluded and reason,
        one text per row of the file; those that the file does not have are left out.

    Examples
    --------
    >>> Levels({"level": pd.Series(["3"])}).columns["level"].tolist()
    ['3']
    """

    columns: Mapping[str, pd.Series]


@dataclass(frozen=True)
class Events:
    """Which rows are samples, infusions, or neither; a row of Monolix can be both.

    Examples
    --------
    >>> Events(np.array([0.0, 1, 2]), both=np.zeros(3, dtype=bool)).samples.tolist()
    [True, False, False]
    """

    evid: NDArray[np.float64]
    both: Mask

    @property
    def samples(self) -> Mask:
        """Rows that are samples."""
        return (self.evid == 0) | self.both

    @property
    def infusions(self) -> Mask:
        """Rows that are infusions."""
        return np.isin(self.evid, [1, 4])

    @property
    def others(self) -> Mask:
        """Rows that are neither."""
        return ~self.samples & ~self.infusions


Censoring = Callable[[Records, Events], Levels]
"""Tells the levels of a file's samples and on which side of the limits they lie."""


def opened(grid: Grid, section: EventFiles, delivery: Delivery) -> Records | None:
    """Find the columns of a file and set aside the rows that a run ignores.

    Parameters
    ----------
    grid : Grid
        The file.
    section : EventFiles
        What study.toml says of it.
    delivery : Delivery
        Where problems and rows that are set aside are noted.

    Returns
    -------
    Records or None
        None where a column is missing without which nothing can be read.

    Examples
    --------
    >>> frame = pd.DataFrame({"C": ["C", ""], "ID": [1, 2], "TIME": 0, "DV": 3})
    >>> said = {"format": "", "files": ("a",), "time_unit": "day", "ignore": "C"}
    >>> delivery = Delivery()
    >>> records = opened(Grid.of_frame(frame, file="a"), EventFiles(**said), delivery)
    >>> records.text("patient").tolist(), delivery.aside[0].reason
    (['2'], 'begins with C, as IGNORE=C leaves out')
    """
    grid = _without_ignored(grid, section, delivery)
    there = [str(name) for name in grid.cells.columns]
    headers = section.headers(there)
    grid = _with_whole_ids(grid, headers.get("patient", ""))
    records = Records(grid, section, delivery, headers)
    wanted = [
        section.columns.get(role, section.names[role][0])
        for role in ("patient", "time", "level")
        if role not in headers
    ]
    wanted += [name for role, name in section.columns.items() if role not in headers]
    if not records.sheet.has_headers(wanted):
        return None
    ignored = records.flag("ignored_line")
    if ignored.any():
        sign = headers["ignored_line"]
        delivery.put_aside(grid, ignored, f"{sign}=1: a line that Monolix ignores")
        grid = _rows_of(grid, ~ignored)
        records = Records(grid, section, delivery, headers)
    _marked(records)
    return records


def _rows_of(grid: Grid, rows: Mask) -> Grid:
    cells = grid.cells.loc[rows].reset_index(drop=True)
    return replace(grid, cells=cells, rows=grid.rows[rows])


def _without_ignored(grid: Grid, section: EventFiles, delivery: Delivery) -> Grid:
    """Set aside the rows whose first sign is the one of IGNORE= of $DATA.

    "@" stands for any letter or "@" (NONMEM help, $DATA); "#" is NONMEM's default.
    """
    sign = section.ignore
    if not sign or grid.cells.empty:
        return grid
    first = grid.cells.iloc[:, 0]
    ignored = first.str.match(r"[A-Za-z@]") if sign == "@" else first.str[:1] == sign
    rows = ignored.to_numpy(bool)
    delivery.put_aside(grid, rows, f"begins with {sign}, as IGNORE={sign} leaves out")
    return _rows_of(grid, ~rows)


def _with_whole_ids(grid: Grid, header: str) -> Grid:
    """Write an ID such as 1.0000E+00, as NONMEM's tables have it, as a whole number.

    Only in a column that is called ID: a run takes it as a number.
    """
    if header.casefold() != "id":
        return grid
    text = grid.cells[header]
    number = parsing.numbers(text)
    odd = np.isfinite(number) & text.str.contains("[.eE]").to_numpy(bool)
    odd &= (np.abs(number) < 2**53) & (number % 1 == 0)
    if not odd.any():
        return grid
    ids = text.to_numpy(dtype=object, copy=True)
    ids[odd] = [str(int(value)) for value in number[odd]]
    return replace(grid, cells=grid.cells.assign(**{header: ids}).astype("str"))


def _marked(records: Records) -> None:
    """Doubt rows with a mark for which nothing is said."""
    marked = (records.text("mark") != "").to_numpy(bool)
    name = records.headers.get("mark", "")
    what = f"rows have a mark in {name!r} and are read like all others"
    todo = "Say ignore = with their sign if the run leaves them out (IGNORE= of $DATA)."
    records.doubt(marked, what, todo, role="mark")


def events_of(records: Records, *, both: bool) -> Events:
    """Tell what the rows are, by EVID or, without it, by the dose items.

    NM-TRAN supplies an EVID that the data do not have: a row of which a dose item is
    not 0 is a dose, any other an observation (NONMEM help, EVID data item).

    Parameters
    ----------
    records : Records
        The file.
    both : bool
        Whether a row without EVID that has a dose and a level that is to be used is a
        sample too, as Monolix has it since 2018.

    Examples
    --------
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [0, 7], "DV": [".", 3], "AMT": [9, "."]})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> events_of(records, both=False).evid.tolist()
    [1.0, 0.0]
    """
    items = [np.nan_to_num(records.number(role)) != 0 for role in DOSE_ITEMS]
    dosed = np.any(items, axis=0)
    said = records.number("evid")
    blank = np.isnan(said)
    wrong = ~blank & ~np.isin(said, list(EVIDS))
    codes = ", ".join(f"{code} ({word})" for code, word in EVIDS.items())
    todo = f"Use one of {codes}."
    records.complain(wrong, "the EVID is not known", todo, role="evid")
    if "evid" in records:
        todo = "Fill it in, if that is not right."
        what = (
            "EVID is blank: a row with an amount is read as a dose, others as samples"
        )
        empty = (records.text("evid") == "").to_numpy(bool)
        records.doubt(empty, what, todo, role="evid")
    evid = np.where(blank, dosed, said).astype(np.float64)
    # An infusion whose dose nobody knows is no dose to NONMEM, but it is one to us.
    unknown = (evid == 2) & (records.text("record") == "infusion").to_numpy(bool)
    evid = np.where(unknown, 1.0, evid)
    levels = (records.text("level") != "").to_numpy(bool)
    levels = levels & ~np.isin(records.number("mdv"), [1, 101])
    return Events(evid, both=blank & (evid == 1) & levels & both)
