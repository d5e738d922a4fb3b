"""One censored likelihood for log-normal residuals, as residuals to be squared.

Every sample says that the log level, as measured, lies between two ends: a quantified
sample between a number and itself, a sample below the limit between minus infinity and
the log limit. That one form serves the fit, its gradient and its draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_SMALL = 1e-4
"""Below this a signed root is taken from its series: the difference would be noise."""

LEFT_OUT = {
    "lloq": "below a limit that is not known: no information",
    "uloq": "above a limit that is not known: no information",
    "level": "no positive level",
    "missing": "missing",
}
"""Why a sample cannot enter the likelihood."""


@dataclass(frozen=True, eq=False)
class Part:
    """Samples that say the same sort of thing: where they stand, and their ends.

    Parameters
    ----------
    place : ndarray of int, shape (m,)
        Where they stand among all samples, counted through all axes.
    low, high : ndarray, shape (m,)
        Ends of the log level.

    Examples
    --------
    >>> Part(np.array([3]), np.array([-np.inf]), np.array([0.0])).level_ends
    (array([-inf]), array([1.]))
    """

    place: NDArray[np.intp]
    low: Array
    high: Array

    @property
    def log_ends(self) -> tuple[Array, Array]:
        """Ends of the log level as measured."""
        return self.low, self.high

    @cached_property
    def level_ends(self) -> tuple[Array, Array]:
        """Ends of the level as measured, which may be below 0 where nothing bounds it.

        An instrument whose error adds to the level may read less than nothing.
        """
        if self.low is self.high:
            level = np.exp(self.low)
            return level, level
        low = np.where(np.isneginf(self.low), -np.inf, np.exp(self.low))
        return low, np.exp(self.high)


@dataclass(frozen=True)
class Evidence:
    """What the samples say of the log level: that it lies from ``low`` to ``high``.

    Parameters
    ----------
    low, high : ndarray, shape (n,) or (patients, n)
        Ends on the natural-log scale; equal where the level is quantified, infinite
        where nothing bounds it. A sample without any end says nothing: rows of
        patients are padded with such.

    Examples
    --------
    >>> Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5])).quantified
    array([ True, False])
    """

    low: Array
    high: Array

    @property
    def quantified(self) -> NDArray[np.bool_]:
        """Which samples give a level rather than a range."""
        return self.low == self.high

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """Samples by what they say, worked out once.

        Names are "quantified", "below" (one end, above the level), "above" and
        "between"; those of which there is no sample are left out.
        """
        left, right = np.isfinite(self.low), np.isfinite(self.high)
        masks = {
            "quantified": self.quantified,
            "below": ~left & right,
            "above": left & ~right,
            "between": left & right & ~self.quantified,
        }
        found = {}
        for name, mask in masks.items():
            low = self.low[mask]
            high = low if name == "quantified" else self.high[mask]
            if mask.any():
                found[name] = Part(np.flatnonzero(mask), low, high)
        return found


def evidence(samples: pd.DataFrame) -> tuple[Evidence, pd.Series]:
    """Return what each sample says of the log level, and why a sample says nothing.

    A quantified sample gives its level; a detected one that it lies between the limits
    of detection and quantification; a sample below or above gives one end (the M3
    rule). A limit that nobody knows gives no end, so that the sample is left out.

    Parameters
    ----------
    samples : DataFrame
        With ``state``, ``level``, ``lloq``, ``llod`` and ``uloq``, as in
        ``study.samples``.

    Returns
    -------
    evidence : Evidence
        One entry per usable sample, in the order of the rows.
    left_out : Series of str
        One entry per row: why it is not used, empty where it is.

    References
    ----------
    Beal SL. Ways to fit a PK model with some data below the quantification limit.
    J Pharmacokinet Pharmacodyn 2001;28:481-504 (M3).

    Examples
    --------
    >>> rows = pd.DataFrame({"state": ["quantified", "below", "below"],
    ...                      "level": [100.0, np.nan, np.nan], "llod": np.nan,
    ...                      "lloq": [10.0, 10.0, np.nan], "uloq": np.nan})
    >>> said, left_out = evidence(rows)
    >>> said.high.round(2)
    array([4.61, 2.3 ])
    >>> left_out[2]
    'below a limit that is not known: no information'
    """
    state = samples["state"].to_numpy()
    numbers = samples[["level", "lloq", "llod", "uloq"]].to_numpy(float)
    level, lloq, llod, uloq = np.log(np.where(numbers > 0, numbers, np.nan)).T
    seen = state == "quantified"
    detected = state == "detected"
    above = state == "above"
    under = detected | (state == "below")
    low = np.select(
        [seen, above, detected & np.isfinite(llod)], [level, uloq, llod], -np.inf
    )
    high = np.select([seen, under], [level, lloq], np.inf)
    left_out = np.select(
        [
            seen & ~np.isfinite(level),
            under & ~np.isfinite(lloq),
            above & ~np.isfinite(uloq),
            ~(seen | under | above),
        ],
        [LEFT_OUT[name] for name in ("level", "lloq", "uloq", "missing")],
        "",
    )
    used = left_out == ""
    return Evidence(low[used], high[used]), pd.Series(
        left_out, samples.index, dtype="str"
    )


def residuals(mu: ArrayLike, said: Evidence, sd: ArrayLike) -> tuple[Array, Array]:
    """Return signed roots r of -2 (log L - log L_best), and dr/dmu.

    Their sum of squares is -2 log L, but for what does not depend on the curve, so that
    least squares finds the maximum of the censored likelihood. Each r rises with mu:
    (mu - log level)/sd where the level is quantified, from 0 upwards for a sample below
    its limit, up to 0 for one above.

    Parameters
    ----------
    mu : array_like, shape (..., n)
        Log level of the curve at the samples.
    said : Evidence
        What the n samples say.
    sd : array_like
        Residual standard deviation on the natural-log scale; broadcasts with ``mu``.

    Returns
    -------
    r, slope : ndarray, shape (..., n)
        The signed roots (without unit) and their derivatives by ``mu``.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> r, slope = residuals([2.5, 1.5], said, 0.5)
    >>> r.round(4)                                   # sqrt(-2 log(1/2)) = 1.1774
    array([1.    , 1.1774])
    """
    mu, sd = np.asarray(mu, float), np.asarray(sd, float)
    quantified = said.quantified
    r = np.where(quantified, (mu - said.low) / sd, 0.0)
    slope = np.where(quantified, 1 / sd, np.zeros_like(mu))
    if not quantified.all():
        part = Evidence(said.low[~quantified], said.high[~quantified])
        sd = np.broadcast_to(sd, mu.shape)[..., ~quantified]
        r[..., ~quantified], slope[..., ~quantified] = _root(
            mu[..., ~quantified], part, sd
        )
    return r, slope


def log_likelihood(mu: ArrayLike, said: Evidence, sd: ArrayLike) -> Array:
    """Return the log likelihood of each sample: a density or a probability.

    Parameters
    ----------
    mu, said, sd
        As in :func:`residuals`.

    Returns
    -------
    ndarray, shape (..., n)
        Log density on the log-level scale for quantified samples, log probability for
        the others.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> log_likelihood([2.0, 1.5], said, 1.0).round(4)
    array([-0.9189, -0.6931])
    """
    mu, sd = np.asarray(mu, float), np.asarray(sd, float)
    low, high = (said.low - mu) / sd, (said.high - mu) / sd
    point = _log_density(low) - np.log(sd)
    return np.where(said.quantified, point, _log_between(low, high))


def best_log_likelihood(said: Evidence, sd: ArrayLike) -> Array:
    """Return the log likelihood of each sample under the curve that suits it best.

    This is the part of the log likelihood that :func:`residuals` leaves out; it depends
    on the residual standard deviation alone.

    Parameters
    ----------
    said, sd
        As in :func:`residuals`.

    Returns
    -------
    ndarray, shape (..., n)
        The largest log likelihood that any curve can reach; 0 below and above limits.

    Examples
    --------
    >>> said = Evidence(np.array([0.0, -1.0, -np.inf]), np.array([0.0, 1.0, 1.0]))
    >>> best_log_likelihood(said, 1.0).round(4)       # log density, log 0.6827, log 1
    array([-0.9189, -0.3817,  0.    ])
    """
    sd = np.asarray(sd, float)
    half, point = 0.5 * (said.high - said.low) / sd, -np.log(sd) - _LOG_SQRT_2PI
    return np.where(said.quantified, point, _log_between(-half, half))


def _log_between(low: Array, high: Array) -> Array:
    """Log of Phi(high) - Phi(low), stable in both tails."""
    from scipy.special import log_ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        mirrored = low + high > 0
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        upper, lower = log_ndtr(high), log_ndtr(low)
        return upper + np.log(-np.expm1(lower - upper))


def _log_density(z: Array) -> Array:
    return -0.5 * z**2 - _LOG_SQRT_2PI


def _root(mu: Array, said: Evidence, sd: Array) -> tuple[Array, Array]:
    """Signed root and slope where only a range is known."""
    low, high = (said.low - mu) / sd, (said.high - mu) / sd
    middle, half = 0.5 * (said.low + said.high), 0.5 * (high - low)
    log_l, best = _log_between(low, high), best_log_likelihood(said, sd)
    size = np.sqrt(np.maximum(-2 * (log_l - best), 0.0))
    push = np.exp(_log_density(low) - log_l) - np.exp(_log_density(high) - log_l)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(size > 0.0, np.abs(push) / (size * sd), 0.0)
        steepest = np.sqrt(2 * half * np.exp(_log_density(half) - best)) / sd
        near = np.isfinite(middle) & (size < _SMALL)
        r = np.where(near, steepest * (mu - middle), np.sign(mu - middle) * size)
    return r, np.where(near, steepest, slope)
