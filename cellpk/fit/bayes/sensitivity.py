"""Whether estimates rest on the samples or on the priors: sensitivity to both."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.bayes.estimated import population_numbers
from cellpk.fit.bayes.marginal import kept_draws

if TYPE_CHECKING:
    import xarray as xr

    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

THRESHOLD = 0.05
"""Sensitivity from which an estimate depends on prior or likelihood (Kallioinen et al.
2024: that of a normal distribution whose mean moves by some 0.3 SD per doubling)."""

CONFLICT, STRONG, NEITHER = "prior-data conflict", "strong prior / weak likelihood", "-"

_SAID = {
    CONFLICT: "prior and samples pull {} apart: look at both",
    STRONG: "the samples tell little of {}: it rests on its prior",
    NEITHER: "the prior hardly moves {}",
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
    prior = fit.tree.children["log_prior"].to_dataset()
    kept = kept_draws(posterior.sizes["draw"], fit.marginal.shape[1])
    numbers = population_numbers(posterior.isel(draw=kept))
    return sensitivities(numbers, _summed(prior.isel(draw=kept)), fit.marginal.sum(-1))


def sensitivities(
    numbers: dict[str, Array], log_prior: Array, log_likelihood: Array
) -> pd.DataFrame:
    """Return the sensitivity of numbers to prior and likelihood.

    Parameters
    ----------
    numbers : dict of str to ndarray, shape (chains, draws)
        Draws of each number.
    log_prior, log_likelihood : ndarray, shape (chains, draws)
        Of all of them together, but for constants.

    Returns
    -------
    DataFrame
        See :func:`sensitivity_table`.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(2, 1000)) / 10     # n = 99, prior 1
    >>> sensitivities({"x": x}, -x**2 / 2, -99 * x**2 / 2)["diagnosis"][0]
    '-'
    """
    prior, likelihood = (_moved(numbers, x) for x in (log_prior, log_likelihood))
    found = [_diagnosis(p, x) for p, x in zip(prior, likelihood, strict=True)]
    return pd.DataFrame(
        {
            "parameter": list(numbers),
            "prior": prior,
            "likelihood": likelihood,
            "diagnosis": found,
            "sentence": [
                _SAID[diagnosis].format(name) + "."
                for name, diagnosis in zip(numbers, found, strict=True)
            ],
        }
    )


_POWERS = (0.99, 1.01)


def _moved(numbers: dict[str, Array], log_density: Array) -> list[float]:
    """Return how far each number moves for each doubling of the power."""
    from arviz_stats.base.array import array_stats

    weights = []
    for power in _POWERS:
        logs = np.asarray(array_stats.power_scale_lw(log_density, power, axis=(-2, -1)))
        weights.append(np.exp(logs) / np.exp(logs).sum())
    lower, upper = weights
    return [
        float(
            array_stats.power_scale_sense(
                drawn,
                lower,
                upper,
                lower_alpha=_POWERS[0],
                upper_alpha=_POWERS[1],
            )
        )
        for drawn in numbers.values()
    ]


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior < THRESHOLD:
        return NEITHER
    return CONFLICT if likelihood >= THRESHOLD else STRONG


def _summed(log_prior: "xr.Dataset") -> Array:
    """Return the log prior of everything together, (chains, draws)."""
    parts = [
        np.asarray(each).reshape(*each.shape[:2], -1).sum(-1)
        for each in log_prior.values()
    ]
    return np.sum(parts, axis=0)
