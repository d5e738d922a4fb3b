"""From copies to cells: series derived on request, with what the request must state."""

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import Assay, derived_from
from cellpk.study.checks import Draft, doubts
from cellpk.study.columns import COLUMNS, ORDER
from cellpk.study.config import AssaySection, Settings
from cellpk.study.conversion_steps import (
    Step,
    Vcn,
    from_unit,
    over_vcn,
    times_count,
)
from cellpk.study.delivery import TABLES
from cellpk.study.file_sections import SamplesFile
from cellpk.study.samples import samples_of
from cellpk.study.sheet import Sheet
from cellpk.study.study import Study
from cellpk.study.units import factor

NAMED = 10
"""Up to so many patients, and days of each, are named in a sentence."""


def convert(
    study: Study,
    assay: str,
    *,
    to: str,
    gdna: str = "",
    count: str = "",
    same_day: float = 0.5,
    vcn: Vcn | None = None,
) -> Study:
    """Return the study with a series that is derived from one of copies.

    The derived series is an assay of its own (as ``cells_from_qpcr``): it is never
    pooled with a measured one and never the main assay by itself. Each of its samples
    says in ``derived`` how it was worked out. States stay; limits are converted as
    the levels are.

    Parameters
    ----------
    study : Study
        The study, with the assay and, for levels in blood, the cell counts.
    assay : str
        The measured assay: of copies per ug of DNA, or per volume of blood.
    to : str
        "copies/cell" (per nucleated cell), "copies/uL" or "cells/uL".
    gdna : str
        Whose DNA was measured, "whole_blood" or "pbmc": it has no default. Levels in
        blood need it where copies per ug are converted.
    count : str
        Assay of the cell counts: "wbc" for DNA of whole blood, "pbmc" for DNA of
        mononuclear cells, or an assay of the study's own.
    same_day : float
        Days that a cell count may be away from the sample; the nearest one is taken.
    vcn : float, str or mapping
        Vector copies per CAR-T cell, for cells: a number, the column of the patients
        that holds it, or the number by lot of the product.

    Returns
    -------
    Study
        The same study with the derived samples. One that lacks a count or a VCN is
        missing, with the reason, and ``study.problems`` names patient and day.

    Raises
    ------
    DataError
        If the assay cannot be converted so, something that the conversion needs is not
        stated, or no sample has all of it.

    Notes
    -----
    Copies per cell are copies per ug over 151,515, the diploid genomes (6.6 pg each)
    in a microgram; copies in blood are copies per cell times the cells in blood that
    the DNA is of; cells in blood are copies in blood over the VCN. The VCN of the
    product changes in the patient.

    Examples
    --------
    >>> samples = {"patient": "1", "time": 7, "level": [35300, 3000]}
    >>> frame = pd.DataFrame(samples).assign(assay=["qpcr", "wbc"])
    >>> study = Study.from_frames(samples=frame)
    >>> more = convert(study, "qpcr", to="cells/uL", gdna="whole_blood", vcn=2)
    >>> more.select("cells_from_qpcr")["level"].round(1).tolist()
    [349.5]
    >>> more.main_assay
    'qpcr'
    """
    study.unit(assay)  # it must have samples
    source = study.assay(assay)
    target = _target(study, source, to)
    rows = study.samples.query("assay == @assay").reset_index(drop=True)
    steps = [from_unit(rows, source)]
    if to != "copies/cell" and factor(source.unit, "copies/ug") is not None:
        how = {"gdna": gdna, "count": count, "same_day": same_day}
        steps.append(times_count(rows, study, **how))
    if to == "cells/uL":
        steps.append(over_vcn(rows, study, vcn))
    elif vcn is not None:
        what, todo = f"{to} takes no VCN", "Leave vcn out, or convert to 'cells/uL'."
        raise DataError(Problem(what, todo, column="vcn", value=str(vcn)))
    new, lacking = _derived(rows, target, steps, study.settings)
    return _joined(study, new, target, lacking)


def _target(study: Study, source: Assay, to: str) -> Assay:
    """Return the assay to derive, which the study must not hold yet."""
    possible = derived_from(source)
    if not possible:
        what = f"{source.name!r}, in {source.unit}, is not an assay that is converted"
        todo = "Convert an assay of copies per ug of DNA or per volume of blood."
        raise DataError(Problem(what, todo, column="assay", value=source.name))
    if to not in possible:
        what = f"{source.name!r} is not converted to {to!r}"
        raise DataError(Problem(what, nearest(to, possible), column="to", value=to))
    target = possible[to]
    if target.name in study.assays:
        what = f"the study holds {target.name!r} already"
        todo = "Convert the study as it was before."
        raise DataError(Problem(what, todo, column="assay", value=target.name))
    return target


def _derived(
    rows: pd.DataFrame, target: Assay, steps: list[Step], settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the derived samples, and those that lack something the others have."""
    times = np.prod([step.times for step in steps], axis=0)
    why = np.full(len(rows), "", dtype=object)
    for step in reversed(steps):
        why = np.where(step.why != "", step.why, why)
    usable = (~rows["excluded"] & (rows["state"] != "missing")).to_numpy()
    without = (why != "") & (rows["state"] != "missing").to_numpy()
    lacking = rows.assign(why=why)[without & usable]
    if usable.any() and len(lacking) == usable.sum():
        what = f"no sample can be converted to {target.name!r}: {_named(lacking)}"
        todo = "Deliver what is lacking, or widen same_day."
        raise DataError(Problem(what, todo, column="assay", value=target.name))
    before = rows["derived"].where(rows["derived"] == "", rows["derived"] + "; ")
    numbers = {
        name: np.where(without, np.nan, rows[name] * times)
        for name in ("level", "lloq", "llod", "uloq")
    }
    said = before.astype(object) + np.sum([step.said for step in steps], axis=0)
    frame = rows.assign(
        assay=target.name,
        unit=target.unit,
        **numbers,
        state=rows["state"].mask(without, "missing"),
        reason=rows["reason"].mask(without & (rows["reason"] == ""), why),
        limit_assumed=rows["limit_assumed"] & ~without,
        derived=np.where(without | (rows["state"] == "missing"), before, said),
    )
    return _checked(frame, _with(settings, target)), lacking


def _checked(frame: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Read the derived samples as any others are; they stand where theirs stand."""
    section = SamplesFile(file="derived samples")
    sheet = Sheet.of_frame(frame.drop(columns=["file", "row"]), section)
    table = samples_of(sheet, section, settings)
    if sheet.problems:
        raise DataError(sheet.problems)
    table = table.assign(file=frame["file"], row=frame["row"])
    return table.astype(dict(COLUMNS["samples"]))


def _with(settings: Settings, target: Assay) -> Settings:
    """Return settings that know the derived assay, also of an assay of the study's."""
    if target.name in settings.known_assays:
        return settings
    about = AssaySection(
        unit=target.unit,
        label=target.label,
        axis=target.axis,
        kinetics=target.kinetics,
        derived=target.derived,
    )
    assays = {**settings.assays, target.name: about}
    return settings.model_copy(update={"assays": assays})


def _joined(
    study: Study, new: pd.DataFrame, target: Assay, lacking: pd.DataFrame
) -> Study:
    """Put the derived samples among the others, and look again for what is doubtful."""
    settings = _with(study.settings, target)
    tables = {name: getattr(study, name) for name in TABLES}
    before = Draft(**tables, settings=study.settings)
    known = _only_delivered(study.problems, doubts(before))
    if len(lacking):
        n = "1 sample has" if len(lacking) == 1 else f"{len(lacking)} samples have"
        what = f"{n} no level of {target.name}: {_named(lacking)}"
        todo = "Nothing, if they cannot be had: the samples count as missing."
        known.append(Problem(what, todo, "warning", column="level"))
    samples = pd.concat([tables["samples"], new])
    samples = samples.sort_values(ORDER["samples"], kind="stable", ignore_index=True)
    tables["samples"] = samples
    problems = doubts(Draft(**tables, settings=settings), known)
    more = {"problems": problems, "accounting": study.accounting}
    return Study({**tables, **more}, settings, study.sources)


def _only_delivered(problems: pd.DataFrame, found: pd.DataFrame) -> list[Problem]:
    """Return the doubts that only the delivered files showed."""
    again = set(found.astype(str).itertuples(index=False, name=None))
    rows = problems.astype(str).itertuples(index=False, name=None)
    only = [row not in again for row in rows]
    told = problems[only].astype(object).where(problems[only].notna(), None)
    records = told.to_dict("records")
    return [Problem(**{str(name): row[name] for name in row}) for row in records]


def _named(lacking: pd.DataFrame) -> str:
    """Name patients and days by what they lack."""
    parts = []
    for why, rows in lacking.groupby("why", sort=False):
        days = rows.groupby("patient")["time"].agg(lambda times: _days(list(times)))
        who = [f"patient {patient} on {on}" for patient, on in days.items()]
        more = f" and {len(who) - NAMED} more patients" if len(who) > NAMED else ""
        parts.append(f"{why} ({'; '.join(who[:NAMED])}{more})")
    return ", ".join(parts)


def _days(times: list[float]) -> str:
    named = ", ".join(f"{time:g}" for time in times[:NAMED])
    more = f" and {len(times) - NAMED} more" if len(times) > NAMED else ""
    return f"day{'s' if len(times) > 1 else ''} {named}{more}"
