"""Metrics: every function under ``@metric`` in a file of this folder.

A metric is written once, for all profiles of a study
(:class:`~cellpk.kinetics.profiles.Profiles`); that form stands in
``METRICS[name].compute``. ``cellpk.kinetics.metrics.cmax(times, levels)`` is the metric
of one patient's plain arrays.
"""

from cellpk.errors import nearest
from cellpk.kinetics.metrics.areas import auc
from cellpk.kinetics.reasons import REASONS
from cellpk.kinetics.registry import (
    FAMILIES,
    FUNCTIONS,
    KINDS,
    REGISTERED,
    Metric,
    OnePatient,
)
from cellpk.study.discovery import import_all
from cellpk.study.metric_rules import Rules

import_all(__name__)


def defined(rules: Rules) -> dict[str, Metric]:
    """Return the metrics that are calculated by these rules, in the table's order.

    Examples
    --------
    >>> "auc_inf_obs" in defined(Rules())
    False
    """
    fixed = [
        each for each in REGISTERED.values() if rules.infinity or not each.infinity
    ]
    made = [each for make in FAMILIES for each in make(rules)]
    known = sorted([*fixed, *made], key=lambda each: KINDS.index(each.kind))
    return {each.name: each for each in known}


METRICS: dict[str, Metric] = defined(Rules(infinity=True))
"""Every metric by its name, in the order of the table, with cellpk's own visits."""

__all__ = ["METRICS", "REASONS", "auc", "defined"]


def __getattr__(name: str) -> OnePatient:
    if name not in FUNCTIONS:
        message = f"there is no metric {name!r}. {nearest(name, FUNCTIONS)}"
        raise AttributeError(message)
    return FUNCTIONS[name]


def __dir__() -> list[str]:
    return sorted([*FUNCTIONS, *__all__])
