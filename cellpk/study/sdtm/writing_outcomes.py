"""Outcomes as RS, AE, CE and DS."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.dataset import Dataset
from cellpk.study.dates import write_dates
from cellpk.study.sdtm.events import ASTCT
from cellpk.study.sdtm.variables import START, study_days
from cellpk.study.sdtm.writing_people import domain_with_supplement, told_deaths

if TYPE_CHECKING:
    from cellpk.study.study import Study

TESTS: Mapping[str, tuple[str, str]] = {
    "response": ("OVRLRESP", "Overall Response"),
    "best_response": ("BESTRESP", "Best Overall Response"),
    "mrd": ("MRD", "Measurable Residual Disease"),
}
"""By endpoint, test code and name of RS; that of residual disease is our own."""

TERMS: Mapping[str, str] = {
    "crs_grade": "Cytokine release syndrome",
    "icans_grade": "Immune effector cell-associated neurotoxicity syndrome",
    "dlt": "Dose limiting toxicity",
    "progression": "Disease progression",
    "death": "Death",
}
"""By endpoint, the term of AE or CE; the first two are preferred terms of MedDRA."""

_GRADED = ("crs_grade", "icans_grade")
_QUALIFIER = re.compile(r"([A-Z][A-Z0-9_]{0,6}[A-Z_])=(.+)")
_LABELS = {
    "PDOFL": "Progressive Disease: Other",
    "PDIFL": "Progressive Disease: Imaging",
    "DTHPDFL": "Death Due to Progressive Disease",
    "NACTDT": "New Anti-Cancer Therapy Date",
}


def write_outcomes(study: "Study") -> list[Dataset]:
    """Return the outcomes of a study as RS, AE, CE and DS, with their supplements.

    Responses are written to RS. Grades of CRS and ICANS above 0 are adverse events:
    one record per assessment, so that two criteria are two records. That an event did
    not occur, dose-limiting toxicity, progression, and deaths that DM has no room for
    are clinical events that were asked for (CE). Deaths that DM tells stand in DS, too.

    Parameters
    ----------
    study : Study
        The study.

    Examples
    --------
    >>> import cellpk as ck
    >>> [data.name for data in write_outcomes(ck.simulate_study(seed=1))]
    ['rs', 'ae', 'ce', 'ds']
    """
    name, outcomes = study.settings.study.id, study.outcomes
    of_tumour = outcomes["endpoint"].isin(list(TESTS))
    deaths = told_deaths(study)
    in_dm = outcomes.index.isin(deaths.index)
    adverse = outcomes["endpoint"].isin(_GRADED) & (outcomes["value"] != "0")
    # Rows that only their order tells apart have to stand in one file.
    key = ["patient", "endpoint", "time"]
    mixed = adverse.groupby([outcomes[k] for k in key], dropna=False).transform("all")
    adverse &= mixed
    clinical = ~of_tumour & ~in_dm & ~adverse
    return [
        *_responses(name, outcomes[of_tumour].reset_index(drop=True)),
        *_adverse(name, outcomes[adverse].reset_index(drop=True)),
        *_clinical(name, outcomes[clinical].reset_index(drop=True)),
        *_disposition(name, deaths.reset_index(drop=True)),
    ]


def _responses(study: str, rows: pd.DataFrame) -> list[Dataset]:
    tests = {endpoint: test for endpoint, (test, _) in TESTS.items()}
    labels = {endpoint: label for endpoint, (_, label) in TESTS.items()}
    columns = {
        "RSTESTCD": rows["endpoint"].map(tests).astype("str"),
        "RSTEST": rows["endpoint"].map(labels).astype("str"),
        "RSCAT": rows["criteria"],
        "RSORRES": rows["value"],
        "RSSTRESC": rows["value"],
        "RSEVAL": rows["evaluator"],
        "RSDTC": write_dates(rows["time"], START),
        "RSDY": study_days(rows["time"]),
    }
    told = _notes("RS", rows["note"], taken=set(columns))
    return domain_with_supplement(
        study, "RS", rows["patient"], columns=columns, told=told
    )


def _notes(
    domain: str, notes: pd.Series, *, taken: set[str]
) -> tuple[tuple[str, str, pd.Series], ...]:
    """Return notes as qualifiers: those that are qualifiers by their names."""
    own = {f"{domain}{word}" for word in ("NOTE", "CRIT", "EVAL")}
    split = [_split(note, taken | own | {"NOTE", "CRIT", "EVAL"}) for note in notes]
    order = list(dict.fromkeys(name for parts in split for name in parts))
    place = {name: number for number, name in enumerate(order)}
    # A record is read in the order of all qualifiers: others stay a note.
    fits = [sorted(parts, key=place.__getitem__) == list(parts) for parts in split]
    split = [parts if fit else {} for parts, fit in zip(split, fits, strict=True)]
    whole = notes.mask(np.array([bool(parts) for parts in split], dtype=bool), "")
    values = {name: [parts.get(name, "") for parts in split] for name in order}
    return (
        *(
            (name, _LABELS.get(name, name), pd.Series(values[name], dtype="str"))
            for name in order
        ),
        (f"{domain}NOTE", "Note", whole),
    )


def _split(note: str, taken: set[str]) -> dict[str, str]:
    """Return the qualifiers that a note lists, none where it is no such list."""
    found = [_QUALIFIER.fullmatch(part) for part in note.split("; ")]
    pairs = {match[1]: match[2] for match in found if match}
    again = "; ".join(f"{name}={value}" for name, value in pairs.items())
    return pairs if again == note and not set(pairs) & taken else {}


def _adverse(study: str, rows: pd.DataFrame) -> list[Dataset]:
    of_astct = rows["criteria"] == ASTCT
    term = rows["endpoint"].map(TERMS).astype("str")
    columns = {
        "AETERM": term.str.upper(),
        "AEDECOD": term,
        "AETOXGR": rows["value"].where(~of_astct, ""),
        "AESTDTC": write_dates(rows["time"], START),
        "AESTDY": study_days(rows["time"]),
    }
    grade = rows["value"].where(of_astct, "")
    criteria = rows["criteria"].where(~of_astct, "")
    told = (
        ("ASTCTGR", "ASTCT Grade", grade),
        ("AECRIT", "Criteria of the Grade", criteria),
        ("AEEVAL", "Evaluator", rows["evaluator"]),
        ("AENOTE", "Note", rows["note"]),
    )
    return domain_with_supplement(
        study, "AE", rows["patient"], columns=columns, told=told
    )


def _clinical(study: str, rows: pd.DataFrame) -> list[Dataset]:
    occurred = rows["value"] != "0"
    graded = occurred & rows["endpoint"].isin(_GRADED)
    term = rows["endpoint"].map(TERMS).astype("str")
    days = rows["time"]
    columns = {
        "CETERM": term.str.upper(),
        "CEDECOD": term,
        "CEPRESP": pd.Series(["Y"] * len(rows), dtype="str"),
        "CEOCCUR": pd.Series(np.where(occurred, "Y", "N"), dtype="str"),
        "CETOXGR": rows["value"].where(graded, ""),
        "CEDTC": write_dates(days.where(~occurred), START),
        "CESTDTC": write_dates(days.where(occurred), START),
        "CEDY": study_days(days.where(~occurred)),
        "CESTDY": study_days(days.where(occurred)),
    }
    told = (
        ("CECRIT", "Criteria of the Assessment", rows["criteria"]),
        ("CEEVAL", "Evaluator", rows["evaluator"]),
        ("CENOTE", "Note", rows["note"]),
    )
    return domain_with_supplement(
        study, "CE", rows["patient"], columns=columns, told=told
    )


def _disposition(study: str, rows: pd.DataFrame) -> list[Dataset]:
    columns: dict[str, pd.Series | str] = {
        "DSTERM": "DEATH",
        "DSDECOD": "DEATH",
        "DSCAT": "DISPOSITION EVENT",
        "DSSTDTC": write_dates(rows["time"], START),
        "DSSTDY": study_days(rows["time"]),
    }
    return domain_with_supplement(study, "DS", rows["patient"], columns=columns)
