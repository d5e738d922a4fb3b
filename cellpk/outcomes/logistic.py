"""Bayesian logistic regression on an exposure that may be known only in part.

The one place that samples. A patient whose exposure is known exactly has one node;
where it is known only as a distribution, the likelihood averages over nodes of it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

type Floats = NDArray[np.float64]

INTERVAL = (0.025, 0.975)
"""Quantiles of every interval here: 95%, equal tails."""

_TUNE = 1000
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Prior:
    """Normal priors of the log odds at the reference and of the slope per 10-fold.

    Parameters
    ----------
    intercept, intercept_sd : float
        Log odds at the reference exposure: mean and SD.
    slope, slope_sd : float
        Change of the log odds per 10-fold exposure: mean and SD.

    Examples
    --------
    >>> print(Prior().sentences[1])
    Slope: log odds per 10-fold exposure ~ Normal(0, 2.5), an odds ratio between 0.0074
    and 134 with 95% probability.
    """

    intercept: float = 0.0
    intercept_sd: float = 2.0
    slope: float = 0.0
    slope_sd: float = 2.5

    @property
    def sentences(self) -> tuple[str, str]:
        """Both priors in words, with what they mean."""
        p_low, p_high = expit(_range(self.intercept, self.intercept_sd))
        or_low, or_high = np.exp(_range(self.slope, self.slope_sd))
        return (
            f"Intercept: log odds at the reference exposure ~ "
            f"Normal({self.intercept:g}, {self.intercept_sd:g}), a probability between "
            f"{p_low:.2g} and {p_high:.2g} with 95% probability.",
            f"Slope: log odds per 10-fold exposure ~ "
            f"Normal({self.slope:g}, {self.slope_sd:g}), an odds ratio between "
            f"{or_low:.2g} and {or_high:.3g} with 95% probability.",
        )

    def probability(self, x: ArrayLike) -> pd.DataFrame:
        """Return the prior probability of the event and its 95% interval.

        Parameters
        ----------
        x : array, shape (n,)
            log10 of exposure over reference.

        Returns
        -------
        DataFrame
            Columns ``probability`` (median), ``low`` and ``high``, exact.

        Examples
        --------
        >>> Prior().probability([0.0]).round(2).to_dict("records")
        [{'probability': 0.5, 'low': 0.02, 'high': 0.98}]
        """
        x = np.asarray(x, dtype=float)
        mean = self.intercept + self.slope * x
        half = _Z95 * np.hypot(self.intercept_sd, self.slope_sd * x)
        values = {"probability": mean, "low": mean - half, "high": mean + half}
        return pd.DataFrame({name: expit(value) for name, value in values.items()})

    def draws(self, n: int, *, seed: int) -> pd.DataFrame:
        """Draw intercept and slope ``n`` times.

        Examples
        --------
        >>> Prior().draws(3, seed=1).columns.tolist()
        ['intercept', 'slope']
        """
        z = np.random.default_rng(seed).standard_normal((n, 2))
        drawn = z * [self.intercept_sd, self.slope_sd] + [self.intercept, self.slope]
        return pd.DataFrame(drawn, columns=["intercept", "slope"])


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of intercept and slope, and whether to trust them.

    Parameters
    ----------
    draws : DataFrame
        Columns ``chain``, ``draw``, ``intercept`` (log odds at the reference) and
        ``slope`` (log odds per 10-fold).
    r_hat : float
        The larger R-hat of the two.
    ess_bulk, ess_tail : float
        The smaller effective number of draws of the two.
    divergences : int
        Divergent transitions.

    Examples
    --------
    >>> draws = pd.DataFrame({"intercept": [0.0], "slope": [1.0]})
    >>> Posterior(draws, r_hat=1.2, ess_bulk=50, ess_tail=60, divergences=0).converged
    False
    """

    draws: pd.DataFrame
    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int

    @property
    def converged(self) -> bool:
        """Whether R-hat < 1.01, both effective numbers > 400 and nothing diverged."""
        enough = min(self.ess_bulk, self.ess_tail) > 400
        return bool(self.r_hat < 1.01 and enough and self.divergences == 0)

    def probability(self, x: ArrayLike, weight: ArrayLike = 1.0) -> pd.DataFrame:
        """Return the probability of the event and its 95% interval.

        Parameters
        ----------
        x : array, shape (n,) or (n, nodes)
            log10 of exposure over reference.
        weight : array, shape (n, nodes)
            Weight of each node; each row sums to 1.

        Returns
        -------
        DataFrame
            Columns ``probability`` (median), ``low`` and ``high``.

        Examples
        --------
        >>> draws = pd.DataFrame({"intercept": [-1.0, 0, 1], "slope": 2.0})
        >>> one = Posterior(draws, r_hat=1, ess_bulk=1, ess_tail=1, divergences=0)
        >>> one.probability([0.0]).round(2).to_dict("records")
        [{'probability': 0.5, 'low': 0.28, 'high': 0.72}]
        """
        x = np.asarray(x, dtype=float)
        nodes = x[:, None] if x.ndim == 1 else x
        a, b = (self.draws[name].to_numpy() for name in ("intercept", "slope"))
        at = [
            expit(a[:, None] + b[:, None] * row) @ np.broadcast_to(w, row.shape)
            for row, w in zip(nodes, np.broadcast_to(weight, nodes.shape), strict=True)
        ]
        low, middle, high = np.quantile(at, [INTERVAL[0], 0.5, INTERVAL[1]], axis=1)
        return pd.DataFrame({"probability": middle, "low": low, "high": high})


def sample_logistic(
    x: Floats,
    event: NDArray[np.bool_],
    *,
    weight: Floats | None = None,
    prior: Prior | None = None,
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
) -> Posterior:
    """Sample intercept and slope of a logistic regression with nutpie.

    The log likelihood is the sum over patients of the log of the event's (or
    non-event's) probability, averaged over the patient's nodes.

    Parameters
    ----------
    x : array, shape (patients, nodes)
        log10 of exposure over reference.
    event : array of bool, shape (patients,)
        Whether each patient had the event.
    weight : array, shape (patients, nodes), optional
        Weight of each node; each row sums to 1. Equal by default.
    prior : Prior, optional
        The default is the weakly informative one of :class:`Prior`.
    draws, chains : int
        Draws kept of each chain, after 1000 of tuning.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    Posterior
        Draws and diagnostics.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> posterior = sample_logistic(x, x[:, 0] > 0.1, draws=250)
    >>> bool(posterior.draws["slope"].mean() > 2)
    True
    """
    import nutpie

    prior = prior or Prior()
    weight = np.full(x.shape, 1 / x.shape[1]) if weight is None else weight
    sign = np.where(event, 1.0, -1.0)[:, None]
    model = _compiled().with_data(
        nodes=np.stack([x, weight, np.broadcast_to(sign, x.shape)]),
        prior=[prior.intercept, prior.intercept_sd, prior.slope, prior.slope_sd],
    )
    trace: Any = nutpie.sample(
        model,
        draws=draws,
        tune=_TUNE,
        chains=chains,
        seed=seed,
        save_warmup=False,
        progress_bar=False,
    )
    drawn, divergent = trace["posterior"], trace["sample_stats"]["diverging"]
    pair = np.stack([drawn[name].to_numpy() for name in ("intercept", "slope")])
    return _diagnosed(pair, int(divergent.to_numpy().sum()))


@cache
def _compiled() -> Any:
    """Compile the model once per process; the data are put in later."""
    import nutpie
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.configdefaults import config

    with pm.Model() as model:
        nodes: Any = pm.Data("nodes", np.ones((3, 1, 1)))
        prior: Any = pm.Data("prior", np.array([0.0, 1.0, 0.0, 1.0]))
        intercept = pm.Normal("intercept", prior[0], prior[1])
        slope = pm.Normal("slope", prior[2], prior[3])
        x, weight, sign = nodes[0], nodes[1], nodes[2]
        likelihood: Any = weight * pt.sigmoid(sign * (intercept + slope * x))
        log_likelihood: Any = pt.log(likelihood.sum(axis=1))
        pm.Potential("outcome", log_likelihood.sum())
    # Strict arithmetic: how functions are inlined, which differs between a fresh and
    # a cached compilation, then cannot change the draws of a seed.
    with config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(model, backend="numba")


def _diagnosed(drawn: Floats, divergences: int) -> Posterior:
    """Put draws of shape (2, chains, draws) into a table, with their diagnostics."""
    from arviz_stats.base.array import array_stats

    chain, draw = np.indices(drawn.shape[1:])
    columns = {"chain": chain, "draw": draw, "intercept": drawn[0], "slope": drawn[1]}
    return Posterior(
        draws=pd.DataFrame({name: value.ravel() for name, value in columns.items()}),
        r_hat=float(np.max(array_stats.rhat(drawn))),
        ess_bulk=float(np.min(array_stats.ess(drawn))),
        ess_tail=float(np.min(array_stats.ess(drawn, method="tail", prob=INTERVAL))),
        divergences=divergences,
    )


def _range(mean: float, sd: float) -> Floats:
    return mean + _Z95 * sd * np.array([-1.0, 1.0])
