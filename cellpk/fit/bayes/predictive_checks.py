"""Whether data such as the observed ones come of the fit, and of its priors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.predictive import evenly, posterior_trials, prior_trials
from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.trials import Trials
from cellpk.fit.diagnostics.vpc import lowest_share, ordered
from cellpk.fit.series import Series

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

BAND, RARE = 0.90, 0.05
"""Share of the replicates within an interval, and the tail in which one is of note."""

ALLOWED = 0.98
"""Share of the trials from the priors beyond which an observed value is outside."""

DRAWS = 500
"""Draws that a check takes."""

_LOWER = "lower than in most"


class Statistic(NamedTuple):
    """A number that sums up the samples of an assay.

    Parameters
    ----------
    assay, name, unit : str
        What of which assay.
    day : float
        Of which visit; NaN where of all.
    n : int
        Of how many samples.
    observed : float
        What it is: of a level, 0 where it is below the limit, infinite above.
    replicates : ndarray, shape (S,)
        The same of each replicate.

    Examples
    --------
    >>> Statistic._fields[:3]
    ('assay', 'name', 'unit')
    """

    assay: str
    name: str
    unit: str
    day: float
    n: int
    observed: float
    replicates: Array

    @property
    def rank(self) -> float:
        """The share of the replicates that are larger; equal ones count half."""
        larger = (self.replicates > self.observed).mean()
        return float(larger + (self.replicates == self.observed).mean() / 2)

    def within(self, share: float) -> tuple[float, float]:
        """Return the ends between which so many of the replicates lie."""
        tail = 50 * (1 - share)
        ends = (lowest_share(self.replicates, at) for at in (tail, 100 - tail))
        low, high = (float(end) for end in ends)
        return low, high

    def row(self, share: float) -> dict[str, object]:
        """Return what it is in a table, with the interval of so many replicates."""
        low, high = self.within(share)
        return {
            "assay": self.assay,
            "statistic": self.name,
            "day": self.day,
            "n": self.n,
            "unit": self.unit,
            "observed": self.observed,
            "low": low,
            "median": float(lowest_share(self.replicates, 50)),
            "high": high,
        }

    def sentence(self, verdict: str) -> str:
        """Return what was observed, and a verdict on it."""
        when = "" if np.isnan(self.day) else f", day {self.day:g}"
        return f"{self.assay}{when}: {self.name} {self._said(self.observed)}, {verdict}"

    def span(self, share: float) -> str:
        """Return in words between which ends so many of the replicates lie."""
        low, high = self.within(share)
        # The unit stands once, after the second level.
        once = f" {self.unit}" if np.isfinite(high) else ""
        first = self._said(low).removesuffix(once)
        return f"{share:.0%} of them {first} to {self._said(high)}"

    def _said(self, value: float) -> str:
        if self.unit == "1":
            return f"{value:.0%}"
        if value == 0:
            return "below the limit"
        shown = f"{value:.3g} {self.unit}"
        return shown if np.isfinite(value) else "above the upper limit"


def statistics_of(series: Series, trials: Trials) -> list[Statistic]:
    """Return what sums up the samples of an assay, observed and replicated.

    Parameters
    ----------
    series : Series
        The assay.
    trials : Trials
        Replicates of its samples.

    Returns
    -------
    list of Statistic
        The share below the limit, of all samples and by visit (planned days, joined as
        in :func:`cellpk.fit.diagnostics.bins.binned`), where there is a limit; the
        median and the largest level.

    Examples
    --------
    >>> callable(statistics_of)            # see posterior_check
    True
    """
    rows = trials.rows
    observed, simulated = ordered(trials)
    bin_of = binned(rows["nominal_time"], rows["time"])
    visits = [np.flatnonzero(bin_of == number) for number in range(bin_of.max() + 1)]
    every = np.arange(observed.size)
    days = [float(rows["time"].iloc[own].median()) for own in visits]
    found = []
    if rows["lloq"].notna().any():
        for day, own in zip([np.nan, *days], [every, *visits], strict=True):
            shares = (observed[own] == 0).mean(), (simulated[:, own] == 0).mean(-1)
            about = (series.assay, "share below the limit", "1", day, own.size)
            found.append(Statistic(*about, float(shares[0]), shares[1]))
    for name, percentile in (("median level", 50), ("largest level", 100)):
        about = (series.assay, name, series.unit, np.nan, observed.size)
        seen = float(lowest_share(observed, percentile))
        found.append(Statistic(*about, seen, lowest_share(simulated, percentile)))
    return found


def posterior_check(
    fit: "BayesFit", *, draws: int = DRAWS, seed: int = 1
) -> pd.DataFrame:
    """Return statistics of the data among those of replicates from the posterior.

    In a replicate the same patients are sampled again, each with her parameters as a
    draw has them. The parameters were found with the very data that are checked, so
    that p keeps closer to 0.5 than a uniform number even where the model is true: one
    near 0 or 1 tells something. Simulated trials of new patients are in
    :func:`cellpk.fit.diagnostics.vpc.vpc`.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    draws : int
        How many draws are replicated.
    seed : int
        Chance.

    Returns
    -------
    DataFrame
        A row for each statistic: ``assay, statistic, day`` (NaN: of all samples), ``n``
        (samples), ``unit``, ``observed``; of the replicates ``low, median, high`` (90%
        of them); ``p``, the share of replicates that are larger, equal ones counted
        half; ``passed`` (p from 0.05 to 0.95); ``sentence``. A level of 0 stands for
        one below the limit, infinity for one above the upper limit.

    References
    ----------
    Gelman A, Meng X-L, Stern H. Stat Sin 1996;6:733-807 (posterior predictive p).
    Bayarri MJ, Berger JO. J Am Stat Assoc 2000;95:1127-1142 (its distribution).

    Examples
    --------
    >>> callable(posterior_check)          # see BayesFit.posterior_check
    True
    """
    rows = evenly(len(fit.draws), draws)
    found = _statistics(fit, posterior_trials(fit, rows, seed=seed))
    table = []
    for one in found:
        p = one.rank
        passed = RARE <= p <= 1 - RARE
        side = "as in" if passed else "higher than in most" if p < RARE else _LOWER
        verdict = f"{side} replicates ({one.span(BAND)})"
        table.append(
            one.row(BAND)
            | {"p": p, "passed": passed, "sentence": one.sentence(verdict)}
        )
    return pd.DataFrame(table)


def prior_check(fit: "BayesFit", *, draws: int = DRAWS, seed: int = 1) -> pd.DataFrame:
    """Return statistics of the data among those of trials drawn from the priors.

    Priors that allow no data such as these are wrong, or the data are; those that
    allow anything say nothing of the levels.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    draws : int
        How many draws of the priors a trial is simulated from.
    seed : int
        Chance.

    Returns
    -------
    DataFrame
        A row for each statistic, as of :func:`posterior_check`, with ``low, median,
        high`` of 98% of the trials; ``percentile`` of the observed value among them,
        ``passed`` (it lies within those 98%), ``trials`` (how many could be
        calculated), ``sentence``.

    Raises
    ------
    FitError
        Where no trial can be calculated.

    References
    ----------
    Gabry J, Simpson D, Vehtari A, Betancourt M, Gelman A. Visualization in Bayesian
    workflow. J R Stat Soc A 2019;182:389-402, section 3.

    Examples
    --------
    >>> callable(prior_check)              # see BayesFit.prior_check
    True
    """
    kept, trials = prior_trials(fit, evenly(len(fit.prior_draws), draws), seed=seed)
    table = []
    for one in _statistics(fit, trials):
        percentile = 100 * (1 - one.rank)
        passed = 50 * (1 - ALLOWED) <= percentile <= 50 * (1 + ALLOWED)
        side = "within" if passed else "outside"
        verdict = f"{side} what the priors allow (of trials {one.span(ALLOWED)})"
        table.append(
            one.row(ALLOWED)
            | {"percentile": percentile, "passed": passed, "trials": len(kept)}
            | {"sentence": one.sentence(verdict)}
        )
    return pd.DataFrame(table)


def _statistics(fit: "BayesFit", trials: Sequence[Trials]) -> list[Statistic]:
    pairs = zip(fit.data.series, trials, strict=True)
    return [one for series, read in pairs for one in statistics_of(series, read)]
