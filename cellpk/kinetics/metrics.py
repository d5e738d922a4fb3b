"""One function per metric: what a patient's samples say by themselves.

A metric is written once, for all profiles of a study (:class:`Profiles`), under
``@metric``. What the decorator returns is called on one patient's plain arrays; the
form for all profiles stands in ``METRICS[name].compute``.
"""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from cellpk.kinetics.registry import Found, Metric, Reason, found, register
from cellpk.kinetics.segments import Floats, Profiles, area_under, pick

REASONS: dict[str, str] = {
    "no_sample": "The patient has no usable sample of this series.",
    "no_sample_after_infusion": "No sample was taken after the infusion.",
    "no_sample_in_window": "No sample was taken in the days that this metric covers.",
    "no_quantifiable": "No sample reached the lower limit of quantification.",
    "above_upper_limit": "A level above the upper limit of quantification decides it.",
    "ends_early": "The last sample was taken too early for this area.",
    "no_lambda_z": "Sampling ended before the last day of this area, and there is no "
    "terminal slope to extrapolate with.",
    "few_points": "Too few quantifiable levels follow the peak.",
    "not_falling": "The best log-linear regression does not fall.",
    "poor_fit": "The adjusted R2 of the log-linear regression is too low.",
    "short_span": "The regression covers too few half-lives.",
    "not_a_cell_series": "Only for levels of cells or transgene: this series does not "
    "start from zero.",
}
"""Why a metric is not calculable (NC): its code and the sentence for it."""

METRICS: dict[str, Metric] = {}
"""Every metric by its name, in the order of the table; filled by ``@metric``."""

metric = partial(register, METRICS)

_LAST_DIGITS = 1e-9  # levels that halve daily span two half-lives however they round


def auc(
    times: ArrayLike,
    levels: ArrayLike,
    start: float = 0.0,
    *,
    end: float = 28.0,
    lloq: ArrayLike = 0.0,
) -> float:
    """Area under one patient's levels between two days: linear up, log down.

    Levels between samples are interpolated, to exactly ``start`` and ``end``; nothing
    is added after the last sample.

    Parameters
    ----------
    times : array, shape (samples,)
        Days after infusion, increasing.
    levels : array, shape (samples,)
        Level in the assay's unit; NaN where not measured, ``inf`` above the
        upper limit.
    start, end : float
        Days between which the area is taken.
    lloq : float or array, shape (samples,)
        Lower limit of quantification, in the unit of ``levels``.

    Returns
    -------
    float
        Area in the assay's unit times day; NaN where ``end`` lies after the last sample
        or a level in between is above the upper limit.

    Examples
    --------
    >>> auc([10, 20], [80, 40], end=10)
    400.0
    """
    profile = Profiles.one(times, levels, lloq=lloq)
    sampled = pick(profile.times, profile.last(profile.after)) >= end
    return float(np.where(sampled, area_under(profile.curve, start, end), np.nan)[0])


@metric(label="Cmax", unit_kind="level", cdisc="CMAX", summary="geometric")
def cmax(profiles: Profiles) -> Found:
    """Highest level after the infusion, 0 where all are below the limit.

    Examples
    --------
    >>> cmax([0, 7, 14, 21], [0, 300, 900, 120], lloq=50)
    900.0
    """
    return found(
        profiles.top,
        *_unsampled(profiles),
        (profiles.top < 0, "no_sample_in_window"),
        (np.isinf(profiles.top), "above_upper_limit"),
    )


@metric(label="Tmax", unit_kind="day", cdisc="TMAX", summary="median")
def tmax(profiles: Profiles) -> Found:
    """Day of the first highest level.

    Examples
    --------
    >>> tmax([0, 7, 14, 21], [0, 900, 900, 120])
    7.0
    """
    several = profiles.total(profiles.at_top) > 1
    return found(
        pick(profiles.times, profiles.peak),
        *_unsampled(profiles),
        (profiles.top < 0, "no_sample_in_window"),
        (profiles.top == 0, "no_quantifiable"),
        (np.isinf(profiles.top) & several, "above_upper_limit"),
    )


@metric(label="Clast", unit_kind="level", cdisc="CLST", summary="geometric")
def c_last(profiles: Profiles) -> Found:
    """Last level at or above the limit of quantification.

    Examples
    --------
    >>> c_last([0, 7, 28, 90], [80, 2e4, 600, 20], lloq=50)
    600.0
    """
    level = pick(profiles.levels, profiles.last_quantified)
    return found(
        level, *_unquantified(profiles), (np.isinf(level), "above_upper_limit")
    )


@metric(label="Tlast", unit_kind="day", cdisc="TLST", summary="median")
def t_last(profiles: Profiles) -> Found:
    """Day of the last level at or above the limit of quantification.

    Examples
    --------
    >>> t_last([0, 7, 28, 90], [80, 2e4, 600, 20], lloq=50)
    28.0
    """
    return found(
        pick(profiles.times, profiles.last_quantified), *_unquantified(profiles)
    )


@metric(
    label="AUClast",
    unit_kind="day*level",
    cdisc="AUCLST",
    summary="geometric",
    cells_only=True,
)
def auc_last(profiles: Profiles) -> Found:
    """Area from the infusion to the last level at or above the limit.

    Examples
    --------
    >>> auc_last([10, 20, 30], [80, 80, 10], lloq=50)
    1200.0
    """
    end = pick(profiles.times, profiles.last_quantified)
    value = area_under(profiles.curve, 0.0, end)
    return found(
        value, *_unquantified(profiles), (np.isnan(value), "above_upper_limit")
    )


@metric(
    label="AUC0-28d",
    unit_kind="day*level",
    cdisc="AUCINT",
    summary="geometric",
    cells_only=True,
    days=(0.0, 28.0),
)
def auc_0_28(profiles: Profiles) -> Found:
    """Area from the infusion to exactly day 28.

    Sampling must reach day 28, or pass day 21: then the last level is extrapolated with
    lambda_z, and stays 0 where it is below the limit.

    Examples
    --------
    >>> auc_0_28([10, 20, 36], [80, 80, 0])
    1680.0
    """
    return _area_to(profiles, 28.0, covered=21.0)


@metric(
    label="λz", unit_kind="1/day", cdisc="LAMZ", summary="geometric", cells_only=True
)
def lambda_z(profiles: Profiles) -> Found:
    """Rate of the terminal fall, from the log-linear regression of the last levels.

    Of the regressions of three or more quantifiable levels after the peak that end at
    the last one, that with the highest adjusted R2; within 1e-4 of it, that with most
    levels.

    Examples
    --------
    >>> round(lambda_z([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    0.1386
    """
    return _terminal(profiles, profiles.decline.rate)


@metric(
    label="Half-life",
    unit_kind="day",
    cdisc="LAMZHL",
    summary="geometric",
    cells_only=True,
)
def half_life(profiles: Profiles) -> Found:
    """Days in which the level halves in its terminal fall.

    Examples
    --------
    >>> round(half_life([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    5.0
    """
    return _terminal(profiles, np.log(2) / profiles.decline.rate)


@metric(
    label="λz points",
    unit_kind="1",
    cdisc="LAMZNPT",
    summary="median",
    cells_only=True,
)
def lambda_z_points(profiles: Profiles) -> Found:
    """Count of levels behind lambda_z.

    Examples
    --------
    >>> lambda_z_points([10, 20, 30, 40], [800, 400, 100, 25])
    3.0
    """
    return _terminal(profiles, profiles.decline.points)


@metric(
    label="λz adjusted R²",
    unit_kind="1",
    cdisc="R2ADJ",
    summary="median",
    cells_only=True,
)
def lambda_z_r2adj(profiles: Profiles) -> Found:
    """Fit (adjusted R2) of the regression behind lambda_z.

    Examples
    --------
    >>> round(lambda_z_r2adj([10, 20, 30, 40], [800, 400, 100, 25]), 4)
    1.0
    """
    return _terminal(profiles, profiles.decline.r2adj)


@metric(
    label="λz from",
    unit_kind="day",
    cdisc="LAMZLL",
    summary="median",
    cells_only=True,
)
def lambda_z_start(profiles: Profiles) -> Found:
    """Day of the first level behind lambda_z.

    Examples
    --------
    >>> lambda_z_start([10, 20, 30, 40], [800, 400, 100, 25])
    20.0
    """
    return _terminal(profiles, profiles.decline.start)


@metric(
    label="λz to",
    unit_kind="day",
    cdisc="LAMZUL",
    summary="median",
    cells_only=True,
)
def lambda_z_end(profiles: Profiles) -> Found:
    """Day of the last level behind lambda_z.

    Examples
    --------
    >>> lambda_z_end([10, 20, 30, 40], [800, 400, 100, 25])
    40.0
    """
    return _terminal(profiles, profiles.decline.end)


def _area_to(profiles: Profiles, last_day: float, *, covered: float) -> Found:
    """Area to a fixed day, extrapolated where sampling ends after day ``covered``."""
    goal, enough = last_day * profiles.rules.day, covered * profiles.rules.day
    curve = profiles.curve
    end, level = (x[curve.bounds[1:] - 1] for x in (curve.times, curve.levels))
    missing = np.maximum(goal - end, 0.0)
    rate = _terminal(profiles, profiles.decline.rate).value
    extrapolated = (missing > 0) & (level > 0)
    beyond = level * -np.expm1(-rate * missing) / rate
    measured = area_under(curve, 0.0, goal)
    early = profiles.after & (profiles.times <= goal)
    return found(
        measured + np.where(extrapolated, beyond, 0.0),
        *_unsampled(profiles),
        (profiles.total(early) == 0, "no_sample_in_window"),
        (end <= enough, "ends_early"),
        (np.isnan(measured), "above_upper_limit"),
        (extrapolated & np.isnan(rate), "no_lambda_z"),
    )


def _terminal(profiles: Profiles, value: Floats) -> Found:
    """Give a number of the terminal phase where the phase is good enough."""
    rules, decline = profiles.rules, profiles.decline
    span = (decline.end - decline.start) * decline.rate / np.log(2)
    return found(
        value,
        *_unquantified(profiles),
        (decline.candidates < rules.lambda_z_points, "few_points"),
        (np.isnan(decline.rate), "not_falling"),
        (decline.r2adj < rules.lambda_z_r2adj, "poor_fit"),
        (span < rules.lambda_z_span - _LAST_DIGITS, "short_span"),
    )


def _unsampled(profiles: Profiles) -> tuple[Reason, ...]:
    """Profiles without any sample, or without one after the infusion."""
    return (
        (profiles.counts == 0, "no_sample"),
        (profiles.total(profiles.after) == 0, "no_sample_after_infusion"),
    )


def _unquantified(profiles: Profiles) -> tuple[Reason, ...]:
    """Profiles without a quantifiable level after the infusion."""
    none = profiles.last_quantified < 0
    return (*_unsampled(profiles), (none, "no_quantifiable"))
