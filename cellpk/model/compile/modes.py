"""How a state is stepped, as its log or as it is; and how long the first step may be.

The log of a state gives relative errors and keeps it positive, but is of no use where
the state is zero, or next to nothing compared with what flows in: there ``d log X/dt``
is inflow over nearly nothing. So such a state is stepped as it is, its errors measured
against what it will soon have grown to (``floor``), and passes to its log when its
growth within a step no longer exceeds itself. A state that has died out, below 1e-260,
is zero from then on.
"""

import numpy as np

from cellpk.model.compile.esdirk import (
    TINY,
    Functions,
    Work,
    begin,
    scale,
    shift,
    woven,
)
from cellpk.model.compile.linear import compiled, factor, smallest_pivot, solve

DIED_OUT = np.log(TINY)

ALIVE = 1e-250
"""What a state has to be to be stepped as its log."""

NEXT_TO_NOTHING = 0.01
"""Share of what it soon grows to below which a state is stepped as it is."""

LARGEST_GROWTH = 0.2
"""The look ahead ends where growth nears a factor of one over this."""

LOOKS = 4
"""Rounds of the look ahead: states that are fed by products of empty states."""


@compiled
def to_states(work: Work) -> None:
    """Write the states themselves and their sensitivities into ``x`` and ``dx``."""
    for i in range(work.z.size):
        to_state(work, i)


@compiled
def to_state(work: Work, i: int) -> None:
    """Write one state itself."""
    value = np.exp(work.z[i]) if work.logged[i] else max(work.z[i], 0.0)
    slope = value if work.logged[i] else 1.0
    work.x[i] = value
    for c in range(work.dz.shape[1]):
        work.dx[i, c] = slope * work.dz[i, c]


@compiled
def from_states(work: Work) -> None:
    """Write ``z`` and ``dz`` from the states themselves, as ``logged`` says."""
    for i in range(work.z.size):
        from_state(work, i)


@compiled
def from_state(work: Work, i: int) -> None:
    """Write one state as it is stepped."""
    value = work.x[i]
    slope = 1.0 / value if work.logged[i] else 1.0
    work.z[i] = np.log(value) if work.logged[i] else value
    for c in range(work.dz.shape[1]):
        work.dz[i, c] = slope * work.dx[i, c]


@woven
def restart(functions: Functions, work: Work, span: float) -> None:
    """Decide how each of the states ``x`` is stepped from here, and a first step.

    ``span`` is the time to the next stop.
    """
    for i in range(work.x.size):
        work.logged[i], work.floor[i] = 0, 0.0
    from_states(work)
    begin(functions, work)
    if _look_needed(work, span):
        tau = _start_look(work, span)
        ahead = work.stages[-1]
        for _ in range(LOOKS):
            functions.rhs(work.t, work.side, ahead, work.logged, work.p, work.c, work.f)
            _look(work, tau)
    _set_modes(work)
    begin(functions, work)
    work.wanted = min(span, _first_step(work))


@compiled
def _look_needed(work: Work, span: float) -> bool:
    """Whether a state is zero, or may be next to nothing soon."""
    for i in range(work.x.size):
        if not work.x[i] > NEXT_TO_NOTHING * span * work.f[i]:
            return True
    return False


@compiled
def _start_look(work: Work, span: float) -> float:
    """Prepare an implicit Euler step; return the longest that growth allows.

    It is shortened until growth of what is there already is moderate, so that it is
    inflow that is seen.
    """
    for _ in range(50):
        shift(work, span)
        if smallest_pivot(work.factors) > LARGEST_GROWTH:
            break
        span *= 0.5
    shift(work, span)
    factor(work.factors, work.pivots)
    for i in range(work.x.size):
        work.stages[-1, i] = work.floor[i] = work.x[i]
    return span


@compiled
def _look(work: Work, tau: float) -> None:
    """Correct the look ahead once: what states grow to by implicit Euler."""
    for i in range(work.x.size):
        work.known[i] = work.x[i] + tau * work.f[i] - work.stages[-1, i]
    solve(work.factors, work.pivots, work.known)
    for i in range(work.x.size):
        if np.isfinite(work.known[i]):
            work.stages[-1, i] += work.known[i]
        work.floor[i] = abs(work.stages[-1, i])


@compiled
def _set_modes(work: Work) -> None:
    """Step a state as its log unless it is nothing compared with what it grows to."""
    for i in range(work.x.size):
        small = work.x[i] < NEXT_TO_NOTHING * work.floor[i]
        work.logged[i] = work.x[i] > ALIVE and not small
    from_states(work)


@compiled
def _first_step(work: Work) -> float:
    """Return a step over which slopes and their change stay small.

    The error of order 3 is about ``(h*rate)**4``.
    """
    n, fastest = work.x.size, 0.0
    for i in range(n):
        bend = 0.0
        for j in range(n):
            bend += work.jx[i, j] * work.f[j]
        size = scale(work, i, work.z[i])
        fastest = max(fastest, abs(work.f[i]) / size, np.sqrt(abs(bend) / size))
    return work.tolerance**0.25 / fastest if fastest > 0 else np.inf


@compiled
def change_modes(work: Work, h: float) -> bool:
    """At the start of a step: log what has grown, drop what has died out.

    Returns whether a state changed its mode, so that slopes must be worked out anew.
    """
    changed = False
    for i in range(work.z.size):
        wanted = _wanted(work, i, h)
        if wanted != work.logged[i]:
            to_state(work, i)
            if not wanted:
                work.x[i] = 0.0
                for c in range(work.dx.shape[1]):
                    work.dx[i, c] = 0.0
            work.logged[i] = wanted
            from_state(work, i)
            changed = True
    return changed


@compiled
def _wanted(work: Work, i: int, h: float) -> bool:
    """Whether a state should be stepped as its log from here."""
    if work.logged[i]:
        return work.z[i] > DIED_OUT
    return work.z[i] > ALIVE and h * work.f[i] <= work.z[i]
