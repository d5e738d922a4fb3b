"""When samples were planned to be taken, and at which visit."""

import re

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.dates import read_dates, read_durations
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
        ``timepoint_unit``.
    rows : ndarray of bool
        The records that are wanted.
    delivery : Delivery
        Where is told what cannot be read or is left out.

    Returns
    -------
    days : ndarray
        --ELTM after its reference (--RFTDTC, where that is another day than time 0);
        where there is none, VISITDY (day 1 is time 0) and --TPTNUM; else NaN.
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
    part.complain(wrong & rows, what, todo, column=column, to=delivery)
    elapsed = elapsed + _reference(
        part, subjects, rows & np.isfinite(elapsed), delivery
    )
    day = planned_day(parsing.numbers(part.text("VISITDY")))
    number = parsing.numbers(part.own("TPTNUM"))
    pointed = np.isfinite(number) & np.isfinite(day)
    unit = section.timepoint_unit
    if unit is None:
        open_ = rows & pointed & ~np.isfinite(elapsed) & ~wrong
        what = f"{{n}} with {part.name}TPTNUM, of which no unit is said"
        todo = "Say timepoint_unit = 'hour' to have their planned times."
        part.doubt(open_, what, todo, column=f"{part.name}TPTNUM", to=delivery)
        day = np.where(pointed, np.nan, day)
    else:
        day = day + np.where(pointed, number * DAYS[unit], 0.0)
    known = np.isfinite(elapsed)
    exact = known | (pointed & (unit is not None))
    return np.where(known, elapsed, day), exact


def _reference(
    part: Domain, subjects: Subjects, rows: Mask, delivery: Delivery
) -> Floats:
    """Return on which day after time 0 planned times begin to count."""
    said = part.own("RFTDTC")
    start = subjects.start.at(subjects.places(part))
    apart = (read_dates(said).day - start.day) / np.timedelta64(1, "D")
    days = np.where((said == "").to_numpy(bool), 0.0, np.asarray(apart, dtype=float))
    several = part.own("TPTREF")[rows & (said == "").to_numpy(bool)].unique()
    if len(several) > 1:
        open_ = rows & (said == "").to_numpy(bool)
        what = f"{{n}} with planned times after {len(several)} different references"
        todo = f"Give {part.name}RFTDTC: their planned times are left out."
        part.doubt(open_, what, todo, column=f"{part.name}TPTREF", to=delivery)
        return np.where(open_, np.nan, days)
    return days
