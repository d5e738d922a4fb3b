"""What each draw makes of each sample: its log likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.likelihood import Evidence
from cellpk.fit.population.draws import PopulationDraws
from cellpk.fit.residual_error import ResidualError, log_likelihood

Array = NDArray[np.float64]

AT_ONCE = 100
"""Draws whose levels are worked out at once."""


@dataclass(frozen=True, eq=False)
class Pointwise:
    """Log likelihoods under S draws.

    Parameters
    ----------
    samples : tuple of ndarray, shape (S, N, n)
        Of each sample of each series, given all others of her patient where cells may
        never have expanded; 0 where a row is padded.
    patients : ndarray, shape (S, N)
        Of each patient's samples, given her parameters.
    expanded : ndarray, shape (S, N)
        The chance that her cells expanded at all.

    Examples
    --------
    >>> sorted(Pointwise.__annotations__)
    ['expanded', 'patients', 'samples']
    """

    samples: tuple[Array, ...]
    patients: Array
    expanded: Array


def pointwise(data: FitData, theta: Array, population: PopulationDraws) -> Pointwise:
    """Return log likelihoods of all samples under all draws.

    Parameters
    ----------
    data : FitData
        The samples.
    theta : ndarray, shape (S, N, p)
        Draws of the patients' parameters, on the transformed scale.
    population : PopulationDraws
        S draws of the population.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> data, draws = sampled.data.data, PopulationDraws.of(start, 2)
    >>> found = pointwise(data, np.tile(stein.typical, (2, 18, 1)), draws)
    >>> found.patients.shape, found.expanded.min() < 1
    ((2, 18), np.True_)
    """
    parts = [
        _some(data, theta[rows], population.take(np.arange(rows.start, rows.stop)))
        for rows in _chunks(len(theta))
    ]
    each = zip(*(part.samples for part in parts), strict=True)
    return Pointwise(
        tuple(np.concatenate(series) for series in each),
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.expanded for part in parts]),
    )


def _chunks(number: int) -> list[slice]:
    starts = range(0, number, AT_ONCE)
    return [slice(at, min(at + AT_ONCE, number)) for at in starts]


def _some(data: FitData, theta: Array, population: PopulationDraws) -> Pointwise:
    errors = population.parts
    levels = data.levels(theta)
    samples = [
        np.where(one.known, log_likelihood(found.log_level, one.said, error), 0.0)
        for found, one, error in zip(levels, data.series, errors, strict=True)
    ]
    curve = np.sum([each.sum(-1) for each in samples], axis=0)
    if not population.never.any():
        return Pointwise(tuple(samples), curve, np.ones_like(curve))
    return _mixed(data, samples, curve, population.never[:, None], errors)


def _mixed(
    data: FitData,
    samples: list[Array],
    curve: Array,
    never: Array,
    errors: tuple[ResidualError, ...],
) -> Pointwise:
    """Mix in the class of patients whose cells never expand."""
    below = data.all_below
    none = [
        np.where(one.known, _of_nothing(one.said.low.shape, one.said, error), 0.0)
        for one, error in zip(data.series, errors, strict=True)
    ]
    nothing = np.where(below, np.sum([each.sum(-1) for each in none], axis=0), -np.inf)
    there, gone = np.log1p(-never), np.log(never)
    whole = np.logaddexp(there + curve, gone + nothing)
    expanded = np.exp(there + curve - whole)
    given = []
    for own, nil in zip(samples, none, strict=True):
        # The sample left out: what the others of her patient say of both classes.
        zero = np.where(below[:, None], nil, 0.0)
        without = np.logaddexp(
            (there + curve)[..., None] - own, (gone + nothing)[..., None] - zero
        )
        given.append(whole[..., None] - without)
    known = zip(given, data.series, strict=True)
    kept = tuple(np.where(one.known, each, 0.0) for each, one in known)
    return Pointwise(kept, whole, expanded)


def _of_nothing(shape: tuple[int, ...], said: Evidence, error: ResidualError) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return log_likelihood(np.full(shape, -np.inf), said, error)
