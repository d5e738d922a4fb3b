"""From a profile's samples to the curve under which areas are taken."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellpk.kinetics.curves import Curve, exponential_pieces
from cellpk.kinetics.segments import Flags, Floats, Segments, pick

if TYPE_CHECKING:
    from cellpk.kinetics.profiles import Profiles


class Standing(NamedTuple):
    """What samples stand for under a curve; arrays of shape (samples,).

    Parameters
    ----------
    levels : array
        Levels, those below the limit as the rules say.
    used : array of bool
        Which count.
    up_to_zero : array of bool
        Of which the last one may stand at time 0.
    """

    levels: Floats
    used: Flags
    up_to_zero: Flags


def standing(profiles: "Profiles") -> Standing:
    """Return what samples stand for under a curve.

    Parameters
    ----------
    profiles : Profiles
        Samples, and the rules for those below the limit and for time 0.

    Examples
    --------
    >>> from cellpk.kinetics.profiles import Profiles
    >>> below = {"below": {"middle": "half"}, "lloq": 6.0}
    >>> standing(Profiles.one([7, 14, 21], [80, 0, 20], **below)).levels
    array([80.,  3., 20.])
    """
    at_zero_only = profiles.rules.baseline == "at_zero"
    up_to_zero = profiles.times == 0 if at_zero_only else ~profiles.after
    places = np.arange(len(profiles.times))
    at_zero = places == profiles.last(up_to_zero)[profiles.owner]
    seen = profiles.quantified & (profiles.after | at_zero)  # earlier ones do not count
    first = pick(profiles.times, profiles.first(seen))[profiles.owner]
    last = pick(profiles.times, profiles.last(seen))[profiles.owner]
    early, late = ~(profiles.times >= first), profiles.times > last
    levels, used = profiles.levels.copy(), np.ones(len(places), bool)
    wheres = (early, ~early & ~late, late)
    for where, stand in zip(wheres, profiles.rules.stands.in_order, strict=True):
        below = where & ~profiles.quantified
        levels[below] = _value(profiles.lloq, stand)[below]
        used &= ~(below & (stand == "drop"))
    return Standing(levels, used, up_to_zero)


def start_of(profiles: "Profiles", found: Standing) -> Floats:
    """Return the level at time 0, shape (profiles,).

    That of the last sample which may stand there, else as the rules say: NaN where it
    is not known.

    Parameters
    ----------
    profiles : Profiles
        All profiles.
    found : Standing
        What their samples stand for.

    Examples
    --------
    >>> from cellpk.kinetics.profiles import Profiles
    >>> bolus = Profiles.one([1, 2], [80, 40], at_zero="extrapolated")
    >>> start_of(bolus, standing(bolus))
    array([160.])
    """
    before = profiles.last(found.up_to_zero & found.used)
    grown = _grown(profiles, found)
    assumed = _assumed(grown, profiles.rules.at_zero)
    return np.where(before < 0, assumed, pick(found.levels, before))


def curve_of(profiles: "Profiles", found: Standing) -> Curve:
    """Return the levels that areas are taken under: from time 0, NaN above the limit.

    Parameters
    ----------
    profiles : Profiles
        All profiles.
    found : Standing
        What their samples stand for.

    Examples
    --------
    >>> from cellpk.kinetics.profiles import Profiles
    >>> one = Profiles.one([-1, 7, 14], [4, 80, 0])
    >>> curve_of(one, standing(one)).levels
    array([ 4., 80.,  0.])
    """
    grown, start = _grown(profiles, found), profiles.start
    fronts = grown.bounds[:-1]
    filled = np.insert(grown.levels, fronts, start)
    segments = Segments(
        np.insert(grown.times, fronts, 0.0),
        np.where(np.isinf(filled), np.nan, filled),
        grown.bounds + np.arange(len(grown) + 1),
    )
    # "linear_log" interpolates logs from the peak on, and that may stand at time 0.
    higher = (profiles.top >= 0) & (start > profiles.top)
    tmax = np.where(np.isnan(profiles.tmax), np.inf, profiles.tmax)
    peak = np.where(higher, 0.0, tmax)
    law = exponential_pieces(segments, rule=profiles.rules.auc_rule, peak=peak)
    return Curve(segments.times, segments.levels, segments.bounds, law)


def _grown(profiles: "Profiles", found: Standing) -> Segments:
    """Return the samples after the infusion that count."""
    samples = Segments(profiles.times, found.levels, profiles.bounds)
    return samples.keep(profiles.after & found.used)


def _value(lloq: Floats, stand: str | float) -> Floats:
    if stand == "half":
        return lloq / 2
    if stand == "lloq":
        return lloq
    return np.full(len(lloq), 0.0 if isinstance(stand, str) else stand)


def _assumed(grown: Segments, rule: str) -> Floats:
    """Return the level at time 0 of profiles without a sample that stands there."""
    if rule == "zero":
        return np.zeros(len(grown))
    if rule == "missing":
        return np.full(len(grown), np.nan)
    one = np.where(grown.counts > 0, grown.bounds[:-1], -1)
    two = np.where(grown.counts > 1, grown.bounds[:-1] + 1, -1)
    t1, t2 = pick(grown.times, one), pick(grown.times, two)
    c1, c2 = pick(grown.levels, one), pick(grown.levels, two)
    falling = (c2 > 0) & (c2 < c1) & (t2 > t1) & np.isfinite(c1)
    ratio = np.where(falling, c1, 1.0) / np.where(falling, c2, 1.0)
    exponent = np.where(falling, t1, 0.0) / np.where(falling, t2 - t1, 1.0)
    return np.where(falling, c1 * ratio**exponent, c1)
