"""The peak, and rises after it."""

from typing import NamedTuple

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import no_peak, unquantified, unsampled
from cellpk.kinetics.registry import Found, found, metric
from cellpk.kinetics.segments import Floats


@metric(
    kind="peak",
    label="Cmax",
    unit_kind="level",
    cdisc="CMAX",
    summary="geometric",
    main=True,
    rests_on="cmax",
)
def cmax(profiles: Profiles) -> Found:
    """Highest level after the infusion, 0 where all are below the limit.

    Examples
    --------
    >>> cmax([0, 7, 14, 21], [0, 300, 900, 120], lloq=50)
    900.0
    """
    return found(
        profiles.top,
        *unsampled(profiles),
        (profiles.top < 0, "no_sample_in_window"),
        (np.isinf(profiles.top), "above_upper_limit"),
    )


@metric(
    kind="peak",
    label="Tmax",
    unit_kind="day",
    cdisc="TMAX",
    summary="median",
    main=True,
    rests_on="cmax",
)
def tmax(profiles: Profiles) -> Found:
    """Day of the first highest level.

    Examples
    --------
    >>> tmax([0, 7, 14, 21], [0, 900, 900, 120])
    7.0
    """
    return found(profiles.tmax, *no_peak(profiles))


@metric(
    kind="peak",
    label="Second peak",
    unit_kind="level",
    cdisc="SCNDPEAK",
    summary="geometric",
    outcome="follow_up",
)
def second_peak(profiles: Profiles) -> Found:
    """Highest level that was reached by a further rise after Tmax.

    The level must rise at least ``second_peak_fold`` times above the lowest one since
    Tmax (one below the limit of quantification counts as the limit), or above Cmax.

    Examples
    --------
    >>> second_peak([7, 14, 28, 60, 90], [900, 300, 40, 400, 90])
    400.0
    """
    level = _rises(profiles).level
    return found(
        level,
        *no_peak(profiles),
        (np.isnan(level), "no_second_peak"),
        (np.isinf(level), "above_upper_limit"),
    )


@metric(
    kind="peak",
    label="Day of second peak",
    unit_kind="day",
    cdisc="SCNDTIME",
    summary="median",
    outcome="follow_up",
)
def second_peak_time(profiles: Profiles) -> Found:
    """Day of the second peak.

    Examples
    --------
    >>> second_peak_time([7, 14, 28, 60, 90], [900, 300, 40, 400, 90])
    60.0
    """
    time = _rises(profiles).time
    return found(time, *no_peak(profiles), (np.isnan(time), "no_second_peak"))


@metric(
    kind="peak",
    label="Rises after the peak",
    unit_kind="1",
    cdisc="REBOUNDS",
    summary="median",
    outcome="follow_up",
)
def rebounds(profiles: Profiles) -> Found:
    """Count of rises by ``second_peak_fold`` after Tmax, each after as large a fall.

    Examples
    --------
    >>> rebounds([7, 14, 28, 60, 90, 120], [900, 300, 40, 400, 90, 200])
    2.0
    """
    return found(_rises(profiles).rises, *no_peak(profiles))


@metric(
    kind="peak",
    label="Swing",
    unit_kind="1",
    cdisc="SWING",
    summary="geometric",
    cells_only=True,
    outcome="follow_up",
)
def swing(profiles: Profiles) -> Found:
    """Cmax less the lowest level up to Tlast, relative to that lowest level.

    Examples
    --------
    >>> swing([7, 14, 28, 60], [100, 900, 300, 50])
    17.0
    """
    until = profiles.after & (profiles.times <= profiles.t_last[profiles.owner])
    low = -profiles.highest(np.where(until, -profiles.levels, -np.inf))
    above = (low > 0) & np.isfinite(low)
    value = (profiles.top - low) / np.where(above, low, 1.0)
    return found(
        value,
        *unquantified(profiles),
        (profiles.top < 0, "no_sample_in_window"),
        (np.isinf(profiles.top) | np.isinf(low), "above_upper_limit"),
        (low == 0, "low_not_quantified"),
    )


class _Rises(NamedTuple):
    """Rises after the peak; arrays of shape (profiles,)."""

    level: Floats
    time: Floats
    rises: Floats


def _rises(profiles: Profiles) -> _Rises:
    """Follow all profiles sample by sample from the peak on: falling, then rising."""
    fold, size = profiles.rules.second_peak_fold, len(profiles)
    begin = np.where(profiles.peak < 0, profiles.bounds[1:], profiles.peak + 1)
    sizes = profiles.bounds[1:] - begin
    low, high, rising = profiles.top.copy(), np.zeros(size), np.zeros(size, bool)
    best, time, count = np.full(size, np.nan), np.full(size, np.nan), np.zeros(size)
    for step in range(int(sizes.max(initial=0))):
        who = np.flatnonzero(sizes > step)
        here, was = begin[who] + step, rising[who]
        level = profiles.levels[here]
        seen = np.where(level > 0, level, profiles.lloq[here])  # it may be lower
        up = ~was & (level > 0)
        up &= (level >= fold * low[who]) | (level > profiles.top[who])
        down = was & (seen * fold <= high[who])
        falls = np.where(~was & ~up, np.fmin(low[who], seen), low[who])
        low[who] = np.where(down, seen, falls)
        high[who] = np.where(up, level, np.fmax(high[who], level))
        rising[who] = (was & ~down) | up
        count[who] += up
        better = rising[who] & ~(level <= best[who])
        best[who] = np.where(better, level, best[who])
        time[who] = np.where(better, profiles.times[here], time[who])
    return _Rises(best, time, count)
