"""Curve and samples on the scale on which a residual error adds, in its own SDs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.likelihood import Part

Array = NDArray[np.float64]
Number = Array | float

NAMES: Mapping[str, tuple[str, ...]] = {
    "lognormal": ("sd",),
    "student": ("sd",),
    "normal": ("sd",),
    "proportional": ("sd",),
    "combined": ("additive", "proportional"),
}
"""Kinds of residual error and their parameters, all of them positive."""

ON_LOG = ("lognormal", "student")
"""Kinds that add to the log level; the others add to the level."""

_WIDEST = 1e100
"""Standardised residuals are held within these, so that their squares are numbers."""


class Standardised(NamedTuple):
    """Samples against a curve, in standard deviations of the residual error.

    Parameters
    ----------
    low, high, width : ndarray, shape (..., m)
        Ends of the samples and the distance between them. Where the level is
        quantified, the ends are the same and the width has no meaning.
    slope : ndarray or float
        How fast the curve rises with its log level.
    scale : ndarray
        The standard deviation.
    growth : ndarray or float
        Derivative of its log by the log level of the curve.
    shares : tuple
        Derivatives of its log by the log of each parameter of the error.

    Examples
    --------
    >>> part = Part(np.array([0]), np.array([2.0]), np.array([2.5]))
    >>> found = standardise(np.array([1.0]), part, "lognormal", values=[np.array(0.5)])
    >>> found.low, found.high, found.width
    (array([2.]), array([3.]), array([1.]))
    """

    low: Array
    high: Array
    width: Array
    slope: Number
    scale: Array
    growth: Number
    shares: tuple[Number, ...]


def standardise(
    mu: Array, part: Part, kind: str, *, values: Sequence[Array]
) -> Standardised:
    """Return samples against a curve, in standard deviations of the residual error.

    Parameters
    ----------
    mu : ndarray, shape (..., m)
        Log level of the curve.
    part : Part
        What the m samples say.
    kind : str
        A key of ``NAMES``.
    values : sequence of ndarray
        The parameters of the error; broadcast with ``mu``.

    Examples
    --------
    >>> level = np.log([100.0])
    >>> part = Part(np.array([0]), level, level)
    >>> values = [np.array(30.0), np.array(0.4)]
    >>> standardise(level, part, "combined", values=values).scale       # 3, 4, 5
    array([50.])
    """
    if kind in ON_LOG:
        sd = values[0]
        return Standardised(*_ends(part.log_ends, mu, sd), 1 / sd, sd, 0.0, (1.0,))
    level = np.exp(mu)
    growth: Number = 0.0
    shares: tuple[Number, ...] = (1.0,)
    if kind == "normal":
        scale = values[0]
    elif kind == "proportional":
        scale, growth = values[0] * level, 1.0
    else:
        relative = values[1] * level
        scale = np.hypot(values[0], relative)
        growth = np.square(relative / scale)
        shares = 1.0 - growth, growth
    ends = _ends(part.level_ends, level, scale)
    return Standardised(
        *ends, np.minimum(level / scale, _WIDEST), scale, growth, shares
    )


def _ends(
    ends: tuple[Array, Array], middle: Array, scale: Array
) -> tuple[Array, Array, Array]:
    """Return low and high ends and the width between them, standardised."""
    low, high = ends
    with np.errstate(over="ignore"):
        if low is high:
            z = _held((low - middle) / scale)
            return z, z, z
        width = np.minimum((high - low) / scale, _WIDEST)
        return _held((low - middle) / scale), _held((high - middle) / scale), width


def _held(z: Array) -> Array:
    return np.minimum(np.maximum(z, -_WIDEST), _WIDEST)
