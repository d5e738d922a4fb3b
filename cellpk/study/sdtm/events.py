"""Events: AE, CE and what is found about them (FA), as outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cellpk.study.cdisc import event_of
from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.outcomes import (
    CRITERIA,
    EVALUATOR,
    NOTE,
    add_outcomes,
    grades,
    is_flag,
)
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects, usable
from cellpk.study.sdtm.times import Times, tell_times, times_of

CLINICAL_EVENTS: Mapping[str, str] = {
    "DOSE LIMITING TOXICITY": "dlt",
    "DISEASE PROGRESSION": "progression",
    "DEATH": "death",
}
"""Terms of CE besides ``EVENTS``. Of AE they are not read: DM tells of deaths, RS of
progression."""

ASTCT = "ASTCT"
_DLT = ("DLT", "DLTFL", "DLTYN")
_GRADES = ("TOXGR", "GRADE")


@dataclass(frozen=True)
class Events:
    """Records of events: of which endpoint, with which grade by which criteria.

    ``first`` and ``second`` are grades ("" for none); a record has two where it is
    graded by two criteria, which stay two outcomes.

    Examples
    --------
    >>> none, grade = pd.Series([""]), pd.Series(["2"])
    >>> Events(pd.Series(["crs_grade"]), grade, pd.Series(["ASTCT"]), none).first[0]
    '2'
    """

    endpoint: pd.Series
    first: pd.Series
    criteria: pd.Series
    second: pd.Series


def add_events(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> set[tuple[str, str]]:
    """Read graded and other events as outcomes; put all other events aside.

    --TOXGR is a grade by the criteria that ``toxicity`` names; a qualifier (or, in FA,
    a test) with ASTCT in its name is a grade by those of the ASTCT. Both are kept. A
    severity (--SEV) is no grade: such events are told and put aside. An event that was
    asked for and did not occur (--OCCUR is N) has grade 0.

    Parameters
    ----------
    domains : sequence of Domain
        All domains, of which AE, CE and FA are read.
    subjects : Subjects
        Whose records are read, and their time 0.
    section : SdtmFiles
        ``events`` and ``toxicity``.
    delivery : Delivery
        Where the outcomes go.

    Returns
    -------
    set of tuple
        Endpoint and patient of every event of which something is told.

    Source
    ------
    MedDRA terms of ``EVENTS``; Lee et al. 2019, doi:10.1016/j.bbmt.2018.12.758 (ASTCT).

    Examples
    --------
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02T09:00"}), Delivery()
    >>> term = ["Cytokine release syndrome"]
    >>> ae = Domain.of("AE", USUBJID=["1"], AEDECOD=term, AETOXGR=["3"])
    >>> add_events([ae], subjects, section, delivery=delivery)
    {('crs_grade', '1')}
    """
    found: set[tuple[str, str]] = set()
    for part in domains:
        if part.name == "AE":
            _add_adverse(part, subjects, section, found=found, delivery=delivery)
        elif part.name == "CE":
            events = _clinical(part, section)
            _add(part, subjects, section, events=events, found=found, to=delivery)
        elif part.name == "FA":
            events = _about(part, section)
            _add(part, subjects, section, events=events, found=found, to=delivery)
    return found


def _term(part: Domain) -> pd.Series:
    return part.own("DECOD").where(lambda text: text != "", part.own("TERM"))


def _astct(part: Domain) -> pd.Series:
    """Return the grade of ASTCT that a record or its supplement states."""
    columns = [str(name) for name in part.grid.cells.columns]
    names = [name for name in columns if ASTCT in name.upper()]
    text = pd.Series([""] * len(part), dtype="str")
    for name in names:
        text = text.where(text != "", part.text(name))
    return grades(text)


def _two(part: Domain, section: SdtmFiles, endpoint: pd.Series) -> Events:
    """Return the events of a domain with the grade of its own and that of ASTCT.

    What happens or does not, as progression, has no grade.
    """
    flag = is_flag(endpoint)
    own, other = grades(part.own("TOXGR")).mask(flag, "1"), _astct(part)
    criteria = part.either(*CRITERIA)
    usual = pd.Series(np.where(own != "", section.toxicity, ASTCT), dtype="str")
    criteria = criteria.where((criteria != "") | flag, usual)
    second = other.where((own != "") & ~flag, "")
    return Events(endpoint, own.where(own != "", other), criteria, second)


def add_none_reported(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    found: set[tuple[str, str]],
    delivery: Delivery,
) -> None:
    """Give patients without any event of an endpoint the value of ``none_reported``.

    Parameters
    ----------
    domains : sequence of Domain
        All domains; the value is one of the patient's row of DM.
    subjects : Subjects
        Who is a patient of the study.
    section : SdtmFiles
        ``none_reported``: by endpoint the value.
    found : set of tuple
        Endpoint and patient of every event of which something is told.
    delivery : Delivery
        With all other outcomes.

    Examples
    --------
    >>> none = {"crs_grade": "0"}
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",), none_reported=none)
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02"}), Delivery()
    >>> dm = Domain.of("DM", USUBJID=["1"])
    >>> add_none_reported([dm], subjects, section, found=set(), delivery=delivery)
    >>> delivery.sheets["outcomes"][0].text("value").tolist()
    ['0']
    """
    found = set(found)
    for sheet in delivery.sheets["outcomes"]:
        found |= set(zip(sheet.text("endpoint"), sheet.text("patient"), strict=True))
    for part in (part for part in domains if part.name == "DM"):
        known, _ = subjects.known(part)
        none = np.zeros(len(part), dtype=bool)
        times = Times(np.full(len(part), np.nan), none, none, none)
        for endpoint, value in section.none_reported.items():
            told = {name for which, name in found if which == endpoint}
            rows = known & ~subjects.patient(part).isin(told).to_numpy(bool)
            said = {"endpoint": endpoint, "value": value, "column": "value"}
            add_outcomes(
                part, subjects, section, rows=rows, times=times, told=said, to=delivery
            )


def _add_adverse(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    found: set[tuple[str, str]],
    delivery: Delivery,
) -> None:
    """Add adverse events; a dose-limiting one is an outcome besides its grade."""
    endpoint = event_of(_term(part), section.events)
    events = _two(part, section, endpoint)
    dlt = (part.either(*_DLT).str.upper() == "Y").to_numpy(bool)
    dlt = usable(part, subjects, delivery, rows=dlt)
    date, day = "AESTDTC", "AESTDY"
    times = times_of(part, subjects, delivery, date=date, day=day, rows=dlt)
    column = part.called(*_DLT) or "AEDLT"
    told = {"endpoint": "dlt", "value": "1", "column": column, "note": _term(part)}
    found |= {("dlt", name) for name in subjects.patient(part)[dlt]}
    add_outcomes(part, subjects, section, rows=dlt, times=times, told=told, to=delivery)
    _add(part, subjects, section, events=events, found=found, to=delivery, besides=dlt)


def _clinical(part: Domain, section: SdtmFiles) -> Events:
    """Return the clinical events; what did not occur has grade 0."""
    said = {**CLINICAL_EVENTS, **section.events}
    events = _two(part, section, event_of(_term(part), said))
    occurred = part.own("OCCUR").str.upper()
    none = occurred == "N"
    criteria = events.criteria.where(~none, part.either(*CRITERIA))
    first, second = events.first.mask(none, "0"), events.second.mask(none, "")
    return Events(events.endpoint, first, criteria, second)


def _about(part: Domain, section: SdtmFiles) -> Events:
    """Return what is found about events: grades, and that one did not occur."""
    code, result = part.own("TESTCD").str.upper(), part.own("STRESC")
    result = result.where(result != "", part.own("ORRES"))
    astct = code.str.contains(ASTCT)
    graded = astct | code.isin(_GRADES)
    never = (code == "OCCUR") & result.str.upper().isin(["N", "NO"])
    endpoint = event_of(part.own("OBJ"), section.events).where(graded | never, "")
    value = grades(result).mask(never, "0")
    criteria = part.own("CAT").where(~astct, ASTCT)
    criteria = criteria.mask((criteria == "") & (code == "TOXGR"), section.toxicity)
    return Events(endpoint, value, criteria, pd.Series("", index=value.index))


def _add(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    events: Events,
    found: set[tuple[str, str]],
    to: Delivery,
    besides: Mask | None = None,
) -> None:
    """Add the events of one domain; ``besides`` are read as another outcome already."""
    rest = np.ones(len(part), dtype=bool) if besides is None else ~besides
    ours = (events.endpoint != "").to_numpy(bool)
    to.put_aside(part.grid, ~ours & rest, "an event that is not read ('events')")
    undone = ours & ~part.done()
    to.put_aside(part.grid, undone & rest, "not done")
    open_ = ours & ~undone & part.own("OCCUR").str.upper().isin(["U", "NA"]).to_numpy()
    to.put_aside(part.grid, open_, "not known whether it occurred")
    ours = usable(part, subjects, to, rows=ours & ~undone & ~open_)
    patients = subjects.patient(part)[ours]
    found |= set(zip(events.endpoint[ours], patients, strict=True))
    graded = (events.first != "").to_numpy(bool)
    _tell_ungraded(part, ours & ~graded, rest, to)
    rows = ours & graded
    times = _when(part, subjects, rows=rows, to=to)
    shared = {"evaluator": part.either(*EVALUATOR), "note": part.either(*NOTE)}
    value = _value_column(part)
    for grade, criteria in (
        (events.first, events.criteria),
        (events.second, ASTCT),
    ):
        told = {"endpoint": events.endpoint, "value": grade, "column": value}
        told |= {"criteria": criteria, **shared}
        here = rows & (grade != "").to_numpy(bool)
        add_outcomes(part, subjects, section, rows=here, times=times, told=told, to=to)


def _value_column(part: Domain) -> str:
    names = ("STRESC", "ORRES") if part.name == "FA" else ("TOXGR", "OCCUR", "TERM")
    return part.called(*names) or f"{part.name}{names[0]}"


def _when(part: Domain, subjects: Subjects, *, rows: Mask, to: Delivery) -> Times:
    """Return when events began, or were asked for where they did not occur."""
    first, day = part.own("STDTC"), f"{part.name}STDY"
    variable = f"{part.name}STDTC"
    asked = part.own("DTC")
    filled = (first == "") & (part.text(day) == "")
    if (filled & (asked != "")).any():
        variable = f"{part.name}DTC"
        cells = part.grid.cells.assign(**{variable: asked.where(filled, first)})
        part = replace(part, grid=replace(part.grid, cells=cells))
        if day not in part:
            day = f"{part.name}DY"
    times = times_of(part, subjects, to, date=variable, day=day, rows=rows)
    tell_times(part, times, to, rows=rows, date=variable)
    return times


def _tell_ungraded(part: Domain, rows: Mask, rest: Mask, to: Delivery) -> None:
    severe = (part.own("SEV") != "").to_numpy(bool)
    what = "{n} of events with a severity and no grade: set aside"
    todo = "A severity is no grade: give --TOXGR, or a qualifier with the ASTCT grade."
    part.doubt(
        rows & severe,
        what,
        todo,
        column=f"{part.name}SEV",
        to=to,
        rule="ungraded_events",
    )
    what = "{n} of events without a grade: set aside"
    part.doubt(
        rows & ~severe,
        what,
        todo,
        column=f"{part.name}TOXGR",
        to=to,
        rule="ungraded_events",
    )
    to.put_aside(part.grid, rows & rest, "an event without a grade")
