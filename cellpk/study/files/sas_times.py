"""Dates and times as SAS counts them: days or seconds since 1960, as ISO 8601."""

import re

import numpy as np
from numpy.typing import NDArray

_FORMAT = re.compile(r"(?P<name>[A-Z0-9_]*[A-Z_])\d*(?:\.\d*)?", re.IGNORECASE)
_DAYS = re.compile(
    r"(DATE|DAY|DOWNAME|JULDAY|JULIAN|MONNAME|MONTH|MONYY|QTRR?|WEEKDAT[EX]|WEEKDAY"
    r"|WORDDAT[EX]|YEAR|YYMON|(DDMM|MMDD)YY[BCDNPS]?|YYMMDD[BCDNPS]?"
    r"|(MMYY|YYMM|YYQR?)[CDNPS]?|NLDATE\w*|([BEN]|IS)8601DA)"
)
_SECONDS = re.compile(
    r"(DATETIME|DATEAMPM|MDYAMPM|DT(DATE|MONYY|WKDATX|YEAR|YYQC)|NLDATM\w*"
    r"|([BEN]|IS)8601(D[NTXZ]|LX))"
)
_CLOCK = re.compile(
    r"(TIME|TIMEAMPM|TOD|HHMM|HOUR|MMSS|NLTI?M\w*|([BEN]|IS)8601T[MXZ])"
)
_ORIGIN = np.datetime64("1960-01-01", "us")
_FIRST, _LAST = -138061, 6589335
"""The days that SAS knows: from 1582 to 19900."""


def as_iso(values: NDArray[np.float64], display: str) -> NDArray[np.object_] | None:
    """Write SAS dates, times and moments as ISO 8601.

    A number is a date, a time or a moment by the format in which SAS shows it, also
    where that shows a part of it (``MONYY7.``).

    Parameters
    ----------
    values : ndarray
        Days or seconds since 1 January 1960, or seconds since midnight.
    display : str
        The SAS format of the column: ``"DATE9."``, ``"E8601DT19."``, ``"TIME5"`` ...

    Returns
    -------
    ndarray of str, or None
        "2014-01-02", "2014-01-02T23:30:00" or "23:30:00"; "" where there is no number,
        and the number itself where it is no day that SAS knows. None where the format
        is not one of dates or times.

    References
    ----------
    SAS Formats and Informats: Reference, "Date and Time" formats.

    Examples
    --------
    >>> as_iso(np.array([19725.0, np.nan]), "DATE9.").tolist()
    ['2014-01-02', '']
    >>> as_iso(np.array([1704324600.25]), "DATETIME20.").tolist()
    ['2014-01-02T23:30:00.25']
    >>> as_iso(np.array([30600.0]), "TIME5.").tolist()
    ['08:30:00']
    >>> as_iso(np.array([30600.0]), "8.2") is None
    True
    """
    match = _FORMAT.fullmatch(display)
    name = match["name"].upper() if match else ""
    if _DAYS.fullmatch(name):
        # SAS shows the day of a date with a fraction.
        write, steps, a_day = _dates, np.floor(values), 1
    elif _SECONDS.fullmatch(name):
        write, steps, a_day = _moments, values, 86_400
    elif _CLOCK.fullmatch(name):
        # TOD shows the time of the day of a moment, too.
        write, a_day = _times, 86_400
        steps = np.mod(values, a_day) if name == "TOD" else values
    else:
        return None
    text = np.full(len(values), "", dtype=object)
    known = np.flatnonzero(np.isfinite(values))
    within = known[(steps[known] >= _FIRST * a_day) & (steps[known] <= _LAST * a_day)]
    text[known] = [repr(value) for value in values[known].tolist()]
    text[within] = write(steps[within])
    return text


def _dates(days: NDArray[np.float64]) -> list[str]:
    origin = _ORIGIN.astype("datetime64[D]")
    return np.datetime_as_string(origin + days.astype("timedelta64[D]")).tolist()


def _moments(seconds: NDArray[np.float64]) -> list[str]:
    moments = _ORIGIN + _microseconds(seconds).astype("timedelta64[us]")
    text = np.datetime_as_string(moments, unit="us").tolist()
    return [moment.rstrip("0").rstrip(".") for moment in text]


def _times(seconds: NDArray[np.float64]) -> list[str]:
    return [_clock(step) for step in _microseconds(seconds).tolist()]


def _clock(microseconds: int) -> str:
    """Write a time; one of more than a day, or before midnight, as SAS shows it."""
    sign = "-" if microseconds < 0 else ""
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    part = f".{rest:06d}".rstrip("0").rstrip(".")
    return f"{sign}{hour:02d}:{minute:02d}:{second:02d}{part}"


def _microseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    # A double holds the seconds of our century to a quarter of a microsecond.
    return np.round(seconds * 1e6).astype(np.int64)
