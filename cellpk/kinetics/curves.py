"""How levels run between samples: areas, moments and times under such a curve."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cellpk.kinetics.segments import Flags, Floats, Indices, Segments


@dataclass(frozen=True, eq=False)
class Curve(Segments):
    """Profiles with a law for the level between neighbouring samples.

    Parameters
    ----------
    times, levels, bounds
        As in :class:`~cellpk.kinetics.segments.Segments`; a level that is not known
        is NaN.
    exponential : array of bool, shape (samples,)
        Whether the level runs exponentially from a sample to the next one of its
        profile, which takes levels above 0; else along a straight line.

    Examples
    --------
    >>> curve = Curve(np.array([0.0, 10, 20]), np.array([0.0, 80, 40]),
    ...               np.array([0, 3]), np.array([False, True, False]))
    >>> area_under(curve, 0, 10), time_above(curve, 40.0)
    (array([400.]), array([15.]))
    """

    exponential: Flags

    @cached_property
    def pair(self) -> Indices:
        """Samples that another one of the same profile follows."""
        return np.flatnonzero(self.owner[1:] == self.owner[:-1])

    @cached_property
    def whole(self) -> Floats:
        """Area from each sample of ``pair`` to the next; NaN where it is not known."""
        return _areas(_pieces(self, -np.inf, np.inf))


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Pieces of curves between two days; arrays of shape (pieces,).

    ``low`` and ``high`` are a piece's ends, ``at_low`` and ``at_high`` its levels
    there, ``rate`` that of an exponential piece (else 0).
    """

    owner: Indices
    low: Floats
    high: Floats
    at_low: Floats
    at_high: Floats
    rate: Floats
    exponential: Flags
    profiles: int

    @property
    def length(self) -> Floats:
        return self.high - self.low

    def total(self, values: Floats) -> Floats:
        values = np.where(self.length == 0, 0.0, values)  # outside may be unknown
        return np.bincount(self.owner, values, minlength=self.profiles)


def exponential_pieces(
    segments: Segments, *, rule: str, peak: ArrayLike = -np.inf
) -> Flags:
    """Say between which samples the level runs exponentially.

    Parameters
    ----------
    segments : Segments
        Levels under which areas are taken.
    rule : {"linear_up_log_down", "linear", "linear_log"}
        Where it falls; nowhere; everywhere from the peak on. Never to or from 0.
    peak : float or array, shape (profiles,)
        Tmax of each profile.

    Examples
    --------
    >>> levels = Segments(np.arange(4.0), np.array([1.0, 9, 3, 0]), np.array([0, 4]))
    >>> exponential_pieces(levels, rule="linear_up_log_down")
    array([False,  True, False, False])
    """
    after, level = np.full((2, len(segments.times)), np.nan)
    pair = np.flatnonzero(segments.owner[1:] == segments.owner[:-1])
    after[pair], level[pair] = segments.times[pair + 1], segments.levels[pair + 1]
    sound = (segments.levels > 0) & (level > 0) & (after > segments.times)
    if rule == "linear":
        return np.zeros_like(sound)
    if rule == "linear_log":
        from_here = np.broadcast_to(peak, len(segments))[segments.owner]
        return sound & (level != segments.levels) & (segments.times >= from_here)
    return sound & (level < segments.levels)


def area_under(curve: Curve, start: ArrayLike, end: ArrayLike) -> Floats:
    """Return the area under each curve between two days.

    A piece cut by ``start`` or ``end`` keeps its own law. Nothing is added after the
    last sample.

    Parameters
    ----------
    curve : Curve
        Levels, and how they run.
    start, end : float or array, shape (profiles,)
        Days between which the area is taken.

    Returns
    -------
    array, shape (profiles,)
        Area in the assay's unit times day; NaN where a level in between is NaN.

    Examples
    --------
    >>> straight = Curve(np.array([0.0, 10]), np.array([0.0, 80]),
    ...                  np.array([0, 2]), np.array([False, False]))
    >>> area_under(straight, 0, 5)
    array([100.])
    """
    owner = curve.owner[curve.pair]
    t1, t2 = curve.times[curve.pair], curve.times[curve.pair + 1]
    low, high = (np.broadcast_to(x, len(curve))[owner] for x in (start, end))
    inside = (t1 >= low) & (t2 <= high)
    whole = np.bincount(owner, np.where(inside, curve.whole, 0.0), minlength=len(curve))
    cut = ~inside & (t1 < high) & (t2 > low)  # at most two of a curve
    pieces = _pieces(curve, start, end, among=cut)
    return whole + pieces.total(_areas(pieces))


def moment_under(curve: Curve, start: ArrayLike, end: ArrayLike) -> Floats:
    """Return the area under time times level (AUMC) of each curve between two days.

    On a straight piece by the trapezoid of time times level, as all programs do.

    Parameters
    ----------
    curve : Curve
        Levels, and how they run.
    start, end : float or array, shape (profiles,)
        Days between which the moment is taken.

    Returns
    -------
    array, shape (profiles,)
        Moment in the assay's unit times day squared.

    Notes
    -----
    Gabrielsson and Weiner, Pharmacokinetic and Pharmacodynamic Data Analysis.

    Examples
    --------
    >>> flat = Curve(np.array([0.0, 2]), np.array([3.0, 3]), np.array([0, 2]),
    ...              np.array([False, False]))
    >>> moment_under(flat, 0, 2)
    array([6.])
    """
    p = _pieces(curve, start, end)
    straight = (p.low * p.at_low + p.high * p.at_high) / 2 * p.length
    x = p.rate * p.length
    small = np.abs(x) < 1e-2
    safe = np.where(small, 1.0, x)
    # Integral of s exp(-x s), s from 0 to 1; its series where the quotient cancels.
    closed = (-np.expm1(-safe) - safe * np.exp(-safe)) / safe**2
    series = 1 / 2 - x / 3 + x**2 / 8 - x**3 / 30 + x**4 / 144 - x**5 / 840
    inner = p.at_low * p.length**2 * np.where(small, series, closed)
    flat = -np.expm1(-x) / _not_zero(p.rate) * p.at_low * p.low
    return p.total(np.where(p.exponential, flat + inner, straight))


def time_above(curve: Curve, level: ArrayLike) -> Floats:
    """Return how long each curve is at or above a level.

    Parameters
    ----------
    curve : Curve
        Levels, and how they run.
    level : float or array, shape (profiles,)
        In the assay's unit.

    Returns
    -------
    array, shape (profiles,)
        Days; NaN where a level is not known.

    Examples
    --------
    >>> straight = Curve(np.array([0.0, 10]), np.array([0.0, 80]),
    ...                  np.array([0, 2]), np.array([False, False]))
    >>> time_above(straight, 60.0)
    array([2.5])
    """
    p = _pieces(curve, -np.inf, np.inf)
    goal = np.broadcast_to(level, p.profiles)[p.owner]
    low, high = np.fmin(p.at_low, p.at_high), np.fmax(p.at_low, p.at_high)
    crossed = (low < goal) & (goal <= high)
    logarithmic = crossed & p.exponential
    bottom, top, aim = (
        np.where(logarithmic, np.log(np.where(logarithmic, level, 1.0)), level)
        for level in (low, high, goal)
    )
    share = (top - aim) / np.where(crossed, top - bottom, 1.0)
    above = np.where(crossed, share, (low >= goal).astype(float))
    unknown = np.isnan(p.at_low) | np.isnan(p.at_high)
    return p.total(np.where(unknown, np.nan, above * p.length))


def _areas(pieces: _Pieces) -> Floats:
    """Return the area under each piece."""
    straight = (pieces.at_low + pieces.at_high) / 2 * pieces.length
    falling = -np.expm1(-pieces.rate * pieces.length) / _not_zero(pieces.rate)
    return np.where(pieces.exponential, pieces.at_low * falling, straight)


def _pieces(
    curve: Curve,
    start: ArrayLike,
    end: ArrayLike,
    *,
    among: Flags | slice = slice(None),
) -> _Pieces:
    """Cut curves between two days into the pieces between their samples."""
    pair = curve.pair[among]
    owner = curve.owner[pair]
    t1, t2 = curve.times[pair], curve.times[pair + 1]
    c1, c2 = curve.levels[pair], curve.levels[pair + 1]
    exponential = curve.exponential[pair]
    low = np.clip(np.broadcast_to(start, len(curve))[owner], t1, t2)
    high = np.clip(np.broadcast_to(end, len(curve))[owner], t1, t2)
    between = np.where(t2 > t1, t2 - t1, 1.0)
    drop = np.where(exponential, c1 - c2, 0.0) / np.where(exponential, c2, 1.0)
    rate = np.log1p(drop) / between
    slope = (c2 - c1) / between

    def at(time: Floats) -> Floats:
        inside = np.where(
            exponential, c1 * np.exp(-rate * (time - t1)), c1 + slope * (time - t1)
        )
        return np.where(time == t2, c2, np.where(time == t1, c1, inside))

    return _Pieces(
        owner, low, high, at(low), at(high), rate, exponential, profiles=len(curve)
    )


def _not_zero(rate: Floats) -> Floats:
    """Return rates to divide by; those of 0 belong to straight pieces."""
    return np.where(rate == 0, 1.0, rate)
