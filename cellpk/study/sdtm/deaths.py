"""Deaths: of DM and, where it agrees or DM is silent, of DS."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.outcomes import CRITERIA, EVALUATOR, NOTE, add_outcomes
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects, usable
from cellpk.study.sdtm.times import Times, tell_times, times_of


def add_deaths(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> None:
    """Read who died, and when.

    Parameters
    ----------
    domains : sequence of Domain
        All domains, of which DM (DTHFL, DTHDTC) and DS (DSDECOD is DEATH) are read.
        What DS says of a patient whose death DM tells is put aside; another day is
        doubtful.
    subjects : Subjects
        Whose records are read, and their time 0.
    section : SdtmFiles
        What study.toml says.
    delivery : Delivery
        Where the outcomes go.

    Examples
    --------
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02T09:00"}), Delivery()
    >>> dm = Domain.of("DM", USUBJID=["1"], DTHDTC=["2014-02-01T09:00"])
    >>> add_deaths([dm], subjects, section, delivery=delivery)
    >>> delivery.sheets["outcomes"][0].text("time").tolist()
    ['30.0']
    """
    told, asked = pd.Series(dtype="float64"), False
    for part in (part for part in domains if part.name == "DM"):
        asked |= "DTHFL" in part or "DTHDTC" in part
        known, _ = subjects.known(part)
        flag = (part.text("DTHFL").str.upper() == "Y").to_numpy(bool)
        dead = known & (flag | (part.text("DTHDTC") != "").to_numpy(bool))
        times = times_of(part, subjects, delivery, date="DTHDTC", day="", rows=dead)
        tell_times(part, times, delivery, rows=dead, date="DTHDTC")
        _add(part, subjects, section, rows=dead, times=times, to=delivery)
        days = pd.Series(times.days[dead], index=part.subjects[dead])
        told = pd.concat([told, days]) if len(told) else days
    for part in (part for part in domains if part.name == "DS"):
        more = (told, asked)
        _add_disposition(part, subjects, section, more=more, delivery=delivery)


def _add_disposition(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    more: tuple[pd.Series, bool],
    delivery: Delivery,
) -> None:
    """Add the deaths of DS of which DM does not know, though it could tell them."""
    told, asked = more
    term = part.own("DECOD").where(lambda text: text != "", part.own("TERM"))
    dead = (term.str.upper() == "DEATH").to_numpy(bool)
    delivery.put_aside(part.grid, ~dead, "disposition other than death")
    dead = usable(part, subjects, delivery, rows=dead)
    twice = dead & part.subjects.isin(told.index).to_numpy(bool)
    delivery.put_aside(part.grid, twice, "the death that DM tells")
    date = part.called("STDTC", "DTC") or f"{part.name}STDTC"
    day = f"{part.name}STDY"
    times = times_of(part, subjects, delivery, date=date, day=day, rows=dead)
    said = part.subjects.map(told[~told.index.duplicated()]).to_numpy(float)
    differ = twice & (np.abs(times.days - said) >= 1)
    what = "{n} of a death on another day than DM tells"
    part.doubt(
        differ,
        what,
        "The day of DM is read.",
        column=date,
        to=delivery,
        rule="deaths_disagree",
    )
    again = part.subjects.where(dead & ~twice, "").duplicated().to_numpy(bool)
    again = again & dead & ~twice
    delivery.put_aside(part.grid, again, "the death that another record tells")
    rows = dead & ~twice & ~again
    what = "{n} of a death in DS that DM does not tell: it is read"
    todo = "Correct DM (DTHFL, DTHDTC) or the disposition."
    silent, column = rows & asked, f"{part.name}DECOD"
    part.doubt(silent, what, todo, column=column, to=delivery, rule="deaths_disagree")
    tell_times(part, times, delivery, rows=rows, date=date)
    _add(part, subjects, section, rows=rows, times=times, to=delivery)


def _add(
    part: Domain,
    subjects: Subjects,
    section: SdtmFiles,
    *,
    rows: Mask,
    times: Times,
    to: Delivery,
) -> None:
    told = {"endpoint": "death", "value": "1", "column": "DTHFL"}
    if part.name != "DM":
        told["column"] = f"{part.name}DECOD"
        told |= {
            "criteria": part.either(*CRITERIA),
            "evaluator": part.either(*EVALUATOR),
            "note": part.either(*NOTE),
        }
    add_outcomes(part, subjects, section, rows=rows, times=times, told=told, to=to)
