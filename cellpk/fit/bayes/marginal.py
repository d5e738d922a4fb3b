"""What each draw of the population makes of each patient: her marginal likelihood."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]

KEPT = 400
"""Draws of the population under which patients are looked at."""

INNER = 1000
"""Draws of each patient's parameters by which they are integrated out."""


def kept_draws(number: int, chains: int, kept: int) -> NDArray[np.intp]:
    """Return which draws of a chain are kept, evenly spread: ``kept`` of all chains.

    Examples
    --------
    >>> kept_draws(10, 2, 10)
    array([0, 2, 4, 7, 9])
    """
    each = min(number, max(1, kept // chains))
    return np.linspace(0, number - 1, each).round().astype(np.intp)


def marginal_likelihood(
    fit: "BayesFit", *, kept: int = KEPT, inner: int = INNER
) -> Array:
    """Return the log likelihood of each patient under draws of the population.

    Her parameters are integrated out by importance sampling, with the same draws of
    them under all draws of the population. Where patients share donor lots, what each
    lot adds is as drawn.

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
    within = kept_draws(number, chains, kept)
    rows = (np.arange(chains)[:, None] * number + within).ravel()
    posteriors = fit.posteriors
    structure, middle = given_lots(fit.structure), _state(fit, fit.state)
    found = Importance(
        Sampled(JointData(fit.data), structure),
        middle,
        moments=(posteriors.mean, posteriors.covariance),
        rng=np.random.default_rng([fit.seed, 7]),
        draws=inner,
    )
    each = [found.log_likelihood(state) for state in _states(fit, rows)]
    return np.reshape(each, (chains, len(within), -1))


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


def _state(fit: "BayesFit", state: State) -> State:
    """Return the population with what each lot adds on average."""
    if not fit.structure.lots:
        return state
    return _with_lots(state, fit.posteriors.lot_mean)


def _with_lots(state: State, effects: Array) -> State:
    beta = np.concatenate([state.beta, effects.ravel()])
    return replace(state, beta=beta, lot_sd=np.zeros(0))
