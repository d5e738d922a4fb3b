"""Laplace's approximation of the likelihood of a population, with its exact slope.

About each patient's mode, log likelihood plus log density between patients is taken
for a parabola; its curvature is the Gauss-Newton one, as in FOCE with interaction.
Where one parameter moves a switch of the model, there is no parabola: a corner stands
at each sample. That parameter is then integrated over, piece by piece between the
corners, and Laplace's approximation is taken for the others at each node.

References
----------
Tierney L, Kadane JB. Accurate approximations for posterior moments and marginal
densities. J Am Stat Assoc 1986;81:82-86. Almquist J, Leander J, Jirstrand M. Using
sensitivity equations for computing gradients of the FOCE and FOCEI approximations to
the population likelihood. J Pharmacokinet Pharmacodyn 2015;42:191-209.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.curvature import curvature
from cellpk.fit.modes import Aim, Surroundings, descend
from cellpk.fit.population.conditional import aim_at
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.places import Places
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.residual_error import gradients

Array = NDArray[np.float64]

_STEPS = 30
_AWAY = 2e-3  # of an SD between patients, and of a log: differences of exact slopes
_CLOSE = 0.1  # SDs: Newton's last step goes no further


class Approximation(NamedTuple):
    """The approximated likelihood, and what it rests on.

    Parameters
    ----------
    log_likelihood : ndarray, shape (N,)
        Of each patient.
    slopes : ndarray, shape (N, estimates)
        By the estimates, in the order of ``Layout.vector``.
    theta : ndarray, shape (K, N, p)
        Modes at the nodes.
    covariance : ndarray, shape (K, N, p, p)
        Inverse of the curvature there; 0 for a parameter that is held.
    weights : ndarray, shape (K, N)
        Shares of the nodes; they add up to 1 in each patient.

    Examples
    --------
    >>> Approximation._fields[:2]
    ('log_likelihood', 'slopes')
    """

    log_likelihood: Array
    slopes: Array
    theta: Array
    covariance: Array
    weights: Array

    @property
    def moments(self) -> tuple[Array, Array]:
        """Mean and covariance of each patient's parameters, (N, p) and (N, p, p)."""
        shares = self.weights[..., None]
        mean = (shares * self.theta).sum(0)
        away = self.theta - mean
        each = self.covariance + away[..., :, None] * away[..., None, :]
        return mean, (shares[..., None] * each).sum(0)


def approximated(sampled: Sampled, state: State, places: Places) -> Approximation:
    """Return Laplace's approximation of the likelihood, with its slope.

    The slope is that of the approximation itself: the modes move with the estimates
    (implicit function theorem), and with them the curvature.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    state : State
        Estimates of the population.
    places : Places
        Where to approximate.

    Returns
    -------
    Approximation

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> smooth = ck.load_model("stein_2019_smooth_peak")
    >>> sampled, start = prepared(smooth, ck.simulate_study(seed=1))
    >>> means = sampled.structure.means(start.beta)[None]
    >>> places = Places(means, np.zeros(6, bool), np.zeros((1, 18)))
    >>> found = approximated(sampled, start, places)
    >>> found.log_likelihood.shape, found.slopes.shape
    ((18,), (18, 14))
    """
    aim = aim_at(sampled, state, held=places.held)
    held = np.broadcast_to(places.held, places.theta.shape)
    theta = descend(aim, places.theta, held=held, steps=_STEPS).theta
    bent = _bent(aim, theta, places)
    theta, here = _settled(aim, theta, bent, places)
    free = places.free
    block = here.curvature[..., free[:, None], free]
    over = places.held.size - free.size  # of the normal density, beside the modes
    scale = np.linalg.slogdet(aim.precision)[1] - over * np.log(2 * np.pi)
    logs = 0.5 * (scale - np.linalg.slogdet(block)[1]) - here.value + places.log_widths
    top = logs.max(0)
    curve = top + np.log(np.exp(logs - top).sum(0))
    weights = np.exp(logs - curve)
    nothing, by_nothing = sampled.data.no_cells(state.errors)
    whole, expanded = _mixed(curve, state.never, nothing)
    covariance = np.zeros_like(here.curvature)
    covariance[..., free[:, None], free] = np.linalg.inv(block)
    by_mean, by_omega, by_error = _by_numbers(
        aim, state, theta, covariance=covariance, drift=_drift(covariance, bent, places)
    )
    shares = (weights * expanded)[..., None]
    slopes = Layout(sampled.structure, state).by_estimates(
        (shares * by_mean).sum(0),
        (shares[..., None] * by_omega).sum(0),
        by_error=(shares * by_error).sum(0) + (1 - expanded)[:, None] * by_nothing,
        by_odds=1 - expanded - state.never,
    )
    return Approximation(whole, slopes, theta, covariance, weights)


class _Bent(NamedTuple):
    """Second derivatives of the objective, and derivatives of its curvature."""

    exact: Array  # (K, N, f, f)
    growth: Array  # (K, N, f, f, f): by the first of the three


def _bent(aim: Aim, theta: Array, places: Places) -> _Bent:
    """Return second-order sensitivities, by differences of exact first-order ones."""
    free = places.free
    step = _AWAY * np.minimum(aim.reach[free], 1.0)
    away = np.zeros((2, free.size, 1, 1, theta.shape[-1]))
    away[0, np.arange(free.size), 0, 0, free] = step
    away[1] = -away[0]
    near = aim.surroundings(theta + away)
    wide = 2 * step[:, None, None, None]
    exact = np.moveaxis((near.slope[0] - near.slope[1]) / wide, 0, -2)[..., free]
    growth = (near.curvature[0] - near.curvature[1]) / wide[..., None]
    growth = np.moveaxis(growth, 0, -3)[..., free[:, None], free]
    exact = (exact + np.swapaxes(exact, -1, -2)) / 2
    rising = np.linalg.eigvalsh(exact)[..., 0] > 0
    middle = near.curvature.mean((0, 1))[..., free[:, None], free]
    return _Bent(np.where(rising[..., None, None], exact, middle), growth)


def _settled(
    aim: Aim, theta: Array, bent: _Bent, places: Places
) -> tuple[Array, Surroundings]:
    """Take Newton's last step, where it leads down."""
    free, here = places.free, aim.surroundings(theta)
    step = -np.linalg.solve(bent.exact, here.slope[..., free, None])[..., 0]
    there = theta.copy()
    there[..., free] += step
    next_ = aim.surroundings(there)
    near = (np.abs(step) < _CLOSE * aim.reach[free]).all(-1)
    better = near & (next_.value <= here.value)
    found = Surroundings(
        *(
            np.where(better.reshape(better.shape + (1,) * (a.ndim - 2)), a, b)
            for a, b in zip(next_, here, strict=True)
        )
    )
    return np.where(better[..., None], there, theta), found


def _drift(covariance: Array, bent: _Bent, places: Places) -> Array:
    """Return how the log determinant pulls at the modes, by the curvature there.

    With it, and the slope of the objective by an estimate, the implicit function
    theorem gives what the modes' moves do.
    """
    free = places.free
    block = covariance[..., free[:, None], free]
    pull = -0.5 * np.einsum("knab,knlab->knl", block, bent.growth)
    drift = np.zeros(covariance.shape[:-1])
    drift[..., free] = np.linalg.solve(bent.exact, pull[..., None])[..., 0]
    return drift


def _by_numbers(
    aim: Aim, state: State, theta: Array, *, covariance: Array, drift: Array
) -> tuple[Array, Array, Array]:
    """Return slopes by expectations, covariance between patients, and errors."""
    precision, away = aim.precision, theta - aim.mean
    pull, moved = away @ precision, drift @ precision
    cross = moved[..., :, None] * pull[..., None, :]
    by_omega = 0.5 * (
        pull[..., :, None] * pull[..., None, :]
        - precision
        + precision @ covariance @ precision
        + cross
        + np.swapaxes(cross, -1, -2)
    )
    assert isinstance(state.errors, JointErrors)
    by_error = _by_errors(aim, state.errors, theta, covariance=covariance, drift=drift)
    return pull + moved, by_omega, by_error


def _by_errors(
    aim: Aim, errors: JointErrors, theta: Array, *, covariance: Array, drift: Array
) -> Array:
    """Return slopes by the logs of the residual errors, shape (K, N, k)."""
    levels = aim.data.levels(theta, gradient=True)
    total = aim.data.error_gradient(levels, aim.errors)
    place = 0
    parts = zip(levels, aim.data.series, errors.parts, strict=True)
    for found, one, error in parts:
        assert found.gradient is not None
        spread = ((found.gradient @ covariance) * found.gradient).sum(-1)
        along = (found.gradient @ drift[..., None])[..., 0]
        for away in _AWAY * np.eye(error.logs.size):
            ends = [error.with_logs(error.logs + sign * away) for sign in (1, -1)]
            slopes = [gradients(found.log_level, one.said, end)[0] for end in ends]
            bends = [
                np.maximum(curvature(found.log_level, one.said, end), 0.0)
                for end in ends
            ]
            gained = (slopes[0] - slopes[1]) * along
            gained -= 0.5 * (bends[0] - bends[1]) * spread
            total[..., place] += gained.sum(-1) / (2 * _AWAY)
            place += 1
    return total


def _mixed(curve: Array, never: float, nothing: Array) -> tuple[Array, Array]:
    """Mix in the class whose cells never expand; the chance to be of the other one."""
    if not never:
        return curve, np.ones_like(curve)
    grown = np.log1p(-never) + curve
    whole = np.logaddexp(grown, np.log(never) + nothing)
    return whole, np.exp(grown - whole)
