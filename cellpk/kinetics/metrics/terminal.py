"""The terminal log-linear fall."""

from functools import partial

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import unquantified
from cellpk.kinetics.registry import Found, found, metric
from cellpk.kinetics.segments import Floats

_terminal = partial(metric, kind="terminal", cells_only=True, outcome="persistence")
_LAST_DIGITS = 1e-9  # levels that halve daily span two half-lives however they round


def of_the_decline(profiles: Profiles, value: Floats) -> Found:
    """Give a number of the terminal phase where the phase is good enough.

    Parameters
    ----------
    profiles : Profiles
        All profiles.
    value : array, shape (profiles,)
        The number.

    Returns
    -------
    Found
        Samples that were chosen by hand are held to no fit and no span.

    Examples
    --------
    >>> one = Profiles.one([10, 20, 30, 40], [800, 400, 300, 25])
    >>> of_the_decline(one, -one.decline.rate).reason
    array(['poor_fit'], dtype='<U24')
    """
    rules, slope = profiles.rules, profiles.decline
    span = -(slope.end - slope.start) * slope.rate / np.log(2)
    free = profiles.chosen_by_hand
    few = slope.candidates < np.where(free, 2, rules.lambda_z_points)
    worst = -np.inf if rules.lambda_z_r2adj == "any" else rules.lambda_z_r2adj
    return found(
        value,
        *unquantified(profiles),
        (few, "few_points"),
        (np.isnan(slope.rate) & np.isfinite(slope.points), "no_censored_fit"),
        (~(slope.rate < 0), "not_falling"),
        (~free & (slope.r2adj < worst), "poor_fit"),
        (~free & (span < rules.lambda_z_span - _LAST_DIGITS), "short_span"),
        (np.isnan(value), "few_points"),
    )


@_terminal(label="λz", unit_kind="1/day", cdisc="LAMZ", summary="geometric")
def lambda_z(profiles: Profiles) -> Found:
    """Rate of the terminal fall, from the log-linear regression of the last levels.

    Of the regressions of three or more quantifiable levels after the peak that end at
    the last one, that with the highest adjusted R2; within 1e-4 of it, that with most
    levels.

    Examples
    --------
    >>> round(lambda_z([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    0.1386
    >>> round(lambda_z([10, 20, 30, 40], [800, 400, 100, 25], by_hand=[10, 20]), 4)
    0.0693
    """
    return of_the_decline(profiles, -profiles.decline.rate)


@_terminal(
    label="Half-life", unit_kind="day", cdisc="LAMZHL", summary="geometric", main=True
)
def half_life(profiles: Profiles) -> Found:
    """Days in which the level halves in its terminal fall.

    Examples
    --------
    >>> round(half_life([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    5.0
    """
    return of_the_decline(profiles, -np.log(2) / profiles.decline.rate)


@_terminal(label="λz points", unit_kind="1", cdisc="LAMZNPT", summary="median")
def lambda_z_points(profiles: Profiles) -> Found:
    """Count of quantifiable levels behind lambda_z.

    Examples
    --------
    >>> lambda_z_points([10, 20, 30, 40], [800, 400, 100, 25])
    3.0
    """
    return of_the_decline(profiles, profiles.decline.points)


@_terminal(label="λz adjusted R²", unit_kind="1", cdisc="R2ADJ", summary="median")
def lambda_z_r2adj(profiles: Profiles) -> Found:
    """Fit (adjusted R2) of the regression behind lambda_z.

    Examples
    --------
    >>> round(lambda_z_r2adj([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    1.0
    """
    return of_the_decline(profiles, profiles.decline.r2adj)


@_terminal(label="λz from", unit_kind="day", cdisc="LAMZLL", summary="median")
def lambda_z_start(profiles: Profiles) -> Found:
    """Day of the first level behind lambda_z.

    Examples
    --------
    >>> lambda_z_start([10, 20, 30, 40], [800, 400, 100, 25])
    20.0
    """
    return of_the_decline(profiles, profiles.decline.start)


@_terminal(label="λz to", unit_kind="day", cdisc="LAMZUL", summary="median")
def lambda_z_end(profiles: Profiles) -> Found:
    """Day of the last quantifiable level behind lambda_z.

    Examples
    --------
    >>> lambda_z_end([10, 20, 30, 40], [800, 400, 100, 25])
    40.0
    """
    return of_the_decline(profiles, profiles.decline.end)


@_terminal(label="λz span", unit_kind="1", cdisc="LAMZSPN", summary="median")
def lambda_z_span(profiles: Profiles) -> Found:
    """Half-lives from the first to the last level behind lambda_z.

    Examples
    --------
    >>> round(lambda_z_span([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    4.0
    """
    slope = profiles.decline
    span = -(slope.end - slope.start) * slope.rate / np.log(2)
    return of_the_decline(profiles, span)
