"""The maximum of Laplace's approximation, how sure it is, and how far it is off."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.certainty import concluded, moved
from cellpk.fit.population.climb import climbed, rough_errors
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.laplace import Approximation, approximated
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.places import Places, places_at
from cellpk.fit.population.polish import Maximum
from cellpk.fit.population.saem import Course
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

OFF = 0.5
"""How far Laplace's estimates may be from those of the likelihood itself: root mean
square, in standard errors."""

_ROUNDS, _GAINED = 6, 0.02
_AWAY = 0.05  # standard errors: differences of slopes


class End(NamedTuple):
    """Where a search ended.

    Parameters
    ----------
    course : Course
        What the search went through; its trace has a row for each evaluation.
    places : Places
        The modes at its end.
    value : float
        The approximated log likelihood of all patients.

    Examples
    --------
    >>> End._fields
    ('course', 'places', 'value')
    """

    course: Course
    places: Places
    value: float


def laplace_search(sampled: Sampled, start: State, *, rng: np.random.Generator) -> End:
    """Maximise Laplace's approximation of the likelihood of a population.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    start : State
        Where to begin.
    rng : numpy Generator
        Chance of the starts from which modes are sought.

    Returns
    -------
    End
        The same for the same generator.

    Raises
    ------
    FitError
        Where two parameters or more move switches of the model.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> chance = np.random.default_rng(1)
    >>> end = laplace_search(sampled, start, rng=chance)
    >>> before = approximated(sampled, start, end.places)
    >>> bool(end.value > before.log_likelihood.sum())
    True
    """
    trace: list[Array] = []
    end = _climbed(sampled, start, places_at(sampled, start, rng=rng), trace=trace)
    for _ in range(_ROUNDS):
        state, before = end.course.state, end.value
        end = _climbed(sampled, state, places_at(sampled, state, rng=rng), trace=trace)
        if end.value < before + _GAINED:
            break
    return end


def _climbed(
    sampled: Sampled, state: State, places: Places, *, trace: list[Array]
) -> End:
    """Climb, with the modes going along."""
    found = places

    def look(state: State) -> tuple[float, Array]:
        nonlocal found
        here = approximated(sampled, state, found)
        found = found._replace(theta=here.theta)
        trace.append(state.numbers())
        return float(here.log_likelihood.sum()), here.slopes

    state = climbed(Layout(sampled.structure, state), look, steps=100, close=1e-8)
    end = approximated(sampled, state, found)
    course = Course(state, *end.moments, np.array(trace))
    places = found._replace(theta=end.theta)
    return End(course, places, float(end.log_likelihood.sum()))


def laplace_maximum(
    sampled: Sampled, end: End, *, rng: np.random.Generator, draws: int = 1000
) -> Maximum:
    """Say how sure estimates by Laplace's approximation are, and how far off.

    Draws at the estimates give the likelihood itself, by importance sampling, and how
    far from its maximum the estimates are.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    end : End
        Where :func:`laplace_search` ended.
    rng : numpy Generator
        Chance.
    draws : int
        Draws of each patient.

    Returns
    -------
    Maximum
        Of the approximation; standard errors from its curvature, by differences of its
        slope. ``log_likelihood`` is by importance sampling.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> smooth = ck.load_model("stein_2019_smooth_peak")
    >>> study = smooth.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(smooth, study)
    >>> chance = np.random.default_rng(1)
    >>> end = laplace_search(sampled, start, rng=chance)
    >>> best = laplace_maximum(sampled, end, rng=chance, draws=100)
    >>> best.log_likelihood.shape
    (8,)
    """
    state = end.course.state
    here = approximated(sampled, state, end.places)
    layout = Layout(sampled.structure, state)
    information = _information(sampled, layout, end.places, here)
    estimates = concluded(layout, information, here.slopes.sum(0))
    drawn = Importance(sampled, state, moments=here.moments, rng=rng, draws=draws)
    moments = drawn.moments(state)
    drawn = Importance(sampled, state, moments=moments, rng=rng, draws=draws)
    known = drawn.log_likelihood(state)
    estimates = replace(estimates, deviance_error=2 * drawn.error(state))
    doubted = _doubted(estimates, drawn, float(here.log_likelihood.sum()))
    return Maximum(replace(estimates, doubted=doubted), drawn, known)


def _information(
    sampled: Sampled, layout: Layout, places: Places, here: Approximation
) -> Array:
    """Return the curvature of minus the approximation, by differences of its slope."""
    base, columns = here.slopes.sum(0), []
    for along in np.diag(_AWAY * rough_errors(here.slopes, layout.sizes)):
        away, (up, _) = layout.beside(along)
        slope = approximated(sampled, up, places).slopes.sum(0)
        columns.append((base - slope) / away.sum())
    information = np.array(columns)
    return (information + information.T) / 2


def _doubted(
    estimates: Estimates, drawn: Importance, approximated: float
) -> tuple[str, ...]:
    """Say where the likelihood itself has its maximum elsewhere."""
    layout, kept = estimates.layout, ~np.array(estimates.at_bound)
    slope = drawn.slopes(layout.state).sum(0)[kept]
    off = moved(slope, estimates.covariance[np.ix_(kept, kept)])
    if off <= OFF:
        return ()
    known = float(drawn.log_likelihood(layout.state).sum())
    return (
        f"Laplace's approximation is off by {2 * (known - approximated):.1f} of "
        f"-2 log L, and its estimates by {off:.1f} standard errors on average from "
        "those of the likelihood itself: use method='saem'",
    )
