"""What the rules look at: the finished tables of a study, and what they share."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.config import Settings

Codes = NDArray[np.int64]

_VISIT = re.compile(
    r"(?:visit )?(?P<unit>day|d|week|wk|w|month|mon|m)[ _]*(?P<n>\d+(?:\.\d+)?)"
)
_LENGTH = {"d": 1.0, "w": 7.0, "m": 365.25 / 12}


def planned_day(visit: str) -> float:
    """Return the day, week or month that the name of a visit states, in days.

    Parameters
    ----------
    visit : str
        Such as "Day 28", "D28", "Week 4", "M3".

    Returns
    -------
    float
        NaN where the name states none, or one before the infusion.

    Examples
    --------
    >>> planned_day("Day 28"), planned_day("wk 4"), planned_day("Day -7")
    (28.0, 28.0, nan)
    """
    found = _VISIT.fullmatch(visit.casefold())
    return float(found["n"]) * _LENGTH[found["unit"][0]] if found else np.nan


@dataclass(frozen=True)
class Draft:
    """A study whose problems are not known yet.

    Its tables are sorted as ``ORDER`` says: samples by patient, assay, specimen, time.
    """

    samples: pd.DataFrame
    infusions: pd.DataFrame
    patients: pd.DataFrame
    comedication: pd.DataFrame
    outcomes: pd.DataFrame
    settings: Settings

    @cached_property
    def used(self) -> pd.DataFrame:
        """The samples that are neither excluded nor without a result."""
        samples = self.samples
        usable = ~samples["excluded"] & (samples["state"] != "missing")
        return samples[usable].reset_index(drop=True)

    @cached_property
    def kinetic_assays(self) -> list[str]:
        """The assays that measure CAR-T cells or their transgene."""
        known = self.settings.known_assays
        return [name for name, assay in known.items() if assay.kinetics]

    @cached_property
    def series(self) -> Codes:
        """Which series each used sample belongs to: patient, assay and specimen."""
        return numbered(self.used, ["patient", "assay", "specimen"])

    @cached_property
    def quantified(self) -> pd.DataFrame:
        """The used samples with a level above 0, and the number of their ``series``."""
        used = self.used
        rows = (used["state"] == "quantified") & (used["level"] > 0)
        return used.assign(series=self.series)[rows].reset_index(drop=True)

    @cached_property
    def kinetic(self) -> pd.DataFrame:
        """The quantified levels of CAR-T cells or transgene, without derived ones."""
        measured = self.quantified["derived"] == ""
        rows = self.quantified["assay"].isin(self.kinetic_assays) & measured
        return self.quantified[rows].reset_index(drop=True)

    @cached_property
    def visit_day(self) -> NDArray[np.float64]:
        """The day that the visit of each used sample states, else the planned one."""
        codes, names = pd.factorize(self.used["visit"])
        days = np.array([planned_day(name) for name in names], dtype=float)
        said = days[codes] if len(names) else np.empty(0)
        planned = self.used["nominal_time"].to_numpy()
        return np.where(np.isnan(said), planned, said)


def numbered(table: pd.DataFrame, names: list[str]) -> Codes:
    """Count the runs of rows that agree in all named columns, from 0.

    Examples
    --------
    >>> numbered(pd.DataFrame({"patient": ["a", "a", "b"]}), ["patient"]).tolist()
    [0, 0, 1]
    """
    new = np.zeros(len(table), dtype=bool)
    for name in names:
        codes = pd.factorize(table[name])[0]
        new[1:] |= codes[1:] != codes[:-1]
    return np.cumsum(new)
