"""Responses of the tumour: RS, and what its supplement says of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.outcomes import CRITERIA, EVALUATOR, add_outcomes, notes
from cellpk.study.sdtm.section import SdtmFiles
from cellpk.study.sdtm.subjects import Subjects, usable
from cellpk.study.sdtm.times import tell_times, times_of

RESPONSES: Mapping[str, str] = {
    "OVRLRESP": "response",
    "BESTRESP": "best_response",
    "BOR": "best_response",
    "MRD": "mrd",
}
"""Test codes of RS by the endpoint that they are read as."""


def add_responses(
    domains: Sequence[Domain],
    subjects: Subjects,
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> None:
    """Read responses; put rating scales and other tests aside.

    RS also holds clinical classifications (HAMD-17, ECOG ...), which are no response
    of a tumour: only the test codes of ``RESPONSES`` and ``responses`` are read.

    Parameters
    ----------
    domains : sequence of Domain
        All domains, of which RS is read.
    subjects : Subjects
        Whose records are read, and their time 0.
    section : SdtmFiles
        ``responses``, ``evaluator`` and ``values``.
    delivery : Delivery
        Where the outcomes go.

    Examples
    --------
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> subjects, delivery = Subjects.of({"1": "2014-01-02T09:00"}), Delivery()
    >>> rs = Domain.of("RS", USUBJID=["1"], RSTESTCD=["OVRLRESP"], RSSTRESC=["CR"])
    >>> add_responses([rs], subjects, section, delivery=delivery)
    >>> delivery.sheets["outcomes"][0].text("endpoint").tolist()
    ['response']
    """
    said = {code.upper(): name for code, name in section.responses.items()}
    known = {code: name for code, name in {**RESPONSES, **said}.items() if name}
    for part in (part for part in domains if part.name == "RS"):
        endpoint = part.own("TESTCD").str.upper().map(known).astype("str").fillna("")
        rows = (endpoint != "").to_numpy(bool)
        _put_others_aside(part, rows, delivery)
        undone = rows & ~part.done()
        _put_undone_aside(part, undone, delivery)
        rows = _of_evaluator(part, section, rows & ~undone, delivery=delivery)
        rows = usable(part, subjects, delivery, rows=rows)
        times = times_of(part, subjects, delivery, date="RSDTC", day="RSDY", rows=rows)
        tell_times(part, times, delivery, rows=rows, date="RSDTC")
        value = part.own("STRESC").where(lambda text: text != "", part.own("ORRES"))
        told = {
            "endpoint": endpoint,
            "value": value,
            "column": part.called("STRESC", "ORRES") or "RSSTRESC",
            "criteria": part.own("CAT").where(
                lambda text: text != "", part.either(*CRITERIA)
            ),
            "evaluator": part.either(*EVALUATOR),
            "note": notes(part),
        }
        add_outcomes(
            part, subjects, section, rows=rows, times=times, told=told, to=delivery
        )


def _put_others_aside(part: Domain, responses: Mask, delivery: Delivery) -> None:
    """Put aside what is no response of the tumour, by category or by test code."""
    category, code = part.own("CAT"), part.own("TESTCD")
    of_tumour = set(category[responses])
    for word in category[~responses].unique():
        rows = ~responses & (category == word).to_numpy(bool)
        if word and word not in of_tumour:
            delivery.put_aside(part.grid, rows, f"{word} is no tumour response")
            continue
        for test in code[rows].unique():
            here = rows & (code == test).to_numpy(bool)
            reason = f"test code {test} is not read as a tumour response"
            delivery.put_aside(part.grid, here, reason)


def _put_undone_aside(part: Domain, rows: Mask, delivery: Delivery) -> None:
    reasons = part.own("REASND")
    for reason in reasons[rows].unique():
        here = rows & (reasons == reason).to_numpy(bool)
        why = f"not done: {reason}" if reason else "not done"
        delivery.put_aside(part.grid, here, why)


def _of_evaluator(
    part: Domain, section: SdtmFiles, rows: Mask, *, delivery: Delivery
) -> Mask:
    """Keep the responses of the evaluator of study.toml."""
    if not section.evaluator:
        return rows
    evaluator = part.either(*EVALUATOR)
    wanted = evaluator.str.casefold() == section.evaluator.casefold()
    wanted = np.asarray(wanted, dtype=bool)
    for word in evaluator[rows & ~wanted].unique():
        here = rows & ~wanted & (evaluator == word).to_numpy(bool)
        reason = f"assessed by {word or 'nobody named'}, not {section.evaluator}"
        delivery.put_aside(part.grid, here, reason)
    return rows & wanted
