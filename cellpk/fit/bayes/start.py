"""Where sampling begins: the maximum of the penalised likelihood, and its width."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.prior_numbers import PriorNumbers
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.climb import climbed
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.saem import saem
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

FEWEST = 4
"""Patients whom SAEM needs at least to find a better place than the priors'."""

_QUICK = Steps(starts=1, search=80, average=40)
_ROUNDS, _FAR, _DRAWS = 4, 2.0, 1000
_ROUGH = 1e-3  # error per step of a model without closed form, while SAEM searches
_WIDEST = 1.5  # SD along a direction that neither samples nor priors bend, in sizes


@dataclass(frozen=True, eq=False)
class Start:
    """Where sampling begins.

    Parameters
    ----------
    layout : Layout
        Estimates at the maximum of likelihood times prior.
    covariance : ndarray
        Of the estimates, roughly, in the order of ``layout.vector()``.
    importance : Importance
        Weighted draws of every patient there.

    Examples
    --------
    >>> sorted(Start.__annotations__)
    ['covariance', 'importance', 'layout']
    """

    layout: Layout
    covariance: Array
    importance: Importance

    @property
    def state(self) -> State:
        """The estimates."""
        return self.layout.state


def begin(
    sampled: Sampled, first: State, priors: PriorNumbers, *, rng: np.random.Generator
) -> Start:
    """Return the maximum of the penalised likelihood of a population.

    SAEM leads there where there are patients enough; then the likelihood by importance
    sampling, times the prior, is climbed.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    first : State
        The model's own numbers.
    priors : PriorNumbers
        What penalises.
    rng : numpy Generator
        Chance.

    Returns
    -------
    Start

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.bayes.prior_choice import Priors
    >>> from cellpk.fit.bayes.prior_numbers import prior_numbers
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(3, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, first = prepared(stein, study)
    >>> priors = prior_numbers(sampled.data.data, sampled.structure, Priors(),
    ...                        never=False)
    >>> begin(sampled, first, priors, rng=np.random.default_rng(1)).covariance.shape
    (13, 13)
    """
    state, moments = first, _prior_moments(sampled, first)
    if len(sampled.data.patients) >= FEWEST:
        assert isinstance(sampled.data, JointData)
        rough = replace(sampled, data=replace(sampled.data, tolerance=_ROUGH))
        course = saem(rough, first, rng=rng, steps=_QUICK)
        state = _not_collapsed(course.state, first)
        moments = course.mean, course.covariance
    found = Importance(sampled, state, moments=moments, rng=rng, draws=_DRAWS)
    for _ in range(_ROUNDS):
        layout = Layout(sampled.structure, state)
        state = climbed(layout, _penalised(found, priors), far=_FAR)
        moments = found.moments(state)
        found = Importance(sampled, state, moments=moments, rng=rng, draws=_DRAWS)
    layout = Layout(sampled.structure, state)
    return Start(layout, _covariance(found, layout, priors), found)


def _prior_moments(sampled: Sampled, state: State) -> tuple[Array, Array]:
    means = sampled.structure.means(state.beta)
    return means, np.tile(state.omega, (len(means), 1, 1))


def _not_collapsed(state: State, first: State) -> State:
    """Return estimates whose SDs are not at 0, from where no slope leads away."""
    sd, usual = np.sqrt(np.diag(state.omega)), np.sqrt(np.diag(first.omega))
    wider = np.maximum(sd, usual / 4)
    times = np.where(sd > 0, wider / np.where(sd > 0, sd, 1.0), 1.0)
    return replace(
        state,
        omega=state.omega * np.outer(times, times),
        lot_sd=np.maximum(state.lot_sd, first.lot_sd / 4),
    )


def _penalised(
    found: Importance, priors: PriorNumbers
) -> Callable[[State], tuple[float, Array]]:
    """Return what is climbed: log likelihood plus log prior, with slopes."""

    def look(state: State) -> tuple[float, Array]:
        value, slopes = found.look(state)
        prior, slope, _ = priors.log_density(Layout(found.structure, state))
        return value + prior, np.concatenate([slopes, slope[None]])

    return look


def _covariance(found: Importance, layout: Layout, priors: PriorNumbers) -> Array:
    """Return the inverse of the curvature, where it is that of a maximum."""
    _, _, bent = priors.log_density(layout)
    sizes = layout.sizes
    information = found.information(layout.state) + np.diag(bent)
    values, directions = np.linalg.eigh(information * np.outer(sizes, sizes))
    values = np.maximum(values, _WIDEST**-2)
    return directions / values @ directions.T * np.outer(sizes, sizes)
