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
    "comedication": {"patient": "str", "drug": "str", "time": "float64"},
    "outcomes": {
        "patient": "str",
        "endpoint": "str",
        "value": "str",
        "time": "float64",
    },
    "problems": {
        "severity": "str",
        "file": "str",
        "row": "Int64",
        "patient": "str",
        "column": "str",
        "value": "str",
        "what": "str",
        "todo": "str",
    },
}
"""Columns of each table and their types; ``patients`` carries covariates besides."""

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
    ['patient', 'drug', 'time']
    """
    return pd.DataFrame(
        {name: pd.Series(dtype=kind) for name, kind in COLUMNS[table].items()}
    )
