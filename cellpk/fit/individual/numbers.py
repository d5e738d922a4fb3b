"""What fits say in numbers: estimates and derived quantities with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import ModelError
from cellpk.fit.data import TOLERANCE, FitData
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.solution import Solution
from cellpk.model.inputs import Inputs
from cellpk.model.model import Model
from cellpk.model.parallel import over_chunks
from cellpk.model.parameters import SCALES

Array = NDArray[np.float64]

DRAWN_AT_ONCE, PLAIN_AT_ONCE = 8, 256
"""Patients whose numbers are worked out at once, with draws and without."""

PRIOR_DRAWS = 1024
"""Draws of the prior by which information is measured."""


def values(
    model: Model, theta: Array, *, inputs: Inputs | None = None
) -> dict[str, Array]:
    """Return free parameters and derived quantities by name, in natural units.

    Parameters
    ----------
    model : Model
        The model.
    theta : ndarray, shape (..., p)
        Parameters on the transformed scale.
    inputs : Inputs, optional
        Covariates and infusions; those of the typical patient where not given.

    Returns
    -------
    dict of str to ndarray, shape (...)
        First the parameters, then the derived quantities; NaN where the model cannot
        be calculated.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> list(values(stein, stein.typical))[-3:]
    ['half_life_1', 'half_life_2', 'auc_0_28']
    """
    natural = model.natural(theta)
    derived = model.quantity_values(theta, inputs=inputs, tolerance=TOLERANCE)
    return {name: natural[name] for name in model.free} | derived


def values_of(data: FitData, theta: Array) -> Array:
    """Return all quantities of patients, each with her own covariates and infusions.

    Parameters
    ----------
    data : FitData
        N patients.
    theta : ndarray, shape (..., N, p)
        All free parameters on the transformed scale.

    Returns
    -------
    ndarray, shape (..., N, Q)
        In the order of :func:`values`.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> values_of(data, np.tile(stein.typical, (18, 1))).shape
    (18, 10)
    """
    size = len(data.model.free) + len(data.model.quantity_units)
    found = np.empty((*theta.shape[:-1], size))
    for group in data.groups:
        own = values(data.model, theta[..., group.rows, :], inputs=group.inputs)
        found[..., group.rows, :] = np.stack(list(own.values()), axis=-1)
    return found


def quantity_names(model: Model) -> tuple[str, ...]:
    """Return the names of parameters and derived quantities.

    Examples
    --------
    >>> import cellpk as ck
    >>> quantity_names(ck.load_model("stein_2019_tisagenlecleucel"))[5:7]
    ('beta', 'doubling_time')
    """
    return (*model.free, *model.quantity_units)


def spread_of(model: Model, theta: Array, drawn: Array) -> Array:
    """Return how much each quantity varies over draws.

    Parameters
    ----------
    model : Model
        The model.
    theta : ndarray, shape (n, ..., p)
        Draws of all free parameters on the transformed scale.
    drawn : ndarray, shape (n, ..., Q)
        Their quantities.

    Returns
    -------
    ndarray, shape (..., Q)
        Variance of parameters on the transformed scale, of derived quantities on the
        log scale; NaN where fewer than two could be calculated.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> draws = stein.typical + np.array([[-1.0] * 6, [1.0] * 6])
    >>> drawn = np.stack(list(values(stein, draws).values()), axis=-1)
    >>> float(spread_of(stein, draws, drawn)[-3].round(6))
    1.0
    """
    size = len(model.free)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.abs(drawn[..., size:]))
    known = np.isfinite(logs)
    count = known.sum(0)
    least = np.maximum(count, 1)
    mean = np.where(known, logs, 0.0).sum(0) / least
    variance = np.where(known, logs - mean, 0.0)
    variance = np.square(variance).sum(0) / least
    variance = np.where(count > 1, variance, np.nan)
    return np.concatenate([np.var(theta, axis=0), variance], axis=-1)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Estimates of N patients with intervals; arrays have the shape (N, Q).

    Parameters
    ----------
    value : ndarray
        Estimates, natural units.
    low, high : ndarray
        Intervals: equal-tailed ones of the draws, or those of the delta method where
        there are none.
    delta_low, delta_high : ndarray
        Intervals of the delta method.
    error : ndarray
        Standard errors on the scale of a parameter and on the log scale of a derived
        quantity: of the draws, or of the delta method where there are none.
    information : ndarray
        Which share of the prior's variance the data took away; NaN without prior.

    Examples
    --------
    >>> sorted(Numbers.__annotations__)[:2]
    ['delta_high', 'delta_low']
    """

    value: Array
    low: Array
    high: Array
    delta_low: Array
    delta_high: Array
    error: Array
    information: Array


def numbers_of(
    data: FitData, asked: Question, solution: Solution, *, before: Array, level: float
) -> Numbers:
    """Return the numbers of some patients' fits.

    Intervals of the delta method are symmetric on the scale of a parameter, and on the
    log scale of a derived quantity; with t quantiles where the residual error was
    estimated.

    Parameters
    ----------
    data : FitData
        Samples of N patients.
    asked : Question
        What they were asked.
    solution : Solution
        Their fits.
    before : ndarray, shape (Q,)
        From :func:`spread_of` of draws from the prior.
    level : float
        Probability that the intervals hold.

    Returns
    -------
    Numbers

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.individual.door import question
    >>> from cellpk.fit.individual.solution import solved
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> asked = question(data, None, starts=4, seed=1)
    >>> found = numbers_of(data, asked, solved(data, asked, 0)[0], before=np.ones(10),
    ...                    level=0.95)
    >>> bool((found.delta_low < found.value).all())
    True
    """
    full = asked.ties.full(solution.theta)
    value = values_of(data, full)
    variance = delta_variances(data, asked, solution)
    reach = distances(freedom(data, asked, solution), level)
    distance = reach[:, None] * np.sqrt(variance)
    ends = [_moved(asked.model, full, value, sign * distance) for sign in (-1, 1)]
    delta_low, delta_high = np.sort(ends, axis=0)
    low, high, after = delta_low, delta_high, variance
    if solution.draws.shape[1]:
        points = asked.ties.full(np.swapaxes(solution.draws, 0, 1))
        drawn = values_of(data, points)
        low, high = _quantiles(drawn, [(1 - level) / 2, (1 + level) / 2])
        after = spread_of(asked.model, points, drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.clip(1 - after / before, 0.0, 1.0)
    information[~solution.with_prior] = np.nan
    ends = (low, high, delta_low, delta_high)
    return Numbers(value, *ends, error=np.sqrt(after), information=information)


def numbers_of_all(
    data: FitData, asked: Question, solution: Solution, *, level: float
) -> Numbers:
    """Return the numbers of all patients' fits, some at a time, over threads.

    Parameters
    ----------
    data, asked, solution, level
        As for :func:`numbers_of`.

    Returns
    -------
    Numbers

    Examples
    --------
    >>> numbers_of_all.__name__                              # see numbers_of
    'numbers_of_all'
    """
    model, theta = asked.model, asked.ties.full(asked.prior_draws(PRIOR_DRAWS))
    drawn = np.stack(list(values(model, theta).values()), axis=-1)
    before = spread_of(model, theta, drawn)
    names = tuple(Numbers.__annotations__)
    shape = (len(solution.theta), len(quantity_names(model)))
    found = {name: np.empty(shape) for name in names}

    def work(chunk: slice) -> None:
        rows = np.arange(chunk.start, chunk.stop)
        own = data.of(rows), asked, solution.of(rows)
        numbers = numbers_of(*own, before=before, level=level)
        for name in names:
            found[name][chunk] = getattr(numbers, name)

    size = DRAWN_AT_ONCE if solution.draws.shape[1] else PLAIN_AT_ONCE
    over_chunks(work, shape[0], size=size)
    return Numbers(**found)


def _quantiles(drawn: Array, shares: list[float]) -> Array:
    """Quantiles over the draws of which a quantity could be calculated."""
    known = ~np.isnan(drawn)
    if known.all():
        return np.quantile(drawn, shares, axis=0)
    found = np.full((len(shares), *drawn.shape[1:]), np.nan)
    for place in zip(*np.nonzero(known.any(0)), strict=True):
        column = drawn[:, *place]
        found[:, *place] = np.quantile(column[~np.isnan(column)], shares)
    return found


def freedom(data: FitData, asked: Question, solution: Solution) -> Array:
    """Return degrees of freedom of each patient's residual error, shape (N,).

    Quantified samples beyond the number of parameters, at least 1: those below a limit
    tell next to nothing of it. Infinite where the residual error is the model's (MAP).

    Examples
    --------
    >>> freedom.__name__                                     # see numbers_of
    'freedom'
    """
    seen = np.sum([one.said.quantified.sum(-1) for one in data.series], axis=0)
    spare = np.maximum(seen - len(asked.names), 1)
    return np.where(solution.with_prior, np.inf, spare)


def distances(free: Array, level: float) -> Array:
    """Return how many standard errors an interval reaches.

    Its square is by how much -2 log L may rise within a profile interval: the quantile
    of F with 1 and ``free`` degrees of freedom, of chi-square where these are infinite.

    Parameters
    ----------
    free : ndarray, shape (N,)
        As from :func:`freedom`.
    level : float
        Probability that the interval holds.

    Examples
    --------
    >>> distances(np.array([np.inf, 3.0]), 0.95).round(3)
    array([1.96 , 3.182])
    """
    from scipy.stats import t

    return t.ppf((1 + level) / 2, free)


def delta_variances(data: FitData, asked: Question, solution: Solution) -> Array:
    """Return variances as of :func:`spread_of`, by the delta method, shape (N, Q).

    Examples
    --------
    >>> delta_variances.__name__                             # see numbers_of
    'delta_variances'
    """
    theta = solution.theta
    slopes = asked.ties.slopes(theta)
    full = asked.ties.full(theta)
    derived = np.full(
        (len(theta), len(data.model.quantity_units), full.shape[-1]), np.nan
    )
    for group in data.groups:
        derived[group.rows] = _log_slopes(data.model, full[group.rows], group.inputs)
    along = np.concatenate([slopes, derived @ slopes], axis=-2)
    return np.einsum("nqi,nij,nqj->nq", along, solution.covariance, along)


def _log_slopes(model: Model, theta: Array, inputs: Inputs) -> Array:
    """Return slopes of the logs of derived quantities by all parameters, (m, D, p)."""
    try:
        found = model.quantities(theta, inputs=inputs)
    except ModelError:
        if len(theta) == 1:
            return np.full((1, len(model.quantity_units), theta.shape[-1]), np.nan)
        fixed = inputs.fixed()
        return np.concatenate(
            [
                _log_slopes(model, theta[[i]], _of_one(inputs, fixed, i))
                for i in range(len(theta))
            ]
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        each = [slope / value[..., None] for value, slope in found.values()]
    return np.stack(each, axis=-2)


def _of_one(inputs: Inputs, fixed: Mapping[str, Array], i: int) -> Inputs:
    values = {n: x[..., [i]] if np.ndim(x) else x for n, x in fixed.items()}
    return replace(inputs, values=values)


def _moved(model: Model, full: Array, value: Array, distance: Array) -> Array:
    """Move parameters on their scales and derived quantities on the log scale."""
    size, found = len(model.free), np.empty_like(value)
    for i, name in enumerate(model.free):
        scale = SCALES[model.parameters[name].scale]
        with np.errstate(over="ignore"):
            found[:, i] = scale.back(full[:, i] + distance[:, i])
    with np.errstate(over="ignore"):
        found[:, size:] = value[:, size:] * np.exp(distance[:, size:])
    return found
