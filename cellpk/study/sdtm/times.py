"""When something was, in days after the first infusion."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study import parsing
from cellpk.study.dates import Dates, days_between, read_dates
from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.subjects import Subjects

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Times:
    """Times of the records of a domain, and what they rest on.

    Parameters
    ----------
    days : ndarray
        Days after time 0; NaN where not known.
    whole : ndarray of bool
        Where a clock time is wanting and whole days are counted.
    partial : ndarray of bool
        Where only a part of the date is known.
    wrong : ndarray of bool
        Where the text is no date, which is told already.

    Examples
    --------
    >>> none = np.array([False])
    >>> Times(np.array([7.0]), none, none, none).text.tolist()
    ['7.0']
    """

    days: Floats
    whole: Mask
    partial: Mask
    wrong: Mask

    @property
    def known(self) -> Mask:
        """Where the time is known."""
        return np.isfinite(self.days)

    @property
    def text(self) -> pd.Series:
        """The times as text, "" where not known."""
        return as_text(self.days)


def as_text(days: Floats) -> pd.Series:
    """Write days so that they read back equal, "" for NaN.

    Examples
    --------
    >>> as_text(np.array([0.1, np.nan])).tolist()
    ['0.1', '']
    """
    column = pd.Series(days)
    return column.map(repr).mask(column.isna(), "").astype("str")


def times_of(
    part: Domain,
    subjects: Subjects,
    delivery: Delivery,
    *,
    date: str,
    day: str,
    rows: Mask,
    clock: str = "",
) -> Times:
    """Return the times of some records of a domain.

    Parameters
    ----------
    part : Domain
        The domain.
    subjects : Subjects
        Who knows each patient's time 0.
    delivery : Delivery
        Where texts that are no dates are told.
    date, day : str
        The variables with the date and, where no date at all stands, the study day.
        Study days count from RFSTDTC and have no day 0.
    rows : ndarray of bool
        The records that are wanted; of the others nothing is told.
    clock : str
        The clock time where a date stands alone, "" where it is not known.

    Returns
    -------
    Times
        One per record of the domain.

    Examples
    --------
    >>> subjects = Subjects.of({"1": "2014-01-02T09:00"})
    >>> dates = {"PCDTC": ["2014-01-03T21:00", ""], "PCDY": ["2", "8"]}
    >>> pc, rows = Domain.of("PC", USUBJID=["1", "1"], **dates), np.array([True, True])
    >>> times_of(pc, subjects, Delivery(), date="PCDTC", day="PCDY", rows=rows).days
    array([1.5, 7. ])
    """
    text, places = part.text(date), subjects.places(part)
    dates, start = read_dates(text), subjects.start.at(places)
    what, todo = f"{date} is no date", "Write it as ISO 8601, such as 2014-01-02T08:30."
    part.complain(
        dates.wrong & rows, what, todo, column=date, to=delivery, rule="not_a_date"
    )
    days, whole = days_between(dates.with_clock(clock), start)
    dated = (text != "").to_numpy(bool)
    counted = _study_days(part, day, ~dated & rows, delivery)
    counted += _apart(subjects.reference.at(places), start)
    days = np.where(np.isfinite(counted), counted, days)
    whole = whole | np.isfinite(counted)
    return Times(days, whole & rows, dates.partial & rows, dates.wrong & rows)


def _study_days(part: Domain, day: str, rows: Mask, delivery: Delivery) -> Floats:
    """Return days after the reference date where only the study day is given."""
    text = part.text(day)
    number = np.where(rows, parsing.numbers(text), np.nan)
    wrong = rows & ((number == 0) | (np.isnan(number) & ~parsing.is_blank(text)))
    what, todo = f"{day} is no study day", "Study days are numbers, and 0 is none."
    part.complain(wrong, what, todo, column=day, to=delivery, rule="not_a_study_day")
    return np.where(wrong, np.nan, planned_day(number))


def planned_day(number: Floats) -> Floats:
    """Return elapsed days of study days: 1 is the first, -1 the one before it.

    Examples
    --------
    >>> planned_day(np.array([-1.0, 1.0, 8.0])).tolist()
    [-1.0, 0.0, 7.0]
    """
    return np.where(number > 0, number - 1, number)


def _apart(reference: Dates, start: Dates) -> Floats:
    """Return the whole days from time 0 to the reference date, NaN where not known."""
    apart = (reference.day - start.day) / np.timedelta64(1, "D")
    return np.asarray(apart, dtype=np.float64)


def tell_times(
    part: Domain, times: Times, delivery: Delivery, *, rows: Mask, date: str
) -> None:
    """Tell once per file of times in whole days, and of those not known.

    Examples
    --------
    >>> rs = Domain.of("RS", USUBJID=["1"], RSDTC=["2014-02"])
    >>> yes, no = np.array([True]), np.array([False])
    >>> delivery, times = Delivery(), Times(np.array([np.nan]), no, yes, no)
    >>> tell_times(rs, times, delivery, rows=yes, date="RSDTC")
    >>> delivery.doubts[0].what
    '1 record with an incomplete date: the time is not known'
    """
    what = "{n} without a clock time, or of patients without one of the infusion"
    todo = (
        "Times are whole days between the dates; infusion_clock = 'HH:MM' says the "
        "time of infusions that are given by date alone."
    )
    told, whole = f"{what}: counted in whole days", times.whole & rows
    part.doubt(
        whole, told, todo, column=date, severity="note", to=delivery, rule="whole_days"
    )
    what = "{n} with an incomplete date: the time is not known"
    todo = "Give the full date if it is known."
    part.doubt(
        times.partial & ~times.known & rows,
        what,
        todo,
        column=date,
        to=delivery,
        rule="incomplete_date",
    )
    none = rows & ~times.known & ~times.partial & ~times.wrong
    what, todo = "{n} without a date: the time is not known", "Give it if it is known."
    part.doubt(
        none, what, todo, column=date, severity="note", to=delivery, rule="no_date"
    )
