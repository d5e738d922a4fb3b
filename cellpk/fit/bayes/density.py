"""The log density that is sampled, of population and patients, with its slopes."""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.evaluation import Evaluation
from cellpk.fit.bayes.placement import Placement

Array = NDArray[np.float64]


class Gradient(NamedTuple):
    """A log density and its slopes by each argument of :meth:`Density.__call__`.

    Parameters
    ----------
    value : float
        Minus infinity where something cannot be calculated; all slopes are 0 then.
    by_w : ndarray, shape (q,)
    by_z : ndarray, shape (N, v)
    by_shift : ndarray, shape (N, p)
    by_between : ndarray, shape (v, v)
        Symmetric.
    by_errors : ndarray, shape (k,)
    by_log_odds : float

    Examples
    --------
    >>> Gradient._fields[:3]
    ('value', 'by_w', 'by_z')
    """

    value: float
    by_w: Array
    by_z: Array
    by_shift: Array
    by_between: Array
    by_errors: Array
    by_log_odds: float


@dataclass(frozen=True, eq=False)
class Density:
    """Prior of the coefficients, density of the patients, likelihood of their samples.

    Parameters
    ----------
    placement : Placement
        From numbers to coefficients and patients' parameters.
    evaluation : Evaluation
        Of the samples, given these.

    Examples
    --------
    >>> sorted(Density.__annotations__)
    ['evaluation', 'placement']
    """

    placement: Placement
    evaluation: Evaluation

    def __call__(
        self,
        w: Array,
        z: Array,
        shift: Array,
        *,
        between: Array,
        error_logs: Array,
        log_odds: float = -np.inf,
    ) -> Gradient:
        """Return the log density and its slopes.

        Parameters
        ----------
        w : ndarray, shape (q,)
            Numbers that stand for the coefficients.
        z : ndarray, shape (N, v)
            Numbers that stand for the patients' parameters.
        shift : ndarray, shape (N, p)
            What lots add to what is expected of each patient.
        between : ndarray, shape (v, v)
            Inverse of the covariance between patients.
        error_logs : ndarray, shape (k,)
            Logs of the parameters of the errors.
        log_odds : float
            That a patient never expands; minus infinity where there is no such class.
        """
        placed = self.placement.forward(w, z, shift, between=between)
        given = (w, z, placed.theta, between, error_logs)
        if not isfinite(placed.value):
            return _nothing(given)
        found = self.evaluation(placed.theta, error_logs, log_odds=log_odds)
        value = found.value + placed.value
        if not isfinite(value):
            return _nothing(given)
        by_w, by_z, by_shift, by_between = self.placement.backward(
            found.score, placed, w=w, z=z, between=between
        )
        # What is not a number in any other slope reaches that by P, too.
        whole = by_between.sum() + found.by_errors.sum() + found.by_log_odds
        if not isfinite(whole):
            return _nothing(given)
        by_rest = (found.by_errors, found.by_log_odds)
        return Gradient(value, by_w, by_z, by_shift, by_between, *by_rest)


def _nothing(given: tuple[Array, ...]) -> Gradient:
    """Return what stands for a place where something cannot be calculated."""
    w, z, shift, between, errors = (np.zeros(x.shape) for x in given)
    return Gradient(-np.inf, w, z, shift, between, errors, 0.0)
