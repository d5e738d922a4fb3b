"""When samples were planned to be taken, and at which visit."""

import re

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.cdisc import named
from cellpk.study.dates import Dates, read_dates, read_durations
from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects
from cellpk.study.sdtm.times import Floats, planned_day
from cellpk.study.units import DAYS

_BEFORE = re.compile(r"pre[- ]?(?:dose|infusion|treatment)|before\b|prior to", re.I)


def visits(part: Domain) -> pd.Series:
    """Return each record's visit, with its time point where there is one.

    Examples
    --------
    >>> pc = Domain.of("PC", VISIT=["DAY 1"] * 2, PCTPT=["Pre-dose", ""])
    >>> visits(pc).tolist()
    ['DAY 1, Pre-dose', 'DAY 1']
    """
    visit, point = part.text("VISIT"), part.own("TPT")
    more = (point != "") & (point != visit)
    both = visit.where(visit == "", visit + ", ") + point
    return visit.where(~more, both)


def before_dose(part: Domain) -> Mask:
    """Tell which records are marked as planned before the dose.

    Examples
    --------
    >>> points = {"PCTPT": ["PREDOSE", "", "1 h"], "PCTPTNUM": ["0", "-1", "1"]}
    >>> before_dose(Domain.of("PC", **points)).tolist()
    [True, True, False]
    """
    said = part.own("TPT").str.contains(_BEFORE).to_numpy(bool)
    early = parsing.numbers(part.own("TPTNUM")) < 0
    days, _ = read_durations(part.own("ELTM"))
    return said | early | (days < 0)


def nominal_times(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    rows: Mask,
    delivery: Delivery,
) -> tuple[Floats, Mask]:
    """Return when samples were planned, in days after time 0.

    Parameters
    ----------
    part : Domain
        The domain.
    subjects : Subjects
        Who knows each patient's time 0.
    section : SdtmFiles
        ``timepoint_unit`` and ``infusion_visit_day``.
    rows : ndarray of bool
        The records that are wanted.
    delivery : Delivery
        Where is told what cannot be read or is left out.

    Returns
    -------
    days : ndarray
        --ELTM after its reference (--RFTDTC, where that is another day than time 0);
        where there is none, VISITDY and --TPTNUM; else NaN. VISITDY counts from
        RFSTDTC: day 1 is time 0 where that is the day of the infusion.
    exact : ndarray of bool
        Where a time point says the time within the day.

    Examples
    --------
    >>> subjects, rows = Subjects.of({"1": "2014-01-02"}), np.array([True, True])
    >>> section = SdtmFiles(format="sdtm", files=("pc.csv",))
    >>> plan = {"VISITDY": ["1", "8"], "PCELTM": ["PT12H", ""]}
    >>> pc, to = Domain.of("PC", USUBJID=["1", "1"], **plan), Delivery()
    >>> nominal_times(pc, subjects, section, rows=rows, delivery=to)
    (array([0.5, 7. ]), array([ True, False]))
    """
    elapsed, wrong = read_durations(part.own("ELTM"))
    what = "the planned elapsed time is no duration"
    todo = "Write weeks, days, hours, minutes and seconds as ISO 8601, such as PT8H."
    column = f"{part.name}ELTM"
    part.complain(
        wrong & rows, what, todo, column=column, to=delivery, rule="not_a_duration"
    )
    elapsed = elapsed + _reference(part, subjects, rows, elapsed, delivery)
    known = np.isfinite(elapsed)
    day = _visit_days(part, subjects, section, rows & ~known, delivery)
    number = parsing.numbers(part.own("TPTNUM"))
    pointed = np.isfinite(number) & np.isfinite(day)
    unit = section.timepoint_unit
    if unit is None:
        open_ = rows & pointed & ~known & ~wrong
        what = f"{{n}} with {part.name}TPTNUM, of which no unit is said"
        todo = "Say timepoint_unit = 'hour' to have their planned times."
        part.doubt(
            open_,
            what,
            todo,
            column=f"{part.name}TPTNUM",
            to=delivery,
            rule="planned_time_left_out",
        )
        day = np.where(pointed, np.nan, day)
    else:
        day = day + np.where(pointed, number * DAYS[unit], 0.0)
    exact = known | (pointed & (unit is not None))
    return np.where(known, elapsed, day), exact


def _visit_days(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    rows: Mask,
    delivery: Delivery,
) -> Floats:
    """Return the planned days of visits after time 0."""
    day = planned_day(parsing.numbers(part.text("VISITDY")))
    if section.infusion_visit_day is not None:
        return day - (section.infusion_visit_day - 1)
    places = subjects.places(part)
    first, start = subjects.reference.at(places), subjects.start.at(places)
    earlier = first.known & (first.day != start.day)
    what = "{n} with VISITDY, of patients whose RFSTDTC is another day than time 0"
    todo = "Say infusion_visit_day = 8 if VISITDY of the infusion is 8 (of all)."
    open_ = rows & earlier & np.isfinite(day)
    part.doubt(
        open_, what, todo, column="VISITDY", to=delivery, rule="planned_time_left_out"
    )
    return np.where(earlier, np.nan, day)


def _reference(
    part: Domain, subjects: Subjects, rows: Mask, elapsed: Floats, delivery: Delivery
) -> Floats:
    """Return on which day after time 0 planned times begin to count.

    Of several references (--TPTREF) without a date, those are time 0 from which the
    samples were taken as planned, by half of their dates to a day; the others are not.
    """
    said, word = part.own("RFTDTC"), part.own("TPTREF")
    start = subjects.start.at(subjects.places(part))
    undated = (said == "").to_numpy(bool)
    days = np.where(undated, 0.0, _days_after(said, start))
    planned = rows & np.isfinite(elapsed) & undated
    several = word[planned].unique()
    if len(several) < 2:
        return days
    late = _days_after(part.either("DTC"), start) - elapsed
    middle = pd.Series(late[planned]).groupby(word[planned].to_numpy(object)).median()
    first = list(middle.index[middle.abs() < 1])
    other = planned & ~word.isin(first).to_numpy(bool)
    names = named(name or "no reference" for name in several if name not in first)
    what = f"{{n}} with planned times after another reference than time 0 ({names})"
    todo = f"Give {part.name}RFTDTC: their planned times are left out."
    part.doubt(
        other,
        what,
        todo,
        column=f"{part.name}TPTREF",
        to=delivery,
        rule="planned_time_left_out",
    )
    return np.where(other, np.nan, days)


def _days_after(text: pd.Series, start: Dates) -> Floats:
    """Return on which day after time 0 dates are; NaN where not known."""
    apart = (read_dates(text).day - start.day) / np.timedelta64(1, "D")
    return np.asarray(apart, dtype=float)
