"""Leave-one-out by Pareto-smoothed importance sampling, on plain arrays."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]

SAME = 1e-9
"""Log likelihoods that differ by less do not depend on the draws."""


class LeftOut(NamedTuple):
    """What the others say of each of n that is left out.

    Parameters
    ----------
    elpd : ndarray, shape (n,)
        Log density of each, given all others.
    p : ndarray, shape (n,)
        By how much it is higher where she is among them: effective parameters.
    k : ndarray, shape (n,)
        Shape of the tail of the weights; minus infinity where all are the same.

    Examples
    --------
    >>> LeftOut._fields
    ('elpd', 'p', 'k')
    """

    elpd: Array
    p: Array
    k: Array


def good_k(draws: int) -> float:
    """Return the Pareto k up to which so many draws are enough, 0.7 at most.

    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. J Mach Learn Res 2024;25(72):1-58.

    Examples
    --------
    >>> round(good_k(400), 3), good_k(4000)
    (0.616, 0.7)
    """
    return min(1 - 1 / float(np.log10(draws)), 0.7)


def left_out(log_likelihood: Array) -> LeftOut:
    """Return what the draws say of each one that is left out.

    Parameters
    ----------
    log_likelihood : ndarray, shape (chains, draws, n)
        Of each of n, under draws from the posterior of all.

    Returns
    -------
    LeftOut

    References
    ----------
    Vehtari A, Gelman A, Gabry J. Stat Comput 2017;27:1413-1432.

    Examples
    --------
    >>> found = left_out(np.full((2, 300, 1), -1.5))
    >>> found.elpd, found.k                       # it does not depend on the draws
    (array([-1.5]), array([-inf]))
    """
    from arviz_stats.base.array import array_stats

    likelihood = np.exp(log_likelihood - log_likelihood.max((0, 1)))
    worth = array_stats.ess(
        likelihood, chain_axis=0, draw_axis=1, method="mean", relative=True
    )
    flat = log_likelihood.reshape(-1, log_likelihood.shape[-1])
    found = [_one(own, float(r)) for own, r in zip(flat.T, worth, strict=True)]
    elpd, k = np.array(found, float).reshape(-1, 2).T
    whole = np.asarray(logsumexp(flat, axis=0)) - np.log(len(flat))
    return LeftOut(elpd, whole - elpd, k)


def _one(own: Array, worth: float) -> tuple[float, float]:
    """Return elpd and Pareto k of one."""
    from arviz_stats.base.array import array_stats

    if np.ptp(own) < SAME:
        return float(own.mean()), -np.inf
    smooth: Any = array_stats.psislw
    weights, k = smooth(own, r_eff=worth)
    return float(logsumexp(weights + own)), float(k)
