"""The rise from the infusion to the peak."""

from functools import partial

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import no_peak
from cellpk.kinetics.registry import Found, found, metric
from cellpk.kinetics.segments import Floats, pick

_expansion = partial(metric, kind="expansion", cells_only=True, rests_on="cmax")


@_expansion(
    label="Expansion rate", unit_kind="1/day", cdisc="EXPRATE", summary="geometric"
)
def expansion_rate(profiles: Profiles) -> Found:
    """Rate of the rise: log-linear regression from the lowest level to the peak.

    The lowest level is the last of the lowest between infusion and peak; where it is
    below the limit of quantification, the regression begins with the next one.

    Examples
    --------
    >>> round(expansion_rate([2, 4, 6, 8, 10], [8, 2, 8, 32, 128]), 4)
    0.6931
    """
    return _of_the_rise(profiles, profiles.rise.rate)


@_expansion(
    label="Doubling time", unit_kind="day", cdisc="DBLTIME", summary="geometric"
)
def doubling_time(profiles: Profiles) -> Found:
    """Days in which the level doubles as it rises to the peak.

    Examples
    --------
    >>> round(doubling_time([2, 4, 6, 8, 10], [8, 2, 8, 32, 128]), 4)
    1.0
    """
    rate = profiles.rise.rate
    return _of_the_rise(profiles, np.log(2) / np.where(rate == 0, np.nan, rate))


@_expansion(label="Expansion points", unit_kind="1", cdisc="EXPNPT", summary="median")
def expansion_points(profiles: Profiles) -> Found:
    """Count of levels behind the expansion rate.

    Examples
    --------
    >>> expansion_points([2, 4, 6, 8, 10], [8, 2, 8, 32, 128])
    4.0
    """
    return _of_the_rise(profiles, profiles.rise.points)


@_expansion(
    label="Expansion adjusted R²", unit_kind="1", cdisc="EXPR2ADJ", summary="median"
)
def expansion_r2adj(profiles: Profiles) -> Found:
    """Fit (adjusted R2) of the regression behind the expansion rate.

    Examples
    --------
    >>> round(expansion_r2adj([2, 4, 6, 8, 10], [8, 2, 8, 32, 128]), 4)
    1.0
    """
    return _of_the_rise(profiles, profiles.rise.r2adj)


@_expansion(label="Fold expansion", unit_kind="1", cdisc="FOLDEXP", summary="geometric")
def fold_expansion(profiles: Profiles) -> Found:
    """Cmax over the lowest level between infusion and peak.

    Examples
    --------
    >>> fold_expansion([2, 4, 6, 8, 10], [8, 2, 8, 32, 128])
    64.0
    """
    low = pick(profiles.levels, profiles.lowest_before_peak)
    return found(
        profiles.top / np.where(low > 0, low, 1.0),
        *no_peak(profiles),
        (np.isinf(profiles.top) | np.isinf(low), "above_upper_limit"),
        (np.isnan(low), "no_sample_before_peak"),
        (low == 0, "low_not_quantified"),
    )


def _of_the_rise(profiles: Profiles, value: Floats) -> Found:
    """Give a number of the rise where the regression is good enough."""
    rules, rise = profiles.rules, profiles.rise
    worst = -np.inf if rules.expansion_r2adj == "any" else rules.expansion_r2adj
    return found(
        value,
        *no_peak(profiles),
        (np.isinf(profiles.top), "above_upper_limit"),
        (profiles.lowest_before_peak < 0, "no_sample_before_peak"),
        (rise.candidates < rules.expansion_points, "few_rising_points"),
        (~(rise.rate > 0), "not_rising"),
        (rise.r2adj < worst, "poor_fit"),
    )
