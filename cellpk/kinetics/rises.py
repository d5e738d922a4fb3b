"""Rises of the level after the peak: second peaks and rebounds."""

from typing import NamedTuple

import numpy as np

from cellpk.kinetics.segments import Floats, Indices, Segments


class Rises(NamedTuple):
    """Rises after the peak; arrays of shape (profiles,).

    Parameters
    ----------
    level, time : array
        The highest level that was reached by one, and when; NaN where there is none.
    number : array
        How many there are.
    """

    level: Floats
    time: Floats
    number: Floats


def rises_after(
    segments: Segments, begin: Indices, *, top: Floats, at_most: Floats, fold: float
) -> Rises:
    """Follow all profiles sample by sample: falling, then rising, then falling.

    A rise begins where a level is ``fold`` times the lowest one since the last rise, or
    above the peak. It ends where a level is that many times below its highest one.

    Parameters
    ----------
    segments : Segments
        Levels; 0 below the limit of quantification.
    begin : array of int, shape (profiles,)
        Where the first sample after the peak stands.
    top : array, shape (profiles,)
        Level of the peak.
    at_most : array, shape (samples,)
        What a level is at most: itself, or the limit where it is below it.
    fold : float
        Smallest rise that counts.

    Examples
    --------
    >>> levels = np.array([900.0, 300, 40, 400, 90])
    >>> one = Segments(np.array([7.0, 14, 28, 60, 90]), levels, np.array([0, 5]))
    >>> rises_after(one, np.array([1]), top=np.array([900.0]), at_most=levels, fold=2.0)
    Rises(level=array([400.]), time=array([60.]), number=array([1.]))
    """
    size, sizes = len(segments), segments.bounds[1:] - begin
    low, high, rising = top.copy(), np.zeros(size), np.zeros(size, bool)
    best, time, number = np.full(size, np.nan), np.full(size, np.nan), np.zeros(size)
    for step in range(int(sizes.max(initial=0))):
        who = np.flatnonzero(sizes > step)
        here, was = begin[who] + step, rising[who]
        level, seen = segments.levels[here], at_most[here]
        up = ~was & (level > 0)
        up &= (level >= fold * low[who]) | (level > top[who])
        down = was & (seen * fold <= high[who])
        falls = np.where(~was & ~up, np.fmin(low[who], seen), low[who])
        low[who] = np.where(down, seen, falls)
        high[who] = np.where(up, level, np.fmax(high[who], level))
        rising[who] = (was & ~down) | up
        number[who] += up
        better = rising[who] & ~(level <= best[who])
        best[who] = np.where(better, level, best[who])
        time[who] = np.where(better, segments.times[here], time[who])
    return Rises(best, time, number)
