"""Least squares from many starts at once, on curves that may have corners."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.objective import Objective

Array = NDArray[np.float64]

SAME = 0.1
"""Two ends are the same best fit if -2 log L differs by less: a likelihood ratio of
0.95, far within what the data can tell apart."""

TURNED = 4
"""How many of the best ends are improved at corners."""

STEP = 0.01
"""A small step, in conditional standard errors."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where a search ended.

    Parameters
    ----------
    ends, values : ndarray, shape (starts, p) and (starts,)
        Where each start ended, on the transformed scale, and its objective; best first.

    Examples
    --------
    >>> Optimum(np.zeros((3, 1)), np.array([1.0, 1.01, 4.0])).reached
    2
    """

    ends: Array
    values: Array

    @property
    def theta(self) -> Array:
        """The best parameters, shape (p,)."""
        return self.ends[0]

    @property
    def value(self) -> float:
        """The objective there."""
        return float(self.values[0])

    @property
    def reached(self) -> int:
        """How many starts came to the best value."""
        return int((self.values < self.value + SAME).sum())


def search(objective: Objective, batch: Array, starts: int) -> Optimum:
    """Return the best fit that can be reached from the most promising of many points.

    Parameters
    ----------
    objective : Objective
        What to minimise.
    batch : ndarray, shape (b, p)
        Candidates; the objective is evaluated at all of them at once.
    starts : int
        How many of them to descend from.

    Returns
    -------
    Optimum
        Ends of Levenberg and Marquardt's steps, the best of them improved at corners.

    References
    ----------
    Marquardt DW. An algorithm for least-squares estimation of nonlinear parameters.
    J Soc Indust Appl Math 1963;11:431-441.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.likelihood import Evidence
    >>> from cellpk.fit.prior import prior_of
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> times = np.array([4.0, 8, 12, 28])
    >>> levels = stein.log_level(stein.typical, times)
    >>> objective = Objective(stein, "qpcr", times, Evidence(levels, levels), prior,
    ...                       sd=0.56, penalised=True)
    >>> best = search(objective, prior.draws(64, seed=1), starts=4)
    >>> bool(abs(best.theta - stein.typical).max() < 1e-4)
    True
    """
    order = np.argsort(objective.value(batch), kind="stable")
    ends, values = _sorted(*_descend(objective, batch[order[:starts]]))
    turned = _turn_corners(objective, ends[:TURNED], values[:TURNED])
    ends[:TURNED], values[:TURNED] = turned
    return Optimum(*_sorted(ends, values))


def _sorted(ends: Array, values: Array) -> tuple[Array, Array]:
    order = np.argsort(values, kind="stable")
    return ends[order], values[order]


def _descend(
    objective: Objective,
    theta: Array,
    *,
    held: NDArray[np.bool_] | None = None,
    steps: int = 40,
) -> tuple[Array, Array]:
    """Levenberg-Marquardt from all starts, shape (k, p), at once; ends and values.

    Parameters that are ``held``, start by start, stay as they are.
    """
    prior = objective.prior
    free = np.ones(theta.shape, bool) if held is None else ~held
    theta = np.clip(theta, prior.low, prior.high)
    r, jacobian = objective.residuals(theta)
    value, damping = np.square(r).sum(-1), np.full(len(theta), 1e-2)
    for _ in range(steps):
        step = _step(r, jacobian * free[:, None, :], damping)
        step = np.clip(step, -2 * prior.sd, 2 * prior.sd)
        there = np.clip(theta + step, prior.low, prior.high)
        r_there, jacobian_there = objective.residuals(there)
        gain = value - np.square(r_there).sum(-1)
        better = gain > 0
        done = np.where(better, gain < 1e-9 * (1 + value), damping > 1e6)
        theta = np.where(better[:, None], there, theta)
        r = np.where(better[:, None], r_there, r)
        jacobian = np.where(better[:, None, None], jacobian_there, jacobian)
        value = np.where(better, value - gain, value)
        damping = np.where(better, damping / 5, damping * 4)
        if done.all():
            break
    return theta, value


def _step(r: Array, jacobian: Array, damping: Array) -> Array:
    """Damped Gauss-Newton steps, shape (k, p); 0 where the Jacobian is."""
    curvature = np.einsum("kni,knj->kij", jacobian, jacobian)
    slope = np.einsum("kni,kn->ki", jacobian, r)
    scale = np.einsum("kii->ki", curvature)
    scale = np.where(scale > 0, (1e-12 + damping[:, None]) * scale, 1.0)
    damped = curvature + scale[:, :, None] * np.eye(scale.shape[-1])
    return -np.linalg.solve(damped, slope[..., None])[..., 0]


def _turn_corners(
    objective: Objective, ends: Array, values: Array
) -> tuple[Array, Array]:
    """Return better ends where steps got stuck at a corner of the objective.

    A curve that switches at a time that is a parameter (the peak) gives an objective
    with a corner wherever that time meets a sample. The best fit often lies in such a
    corner, and gradients lead to and fro across it. So each parameter in turn is put
    where the objective is least along it, and held there while the others improve.
    """
    count, size = ends.shape
    held = np.tile(np.eye(size, dtype=bool), (count, 1))
    for _ in range(2):
        along = np.repeat(ends, size, axis=0)
        along = _lowest_along(objective, along, held)
        turned, lower = _descend(objective, along, held=held, steps=15)
        best = lower.reshape(count, size).argmin(axis=1) + size * np.arange(count)
        better = lower[best] < values - 1e-9
        ends = np.where(better[:, None], turned[best], ends)
        values = np.where(better, lower[best], values)
        if not better.any():
            break
    return ends, values


def _lowest_along(
    objective: Objective, theta: Array, along: NDArray[np.bool_]
) -> Array:
    """Move each row of theta, shape (k, p), to the least value along one parameter."""
    reach, grid = 0.3 * objective.prior.sd, np.linspace(-1, 1, 33)
    for _ in range(5):
        tried = theta[:, None, :] + grid[:, None] * (along * reach)[:, None, :]
        lowest = objective.value(tried).argmin(axis=1)
        theta, reach = tried[np.arange(len(theta)), lowest], reach / 16
    return theta


def is_stationary(objective: Objective, theta: Array) -> bool:
    """Return whether no small step within the bounds lowers the objective.

    This holds at smooth minima and in corners alike, where gradients need not vanish.

    Parameters
    ----------
    objective : Objective
        What was minimised.
    theta : ndarray, shape (p,)
        Where.

    Returns
    -------
    bool

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.likelihood import Evidence
    >>> from cellpk.fit.prior import prior_of
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> objective = Objective(stein, "qpcr", np.empty(0), Evidence(*np.empty((2, 0))),
    ...                       prior, sd=0.56, penalised=True)
    >>> is_stationary(objective, prior.centre)
    True
    >>> is_stationary(objective, prior.centre + prior.sd)
    False
    """
    _, jacobian = objective.residuals(theta)
    curvature = np.square(jacobian).sum(axis=0)
    steps = STEP * np.diag(1 / np.sqrt(np.maximum(curvature, 1e-300)))
    steps = np.clip(steps, -objective.prior.sd, objective.prior.sd)
    around = np.concatenate([theta + steps, theta - steps])
    around = np.clip(around, objective.prior.low, objective.prior.high)
    return bool((objective.value(around) > objective.value(theta) - 1e-5).all())
