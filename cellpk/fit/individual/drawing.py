"""Draws of one patient's parameters, on which her intervals rest."""

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.error_size import SIZES, sized
from cellpk.fit.individual.question import Question
from cellpk.fit.modes import Aim, Ends
from cellpk.fit.posterior import Component, sample

Array = NDArray[np.float64]

_MODES, _NEAR, _APART = 5, 4.5, 0.05
_WIDER, _FAR = 1.3, 9.0
_FARTHEST = 3.0  # SDs between patients that a component reaches at most


def drawn(
    aim: Aim, ends: Ends, asked: Question, *, sizes: Array | None, number: int
) -> tuple[Array, float]:
    """Return draws of what one patient's parameters may be.

    With the prior they follow the posterior density. Without, they follow the
    likelihood, which says the same of each parameter (transformed scale) and of the log
    size of each residual error, within the bounds: in a linear model this gives the
    classical t intervals.

    Parameters
    ----------
    aim : Aim
        What was sought, of one patient.
    ends : Ends
        Where descents ended, best first.
    asked : Question
        Model, prior and seed.
    sizes : ndarray, shape (assays,), or None
        Logs of the sizes of the residual errors, where they were estimated.
    number : int
        How many draws.

    Returns
    -------
    draws : ndarray, shape (number, k)
        Of equal weight.
    effective : float
        How many independent draws the weighted ones behind them were worth.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.individual.door import question
    >>> from cellpk.fit.individual.search import search
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> one, asked = data.of(np.array([1])), question(data, None, starts=4, seed=1)
    >>> aim = asked.aim(one)
    >>> best = search(aim, asked.batch, 4)
    >>> drawn(aim, best.ends, asked, sizes=None, number=100)[0].shape
    (100, 6)
    """
    rng = chance_of(asked, aim.data.patients[0])
    components = _about_modes(aim, ends)
    total = sum(component.share for component in components)
    if sizes is None:
        covariance = np.linalg.inv(asked.precision)
        wide = Component(total / 4, asked.mean, covariance, dof=30.0)
        components.append(wide)
    else:
        first = components[0]
        far = _FAR * first.covariance
        components.append(replace(first, share=total / 4, covariance=far))
    components = [_within(aim, one) for one in components]
    if sizes is not None:
        components = [_with_sizes(aim, one, sizes) for one in components]
    found = sample(_log_density(aim, sizes), components, rng, kept=number)
    return found.points[:, : len(asked.names)], found.effective


def chance_of(asked: Question, patient: str) -> np.random.Generator:
    """Return the chance of one patient, whoever else is in the study.

    Examples
    --------
    >>> chance_of.__name__                                        # see drawn
    'chance_of'
    """
    return np.random.default_rng([asked.seed, zlib.crc32(patient.encode())])


def _log_density(aim: Aim, sizes: Array | None) -> Callable[[Array], Array]:
    """Return the log density of points, shape (n, k) or (n, k + assays)."""
    size, errors = aim.mean.shape[-1], aim.data.errors

    def density(points: Array) -> Array:
        theta, here = points[:, None, :size], aim
        inside = ((theta >= aim.low) & (theta <= aim.high)).all((-1, -2))
        if sizes is not None:
            logs = points[:, None, size:]
            least, most = np.log(SIZES)
            inside &= ((logs >= least) & (logs <= most)).all((-1, -2))
            here = replace(aim, errors=sized(errors, np.clip(logs, least, most)))
        held = np.clip(theta, aim.low, aim.high)
        return np.where(inside, -here.values(held)[:, 0], -np.inf)

    return density


def _about_modes(aim: Aim, ends: Ends) -> list[Component]:
    """Return heavy-tailed components about the distinct ends."""
    theta, value = ends.theta[:, 0], ends.value[:, 0]
    modes: list[int] = []
    for i, end in enumerate(theta):
        away = [np.abs((end - theta[j]) / aim.reach).max() > _APART for j in modes]
        if value[i] < value[0] + _NEAR and all(away) and len(modes) < _MODES:
            modes.append(i)
    ridge = np.diag((_FARTHEST * aim.reach) ** -2)
    curved = aim.surroundings(theta[modes][:, None]).curvature[:, 0] + ridge
    return [
        Component(float(np.exp((value[0] - value[i]) / 2)), theta[i], _WIDER * spread)
        for i, spread in zip(modes, np.linalg.inv(curved), strict=True)
    ]


def _within(aim: Aim, component: Component) -> Component:
    """Reach from within the bounds no farther in SDs than half their width."""
    errors = np.sqrt(np.diag(component.covariance))
    size = np.minimum(1.0, (aim.high - aim.low) / 2 / errors)
    return replace(
        component,
        mean=np.clip(component.mean, aim.low, aim.high),
        covariance=component.covariance * np.outer(size, size),
    )


def _with_sizes(aim: Aim, component: Component, sizes: Array) -> Component:
    """Add the log sizes of the residual errors, of which spare samples tell."""
    size, seen = (
        component.mean.size,
        [int(one.said.quantified.sum()) for one in aim.data.series],
    )
    spare = np.array([n * (1 - size / sum(seen)) for n in seen])
    covariance = np.zeros((size + sizes.size, size + sizes.size))
    covariance[:size, :size] = component.covariance
    np.fill_diagonal(covariance[size:, size:], 1 / np.maximum(spare, 1.0))
    mean = np.append(component.mean, sizes)
    return replace(component, mean=mean, covariance=covariance)
