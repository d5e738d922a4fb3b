"""Times of ADaM records as days after the first infusion."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import nearest
from cellpk.study import parsing
from cellpk.study.adam.source import (
    PATIENT,
    Mask,
    Source,
    cells,
    first_there,
)
from cellpk.study.dates import days_between, read_dates
from cellpk.study.grid import Grid
from cellpk.study.units import DAYS

Floats = NDArray[np.float64]

LASTS: Mapping[str, float] = {
    "SECOND": DAYS["minute"] / 60,
    "MINUTE": DAYS["minute"],
    "HOUR": DAYS["hour"],
    "DAY": DAYS["day"],
    "WEEK": DAYS["week"],
    "MONTH": 365.25 / 12,
    "YEAR": 365.25,
}
"""How many days each unit lasts; a month is a twelfth of 365.25 days."""

_SHORT: Mapping[str, str] = {
    "S": "SECOND",
    "SEC": "SECOND",
    "MIN": "MINUTE",
    "H": "HOUR",
    "HR": "HOUR",
    "D": "DAY",
    "W": "WEEK",
    "WK": "WEEK",
    "MO": "MONTH",
    "MTH": "MONTH",
    "Y": "YEAR",
    "YR": "YEAR",
}


@dataclass(frozen=True)
class Clock:
    """The columns that state one time of a record, the best first.

    Parameters
    ----------
    relative : str
        Time after the first dose, in the unit of FRLTU.
    moments, dates : tuple of str
        Dates with a clock time, and without.
    imputed : str
        Flag of a clock time that is made up.
    days : tuple of str
        Study day: the day of the infusion is 1, the day before is -1.
    exact : bool
        Whether it matters that a time counts whole days only.

    Examples
    --------
    >>> ACTUAL.relative
    'AFRLT'
    """

    relative: str
    moments: tuple[str, ...]
    dates: tuple[str, ...]
    imputed: str
    days: tuple[str, ...]
    exact: bool = False

    def column(self, grid: Grid) -> str:
        """Return the first of its columns that says something, for problems."""
        names = (self.relative, *self.moments, *self.dates, *self.days)
        there = [name for name in names if name in grid.cells]
        some = [name for name in there if (cells(grid, name) != "").any()]
        return next(iter([*some, *there]), self.relative)


ACTUAL = Clock(
    "AFRLT",
    ("ADTM", "UDTC", "PCDTC", "LBDTC", "RSDTC"),
    ("ADT",),
    "ATMF",
    ("ADY",),
)
SAMPLED = replace(ACTUAL, exact=True)
START = Clock(
    "ASTFRLT",
    ("ASTDTM", "AESTDTC", "CESTDTC", "CMSTDTC", "EXSTDTC"),
    ("ASTDT",),
    "ASTTMF",
    ("ASTDY", "AESTDY", "CESTDY", "CMSTDY", "EXSTDY"),
)
END = Clock(
    "AENFRLT",
    ("AENDTM", "CMENDTC"),
    ("AENDT",),
    "AENTMF",
    ("AENDY", "CMENDY"),
)


def unit_days(words: pd.Series) -> Floats:
    """Return how many days a unit of time lasts, NaN where the word is not one.

    Examples
    --------
    >>> unit_days(pd.Series(["HOURS", "d", "Weeks", "?"])).tolist()
    [0.041666666666666664, 1.0, 7.0, nan]
    """
    plain = words.str.upper().str.strip(" .")
    single = plain.where(plain.str.len() < 3, plain.str.removesuffix("S"))
    single = single.map(_SHORT).astype("str").fillna(single)
    return np.asarray(single.map(dict(LASTS)), dtype=float)


def relative_days(source: Source, grid: Grid, name: str, *, rows: Mask) -> Floats:
    """Return a time that counts from the first dose, in days; NaN where blank.

    The unit stands in FRLTU, else in ``time_unit`` of study.toml: it is never guessed.
    """
    text = cells(grid, name)
    time = parsing.numbers(text)
    there = rows & (text != "").to_numpy(bool)
    todo = "Write a plain number with '.' as the decimal sign."
    what = f"{name!r} is not a number"
    bad = there & np.isnan(time)
    source.complain(grid, bad, column=name, what=what, todo=todo)
    unit = cells(grid, "FRLTU")
    unit = unit.where(unit != "", source.options.time_unit or "")
    lasts = unit_days(unit)
    silent = there & (unit == "").to_numpy(bool)
    what = f"the unit of {name!r} is not stated"
    todo = "Give it in FRLTU, or say time_unit = 'hour' (or 'day') under [[data]]."
    source.complain(grid, silent, column=name, what=what, todo=todo, rule="no_unit")
    wrong = there & np.isnan(lasts) & ~silent
    what, todo = "the unit of relative times is not known", nearest("", LASTS)
    source.complain(grid, wrong, column="FRLTU", what=what, todo=todo, rule="no_unit")
    return _settled(time * lasts, bad | silent | wrong)


def _settled(days: Floats, wrong: Mask) -> Floats:
    """Put some time where there is a problem, so that it is not told twice.

    Reading fails on it; the times differ, since no two samples have the same.
    """
    return np.where(wrong, np.arange(len(days)), days)


def elapsed(source: Source, grid: Grid, clock: Clock, *, rows: Mask) -> Floats:
    """Return the time of each record in days after the first infusion.

    Taken from the relative time; where it is blank, from the date and the patient's
    first infusion; where that is not known, from the study day.

    Parameters
    ----------
    source : Source
        Collects what is impossible; knows when each patient was infused.
    grid : Grid
        The records.
    clock : Clock
        Which columns state the time.
    rows : ndarray of bool
        Whose times are wanted; nothing is said of the others.

    Returns
    -------
    ndarray
        NaN where nothing states it.
    """
    days = relative_days(source, grid, clock.relative, rows=rows)
    unknown = rows & np.isnan(days)
    if not unknown.any():
        return days
    dated = dated_days(source, grid, clock, rows=unknown)
    days = np.where(unknown, dated, days)
    counted = _counted_days(source, grid, clock, unknown & np.isnan(days))
    return np.where(np.isnan(days), counted, days)


def dated_days(source: Source, grid: Grid, clock: Clock, *, rows: Mask) -> Floats:
    """Return the days between the first infusion and the date of each record.

    A clock time that is made up (``ATMF``) does not count: days are then whole.
    """
    dates = read_dates(date_words(grid, clock).where(rows, ""))
    column = first_there(grid, *clock.moments, *clock.dates)
    if column:
        what = "the date is not one in ISO 8601"
        todo = "Export dates as 2024-01-31 or 2024-01-31T09:30, not as numbers."
        source.complain(
            grid, dates.wrong, column=column, what=what, todo=todo, rule="not_a_date"
        )
    days, whole = days_between(dates, read_dates(starts_of(source, grid)))
    some = int((whole & rows).sum())
    if some and clock.exact:
        what = f"{some} times count whole days, for want of a clock time"
        source.doubt(
            grid,
            what,
            "Give AFRLT, or clock times.",
            severity="note",
            rule="whole_days",
        )
    return _settled(days, dates.wrong)


def date_words(grid: Grid, clock: Clock) -> pd.Series:
    """Return the date of each record, without a clock time that is made up.

    Examples
    --------
    >>> frame = pd.DataFrame({"ADTM": ["2024-01-31T00:00"] * 2, "ATMF": ["H", ""]})
    >>> date_words(Grid.of_frame(frame, file="f"), ACTUAL).tolist()
    ['2024-01-31', '2024-01-31T00:00']
    """
    moment = cells(grid, *clock.moments)
    made_up = cells(grid, clock.imputed) != ""
    moment = moment.mask(made_up, moment.str[:10])
    return moment.where(moment != "", cells(grid, *clock.dates))


def starts_of(source: Source, grid: Grid) -> pd.Series:
    """Return when each record's patient was infused first, "" where not known."""
    starts = cells(grid, PATIENT).map(source.starts).astype("str").fillna("")
    own = cells(grid, "FANLDTM", "TRTSDTM", "FANLDT", "TRTSDT")
    return starts.where(starts != "", own)


def _counted_days(source: Source, grid: Grid, clock: Clock, rows: Mask) -> Floats:
    """Return the days that study days count: there is no day 0."""
    text = cells(grid, *clock.days)
    day = parsing.numbers(text)
    column = first_there(grid, *clock.days)
    if column:
        what, todo = "there is no study day 0", "Day 1 is the day of the infusion."
        zero = rows & (day >= 0) & (day < 1)
        source.complain(
            grid, zero, column=column, what=what, todo=todo, rule="not_a_study_day"
        )
    return np.where(rows, np.where(day >= 1, day - 1, day), np.nan)
