"""What each draw of the population makes of each patient: her marginal likelihood."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from cellpk.fit.bayes.whitening import Whitening, normal_evidence
from cellpk.fit.population.importance import Importance, log_normal
from cellpk.fit.population.joint import JointData
from cellpk.fit.population.proposal import Proposal, about
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

KEPT = 400
"""Draws of the population under which patients are looked at."""

INNER = 500
"""Draws of each patient's parameters by which they are integrated out."""

_WIDE = 0.2  # share of them that are from the distribution between patients


def kept_draws(number: int, kept: int) -> NDArray[np.intp]:
    """Return which draws of a chain are kept, evenly spread.

    Examples
    --------
    >>> kept_draws(10, 5)
    array([0, 2, 4, 7, 9])
    """
    return np.linspace(0, number - 1, min(number, kept)).round().astype(np.intp)


def marginal_likelihood(
    fit: "BayesFit", *, kept: int = KEPT, inner: int = INNER
) -> Array:
    """Return the log likelihood of each patient under draws of the population.

    Her parameters are integrated out by importance sampling, from what her samples and
    that draw of the population leave of them. Where patients share donor lots, what
    each lot adds is as drawn.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    kept : int
        Under how many draws of the population, evenly spread over the chains.
    inner : int
        Draws of each patient's parameters.

    Returns
    -------
    ndarray, shape (chains, draws, patients)

    Examples
    --------
    >>> callable(marginal_likelihood)                 # see BayesFit.loo
    True
    """
    sizes = fit.tree["posterior"].sizes
    chains, number = sizes["chain"], sizes["draw"]
    within = kept_draws(number, max(1, kept // chains))
    rows = (np.arange(chains)[:, None] * number + within).ravel()
    integral = Integral.of(fit, inner)
    each = [integral.log_likelihood(state) for state in _states(fit, rows)]
    return np.reshape(each, (chains, len(within), -1))


@dataclass(frozen=True, eq=False)
class Integral:
    """Integrates the parameters of patients out.

    With draws of their own for every population: where this hardly lets a parameter
    differ between patients, draws that are made for another population miss what is
    left of it.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients, lots given.
    told : Whitening
        What the samples tell of each patient, as normal distributions, roughly.
    draws : int
        Draws of each patient.
    seed : sequence of int
        Chance: the same for every population, so that their differences are not of it.

    Examples
    --------
    >>> sorted(Integral.__annotations__)
    ['draws', 'sampled', 'seed', 'told']
    """

    sampled: Sampled
    told: Whitening
    draws: int
    seed: Sequence[int]

    @classmethod
    def of(cls, fit: "BayesFit", draws: int) -> "Integral":
        """Return the integral that suits a fit."""
        sampled = Sampled(JointData(fit.data), given_lots(fit.structure))
        state, known = _middle(fit), fit.posteriors
        varies = sampled.structure.varies
        found = Importance(
            sampled,
            state,
            moments=(known.mean, known.covariance),
            rng=np.random.default_rng([fit.seed, 7]),
        )
        mean, covariance = found.moments(state)
        own = np.ix_(varies, varies)
        between = np.linalg.inv(state.omega[own])
        expected = sampled.structure.means(state.beta)[:, varies]
        pull, precision = normal_evidence(
            mean[:, varies],
            covariance[:, *own],
            between=between[None],
            pulled=(expected @ between)[None],
        )
        if state.never:  # of cells that may never have expanded samples say little
            pull[fit.data.all_below] = precision[fit.data.all_below] = 0.0
        told = Whitening(pull, precision, varies)
        return cls(sampled, told, draws, (fit.seed, 8))

    def log_likelihood(self, state: State) -> Array:
        """Return the log likelihood of each patient, shape (patients,)."""
        data, structure = self.sampled.data, self.sampled.structure
        expected, varies = structure.means(state.beta), structure.varies
        between = state.omega[np.ix_(varies, varies)]
        proposal = self._proposal(expected[:, varies], between)
        drawn = proposal.draw(self.draws, np.random.default_rng(self.seed))
        theta = np.tile(expected, (self.draws, 1, 1))
        theta[..., varies] = drawn
        prior = log_normal(drawn - expected[:, varies], np.linalg.cholesky(between))
        weights = prior - proposal.log_density(drawn)
        weights += data.log_likelihood(data.levels(theta), state.errors)
        curve = np.asarray(logsumexp(weights, axis=0)) - np.log(self.draws)
        if not state.never:
            return curve
        zero = np.log(state.never) + data.no_cells(state.errors)[0]
        return np.logaddexp(np.log1p(-state.never) + curve, zero)

    def _proposal(self, expected: Array, between: Array) -> Proposal:
        """Return from where parameters are drawn under one population."""
        inverse = np.linalg.inv(between)
        left = np.linalg.inv(self.told.precision + inverse)
        pull = self.told.pull + expected @ inverse
        centre = (left @ pull[..., None])[..., 0]
        prior = about(expected, np.broadcast_to(between, left.shape))
        return about(centre, left).beside(prior, _WIDE)


def given_lots(structure: Structure) -> Structure:
    """Return a structure in which what each lot adds is a coefficient.

    Parameters
    ----------
    structure : Structure
        Of patients with or without lots.

    Examples
    --------
    >>> from cellpk.fit.population.lots import Lots
    >>> plain = Structure.without_covariates(("a", "b"), 2)
    >>> lots = Lots(("X", "Y"), np.array([1, 0]), np.array([0]))
    >>> given_lots(replace(plain, lots=lots)).means(np.array([5.0, 2.0, 0.1, 0.3]))
    array([[5.3, 2. ],
           [5.1, 2. ]])
    """
    lots = structure.lots
    if not lots:
        return structure
    each = np.eye(len(lots.names) * lots.places.size)
    effects = each.reshape(-1, len(lots.names), lots.places.size)
    added = lots.shift(effects, len(structure.names))
    return replace(
        structure,
        design=np.concatenate([structure.design, np.moveaxis(added, 0, -1)], axis=-1),
        coefficients=(
            *structure.coefficients,
            *(f"{lot} {structure.names[k]}" for lot in lots.names for k in lots.places),
        ),
        lots=None,
    )


def _states(fit: "BayesFit", rows: NDArray[np.intp]) -> Iterator[State]:
    """Yield draws of the population, with what each lot adds."""
    effects = fit.drawn("lot_effect") if fit.structure.lots else None
    for row in rows:
        state = fit.draws.state(row)
        yield state if effects is None else _with_lots(state, effects[row])


def _middle(fit: "BayesFit") -> State:
    """Return the population with what each lot adds on average."""
    if not fit.structure.lots:
        return fit.state
    return _with_lots(fit.state, fit.posteriors.lot_mean)


def _with_lots(state: State, effects: Array) -> State:
    beta = np.concatenate([state.beta, effects.ravel()])
    return replace(state, beta=beta, lot_sd=np.zeros(0))
