"""The likelihood of patients who share lots: an integral over what each lot adds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.lots import Lots

Array = NDArray[np.float64]

_NODES = {1: 15, 2: 7}


@dataclass(frozen=True, eq=False)
class Grid:
    """Nodes of an adaptive Gauss-Hermite quadrature for each lot.

    Parameters
    ----------
    nodes : ndarray, shape (B, L, d)
        What a lot may add.
    log_weights : ndarray, shape (B, L)
        Logs of the weights, for an integral by what a lot adds.

    References
    ----------
    Pinheiro JC, Bates DM. Approximations to the log-likelihood function in the
    nonlinear mixed-effects model. J Comput Graph Stat 1995;4:12-35.

    Examples
    --------
    >>> grid = Grid.about(np.zeros((1, 1)), np.ones((1, 1)))
    >>> normal = np.exp(-0.5 * grid.nodes[..., 0]**2) / np.sqrt(2 * np.pi)
    >>> float((np.exp(grid.log_weights) * normal).sum().round(12))
    1.0
    """

    nodes: Array
    log_weights: Array

    @classmethod
    def about(cls, mean: Array, sd: Array) -> "Grid":
        """Return nodes about where each lot is thought to be, shapes (L, d)."""
        size = mean.shape[1]
        z, w = np.polynomial.hermite_e.hermegauss(_NODES[size])
        points = np.stack(np.meshgrid(*[z] * size, indexing="ij"), -1)
        logs = np.stack(np.meshgrid(*[np.log(w) + z**2 / 2] * size, indexing="ij"), -1)
        points = points.reshape(-1, 1, size)
        logs = logs.reshape(-1, 1, size).sum(-1)
        return cls(mean + sd * points, logs + np.log(sd).sum(-1))


@dataclass(frozen=True, eq=False)
class Joint:
    """What samples say of patients and their lots together.

    Parameters
    ----------
    log_likelihood : ndarray, shape (L,)
        Of the samples of each lot's patients.
    chances : ndarray, shape (B, L)
        Of the nodes of each lot, given all samples.
    weights : ndarray, shape (draws, patients)
        Of a patient's draws; they add up to her chance to have expanded.
    present : ndarray, shape (B, patients)
        Chance of the node of the patient's lot, and that she expanded.
    first : ndarray, shape (B, patients, p)
        Sums over a patient's draws of their distance from what is expected, times the
        chances.

    Examples
    --------
    >>> sorted(Joint.__annotations__)
    ['chances', 'first', 'log_likelihood', 'present', 'weights']
    """

    log_likelihood: Array
    chances: Array
    weights: Array
    present: Array
    first: Array


def joint(
    grid: Grid,
    lots: Lots,
    *,
    log_weights: Array,
    away: Array,
    inverse: Array,
    sd: Array,
    never: tuple[float, Array],
) -> Joint:
    """Integrate over what each lot adds.

    A draw's prior density under what its lot adds follows from that without it:
    ``log N(x; b) = log N(x; 0) + b'Px - b'Pb / 2`` with the precision P.

    Parameters
    ----------
    grid : Grid
        Nodes.
    lots : Lots
        Who was given which.
    log_weights : ndarray, shape (draws, patients)
        Of the draws, for lots that add nothing.
    away : ndarray, shape (draws, patients, p)
        Distance of the draws from what is expected of an average lot.
    inverse : ndarray, shape (p, p)
        Precision between patients of one lot.
    sd : ndarray, shape (d,)
        SDs between lots.
    never : (float, ndarray)
        Share of those who never expanded, and the log likelihood of a level of zero.

    Returns
    -------
    Joint
    """
    nodes = grid.nodes[:, lots.of]
    pulled = away @ inverse[:, lots.places]
    own = inverse[np.ix_(lots.places, lots.places)]
    level = 0.5 * np.einsum("bid,de,bie->bi", nodes, own, nodes)
    logs = log_weights + np.einsum("mid,bid->bmi", pulled, nodes) - level[:, None]
    top = logs.max(1)
    weights = np.exp(logs - top[:, None])
    total = weights.sum(1)
    curve = top + np.log(total / len(log_weights)) + math.log1p(-never[0])
    whole = curve
    if never[0]:
        whole = np.logaddexp(curve, math.log(never[0]) + never[1])
    z = grid.nodes / sd
    prior = -0.5 * np.square(z).sum(-1) - np.log(sd * math.sqrt(2 * math.pi)).sum()
    each = lots.summed(whole[..., None])[..., 0] + prior + grid.log_weights
    likelihood = np.logaddexp.reduce(each)
    chances = np.exp(each - likelihood)
    present = chances[:, lots.of] * np.exp(curve - whole)
    weights *= (present / total)[:, None]
    first = np.moveaxis(weights.T.swapaxes(1, 2) @ np.moveaxis(away, 0, 1), 1, 0)
    return Joint(likelihood, chances, weights.sum(0), present, first)
