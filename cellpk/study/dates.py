"""Dates and durations as CDISC writes them (ISO 8601), and days between dates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.sheet import DIGITS

_MICROSECONDS_A_DAY = 86_400_000_000
_ISO = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?:\d{2}|(?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))"
    r"(?:Z|[+-]\d{2}:?\d{2})?)?$"
)
# A hyphen stands for a part that is not known, as in 2014---02. Of a span of time, as
# 2014-01-02/2014-01-05, no single day is known either.
_PART = (
    r"^(?:\d{4}(?:-\d{2})?|(?:\d{4}|-)-(?:\d{2}|-)(?:-(?:\d{2}|-)(?:T[-:.\d]+)?)?"
    r"|\d{4}[-T:\d]*/\d{4}[-T:\d]*)$"
)
_DURATION = (
    r"^(?P<sign>[+-]?)P(?:(?P<week>\d+(?:\.\d+)?)W)?(?:(?P<day>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hour>\d+(?:\.\d+)?)H)?(?:(?P<minute>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<second>\d+(?:\.\d+)?)S)?)?$"
)
_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}


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

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where the date is known in full."""
        return ~np.isnat(self.day)

    def at(self, places: NDArray[np.intp]) -> "Dates":
        """Return the dates at some places; no date where the place is -1.

        Examples
        --------
        >>> dates = read_dates(pd.Series(["2014-01-02"]))
        >>> dates.at(np.array([0, -1, 0])).known.tolist()
        [True, False, True]
        """
        there = places >= 0
        none, off = np.timedelta64("NaT", "us"), np.zeros(len(places), dtype=bool)
        if not there.any():
            day = np.full(len(places), np.datetime64("NaT", "us"))
            return Dates(day, np.full(len(places), none), off, off)
        return Dates(
            np.where(there, self.day[places], np.datetime64("NaT", "us")),
            np.where(there, self.clock[places], none),
            self.partial[places] & there,
            self.wrong[places] & there,
        )

    def with_clock(self, clock: "str | Dates") -> "Dates":
        """Return the dates with a clock time where they have none.

        Parameters
        ----------
        clock : str or Dates
            The time of all of them, as "08:00" ("": not known), or dates of which
            those on the same day say the time.

        Examples
        --------
        >>> dates = read_dates(pd.Series(["2014-01-02", "2014-01-02T09:30"]))
        >>> (dates.with_clock("08:00").clock / np.timedelta64(1, "h")).tolist()
        [8.0, 9.5]
        """
        if isinstance(clock, str):
            text = pd.Series([f"2000-01-01T{clock}" if clock else ""])
            said = read_dates(text).clock[np.zeros(len(self.day), dtype=int)]
            same = self.known
        else:
            said, same = clock.clock, self.day == clock.day
        filled = np.where(self.has_clock | ~same, self.clock, said)
        return Dates(self.day, filled, self.partial, self.wrong)


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


def _steps(days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return days in microseconds.

    A study keeps times to 1e-9 of a day: what is a whole second to so many digits is
    one, 08:00:00 and not 08:00:00.000029.
    """
    seconds = np.round(days * 86_400)
    whole = np.round(seconds / 86_400, DIGITS) == days
    steps = np.where(whole, seconds * 1e6, np.round(days * _MICROSECONDS_A_DAY))
    return steps.astype(np.int64)


def write_dates(days: pd.Series, start: str) -> pd.Series:
    """Write days after a date as ISO 8601, to the microsecond; "" where not known.

    Times that are whole seconds to 1e-9 of a day are written as such.

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
    steps = _steps(days[known].to_numpy(float))
    moments = np.datetime64(start, "us") + steps.astype("timedelta64[us]")
    text = np.full(len(days), "", dtype=object)
    text[known] = [str(word).removesuffix(".000000") for word in moments]
    return pd.Series(text, index=days.index, dtype="str")


def read_durations(text: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read ISO 8601 durations in weeks, days, hours, minutes and seconds.

    Parameters
    ----------
    text : Series of str
        Such as "PT8H", "-PT30M", "P7D", "".

    Returns
    -------
    days : ndarray
        How long each is in days; NaN where nothing stands.
    wrong : ndarray of bool
        Where the text is no such duration; years and months have no fixed length.

    Examples
    --------
    >>> days, wrong = read_durations(pd.Series(["P1DT12H", "-PT30M", "P1M", ""]))
    >>> days.round(6).tolist(), wrong.tolist()
    ([1.5, -0.020833, nan, nan], [False, False, True, False])
    """
    # A protocol plans few times: each is read once.
    codes, each = pd.factorize(text.to_numpy(object))
    said = pd.Series(each, dtype="str")
    parts = said.str.extract(_DURATION)
    amounts = parts[list(_SECONDS)]
    some = amounts.notna().any(axis=1).to_numpy(bool)
    seconds = sum(
        amounts[name].fillna("0").to_numpy(object).astype(np.float64) * length
        for name, length in _SECONDS.items()
    )
    sign = np.where(parts["sign"] == "-", -1.0, 1.0)
    days = np.where(some, sign * seconds / 86_400, np.nan)
    wrong = ~some & (said != "").to_numpy(bool)
    return days[codes], wrong[codes]


def write_durations(days: pd.Series) -> pd.Series:
    """Write durations in days as ISO 8601, to the microsecond; "" where not known.

    Examples
    --------
    >>> write_durations(pd.Series([7.0, -0.5, 0.0, 1 / 3, np.nan])).tolist()
    ['P7D', '-PT12H', 'P0D', 'PT8H', '']
    """
    text = {value: _duration(float(value)) for value in days.dropna().unique()}
    words = [text.get(value, "") for value in days]
    return pd.Series(words, index=days.index, dtype="str")


def _duration(days: float) -> str:
    steps = int(_steps(np.array([abs(days)]))[0])
    whole, rest = divmod(steps, _MICROSECONDS_A_DAY)
    hours, rest = divmod(rest, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    second = f"{rest // 1_000_000}.{rest % 1_000_000:06d}".rstrip("0").rstrip(".")
    clock = [(hours, f"{hours}H"), (minutes, f"{minutes}M"), (rest, f"{second}S")]
    time = "".join(text for amount, text in clock if amount)
    date = f"{whole}D" if whole or not time else ""
    return f"{'-' if days < 0 and steps else ''}P{date}{'T' if time else ''}{time}"
