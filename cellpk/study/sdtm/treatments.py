"""Infusions and comedication: EX (or EC) and CM."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.dates import read_dates
from cellpk.study.delivery import Delivery
from cellpk.study.file_sections import ComedicationFile, InfusionsFile
from cellpk.study.sdtm.domains import Domain, Mask, add_sheet
from cellpk.study.sdtm.exposure import Exposure
from cellpk.study.sdtm.subjects import Subjects, usable
from cellpk.study.sdtm.times import tell_times, times_of


def add_treatments(
    domains: Sequence[Domain],
    exposures: Sequence[Exposure],
    subjects: Subjects,
    *,
    clock: str,
    delivery: Delivery,
) -> None:
    """Read infusions of the product, and everything else that was given.

    Treatments of EX that are not the product (lymphodepletion) are comedication, as
    the medications of CM are.

    Parameters
    ----------
    domains : sequence of Domain
        All domains, of which CM is read.
    exposures : sequence of Exposure
        The records of exposure.
    subjects : Subjects
        Whose records are read, and their time 0.
    clock : str
        The clock time of infusions of which the date alone is known, or "".
    delivery : Delivery
        Where all of it goes.

    Examples
    --------
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02"}), Delivery()
    >>> cm = Domain.of("CM", USUBJID=["1"], CMTRT=["Toci"], CMSTDTC=["2014-01-05"])
    >>> add_treatments([cm], [], subjects, clock="", delivery=delivery)
    >>> delivery.sheets["comedication"][0].text("time").tolist()
    ['3.0']
    """
    for exposure in exposures:
        _add_infusions(exposure, subjects, clock, delivery)
        part = exposure.domain
        everything = (part.own("TRT") != "").to_numpy(bool)
        delivery.put_aside(
            part.grid, exposure.other & ~everything, "without a treatment"
        )
        rows = exposure.other & everything
        _add_comedication(part, subjects, part.own("TRT"), rows=rows, to=delivery)
    for part in (part for part in domains if part.name == "CM"):
        missed = (part.own("OCCUR").str.upper() == "N").to_numpy(bool)
        delivery.put_aside(part.grid, missed, "was not given")
        undone = ~part.done() & ~missed
        delivery.put_aside(part.grid, undone, "not asked whether it was given")
        drug = part.own("DECOD").where(lambda text: text != "", part.own("TRT"))
        rows = ~missed & ~undone
        _add_comedication(part, subjects, drug, rows=rows, to=delivery)


def _add_infusions(
    exposure: Exposure, subjects: Subjects, clock: str, delivery: Delivery
) -> None:
    part = exposure.domain
    rows = usable(part, subjects, delivery, rows=exposure.product)
    date = f"{part.name}STDTC"
    day = f"{part.name}STDY"
    times = times_of(
        part, subjects, delivery, date=date, day=day, rows=rows, clock=clock
    )
    what = "the infusion has no full date"
    unknown = rows & ~times.known & ~times.wrong
    part.complain(
        unknown, what, "Give the date.", column=date, to=delivery, rule="no_date"
    )
    rows = rows & times.known
    later = rows & times.whole & (times.days != 0)
    what = "{n} of later infusions without a clock time: counted in whole days"
    todo = "Give the clock times, or infusion_clock = 'HH:MM' if all had the same."
    part.doubt(later, what, todo, column=date, to=delivery, rule="whole_days")
    _tell_courses(part, rows, delivery)
    columns = {
        "patient": subjects.variable,
        "dose": f"{part.name}DOSE",
        "unit": f"{part.name}DOSU",
        "lot": f"{part.name}LOT",
    }
    section = InfusionsFile(file=part.grid.file, columns=columns, infusion_day=0)
    more = {
        subjects.variable: subjects.patient(part),
        "time": times.text,
        f"{part.name}DOSE": exposure.doses,
    }
    add_sheet(delivery, "infusions", part, section=section, rows=rows, more=more)


def _tell_courses(part: Domain, rows: Mask, delivery: Delivery) -> None:
    """Tell of records that stand for more than one dose."""
    first, last = read_dates(part.own("STDTC")), read_dates(part.own("ENDTC"))
    course = rows & (last.day > first.day)
    often = [word for word in part.own("DOSFRQ")[course].unique() if word]
    how = f" ({', '.join(often)})" if often else ""
    what = f"{{n}} that go on for days{how}: each is read as one infusion at its start"
    todo = "Deliver one record per dose to have every dose in the study."
    part.doubt(
        course,
        what,
        todo,
        column=f"{part.name}ENDTC",
        to=delivery,
        rule="course_of_doses",
    )


def _add_comedication(
    part: Domain, subjects: Subjects, drug: pd.Series, *, rows: Mask, to: Delivery
) -> None:
    """Add what was given beside the product."""
    rows = usable(part, subjects, to, rows=rows)
    name = part.name
    first, last = f"{name}STDTC", f"{name}ENDTC"
    times = times_of(part, subjects, to, date=first, day=f"{name}STDY", rows=rows)
    ends = times_of(part, subjects, to, date=last, day=f"{name}ENDY", rows=rows)
    tell_times(part, times, to, rows=rows, date=first)
    columns = {
        "patient": subjects.variable,
        "drug": f"{name}TRT",
        "dose": f"{name}DOSE",
        "unit": f"{name}DOSU",
    }
    section = ComedicationFile(file=part.grid.file, columns=columns, infusion_day=0)
    doses = part.own("DOSE")
    zero = parsing.numbers(doses) == 0
    what = "{n} of a medication with dose 0: the dose is left out"
    part.doubt(
        rows & zero,
        what,
        "Correct the dose.",
        column=f"{name}DOSE",
        to=to,
        rule="dose_of_0",
    )
    more = {
        subjects.variable: subjects.patient(part),
        "time": times.text,
        "end_time": ends.text,
        f"{name}TRT": drug,
        f"{name}DOSE": doses.mask(np.asarray(zero), ""),
    }
    add_sheet(to, "comedication", part, section=section, rows=rows, more=more)
