"""Findings (PC, LB, CP, IS and others) as samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.assays import Assay
from cellpk.study.cdisc import assay_of, named
from cellpk.study.delivery import Delivery
from cellpk.study.file_sections import SamplesFile
from cellpk.study.sdtm.domains import CLINICAL, Domain, Mask, add_sheet
from cellpk.study.sdtm.levels import level_texts
from cellpk.study.sdtm.planned import before_dose, nominal_times, visits
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import NEVER, Subjects
from cellpk.study.sdtm.times import Floats, Times, as_text, times_of

STATE, DERIVED, ASSUMED = ("STATE",), ("DERIV",), ("LIMASM",)
EXCLUDED, REASON = ("EXCLFL",), ("REASEX",)
"""Qualifiers that cellpk writes, and reads, of what SDTM has no variable for."""


def add_findings(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    assays: Mapping[str, Assay],
    delivery: Delivery,
) -> None:
    """Read samples from every domain of findings.

    Records with a test code that is mapped to no assay are put aside by code; where no
    code of any file is mapped, that is a problem.

    Parameters
    ----------
    domains : sequence of Domain
        All domains.
    subjects : Subjects
        Whose records are read, and their time 0.
    section : SdtmFiles
        What study.toml says.
    assays : mapping
        The assays of the study.
    delivery : Delivery
        Where samples go, and what is doubtful or impossible is told.

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02T09:00"}), Delivery()
    >>> lb = {"LBTESTCD": ["INTLK6"], "LBSTRESC": ["<2"], "LBSTRESU": ["pg/mL"]}
    >>> lb = Domain.of("LB", USUBJID=["1"], **lb, LBDTC=["2014-01-09T09:00"])
    >>> add_findings([lb], subjects, section, assays=ASSAYS, delivery=delivery)
    >>> delivery.sheets["samples"][0].text("assay").tolist()
    ['il6']
    """
    findings = [part for part in domains if part.name not in CLINICAL]
    mapped = False
    for part in findings:
        codes = part.own("TESTCD")
        method, unit = part.own("METHOD"), part.either("STRESU", "ORRESU")
        assay = assay_of(codes, method, section.assays, known=assays, units=unit)
        unmapped = (assay == "").to_numpy(bool)
        for code in codes[unmapped].unique():
            reason = f"test code {code} is mapped to no assay"
            delivery.put_aside(part.grid, unmapped & (codes == code).to_numpy(), reason)
        rows = ~unmapped
        mapped |= bool(rows.any())
        kinetic = assay.isin([name for name, row in assays.items() if row.kinetics])
        found = kinetic.to_numpy(bool) & _positive(_results(part, section))
        rows = _of_patients(part, subjects, rows, found=found, to=delivery)
        _add_samples(part, subjects, section, assay=assay, rows=rows, delivery=delivery)
    if findings and not mapped:
        codes = pd.concat([part.own("TESTCD") for part in findings]).unique()
        what = f"no test code is mapped to an assay: {named(codes, most=20)}"
        example = f'assays = {{ {codes[0]} = "{next(iter(assays))}" }}'
        todo = f"Say under [[data]] which assay each code is, such as {example}."
        delivery.problems.append(Problem(what, todo, file=findings[0].grid.file))


def _positive(results: pd.DataFrame) -> Mask:
    """Tell in which samples something was found."""
    read = parsing.levels(level_texts(results))
    found = (read["level"] > 0) | read["state"].isin(["detected", "above"])
    return found.to_numpy(bool)


def _of_patients(
    part: Domain, subjects: Subjects, rows: Mask, *, found: Mask, to: Delivery
) -> Mask:
    """Return which records are of patients of the study; tell of the others.

    ``found`` are those with CAR-T cells or transgene, which only the infused have;
    other samples of patients who were never infused, as of screening, are set aside.
    """
    known, nobody = subjects.known(part)
    what = "neither DM nor the infusions name this patient"
    todo = "Add the patient to DM, or correct USUBJID."
    part.complain(
        nobody & rows, what, todo, column="USUBJID", to=to, rule="unknown_patient"
    )
    never = rows & ~known & ~nobody
    what = f"CAR-T cells or transgene of {NEVER}"
    todo = "Complete the infusions, or take the samples out."
    part.complain(
        never & found, what, todo, column="USUBJID", to=to, rule="never_infused"
    )
    to.put_aside(part.grid, never & ~found, f"of {NEVER}")
    return rows & known


def _add_samples(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    assay: pd.Series,
    rows: Mask,
    delivery: Delivery,
) -> None:
    """Add the samples of one domain."""
    results = _results(part, section)
    times = times_of(
        part,
        subjects,
        delivery,
        date=part.called("DTC"),
        day=f"{part.name}DY",
        rows=rows,
    )
    nominal, exact = nominal_times(
        part, subjects, section, rows=rows, delivery=delivery
    )
    again = part.subjects.isin(subjects.again).to_numpy(bool)
    days = _taken(part, times, (nominal, exact), rows, delivery, again=again)
    timed = np.isfinite(days)
    _untimed(part, times, results, rows=rows & ~timed, delivery=delivery)
    rows = rows & timed
    _doubts(part, results, rows, delivery)
    more: dict[str, Any] = {
        _variable(part, "STRESC", "STRESN", "ORRES"): level_texts(results),
        "time": as_text(days),
        "nominal_time": as_text(nominal),
        "visit": visits(part),
        "assay": assay,
        "state": _states(results),
        "reason": part.either(*REASON).where(
            lambda text: text != "", part.own("REASND")
        ),
        "reported": part.own("ORRES"),
        # The standard unit says nothing of a result in the unit of its laboratory.
        "reported_unit": part.own(
            "ORRESU" if f"{part.name}ORRES" in part else "STRESU"
        ),
    }
    if part.called("SPEC"):
        more[part.called("SPEC")] = parsing.translated(
            part.either("SPEC"), section.specimens
        )
    more[subjects.variable] = subjects.patient(part)
    file = _file(part, subjects, section)
    add_sheet(delivery, "samples", part, section=file, rows=rows, more=more)


def _variable(part: Domain, *endings: str) -> str:
    """Return the first of some variables that is there, with the domain's name."""
    return part.called(*endings) or part.name + endings[0]


def _results(part: Domain, section: SdtmFiles) -> pd.DataFrame:
    """Return what is said of the result of each record, in our words."""
    said = {name: part.own(name.upper()) for name in ("stresc", "stresn", "orres")}
    said["state"] = part.either(*STATE).str.lower()
    said = {
        name: parsing.translated(text, section.texts) for name, text in said.items()
    }
    return pd.DataFrame(said).assign(done=part.done())


def _states(results: pd.DataFrame) -> pd.Series:
    """Return the states that are said outright."""
    return results["state"].mask(~results["done"] & (results["state"] == ""), "missing")


def _file(part: Domain, subjects: Subjects, section: SdtmFiles) -> SamplesFile:
    """Return what is called what in the file."""
    standard = part.called("STRESU", "ORRESU")
    columns = {
        "patient": subjects.variable,
        "level": _variable(part, "STRESC", "STRESN", "ORRES"),
        "unit": standard,
        "lloq": part.called("LLOQ"),
        "llod": part.called("LLOD", "LOD"),
        "uloq": part.called("ULOQ"),
        "specimen": part.called("SPEC"),
        "derived": part.called(*DERIVED),
        "limit_assumed": part.called(*ASSUMED),
        "excluded": part.called(*EXCLUDED),
    }
    file = part.grid.file
    return SamplesFile(file=file, columns=columns, units=section.units, infusion_day=0)


def _taken(
    part: Domain,
    times: Times,
    planned: tuple[Floats, Mask],
    rows: Mask,
    delivery: Delivery,
    *,
    again: Mask,
) -> Floats:
    """Return when samples were taken, helped by their plan where clocks are wanting.

    A sample before a later dose (``again``) is not one before the first.
    """
    nominal, exact = planned
    date = part.called("DTC")
    days = times.days
    # Dates a day apart are up to two days apart; within that, the plan knows better.
    helped = rows & times.whole & exact & (np.abs(nominal - days) < 1)
    days = np.where(helped, nominal, days)
    what = (
        "{n} without a clock time, or of patients without one of the infusion: counted "
        "in whole days"
    )
    if helped.any():
        what += f", {int(helped.sum())} of them at their planned time of that day"
    todo = "infusion_clock = 'HH:MM' says the time of infusions given by date alone."
    part.doubt(
        rows & times.whole, what, todo, column=date, to=delivery, rule="whole_days"
    )
    late = rows & before_dose(part) & ~times.whole & (times.days > 0) & ~again
    what = "{n} marked as taken before the dose, but after the infusion by their time"
    part.doubt(
        late,
        what,
        "Correct the time or the mark.",
        column=date,
        to=delivery,
        rule="before_dose_mark",
    )
    unknown = rows & ~np.isfinite(days) & np.isfinite(nominal) & ~times.wrong
    what = "{n} without a full date: their planned time is taken"
    todo = "Give the date if it is known."
    part.doubt(unknown, what, todo, column=date, to=delivery, rule="planned_time_taken")
    return np.where(unknown, nominal, days)


def _untimed(
    part: Domain,
    times: Times,
    results: pd.DataFrame,
    *,
    rows: Mask,
    delivery: Delivery,
) -> None:
    """Tell of records without a time: an incomplete date, nothing done, or a fault."""
    rows = rows & ~times.wrong
    date = part.called("DTC") or f"{part.name}DTC"
    partial = rows & times.partial
    delivery.put_aside(
        part.grid, partial, "its date is incomplete, and no time planned"
    )
    what = "{n} with an incomplete date and no planned time: set aside"
    part.doubt(
        partial,
        what,
        "Give the full date.",
        column=date,
        to=delivery,
        rule="incomplete_date",
    )
    nothing = ((level_texts(results) == "") | ~results["done"]).to_numpy(bool)
    empty = rows & ~partial & nothing
    delivery.put_aside(part.grid, empty, "neither a result nor a date")
    what = "the sample has no date, no study day that can be counted, no planned time"
    todo = f"Give {date}, or take the record out."
    part.complain(
        rows & ~partial & ~nothing, what, todo, column=date, to=delivery, rule="no_date"
    )


def _doubts(
    part: Domain, results: pd.DataFrame, rows: Mask, delivery: Delivery
) -> None:
    """Tell of results that contradict themselves, and of those without a unit."""
    column = f"{part.name}STRESC"
    text, number = results["stresc"], parsing.numbers(results["stresn"])
    said = parsing.numbers(text)
    apart = np.abs(said - number) > 1e-6 * np.abs(said)
    what = f"{{n}} in which {column} and {part.name}STRESN are different numbers"
    part.doubt(
        rows & apart,
        what,
        f"{column} is read.",
        column=column,
        to=delivery,
        rule="results_disagree",
    )
    beside = (number > 0) & np.isnan(said) & (text != "").to_numpy(bool)
    what = f"{{n}} with a text in {column} and a number beside it"
    part.doubt(
        rows & beside,
        what,
        "The text is read.",
        column=column,
        to=delivery,
        rule="results_disagree",
    )
    given = (results[["stresc", "stresn", "orres"]] != "").any(axis=1).to_numpy(bool)
    undone = ~results["done"].to_numpy(bool) & given
    what = "{n} not done, with a result: read as without one"
    part.doubt(
        rows & undone,
        what,
        "Correct the status or the result.",
        to=delivery,
        rule="not_done_with_result",
    )
    unit = part.text(part.called("STRESU", "ORRESU"))
    finite = np.isfinite(parsing.numbers(level_texts(results)))
    bare = finite & (unit == "").to_numpy(bool)
    what = "{n} with a number and no unit: read in the unit of its assay"
    part.doubt(
        rows & bare,
        what,
        "Give the unit.",
        column="STRESU",
        to=delivery,
        rule="no_unit",
    )
