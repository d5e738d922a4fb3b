"""Variables of SDTM as they are written: their labels, and data sets made of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpk.study.dataset import Dataset, Variable, is_number

START = "2000-01-01"
"""The date that stands for time 0 of every patient: real dates are not known."""

LABELS: Mapping[str, str] = {
    "STUDYID": "Study Identifier",
    "DOMAIN": "Domain Abbreviation",
    "RDOMAIN": "Related Domain Abbreviation",
    "USUBJID": "Unique Subject Identifier",
    "SUBJID": "Subject Identifier for the Study",
    "RFSTDTC": "Subject Reference Start Date/Time",
    "RFXSTDTC": "Date/Time of First Study Treatment",
    "RFPENDTC": "Date/Time of End of Participation",
    "DTHDTC": "Date/Time of Death",
    "DTHFL": "Subject Death Flag",
    "SITEID": "Study Site Identifier",
    "AGE": "Age",
    "AGEU": "Age Units",
    "SEX": "Sex",
    "RACE": "Race",
    "ETHNIC": "Ethnicity",
    "ARM": "Description of Planned Arm",
    "ACTARM": "Description of Actual Arm",
    "COUNTRY": "Country",
    "VISITNUM": "Visit Number",
    "VISIT": "Visit Name",
    "IDVAR": "Identifying Variable",
    "IDVARVAL": "Identifying Variable Value",
    "QNAM": "Qualifier Variable Name",
    "QLABEL": "Qualifier Variable Label",
    "QVAL": "Data Value",
    "QORIG": "Origin",
    "QEVAL": "Evaluator",
    "--SEQ": "Sequence Number",
    "--TESTCD": "Short Name of Measurement, Test, or Exam",
    "--TEST": "Name of Measurement, Test, or Exam",
    "--CAT": "Category",
    "--ORRES": "Result or Finding in Original Units",
    "--ORRESU": "Original Units",
    "--STRESC": "Character Result/Finding in Std Format",
    "--STRESN": "Numeric Result/Finding in Standard Units",
    "--STRESU": "Standard Units",
    "--STAT": "Completion Status",
    "--REASND": "Reason Not Done",
    "--SPEC": "Specimen Material Type",
    "--DRVFL": "Derived Flag",
    "--LLOQ": "Lower Limit of Quantitation",
    "--ULOQ": "Upper Limit of Quantitation",
    "--EVAL": "Evaluator",
    "--TRT": "Name of Treatment",
    "--TERM": "Reported Term",
    "--DECOD": "Dictionary-Derived Term",
    "--PRESP": "Pre-Specified",
    "--OCCUR": "Occurrence Indicator",
    "--TOXGR": "Toxicity Grade",
    "--DOSE": "Dose",
    "--DOSU": "Dose Units",
    "--LOT": "Lot Number",
    "--DTC": "Date/Time of Collection",
    "--STDTC": "Start Date/Time of Observation",
    "--ENDTC": "End Date/Time of Observation",
    "--DY": "Study Day of Visit/Collection/Exam",
    "--STDY": "Study Day of Start of Observation",
    "--ENDY": "Study Day of End of Observation",
    "--ELTM": "Planned Elapsed Time from Time Point Ref",
    "--TPTREF": "Time Point Reference",
}
"""By variable, "--" in place of the domain, what SDTM 2.0 and SDTMIG 3.4 call it."""

KEPT = frozenset(
    [
        *("STUDYID", "DOMAIN", "USUBJID", "SUBJID", "RFSTDTC", "SITEID", "AGE", "SEX"),
        *("ARM", "ACTARM", "COUNTRY", "--SEQ", "--TESTCD", "--TEST", "--ORRES"),
        *("--ORRESU", "--STRESC", "--STRESN", "--STRESU", "--TRT", "--DOSE", "--DOSU"),
        *("--TERM", "--DECOD", "--TOXGR", "--STDTC", "--PRESP", "--OCCUR"),
    ]
)
"""Variables that are written even where nobody has a value: SDTM requires or expects
them, or a reader would miss them."""

DOMAINS: Mapping[str, str] = {
    "DM": "Demographics",
    "EX": "Exposure",
    "CM": "Concomitant/Prior Medications",
    "PC": "Pharmacokinetics Concentrations",
    "LB": "Laboratory Test Results",
    "CP": "Cell Phenotype Findings",
    "VS": "Vital Signs",
    "RS": "Disease Response and Clin Classification",
    "AE": "Adverse Events",
    "CE": "Clinical Events",
    "DS": "Disposition",
}


def plain_name(variable: str, domain: str) -> str:
    """Return a variable with "--" in place of its domain.

    Examples
    --------
    >>> plain_name("PCDTC", "PC"), plain_name("VISIT", "PC")
    ('--DTC', 'VISIT')
    """
    general = f"--{variable.removeprefix(domain)}"
    return general if variable not in LABELS and general in LABELS else variable


def dataset(domain: str, columns: Mapping[str, Any]) -> Dataset:
    """Return a domain as a data set; variables that say nothing are left out.

    Parameters
    ----------
    domain : str
        Such as "PC".
    columns : mapping
        By variable, its values, or one value for all records.

    Examples
    --------
    >>> columns = {"USUBJID": pd.Series(["1"]), "VISIT": pd.Series([""])}
    >>> dataset("CM", columns).labels
    {'USUBJID': 'Unique Subject Identifier'}
    """
    frame = pd.DataFrame(dict(columns)).reset_index(drop=True)
    general = {name: plain_name(str(name), domain) for name in frame.columns}
    kept = [n for n in frame.columns if general[n] in KEPT or _says(frame[n])]
    variables = [Variable(n, LABELS[general[n]], _meaning(general[n])) for n in kept]
    return Dataset(domain.lower(), DOMAINS[domain], frame[kept], variables)


def _says(column: pd.Series) -> bool:
    blank = column.isna() if is_number(column) else column == ""
    return not bool(blank.all())


def _meaning(general: str) -> str:
    if general == "AGE":
        return "in AGEU"
    if general.endswith("DTC"):
        return f"synthetic: days after time 0 count from {START}, midnight"
    if general.endswith("DY"):
        return "day 1 is that of time 0; there is no day 0"
    return _MEANINGS.get(general, "")


_MEANINGS = {
    "--STRESN": "in --STRESU; empty where there is no number, or none that fits XPT",
    "--LLOQ": "in --STRESU",
    "--ULOQ": "in --STRESU",
    "--DOSE": "in --DOSU",
    "--ELTM": "after time 0",
    "VISITNUM": "the visits in the order of their planned or earliest times",
    "--OCCUR": "Y or N",
    "QNAM": "a name with a digit continues the text of the variable before it",
}


def study_days(days: pd.Series) -> pd.Series:
    """Return study days: 1 is that of time 0, -1 the day before; NaN where not known.

    Examples
    --------
    >>> study_days(pd.Series([-0.5, 0.0, 7.25, np.nan])).tolist()
    [-1.0, 1.0, 8.0, nan]
    """
    whole = np.floor(days.to_numpy(float))
    return pd.Series(np.where(whole < 0, whole, whole + 1), index=days.index)


def sequence(subjects: pd.Series) -> pd.Series:
    """Return the number of each record among those of its subject, from 1.

    Examples
    --------
    >>> sequence(pd.Series(["1", "1", "2"])).tolist()
    [1, 2, 1]
    """
    return subjects.groupby(subjects, sort=False).cumcount() + 1
