"""Markov chains over the parameters of all patients at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.lots import Lots
from cellpk.fit.population.state import Errors, Sampled, State

Array = NDArray[np.float64]

ENOUGH = 50
"""Patients, counted once for each chain, that an iteration needs at least: few patients
have several chains."""

ACCEPTED = 0.4
"""Share of the moves along parameters that is aimed at."""

_STEP = 1e-3


@dataclass(frozen=True)
class Steps:
    """How long a fit runs.

    Parameters
    ----------
    starts : int
        Runs from different places; a fit is doubted where they disagree, or where
        there is one only.
    search : int
        Iterations that forget what came before.
    average : int
        Iterations after them, whose results are averaged.
    prior, single, joint : int
        Moves in an iteration: drawn anew from the distribution between patients, along
        one parameter after the other, and along all of them.
    draws : int
        Draws of each patient behind the likelihood and the standard errors; as many
        more where there are few patients.

    Examples
    --------
    >>> Steps(search=300).starts
    2
    """

    starts: int = 2
    search: int = 150
    average: int = 100
    prior: int = 2
    single: int = 2
    joint: int = 2
    draws: int = 1000


class Chains:
    """Draws of every patient's parameters given her samples, and their moments.

    ``mean`` and ``square`` are of the parameters, ``own_mean`` and ``own_square`` of
    these less what the patient's lot adds.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    start : State
        Where to begin.
    rng : numpy Generator
        Chance.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> chains = Chains(sampled, start, np.random.default_rng(1))
    >>> chains.move(start, Steps())
    >>> chains.theta.shape                         # 7 chains of 8 patients: 50 at least
    (7, 8, 6)
    """

    def __init__(
        self, sampled: Sampled, start: State, rng: np.random.Generator
    ) -> None:
        self.data, self.structure = sampled.data, sampled.structure
        self.rng = rng
        patients, size = len(self.data.patients), len(self.structure.names)
        number = max(1, math.ceil(ENOUGH / patients))
        self._shift: Array | float = 0.0
        self.theta = self._fresh(start, number)
        self.levels = self.data.levels(self.theta)
        self.expanded = np.ones((number, patients), bool)
        self.mean = np.zeros((patients, size))
        self.square = np.zeros((patients, size, size))
        self.expanded_share = 1.0
        self.lots = self.structure.lots
        self.own_mean, self.own_square = self.mean.copy(), self.square.copy()
        self.lot_square = np.square(start.lot_sd)
        self.lot_mean = np.zeros_like(start.lot_sd)
        self._reach = 0.5 * np.sqrt(np.diag(start.omega))
        self._scale = 0.5

    def move(self, state: State, steps: Steps) -> None:
        """Move all chains under new estimates."""
        self._likelihood = self.data.log_likelihood(self.levels, state.errors)
        if self.lots:
            self._draw_lots(self.lots, state)
        self._means = self.structure.means(state.beta) + self._shift
        self._root = np.linalg.cholesky(np.linalg.inv(state.omega))
        self._prior = self._log_prior(self.theta)
        if state.never:
            self._classify(state)
        for _ in range(steps.prior):
            self._propose(self._fresh(state, len(self.theta)), state, fresh=True)
        for _ in range(steps.single):
            self._one_by_one(state)
        for _ in range(steps.joint):
            away = self._scale * self._reach * self._normal(self.theta.shape)
            accepted = self._propose(self.theta + away, state)
            self._scale *= 1 + 0.4 * (accepted - ACCEPTED)

    def remember(self, gain: float) -> None:
        """Mix the moments of the present draws into those of earlier ones."""
        mean, square = _moments(self.theta)
        self.mean += gain * (mean - self.mean)
        self.square += gain * (square - self.square)
        if self.lots:
            mean, square = _moments(self.theta - self._shift)
            now = self._effects.mean((0, 1)), np.square(self._effects).mean((0, 1))
            self.lot_mean = self.lot_mean + gain * (now[0] - self.lot_mean)
            self.lot_square = self.lot_square + gain * (now[1] - self.lot_square)
        self.own_mean += gain * (mean - self.own_mean)
        self.own_square += gain * (square - self.own_square)
        self.expanded_share += gain * (self.expanded.mean() - self.expanded_share)

    def error_slopes(self, errors: Errors) -> tuple[Array, Array]:
        """Return slope and curvature of the log likelihood by the logs of the errors.

        Returns
        -------
        slope, curvature : ndarray, shape (k,)
            Means over chains of sums over patients; the curvature is that of -log L.
        """
        slope = self._error_slope(errors)
        curvature = np.empty_like(slope)
        for k in range(slope.size):
            away = _STEP * np.eye(slope.size)[k]
            up = self._error_slope(errors.with_logs(errors.logs + away))[k]
            down = self._error_slope(errors.with_logs(errors.logs - away))[k]
            curvature[k] = (down - up) / (2 * _STEP)
        return slope, curvature

    def _error_slope(self, errors: Errors) -> Array:
        each = self.data.error_gradient(self.levels, errors)
        none = self.data.no_cells(errors)[1]
        return np.where(self.expanded[..., None], each, none).sum(1).mean(0)

    def _fresh(self, state: State, number: int) -> Array:
        """Draw parameters from the distribution between patients."""
        means = self.structure.means(state.beta) + self._shift
        root = np.linalg.cholesky(state.omega)
        return means + self._normal((number, *means.shape[-2:])) @ root.T

    def _normal(self, shape: tuple[int, ...]) -> Array:
        return self.rng.standard_normal(shape)

    def _one_by_one(self, state: State) -> None:
        for k in range(self.theta.shape[-1]):
            there = self.theta.copy()
            there[..., k] += self._reach[k] * self._normal(there.shape[:-1])
            accepted = self._propose(there, state)
            self._reach[k] *= 1 + 0.4 * (accepted - ACCEPTED)

    def _propose(self, there: Array, state: State, *, fresh: bool = False) -> float:
        """Go where the chance allows; return the share that went.

        A proposal that is drawn from the prior is judged by the likelihood alone.
        """
        levels = self.data.levels(there)
        likelihood = self.data.log_likelihood(levels, state.errors)
        prior = self._log_prior(there)
        better = np.where(self.expanded, likelihood - self._likelihood, 0.0)
        if not fresh:
            better = better + prior - self._prior
        went = np.log(self.rng.random(better.shape)) < better
        self.theta[went] = there[went]
        self._likelihood[went] = likelihood[went]
        self._prior[went] = prior[went]
        for old, new in zip(self.levels, levels, strict=True):
            old[went] = new[went]
        return float(went.mean())

    def _log_prior(self, theta: Array) -> Array:
        away = theta - self._means
        return -0.5 * np.square(away @ self._root).sum(-1)

    def _draw_lots(self, lots: Lots, state: State) -> None:
        """Draw what each lot adds, given the parameters of its patients."""
        away = self.theta - self.structure.means(state.beta)
        chance = {"sd": state.lot_sd, "rng": self.rng}
        self._effects = lots.drawn(away, state.omega, **chance)
        self._shift = lots.shift(self._effects, away.shape[-1])

    def _classify(self, state: State) -> None:
        """Draw who of those without a level never expanded."""
        zero = np.log(state.never) + self.data.no_cells(state.errors)[0]
        odds = zero - np.log1p(-state.never) - self._likelihood
        chance = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
        draw = self.rng.random(odds.shape)
        self.expanded = ~(self.data.all_below & (draw < chance))


def _moments(theta: Array) -> tuple[Array, Array]:
    """Return means over chains of parameters and of their products."""
    return theta.mean(0), np.einsum("cip,ciq->ipq", theta, theta) / len(theta)
