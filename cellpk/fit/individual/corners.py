"""Fits whose best place lies where a switch of the curve meets a sample.

A curve that switches at a time that depends on parameters, such as the peak, gives an
objective with a corner wherever that time meets a sample. The best fit often lies in
such a corner, and slopes lead to and fro across it. So a parameter that moves the
switch is put where it meets the sample before or after, and held there while the
others improve.
"""

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.modes import Aim, Ends, descend

Array = NDArray[np.float64]

TURNED = 4
"""How many of the best ends are improved at corners."""

_ROUNDS, _STEPS, _NEWTON = 2, 15, 6
_CLOSE = 1e-3  # as near as slopes lead, on the log scale of days
_APART = 1e-5  # a step by which a switch is seen to move


def switch_times(aim: Aim, theta: Array) -> Array:
    """Return when the curves switch.

    Parameters
    ----------
    aim : Aim
        Of N patients.
    theta : ndarray, shape (..., N, k)
        Parameters.

    Returns
    -------
    ndarray, shape (..., N, q)
        Days after infusion, one per switch of the model.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), mean - 6 * sd,
    ...           mean + 6 * sd, reach=sd)
    >>> switch_times(aim, mean)[0].round(6)
    array([9.3])
    """
    full, model = aim.full(theta), aim.data.model
    found = np.empty((*full.shape[:-1], len(model.switches)))
    for group in aim.data.groups:
        own = full[..., group.rows, :]
        found[..., group.rows, :] = model.switch_times(own, inputs=group.inputs)
    return found


def at_corners(aim: Aim, theta: Array) -> NDArray[np.bool_]:
    """Return whether a switch is where a sample is.

    Parameters
    ----------
    aim : Aim
        Of N patients.
    theta : ndarray, shape (N, k)
        Parameters.

    Returns
    -------
    ndarray of bool, shape (N,)

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), mean - 6 * sd,
    ...           mean + 6 * sd, reach=sd)
    >>> int(at_corners(aim, mean).sum())
    0
    """
    days = np.concatenate([one.times for one in aim.data.series], axis=-1)
    now = switch_times(aim, theta)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs(np.log(days[:, None, :] / now))
    return (away < _CLOSE).any((-1, -2))


def turn_corners(aim: Aim, ends: Ends) -> Ends:
    """Return ends of which the best are improved at corners.

    Parameters
    ----------
    aim : Aim
        What was sought, of N patients.
    ends : Ends
        Where descents ended, best first.

    Returns
    -------
    Ends
        Best first; as they were where the model has no switch.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), mean - 6 * sd,
    ...           mean + 6 * sd, reach=sd)
    >>> ends = descend(aim, mean[None])
    >>> bool((turn_corners(aim, ends).value <= ends.value).all())
    True
    """
    if not aim.data.model.switches:
        return ends
    theta, value = ends.theta.copy(), ends.value.copy()
    for _ in range(_ROUNDS):
        best, lower = theta[:TURNED], value[:TURNED]
        tried, held = _at_samples(aim, best)
        if not len(tried):
            return ends
        count, top = tried.shape[:2]
        flat = tried.reshape(count * top, *best.shape[1:])
        found = descend(aim, flat, held=held.reshape(flat.shape), steps=_STEPS)
        which = found.value.reshape(count, *lower.shape).argmin(0)
        turned = _picked(found.theta.reshape(tried.shape), which[..., None])
        reached = _picked(found.value.reshape(count, *lower.shape), which)
        better = reached < lower - 1e-9
        theta[:TURNED] = np.where(better[..., None], turned, best)
        value[:TURNED] = np.where(better, reached, lower)
        if not better.any():
            break
    return Ends(theta, value).sorted()


def _picked(array: Array, which: NDArray[np.intp]) -> Array:
    return np.take_along_axis(array, which[None], axis=0)[0]


def _at_samples(aim: Aim, theta: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return candidates with a switch at a sample, and what is held in them.

    Shapes are (c, S, N, k), from parameters of shape (S, N, k): a candidate for each
    switch, the sample before it and the one after, and each parameter that moves it.
    """
    now, along = _moved(aim, theta)
    days = np.concatenate([one.times for one in aim.data.series], axis=-1)
    tried, held = [], []
    for s in range(now.shape[-1]):
        late = days > now[..., s, None]
        before = np.where(late, -np.inf, days).max(-1)
        after = np.where(late, days, np.inf).min(-1)
        for j in np.flatnonzero((along[..., s, :] != 0).any((0, 1))):
            for target in (before, after):
                there = _solved(aim, theta, (s, int(j)), target)
                tried.append(there)
                mask = np.zeros(there.shape, bool)
                mask[..., j] = True
                held.append(mask)
    if not tried:
        return np.empty((0, *theta.shape)), np.empty((0, *theta.shape), bool)
    return np.stack(tried), np.stack(held)


def _moved(aim: Aim, theta: Array) -> tuple[Array, Array]:
    """Return switch times (..., q), and how they move by each parameter (..., q, k)."""
    now = switch_times(aim, theta)
    steps = _APART * np.eye(theta.shape[-1])
    there = [switch_times(aim, theta + step) for step in steps]
    # A switch that never comes, such as that of a drug not given, is not moved.
    moved = [x - np.where(np.isfinite(now), now, 0.0) for x in there]
    moved = [np.where(np.isfinite(x), x, 0.0) for x in moved]
    return now, np.stack(moved, axis=-1) / _APART


def _solved(aim: Aim, theta: Array, at: tuple[int, int], target: Array) -> Array:
    """Move one parameter until one switch is at the day wanted, by Newton's steps."""
    switch, j = at
    there, step = theta.copy(), np.zeros(theta.shape[-1])
    step[j] = _APART
    aimed = np.isfinite(target) & (target > 0)
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON):
            now = switch_times(aim, there)[..., switch]
            # On logs: switches are positive, and many are powers of parameters.
            slope = np.log(switch_times(aim, there + step)[..., switch] / now) / _APART
            move = np.log(target / now) / slope
            there[..., j] += np.where(aimed & np.isfinite(move), move, 0.0)
            there = np.clip(there, aim.low, aim.high)
    return there
