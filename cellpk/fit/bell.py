"""Distributions about 0 that residual errors are made of, stable in both tails."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_SQRT_2 = np.sqrt(2.0)
_HAZARD_AT_0 = np.sqrt(2 / np.pi)
_FAR = 1e-200
"""Tail probability below which Student's t is worked out from its series."""


class Bell(Protocol):
    """A distribution that is symmetric about 0, of a standardised residual z."""

    def log_density(self, z: Array) -> Array:
        """Return the log of the density at z."""
        ...

    def pull(self, z: Array) -> Array:
        """Return how fast the log density falls as z rises."""
        ...

    def log_below(self, z: Array) -> Array:
        """Return the log of the probability to lie below z."""
        ...

    def hazard(self, z: Array) -> Array:
        """Return the density at z by the probability to lie below z."""
        ...

    def log_ratio(self, z: Array, width: Array) -> Array:
        """Return the log of the probability below z - width by that below z."""
        ...


@dataclass(frozen=True)
class Normal(Bell):
    """The standard normal distribution.

    Examples
    --------
    >>> normal = Normal()
    >>> z = np.array([-1e8, 0.0])
    >>> normal.log_below(z).round(4), normal.hazard(z).round(4)
    (array([-5.000e+15, -6.931e-01]), array([1.000e+08, 7.979e-01]))
    """

    def log_density(self, z: Array) -> Array:
        """Return the log of the density at z."""
        return -0.5 * (z * z) - _LOG_SQRT_2PI

    def pull(self, z: Array) -> Array:
        """Return how fast the log density falls as z rises."""
        return z

    def log_below(self, z: Array) -> Array:
        """Return the log of the probability to lie below z."""
        from scipy.special import log_ndtr

        return log_ndtr(z)

    def hazard(self, z: Array) -> Array:
        """Return the density at z by the probability to lie below z."""
        from scipy.special import erfcx

        return _HAZARD_AT_0 / erfcx(z / -_SQRT_2)

    def log_ratio(self, z: Array, width: Array) -> Array:
        """Return the log of the probability below z - width by that below z.

        The squares, which outweigh all else far out, are taken from each other before
        anything is rounded.
        """
        from scipy.special import erfcx

        scaled = erfcx((z - width) / -_SQRT_2) / erfcx(z / -_SQRT_2)
        return np.log(scaled) + width * (z - 0.5 * width)


@dataclass(frozen=True)
class Student(Bell):
    """Student's t distribution.

    Parameters
    ----------
    df : float
        Degrees of freedom.

    Examples
    --------
    >>> cauchy = Student(1.0)
    >>> float(np.exp(cauchy.log_below(np.array(-1.0))).round(4))
    0.25
    """

    df: float

    def log_density(self, z: Array) -> Array:
        """Return the log of the density at z."""
        from math import lgamma

        df = self.df
        constant = lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * np.log(df * np.pi)
        return constant - 0.5 * (df + 1) * np.log1p(z * z / df)

    def pull(self, z: Array) -> Array:
        """Return how fast the log density falls as z rises."""
        return (self.df + 1) * z / (self.df + z * z)

    def log_below(self, z: Array) -> Array:
        """Return the log of the probability to lie below z."""
        from scipy.special import stdtr

        z = np.asarray(z)
        below = stdtr(self.df, z)
        far = below < _FAR
        near = np.log(np.where(far, 1.0, below))
        if not far.any():
            return near
        return np.where(far, self._log_tail(np.where(far, z, -1.0)), near)

    def _log_tail(self, z: Array) -> Array:
        """Log of the probability below z, far out: the incomplete beta's series."""
        from scipy.special import betaln, hyp2f1

        half = 0.5 * self.df
        log_x = -np.log1p(z * z / self.df)
        x = np.exp(log_x)
        series = hyp2f1(half + 0.5, 1.0, half + 1.0, x)
        rest = 0.5 * np.log1p(-x) + np.log(series / (2 * half))
        return half * log_x + rest - betaln(half, 0.5)

    def hazard(self, z: Array) -> Array:
        """Return the density at z by the probability to lie below z."""
        return np.exp(self.log_density(z) - self.log_below(z))

    def log_ratio(self, z: Array, width: Array) -> Array:
        """Return the log of the probability below z - width by that below z."""
        return self.log_below(z - width) - self.log_below(z)
