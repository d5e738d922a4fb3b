"""Peak, its time, and the last time above a limit: of many curves at once.

Curves are looked at on a grid that holds the times at which they change their course,
and again on finer ones about what was found.
"""

from collections.abc import Iterator
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
"""How often the peak is looked at more closely, and by how much."""

AT_ONCE = 20_000
"""Curves that are worked out at once."""

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
    inputs = inputs or model.inputs()
    flat = theta.reshape(-1, *theta.shape[-2:]) if theta.ndim > 1 else theta[None, None]
    each = max(1, AT_ONCE // flat.shape[1])
    parts = []
    for at in range(0, len(flat), each):
        own = flat[at : at + each]
        curves = _Curves(model, own, until, observed, inputs, tolerance)
        parts.append(curves.found(limit))
    joined = np.concatenate(parts, axis=1).reshape(4, *theta.shape[:-1])
    cmax, tmax, tlast, beyond = joined
    if limit is None:
        return Landmarks(cmax, tmax, None, None)
    return Landmarks(cmax, tmax, tlast, beyond == 1)


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
    """Some curves: theta has the shape (k, m, p)."""

    model: "Model"
    theta: Array
    until: float
    observed: str | None
    inputs: Inputs
    tolerance: float

    def found(self, limit: float | None) -> Array:
        """Return peak, its time, the last time above, whether it lies beyond."""
        days = self._days()
        levels = self._solved(days)
        log_level = levels.log_level
        nothing = np.full(log_level.shape[:-1], np.nan)
        log_peak, when = self._peak(days, log_level)
        rows = [np.exp(log_peak), when, nothing, nothing]
        if limit is not None:
            rows[2:] = self._last(days, log_level, np.log(limit))
        failed = levels.failed.reshape(nothing.shape)
        return np.where(failed, np.nan, np.stack(rows))

    def _days(self) -> Array:
        """Return the grid with what each curve has of its own, (k, m, n)."""
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

    def _last(self, days: Array, log_level: Array, limit: float) -> Iterator[Array]:
        """Return the last time above, held at the horizon, and where it is held."""
        above = log_level > limit
        never, beyond = ~above.any(-1), above[..., -1]
        for _ in range(ZOOMS):
            last = _last_of(log_level > limit)
            _, left, right = _about(days, last)
            days = _between(left, right)
            log_level = self._solved(days).log_level
        last = _last_of(log_level > limit)
        _, left, right = _about(days, last)
        _, high, low = _about(log_level, last)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip((high - limit) / (high - low), 0.0, 1.0)
        crossed = left + share * (right - left)
        found = np.where(never, 0.0, np.where(beyond, self.until, crossed))
        return iter((found, beyond.astype(float)))


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
