"""Patients and their covariates: DM and its supplement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.delivery import Delivery
from cellpk.study.file_sections import PatientsFile
from cellpk.study.sdtm.domains import Domain, Mask, add_sheet
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects
from cellpk.study.sdtm.times import as_text, times_of
from cellpk.study.sheet import DIGITS

COVARIATES: Mapping[str, str] = {
    "age": "AGE",
    "sex": "SEX",
    "race": "RACE",
    "ethnic": "ETHNIC",
    "country": "COUNTRY",
    "siteid": "SITEID",
    "arm": "ARM",
    "actarm": "ACTARM",
    "last_contact": "RFPENDTC",
}
"""The usual covariates by our name, with the variable of DM that holds them."""


def add_people(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> None:
    """Read patients and their covariates; put aside who was never infused.

    Parameters
    ----------
    domains : sequence of Domain
        All domains, of which DM (with its qualifiers) is read.
    subjects : Subjects
        Whose records are read, and their time 0.
    section : SdtmFiles
        ``covariates``; without them, the usual ones and those of SUPPDM.
    delivery : Delivery
        Where all of it goes.

    Examples
    --------
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02T09:00"}), Delivery()
    >>> dm = Domain.of("DM", USUBJID=["1"], AGE=["61"], BRTHDTC=["1953"])
    >>> add_people([dm], subjects, section, delivery=delivery)
    >>> list(delivery.sheets["patients"][0].cells)
    ['USUBJID', 'age']
    """
    people = [part for part in domains if part.name == "DM"]
    if not people:
        what = "there is no DM among the files: no covariates are read"
        todo = "Add DM; without it the patients are those who were infused."
        file = domains[0].grid.file if domains else section.files[0]
        delivery.doubts.append(Problem(what, todo, "warning", file=file))
    for part in people:
        known, _ = subjects.known(part)
        delivery.put_aside(part.grid, ~known, "never infused")
        _add_patients(part, subjects, section, rows=known, delivery=delivery)


def _add_patients(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    rows: Mask,
    delivery: Delivery,
) -> None:
    chosen = _covariates(part, section, delivery)
    patient = subjects.variable if subjects.variable not in chosen else "patient"
    cells = {patient: subjects.patient(part)}
    for name, variable in chosen.items():
        dated = variable.endswith("DTC") and variable not in part.qualifiers
        cells[name] = (
            _days(part, subjects, variable, rows=rows, delivery=delivery)
            if dated
            else part.text(variable)
        )
    unit = part.text("AGEU").str.upper()
    other = ~unit.isin(["YEARS", ""]).to_numpy(bool) & rows
    what = "{n} in which the age is not in years (AGEU)"
    part.doubt(
        other, what, "Give ages in years.", column="AGEU", to=delivery, rule="age_unit"
    )
    # Without covariates, every other column would be taken for one.
    part = Domain(part.name, replace(part.grid, cells=pd.DataFrame(cells)))
    file = PatientsFile(file=part.grid.file, columns={"patient": patient})
    add_sheet(delivery, "patients", part, section=file, rows=rows, more={})


def _covariates(part: Domain, section: SdtmFiles, delivery: Delivery) -> dict[str, str]:
    """Return the covariates by our name, with their variables."""
    if section.covariates:
        known = [str(name) for name in part.grid.cells.columns]
        for name, variable in section.covariates.items():
            if variable and variable not in known:
                what = f"there is no variable {variable!r} for the covariate {name!r}"
                todo = f"{nearest(variable, known)} Say '' where nobody has a value."
                file = part.grid.file
                problem = Problem(what, todo, file=file, column=variable)
                delivery.problems.append(problem)
        return dict(section.covariates)
    usual = {
        name: variable
        for name, variable in COVARIATES.items()
        if not parsing.is_blank(part.text(variable)).all()
    }
    more = {
        name.lower(): name
        for name in part.qualifiers
        if not name.endswith(("DTC", "DT")) and name.lower() not in usual
    }
    return usual | more


def _days(
    part: Domain, subjects: Subjects, variable: str, *, rows: Mask, delivery: Delivery
) -> pd.Series:
    """Return a date of DM as days after time 0."""
    times = times_of(part, subjects, delivery, date=variable, day="", rows=rows)
    what = f"{{n}} with an incomplete {variable}: left out"
    todo = "Give the full date if it is known."
    part.doubt(
        times.partial, what, todo, column=variable, to=delivery, rule="incomplete_date"
    )
    return as_text(np.round(times.days, DIGITS))
