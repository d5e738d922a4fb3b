"""The last quantifiable level, and what comes after it."""

from functools import partial

import numpy as np

from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import unquantified, unsampled
from cellpk.kinetics.registry import Found, found, metric
from cellpk.kinetics.segments import pick

_last = partial(metric, kind="last", outcome="follow_up")


@_last(label="Clast", unit_kind="level", cdisc="CLST", summary="geometric", main=True)
def c_last(profiles: Profiles) -> Found:
    """Last level at or above the limit of quantification.

    Examples
    --------
    >>> c_last([0, 7, 28, 90], [80, 2e4, 600, 20], lloq=50)
    600.0
    """
    level = pick(profiles.levels, profiles.last_quantified)
    above = (np.isinf(level), "above_upper_limit")
    if profiles.rules.all_below == "zero":
        level = np.where(profiles.last_quantified < 0, 0.0, level)
        return found(level, *unsampled(profiles), above)
    return found(level, *unquantified(profiles), above)


@_last(label="Tlast", unit_kind="day", cdisc="TLST", summary="median", main=True)
def t_last(profiles: Profiles) -> Found:
    """Day of the last level at or above the limit of quantification.

    Examples
    --------
    >>> t_last([0, 7, 28, 90], [80, 2e4, 600, 20], lloq=50)
    28.0
    """
    return found(profiles.t_last, *unquantified(profiles))


@_last(
    label="Last sample still quantifiable",
    unit_kind="1",
    cdisc="TLASTCNS",
    summary="share",
    main=True,
)
def t_last_censored(profiles: Profiles) -> Found:
    """Whether the last sample was still quantifiable (1) or not (0).

    Tlast is then where follow-up ended, not where the level was lost.

    Examples
    --------
    >>> t_last_censored([7, 28, 90], [2e4, 600, 20], lloq=50)
    0.0
    """
    still = profiles.t_last == profiles.ends
    return found(still.astype(float), *unquantified(profiles))


@_last(
    label="First day below the limit (Tbql)",
    unit_kind="day",
    cdisc="TBQL",
    summary="median",
)
def t_bql(profiles: Profiles) -> Found:
    """Day of the first sample below the limit that no quantifiable one follows.

    The level was lost between Tlast and this day.

    Examples
    --------
    >>> t_bql([7, 28, 60, 90], [2e4, 600, 20, 10], lloq=50)
    60.0
    """
    return found(
        pick(profiles.times, profiles.first_lost),
        *unquantified(profiles),
        (profiles.first_lost < 0, "still_quantifiable"),
    )
