"""What tables and figures of a population fit have in common."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.fit.cases import counted
from cellpk.fit.diagnostics.rows import place_of

if TYPE_CHECKING:
    from cellpk.fit.fitted import FittedPopulation
    from cellpk.study.assays import Assay


@dataclass(frozen=True, eq=False)
class Fitted:
    """One assay of a population fit, as tables and figures name it.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    assay : Assay
        Which assay, with the unit in which it was fitted.

    Examples
    --------
    >>> sorted(Fitted.__annotations__)
    ['assay', 'fit']
    """

    fit: "FittedPopulation"
    assay: "Assay"

    @property
    def name(self) -> str:
        """What tells the exhibits of assays apart."""
        return self.assay.name

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return self.fit.study.settings.study.simulated

    @property
    def source(self) -> str:
        """The study and the fit."""
        fit = self.fit
        return f"study {fit.study.settings.study.id}, {fit.kind} of {fit.model.name}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence where the fit has not converged."""
        return doubted(self.fit)


def fitted(fit: "FittedPopulation", assay: str | None = None) -> Fitted:
    """Return one assay of a population fit; the first where none is named.

    Raises
    ------
    FitError
        Where the assay was not fitted.

    Examples
    --------
    >>> callable(fitted)
    True
    """
    one = fit.data.series[place_of(fit.data, assay)]
    return Fitted(fit, replace(fit.study.assay(one.assay), unit=one.unit))


def doubted(fit: "FittedPopulation") -> tuple[str, ...]:
    """Say why a fit of a population cannot be relied on; nothing where it can.

    Examples
    --------
    >>> callable(doubted)
    True
    """
    if fit.converged:
        return ()
    return (f"{fit.doubted}: {'; '.join(fit.doubts)}.",)


def left_out_note(rows: pd.DataFrame) -> tuple[str, ...]:
    """Say which samples of an assay were not used.

    Parameters
    ----------
    rows : DataFrame
        With ``left_out``: why a sample is not used, empty where it is.

    Examples
    --------
    >>> left_out_note(pd.DataFrame({"left_out": ["", "missing", "missing"]}))
    ('Not used in the fit: 2 samples (2 missing).',)
    """
    why = rows.loc[rows["left_out"] != "", "left_out"]
    if why.empty:
        return ()
    counts = ", ".join(f"{n} {reason}" for reason, n in why.value_counts().items())
    return (f"Not used in the fit: {counted(len(why), 'sample')} ({counts}).",)
