"""Samples and infusions as records of ADPC, ADLB and ADPPK."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.study.adam.names import codes_of, labels_of
from cellpk.study.adam.source import in_words
from cellpk.study.sdtm.variables import study_days
from cellpk.study.sdtm.writing_findings import domain_of, specimen_terms

if TYPE_CHECKING:
    from cellpk.study.study import Study

UNIT = "DAYS"
"""The unit of our relative times, as CDISC's codelist UNIT spells it."""

_SMALLEST, _LARGEST = 2.0**-260, 2.0**249
"""What the floats of a SAS transport file hold; other levels stand in AVALC alone."""


def level_rows(study: "Study", samples: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Return samples as records of a data set of levels.

    Parameters
    ----------
    study : Study
        The study.
    samples : DataFrame
        Those of its samples that are wanted.
    prefix : str
        "PC" or "LB": what the SDTM variables that are kept begin with.

    Returns
    -------
    DataFrame
        One row per sample, in their order.
    """
    known = study.settings.known_assays
    code = codes_of(study.assays, known)
    label = labels_of(code, known)
    state, level = samples["state"], samples["level"]
    below = state.isin(["below", "detected"])
    found = state.isin(["quantified", "detected", "above"])
    fits = (level == 0) | ((level >= _SMALLEST) & (level < _LARGEST))
    domain, number = _sources(study, samples)
    frame = pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": samples["patient"],
            "PARAMCD": samples["assay"].map(code),
            "PARAM": samples["assay"].map(label),
            f"{prefix}SPEC": specimen_terms(samples["specimen"]),
            "AVISIT": samples["visit"],
            "NFRLT": samples["nominal_time"],
            "AFRLT": samples["time"],
            "FRLTU": UNIT,
            "ADY": study_days(samples["time"]),
            "AVAL": level.where(fits),
            "AVALC": _in_words(samples),
            "AVALU": samples["unit"],
            "AVALCAT1": state.str.upper(),
            "ALLOQ": samples["lloq"],
            "ALLOD": samples["llod"],
            "AULOQ": samples["uloq"],
            "ALLOQAFL": np.where(samples["limit_assumed"], "Y", ""),
            "BLQFL": np.where(below, "Y", "N"),
            "DETFL": np.where(found, "Y", np.where(state == "below", "N", "")),
            "ANL01FL": np.where(samples["excluded"], "", "Y"),
            "EXCLRSN": samples["reason"],
            f"{prefix}ORRES": samples["reported"],
            f"{prefix}ORRESU": samples["reported_unit"],
            "ADERIV": samples["derived"],
            "SRCDOM": domain,
            "SRCVAR": domain + "STRESN",
            "SRCSEQ": number,
        }
    )
    return frame.reset_index(drop=True)


def _sources(study: "Study", samples: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return domain and number of the records that samples are in our SDTM files."""
    known = study.settings.known_assays
    every = study.samples[["patient", "assay"]]
    domain = every["assay"].map({n: domain_of(known[n]) for n in study.assays})
    number = every.groupby(["patient", domain]).cumcount() + 1
    return domain.loc[samples.index], number.loc[samples.index]


def _in_words(samples: pd.DataFrame) -> pd.Series:
    """Return each level as text: a number, or on which side of which limit it is."""
    number = in_words(samples["level"]).set_axis(samples.index)
    text = {
        "below": ("<", samples["lloq"], "BLQ"),
        "above": (">", samples["uloq"], "ALQ"),
        "detected": ("<", samples["lloq"], "DETECTED"),
    }
    for state, (sign, limit, word) in text.items():
        said = in_words(limit).set_axis(samples.index)
        said = ("" + sign + said).mask(said == "", word)
        here = (samples["state"] == state) & (number == "")
        number = number.mask(here, said)
    return number


def dose_rows(study: "Study") -> pd.DataFrame:
    """Return infusions as records of PARAMCD 'DOSE', as pharmaverse's ADPC has them."""
    infusions = study.infusions
    return pd.DataFrame(
        {
            "STUDYID": study.settings.study.id,
            "USUBJID": infusions["patient"],
            "PARAMCD": "DOSE",
            "PARAM": "CAR-T Cells Infused",
            "ATPT": "Dose",
            "AFRLT": infusions["time"],
            "FRLTU": UNIT,
            "ADY": study_days(infusions["time"]),
            "AVAL": infusions["dose"],
            "AVALC": in_words(infusions["dose"]),
            "AVALU": infusions["unit"],
            "ANL01FL": "Y",
            "EXLOT": infusions["lot"],
            "SRCDOM": "EX",
            "SRCVAR": "EXDOSE",
            "SRCSEQ": infusions.groupby("patient").cumcount() + 1,
        }
    )


def stacked(parts: list[pd.DataFrame], order: list[str]) -> pd.DataFrame:
    """Put records below each other, by patient and time, numbered per patient.

    Parameters
    ----------
    parts : list of DataFrame
        Records with USUBJID and AFRLT; of equals, the order stays.
    order : list of str
        Names of columns; those that no part has are left out.

    Returns
    -------
    DataFrame
        With ASEQ; text that is not given is "".
    """
    some = [part for part in parts if len(part)]
    if not some:
        return pd.DataFrame()
    kinds = {name: part[name].dtype for part in reversed(some) for name in part.columns}
    whole = pd.concat(some, ignore_index=True)
    whole = whole.sort_values(["USUBJID", "AFRLT"], kind="stable", ignore_index=True)
    for name, kind in kinds.items():
        if not pd.api.types.is_numeric_dtype(kind):
            whole[name] = whole[name].astype("str").fillna("")
    whole["ASEQ"] = whole.groupby("USUBJID").cumcount() + 1
    return whole[[name for name in order if name in whole.columns]]
