"""Fits side by side: what they were asked, and that they rest on the same samples."""

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from cellpk.errors import FitError
from cellpk.fit.data import FitData
from cellpk.model.model import Model

_SAMPLE = ["patient", "assay", "specimen", "time", "level", "unit", "state"]
_SAMPLE += ["lloq", "llod", "uloq"]


class Fit(Protocol):
    """A fit of many patients."""

    @property
    def model(self) -> Model:
        """What was fitted."""
        ...

    @property
    def data(self) -> FitData:
        """To which samples."""
        ...

    @property
    def asked(self) -> Mapping[str, Any]:
        """The other arguments of the fit."""
        ...


def what_was_asked(fit: Fit) -> dict[str, object]:
    """Return the columns by which a table tells fits apart.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.

    Returns
    -------
    dict
        ``model, covariates, correlations, without_spread, lots``.

    Examples
    --------
    >>> callable(what_was_asked)                     # see cellpk.compare
    True
    """
    asked = fit.asked
    effects = [
        f"{column} on {parameter}"
        for parameter, columns in (asked["covariates"] or {}).items()
        for column in columns
    ]
    groups = asked["correlations"]
    if not isinstance(groups, str):
        groups = "; ".join(" ".join(group) for group in groups)
    return {
        "model": fit.model.name,
        "covariates": ", ".join(effects) or "none",
        "correlations": groups,
        "without_spread": ", ".join(asked["without_spread"]) or "none",
        "lots": ", ".join(asked["lots"]) or "none",
    }


def check_samples(named: Mapping[str, Fit]) -> None:
    """Raise where fits rest on different samples.

    Parameters
    ----------
    named : mapping of str to PopulationFit or BayesFit
        The fits by name.

    Raises
    ------
    FitError
        With the samples that only one of two fits uses.

    Examples
    --------
    >>> check_samples({"nothing to compare it with": None})
    """
    (first, one), *others = named.items()
    for name, other in others:
        only = _only(one, other), _only(other, one)
        odd = [
            f"{len(rows)} only in {fit!r} ({_listed(rows)})"
            for fit, rows in zip((first, name), only, strict=True)
            if len(rows)
        ]
        if odd:
            raise FitError(
                f"the fits {first!r} and {name!r} rest on different samples: "
                f"{', '.join(odd)}",
                todo="Likelihoods of different samples cannot be compared: fit both "
                "models to the same study and assays.",
            )


def _only(one: Fit, other: Fit) -> pd.DataFrame:
    """Return the samples that the first fit uses and the second does not."""
    ours, theirs = _used(one), _used(other)
    count = ours.groupby(_SAMPLE, dropna=False).cumcount()
    both = theirs.assign(n=theirs.groupby(_SAMPLE, dropna=False).cumcount())
    found = ours.assign(n=count).merge(both, how="left", indicator="where")
    return found[found["where"] == "left_only"]


def _used(fit: Fit) -> pd.DataFrame:
    samples = fit.data.samples
    return samples.loc[samples["left_out"] == "", _SAMPLE]


def _listed(rows: pd.DataFrame) -> str:
    """Name some samples."""
    some = [
        f"{row['assay']} of {row['patient']} on day {row['time']:g}"
        for _, row in rows.head(3).iterrows()
    ]
    return ", ".join(some) + (", ..." if len(rows) > 3 else "")
