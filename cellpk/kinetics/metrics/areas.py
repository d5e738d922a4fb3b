"""Areas under the levels, and mean residence times."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cellpk.kinetics.curves import area_under
from cellpk.kinetics.metrics.terminal import of_the_decline
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import unquantified, unsampled
from cellpk.kinetics.registry import REGISTERED, Found, Metric, family, found, metric
from cellpk.kinetics.segments import Flags, Floats, pick
from cellpk.study.metric_rules import MONTH, Rules

_area = partial(
    metric,
    kind="area",
    unit_kind="day*level",
    summary="geometric",
    cells_only=True,
)
_to_day = partial(_area, cdisc="AUCINT")
_share = partial(
    metric,
    kind="area",
    unit_kind="%",
    summary="median",
    cells_only=True,
    infinity=True,
    outcome="follow_up",
)


def auc(
    times: ArrayLike,
    levels: ArrayLike,
    start: float = 0.0,
    *,
    end: float = 28.0,
    lloq: ArrayLike = 0.0,
    **rules: Any,
) -> float:
    """Area under one patient's levels between two days.

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
    **rules
        Further arguments of :meth:`cellpk.kinetics.profiles.Profiles.one`.

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
    profile = Profiles.one(times, levels, lloq=lloq, **rules)
    inside = profile.ends >= end
    return float(np.where(inside, area_under(profile.curve, start, end), np.nan)[0])


@_area(label="AUClast", cdisc="AUCLST", main=True, outcome="follow_up")
def auc_last(profiles: Profiles) -> Found:
    """Area from the infusion to the last level at or above the limit.

    Examples
    --------
    >>> auc_last([10, 20, 30], [80, 80, 10], lloq=50)
    1200.0
    """
    return _followed(profiles, profiles.to_last)


@_area(label="AUCall", cdisc="AUCALL", outcome="follow_up")
def auc_all(profiles: Profiles) -> Found:
    """Area from the infusion to the first level below the limit that stays so.

    AUClast where the last sample was still quantifiable.

    Examples
    --------
    >>> auc_all([10, 20, 30], [80, 80, 10], lloq=50)
    1600.0
    """
    return _followed(profiles, area_under(profiles.curve, 0.0, _all_ends(profiles)))


@_to_day(label="AUC0-7d", days=(0.0, 7.0))
def auc_0_7(profiles: Profiles) -> Found:
    """Area from the infusion to exactly day 7.

    Examples
    --------
    >>> auc_0_7([4, 7, 10], [80, 160, 320])
    520.0
    """
    return _between(profiles, 0.0, 7.0)


@_to_day(label="AUC0-14d", days=(0.0, 14.0))
def auc_0_14(profiles: Profiles) -> Found:
    """Area from the infusion to exactly day 14.

    Examples
    --------
    >>> auc_0_14([10, 20, 36], [80, 80, 0])
    720.0
    """
    return _between(profiles, 0.0, 14.0)


@_to_day(label="AUC0-28d", days=(0.0, 28.0), main=True)
def auc_0_28(profiles: Profiles) -> Found:
    """Area from the infusion to exactly day 28.

    Sampling must reach day 28, or pass day 21: then the last level is extrapolated with
    lambda_z, and stays 0 where it is below the limit.

    Examples
    --------
    >>> auc_0_28([10, 20, 36], [80, 80, 0])
    1680.0
    """
    return _between(profiles, 0.0, 28.0)


@_to_day(label="AUC0-3m", days=(0.0, 3 * MONTH), outcome="follow_up")
def auc_0_3m(profiles: Profiles) -> Found:
    """Area from the infusion to the end of month 3 (day 91.3125).

    Examples
    --------
    >>> round(auc_0_3m([10, 20, 100], [80, 80, 0]), 4)
    4362.2637
    """
    return _between(profiles, 0.0, 3 * MONTH)


@_to_day(label="AUC0-6m", days=(0.0, 6 * MONTH), outcome="follow_up")
def auc_0_6m(profiles: Profiles) -> Found:
    """Area from the infusion to the end of month 6 (day 182.625).

    Examples
    --------
    >>> auc_0_6m([10, 20, 100, 200], [80, 80, 0, 0])
    4400.0
    """
    return _between(profiles, 0.0, 6 * MONTH)


@_to_day(label="AUC0-12m", days=(0.0, 12 * MONTH), outcome="follow_up")
def auc_0_12m(profiles: Profiles) -> Found:
    """Area from the infusion to the end of month 12 (day 365.25).

    Examples
    --------
    >>> auc_0_12m([10, 20, 100, 400], [80, 80, 0, 0])
    4400.0
    """
    return _between(profiles, 0.0, 12 * MONTH)


@family
def areas(rules: Rules) -> Iterable[Metric]:
    """Make the areas between days that the rules ask for.

    Examples
    --------
    >>> [each.label for each in areas(Rules(areas=[(7, 28)]))]
    ['AUC7-28d']
    """
    named = {metric.days for metric in REGISTERED.values()}
    for start, end in rules.areas:
        if (start, end) in named:
            continue
        yield Metric(
            name=f"auc_{start:g}_{end:g}".replace(".", "p"),
            kind="area",
            label=f"AUC{start:g}-{end:g}d",
            unit_kind="day*level",
            cdisc="AUCINT",
            summary="geometric",
            compute=partial(_between, start=start, end=end),
            cells_only=True,
            main=True,
            outcome="follow_up" if end > 28 else "",
            days=(start, end),
        )


@_area(label="AUCinf observed", cdisc="AUCIFO", infinity=True, outcome="follow_up")
def auc_inf_obs(profiles: Profiles) -> Found:
    """Area from the infusion to infinity, from the last observed level with lambda_z.

    Examples
    --------
    >>> round(auc_inf_obs([10, 20, 30, 40], [800, 400, 200, 100]), 2)
    15541.56
    """
    return _infinite(profiles, profiles.to_last + _rest(profiles, predicted=False))


@_area(label="AUCinf predicted", cdisc="AUCIFP", infinity=True, outcome="follow_up")
def auc_inf_pred(profiles: Profiles) -> Found:
    """Area from the infusion to infinity, from the level that lambda_z's line predicts.

    Examples
    --------
    >>> round(auc_inf_pred([10, 20, 30, 40], [800, 400, 200, 100]), 2)
    15541.56
    """
    return _infinite(profiles, profiles.to_last + _rest(profiles, predicted=True))


@_share(label="AUCinf observed, % extrapolated", cdisc="AUCPEO")
def auc_extrapolated_obs(profiles: Profiles) -> Found:
    """Percent of the observed AUCinf that lies after the last level.

    Examples
    --------
    >>> round(auc_extrapolated_obs([10, 20, 30, 40], [800, 400, 200, 100]), 3)
    9.283
    """
    rest = _rest(profiles, predicted=False)
    return _infinite(profiles, 100 * rest / (profiles.to_last + rest))


@_share(label="AUCinf predicted, % extrapolated", cdisc="AUCPEP")
def auc_extrapolated_pred(profiles: Profiles) -> Found:
    """Percent of the predicted AUCinf that lies after the last level.

    Examples
    --------
    >>> round(auc_extrapolated_pred([10, 20, 30, 40], [800, 400, 200, 100]), 3)
    9.283
    """
    rest = _rest(profiles, predicted=True)
    return _infinite(profiles, 100 * rest / (profiles.to_last + rest))


@metric(
    kind="area",
    label="MRT to Tlast",
    unit_kind="day",
    cdisc="MRTIBLST",
    summary="geometric",
    cells_only=True,
    outcome="follow_up",
)
def mrt_last(profiles: Profiles) -> Found:
    """Mean residence time up to the last quantifiable level: AUMClast over AUClast.

    Examples
    --------
    >>> mrt_last([0, 2], [3, 3], auc_rule="linear")
    1.0
    """
    value = profiles.moment_to_last / _above_zero(profiles.to_last)
    none = (profiles.last_quantified < 0, "no_quantifiable")
    return found(value, *unsampled(profiles), none, *_unknown(profiles, value))


@metric(
    kind="area",
    label="MRT to infinity",
    unit_kind="day",
    cdisc="MRTIBIFO",
    summary="geometric",
    cells_only=True,
    infinity=True,
    outcome="follow_up",
)
def mrt_inf_obs(profiles: Profiles) -> Found:
    """Mean residence time to infinity, from the last observed level with lambda_z.

    Examples
    --------
    >>> halves = [800, 400, 200, 100]
    >>> round(mrt_inf_obs([0, 10, 20, 30], halves, lambda_z_peak=True), 3)
    14.427
    """
    rate, last = -profiles.decline.rate, pick(profiles.levels, profiles.last_quantified)
    moment = profiles.moment_to_last
    moment = moment + last * (profiles.t_last / rate + 1 / rate**2)
    area = profiles.to_last + _rest(profiles, predicted=False)
    return _infinite(profiles, moment / _above_zero(area))


def _all_ends(profiles: Profiles) -> Floats:
    """Return until when AUCall goes: the first lost sample, else Tlast."""
    lost = pick(profiles.times, profiles.first_lost)
    return np.where(np.isnan(lost), profiles.t_last, lost)


def _above_zero(area: Floats) -> Floats:
    return np.where(area > 0, area, np.nan)


def _rest(profiles: Profiles, *, predicted: bool, until: float = np.inf) -> Floats:
    """Return the area after the last quantifiable level along lambda_z."""
    slope = profiles.decline
    observed = pick(profiles.levels, profiles.last_quantified)
    line = np.exp(slope.intercept + slope.rate * profiles.t_last)
    level = line if predicted else observed
    missing = np.maximum(until - profiles.t_last, 0.0)
    return level * -np.expm1(slope.rate * missing) / -slope.rate


def _followed(profiles: Profiles, value: Floats) -> Found:
    """Give an area whose end depends on the last quantifiable level."""
    if profiles.rules.all_below == "zero":
        value = np.where(profiles.last_quantified < 0, 0.0, value)
        return found(value, *unsampled(profiles), *_unknown(profiles, value))
    return found(value, *unquantified(profiles), *_unknown(profiles, value))


def _infinite(profiles: Profiles, value: Floats) -> Found:
    """Give a number that rests on lambda_z and on the area to the last level."""
    terminal = of_the_decline(profiles, np.zeros(len(profiles))).reason
    wanting = [(terminal == code, str(code)) for code in np.unique(terminal) if code]
    return found(value, *wanting, *_unknown(profiles, value))


def _unknown(profiles: Profiles, value: Floats) -> tuple[tuple[Flags, str], ...]:
    """Say why an area that could be taken is not known."""
    return (
        (np.isnan(profiles.start) & np.isnan(value), "no_start"),
        (np.isnan(value), "above_upper_limit"),
    )


def _between(profiles: Profiles, start: float, end: float) -> Found:
    """Give the area between two days, and go on after the last level by the rules."""
    low, high = start * profiles.day, end * profiles.day
    go_on = _as_sampled if profiles.rules.beyond == "sampled" else _from_the_last
    value, reasons = go_on(profiles, low, high)
    if profiles.rules.all_below == "zero":
        value = np.where(profiles.last_quantified < 0, 0.0, value)
    return found(value, *unsampled(profiles), *reasons, *_unknown(profiles, value))


type _Part = tuple[Floats, tuple[tuple[Flags, str], ...]]


def _as_sampled(profiles: Profiles, low: float, high: float) -> _Part:
    """Go on after the last sample with lambda_z, where enough days are sampled."""
    curve, coverage = profiles.curve, profiles.rules.auc_coverage
    end, level = (x[curve.bounds[1:] - 1] for x in (curve.times, curve.levels))
    missing = np.maximum(high - end, 0.0)
    rate = of_the_decline(profiles, -profiles.decline.rate).value
    extrapolated = (missing > 0) & (level > 0)
    beyond = level * -np.expm1(-rate * missing) / rate
    sampled = area_under(curve, low, high)
    value = sampled + np.where(extrapolated, beyond, 0.0)
    unknown = np.isnan(sampled)
    early = profiles.after & (profiles.times <= high)
    nothing = (curve.counts == 1) & (profiles.last_quantified < 0)
    return value, (
        (profiles.total(early) == 0, "no_sample_in_window"),
        (nothing, "no_quantifiable"),
        ((missing > 0) & (end <= low + coverage * (high - low)), "ends_early"),
        (~unknown & extrapolated & np.isnan(rate), "no_lambda_z"),
    )


def _from_the_last(profiles: Profiles, low: float, high: float) -> _Part:
    """Go on after the last quantifiable level as other programs do."""
    beyond = profiles.rules.beyond
    stop = _all_ends(profiles) if beyond == "all" else profiles.t_last
    value = area_under(profiles.curve, low, np.fmin(high, stop))
    if not beyond.startswith("infinity"):
        return value, ()
    sound = of_the_decline(profiles, np.zeros(len(profiles))).reason == ""
    predicted = beyond == "infinity_pred"
    rest = _rest(profiles, predicted=predicted, until=high)
    rest = rest - _rest(profiles, predicted=predicted, until=low)
    needed = high > profiles.t_last  # never where nothing is quantifiable
    return value + np.where(needed, rest, 0.0), ((needed & ~sound, "no_lambda_z"),)
