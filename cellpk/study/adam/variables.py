"""What the variables of our ADaM data sets are called, and what they hold."""

from collections.abc import Mapping

import pandas as pd

from cellpk.study.adam.names import label_of
from cellpk.study.dataset import Dataset, Variable

_DAYS = "days after the first infusion (time 0)"
_OURS = "of cellpk, no variable of CDISC"

VARIABLES: Mapping[str, tuple[str, str]] = {
    "STUDYID": ("Study Identifier", ""),
    "STUDYIDN": ("Study Identifier (N)", ""),
    "PROJID": ("Project Identifier", "the study, for want of a project"),
    "USUBJID": ("Unique Subject Identifier", ""),
    "USUBJIDN": ("Unique Subject Identifier (N)", "the place in the order of names"),
    "ASEQ": ("Analysis Sequence Number", ""),
    "PARAMCD": ("Parameter Code", ""),
    "PARAM": ("Parameter", ""),
    "PCSPEC": ("Specimen Material Type", ""),
    "LBSPEC": ("Specimen Type", ""),
    "AVISIT": ("Analysis Visit", ""),
    "ATPT": ("Analysis Timepoint", "'Dose' in records of doses"),
    "NFRLT": ("Nom. Rel. Time from Analyte First Dose", _DAYS),
    "AFRLT": ("Act. Rel. Time from Analyte First Dose", _DAYS),
    "NPRLT": ("Nominal Rel Time from Previous Dose", "in the unit of FRLTU"),
    "APRLT": ("Actual Rel Time from Previous Dose", "in the unit of FRLTU"),
    "FRLTU": ("Rel. Time from First Dose Unit", "of all relative times"),
    "ADY": ("Analysis Relative Day", "the day of the infusion is 1, there is no day 0"),
    "AVAL": ("Analysis Value", "level, dose or time; blank where there is none"),
    "AVALC": ("Analysis Value (C)", ""),
    "AVALU": ("Analysis Value Unit", ""),
    "AVALCAT1": (
        "Analysis Value Category 1",
        "quantified, detected, below, above, missing",
    ),
    "ALLOQ": ("Analysis Lower Limit of Quantitation", "in the unit of AVAL"),
    "ALLOD": ("Analysis Lower Limit of Detection", f"in the unit of AVAL; {_OURS}"),
    "AULOQ": ("Analysis Upper Limit of Quantitation", "in the unit of AVAL"),
    "ALLOQAFL": ("ALLOQ Is an Assumption Flag", f"Y or blank; {_OURS}"),
    "BLQFL": ("Below Lower Limit of Quant Flag", "Y or N"),
    "BLQFN": ("Below Lower Limit of Quant Flag (N)", "1 yes, 0 no"),
    "DETFL": ("Detected Flag", f"Y, N, or blank without a result; {_OURS}"),
    "ANL01FL": ("Analysis Flag 01", "blank where excluded from analysis"),
    "EXCLRSN": ("Reason for Exclusion or No Result", _OURS),
    "PCORRES": ("Result or Finding in Original Units", "as delivered"),
    "PCORRESU": ("Original Units", "as delivered"),
    "LBORRES": ("Result or Finding in Original Units", "as delivered"),
    "LBORRESU": ("Original Units", "as delivered"),
    "ADERIV": ("How the Level Was Derived", f"blank where measured; {_OURS}"),
    "EXLOT": ("Lot Number", "of the product"),
    "SRCDOM": ("Source Data", "the domain of cellpk's SDTM files"),
    "SRCVAR": ("Source Variable", ""),
    "SRCSEQ": ("Source Sequence Number", "--SEQ in the domain of SRCDOM"),
    "EVID": ("Event ID", "0 level, 1 dose, 2 neither"),
    "MDV": (
        "Missing Dependent Variable Result",
        "1 doses, no result, excluded; BLQ: 0",
    ),
    "AMT": ("Actual Amount of Dose Received", "in the unit of DOSEU"),
    "DV": ("Dependent Variable Result", "in the unit of AVALU; blank below the limit"),
    "DVL": ("Log DV", "natural logarithm"),
    "DVID": ("Dependent Variable Identifier", "1, 2, ... in the order of the assays"),
    "CMT": ("Compartment", "1 dose; an assay has its DVID plus 1"),
    "DOSEA": ("Actual Treatment Dose", "the last one; before it, the first"),
    "DOSEP": ("Planned Treatment Dose", "not known to cellpk"),
    "DOSEU": ("Treatment Dose Units", ""),
    "UDTC": ("Date/Time", "not known to cellpk, which keeps relative times"),
    "II": ("Dosing Interval", "0: no repeated dosing"),
    "SS": ("Steady State", "0: no steady state"),
    "CNSR": ("Censor", "0 event, 1 censored"),
    "EVNTDESC": ("Event or Censoring Description", ""),
    "CNSDTDSC": ("Censor Date Description", ""),
    "DTYPE": ("Derivation Type", "LASTCONT: censored at the last contact, from ADSL"),
    "RSCAT": ("Category for Response", "criteria of the assessment"),
    "RSEVAL": ("Evaluator", ""),
    "PARCAT2": ("Parameter Category 2", "evaluator"),
    "PARCAT3": ("Parameter Category 3", "criteria"),
    "ANOTE": ("Note", f"what else was said; {_OURS}"),
    "AEDECOD": ("Dictionary-Derived Term", ""),
    "CEDECOD": ("Dictionary-Derived Term", ""),
    "CEPRESP": ("Clinical Event Pre-specified", "Y: it was looked for"),
    "CEOCCUR": ("Clinical Event Occurrence", "N: it did not occur"),
    "ATOXGR": ("Analysis Toxicity Grade", ""),
    "ATOXSTD": ("Toxicity Grading Standard", f"criteria of the grade; {_OURS}"),
    "DLTFL": ("Dose-Limiting Toxicity Flag", "Y or blank"),
    "AEEVAL": ("Evaluator", ""),
    "CEEVAL": ("Evaluator", ""),
    "ASTFRLT": ("Start Rel. Time from First Dose", f"{_DAYS}; {_OURS}"),
    "AENFRLT": ("End Rel. Time from First Dose", f"{_DAYS}; {_OURS}"),
    "ASTDY": ("Analysis Start Relative Day", "the day of the infusion is 1"),
    "AENDY": ("Analysis End Relative Day", "the day of the infusion is 1"),
    "CMDECOD": ("Standardized Medication Name", ""),
    "CMDOSE": ("Dose per Administration", "in the unit of CMDOSU"),
    "CMDOSU": ("Dose Units", ""),
}
"""By variable, its label (as CDISC or pharmaverse words it) and what more is to say."""


def dataset(
    name: str,
    label: str,
    frame: pd.DataFrame,
    *,
    more: Mapping[str, tuple[str, str]] | None = None,
) -> Dataset:
    """Return a data set whose variables are labelled.

    Parameters
    ----------
    name, label : str
        Of the data set.
    frame : DataFrame
        Its values.
    more : mapping, optional
        Label and meaning of variables that stand in no list.

    Examples
    --------
    >>> data = dataset("adsl", "Subjects", pd.DataFrame({"USUBJID": ["1"]}))
    >>> data.labels
    {'USUBJID': 'Unique Subject Identifier'}
    """
    about = {**VARIABLES, **(more or {})}
    variables = [Variable(str(column), *about[str(column)]) for column in frame.columns]
    return Dataset(name, label_of(label), frame, variables)
