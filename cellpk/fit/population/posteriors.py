"""What is known of each patient, once the population is estimated."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.importance import Importance
from cellpk.fit.population.state import State

Array = NDArray[np.float64]

KEPT = 200
"""Draws of each patient that are kept, of equal weight."""


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What is known of each patient's parameters, given her samples.

    Parameters
    ----------
    mean, covariance : ndarray, shapes (N, p) and (N, p, p)
        Moments of the parameters on the transformed scale.
    draws : ndarray, shape (n, N, p)
        What they may be; draws of equal weight.
    expanded : ndarray, shape (N,)
        The chance that her cells expanded at all.
    effective : ndarray, shape (N,)
        How many independent draws the weighted ones behind all this were worth.
    log_likelihood : ndarray, shape (N,)
        Log likelihood of her samples; patients of one lot have equal parts of theirs.
    lot_mean, lot_sd : ndarray, shape (L, d)
        What each donor lot adds; empty where lots do not differ.

    Examples
    --------
    >>> sorted(Posteriors.__annotations__)[:3]
    ['covariance', 'draws', 'effective']
    """

    mean: Array
    covariance: Array
    draws: Array
    expanded: Array
    effective: Array
    log_likelihood: Array
    lot_mean: Array = field(default_factory=lambda: np.zeros((0, 0)))
    lot_sd: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def shrinkage(self, expected: Array, spread: Array) -> Array:
        """Return by how many % the SD of the patients' means falls short, (p,).

        Patients count by the chance that their cells expanded: of the others' curves
        nothing is known.

        Parameters
        ----------
        expected : ndarray, shape (N, p)
            What is expected of each patient.
        spread : ndarray, shape (p,)
            SD between patients.
        """
        away = self.mean - expected
        weight = self.expanded / self.expanded.sum()
        variance = weight @ np.square(away - weight @ away)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100 * (1 - np.sqrt(variance) / spread)


def posteriors_of(
    found: Importance, state: State, rng: np.random.Generator
) -> Posteriors:
    """Return what weighted draws say of each patient.

    Parameters
    ----------
    found : Importance
        The draws.
    state : State
        Estimates of the population.
    rng : numpy Generator
        Chance of the resampling.

    Returns
    -------
    Posteriors

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> moments = sampled.structure.means(start.beta), np.tile(start.omega, (8, 1, 1))
    >>> chance = np.random.default_rng(1)
    >>> found = Importance(sampled, start, moments=moments, rng=chance)
    >>> posteriors_of(found, start, chance).draws.shape
    (200, 8, 6)
    """
    mean, covariance = found.moments(state)
    weights, expanded = found.expected(state)
    lot_mean, lot_sd = found.lot_moments(state)
    return Posteriors(
        mean=mean,
        covariance=covariance,
        draws=_resampled(found.theta, weights, rng),
        expanded=expanded,
        effective=1 / np.square(weights).sum(0),
        log_likelihood=found.log_likelihood(state),
        lot_mean=lot_mean,
        lot_sd=lot_sd,
    )


def _resampled(theta: Array, weights: Array, rng: np.random.Generator) -> Array:
    """Draw by weight, evenly along their sums (systematic resampling)."""
    patients = weights.shape[1]
    sums = np.cumsum(weights, axis=0)
    places = (np.arange(KEPT)[:, None] + rng.random(patients)) / KEPT
    chosen = [
        np.searchsorted(sums[:, i], places[:, i] * sums[-1, i]) for i in range(patients)
    ]
    rows = np.minimum(np.transpose(chosen), len(theta) - 1)
    # In each patient by itself, but all her parameters together.
    return theta[rng.permuted(rows, axis=0), np.arange(patients)]
