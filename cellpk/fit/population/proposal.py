"""From where each patient's parameters are drawn: mixtures of t distributions.

What is known of a patient with few quantified samples is far from normal: bounded on
one side by a limit, or split by the switch of a curve. One component with the right
moments misses much of it; several reach it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HEAVY = 5.0
"""Degrees of freedom of all components."""

COMPONENTS = 3
"""Components that are fitted to the draws of a patient."""

_WIDER = 1.2
_SWEEPS = 6
_POOLED = 5.0  # draws of the common covariance that each component is given


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mixture of k multivariate t distributions for each of N patients.

    Parameters
    ----------
    shares : ndarray, shape (k, N)
        Parts of the mixture; they add up to 1 in each patient.
    means : ndarray, shape (k, N, p)
        Centres.
    covariances : ndarray, shape (k, N, p, p)
        Scales.

    Examples
    --------
    >>> one = Proposal(np.ones((1, 2)), np.zeros((1, 2, 1)), np.ones((1, 2, 1, 1)))
    >>> drawn = one.draw(40000, np.random.default_rng(1))
    >>> drawn.shape, float(drawn.var().round(1))                # 5 / (5 - 2)
    ((40000, 2, 1), 1.7)
    >>> float(one.log_density(np.zeros((1, 2, 1)))[0, 0].round(4))
    -0.9686
    """

    shares: Array
    means: Array
    covariances: Array

    @property
    def roots(self) -> Array:
        """Cholesky factors of the covariances."""
        ridge = 1e-8 * np.eye(self.means.shape[-1])
        return np.linalg.cholesky(self.covariances + ridge)

    def of(self, rows: NDArray[np.intp]) -> "Proposal":
        """Return the mixtures of some patients."""
        return Proposal(
            self.shares[:, rows], self.means[:, rows], self.covariances[:, rows]
        )

    def draw(self, number: int, rng: np.random.Generator) -> Array:
        """Return draws, shape (number, N, p); as many of a component as its share."""
        _, patients, size = self.means.shape
        places = (np.arange(number)[:, None] + rng.random(patients)) / number
        chosen = (places[..., None] > np.cumsum(self.shares, axis=0).T[:, :-1]).sum(-1)
        normal = rng.standard_normal((number, patients, size))
        normal *= np.sqrt(HEAVY / rng.chisquare(HEAVY, chosen.shape))[..., None]
        drawn = np.empty_like(normal)
        for k, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            there = mean + _each(normal, root)
            drawn = np.where((chosen == k)[..., None], there, drawn)
        return drawn

    def log_density(self, points: Array) -> Array:
        """Return the log density of points, shape (n, N, p) to (n, N)."""
        size = self.means.shape[-1]
        gammas = math.lgamma((HEAVY + size) / 2) - math.lgamma(HEAVY / 2)
        found = []
        parts = zip(self.shares, self.means, self.roots, strict=True)
        for share, mean, root in parts:
            logs = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
            scale = size / 2 * math.log(HEAVY * math.pi) + logs
            distance = np.square(_each(points - mean, np.linalg.inv(root))).sum(-1)
            tail = (HEAVY + size) / 2 * np.log1p(distance / HEAVY)
            found.append(np.log(share) + gammas - scale - tail)
        return np.logaddexp.reduce(found)

    def beside(self, other: "Proposal", share: float) -> "Proposal":
        """Return a mixture in which another one has a share."""
        return Proposal(
            np.concatenate([(1 - share) * self.shares, share * other.shares]),
            np.concatenate([self.means, other.means]),
            np.concatenate([self.covariances, other.covariances]),
        )


def about(mean: Array, covariance: Array) -> Proposal:
    """Return one component for each patient, a little wider than the covariance.

    Parameters
    ----------
    mean : ndarray, shape (N, p)
        Centres.
    covariance : ndarray, shape (N, p, p)
        Of the parameters.

    Examples
    --------
    >>> about(np.zeros((2, 1)), np.ones((2, 1, 1))).covariances.ravel()
    array([1.2, 1.2])
    """
    shares = np.ones((1, len(mean)))
    return Proposal(shares, mean[None], _WIDER * covariance[None])


def fitted(points: Array, weights: Array) -> Proposal:
    """Return mixtures that suit weighted draws.

    Expectation maximisation of a normal mixture, from components side by side along
    the direction in which the draws spread most. Of few heavy draws nothing can be
    learned: the heaviest are levelled down first.

    Parameters
    ----------
    points : ndarray, shape (n, N, p)
        Draws.
    weights : ndarray, shape (n, N)
        Their weights, which add up to 1 in each patient.

    Returns
    -------
    Proposal
        ``COMPONENTS`` components.

    References
    ----------
    Cappe O, Douc R, Guillin A, Marin J-M, Robert CP. Adaptive importance sampling in
    general mixture classes. Stat Comput 2008;18:447-459. Koblents E, Miguez J. A
    population Monte Carlo scheme with transformed weights. Stat Comput
    2015;25:407-425 (levelled weights).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> two = np.where(rng.random((2000, 1, 1)) < 0.5, -5.0, 5.0)
    >>> found = fitted(two + rng.normal(size=two.shape), np.full((2000, 1), 1 / 2000))
    >>> bool(found.log_density(np.zeros((1, 1, 1)))[0, 0] < -5)
    True
    """
    theta, weights = np.moveaxis(points, 0, 1), _levelled(weights, points.shape[-1]).T
    mean, whole = _moments(theta, weights)
    values, vectors = np.linalg.eigh(whole)
    along = np.sqrt(values[:, -1:]) * vectors[..., -1]
    steps = np.linspace(-1, 1, COMPONENTS)
    means = mean + steps[:, None, None] * along
    covariances = np.broadcast_to(whole, (COMPONENTS, *whole.shape))
    shares = np.full((COMPONENTS, len(mean)), 1 / COMPONENTS)
    kept = _POOLED / (1 / np.square(weights).sum(-1))
    for _ in range(_SWEEPS):
        now = Proposal(shares, means, covariances)
        belongs = _belongs(now, theta) * weights
        sizes = belongs.sum(-1)
        shares = (sizes + kept) / (sizes + kept).sum(0)
        apart = [_moments(theta, each) for each in belongs]
        means = np.stack([each for each, _ in apart])
        own = np.stack([each for _, each in apart])
        part = (kept / (kept + sizes))[..., None, None]
        covariances = (1 - part) * own + part * whole
    return Proposal(shares, means, _WIDER * covariances)


def _each(points: Array, matrices: Array) -> Array:
    """Multiply each patient's points, (n, N, p), by her matrix, (N, p, p)."""
    turned = np.moveaxis(points, 0, 1) @ np.swapaxes(matrices, -1, -2)
    return np.moveaxis(turned, 1, 0)


def _levelled(weights: Array, size: int) -> Array:
    """Cut the heaviest weights to one another, so that enough draws count."""
    place = max(0, len(weights) - 10 * size)
    most = np.partition(weights, place, axis=0)[place]
    cut = np.minimum(weights, np.maximum(most, 1e-12 * weights.max(0)))
    return cut / cut.sum(0)


def _moments(theta: Array, weights: Array) -> tuple[Array, Array]:
    """Return weighted means and covariances; theta (N, n, p), weights (N, n)."""
    weights = weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    mean = (weights[:, None, :] @ theta)[:, 0]
    away = theta - mean[:, None, :]
    return mean, np.swapaxes(weights[..., None] * away, -1, -2) @ away


def _belongs(now: Proposal, theta: Array) -> Array:
    """Return the chance of each draw to be of each component, (k, N, n)."""
    logs = []
    for share, mean, root in zip(now.shares, now.means, now.roots, strict=True):
        inverse = np.swapaxes(np.linalg.inv(root), -1, -2)
        z = (theta - mean[:, None, :]) @ inverse
        scale = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
        logs.append((np.log(share) - scale)[:, None] - 0.5 * np.square(z).sum(-1))
    chances = np.exp(logs - np.max(logs, axis=0))
    return chances / chances.sum(0)
