"""Peak, its time, and the last time above a limit: of many curves at once.

Curves are looked at on a grid that holds the times at which they change their course,
and again on finer ones about what was found.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.model.inputs import Inputs
from cellpk.model.levels import Levels
from cellpk.model.parameters import Array

if TYPE_CHECKING:
    from cellpk.model.model import Model

STEP, DENSE_UNTIL = 0.5, 42.0
"""Days between the places of the first grid, and until when: expansion is over then."""

LATER = 48
"""Places of the first grid after that."""

ZOOMS, FINER = 2, 8
"""How often a place is looked at more closely, and by how much."""

_AFTER = 1e-9  # days after a change, where the level may have jumped


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What curves show; arrays have the shape (...), NaN where there is no curve.

    Parameters
    ----------
    cmax : ndarray
        Highest level between day 0 and the horizon.
    tmax : ndarray
        Its day.
    tlast : ndarray or None
        Last day on which the level is above the limit: 0 where it never is, the
        horizon where it still is then. None where there is no limit.
    beyond : ndarray of bool or None
        Where it still is above the limit at the horizon.

    Examples
    --------
    >>> sorted(Landmarks.__annotations__)
    ['beyond', 'cmax', 'tlast', 'tmax']
    """

    cmax: Array
    tmax: Array
    tlast: Array | None
    beyond: NDArray[np.bool_] | None


def landmarks(
    model: "Model",
    theta: Array,
    until: float,
    *,
    limit: float | None = None,
    observed: str | None = None,
    inputs: Inputs | None = None,
    tolerance: float = 1e-5,
) -> Landmarks:
    """Return peak, its time, and the last time above a limit.

    Parameters
    ----------
    model : Model
        Gives the curves.
    theta : ndarray, shape (..., p)
        Free parameters on the transformed scale.
    until : float
        Horizon, days after the first infusion.
    limit : float, optional
        In the unit of the level.
    observed : str, optional
        Which level; the first of the model where not given.
    inputs : Inputs, optional
        Covariates and infusions; those of the typical patient where not given. What
        differs between patients has the shape of the last axis but one of theta.
    tolerance : float
        Relative error per step of a model without closed form.

    Returns
    -------
    Landmarks

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> found = landmarks(stein, stein.typical, 360.0, limit=100.0)
    >>> [float(x.round(2)) for x in (found.cmax, found.tmax, found.tlast)]
    [24000.0, 9.3, 209.22]
    """
    own = inputs or model.inputs()
    return _Curves(model, theta, until, observed, own, tolerance).found(limit)


def grid(until: float) -> Array:
    """Return the days on which every curve is looked at first.

    Examples
    --------
    >>> grid(2.0)
    array([0. , 0.5, 1. , 1.5, 2. ])
    """
    dense = np.arange(0.0, min(until, DENSE_UNTIL), STEP)
    late = np.geomspace(DENSE_UNTIL, max(until, DENSE_UNTIL), LATER)
    return np.unique([*dense, *late[late < until], until])


@dataclass(frozen=True, eq=False)
class _Curves:
    """Curves, and where they are looked at."""

    model: "Model"
    theta: Array
    until: float
    observed: str | None
    inputs: Inputs
    tolerance: float

    def found(self, limit: float | None) -> Landmarks:
        days = self._days()
        levels = self._solved(days)
        failed, log_level = levels.failed, levels.log_level
        log_peak, when = self._peak(days, log_level)
        cmax = np.where(failed, np.nan, np.exp(log_peak))
        tmax = np.where(failed, np.nan, when)
        if limit is None:
            return Landmarks(cmax, tmax, None, None)
        beyond = ~failed & (log_level[..., -1] > np.log(limit))
        last = self._last(days, log_level, np.log(limit))
        tlast = np.where(failed, np.nan, np.where(beyond, self.until, last))
        return Landmarks(cmax, tmax, tlast, beyond)

    def _days(self) -> Array:
        """Return the grid with what each curve has of its own, (..., n)."""
        own = self.model.marks(self.theta, inputs=self.inputs)
        own = np.concatenate([own, own + _AFTER], axis=-1)
        own = np.clip(np.nan_to_num(own, nan=0.0), 0.0, self.until)
        plain = np.broadcast_to(
            grid(self.until), (*own.shape[:-1], grid(self.until).size)
        )
        return np.sort(np.concatenate([plain, own], axis=-1), axis=-1)

    def _solved(self, days: Array) -> Levels:
        return self.model.kernel.solve(
            self.theta,
            days,
            observed=self.observed,
            inputs=self.inputs,
            tolerance=self.tolerance,
        )

    def _peak(self, days: Array, log_level: Array) -> tuple[Array, Array]:
        for _ in range(ZOOMS):
            at = log_level.argmax(-1)
            left, middle, right = _about(days, at)
            days = np.concatenate(
                [_between(left, middle)[..., :-1], _between(middle, right)], axis=-1
            )
            log_level = self._solved(days).log_level
        at = log_level.argmax(-1)[..., None]
        take = np.take_along_axis
        return take(log_level, at, -1)[..., 0], take(days, at, -1)[..., 0]

    def _last(self, days: Array, log_level: Array, limit: float) -> Array:
        """Return when the level falls below a limit for good; 0 where never above."""
        never = ~(log_level > limit).any(-1)
        for _ in range(ZOOMS):
            _, left, right = _about(days, _last_of(log_level > limit))
            days = _between(left, right)
            log_level = self._solved(days).log_level
        last = _last_of(log_level > limit)
        _, left, right = _about(days, last)
        _, high, low = _about(log_level, last)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip((high - limit) / (high - low), 0.0, 1.0)
        return np.where(never, 0.0, left + share * (right - left))


def _last_of(above: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the last place that is above, 0 where none is."""
    reverse = above[..., ::-1].argmax(-1)
    return np.where(above.any(-1), above.shape[-1] - 1 - reverse, 0)


def _about(values: Array, at: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Return what stands before, at and after places."""
    size = values.shape[-1]
    places = [np.clip(at + step, 0, size - 1)[..., None] for step in (-1, 0, 1)]
    before, here, after = (
        np.take_along_axis(values, place, -1)[..., 0] for place in places
    )
    return before, here, after


def _between(left: Array, right: Array) -> Array:
    """Return evenly spaced days from one to another."""
    return left[..., None] + np.linspace(0, 1, FINER + 1) * (right - left)[..., None]
