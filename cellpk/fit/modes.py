"""The most probable parameters of many patients at once, from many starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.curvature import curvature
from cellpk.fit.data import FitData
from cellpk.fit.residual_error import ResidualError, gradients
from cellpk.fit.ties import Ties

Array = NDArray[np.float64]

STEPS = 40
"""Most steps of a descent."""

_FURTHEST = 2.0  # SDs between patients that one step may go
_SETTLED, _STUCK = 1e-9, 1e6
_FEWER = 0.7  # patients are left behind where this share or less still moves


class Surroundings(NamedTuple):
    """An objective, with slope and curvature.

    Parameters
    ----------
    value : ndarray, shape (..., N)
        Minus the log density; infinite where a curve cannot be calculated.
    slope : ndarray, shape (..., N, p)
        Its gradient.
    curvature : ndarray, shape (..., N, p, p)
        Its Gauss-Newton curvature: that of each sample by its log level, carried to the
        parameters by the gradient of the level, and that of the prior.

    Examples
    --------
    >>> Surroundings._fields
    ('value', 'slope', 'curvature')
    """

    value: Array
    slope: Array
    curvature: Array


@dataclass(frozen=True, eq=False)
class Aim:
    """What is sought: for each of N patients the parameters of least objective.

    The objective is minus the log likelihood of the patient's samples, plus half the
    squared distance from ``mean`` by ``precision`` (MAP); with a precision of 0 it is
    minus the log likelihood alone (ML).

    Parameters
    ----------
    data : FitData
        The samples.
    errors : sequence of ResidualError
        One per assay; their parameters may differ between patients, shape (N, 1).
    mean : ndarray, shape (N, p)
        Centres of the distribution between patients, on the transformed scale.
    precision : ndarray, shape (p, p) or (N, p, p)
        Inverse of its covariance.
    low, high : ndarray, shape (p,) or (N, p)
        Bounds; a parameter stays where both are the same.
    reach : ndarray, shape (p,)
        How far parameters are known to differ between patients: SDs.
    ties : Ties, optional
        Where only some parameters are sought, how those of the model follow from
        them; all other arrays are then of these p.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), low=mean - 6 * sd,
    ...           high=mean + 6 * sd, reach=sd)
    >>> aim.values(mean).shape
    (18,)
    """

    data: FitData
    errors: Sequence[ResidualError]
    mean: Array
    precision: Array
    low: Array
    high: Array
    reach: Array
    ties: Ties | None = None

    def full(self, theta: Array) -> Array:
        """Return all parameters of the model, from those that are sought."""
        return theta if self.ties is None else self.ties.full(theta)

    def log_likelihood(self, theta: Array) -> Array:
        """Return the log likelihood of each patient, shape (..., N)."""
        levels = self.data.levels(self.full(theta))
        return self.data.log_likelihood(levels, self.errors)

    def values(self, theta: Array) -> Array:
        """Return the objective, shape (..., N), at theta of shape (..., N, p)."""
        away = theta - self.mean
        return self._pull(away)[0] - self.log_likelihood(theta)

    def surroundings(self, theta: Array) -> Surroundings:
        """Return the objective, its slope and curvature at theta, (..., N, p).

        Curvatures of single samples that are not those of a minimum count as 0.
        """
        levels = self.data.levels(self.full(theta), gradient=True)
        value = -self.data.log_likelihood(levels, self.errors)
        slope = np.zeros(theta.shape)
        total = np.zeros((*theta.shape, theta.shape[-1]))
        along = None if self.ties is None else self.ties.slopes(theta)
        for i, found in enumerate(levels):
            said, error = self.data.series[i].said, self.errors[i]
            assert found.gradient is not None
            gradient = found.gradient
            if along is not None:
                gradient = gradient @ along
            push, _ = gradients(found.log_level, said, error)
            weight = np.maximum(curvature(found.log_level, said, error), 0.0)
            slope -= (push[..., None, :] @ gradient)[..., 0, :]
            total += np.swapaxes(weight[..., None] * gradient, -1, -2) @ gradient
        half, pull = self._pull(theta - self.mean)
        return Surroundings(value + half, slope + pull, total + self.precision)

    def of(self, rows: NDArray[np.intp]) -> "Aim":
        """Return the aim for some of the patients.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            Which; the same patient may be among them more than once.
        """

        def own(array: Array, axes: int) -> Array:
            return array[rows] if array.ndim > axes else array

        errors = [
            replace(
                error,
                values={
                    name: own(np.asarray(x), 0) for name, x in error.values.items()
                },
            )
            for error in self.errors
        ]
        return Aim(
            self.data.of(rows),
            errors,
            mean=self.mean[rows],
            precision=own(self.precision, 2),
            low=own(self.low, 1),
            high=own(self.high, 1),
            reach=self.reach,
            ties=self.ties,
        )

    def _pull(self, away: Array) -> tuple[Array, Array]:
        """Return the prior's share of the objective, and its slope."""
        slope = (self.precision @ away[..., None])[..., 0]
        return 0.5 * (away * slope).sum(-1), slope


class Ends(NamedTuple):
    """Where descents ended.

    Parameters
    ----------
    theta : ndarray, shape (S, N, p)
        Parameters.
    value : ndarray, shape (S, N)
        The objective.

    Examples
    --------
    >>> ends = Ends(np.array([[[1.0]], [[2.0]]]), np.array([[5.0], [4.0]]))
    >>> ends.sorted().value[:, 0].tolist(), ends.best.tolist()
    ([4.0, 5.0], [[2.0]])
    """

    theta: Array
    value: Array

    @property
    def best(self) -> Array:
        """The best end of each patient, shape (N, p)."""
        return self.theta[self.value.argmin(0), np.arange(self.theta.shape[1])]

    def sorted(self) -> "Ends":
        """Return the ends of each patient, best first."""
        order = np.argsort(self.value, axis=0, kind="stable")
        theta = np.take_along_axis(self.theta, order[..., None], axis=0)
        return Ends(theta, np.take_along_axis(self.value, order, axis=0))


def descend(
    aim: Aim, theta: Array, *, held: NDArray[np.bool_] | None = None, steps: int = STEPS
) -> Ends:
    """Go down from every start of every patient, all at once.

    Parameters
    ----------
    aim : Aim
        What is sought.
    theta : ndarray, shape (S, N, p)
        Starts.
    held : ndarray of bool, shape (S, N, p), optional
        Parameters that stay as they are.
    steps : int
        Most steps.

    Returns
    -------
    Ends
        Of Levenberg and Marquardt's damped Gauss-Newton steps.

    References
    ----------
    Marquardt DW. An algorithm for least-squares estimation of nonlinear parameters.
    J Soc Indust Appl Math 1963;11:431-441.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), low=mean - 6 * sd,
    ...           high=mean + 6 * sd, reach=sd)
    >>> ends = descend(aim, np.stack([mean, mean + 0.5 * sd]))
    >>> bool((ends.value <= aim.values(mean) + 1e-9).all())
    True
    """
    theta = np.clip(theta, aim.low, aim.high)
    value = np.full(theta.shape[:-1], np.inf)
    rows, part = np.arange(theta.shape[1]), aim
    now, free = theta, _free(aim, theta, held)
    here = part.surroundings(now)
    damping = np.full(here.value.shape, 1e-2)
    for _ in range(steps):
        there = _stepped(part, now, here, damping=damping, free=free)
        next_ = part.surroundings(there)
        with np.errstate(invalid="ignore"):  # neither of two places has a curve
            gain = here.value - next_.value
        better = gain > 0
        least = _SETTLED * (1 + np.abs(here.value))
        hoped = ((now - there) * here.slope).sum(-1)
        done = np.where(better, gain < least, (damping > _STUCK) | (hoped < least))
        now = np.where(better[..., None], there, now)
        here = Surroundings(
            *(_where(better, a, b) for a, b in zip(next_, here, strict=True))
        )
        damping = np.where(better, damping / 5, damping * 4)
        theta[:, rows], value[:, rows] = now, here.value
        moving = ~done.all(0)
        if not moving.any():
            break
        if moving.mean() <= _FEWER:
            rows, part = rows[moving], part.of(np.flatnonzero(moving))
            now, damping = now[:, moving], damping[:, moving]
            here = Surroundings(*(x[:, moving] for x in here))
            free = None if free is None else free[:, moving]
    return Ends(theta, value)


def _free(
    aim: Aim, theta: Array, held: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Return which parameters may move; None where all may."""
    fixed = np.broadcast_to(aim.low >= aim.high, theta.shape)
    if held is not None:
        fixed = fixed | held
    return ~fixed if fixed.any() else None


def _where(better: NDArray[np.bool_], there: Array, here: Array) -> Array:
    wide = better.reshape(better.shape + (1,) * (here.ndim - better.ndim))
    return np.where(wide, there, here)


def _stepped(
    aim: Aim,
    theta: Array,
    here: Surroundings,
    *,
    damping: Array,
    free: NDArray[np.bool_] | None,
) -> Array:
    """Return where a damped Gauss-Newton step leads, within the bounds."""
    slope, curved = here.slope, here.curvature
    if free is not None:
        slope = slope * free
        curved = curved * free[..., None] * free[..., None, :]
    scale = np.diagonal(curved, axis1=-2, axis2=-1)
    scale = np.where(scale > 0, (1e-12 + damping[..., None]) * scale, 1.0)
    damped = curved + scale[..., None] * np.eye(scale.shape[-1])
    step = -np.linalg.solve(damped, slope[..., None])[..., 0]
    step = np.clip(step, -_FURTHEST * aim.reach, _FURTHEST * aim.reach)
    return np.clip(theta + step, aim.low, aim.high)
