"""Dates as CDISC writes them (ISO 8601, in full or in part), and days between them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MICROSECONDS_A_DAY = 86_400_000_000
_ISO = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?:Z|[+-]\d{2}:?\d{2})?)?$"
)
_PART = r"^(?:\d{4}(?:-\d{2})?|\d{4}-\d{2}-\d{2}T\d{2}|-*\d{0,4}[-T:\d]*-[-T:\d]*)$"


@dataclass(frozen=True)
class Dates:
    """Dates, some of them with a clock time.

    Parameters
    ----------
    day : ndarray of datetime64[us]
        Midnight of the date; NaT where the date is not known in full.
    clock : ndarray of timedelta64[us]
        Time since midnight; NaT where it is not known.
    partial : ndarray of bool
        Where only a part of the date is known, as "2013-08".
    wrong : ndarray of bool
        Where the text is no date at all.

    Examples
    --------
    >>> dates = read_dates(pd.Series(["2014-01-02T00:05", "2014-01-02", "2014-01"]))
    >>> dates.partial.tolist(), np.isnat(dates.clock).tolist()
    ([False, False, True], [False, True, True])
    """

    day: NDArray[np.datetime64]
    clock: NDArray[np.timedelta64]
    partial: NDArray[np.bool_]
    wrong: NDArray[np.bool_]

    @property
    def has_clock(self) -> NDArray[np.bool_]:
        """Where the clock time is known."""
        return ~np.isnat(self.clock)


def read_dates(text: pd.Series) -> Dates:
    """Read ISO 8601 dates; a blank text is no date, and not wrong.

    Parameters
    ----------
    text : Series of str
        Such as "2014-01-02", "2014-01-02T23:30:00", "2014-01", "".

    Returns
    -------
    Dates
        One per text. Time zones are not looked at: times are those of the clinic.

    Examples
    --------
    >>> read_dates(pd.Series(["02JAN2014", "2014-02-30", "", "NA"])).wrong.tolist()
    [True, True, False, False]
    """
    parts = text.str.extract(_ISO)
    date = pd.to_datetime(parts["date"], format="%Y-%m-%d", errors="coerce")
    clock = parts["clock"].fillna("")
    clock = clock.where(clock.str.count(":") != 1, clock + ":00")
    since = pd.to_timedelta(clock.where(clock != "", None), errors="coerce")
    day = date.to_numpy("datetime64[us]")
    blank = text.str.casefold().isin(["", "na", "n/a", "nan", "."]).to_numpy(bool)
    full = parts["date"].notna().to_numpy(bool)
    partial = text.str.match(_PART).to_numpy(bool) & ~full & ~blank
    broken = (clock != "").to_numpy(bool) & since.isna().to_numpy(bool)
    since = since.to_numpy("timedelta64[us]")
    late = since >= np.timedelta64(_MICROSECONDS_A_DAY, "us")
    wrong = (np.isnat(day) & ~partial & ~blank) | broken | late
    return Dates(
        day, np.where(late, np.timedelta64("NaT", "us"), since), partial, wrong
    )


def days_between(
    moment: Dates, start: Dates
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the days from one date to another.

    Parameters
    ----------
    moment, start : Dates
        As many of the one as of the other.

    Returns
    -------
    days : ndarray
        Elapsed days where both clock times are known, else the difference of the
        dates; NaN where a date is not known.
    whole : ndarray of bool
        Where the days are counted in whole days, for want of a clock time.

    Examples
    --------
    >>> moment = read_dates(pd.Series(["2014-01-03T12:00", "2014-01-09"]))
    >>> start = read_dates(pd.Series(["2014-01-02T00:00"] * 2))
    >>> days, whole = days_between(moment, start)
    >>> days.tolist(), whole.tolist()
    ([1.5, 7.0], [False, True])
    """
    apart = moment.day - start.day
    both = moment.has_clock & start.has_clock
    clock = np.where(both, moment.clock - start.clock, np.timedelta64(0, "us"))
    known = ~np.isnat(apart)
    days = np.full(len(apart), np.nan)
    total = (apart + clock)[known].astype("timedelta64[us]").astype(np.int64)
    days[known] = total / _MICROSECONDS_A_DAY
    return days, known & ~both


def write_dates(days: pd.Series, start: str) -> pd.Series:
    """Write days after a date as ISO 8601, to the microsecond; "" where not known.

    Parameters
    ----------
    days : Series of float
        Days after midnight of the date.
    start : str
        The date, as "2000-01-01".

    Examples
    --------
    >>> write_dates(pd.Series([0.5, np.nan]), "2000-01-01").tolist()
    ['2000-01-01T12:00:00', '']
    """
    known = days.notna().to_numpy()
    steps = np.round(days[known].to_numpy() * _MICROSECONDS_A_DAY).astype(np.int64)
    moments = np.datetime64(start, "us") + steps.astype("timedelta64[us]")
    text = np.full(len(days), "", dtype=object)
    text[known] = [str(word).removesuffix(".000000") for word in moments]
    return pd.Series(text, index=days.index, dtype="str")
