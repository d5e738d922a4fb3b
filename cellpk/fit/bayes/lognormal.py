"""Samples whose log level errs by a normal error: their likelihood, in plain loops.

What :mod:`cellpk.fit.residual_error` gives for this kind of error, the most frequent
one; ten times as fast, as a sampler asks for it some hundred thousand times.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.algebra import compiled

Array = NDArray[np.float64]

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SQRT_2 = math.sqrt(2.0)
_FAR = -30.0

SCALES = ("identity", "log", "logit")
"""Scales by the number that :func:`natural` takes."""


@compiled
def natural(
    theta: Array, kinds: NDArray[np.intp], *, columns: NDArray[np.intp], known: Array
) -> tuple[Array, Array]:
    """Return natural values of parameters, and their slopes.

    What :data:`cellpk.model.parameters.SCALES` gives, in one call.

    Parameters
    ----------
    theta : ndarray, shape (N, p)
        Parameters on their scales.
    kinds, columns : ndarray of int, shape (p,)
        The scale of each, and its place among the values.
    known : ndarray, shape (N, n)
        The other values.

    Returns
    -------
    values : ndarray, shape (N, n)
    slopes : ndarray, shape (N, p)
        Of the natural values by the parameters.

    Examples
    --------
    >>> kinds, columns = np.array([1, 2]), np.array([2, 0])
    >>> values, slopes = natural(np.zeros((1, 2)), kinds, columns=columns,
    ...                          known=np.full((1, 3), 7.0))
    >>> values, slopes
    (array([[0.5, 7. , 1. ]]), array([[1.  , 0.25]]))
    """
    values, slopes = known.copy(), np.ones_like(theta)
    for i in range(theta.shape[0]):
        for k in range(theta.shape[1]):
            x = theta[i, k]
            if kinds[k] == 1:
                x = slopes[i, k] = math.exp(x)
            elif kinds[k] == 2:
                x = 1.0 / (1.0 + math.exp(-x))
                slopes[i, k] = x * (1.0 - x)
            values[i, columns[k]] = x
    return values, slopes


@compiled
def lognormal(
    level: Array, slopes: Array, *, low: Array, high: Array, sd: float
) -> tuple[Array, Array, Array]:
    """Return the log likelihood of each patient's samples and its slopes.

    Parameters
    ----------
    level : ndarray, shape (N, n)
        Log level of the curve.
    slopes : ndarray, shape (N, n, p)
        Its slopes by the parameters.
    low, high : ndarray, shape (N, n)
        Ends of the samples; none lies between two limits.
    sd : float
        Of the log level.

    Returns
    -------
    value : ndarray, shape (N,)
        Minus infinity where a curve is not a number; the slopes are 0 there.
    score : ndarray, shape (N, p)
        Slope by the parameters.
    by_error : ndarray, shape (N,)
        Slope by the log of ``sd``.

    Examples
    --------
    >>> low, high = np.array([[2.0, -np.inf]]), np.array([[2.0, 1.5]])
    >>> value, score, by_error = lognormal(high, np.ones((1, 2, 1)), low=low, high=high,
    ...                                    sd=1.0)
    >>> value.round(4), score.round(4)                   # log density 0.3989 and 1/2
    (array([-1.6121]), array([[-0.7979]]))
    """
    patients, samples, size = slopes.shape
    value, by_error = np.zeros(patients), np.zeros(patients)
    score = np.zeros((patients, size))
    for i in range(patients):
        for j in range(samples):
            one, push, by_sd = _sample(level[i, j], low[i, j], high[i, j], sd)
            value[i] += one
            by_error[i] += by_sd
            for k in range(size):
                score[i, k] += push * slopes[i, j, k]
        whole = value[i] + by_error[i] + score[i].sum()
        if not np.isfinite(whole):
            value[i], by_error[i], score[i, :] = -np.inf, 0.0, 0.0
    return value, score, by_error


@compiled
def _sample(
    level: float, low: float, high: float, sd: float
) -> tuple[float, float, float]:
    """Return log likelihood of a sample, its slopes by log level and by log SD."""
    if low == high:
        x = (low - level) / sd
        return -0.5 * x * x - _LOG_SQRT_2PI - math.log(sd), x / sd, x * x - 1.0
    if high < np.inf:
        x = (high - level) / sd
        below, hazard = _below(x)
        return below, -hazard / sd, -hazard * x
    if low > -np.inf:
        x = (level - low) / sd
        below, hazard = _below(x)
        return below, hazard / sd, -hazard * x
    return 0.0, 0.0, 0.0


@compiled
def _below(x: float) -> tuple[float, float]:
    """Return the log of the normal probability below x, and density by probability.

    Far down by the asymptotic series: Abramowitz and Stegun 1964, 26.2.12.
    """
    log_density = -0.5 * x * x - _LOG_SQRT_2PI
    if x < _FAR:
        y = 1.0 / (x * x)
        ratio = (1.0 - y * (1.0 - y * (3.0 - y * (15.0 - y * 105.0)))) / -x
        return log_density + math.log(ratio), 1.0 / ratio
    if x > 5.0:
        log_below = math.log1p(-0.5 * math.erfc(x / _SQRT_2))
    else:
        log_below = math.log(0.5 * math.erfc(-x / _SQRT_2))
    return log_below, math.exp(log_density - log_below)
