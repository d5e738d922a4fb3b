"""What outcomes of every domain share: grades, notes, and how they are added."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpk.study.assessments import ASSESSMENTS
from cellpk.study.delivery import Delivery
from cellpk.study.file_sections import OutcomesFile
from cellpk.study.sdtm.domains import Domain, Mask, add_sheet
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects
from cellpk.study.sdtm.times import Times

NOTE, CRITERIA, EVALUATOR = ("NOTE",), ("CRIT",), ("EVAL",)
"""Qualifiers that cellpk writes, and reads, of what SDTM has no variable for."""

OWN = frozenset(NOTE + CRITERIA + EVALUATOR)
_GRADE = re.compile(r"^(?:(?:ASTCT|CTCAE|TOXICITY)\s+)?(?:GRADE|GR\.?|G)?\s*", re.I)


def grades(text: pd.Series) -> pd.Series:
    """Return grades as digits; what is no grade stays as it is.

    Examples
    --------
    >>> grades(pd.Series(["GRADE 2", "3", "mild", ""])).tolist()
    ['2', '3', 'mild', '']
    """
    digits = text.str.replace(_GRADE, "", regex=True)
    return digits.where(digits.str.fullmatch(r"[0-5](?:\.0)?"), text)


def is_flag(endpoint: pd.Series) -> Mask:
    """Tell which endpoints happen or do not, as a dose-limiting toxicity.

    Examples
    --------
    >>> is_flag(pd.Series(["dlt", "crs_grade", ""])).tolist()
    [True, False, False]
    """
    flags = [
        name
        for name, row in ASSESSMENTS.items()
        if row.spell("1") == "1" and row.spell("2") is None
    ]
    return endpoint.isin(flags).to_numpy(bool)


def notes(part: Domain) -> pd.Series:
    """Return what else is said of each record: its qualifiers, by name.

    A qualifier called NOTE is a note as it stands.

    Examples
    --------
    >>> rs = Domain.of("RS", PDOFL=["Y", ""], NACTDT=["2014-02", ""])
    >>> notes(Domain("RS", rs.grid, ("PDOFL", "NACTDT"))).tolist()
    ['PDOFL=Y; NACTDT=2014-02', '']
    """
    text = pd.Series([""] * len(part), dtype="str")
    own = {part.called(name) for name in OWN}
    for name in part.qualifiers:
        if name not in own:
            said = part.text(name)
            between = np.where((text != "") & (said != ""), "; ", "")
            text = text + between + (name + "=" + said).where(said != "", "")
    whole = part.either(*NOTE)
    return whole.where(whole != "", text)


def add_outcomes(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    rows: Mask,
    times: Times,
    told: Mapping[str, Any],
    to: Delivery,
) -> None:
    """Add outcomes of a domain.

    ``told`` says, by our name for them, what each record is: ``endpoint``, ``value``
    and, where known, ``criteria``, ``evaluator`` and ``note``; ``column`` is the
    variable of the file that holds the value.

    Examples
    --------
    >>> rows = np.array([True])
    >>> section = SdtmFiles(format="sdtm", files=("ds.csv",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02"}), Delivery()
    >>> ds, times = Domain.of("DS", USUBJID=["1"]), Times(np.array([7.0]), *[~rows] * 3)
    >>> told = {"endpoint": "death", "value": "1", "column": "DSDECOD"}
    >>> more = {"rows": rows, "times": times, "told": told}
    >>> add_outcomes(ds, subjects, section, **more, to=delivery)
    >>> delivery.sheets["outcomes"][0].text("value").tolist()
    ['1']
    """
    value = told["column"]
    more = {
        subjects.variable: subjects.patient(part),
        "time": times.text,
        value: told["value"],
    } | {name: told.get(name, "") for name in ("criteria", "evaluator", "note")}
    columns = {"patient": subjects.variable, "value": value}
    more["endpoint"] = told["endpoint"]
    file = OutcomesFile(
        file=part.grid.file, columns=columns, values=section.values, infusion_day=0
    )
    add_sheet(to, "outcomes", part, section=file, rows=rows, more=more)
