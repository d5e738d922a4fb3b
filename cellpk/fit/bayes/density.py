"""The log density that is sampled, of population and patients, with its slopes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.evaluation import Evaluation
from cellpk.fit.bayes.location import Location
from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.population.structure import Structure

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
    evaluation : Evaluation
        Of the patients, given what is expected of them.
    location : Location
        From numbers to the coefficients.
    structure : Structure
        From these to what is expected of each patient.

    Examples
    --------
    >>> sorted(Density.__annotations__)
    ['evaluation', 'location', 'structure']
    """

    evaluation: Evaluation
    location: Location
    structure: Structure

    @property
    def whitening(self) -> Whitening:
        """From numbers to the patients' parameters."""
        return self.evaluation.whitening

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
        placed, design = self.location.forward(w, between), self.structure.design
        mean = design @ placed.beta + shift
        found = self.evaluation(z, mean, between, error_logs, log_odds=log_odds)
        prior, by_prior = self.location.prior(placed.beta)
        value = found.value + prior + placed.log_size
        if not np.isfinite(value):
            return self._nothing(found.by_mean, w, z, between, error_logs)
        by_beta = np.tensordot(found.by_mean, design, 2) + by_prior
        by_w, by_sum = self.location.backward(by_beta, w, placed)
        return Gradient(
            value,
            by_w,
            found.by_z,
            found.by_mean,
            found.by_between + by_sum,
            found.by_errors,
            found.by_log_odds,
        )

    def _nothing(
        self, by_mean: Array, w: Array, z: Array, between: Array, errors: Array
    ) -> Gradient:
        by_w, by_z, by_shift = np.zeros_like(w), np.zeros_like(z), 0 * by_mean
        by_between, by_errors = np.zeros_like(between), np.zeros_like(errors)
        return Gradient(-np.inf, by_w, by_z, by_shift, by_between, by_errors, 0.0)
