"""From the end of a stochastic search to the maximum itself, and how sure it is."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.certainty import concluded
from cellpk.fit.population.climb import climbed
from cellpk.fit.population.estimates import SETTLED, Estimates
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.saem import Course
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

_ROUNDS = (1, 1, 1, 4, 4)  # times as many draws
_FLAT, _LIFTED = 0.06, 0.3
_FAR = 1.5  # standard errors that an estimate may move in one round


@dataclass(frozen=True, eq=False)
class Maximum:
    """The maximum of the likelihood.

    Parameters
    ----------
    estimates : Estimates
        Where it is, and how sure.
    importance : Importance
        Draws at the estimates, made anew after the last step.
    log_likelihood : ndarray, shape (patients,)
        Of each patient.

    Examples
    --------
    >>> sorted(Maximum.__annotations__)
    ['estimates', 'importance', 'log_likelihood']
    """

    estimates: Estimates
    importance: Importance
    log_likelihood: Array

    @property
    def state(self) -> State:
        """The estimates."""
        return self.estimates.state


def maximum(
    sampled: Sampled,
    course: Course,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Maximum:
    """Climb from the end of a stochastic search to the maximum of the likelihood.

    With the draws of every patient held, the likelihood is smooth, and is climbed; with
    new draws at the place that was reached it is climbed again, until that no longer
    moves the estimates.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    course : Course
        The search.
    rng : numpy Generator
        Chance of the draws.
    draws : int
        Draws of each patient.

    Returns
    -------
    Maximum

    References
    ----------
    Geyer CJ. On the convergence of Monte Carlo maximum likelihood calculations. J R
    Stat Soc B 1994;56:261-274.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> spread = np.tile(start.omega, (8, 1, 1))
    >>> means = sampled.structure.means(start.beta)
    >>> course = Course(start, means, spread, np.empty((0, 14)))
    >>> best = maximum(sampled, course, draws=100, rng=np.random.default_rng(1))
    >>> before = best.importance.log_likelihood(start)
    >>> bool(best.log_likelihood.sum() > before.sum())
    True
    """
    chance = {"rng": rng, "draws": draws}
    best = _rounds(sampled, course, **chance)
    sizes = sampled.structure.sizes
    flat = np.sqrt(np.diag(best.state.omega)) < _FLAT * sizes
    flat &= sampled.structure.varies
    if not flat.any():
        return best
    # A spread near 0 may be a trap: little there tells which way is up.
    lifted = np.diag(np.where(flat, (_LIFTED * sizes) ** 2, 0.0))
    state = best.state
    omega = np.where(flat[:, None] | flat, 0.0, state.omega) + lifted
    mean, covariance = best.importance.moments(state)
    again = Course(
        replace(state, omega=omega),
        mean,
        covariance + lifted,
        course.trace,
    )
    other = _rounds(sampled, again, **chance)
    higher = other.log_likelihood.sum() > best.log_likelihood.sum()
    return other if higher else best


def _rounds(
    sampled: Sampled,
    course: Course,
    *,
    rng: np.random.Generator,
    draws: int,
) -> Maximum:
    """Climb, draw anew, and climb again.

    Where new draws see no more height than there was, the old ones had told of too wide
    a neighbourhood: the next climb starts at the old place, and goes half as far. What
    moves yet after some rounds is looked at with more draws; where no maximum is seen
    at all, they would show none either.
    """
    state, moments, far = course.state, (course.mean, course.covariance), _FAR
    found = Importance(sampled, state, moments=moments, rng=rng, draws=draws)
    best: Maximum | None = None
    for times in _ROUNDS:
        if best and times > 1 and best.estimates.untold:
            break
        there = climbed(Layout(sampled.structure, state), found.look, far=far)
        moments, many = found.moments(there), times * draws
        other = Importance(sampled, there, moments=moments, rng=rng, draws=many)
        if _lower((other, there), (found, state)):
            far /= 2
            continue
        found, state = other, there
        best = _concluded(found, state)
        if best.estimates.moved < SETTLED and not best.estimates.untold:
            break
    return best or _concluded(found, state)


def _lower(one: tuple[Importance, State], other: tuple[Importance, State]) -> bool:
    """Say whether the likelihood is lower at one place, beyond what chance explains."""
    (here, error), (there, more) = (
        (found.log_likelihood(state).sum(), found.error(state))
        for found, state in (one, other)
    )
    return bool(here < there - math.hypot(error, more))


def _concluded(found: Importance, state: State) -> Maximum:
    """Say how sure the estimates are, and how far off the maximum."""
    value, slopes = found.log_likelihood(state), found.slopes(state)
    layout = Layout(found.structure, state)
    estimates = concluded(layout, found.information(state), slopes.sum(0))
    estimates = replace(estimates, deviance_error=2 * found.error(state))
    return Maximum(estimates, found, value)
