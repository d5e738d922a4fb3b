"""Whether estimates rest on the samples or on the priors: sensitivity to both."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.estimated import population_numbers
from cellpk.fit.bayes.marginal import kept_draws

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

THRESHOLD = 0.05
"""Sensitivity from which an estimate depends on prior or likelihood (Kallioinen et al.
2024)."""

CONFLICT, STRONG, NEITHER = "prior-data conflict", "strong prior / weak likelihood", "-"

_SAID = {
    CONFLICT: "Prior and samples both move {}, which they may see differently: look at "
    "both.",
    STRONG: "The samples tell little of {}: it rests on its prior.",
    NEITHER: "The prior hardly moves {}.",
}


def sensitivity_table(fit: "BayesFit") -> pd.DataFrame:
    """Return how much each estimate moves with the priors, and with the samples.

    The log prior and the log likelihood are multiplied by a little less and a little
    more than 1, by weighing the draws anew; nothing is sampled again.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    DataFrame
        One row per number of the population: ``parameter``; the sensitivity to all
        priors, ``prior``, and to all samples, ``likelihood``: the distance (cumulative
        Jensen-Shannon) that the posterior moves for each doubling of the power;
        ``diagnosis``, where both are 0.05 or more "prior-data conflict", where only
        that to the prior is "strong prior / weak likelihood", else "-"; ``sentence``.

    Notes
    -----
    The likelihood is that of each patient with her own parameters integrated out. The
    numbers of the population have no other: what is asked is how much her samples say
    of them. To scale the likelihood given her parameters would leave the distribution
    between patients as it is, which is a prior of her parameters but is estimated here;
    and its draws vary so much that few carry all weight.

    A literature prior of three patients is meant to be strong where patients are few:
    the diagnosis states what an estimate rests on, it does not blame.

    References
    ----------
    Kallioinen N, Paananen T, Burkner P-C, Vehtari A. Stat Comput 2024;34:57.

    Examples
    --------
    >>> callable(sensitivity_table)                # see BayesFit.sensitivity
    True
    """
    posterior = fit.tree.children["posterior"].to_dataset()
    kept = kept_draws(posterior.sizes["draw"], fit.marginal.shape[1])
    return diagnosed(
        moved(population_numbers(posterior), _log_prior(fit)),
        moved(population_numbers(posterior.isel(draw=kept)), fit.marginal.sum(-1)),
    )


def moved(numbers: dict[str, Array], log_density: Array) -> dict[str, float]:
    """Return how far each number moves for each doubling of the power of a density.

    Parameters
    ----------
    numbers : dict of str to ndarray, shape (chains, draws)
        Draws of each number.
    log_density : ndarray, shape (chains, draws)
        Log prior or log likelihood of all of them together, but for constants.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(2, 1000)) / 10
    >>> found = moved({"x": x}, -99 * x**2 / 2)              # 99 samples of SD 1 say so
    >>> found["x"] > THRESHOLD
    True
    """
    from arviz_stats.base.array import array_stats

    # What is returned is not typed where these come from.
    stats: Any = array_stats
    weights = []
    for power in _POWERS:
        logs = stats.power_scale_lw(log_density, power, axis=(-2, -1))
        weights.append(np.exp(logs) / np.exp(logs).sum())
    powers = dict(zip(("lower_alpha", "upper_alpha"), _POWERS, strict=True))
    return {
        name: float(stats.power_scale_sense(drawn, *weights, **powers))
        for name, drawn in numbers.items()
    }


_POWERS = (0.99, 1.01)


def diagnosed(prior: dict[str, float], likelihood: dict[str, float]) -> pd.DataFrame:
    """Return the table of sensitivities, each with what it means.

    Parameters
    ----------
    prior, likelihood : dict of str to float
        How far each number moves with both.

    Examples
    --------
    >>> print(diagnosed({"fb": 0.1}, {"fb": 0.01})["sentence"][0])
    The samples tell little of fb: it rests on its prior.
    """
    found = [_diagnosis(prior[name], likelihood[name]) for name in prior]
    return pd.DataFrame(
        {
            "parameter": list(prior),
            "prior": list(prior.values()),
            "likelihood": [likelihood[name] for name in prior],
            "diagnosis": found,
            "sentence": [
                _SAID[diagnosis].format(name)
                for name, diagnosis in zip(prior, found, strict=True)
            ],
        }
    )


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior < THRESHOLD:
        return NEITHER
    return CONFLICT if likelihood >= THRESHOLD else STRONG


def _log_prior(fit: "BayesFit") -> Array:
    """Return the log prior of everything together, (chains, draws)."""
    parts = [
        np.asarray(each).reshape(*each.shape[:2], -1).sum(-1)
        for each in fit.tree.children["log_prior"].to_dataset().values()
    ]
    return np.sum(parts, axis=0)
