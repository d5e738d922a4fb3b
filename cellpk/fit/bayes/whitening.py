"""Each patient's parameters as standard normal numbers, whatever the population is.

What the samples of patient i say of her parameters is close to ``exp(b.theta - theta'H
theta/2)`` up to a factor, with a pull b and a precision H of her own, which are found
here. The way from standard normal numbers to parameters that they give is in
:mod:`cellpk.fit.bayes.placement`: a sampler sees round numbers. Any b and H are exact:
they decide how round. H = 0 is the parameterisation that is called non-centred, a large
H the centred one, in each direction of theta by itself: Papaspiliopoulos O, Roberts GO,
Skold M. A general framework for the parametrization of hierarchical models. Stat Sci
2007;22:59-73.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.state import State

Array = NDArray[np.float64]

STATES = 48
"""Populations over which what is said of a patient is averaged."""

FAR = 0.7
"""How far estimates are moved from the maximum at most, in sizes of note: a population
that hardly lets patients differ would else outweigh all others."""

_ROUNDS, _SETTLED = 100, 1e-3


@dataclass(frozen=True, eq=False)
class Whitening:
    """What the samples of each patient say of her parameters, as a normal density.

    Parameters
    ----------
    pull : ndarray, shape (N, v)
        The vectors b, of the parameters that vary between patients.
    precision : ndarray, shape (N, v, v)
        The matrices H, without negative eigenvalues.
    varies : ndarray of bool, shape (p,)
        Which parameters vary between patients; the others are as expected.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> made = Whitening(5 * one, 3 * one[None], np.array([True, False]))
    >>> made.precision.shape
    (1, 1, 1)
    """

    pull: Array
    precision: Array
    varies: NDArray[np.bool_]


def whitening(
    found: Importance, layout: Layout, covariance: Array, *, rng: np.random.Generator
) -> Whitening:
    """Return the whitening that suits what the population may be.

    Populations are drawn about the estimates. The draws of each patient's parameters,
    weighted by each of these, have a mean and a covariance, which those of the normal
    densities meet: so pull and precision are those of highest likelihood. Residual
    errors are held.

    Parameters
    ----------
    found : Importance
        Weighted draws of the patients' parameters.
    layout : Layout
        The estimates.
    covariance : ndarray, shape (q, q)
        How sure they are, in the order of ``layout.vector()``; what is not a number is
        held.
    rng : numpy Generator
        Chance.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> moments = sampled.structure.means(start.beta), np.tile(start.omega, (8, 1, 1))
    >>> chance = np.random.default_rng(1)
    >>> found = Importance(sampled, start, moments=moments, rng=chance)
    >>> layout = Layout(sampled.structure, start)
    >>> covariance = 0.01 * np.eye(layout.vector().size)
    >>> whitening(found, layout, covariance, rng=chance).precision.shape
    (8, 6, 6)
    """
    varies = layout.structure.varies
    states = _likely(layout, covariance, rng)
    weights = np.mean([found.expected(state)[0] for state in states], axis=0)
    theta = np.moveaxis(found.theta[..., varies], 0, 1)
    weighed = weights.T[..., None]
    mean = (weighed * theta).sum(1)
    away = theta - mean[:, None]
    spread = np.swapaxes(weighed * away, -1, -2) @ away
    own = np.ix_(varies, varies)
    between = np.linalg.inv(np.array([state.omega[own] for state in states]))
    expected = np.array([_expected(found, state)[:, varies] for state in states])
    pull, precision = normal_evidence(
        mean, spread, between=between, pulled=expected @ between
    )
    if layout.state.never:
        # Of cells that may never have expanded samples say next to nothing.
        nothing = found.data.all_below
        pull[nothing], precision[nothing] = 0.0, 0.0
    return Whitening(pull, precision, varies)


def _likely(layout: Layout, covariance: Array, rng: np.random.Generator) -> list[State]:
    """Return what the population may be, residual errors held."""
    sure = np.isfinite(np.diag(covariance))  # else the data do not tell an estimate
    sure[layout.parts()["error"]] = False
    own = covariance[np.ix_(sure, sure)]
    moved = np.zeros((STATES, sure.size))
    moved[:, sure] = rng.multivariate_normal(np.zeros(len(own)), own, STATES)
    far = FAR * layout.sizes
    moved = np.clip(moved, -far, far)
    return [layout.beside(away)[1][0] for away in moved]


def _expected(found: Importance, state: State) -> Array:
    """Return what is expected of each patient, her lot included."""
    means, lots = found.structure.means(state.beta), found.structure.lots
    if not lots:
        return means
    return means + lots.shift(found.lot_moments(state)[0], means.shape[-1])


def normal_evidence(
    mean: Array, covariance: Array, *, between: Array, pulled: Array
) -> tuple[Array, Array]:
    """Return pull and precision of each patient's samples.

    The gradient of the likelihood is the difference of moments; each round corrects
    precisions by that of the inverse covariances, which would be all where the
    population is known.

    Parameters
    ----------
    mean, covariance : ndarray, shapes (N, v) and (N, v, v)
        Moments of each patient's parameters, over what the population may be.
    between : ndarray, shape (S, v, v)
        Inverse covariances between patients.
    pulled : ndarray, shape (S, N, v)
        These times what is expected of the patients.

    Returns
    -------
    pull, precision : ndarray, shapes (N, v) and (N, v, v)
        Precisions have no negative eigenvalue.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> pull, precision = normal_evidence(1.5 * one, one[None] / 4, between=one[None],
    ...                                   pulled=one[None])
    >>> pull.round(6), precision[0].round(6)
    (array([[5.]]), array([[3.]]))
    """
    scale = 1 / np.sqrt(np.diagonal(between.mean(0)))
    sure = np.linalg.inv(covariance)
    precision = _not_negative(sure - between.mean(0), scale)
    pull = ((precision + between.mean(0)) @ mean[..., None])[..., 0] - pulled.mean(0)
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(precision + between[:, None])
        centre = (inverse @ (pull + pulled)[..., None])[..., 0]
        middle = centre.mean(0)
        away = np.moveaxis(centre - middle, 0, 1)
        mixed = inverse.mean(0) + np.swapaxes(away, -1, -2) @ away / len(between)
        here = np.linalg.inv(mixed)
        better = _not_negative(precision + sure - here, scale)
        pull = pull + ((better - precision) @ mean[..., None])[..., 0]
        pull = pull + (here @ (mean - middle)[..., None])[..., 0]
        moved = np.abs((better - precision) * np.outer(scale, scale)).max()
        precision = better
        if moved < _SETTLED:
            break
    return pull, precision


def _not_negative(matrix: Array, scale: Array) -> Array:
    """Return matrices without their negative eigenvalues, each scale being 1."""
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    held = (vectors * np.maximum(values, 0.0)[:, None]) @ np.swapaxes(vectors, -1, -2)
    return held / np.outer(scale, scale)
