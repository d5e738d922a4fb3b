"""How well each patient's exposure is known, and what the likelihood makes of it.

A metric counts as known exactly. A peak below the limit of quantification is known to
lie below it and no more: it is neither dropped nor replaced by a number. An exposure
from an individual fit carries the uncertainty of the fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cellpk.outcomes.censoring import Floats, censored_normal, normal_nodes


@dataclass(frozen=True, eq=False, repr=False)
class Exposures:
    """The exposure of every patient of whom something is known.

    Parameters
    ----------
    table : DataFrame
        ``patient``; ``exposure``, NaN where only a range is known; ``low`` and
        ``high``, the range: the limits where censored, 95% of a fit, else the exposure
        itself; ``below``, whether the range is that below the limit of quantification;
        ``sd``, uncertainty on the log10 scale; ``doubtful``, whether the
        metric is not evaluable or the fit did not converge.
    excluded : DataFrame
        ``patient`` and ``reason``.
    name, assay, unit : str
        Which exposure, of which assay, in which unit.
    fitted : bool
        Whether it comes from fits, with their uncertainty.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "patient": ["1", "2", "3"], "exposure": [90, 900, np.nan],
    ...     "low": [90, 900, 0.0], "high": [90, 900, 20.0],
    ...     "below": [False, False, True], "sd": 0.0, "doubtful": False})
    >>> some = Exposures(table, table[:0], name="cmax", assay="flow", unit="cells/uL")
    >>> round(some.reference, 1)
    100.0
    >>> x, weight = some.nodes(["2", "3"])
    >>> (x * weight).sum(axis=1).round(2).tolist()
    [0.95, -1.29]
    """

    table: pd.DataFrame
    excluded: pd.DataFrame
    name: str
    assay: str
    unit: str
    fitted: bool = False

    @cached_property
    def population(self) -> tuple[float, float]:
        """Mean and SD over patients of log10 exposure, by censored maximum likelihood.

        Of all patients, whatever became of them: no outcome enters.
        """
        known = self.table["exposure"].notna()
        ranges = self.table.loc[~known, ["low", "high"]]
        return censored_normal(log10(self.table.loc[known, "exposure"]), log10(ranges))

    @property
    def reference(self) -> float:
        """Exposure at which the intercept stands: the geometric mean, rounded.

        Rounded to half a decade (..., 100, 316, 1000, ...), so that one patient more
        seldom moves it.
        """
        return float(10 ** (np.round(2 * self.population[0]) / 2))

    def scaled(self, exposure: ArrayLike) -> Floats:
        """Return log10 of exposure over reference."""
        return log10(exposure) - np.log10(self.reference)

    def nodes(self, patients: Sequence[str]) -> tuple[Floats, Floats]:
        """Return log10 of exposure over reference as nodes, and their weights.

        Parameters
        ----------
        patients : sequence of str
            Which patients, in which order.

        Returns
        -------
        x, weight : array, shape (patients, nodes)
            One node where every exposure is known exactly.
        """
        rows = self._rows(patients)
        censored = rows["exposure"].isna().to_numpy()
        uncertain = censored | (rows["sd"].to_numpy() > 0)
        if not uncertain.any():
            x = self.scaled(rows["exposure"])[:, None]
            return x, np.ones_like(x)
        mean, spread = self.population
        low, high = log10(rows["low"]), log10(rows["high"])
        x, weight = normal_nodes(
            np.where(censored, mean, (low + high) / 2),
            np.where(censored, spread, rows["sd"]),
            low=np.where(censored, low, -np.inf),
            high=np.where(censored, high, np.inf),
        )
        return x - np.log10(self.reference), weight

    @property
    def scale(self) -> str:
        """What the exposure is measured on, as a sentence."""
        reference = np.format_float_positional(self.reference, 3, fractional=False)
        return (
            f"Exposure is the log10 of {self.name} ({self.assay}), 0 at the reference "
            f"of {reference.rstrip('.')} {self.unit}: the geometric mean over patients "
            "to the nearest half decade, chosen without regard to outcomes."
        )

    def sentences(self, patients: Sequence[str]) -> tuple[str, ...]:
        """How well the exposures of these patients are known, in words."""
        rows = self._rows(patients)
        said = ["Measured exposures enter as exact, without their own error."]
        if self.fitted:
            sd = rows.loc[rows["exposure"].notna(), "sd"].median()
            said = [
                "Each exposure enters with the uncertainty of its individual fit, "
                f"integrated inside the likelihood (median SD {sd:.2g} decades)."
            ]
        mean, sd = self.population
        law = f"normal in log10, mean {mean:.2f}, SD {sd:.2f}"
        above = rows["exposure"].isna() & ~rows["below"]
        for side, which in (("below the", rows["below"]), ("above the upper", above)):
            count = np.count_nonzero(which)
            if count:
                said.append(
                    f"{count} patient{'s' if count > 1 else ''} {side} limit of "
                    "quantification enter as being so: the likelihood averages over "
                    f"that tail of the distribution of exposures ({law}, by censored "
                    "maximum likelihood)."
                )
        doubtful = np.count_nonzero(rows["doubtful"])
        if doubtful:
            why = "does not meet the sampling rule of an evaluable metric"
            why = "is from a fit that did not converge" if self.fitted else why
            who = f"In {doubtful} of {len(rows)} patients"
            said.append(f"{who} {self.name} {why}; they are kept.")
        return tuple(said)

    def _rows(self, patients: Sequence[str]) -> pd.DataFrame:
        return self.table.set_index("patient").reindex(list(patients))


def log10(values: ArrayLike) -> Floats:
    """Return log10, minus infinity for 0.

    Examples
    --------
    >>> log10([100.0, 0.0])
    array([  2., -inf])
    """
    with np.errstate(divide="ignore"):
        return np.log10(np.asarray(values, dtype=float))
