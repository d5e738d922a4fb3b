"""What a model gives for one or more patients: log levels, or the reason for none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST, LARGEST = 1e-300, 1e300
"""Levels are held within these: an extreme parameter gives a finite log level."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Log levels of patients, their gradients, and why there are none.

    Parameters
    ----------
    log_level : ndarray, shape (..., n)
        Natural log of the level. Always finite: log(1e-300) where the patient could
        not be calculated.
    gradient : ndarray, shape (..., n, p), or None
        By theta; 0 where the patient could not be calculated. None if not asked for.
    reasons : tuple of str or None
        One per patient, in the order of the flattened leading axes: a sentence where
        the patient could not be calculated, else None.

    Examples
    --------
    >>> Levels(np.zeros((2, 3)), None, (None, "the step fell short")).failed
    array([False,  True])
    """

    log_level: Array
    gradient: Array | None
    reasons: tuple[str | None, ...]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Whether a patient could not be calculated, shape (...)."""
        shape = self.log_level.shape[:-1]
        return np.array([reason is not None for reason in self.reasons]).reshape(shape)


def finite_levels(log_level: Array, gradient: Array | None) -> Levels:
    """Return log levels of a closed form; a patient without a number gets a reason.

    Parameters
    ----------
    log_level : ndarray, shape (..., n)
        As calculated; not a number where the formulas give none.
    gradient : ndarray, shape (..., n, p), or None
        By theta.

    Examples
    --------
    >>> levels = finite_levels(np.array([[0.0], [np.nan]]), None)
    >>> levels.reasons
    (None, 'the closed form gives no number for these parameters')
    >>> float(levels.log_level[1, 0].round(2))
    -690.78
    """
    bad = ~np.isfinite(log_level).all(axis=-1)
    if gradient is not None:
        bad |= ~np.isfinite(gradient).all(axis=(-1, -2))
    if not bad.any():
        return Levels(log_level, gradient, (None,) * bad.size)
    log_level[bad] = np.log(SMALLEST)
    if gradient is not None:
        gradient[bad] = 0.0
    sentence = "the closed form gives no number for these parameters"
    return Levels(
        log_level, gradient, tuple(sentence if no else None for no in bad.flat)
    )
