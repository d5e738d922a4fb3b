"""One delivered table as text, and the places of what is wrong in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.file_sections import TableFile
from cellpk.study.grid import Grid
from cellpk.study.units import DAYS

Mask = NDArray[np.bool_]
DIGITS = 9
"""Times are kept to so many digits of a day, a tenth of a millisecond."""

CENTURY = 36525
"""Days that no time is away from the infusion; a workbook's date of today is."""

LISTED = 5
"""Up to so many equal problems are listed one by one; more are told in one sentence."""

_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?!\d)"
    r"|\d{1,2}[- ]?[A-Za-z]{3}[- ]?\d{2,4}(?!\d)"
)
_NO_DATE = "Give a time as the days from the infusion to that date, not as the date."


@dataclass
class Sheet:
    """A table as it was delivered: every cell a text, every row with its line.

    Reading a column never fails: what is impossible is added to ``problems``, and
    NaN or "" stands in its place.

    Parameters
    ----------
    cells : DataFrame of str
        The cells, under the names that the file gives its columns.
    section : TableFile
        What study.toml says of the file.
    rows : ndarray of int
        The line of the file in which each row stands.
    problems : list of Problem
        Where impossible things are collected, for all tables of the study.
    infusion_day : {0, 1}
        What the study's files call the day of infusion.
    aside : list
        Rows that say nothing for the table (a mask), and why.

    Examples
    --------
    >>> sheet = Sheet.of_frame(pd.DataFrame({"time": [0, "x"]}), TableFile(file="a"))
    >>> sheet.days("time").tolist(), sheet.problems[0].row
    ([0.0, nan], 3)
    """

    cells: pd.DataFrame
    section: TableFile
    rows: NDArray[np.int64]
    problems: list[Problem] = field(default_factory=list)
    infusion_day: int = 0
    aside: list[tuple[Mask, str]] = field(default_factory=list)

    @classmethod
    def of_frame(
        cls,
        frame: pd.DataFrame,
        section: TableFile,
        rows: NDArray[np.int64] | None = None,
    ) -> "Sheet":
        """Make a sheet of a frame; without lines, its first row is called row 2.

        Examples
        --------
        >>> Sheet.of_frame(pd.DataFrame({"a": [1]}), TableFile(file="f")).rows.tolist()
        [2]
        """
        grid = Grid.of_frame(frame, file=section.file, rows=rows)
        return cls(grid.cells, section, grid.rows, grid.problems())

    def header(self, name: str) -> str:
        """Return what the file calls our column ``name``.

        Examples
        --------
        >>> section = TableFile(file="f").model_copy(update={"columns": {"time": "T"}})
        >>> Sheet.of_frame(pd.DataFrame({"T": [1]}), section).header("time")
        'T'
        """
        return self.section.columns.get(name, name)

    def __contains__(self, name: str) -> bool:
        return self.header(name) in self.cells.columns

    def has(self, *names: str) -> bool:
        """Tell whether all columns are there; those that are not are problems.

        Besides the named ones, every column that study.toml maps must be there.

        Examples
        --------
        >>> Sheet.of_frame(pd.DataFrame({"a": [1]}), TableFile(file="f")).has("a")
        True
        """
        wanted = [self.header(name) for name in names]
        wanted += self.section.columns.values()
        return self.has_headers(wanted)

    def has_headers(self, headers: Sequence[str]) -> bool:
        """Tell whether the file has all columns, by its own names for them.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"a": [1]}), TableFile(file="f"))
        >>> sheet.has_headers(["A"]), sheet.problems[0].todo
        (False, "Use one of: 'a'. Map it under 'columns' in study.toml.")
        """
        there = [str(name) for name in self.cells.columns]
        absent = [name for name in dict.fromkeys(headers) if name not in there]
        for name in absent:
            what = f"there is no column {name!r}"
            todo = _no_names(there)
            todo = (
                todo or f"{nearest(name, there)} Map it under 'columns' in study.toml."
            )
            self.problems.append(
                Problem(what, todo, file=self.section.file, column=name)
            )
        return not absent

    def text(self, name: str, default: str = "") -> pd.Series:
        """Return a column as text, ``default`` where it is blank or absent.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"a": ["x", ""]}), TableFile(file="f"))
        >>> sheet.text("a", "blood").tolist()
        ['x', 'blood']
        """
        if name not in self:
            return pd.Series([default] * len(self.cells), dtype="str")
        cells = self.cells[self.header(name)]
        return cells.where(cells != "", default)

    def number(
        self, name: str, *, required: bool = False, positive: bool = False
    ) -> NDArray[np.float64]:
        """Return a column as finite numbers, NaN where it is blank or absent.

        Examples
        --------
        >>> frame = pd.DataFrame({"lloq": [50, 0, "-"]})
        >>> sheet = Sheet.of_frame(frame, TableFile(file="f"))
        >>> sheet.number("lloq", positive=True).tolist()
        [50.0, nan, nan]
        >>> [problem.what for problem in sheet.problems]
        ["'lloq' is not a number", "'lloq' is not above 0"]
        """
        text = self.text(name)
        values = parsing.numbers(text, decimal=self.section.decimal)
        blank = parsing.is_blank(text)
        wrong = np.isnan(values) & ~blank
        dates = wrong & text.str.match(_DATE).to_numpy(bool)
        self.complain(dates, f"{name!r} is a date, not a number", _NO_DATE, column=name)
        what, wrong = f"{name!r} is not a number", wrong & ~dates
        self.complain(wrong, what, self.number_todo, column=name)
        if required:
            todo = "Give it, or take the row out of the file."
            self.complain(blank, f"{name!r} is missing", todo, column=name)
        if positive:
            wrong = values <= 0
            todo = "Correct it, or leave the cell empty where it is not known."
            self.complain(wrong, f"{name!r} is not above 0", todo, column=name)
            values = np.where(wrong, np.nan, values)
        return values

    @property
    def number_todo(self) -> str:
        """What to do about a cell that is not a number."""
        sign = self.section.decimal
        return f"Write a plain number with {sign!r} as the decimal sign ('decimal')."

    def days(self, name: str, *, required: bool = False) -> NDArray[np.float64]:
        """Return a column of times as days after the first infusion (time 0).

        With ``infusion_day = 1``, times in days count the infusion day as 1 and have
        no day 0: 1 becomes 0 and -1 stays -1. Times in other units are elapsed times.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"t": [-1, 1, 8]}), TableFile(file="f"))
        >>> sheet.infusion_day = 1
        >>> sheet.days("t").tolist()
        [-1.0, 0.0, 7.0]
        """
        unit = self.section.time_unit
        time = self.number(name, required=required)
        what = f"{name!r} is more than a century away from the infusion"
        todo = "Give days after the infusion, not a date, or correct 'time_unit'."
        far = np.abs(time * DAYS[unit]) > CENTURY
        self.complain(far, what, todo, column=name)
        time = np.where(far, np.nan, time)
        if unit != "day":
            return (time * DAYS[unit]).round(DIGITS)
        said = self.section.infusion_day
        if (self.infusion_day if said is None else said) == 1:
            what = "there is no day 0 where the infusion day is day 1"
            todo = "Correct the time, or 'infusion_day' in study.toml."
            wrong = (time >= 0) & (time < 1)
            self.complain(wrong, what, todo, column=name)
            time = np.where(wrong, np.nan, np.where(time >= 1, time - 1, time))
        return time.round(DIGITS)

    def set_aside(self, rows: Mask, reason: str) -> None:
        """Note rows that say nothing for the table, and why.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"a": [1, 2]}), TableFile(file="f"))
        >>> sheet.set_aside(np.array([False, True]), "not assessed")
        >>> sheet.aside[0][1]
        'not assessed'
        """
        if rows.any():
            self.aside.append((rows, reason))

    def flag(self, name: str) -> Mask:
        """Return a column of 1 and 0 (or yes and no); blank is no.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"a": ["1", ""]}), TableFile(file="f"))
        >>> sheet.flag("a").tolist()
        [True, False]
        """
        text = self.text(name)
        values = parsing.flags(text)
        wrong = np.isnan(values) & ~parsing.is_blank(text)
        self.complain(wrong, f"{name!r} is not a flag", "Write 1 or 0.", column=name)
        return values == 1

    def patients(self) -> pd.Series:
        """Return the patient of each row, which must be known.

        Examples
        --------
        >>> frame = pd.DataFrame({"patient": [7.0, 8.0]})
        >>> Sheet.of_frame(frame, TableFile(file="f")).patients().tolist()
        ['7', '8']
        """
        patients = self.text("patient")
        what, todo = "the patient is missing", "Say whose row it is, or take it out."
        self.complain(parsing.is_blank(patients), what, todo, column="patient")
        return patients

    def complain(
        self, wrong: Mask, what: str, todo: str, *, column: str, rule: str = ""
    ) -> None:
        """Add a problem for each wrong row; many equal ones become one sentence.

        Parameters
        ----------
        wrong : ndarray of bool
            One per row.
        what, todo : str
            What was found, and what to do about it.
        column : str
            Our name of the column, or the file's where we have none.
        rule : str
            Name of the rule that is broken, by which problems are grouped.

        Examples
        --------
        >>> sheet = Sheet.of_frame(pd.DataFrame({"a": [1, 2]}), TableFile(file="f"))
        >>> sheet.complain(np.array([False, True]), "odd", "Look.", column="a")
        >>> print(sheet.problems[0])
        f, row 3, column a, value '2':
          odd. Look.
        """
        where = np.flatnonzero(wrong)
        if not where.size:
            return
        values = self.text(column).to_numpy(object)[where]
        for _, rows in pd.Series(where).groupby(values, sort=False):
            group = rows.to_numpy()
            if len(group) <= LISTED:
                said = [(row, what) for row in group]
            else:
                lines = ", ".join(map(str, self.rows[group[1 : 2 * LISTED]]))
                more = f" (and in {len(group) - 1} more rows: {lines}, ...)"
                said = [(group[0], what + more)]
            self.problems += [
                replace(self._problem(row, sentence, todo, column=column), rule=rule)
                for row, sentence in said
            ]

    def _problem(self, row: int, what: str, todo: str, *, column: str) -> Problem:
        cell = {
            name: self.cells[self.header(name)].iloc[row] if name in self else ""
            for name in ("patient", column)
        }
        return Problem(
            what,
            todo,
            file=self.section.file,
            row=int(self.rows[row]),
            patient=cell["patient"],
            column=self.header(column),
            value=cell[column],
        )


def _no_names(headers: Sequence[str]) -> str:
    """Say what to do about a first line that holds no names of columns, else ""."""
    if len(headers) == 1 and any(sign in headers[0] for sign in ";\t|"):
        return "The cells seem to be separated otherwise: set 'separator'."
    if len(headers) == 1 and len(headers[0].split()) > 2:
        return "The cells seem to be separated by blanks: save the file as CSV."
    told = pd.Series(headers, dtype="str")
    if (parsing.is_blank(told) | np.isfinite(parsing.numbers(told))).all():
        return "The first line seems to hold data: put the names of the columns above."
    return ""
