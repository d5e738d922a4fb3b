"""The peak, and rises after it."""

from functools import partial

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import no_peak, unsampled
from cellpk.kinetics.registry import Found, found, metric

_peak = partial(metric, kind="peak", main=True, rests_on="cmax")
_later = partial(metric, kind="peak", outcome="follow_up")


@_peak(label="Cmax", unit_kind="level", cdisc="CMAX", summary="geometric")
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


@_peak(label="Tmax", unit_kind="day", cdisc="TMAX", summary="median")
def tmax(profiles: Profiles) -> Found:
    """Day of the first highest level.

    Examples
    --------
    >>> tmax([0, 7, 14, 21], [0, 900, 900, 120])
    7.0
    """
    return found(profiles.tmax, *no_peak(profiles))


@_later(label="Second peak", unit_kind="level", cdisc="SCNDPEAK", summary="geometric")
def second_peak(profiles: Profiles) -> Found:
    """Highest level that was reached by a further rise after Tmax.

    The level must rise at least ``second_peak_fold`` times above the lowest one since
    Tmax (one below the limit of quantification counts as the limit), or above Cmax.

    Examples
    --------
    >>> second_peak([7, 14, 28, 60, 90], [900, 300, 40, 400, 90])
    400.0
    """
    level = profiles.rises.level
    return found(
        level,
        *no_peak(profiles),
        (np.isnan(level), "no_second_peak"),
        (np.isinf(level), "above_upper_limit"),
    )


@_later(label="Day of second peak", unit_kind="day", cdisc="SCNDTIME", summary="median")
def second_peak_time(profiles: Profiles) -> Found:
    """Day of the second peak.

    Examples
    --------
    >>> second_peak_time([7, 14, 28, 60, 90], [900, 300, 40, 400, 90])
    60.0
    """
    time = profiles.rises.time
    return found(time, *no_peak(profiles), (np.isnan(time), "no_second_peak"))


@_later(label="Rises after the peak", unit_kind="1", cdisc="REBOUNDS", summary="median")
def rebounds(profiles: Profiles) -> Found:
    """Count of rises by ``second_peak_fold`` after Tmax, each after as large a fall.

    Examples
    --------
    >>> rebounds([7, 14, 28, 60, 90, 120], [900, 300, 40, 400, 90, 200])
    2.0
    """
    return found(profiles.rises.number, *no_peak(profiles))


@_later(
    label="Swing", unit_kind="1", cdisc="SWING", summary="geometric", cells_only=True
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
    known = (low > 0) & np.isfinite(low)
    low_known = np.where(known, low, 1.0)
    value = (profiles.top - low_known) / low_known
    return found(
        value,
        *no_peak(profiles),
        (np.isinf(profiles.top) | np.isinf(low), "above_upper_limit"),
        (low == 0, "low_not_quantified"),
    )
