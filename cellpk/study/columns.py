"""The contract of the study's tables: their columns, types and sample states."""

from collections.abc import Mapping

import pandas as pd

STATES = ("quantified", "detected", "below", "above", "missing")
"""What is known of a sample: its level; a level between LLOD and LLOQ; that it is
below the limit of quantification; that it is above the upper limit; nothing."""

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "samples": {
        "patient": "str",
        "time": "float64",
        "nominal_time": "float64",
        "visit": "str",
        "assay": "str",
        "specimen": "str",
        "level": "float64",
        "unit": "str",
        "lloq": "float64",
        "llod": "float64",
        "uloq": "float64",
        "state": "str",
        "limit_assumed": "bool",
        "reported": "str",
        "reported_unit": "str",
        "derived": "str",
        "excluded": "bool",
        "reason": "str",
        "file": "str",
        "row": "int64",
    },
    "infusions": {
        "patient": "str",
        "time": "float64",
        "dose": "float64",
        "unit": "str",
        "lot": "str",
    },
    "patients": {"patient": "str"},
    "comedication": {
        "patient": "str",
        "drug": "str",
        "time": "float64",
        "end_time": "float64",
        "dose": "float64",
        "unit": "str",
    },
    "outcomes": {
        "patient": "str",
        "endpoint": "str",
        "value": "str",
        "time": "float64",
        "criteria": "str",
        "evaluator": "str",
        "note": "str",
    },
    "problems": {
        "severity": "str",
        "rule": "str",
        "file": "str",
        "row": "Int64",
        "patient": "str",
        "column": "str",
        "value": "str",
        "what": "str",
        "todo": "str",
    },
}
"""Columns of each table and their types; ``patients`` carries covariates besides.

``reported`` and ``reported_unit`` are the level as delivered; ``derived`` says how a
level was worked out that nobody measured. ``criteria`` are those that an outcome was
assessed by, as IMWG or ASTCT; ``note`` is what else was said of it.
"""

LABELS: Mapping[str, tuple[str, str]] = {
    "patient": ("Patient", ""),
    "time": ("Time after first infusion", "day"),
    "nominal_time": ("Planned time after first infusion", "day"),
    "visit": ("Visit", ""),
    "assay": ("Assay", ""),
    "specimen": ("Specimen", ""),
    "level": ("Level", "in 'unit'; empty where not quantified"),
    "unit": ("Unit", ""),
    "lloq": ("Lower limit of quantification", "in 'unit'"),
    "llod": ("Limit of detection", "in 'unit'"),
    "uloq": ("Upper limit of quantification", "in 'unit'"),
    "state": ("State", "quantified, detected, below, above or missing"),
    "limit_assumed": ("LLOQ is an assumption", "1 yes, 0 no"),
    "reported": ("Level as delivered", ""),
    "reported_unit": ("Unit as delivered", ""),
    "derived": ("How the level was derived", "empty where measured"),
    "excluded": ("Excluded from analysis", "1 yes, 0 no"),
    "reason": ("Why excluded or without a result", ""),
    "dose": ("Dose", "in 'unit'"),
    "lot": ("Lot of the product", ""),
    "drug": ("Drug", ""),
    "end_time": ("Last time after first infusion", "day"),
    "endpoint": ("Kind of outcome", ""),
    "value": ("Value", ""),
    "criteria": ("Criteria it was assessed by", ""),
    "evaluator": ("Who assessed it", ""),
    "note": ("What else was said of it", ""),
}
"""What each column is called in a data dictionary, and its unit or codes."""

ORDER: Mapping[str, list[str]] = {
    "samples": ["patient", "assay", "specimen", "time"],
    "infusions": ["patient", "time"],
    "patients": ["patient"],
    "comedication": ["patient", "drug", "time"],
    "outcomes": ["patient", "endpoint", "time"],
}
"""What the rows of each table are sorted by."""


def empty(table: str) -> pd.DataFrame:
    """Return the named table of a study without rows.

    Examples
    --------
    >>> list(empty("comedication").columns)
    ['patient', 'drug', 'time', 'end_time', 'dose', 'unit']
    """
    return pd.DataFrame(
        {name: pd.Series(dtype=kind) for name, kind in COLUMNS[table].items()}
    )
