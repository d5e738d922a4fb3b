"""What happens to a patient, in the order of time, as arrays for compiled loops."""

from typing import Any

import numpy as np

from cellpk.model.compile.esdirk import Functions, woven
from cellpk.model.compile.linear import compiled

SWITCH, CHANGE, SAMPLE, INFUSION = 0, 1, 2, 3
"""Kinds of stops, in the order in which they count where their times are equal.

A covariate has its new value on its very day; a sample on the day of a re-infusion is
taken before it. Only at day 0 the infusion comes first.
"""

SMALLEST_STEP = 1e-12
"""Days. Stops that are closer together count as one."""

Stops = Any
"""An array of records, see :func:`make_stops`."""


def make_stops(
    free: int, nominal: tuple[int, np.ndarray, np.ndarray, np.ndarray]
) -> Stops:
    """Return the stops on the way of the patients of one call, in no order yet.

    Parameters
    ----------
    free : int
        Number of free parameters.
    nominal : tuple
        Number of the model's own switches; days of changes of covariates, of samples
        and of infusions.

    Returns
    -------
    ndarray of records
        ``nominal`` day, ``day`` and its derivatives ``dday`` by the free parameters,
        ``kind``, ``item`` the number among its kind, and ``order``: the number of the
        stop that comes at this place.

    Examples
    --------
    >>> make_stops(2, (1, np.zeros(0), np.array([7.0]), np.array([0.0])))["kind"]
    array([0, 2, 3])
    """
    days = [np.zeros(nominal[0]), *nominal[1:]]
    fields = [("nominal", "f8"), ("day", "f8"), ("dday", "f8", (max(free, 1),))]
    fields += [("kind", "i8"), ("item", "i8"), ("order", "i8")]
    stops = np.zeros(sum(map(len, days)), np.dtype(fields))
    stops["nominal"] = stops["day"] = np.concatenate(days)
    stops["kind"] = np.repeat(range(len(days)), list(map(len, days)))
    stops["item"] = np.concatenate([np.arange(len(kind)) for kind in days])
    return stops


@woven
def set_stops(functions: Functions, p: np.ndarray, stops: Stops) -> None:
    """Work out a patient's own switches and infusions, and put the stops in order."""
    own = 0
    while own < stops.size and stops[own].kind == SWITCH:
        own += 1
    times, dtimes = np.zeros(own), np.zeros((own, stops[0].dday.size))
    functions.switches(p, times, dtimes)
    later = np.zeros(stops[0].dday.size)
    lag = functions.lag(p, later)
    for k in range(stops.size):
        if k < own:
            _set_stop(stops[k], times[k], dtimes[k])
        elif stops[k].kind == INFUSION:
            _set_stop(stops[k], stops[k].nominal + lag, later)
    _sort(stops)


@compiled
def _set_stop(stop: Any, day: float, dday: np.ndarray) -> None:
    """Set the time of a stop; what lies before day 0 has happened by then."""
    stop.day = 0.0 if day <= 0 else day
    for j in range(dday.size):
        stop.dday[j] = 0.0 if day <= 0 else dday[j]


@compiled
def _sort(stops: Stops) -> None:
    """Sort by insertion: each kind is in order already."""
    for i in range(stops.size):
        j = i
        while j > 0 and _before(stops[i], stops[stops[j - 1].order]):
            stops[j].order = stops[j - 1].order
            j -= 1
        stops[j].order = i


@compiled
def _before(one: Any, other: Any) -> bool:
    """Whether one stop comes before another."""
    if one.day != other.day:
        return one.day < other.day
    return _rank(one) < _rank(other)


@compiled
def _rank(stop: Any) -> int:
    """Rank of a stop among those of the same time."""
    return -1 if stop.kind == INFUSION and stop.day == 0 else stop.kind


@compiled
def middle(stops: Stops, place: int, day: float) -> float:
    """Return a time inside the segment that begins on this day, at this place."""
    for later in range(place, stops.size):
        end = stops[stops[later].order].day
        if end > day + SMALLEST_STEP and end < np.inf:
            return 0.5 * (day + end)
    return day + 1.0
