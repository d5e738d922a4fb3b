"""From a study to ADaM data sets that read back as the same study."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.study.adam.names import codes_of, label_of, short_name
from cellpk.study.adam.population import STRUCTURE
from cellpk.study.adam.variables import VARIABLES, dataset
from cellpk.study.adam.writing_levels import dose_rows, level_rows, stacked
from cellpk.study.adam.writing_outcomes import (
    adverse_events,
    clinical_events,
    comedication,
    response_codes,
    responses,
    time_to_event,
)
from cellpk.study.dataset import Dataset
from cellpk.study.delivery import TABLES
from cellpk.study.exchange import Export
from cellpk.study.sdtm.variables import LABELS

if TYPE_CHECKING:
    from cellpk.study.study import Study

KEPT = frozenset(
    {
        *STRUCTURE,
        *VARIABLES,
        *("TRTSDT", "TRTSDTM", "FANLDT", "FANLDTM", "DTHDT", "DTHDTM", "DTHDTC"),
        *("LSTALVDT", "EOSDT", "DTHTMF", "LSTALVDM"),
    }
)
"""Names that mean something to whoever reads ADaM: no covariate is called so."""

ORDER = [
    *("STUDYID", "USUBJID", "ASEQ", "PARAMCD", "PARAM", "PCSPEC", "LBSPEC", "AVISIT"),
    *("ATPT", "NFRLT", "AFRLT", "FRLTU", "ADY", "AVAL", "AVALC", "AVALU", "AVALCAT1"),
    *("ALLOQ", "ALLOD", "AULOQ", "ALLOQAFL", "BLQFL", "DETFL", "ANL01FL", "EXCLRSN"),
    *("PCORRES", "PCORRESU", "LBORRES", "LBORRESU", "ADERIV", "EXLOT", "SRCDOM"),
    *("SRCVAR", "SRCSEQ"),
]


def covariate_names(study: "Study") -> dict[str, str]:
    """Return by what names covariates are written: at most eight capitals.

    Examples
    --------
    >>> import cellpk as ck
    >>> covariate_names(ck.simulate_study(seed=1))["tumour_burden"]
    'TUMRBRDN'
    """
    found: dict[str, str] = {}
    for name in map(str, study.patients.columns.drop("patient")):
        found[name] = short_name(name, {*KEPT, *found.values()})
    return found


def about_covariates(study: "Study") -> dict[str, tuple[str, str]]:
    """Return label and meaning of each covariate, by the name it is written by."""
    units = study.settings.units
    return {
        theirs: (_label(ours, theirs), _meaning(ours, units))
        for ours, theirs in covariate_names(study).items()
    }


def _label(ours: str, theirs: str) -> str:
    """Return what CDISC calls a covariate, or else its name in words."""
    return LABELS.get(theirs) or label_of(ours.replace("_", " ").capitalize())


def _meaning(name: str, units: Any) -> str:
    unit = f", in {units[name]}" if name in units else ""
    return f"{name} of cellpk{unit}"


def subjects(study: "Study") -> Dataset:
    """Return ADSL: one record per patient, with the covariates."""
    names = covariate_names(study)
    patients = study.patients
    frame = pd.DataFrame(
        {"STUDYID": study.settings.study.id, "USUBJID": patients["patient"]}
    )
    for ours, theirs in names.items():
        values = patients[ours]
        numeric = pd.api.types.is_numeric_dtype(values.dtype)
        frame[theirs] = values if numeric else values.astype("str").fillna("")
    label = "Subject Level Analysis"
    return dataset("adsl", label, frame, more=about_covariates(study))


def levels(study: "Study") -> list[Dataset]:
    """Return ADPC (CAR-T assays and doses) and ADLB (the other assays)."""
    samples = study.samples
    cells = samples["assay"].isin(study.kinetic_assays)
    doses = dose_rows(study)
    parts = {
        "adpc": [level_rows(study, samples[cells], "PC"), doses],
        "adlb": [level_rows(study, samples[~cells], "LB")],
    }
    labels = {
        "adpc": "Cellular Kinetics Concentrations",
        "adlb": "Laboratory Analysis",
    }
    frames = {name: stacked(rows, ORDER) for name, rows in parts.items()}
    return [
        dataset(name, labels[name], frame)
        for name, frame in frames.items()
        if len(frame)
    ]


def write(study: "Study") -> Export:
    """Return a study as ADaM data sets.

    ADSL has the patients; ADPC the samples of CAR-T cells and transgene and, as
    records of PARAMCD 'DOSE', the infusions; ADLB the samples of other assays; ADRS
    responses and MRD; ADTTE death and progression; ADAE grades and dose-limiting
    toxicity; ADCE those that were looked for and did not occur; ADCM comedication.

    Examples
    --------
    >>> import cellpk as ck
    >>> [data.name for data in write(ck.simulate_study(seed=1)).datasets]
    ['adsl', 'adpc', 'adlb', 'adrs', 'adtte', 'adae', 'adce', 'adcm']
    """
    rest = [
        responses(study),
        time_to_event(study),
        adverse_events(study),
        clinical_events(study),
        comedication(study),
    ]
    datasets = [subjects(study), *levels(study), *rest]
    endpoints = study.outcomes["endpoint"].unique()
    section = {
        **section_of(study),
        "events": {"TTP": "progression"},
        "responses": {
            code: name for name, code in response_codes(endpoints).items() if code
        },
    }
    remarks = (
        "Times are days after the first infusion (FRLTU = DAYS); there are no dates.",
        "ADTTE holds DTYPE = LASTCONT: patients who lived at their last contact.",
    )
    kept = tuple(data for data in datasets if len(data.frame))
    return Export(kept, section, TABLES, remarks)


def section_of(study: "Study") -> dict[str, Any]:
    """Return what [[data]] says of assays, exclusions and covariates."""
    codes = codes_of(study.assays, study.settings.known_assays)
    return {
        "analysis_flag": "ANL01FL",
        "blank": [],
        "assays": {code: name for name, code in codes.items()},
        "covariates": covariate_names(study),
    }
