"""Normal distributions of values of which some are known only to lie in a range."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr, ndtri

type Floats = NDArray[np.float64]

NODES = 30
"""Nodes of a value that is not known exactly. For a logistic likelihood 30 are exact to
2e-5 in log below a limit, and to 5e-3 for an SD of 0.8 decades and a steep slope."""

SPREAD = (0.1, 3.0)
"""Between which the SD over patients is sought, in decades."""

_NEGLIGIBLE = 1e-6  # share of a distribution beyond its outermost nodes


def censored_normal(exact: ArrayLike, ranges: ArrayLike) -> tuple[float, float]:
    """Estimate mean and SD of a normal distribution from values and from ranges.

    Parameters
    ----------
    exact : array, shape (n,)
        Known values on the log10 scale; at least one.
    ranges : array, shape (m, 2)
        Lower and upper end of each value known only to lie between them; infinite
        where open.

    Returns
    -------
    mean, sd : float
        Maximum likelihood, with the SD held within ``SPREAD``.

    Examples
    --------
    >>> censored_normal([1.0, 2.0, 3.0], np.empty((0, 2)))[0]
    2.0
    """
    from scipy.optimize import minimize

    exact, ranges = np.asarray(exact, float), np.asarray(ranges, float)
    mean, sd = float(exact.mean()), float(np.clip(exact.std(), *SPREAD))
    if not len(ranges):
        return mean, sd

    def loss(theta: Floats) -> float:
        centre, spread = theta[0], np.exp(theta[1])
        z = (exact - centre) / spread
        low, high = log_ndtr((ranges.T - centre) / spread)
        within = high + np.log1p(-np.exp(low - high))
        return float((z**2 / 2 + theta[1]).sum() - within.sum())

    log_spread = np.log(SPREAD)
    bounds = [(None, None), (log_spread[0], log_spread[1])]
    best = minimize(loss, [mean, np.log(sd)], bounds=bounds, tol=1e-12)
    return float(best.x[0]), float(np.exp(best.x[1]))


def normal_nodes(
    mean: Floats, sd: Floats, *, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Return nodes and weights of normal distributions, each cut to a range.

    Gauss-Legendre between the ends of the range, or where 1e-6 of the distribution
    lies beyond. Where the SD is 0 all nodes are the mean.

    Parameters
    ----------
    mean, sd : array, shape (n,)
        Of the distributions before the cut.
    low, high : array, shape (n,)
        Ends of the ranges; infinite where open.

    Returns
    -------
    x, weight : array, shape (n, NODES)
        Each row of weights sums to 1.

    Examples
    --------
    >>> mean, sd, low, high = np.array([[2.0], [0.5], [-np.inf], [2.0]])
    >>> x, weight = normal_nodes(mean, sd, low=low, high=high)
    >>> round(float((x * weight).sum()), 4)  # 2 - 0.5 * sqrt(2 / pi)
    1.6011
    """
    with np.errstate(divide="ignore"):
        ends = ndtr((np.stack([low, high]) - mean) / sd)
    inwards = np.array([[_NEGLIGIBLE], [-_NEGLIGIBLE]])
    first, last = ndtri(ends + inwards * (ends[1] - ends[0]))
    t, w = np.polynomial.legendre.leggauss(NODES)
    z = first[:, None] + (t + 1) / 2 * (last - first)[:, None]
    nearest = (z**2).min(axis=1, keepdims=True)
    weight = w * np.exp((nearest - z**2) / 2)
    return mean[:, None] + sd[:, None] * z, weight / weight.sum(axis=1, keepdims=True)
