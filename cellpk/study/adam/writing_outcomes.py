"""Outcomes and comedication as ADRS, ADTTE, ADAE, ADCE and ADCM."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.adam.names import label_of, short_name
from cellpk.study.adam.variables import dataset
from cellpk.study.adam.writing_levels import UNIT
from cellpk.study.assessments import ASSESSMENTS
from cellpk.study.cdisc import EVENTS
from cellpk.study.dataset import Dataset
from cellpk.study.sdtm.variables import study_days

if TYPE_CHECKING:
    from cellpk.study.study import Study

TIMED = {
    "death": ("OS", "Overall Survival (days)", "Death"),
    "progression": ("TTP", "Time to Progression (days)", "Disease progression"),
}
"""Endpoints of ADTTE: PARAMCD, PARAM and what an event is called."""

TERMS = {name: term.capitalize() for term, name in EVENTS.items()}
TERMS["dlt"] = "Dose-limiting toxicity"
"""Endpoints of ADAE: the term of the event."""

_CODES = {"response": "OVR", "best_response": "BOR", "mrd": "MRD"}
LAST_CONTACT = "LASTCONT"


def response_codes(endpoints: Iterable[str]) -> dict[str, str]:
    """Return the PARAMCD of each endpoint that stands in ADRS.

    Examples
    --------
    >>> response_codes(["best_response", "death"])
    {'best_response': 'BOR'}
    """
    found: dict[str, str] = {}
    for name in endpoints:
        if name not in TIMED and name not in TERMS:
            taken = {*_CODES.values(), *found.values()}
            found[name] = _CODES.get(name) or short_name(name, taken)
    return found


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return records with the number that each has within its patient."""
    if len(frame):
        number = frame.groupby("USUBJID").cumcount() + 1
        frame.insert(2, "ASEQ", number)
    return frame.reset_index(drop=True)


def responses(study: "Study") -> Dataset:
    """Return ADRS: every outcome that is neither timed nor an adverse event."""
    outcomes = study.outcomes
    code = response_codes(outcomes["endpoint"].unique())
    rows = outcomes[outcomes["endpoint"].isin(list(code))]
    label = {name: label_of(ASSESSMENTS[name].label) for name in code}
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": rows["patient"],
            "PARAMCD": rows["endpoint"].map(code),
            "PARAM": rows["endpoint"].map(label),
            "AFRLT": rows["time"],
            "FRLTU": UNIT,
            "ADY": study_days(rows["time"]),
            "AVALC": rows["value"],
            "RSCAT": rows["criteria"],
            "RSEVAL": rows["evaluator"],
            "ANOTE": rows["note"],
        }
    )
    return dataset("adrs", "Response Analysis", _numbered(frame))


def time_to_event(study: "Study") -> Dataset:
    """Return ADTTE: death and progression, CNSR 0 where they came.

    Patients who have a last contact and no record of death are added as censored, with
    DTYPE 'LASTCONT': without them, whoever reads ADTTE would miss the survivors.
    """
    outcomes = study.outcomes
    rows = outcomes[outcomes["endpoint"].isin(list(TIMED))]
    rows = pd.concat([rows.assign(kind=""), _alive(study, rows)], ignore_index=True)
    came = rows["value"] == "1"
    told = {name: event for name, (_, _, event) in TIMED.items()}
    lasted = rows["kind"] != ""
    why = np.where(lasted, "Last contact", np.where(came, "", "No event yet"))
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": rows["patient"],
            "PARAMCD": rows["endpoint"].map({n: row[0] for n, row in TIMED.items()}),
            "PARAM": rows["endpoint"].map({n: row[1] for n, row in TIMED.items()}),
            "AVAL": rows["time"],
            "AVALU": UNIT,
            "AFRLT": rows["time"],
            "FRLTU": UNIT,
            "CNSR": np.where(came, 0, 1),
            "EVNTDESC": rows["endpoint"].map(told).where(came, "Censored"),
            "CNSDTDSC": why,
            "DTYPE": rows["kind"],
            "PARCAT2": rows["evaluator"],
            "PARCAT3": rows["criteria"],
            "ANOTE": rows["note"],
        }
    )
    return dataset("adtte", "Time to Event Analysis", _numbered(frame))


def _alive(study: "Study", rows: pd.DataFrame) -> pd.DataFrame:
    """Return a censored record for whoever was last seen alive."""
    patients = study.patients
    if "last_contact" not in patients:
        return rows.head(0)
    seen = pd.to_numeric(patients["last_contact"], errors="coerce")
    told = rows.loc[rows["endpoint"] == "death", "patient"]
    alive = seen.notna() & ~patients["patient"].isin(told)
    known = pd.DataFrame({"patient": patients["patient"], "time": seen})[alive]
    blank = dict.fromkeys(("criteria", "evaluator", "note"), "")
    return known.assign(endpoint="death", value="0", kind=LAST_CONTACT, **blank)


def _events(study: "Study", *, occurred: bool) -> pd.DataFrame:
    """Return grades and DLT of patients in whom an event occurred, or of the others."""
    outcomes = study.outcomes
    rows = outcomes[outcomes["endpoint"].isin(list(TERMS))]
    key = [rows["patient"], rows["endpoint"]]
    some = (rows["value"] != "0").groupby(key).transform("any").astype(bool)
    return rows[some if occurred else ~some]


def adverse_events(study: "Study") -> Dataset:
    """Return ADAE: CRS and ICANS with their grades, and dose-limiting toxicity."""
    rows = _events(study, occurred=True)
    limiting = rows["endpoint"] == "dlt"
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": rows["patient"],
            "AEDECOD": rows["endpoint"].map(TERMS),
            "ASTFRLT": rows["time"],
            "FRLTU": UNIT,
            "ASTDY": study_days(rows["time"]),
            "ATOXGR": rows["value"].mask(limiting, ""),
            "ATOXSTD": rows["criteria"],
            "DLTFL": np.where(limiting & (rows["value"] == "1"), "Y", ""),
            "AEEVAL": rows["evaluator"],
            "ANOTE": rows["note"],
        }
    )
    return dataset("adae", "Adverse Events Analysis", _numbered(frame))


def clinical_events(study: "Study") -> Dataset:
    """Return ADCE: events that were looked for in a patient and did not occur."""
    rows = _events(study, occurred=False)
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": rows["patient"],
            "CEDECOD": rows["endpoint"].map(TERMS),
            "CEPRESP": "Y",
            "CEOCCUR": "N",
            "ASTFRLT": rows["time"],
            "FRLTU": UNIT,
            "ASTDY": study_days(rows["time"]),
            "ATOXSTD": rows["criteria"],
            "CEEVAL": rows["evaluator"],
            "ANOTE": rows["note"],
        }
    )
    return dataset("adce", "Clinical Events Analysis", _numbered(frame))


def comedication(study: "Study") -> Dataset:
    """Return ADCM: one record per drug and time."""
    rows = study.comedication
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": rows["patient"],
            "CMDECOD": rows["drug"],
            "CMDOSE": rows["dose"],
            "CMDOSU": rows["unit"],
            "ASTFRLT": rows["time"],
            "AENFRLT": rows["end_time"],
            "FRLTU": UNIT,
            "ASTDY": study_days(rows["time"]),
            "AENDY": study_days(rows["end_time"]),
        }
    )
    return dataset("adcm", "Concomitant Medications Analysis", _numbered(frame))
