"""The likelihood of a population by importance sampling, with its slope and curvature.

Draws from each patient's approximate posterior are weighted by the truth. With the
draws held, the likelihood is a smooth function of the estimates: its slope tells
whether it stands at a maximum, its curvature how sure the estimates are.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.layout import Layout
from cellpk.fit.population.lot_integral import Grid, Joint, joint
from cellpk.fit.population.lots import Lots
from cellpk.fit.population.proposal import Proposal, about, fitted
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

_WIDE = 0.2
"""Share of the draws that are from the distribution between patients."""

_POOR, _AGAIN, _BETTER = 0.25, 3, 0.75
"""Share of the draws that are worth something below which a patient is drawn anew, how
often at most, and the part of the new mixture that is fitted to the old draws."""

_STEP = 1e-3
_NARROWEST = 0.02  # of the nodes of a lot


class Importance:
    """Weighted draws of every patient's parameters.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    state : State
        Estimates at which the draws are made.
    moments : (ndarray, ndarray), shapes (patients, p) and (patients, p, p)
        Mean and covariance of each patient's parameters given her samples, roughly.
    rng : numpy Generator
        Chance.
    draws : int
        Draws of each patient.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> means = sampled.structure.means(start.beta)
    >>> moments = means, np.tile(start.omega, (8, 1, 1))
    >>> found = Importance(sampled, start, moments=moments,
    ...                    rng=np.random.default_rng(1))
    >>> found.log_likelihood(start).shape, found.error(start) < 1
    ((8,), True)
    """

    def __init__(
        self,
        sampled: Sampled,
        state: State,
        *,
        moments: tuple[Array, Array],
        rng: np.random.Generator,
        draws: int = 1000,
    ) -> None:
        self.data, self.structure = sampled.data, sampled.structure
        self._varies = np.flatnonzero(self.structure.varies)
        self._own = np.ix_(self._varies, self._varies)
        mean, covariance = moments
        mean, covariance = mean[:, self._varies], covariance[:, *self._own]
        centre = self.structure.means(state.beta)
        between = self._marginal(state)
        prior = Proposal(
            np.ones((1, len(mean))),
            centre[None, :, self._varies],
            np.broadcast_to(between[self._own], (1, *covariance.shape)),
        )
        self._known: dict[bytes, tuple[Array, Array, Array]] = {}
        proposal = about(mean, covariance).beside(prior, _WIDE)
        self.theta = np.tile(centre, (draws, 1, 1))
        self.theta[..., self._varies] = drawn = proposal.draw(draws, rng)
        self.proposed = proposal.log_density(drawn)
        self.levels = self.data.levels(self.theta)
        self._adapt(proposal, state, rng)
        if self.structure.lots:
            self._place_grid(self.structure.lots, state)

    def _marginal(self, state: State) -> Array:
        """Return the covariance between patients of different lots."""
        between = state.omega.copy()
        if self.structure.lots:
            places = self.structure.lots.places
            between[places, places] += state.lot_sd**2
        return between

    def _place_grid(self, lots: Lots, state: State) -> None:
        """Put nodes where the lots are, as earlier nodes see it."""
        shape = (len(lots.names), state.lot_sd.size)
        self.grid = Grid.about(np.zeros(shape), np.broadcast_to(state.lot_sd, shape))
        least = _NARROWEST * self.structure.sizes[lots.places]
        for _ in range(2):
            mean, sd = self.lot_moments(state)
            self.grid = Grid.about(mean, np.maximum(sd, least))

    def _adapt(
        self, proposal: Proposal, state: State, rng: np.random.Generator
    ) -> None:
        """Draw anew, and better, in patients of whom the draws are worth little."""
        rows, data = np.arange(len(self.data.patients)), self.data
        for _ in range(_AGAIN):
            levels = [level[:, rows] for level in self.levels]
            likelihood = data.log_likelihood(levels, state.errors)
            prior = self._log_prior(state, rows, self._marginal(state))
            logs = likelihood + prior - self.proposed[:, rows]
            weights = _normalised(logs)
            poor = 1 / np.square(weights).sum(0) < _POOR * len(weights)
            if not poor.any():
                break
            rows = rows[poor]
            theta = self.theta[:, rows]
            better = fitted(theta[..., self._varies], weights[:, poor])
            proposal = proposal.of(np.flatnonzero(poor)).beside(better, _BETTER)
            data = self.data.of(rows)
            theta[..., self._varies] = drawn = proposal.draw(len(weights), rng)
            self.theta[:, rows] = theta
            self.proposed[:, rows] = proposal.log_density(drawn)
            for old, new in zip(self.levels, data.levels(theta), strict=True):
                old[:, rows] = new

    def _log_prior(
        self, state: State, rows: NDArray[np.intp] | slice, between: Array
    ) -> Array:
        """Return the log density of some patients' draws between patients."""
        away = self.theta[:, rows] - self.structure.means(state.beta)[rows]
        root = np.linalg.cholesky(between[self._own])
        return log_normal(away[..., self._varies], root)

    def _samples(self, state: State) -> tuple[Array, Array, Array]:
        """Return log likelihood, its slope by the errors and by shared parameters.

        Parameters without spread are not drawn: each patient has what is estimated,
        and her levels follow. What was worked out last is kept.
        """
        shared, errors = ~self.structure.varies, state.errors
        here = self.structure.means(state.beta)[:, shared]
        key = errors.logs.tobytes() + here.tobytes()
        if key not in self._known:
            if (self.theta[0][:, shared] != here).any():
                self.theta[..., shared] = here
                self.levels = self.data.levels(self.theta)
            likelihood = self.data.log_likelihood(self.levels, errors)
            by_error = self.data.error_gradient(self.levels, errors)
            by_shared = np.zeros((*likelihood.shape, 0))
            if shared.any():
                by_shared = self.data.score(self.theta, errors)[..., shared]
            self._known = {key: (likelihood, by_error, by_shared)}
        return self._known[key]

    def log_weights(self, state: State) -> Array:
        """Return log of likelihood times prior over proposal, (draws, patients).

        The prior is that of a lot which adds nothing, where lots differ.
        """
        likelihood, _, _ = self._samples(state)
        prior = self._log_prior(state, slice(None), state.omega)
        return likelihood + prior - self.proposed

    def _joint(self, lots: Lots, state: State) -> Joint:
        """Return what is known of patients and lots together."""
        return joint(
            self.grid,
            lots,
            log_weights=self.log_weights(state),
            away=self.theta - self.structure.means(state.beta),
            inverse=self._inverse(state),
            sd=state.lot_sd,
            never=(state.never, self.data.no_cells(state.errors)[0]),
        )

    def _inverse(self, state: State) -> Array:
        """Return the precision between patients; 0 where a parameter does not vary."""
        inverse = np.zeros_like(state.omega)
        inverse[self._own] = np.linalg.inv(state.omega[self._own])
        return inverse

    def lot_moments(self, state: State) -> tuple[Array, Array]:
        """Return mean and SD of what each lot adds, given all samples, (L, d) each."""
        if not self.structure.lots:
            return np.zeros((0, 0)), np.zeros((0, 0))
        chances = self._joint(self.structure.lots, state).chances[..., None]
        mean = (chances * self.grid.nodes).sum(0)
        square = (chances * np.square(self.grid.nodes - mean)).sum(0)
        return mean, np.sqrt(square)

    def log_likelihood(self, state: State) -> Array:
        """Return the log likelihood of each patient, shape (patients,).

        Patients of one lot are not independent: each has an equal part of theirs.
        """
        lots = self.structure.lots
        if lots:
            parts = self._joint(lots, state).log_likelihood / lots.counts
            return parts[lots.of]
        weights = self.log_weights(state)
        top = weights.max(0)
        curve = top + np.log(np.exp(weights - top).mean(0))
        return self._mixed(curve, state)

    def error(self, state: State) -> float:
        """Return the Monte Carlo standard error of the log likelihood of all."""
        weights, expanded = self.expected(state)
        share = np.square(weights).sum(0) - 1 / len(weights)
        return float(np.sqrt((share * expanded**2).sum()))

    def expected(self, state: State) -> tuple[Array, Array]:
        """Return normalised weights of the draws, and the chance to have expanded.

        Returns
        -------
        weights : ndarray, shape (draws, patients)
            They add up to 1 in each patient.
        expanded : ndarray, shape (patients,)
            1 but for patients without a level, where there is such a class.
        """
        lots = self.structure.lots
        if lots:
            weights = self._joint(lots, state).weights
            return weights / weights.sum(0), weights.sum(0)
        log_weights = self.log_weights(state)
        weights = np.exp(log_weights - log_weights.max(0))
        curve = log_weights.max(0) + np.log(weights.mean(0))
        whole = self._mixed(curve, state)
        expanded = np.exp(np.minimum(curve + np.log1p(-state.never) - whole, 0.0))
        return weights / weights.sum(0), expanded

    def moments(self, state: State) -> tuple[Array, Array]:
        """Return mean and covariance of each patient's parameters given her samples.

        Returns
        -------
        mean : ndarray, shape (patients, p)
        covariance : ndarray, shape (patients, p, p)
        """
        weights, _ = self.expected(state)
        theta = np.moveaxis(self.theta, 0, 1)
        weighed = weights.T[..., None]
        mean = (weighed * theta).sum(1)
        shared = ~self.structure.varies
        mean[:, shared] = self.structure.means(state.beta)[:, shared]
        away = theta - mean[:, None, :]
        return mean, np.swapaxes(weighed * away, -1, -2) @ away

    def look(self, state: State) -> tuple[float, Array]:
        """Return log likelihood and slopes, as :func:`.climb.climbed` asks for them."""
        return float(self.log_likelihood(state).sum()), self.slopes(state)

    def slopes(self, state: State) -> Array:
        """Return the slope of each patient's log likelihood (Fisher's identity).

        Parameters
        ----------
        state : State
            Estimates.

        Returns
        -------
        ndarray, shape (patients, estimates)
            In the order of ``Layout.vector``. Of patients who share lots, that of each
            lot: (L, estimates).
        """
        lots = self.structure.lots
        together = self._joint(lots, state) if lots else None
        weights, expanded = self.expected(state)
        weights = weights * expanded
        first, second = self._distances(state, weights, together)
        inverse = self._inverse(state)
        by_mean = first @ inverse
        _, by_error, by_shared = self._samples(state)
        by_mean[:, ~self.structure.varies] = (weights[..., None] * by_shared).sum(0)
        none = (1 - expanded)[:, None] * self.data.no_cells(state.errors)[1]
        slopes = (layout := Layout(self.structure, state)).by_estimates(
            by_mean,
            0.5 * (inverse @ second @ inverse - expanded[:, None, None] * inverse),
            by_error=(weights[..., None] * by_error).sum(0) + none,
            by_odds=1 - expanded - state.never,
        )
        if lots and together:
            slopes = lots.summed(slopes)
            squares = together.chances[..., None] * np.square(self.grid.nodes)
            between = squares.sum(0) / state.lot_sd**2 - 1
            slopes[:, layout.parts()["log_lot_sd"]] = between
        return slopes

    def _distances(
        self, state: State, weights: Array, together: Joint | None
    ) -> tuple[Array, Array]:
        """Return sums of distances from what is expected, and of their products.

        Of each patient, over her draws; what her lot adds is expected of her.
        """
        away = np.moveaxis(self.theta - self.structure.means(state.beta), 0, 1)
        weighed = weights.T[..., None] * away
        first, second = weighed.sum(1), np.swapaxes(weighed, -1, -2) @ away
        lots = self.structure.lots
        if lots and together:
            shift = lots.shift(self.grid.nodes, away.shape[-1])
            cross = np.einsum("bip,biq->ipq", together.first, shift)
            present = together.present[..., None] * shift
            first = first - present.sum(0)
            second = second - cross - np.swapaxes(cross, -1, -2)
            second = second + np.einsum("bip,biq->ipq", present, shift)
        return first, second

    def information(self, state: State) -> Array:
        """Return the observed information: the curvature of -log L at the estimates."""
        layout = Layout(self.structure, state)
        columns = []
        for along in np.diag(layout.sizes):
            away, (up, down) = layout.beside(_STEP * along)
            fall = self.slopes(down).sum(0) - self.slopes(up).sum(0)
            columns.append(fall / (2 * away.sum()))
        information = np.array(columns)
        return (information + information.T) / 2

    def _mixed(self, curve: Array, state: State) -> Array:
        """Mix in the class of patients whose cells never expand."""
        if not state.never:
            return curve
        whole = np.log1p(-state.never) + curve
        zero = math.log(state.never) + self.data.no_cells(state.errors)[0]
        return np.logaddexp(whole, zero)


def log_normal(away: Array, root: Array) -> Array:
    """Return the log density of a normal distribution about 0, (..., p) to (...).

    Parameters
    ----------
    away : ndarray, shape (..., p)
        Points.
    root : ndarray, shape (p, p)
        Cholesky factor of the covariance.

    Examples
    --------
    >>> float(log_normal(np.zeros(2), np.eye(2)).round(4))           # -log(2 pi)
    -1.8379
    """
    size = away.shape[-1]
    z = away @ np.linalg.inv(root).T
    scale = np.log(np.diag(root)).sum() + size / 2 * math.log(2 * math.pi)
    return -0.5 * np.square(z).sum(-1) - scale


def _normalised(logs: Array) -> Array:
    """Return weights that add up to 1 in each patient."""
    weights = np.exp(logs - logs.max(0))
    return weights / weights.sum(0)
