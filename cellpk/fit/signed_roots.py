"""Residuals whose squares add up to -2 log L, for every kind of residual error."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.fit.curvature import curvature
from cellpk.fit.likelihood import Evidence
from cellpk.fit.residual_error import ResidualError, gradients, log_likelihood
from cellpk.fit.standardised import ON_LOG
from cellpk.model.levels import LARGEST, SMALLEST

Array = NDArray[np.float64]

_SMALL = 1e-4
"""Below this a signed root is taken from its series: the difference would be noise."""

_ENDS = np.log(SMALLEST), np.log(LARGEST)
_HALVINGS = 64


def best_log_level(said: Evidence, error: ResidualError) -> Array:
    """Return the log level of a curve that would suit each sample best.

    Parameters
    ----------
    said : Evidence
        What the samples say, shape (n,) or (patients, n).
    error : ResidualError
        How the assay errs.

    Returns
    -------
    ndarray, shape as ``said.low``
        The log level as measured where the error adds to it; elsewhere a little off,
        since the error grows with the level. As low as can be for a sample below its
        limit.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> best_log_level(said, ResidualError("lognormal", {"sd": 0.5})).round(1)
    array([   2. , -690.8])
    >>> best_log_level(said, ResidualError("proportional", {"sd": 0.5}))[:1].round(2)
    array([1.81])
    """
    low, high = np.full_like(said.low, _ENDS[0]), np.full_like(said.low, _ENDS[1])
    if error.kind in ON_LOG:
        with np.errstate(invalid="ignore"):  # a sample without ends says nothing
            middle = 0.5 * (said.low + said.high)
        ends = np.where(np.isfinite(said.low), high, low)
        return np.where(np.isfinite(middle), middle, ends)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        rising = gradients(middle, said, error)[0] > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return 0.5 * (low + high)


def signed_roots(
    log_level: ArrayLike, said: Evidence, error: ResidualError
) -> tuple[Array, Array]:
    """Return signed roots r of -2 (log L - log L_best), and dr by the log level.

    Their sum of squares is -2 log L, but for what does not depend on the curve, so that
    least squares finds the maximum of the censored likelihood. Each r rises with the
    curve; it is (log of the curve less log level)/sd where a level is quantified with a
    log-normal error, and from 0 upwards for a sample below its limit.

    Parameters
    ----------
    log_level : array_like, shape (..., n)
        Log level of the curve at the samples; (..., patients, n) where ``said`` has
        rows of patients.
    said : Evidence
        What the samples say.
    error : ResidualError
        How the assay errs.

    Returns
    -------
    r, slope : ndarray, shape (..., n)
        The signed roots (without unit) and their derivatives by ``log_level``.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> r, slope = signed_roots([2.5, 1.5], said, ResidualError("lognormal",
    ...                         {"sd": 0.5}))
    >>> r.round(4)                                   # sqrt(-2 log(1/2)) = 1.1774
    array([1.    , 1.1774])
    """
    mu, best = np.asarray(log_level, float), best_log_level(said, error)
    loss = log_likelihood(best, said, error) - log_likelihood(mu, said, error)
    size = np.sqrt(2 * np.maximum(loss, 0.0))
    push = np.abs(gradients(mu, said, error)[0])
    steepest = np.sqrt(np.maximum(curvature(best, said, error), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(size > 0.0, push / size, 0.0)
    away = np.abs(mu - best)
    near = (away * steepest < _SMALL) & (away < 1) & (steepest > 0)
    r = np.where(near, steepest * (mu - best), np.sign(mu - best) * size)
    return r, np.where(near, steepest, slope)
