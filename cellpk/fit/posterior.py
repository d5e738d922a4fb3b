"""Draws from what is known of a patient, by importance sampling.

Posteriors of sparse data under a curve with a switch are not normal: intervals from
curvature covered true peak times in 73 to 89 % of simulated patients, where 95 % were
claimed. Weighted draws from a heavy-tailed proposal, adapted once or more, need no
such shape.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEPT = 1000
"""Draws handed on, of equal weight, where no other number is asked for."""

FEW = 100.0
"""Effective draws below which tail quantiles are not to be trusted."""

_ENOUGH, _ROUNDS = 500.0, 4
_DRAWN = (2000, 4000)
_HEAVY = 5.0


@dataclass(frozen=True, eq=False)
class Component:
    """One multivariate t distribution of a proposal.

    Parameters
    ----------
    share : float
        Its part of the mixture.
    mean, covariance : ndarray, shape (d,) and (d, d)
        Location and scale.
    dof : float
        Degrees of freedom: how heavy its tails are.

    Examples
    --------
    >>> normal = Component(1.0, np.zeros(1), np.eye(1), dof=1e9)
    >>> normal.log_pdf(np.zeros((1, 1))).round(4)
    array([-0.9189])
    """

    share: float
    mean: Array
    covariance: Array
    dof: float = _HEAVY

    def log_pdf(self, points: Array) -> Array:
        """Return the log density of points, shape (n, d) to (n,).

        Examples
        --------
        >>> cauchy = Component(1.0, np.zeros(1), np.eye(1), dof=1.0)
        >>> float(cauchy.log_pdf(np.ones((1, 1)))[0]), -math.log(2 * math.pi)
        (-1.8378..., -1.8378...)
        """
        size, dof = self.mean.size, self.dof
        root = np.linalg.cholesky(self.covariance)
        distance = np.square(np.linalg.solve(root, (points - self.mean).T)).sum(0)
        gammas = math.lgamma((dof + size) / 2) - math.lgamma(dof / 2)
        scale = size / 2 * math.log(dof * math.pi) + np.log(np.diag(root)).sum()
        return gammas - scale - (dof + size) / 2 * np.log1p(distance / dof)

    def draw(self, number: int, rng: np.random.Generator) -> Array:
        """Return draws, shape (number, d).

        Examples
        --------
        >>> one = Component(1.0, np.zeros(2), np.eye(2))
        >>> one.draw(3, np.random.default_rng(1)).shape
        (3, 2)
        """
        root = np.linalg.cholesky(self.covariance)
        normal = rng.standard_normal((number, self.mean.size)) @ root.T
        stretch = np.sqrt(self.dof / rng.chisquare(self.dof, number))
        return self.mean + normal * stretch[:, None]


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of equal weight.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        The draws.
    effective : float
        How many independent draws the weighted ones behind them were worth.

    Examples
    --------
    >>> Draws(np.zeros((1000, 6)), effective=812.0).effective
    812.0
    """

    points: Array
    effective: float


def sample(
    log_density: Callable[[Array], Array],
    components: Sequence[Component],
    rng: np.random.Generator,
    *,
    kept: int = KEPT,
) -> Draws:
    """Return draws from a density that is known up to a constant.

    Self-normalised importance sampling from a mixture of t distributions, to which a
    component with the moments of the weighted draws is added until the draws are worth
    enough (at least once).

    Parameters
    ----------
    log_density : callable
        From points, shape (n, d), to log densities, shape (n,).
    components : sequence of Component
        The first proposal; together they should reach wherever the density does.
    rng : numpy Generator
        Chance.
    kept : int
        How many draws to hand on.

    Returns
    -------
    Draws
        By systematic resampling; NaN where no draw was possible.

    References
    ----------
    Cappe O, Douc R, Guillin A, Marin J-M, Robert CP. Adaptive importance sampling in
    general mixture classes. Stat Comput 2008;18:447-459.

    Examples
    --------
    >>> wide = Component(1.0, np.zeros(1), 9 * np.eye(1))
    >>> drawn = sample(lambda x: -0.5 * (x[:, 0] - 1) ** 2, [wide],
    ...                np.random.default_rng(1))
    >>> float(drawn.points.mean().round(1)), float(drawn.points.std().round(1))
    (1.0, 1.0)
    """
    points, weights = _weighted(log_density, components, _DRAWN[0], rng)
    for _ in range(_ROUNDS - 1):
        adapted = [_moments(points, weights)] if weights.any() else []
        components = [*adapted, *_scaled(components, 0.5)]
        points, weights = _weighted(log_density, components, _DRAWN[1], rng)
        if _effective(weights) >= _ENOUGH:
            break
    if not weights.any():
        return Draws(np.full((kept, points.shape[-1]), np.nan), effective=0.0)
    places = (np.arange(kept) + rng.random()) / kept
    chosen = np.searchsorted(np.cumsum(weights), places)
    return Draws(points[np.minimum(chosen, len(points) - 1)], _effective(weights))


def _weighted(
    log_density: Callable[[Array], Array],
    components: Sequence[Component],
    number: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Draws from the mixture and weights that add up to 1; 0 if none is possible."""
    shares = np.array([component.share for component in components])
    shares = shares / shares.sum()
    counts = np.diff(np.round(np.cumsum([0.0, *shares]) * number)).astype(int)
    points = np.concatenate(
        [
            component.draw(count, rng)
            for component, count in zip(components, counts, strict=True)
        ]
    )
    proposed = np.logaddexp.reduce(
        [
            math.log(share) + component.log_pdf(points)
            for component, share in zip(components, shares, strict=True)
        ]
    )
    log_weights = log_density(points) - proposed
    if np.isneginf(log_weights.max()):
        return points, np.zeros(number)
    weights = np.exp(log_weights - log_weights.max())
    return points, weights / weights.sum()


def _effective(weights: Array) -> float:
    """Return how many draws the weights are worth: none where none is possible."""
    return float(1 / np.square(weights).sum()) if weights.any() else 0.0


def _moments(points: Array, weights: Array) -> Component:
    """Half of the next mixture: a t distribution with the moments of the draws."""
    mean = weights @ points
    away = points - mean
    covariance = 1.2 * (away.T * weights) @ away
    ridge = 1e-9 * np.diag(np.diag(covariance)) + 1e-12 * np.eye(mean.size)
    return Component(0.5, mean, covariance + ridge)


def _scaled(components: Sequence[Component], factor: float) -> list[Component]:
    """Return the same components with smaller shares, adding up to ``factor``."""
    total = sum(component.share for component in components)
    return [replace(c, share=factor * c.share / total) for c in components]
