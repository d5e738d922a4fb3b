"""The log density of all patients together, in whitened numbers, with its gradients."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.data import FitData
from cellpk.fit.population.joint import JointErrors

Array = NDArray[np.float64]


class Slopes(NamedTuple):
    """A log density and its gradients.

    Parameters
    ----------
    value : float
        Sum over the patients.
    z : ndarray, shape (N, v)
    mean : ndarray, shape (N, p)
    between : ndarray, shape (v, v)
    errors : ndarray, shape (k,)
    odds : float
        By each of the arguments of :meth:`PatientDensity.at`.

    Examples
    --------
    >>> Slopes._fields[0]
    'value'
    """

    value: float
    z: Array
    mean: Array
    between: Array
    errors: Array
    odds: float


@dataclass(frozen=True, eq=False)
class PatientDensity:
    """Likelihood of the samples times the density of the parameters between patients.

    Parameters
    ----------
    data : FitData
        The samples.
    errors : JointErrors
        Residual errors; their numbers are not used.
    varies : ndarray of bool, shape (p,)
        Which parameters differ between patients.
    whitening : Whitening
        What the sampler sees instead of the parameters.
    never : bool
        Whether there is a class of patients whose cells never expand.

    Examples
    --------
    >>> sorted(PatientDensity.__annotations__)[:2]
    ['data', 'errors']
    """

    data: FitData
    errors: JointErrors
    varies: NDArray[np.bool_]
    whitening: Whitening
    never: bool

    def at(
        self, z: Array, mean: Array, between: Array, errors: Array, odds: float
    ) -> Slopes:
        """Return the log density and its gradients.

        Parameters
        ----------
        z : ndarray, shape (N, v)
            The whitened numbers.
        mean : ndarray, shape (N, p)
            What is expected of each patient, on the transformed scale.
        between : ndarray, shape (v, v)
            Precision between patients, of the parameters that vary.
        errors : ndarray, shape (k,)
            Logs of the residual errors.
        odds : float
            Log odds never to have expanded; not used where there is no such class.

        Returns
        -------
        Slopes
            Without the N/2 log determinant of ``between``; minus infinity and zeros
            where something cannot be calculated.
        """
        try:
            with np.errstate(all="ignore"):
                found = self._at(z, mean, between, errors, odds)
        except np.linalg.LinAlgError:
            return self._impossible(z, mean, between, errors)
        finite = np.isfinite(found.value) and all(
            np.isfinite(slope).all() for slope in found[1:]
        )
        return found if finite else self._impossible(z, mean, between, errors)

    def _impossible(
        self, z: Array, mean: Array, between: Array, errors: Array
    ) -> Slopes:
        by_z, by_mean = np.zeros_like(z), np.zeros_like(mean)
        by_between, by_error = np.zeros_like(between), np.zeros_like(errors)
        return Slopes(-np.inf, by_z, by_mean, by_between, by_error, 0.0)

    def _at(
        self, z: Array, mean: Array, between: Array, errors: Array, odds: float
    ) -> Slopes:
        own = mean[:, self.varies]
        theta = mean.copy()
        parameters, root, centre = self.whitening.forward(z, own, between)
        theta[:, self.varies] = parameters
        value, score, by_error, by_odds = self._samples(theta, errors, odds)
        turned = np.swapaxes(root, -1, -2)
        away = parameters - own
        drawn = away @ between
        logs = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum()
        total = value.sum() - 0.5 * (away * drawn).sum() + logs
        pull = score[:, self.varies] - drawn
        by_z = (root @ pull[..., None])[..., 0]
        by_pull = (turned @ by_z[..., None])[..., 0]
        by_mean = score.copy()
        by_mean[:, self.varies] = by_pull @ between + drawn
        size = z.shape[-1]
        low = np.tril(np.ones((size, size)), -1) + np.eye(size) / 2
        inner = -low * (z[:, :, None] * by_z[:, None, :]) - np.eye(size) / 2
        inner = (inner + np.swapaxes(inner, -1, -2)) / 2
        by_between = (turned @ inner @ root).sum(0) - away.T @ away / 2
        by_between = by_between + by_pull.T @ (own - centre)
        by_between = (by_between + by_between.T) / 2
        return Slopes(total, by_z, by_mean, by_between, by_error, by_odds)

    def _samples(
        self, theta: Array, errors: Array, odds: float
    ) -> tuple[Array, Array, Array, float]:
        """Return log likelihoods, and slopes by theta, by errors and by the odds."""
        parts = self.errors.with_logs(errors).parts
        levels = self.data.levels(theta, gradient=True)
        value = self.data.log_likelihood(levels, parts)
        score = self.data.score(levels, parts)
        by_error = self.data.error_gradient(levels, parts)
        if not self.never:
            return value, score, by_error.sum(0), 0.0
        nothing, by_nothing = self.data.no_cells(parts)
        share = 1 / (1 + np.exp(-odds))
        curve, zero = value + np.log1p(-share), nothing + np.log(share)
        whole = np.logaddexp(curve, zero)
        expanded = np.exp(curve - whole)[:, None]
        by_error = expanded * by_error + (1 - expanded) * by_nothing
        by_odds = float((1 - expanded).sum() - len(value) * share)
        return whole, expanded * score, by_error.sum(0), by_odds
