"""How long levels are there: quantifiable at a visit, above a level."""

from collections.abc import Iterable
from functools import partial

import numpy as np

from cellpk.kinetics.curves import time_above as above
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.reasons import unsampled
from cellpk.kinetics.registry import Found, Metric, family, found, metric
from cellpk.kinetics.segments import pick
from cellpk.study.metric_rules import Rules


@metric(
    kind="presence",
    label="Time above the level",
    unit_kind="day",
    cdisc="TABOVE",
    summary="median",
    cells_only=True,
    outcome="follow_up",
)
def time_above(profiles: Profiles) -> Found:
    """Days from the infusion to the last sample with a level at or above a given one.

    Between samples the level runs as it does for areas.

    Examples
    --------
    >>> round(time_above([10, 20], [80, 20], above=40), 6)
    10.0
    """
    given = ~np.isnan(profiles.above)
    value = above(profiles.curve, profiles.above) if given.any() else profiles.above
    return found(
        value,
        *unsampled(profiles),
        (~given, "no_level_given"),
        (np.isnan(profiles.start), "no_start"),
        (np.isnan(value), "above_upper_limit"),
    )


@family
def visits(rules: Rules) -> Iterable[Metric]:
    """Make the persistence at each visit: 1 quantifiable, 0 below the limit.

    A patient without a sample in the window of the visit has neither: missing is not
    negative. Of several samples that nearest to the visit's day counts.

    Examples
    --------
    >>> [each.name for each in visits(Rules(visits={"d28": (28, 7)}))]
    ['present_d28']
    """
    for place, (name, (day, window)) in enumerate(rules.visits.items(), 1):
        code = f"PR{name.upper()}"
        yield Metric(
            name=f"present_{name}",
            kind="presence",
            label=f"Quantifiable at {visit_in_words(name)}",
            unit_kind="1",
            cdisc=code if len(code) <= 8 else f"PRVIS{place}",
            summary="share",
            compute=partial(_present, day=day, window=window),
            cells_only=True,
            outcome="persistence",
        )


def visit_in_words(name: str) -> str:
    """Return a visit's name in words.

    Examples
    --------
    >>> visit_in_words("d28"), visit_in_words("m12"), visit_in_words("end_of_study")
    ('day 28', 'month 12', 'end of study')
    """
    words = {"d": "day", "w": "week", "m": "month"}
    if name[:1] in words and name[1:].isdecimal():
        return f"{words[name[0]]} {name[1:]}"
    return name.replace("_", " ")


def _present(profiles: Profiles, *, day: float, window: float) -> Found:
    off = np.abs(profiles.times / profiles.day - day)
    inside = profiles.after & (off <= window)
    nearest = -profiles.highest(np.where(inside, -off, -np.inf))
    chosen = profiles.first(inside & (off == nearest[profiles.owner]))
    return found(
        pick(profiles.quantified, chosen),
        *unsampled(profiles),
        (chosen < 0, "no_sample_in_window"),
    )
