"""One step of an ordinary differential equation, and its exact sensitivities.

The method is ESDIRK4(3)6L[2]SA, the implicit half of ARK4(3)6L[2]SA: Kennedy and
Carpenter 2003, Applied Numerical Mathematics 44:139-181, doi
10.1016/S0168-9274(02)00138-1. Six stages, the first explicit, gamma 1/4, L-stable and
stiffly accurate, order 4 with an embedded order 3.

A state X is stepped as ``z = log X`` where ``logged``, so that errors are relative and
a level can never turn negative, and as X itself near zero (:mod:`~cellpk.model.compile.
modes`). All numbers live in one record, see :func:`layout`; nothing is allocated.
The equations come as compiled functions in :class:`Functions`.
"""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from cellpk.model.compile.linear import compiled, factor, solve, solve_columns

woven = numba.njit(nogil=True, error_model="numpy", inline="always")
"""For functions that are handed a model's functions: inlined, or nothing that calls
them could be kept on disk (numba does not keep code that holds a function's address).
"""

Work = Any
"""A record laid out by :func:`layout`."""

GAMMA = 0.25

STAGES = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1 / 4, 1 / 4, 0.0, 0.0, 0.0, 0.0],
        [8611 / 62500, -1743 / 31250, 1 / 4, 0.0, 0.0, 0.0],
        [5012029 / 34652500, -654441 / 2922500, 174375 / 388108, 1 / 4, 0.0, 0.0],
        [
            15267082809 / 155376265600,
            -71443401 / 120774400,
            730878875 / 902184768,
            2285395 / 8070912,
            1 / 4,
            0.0,
        ],
        [82889 / 524892, 0.0, 15625 / 83664, 69875 / 102672, -2260 / 8211, 1 / 4],
    ]
)
"""Weights of the slopes in each stage; the last row gives the step itself."""

TIMES = np.array([0.0, 1 / 2, 83 / 250, 31 / 50, 17 / 20, 1.0])
"""Times of the stages as parts of the step."""

_EMBEDDED = np.array(
    [
        4586570599 / 29645900160,
        0.0,
        178811875 / 945068544,
        814220225 / 1159782912,
        -3700637 / 11593932,
        61727 / 225920,
    ]
)

ERRORS = STAGES[5] - _EMBEDDED
"""Weights of the slopes in the difference between order 4 and order 3."""

MOST_ITERATIONS = 10
CLOSE_ENOUGH = 0.05
"""What Newton's iteration may leave, as a part of the tolerance."""

TINY = 1e-260
"""A state below counts as zero."""


class Functions(NamedTuple):
    """The equations of one model as compiled functions; n states, q free parameters.

    Parameters
    ----------
    prepare : ``prepare(p)``
        Writes into the tail of p what the others take from there, once per patient.
    rhs : ``rhs(t, side, z, logged, p, c, f)``
        Writes dz/dt into f (n,). Branches on straight lines in t are decided at
        ``side``, a time strictly inside the present segment.
    jacobian : ``jacobian(t, side, z, logged, p, c, f, jx, jp)``
        Also writes df/dz (n, n) and df/dp (n, q) by the free parameters.
    start : ``start(p, x, dx)``
        Writes the states at time 0 (n,) and their derivatives (n, q).
    doses : ``doses(p, cells, a, da)``
        Writes what an infusion adds (n,) and its derivatives (n, q).
    lag : ``lag(p, d) -> float``
        Days by which infusions act later; writes its derivatives (q,).
    switches : ``switches(p, times, dtimes)``
        Writes the model's own switch times (k,) and their derivatives (k, q).
    observe : ``observe(which, t, side, x, p, c, gx, gp) -> float``
        Level of assay number ``which`` from the states themselves; writes its
        derivatives by states (n,) and free parameters (q,).
    """

    prepare: Any
    rhs: Any
    jacobian: Any
    start: Any
    doses: Any
    lag: Any
    switches: Any
    observe: Any


@cache
def layout(states: int, free: int, known: int) -> np.dtype:
    """Return the layout of one solver's memory: a record, sized for one model.

    A record is one pointer to the compiled code, with sizes it knows when compiled; a
    tuple of arrays would be a hundred values, counted at every call.

    Parameters
    ----------
    states, free, known : int
        Numbers of states, of free parameters, and of all parameters and covariates.

    Returns
    -------
    dtype
        ``p`` parameters and fixed covariates, ``c`` stepped covariates as they are now;
        ``x`` states and ``dx`` their sensitivities; ``z``, ``dz`` the same as stepped,
        on the log scale where ``logged``; ``floor`` what a state near zero soon grows
        to; ``f`` slopes of z, ``jx``, ``jp`` their derivatives by z and the free
        parameters; ``stages``, ``slopes``, ``dslopes`` those of the stages; ``factors``
        and ``pivots`` of the matrix being solved, ``known`` and ``dknown`` its right
        sides. Then the day ``t`` and length ``h`` of a step and the length ``wanted``
        next, ``side`` a time strictly inside the segment, ``tolerance``; ``code`` how
        it went, ``culprit`` which state is to blame, ``tried`` steps so far.

    Examples
    --------
    >>> layout(4, 7, 9)["dx"].shape
    (4, 7)
    """
    n, q, s = states, max(free, 1), TIMES.size
    sizes = {"p": (max(known, 1),), "c": (max(known, 1),), "pivots": (n,)}
    sizes |= dict.fromkeys(("x", "z", "floor", "f", "known", "logged"), (n,))
    sizes |= dict.fromkeys(("dx", "dz", "jp", "dknown"), (n, q))
    sizes |= dict.fromkeys(("jx", "factors"), (n, n))
    sizes |= dict.fromkeys(("stages", "slopes"), (s, n)) | {"dslopes": (s, n, q)}
    sizes |= dict.fromkeys(("t", "h", "wanted", "side", "tolerance"), ())
    sizes |= dict.fromkeys(("code", "tried", "culprit"), ())
    kinds = dict.fromkeys(sizes, "f8") | {"logged": "u1"}
    kinds |= dict.fromkeys(("pivots", "code", "tried", "culprit"), "i8")
    fields = [(name, kinds[name], size) for name, size in sizes.items()]
    return np.dtype(fields, align=True)


@woven
def begin(functions: Functions, work: Work) -> None:
    """Work out the slopes at the start of a step and their derivatives by states."""
    w = work
    for i in range(w.z.size):
        w.stages[0, i] = w.z[i]
    functions.jacobian(w.t, w.side, w.stages[0], w.logged, w.p, w.c, w.f, w.jx, w.jp)
    _tame(work)
    for i in range(w.z.size):
        w.slopes[0, i] = w.f[i]


@compiled
def _tame(work: Work) -> None:
    """Leave out derivatives that are not finite: those of ``X**0.5`` where X is zero.

    There X is zero whatever the parameters, so that they stand before a zero.
    """
    n, all_logged = work.z.size, True
    for i in range(n):
        all_logged = all_logged and work.logged[i] != 0
    if all_logged:
        return
    for i in range(n):
        for j in range(n):
            if not np.isfinite(work.jx[i, j]):
                work.jx[i, j] = 0.0
        for j in range(work.jp.shape[1]):
            if not np.isfinite(work.jp[i, j]):
                work.jp[i, j] = 0.0


@woven
def attempt(functions: Functions, work: Work) -> float:
    """Try one step; return its error in units of the tolerance, inf where it failed.

    :func:`begin` goes before; the result is the last of ``stages``.
    """
    shift(work, work.h * GAMMA)
    factor(work.factors, work.pivots)
    for stage in range(1, TIMES.size):
        _predict(work, stage)
        if not _newton(functions, work, stage):
            return np.inf
    return _error(work)


@compiled
def shift(work: Work, tau: float) -> None:
    """Write ``1 - tau*J`` where it will be factored."""
    n = work.z.size
    for i in range(n):
        for j in range(n):
            work.factors[i, j] = -tau * work.jx[i, j]
        work.factors[i, i] += 1.0


@compiled
def _predict(work: Work, stage: int) -> None:
    """Gather what is known of a stage; guess that its slope is that of the one before.

    What is known waits in ``slopes`` until the slope is.
    """
    for i in range(work.z.size):
        known = 0.0
        for k in range(stage):
            known += STAGES[stage, k] * work.slopes[k, i]
        known = work.z[i] + work.h * known
        work.slopes[stage, i] = known
        work.stages[stage, i] = known + work.h * GAMMA * work.slopes[stage - 1, i]


@woven
def _newton(functions: Functions, work: Work, stage: int) -> bool:
    """Solve one stage by Newton's iteration with the Jacobian of the step's start."""
    w, y, before = work, work.stages[stage], np.inf
    t, found = work.t + TIMES[stage] * work.h, False
    for iteration in range(MOST_ITERATIONS):
        functions.rhs(t, w.side, y, w.logged, w.p, w.c, w.f)
        size = _correct(work, stage)
        rate = size / before if iteration > 0 else 0.5
        if not (size < np.inf and rate < 2.0):
            break
        if size * rate <= CLOSE_ENOUGH * (1.0 - rate):
            found = True
            break
        before = size
    for i in range(y.size):
        w.slopes[stage, i] = (y[i] - w.slopes[stage, i]) / (w.h * GAMMA)
    return found


@compiled
def _correct(work: Work, stage: int) -> float:
    """Correct a stage once; return by how much, in units of the tolerance."""
    y, known, hg = work.stages[stage], work.slopes[stage], work.h * GAMMA
    for i in range(y.size):
        work.known[i] = known[i] + hg * work.f[i] - y[i]
    solve(work.factors, work.pivots, work.known)
    for i in range(y.size):
        # rounding must not bring the dead to life: it would grow
        if y[i] == 0 and known[i] + hg * work.f[i] == 0 and not work.logged[i]:
            work.known[i] = 0.0
        y[i] += work.known[i]
    return _size(work, y)


@compiled
def _size(work: Work, new: np.ndarray) -> float:
    """Largest of the ``known``, in units of the tolerance; inf where not finite."""
    largest = 0.0
    for i in range(new.size):
        size = abs(work.known[i]) / (work.tolerance * scale(work, i, new[i]))
        if not size < np.inf:
            return np.inf
        largest = max(largest, size)
    return largest


@compiled
def scale(work: Work, i: int, new: float) -> float:
    """Return the size against which a state's errors count: 1 for its log."""
    if work.logged[i]:
        return 1.0
    return max(abs(work.z[i]), abs(new), work.floor[i], TINY)


@compiled
def _error(work: Work) -> float:
    """Return the difference between the two orders, damped for stiff equations."""
    for i in range(work.z.size):
        total = 0.0
        for k in range(TIMES.size):
            total += ERRORS[k] * work.slopes[k, i]
        work.known[i] = work.h * total
    solve(work.factors, work.pivots, work.known)
    return _size(work, work.stages[-1])


@woven
def carry(functions: Functions, work: Work) -> None:
    """Carry sensitivities over an accepted step, exactly: stage by stage.

    Each stage is differentiated as it stands, with its own Jacobian. Nothing here
    changes the states, so a course is the same with and without sensitivities.
    """
    w = work
    _first_slopes(work)
    for stage in range(1, TIMES.size):
        t, y = w.t + TIMES[stage] * w.h, w.stages[stage]
        functions.jacobian(t, w.side, y, w.logged, w.p, w.c, w.f, w.jx, w.jp)
        _tame(work)
        _carry_stage(work, stage)
    for i in range(w.dz.shape[0]):
        for j in range(w.dz.shape[1]):
            w.dz[i, j] = w.dknown[i, j]


@compiled
def _first_slopes(work: Work) -> None:
    """Differentiate the slopes at the start of the step."""
    n, q = work.dz.shape
    for i in range(n):
        for c in range(q):
            work.dslopes[0, i, c] = work.jp[i, c]
        for j in range(n):
            share = work.jx[i, j]
            if share != 0.0:
                for c in range(q):
                    work.dslopes[0, i, c] += share * work.dz[j, c]


@compiled
def _carry_stage(work: Work, stage: int) -> None:
    """Differentiate one stage: its sensitivities end in ``dknown``."""
    n, q = work.dz.shape
    h, known, slope = work.h, work.dknown, work.dslopes[stage]
    for i in range(n):
        for c in range(q):
            total = 0.0
            for k in range(stage):
                total += STAGES[stage, k] * work.dslopes[k, i, c]
            slope[i, c] = work.dz[i, c] + h * total
            known[i, c] = slope[i, c] + h * GAMMA * work.jp[i, c]
    shift(work, h * GAMMA)
    factor(work.factors, work.pivots)
    solve_columns(work.factors, work.pivots, known)
    for i in range(n):
        dead = work.stages[stage, i] == 0 and not work.logged[i]
        for c in range(q):
            if dead and slope[i, c] + h * GAMMA * work.jp[i, c] == 0:
                known[i, c] = 0.0
            slope[i, c] = (known[i, c] - slope[i, c]) / (h * GAMMA)
