"""The course of patients: from stop to stop, with jumps at switches and infusions.

A step ends exactly at each sample, switch, infusion and change of a covariate. Where
such a stop moves with a parameter by dT, sensitivities jump: the state after it is that
before it plus the dose a, so dX+ = dX- + (F- - F+) dT + da with the slopes F before and
after. A solver that leaves this out gives the right curve and a wrong gradient.
"""

from typing import Any, NamedTuple

import numpy as np

from cellpk.model.compile.esdirk import (
    Functions,
    Work,
    attempt,
    begin,
    carry,
    scale,
    woven,
)
from cellpk.model.compile.linear import compiled
from cellpk.model.compile.modes import change_modes, restart, to_states
from cellpk.model.compile.timeline import (
    CHANGE,
    INFUSION,
    SAMPLE,
    SMALLEST_STEP,
    Stops,
    middle,
    set_stops,
)

DONE, STEP_TOO_SMALL, NEGATIVE, TOO_MANY_STEPS, NOT_FINITE = 0, 1, 2, 3, 4
"""How a patient's course ended."""

MOST_STEPS = 50_000

MOST_GROWTH = 5.0
"""Of a step, from one to the next."""

BELOW_ZERO = 10.0
"""How far below zero, in tolerances, a state near zero may stray within a step."""


class Task(NamedTuple):
    """Patients to solve: what they share, and where their courses are written.

    Parameters
    ----------
    work : array of one record
        Laid out by :func:`cellpk.model.compile.esdirk.layout`.
    stops : array of records
        From :func:`cellpk.model.compile.timeline.make_stops`.
    p : array, shape (n, parameters + fixed covariates)
        Natural values, in the order of the model file.
    times : array, shape (n or 1, samples)
        Days of samples.
    cells : array, shape (infusions,)
        Cells of each infusion.
    references : array, shape (stepped covariates,)
        Values before the first change.
    changed, changes : arrays, shape (changes,)
        Number of the stepped covariate that changes, and its new value.
    which : int
        Number of the assay to observe.
    tolerance : float
        Of the logs of states.
    levels : array, shape (n, samples)
        Written: levels of the assay.
    gradient : array, shape (n or 0, samples, q)
        Written: by the free parameters, natural scale; not worked out where empty.
    states : array, shape (n, samples, states)
        Written.
    codes, days, culprits, tried : arrays, shape (n,)
        Written: how each course ended, on which day, the number of the state that was
        to blame for a failure or -1, and how many steps were tried.
    """

    work: Any
    stops: Any
    p: Any
    times: Any
    cells: Any
    references: Any
    changed: Any
    changes: Any
    which: int
    tolerance: float
    levels: Any
    gradient: Any
    states: Any
    codes: Any
    days: Any
    culprits: Any
    tried: Any


@woven
def solve_patients(functions: Functions, task: Task) -> None:
    """Solve the equations of one model for many patients.

    A patient whose course cannot be followed to the end has a code that says why and
    the day; what comes after that day is not written.
    """
    work, stops = task.work[0], task.stops
    work.tolerance = task.tolerance
    for patient in range(task.p.shape[0]):
        _prepare(task, work, patient)
        functions.prepare(work.p)
        set_stops(functions, work.p, stops)
        functions.start(work.p, work.x, work.dx)
        work.side = middle(stops, 0, 0.0)
        work.code = _fit_to_start(work, stops)
        _follow(functions, task, patient)
        task.codes[patient] = work.code
        task.days[patient] = work.t
        task.culprits[patient] = work.culprit
        task.tried[patient] = work.tried


@compiled
def _prepare(task: Task, work: Work, patient: int) -> None:
    """Begin anew at day 0."""
    for i in range(task.p.shape[1]):
        work.p[i] = task.p[patient, i]
    for i in range(task.references.size):
        work.c[i] = task.references[i]
    row = patient if task.times.shape[0] > 1 else 0
    for k in range(task.stops.size):
        if task.stops[k].kind == SAMPLE:
            task.stops[k].day = task.times[row, task.stops[k].item]
    work.t, work.tried, work.culprit = 0.0, 0, -1


@compiled
def _fit_to_start(work: Work, stops: Stops) -> int:
    """Return whether the states at day 0 and the times of the stops make sense."""
    for k in range(stops.size):
        if np.isnan(stops[k].day):
            return NOT_FINITE
    for i in range(work.x.size):
        work.culprit = i
        if not np.isfinite(work.x[i]):
            return NOT_FINITE
        if work.x[i] < 0:
            return NEGATIVE
    work.culprit = -1
    return DONE


@woven
def _follow(functions: Functions, task: Task, patient: int) -> None:
    """Follow one patient to the last sample or to a failure."""
    work, stops = task.work[0], task.stops
    fresh, samples, gradient = True, task.levels.shape[1], task.gradient.shape[0] > 0
    for place in range(stops.size):
        if samples == 0 or work.code != DONE:
            break
        stop = stops[stops[place].order]
        span = stop.day - work.t
        if span > SMALLEST_STEP:
            if fresh:
                restart(functions, work, span)
                fresh = False
            _march(functions, work, (stop.day, gradient))
        if not fresh:
            to_states(work)
        if stop.kind == SAMPLE:
            if work.code == DONE:
                _observe(functions, task, (patient, stop.item))
            samples -= 1
        else:
            _jump(functions, task, place)
            fresh = True


@woven
def _march(functions: Functions, work: Work, goal: tuple[float, bool]) -> None:
    """Step to a day, exactly."""
    day, gradient = goal
    while work.t < day and work.code == DONE:
        begin(functions, work)
        if change_modes(work, min(work.wanted, day - work.t)):
            begin(functions, work)
        parts = _find_step(functions, work, day)
        if work.code == DONE:
            if gradient:
                carry(functions, work)
            for i in range(work.z.size):
                work.z[i] = work.stages[-1, i]
            work.t = day if parts == 1 else work.t + work.h


@woven
def _find_step(functions: Functions, work: Work, day: float) -> int:
    """Try steps until one is right; return how many such are left to the day."""
    parts, most = 0, MOST_GROWTH
    while work.code == DONE:
        parts = _divide(work, day - work.t)
        error = attempt(functions, work)
        work.tried += 1
        negative = error < np.inf and _below_zero(work)
        if error <= 1 and not negative:
            _choose_next(work, error, most)
            break
        most = 1.0
        work.wanted = work.h * (0.25 if negative else max(0.2, 0.9 * error**-0.25))
        work.code = _verdict(work)
        if negative and work.code == STEP_TOO_SMALL:
            work.code = NEGATIVE
    return parts


@compiled
def _divide(work: Work, left: float) -> int:
    """Divide the rest of the way into equal steps; return how many."""
    parts = np.ceil(left / work.wanted * (1 - 1e-9))
    work.h = left / parts
    return parts


@compiled
def _choose_next(work: Work, error: float, most: float) -> None:
    """Choose the length of the next step; one cut short by a stop says little."""
    growth = min(most, 0.9 * max(error, 1e-8) ** -0.25)
    work.wanted = max(work.h * growth, work.wanted if growth >= 1 else 0.0)


@compiled
def _below_zero(work: Work) -> bool:
    """Whether a state has turned negative by more than rounding."""
    for i in range(work.z.size):
        least = -BELOW_ZERO * work.tolerance * scale(work, i, 0.0)
        if not work.logged[i] and work.stages[-1, i] < least:
            work.culprit = i
            return True
    return False


@compiled
def _verdict(work: Work) -> int:
    """Return why there is no sense in a further attempt, or that there is."""
    if work.tried >= MOST_STEPS:
        return TOO_MANY_STEPS
    if work.wanted >= SMALLEST_STEP:
        return DONE
    for i in range(work.z.size):
        if not np.isfinite(work.slopes[0, i]):
            work.culprit = i
            return NOT_FINITE
    return STEP_TOO_SMALL


@woven
def _observe(functions: Functions, task: Task, sample: tuple[int, int]) -> None:
    """Write the level, the states and the gradient of one sample."""
    w, (patient, item) = task.work[0], sample
    by_states, by_parameters = w.known, w.dknown[0]
    for i in range(w.x.size):
        task.states[patient, item, i] = w.x[i]
    task.levels[patient, item] = functions.observe(
        task.which, w.t, w.side, w.x, w.p, w.c, by_states, by_parameters
    )
    if task.gradient.shape[0] > 0:
        for j in range(task.gradient.shape[2]):
            total = by_parameters[j]
            for i in range(w.x.size):
                total += by_states[i] * w.dx[i, j]
            task.gradient[patient, item, j] = total


@woven
def _jump(functions: Functions, task: Task, place: int) -> None:
    """Let a switch, an infusion or a change of a covariate happen."""
    work, stops = task.work[0], task.stops
    stop = stops[stops[place].order]
    _plain_slopes(functions, work, 1)
    if stop.kind == CHANGE:
        work.c[task.changed[stop.item]] = task.changes[stop.item]
    elif stop.kind == INFUSION:
        functions.doses(work.p, task.cells[stop.item], work.known, work.dknown)
        _add_dose(work)
    work.side = middle(stops, place, work.t)
    _plain_slopes(functions, work, 2)
    for j in range(stop.dday.size):
        if stop.dday[j] != 0:
            for i in range(work.x.size):
                fall = work.slopes[1, i] - work.slopes[2, i]
                work.dx[i, j] += fall * stop.dday[j]


@compiled
def _add_dose(work: Work) -> None:
    """Add what an infusion brings."""
    for i in range(work.x.size):
        work.x[i] += work.known[i]
        for j in range(work.dx.shape[1]):
            work.dx[i, j] += work.dknown[i, j]


@woven
def _plain_slopes(functions: Functions, work: Work, row: int) -> None:
    """Write the slopes of the states themselves into a row of ``slopes``."""
    w = work
    for i in range(w.x.size):
        w.logged[i], w.stages[0, i] = 0, w.x[i]
    functions.rhs(w.t, w.side, w.stages[0], w.logged, w.p, w.c, w.f)
    for i in range(w.x.size):
        w.slopes[row, i] = w.f[i]
