"""The log likelihood of all patients' samples, and its slopes, in one go."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.lognormal import SCALES, lognormal, natural
from cellpk.fit.data import FitData
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.series import Series
from cellpk.fit.standardised import ON_LOG
from cellpk.model.compile.kernel import ClosedKernel, observed_number
from cellpk.model.compile.vectors import read_patients
from cellpk.model.model import Model

Array = NDArray[np.float64]
Samples = Callable[[Array, Array], tuple[Array, Array, Array]]
"""Of theta (N, p) and logs of the errors (k,), each patient's log likelihood (N,) and
its slopes (N, p) and (N, k)."""


LARGEST = 700.0
"""Log of the largest parameter of an error; its negative is that of the smallest."""


Nothing = Callable[[Array], tuple[Array, Array]]


class Slopes(NamedTuple):
    """The log likelihood of all patients' samples and its slopes.

    Parameters
    ----------
    value : float
        Minus infinity where something cannot be calculated.
    score : ndarray, shape (N, p)
        Slopes by each patient's parameters.
    by_errors : ndarray, shape (k,)
    by_log_odds : float

    Examples
    --------
    >>> Slopes._fields[:2]
    ('value', 'score')
    """

    value: float
    score: Array
    by_errors: Array
    by_log_odds: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The log likelihood of all patients' samples, given their parameters.

    Mixed with that of no cells where some never expand.

    Parameters
    ----------
    data : FitData
        The samples.
    errors : JointErrors
        Kinds of the residual errors.
    samples : callable
        Log likelihood and slopes, as from :func:`general` or :func:`quick`.
    below : ndarray of int, shape (B,)
        Patients of whom no sample shows cells.
    nothing : callable
        Of logs of the errors: what no cells make of their samples, (B,) and (B, k).

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> likelihood = Evaluation.of(data, JointErrors.of(data))
    >>> theta = np.tile(stein.typical, (18, 1))
    >>> found = likelihood(theta, np.log([0.56]), log_odds=-2.0)
    >>> found.score.shape, found.by_errors.shape
    ((18, 6), (1,))
    """

    data: FitData
    errors: JointErrors
    samples: Samples
    below: NDArray[np.intp]
    nothing: Nothing

    @classmethod
    def of(cls, data: FitData, errors: JointErrors) -> "Evaluation":
        """Return the evaluation in the quickest way that the data allow."""
        below = np.flatnonzero(data.all_below)
        return cls(
            data,
            errors,
            quick(data, errors) or general(data, errors),
            below,
            _no_cells(data.of(below), errors),
        )

    def __call__(
        self, theta: Array, error_logs: Array, *, log_odds: float = -np.inf
    ) -> Slopes:
        """Return the log likelihood and its slopes.

        Parameters
        ----------
        theta : ndarray, shape (N, p)
            The parameters.
        error_logs : ndarray, shape (k,)
            Logs of the parameters of the errors.
        log_odds : float
            That a patient never expands; minus infinity where there is no such class.
        """
        if not _possible(error_logs):
            return Slopes(-np.inf, np.zeros(theta.shape), 0.0 * error_logs, 0.0)
        value, score, by_error = self.samples(theta, error_logs)
        by_odds = 0.0
        if log_odds > -np.inf:
            share, value, never = self._mixed(value, error_logs, log_odds)
            score = share[:, None] * score
            by_error = share[:, None] * by_error + never
            by_odds = float((1 - share).sum() - len(theta) / (1 + np.exp(-log_odds)))
        return Slopes(float(value.sum()), score, by_error.sum(0), by_odds)

    def _mixed(
        self, value: Array, error_logs: Array, log_odds: float
    ) -> tuple[Array, Array, Array]:
        """Mix in those who never expand.

        Returns
        -------
        share : ndarray, shape (N,)
            The chance to have expanded.
        value : ndarray, shape (N,)
            Log likelihood with both classes.
        never : ndarray, shape (N, k)
            Slope by the errors of the class that never expands, times its chance.
        """
        below = self.below
        expanded = value - np.logaddexp(0.0, log_odds)
        whole, never = expanded.copy(), np.zeros((len(value), error_logs.size))
        if below.size:
            none, slopes = self.nothing(error_logs)
            other = none - np.logaddexp(0.0, -log_odds)
            whole[below] = np.logaddexp(expanded[below], other)
            never[below] = np.exp(other - whole[below])[:, None] * slopes
        with np.errstate(invalid="ignore"):
            share = np.exp(expanded - whole)
        return share, whole, never


def _no_cells(below: FitData, errors: JointErrors) -> Nothing:
    """Return what no cells make of samples, none of which shows any."""
    if all(part.kind in ON_LOG for part in errors.parts):
        # An error of the log level reads a level of zero below any limit: surely.
        none = np.zeros(len(below.patients))
        slopes = np.zeros((none.size, errors.logs.size))
        return lambda error_logs: (none, slopes)
    return lambda error_logs: below.no_cells(errors.with_logs(error_logs).parts)


def _possible(error_logs: Array) -> bool:
    """Whether the parameters of the errors are positive numbers."""
    return all(abs(x) < LARGEST for x in error_logs.tolist())


def general(data: FitData, errors: JointErrors) -> Samples:
    """Return log likelihood and slopes of any model, with any kind of error.

    Parameters
    ----------
    data : FitData
        The samples.
    errors : JointErrors
        Kinds of the residual errors.
    """

    def samples(theta: Array, error_logs: Array) -> tuple[Array, Array, Array]:
        parts = errors.with_logs(error_logs).parts
        levels = data.levels(theta, gradient=True)
        return (
            data.log_likelihood(levels, parts),
            data.score(levels, parts),
            data.error_gradient(levels, parts),
        )

    return samples


def quick(data: FitData, errors: JointErrors) -> Samples | None:
    """Return the same of a closed form whose log levels err by a normal error.

    Parameters
    ----------
    data, errors
        As for :func:`general`.

    Returns
    -------
    callable or None
        None where model, errors or samples are of another kind.
    """
    kernel = data.model.kernel
    normal = all(part.kind == "lognormal" for part in errors.parts)
    between = any("between" in one.said.parts for one in data.series)
    if between or not (normal and isinstance(kernel, ClosedKernel)):
        return None
    names = list(data.model.parameters)
    columns = np.array([names.index(name) for name in data.model.free])
    scales = [data.model.parameters[name].scale for name in data.model.free]
    kinds = np.array([SCALES.index(scale) for scale in scales])
    known, assays = _known(data), [_Assay.of(data.model, one) for one in data.series]
    gradients = kernel.module.gradients

    def samples(theta: Array, error_logs: Array) -> tuple[Array, Array, Array]:
        values, stretch = natural(theta, kinds, columns=columns, known=known)
        found = []
        for one, log in zip(assays, error_logs.tolist(), strict=True):
            level = np.empty(one.times.shape)
            slopes = np.empty((*level.shape, theta.shape[1]))
            gradients(one.number, values, one.times, level, slopes)
            ends = {"low": one.low, "high": one.high}
            found.append(lognormal(level, slopes, **ends, sd=exp(log)))
        value, score, _ = found[0]
        for other in found[1:]:
            value, score = value + other[0], score + other[1]
        by_error = np.stack([each[2] for each in found], -1)
        return value, score * stretch, by_error

    return samples


class _Assay(NamedTuple):
    """The samples of an assay as compiled loops take them."""

    number: int
    times: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, model: Model, one: Series) -> "_Assay":
        ends = (one.times, one.said.low, one.said.high)
        times, low, high = (np.array(x, float, order="C") for x in ends)
        return cls(observed_number(model, one.observed), times, low, high)


def _known(data: FitData) -> Array:
    """Return natural values as the kernel takes them, free parameters being typical."""
    rows = []
    for group in data.groups:
        typical = np.tile(data.model.typical, (group.rows.size, 1))
        found = read_patients(data.model, typical, [0.0], inputs=group.inputs)
        rows.append((group.rows, found.values))
    known = np.empty((len(data.patients), rows[0][1].shape[1]))
    for which, values in rows:
        known[which] = values
    return known
