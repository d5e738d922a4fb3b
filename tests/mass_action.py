"""Mass action among five states, written by hand for the solver: one compilation.

``p`` holds six rate constants, the day T of a switch, a lag, a dose factor, the scale
of the start (all free), then five start values and six reactions of eight numbers each:
two reactants (-1 for none), window (0 always, 1 before T, 2 after T), and what it adds
to each state. Reaction 5 is multiplied by the stepped covariate; doses go to state 0.
"""

import math

import numpy as np
from numba import njit

from cellpk.model.compile.esdirk import Functions, layout
from cellpk.model.compile.integrate import Task, solve_patients
from cellpk.model.compile.timeline import make_stops

STATES, REACTIONS, FREE, T, LAG, FACTOR, SCALE = 5, 6, 10, 6, 7, 8, 9
TABLE = FREE + STATES

jit = njit(nogil=True, error_model="numpy")


@jit
def reaction(r, side, x, p, c):
    """Rate constant, both reactants (value and number) of one reaction."""
    row = TABLE + 8 * r
    k = p[r] * (c[0] if r == 5 else 1.0)
    if (p[row + 2] == 1 and side >= p[T]) or (p[row + 2] == 2 and side < p[T]):
        k = 0.0
    a, b = int(p[row]), int(p[row + 1])
    return k, (x[a] if a >= 0 else 1.0), (x[b] if b >= 0 else 1.0), a, b


@jit
def natural(z, logged):
    x = np.empty(STATES)
    for i in range(STATES):
        x[i] = math.exp(z[i]) if logged[i] else max(z[i], 0.0)
    return x


@jit
def prepare(p):
    pass


@jit
def rhs(t, side, z, logged, p, c, f):
    x = natural(z, logged)
    f[:] = 0.0
    for r in range(REACTIONS):
        k, xa, xb, _, _ = reaction(r, side, x, p, c)
        for i in range(STATES):
            f[i] += p[TABLE + 8 * r + 3 + i] * k * xa * xb
    for i in range(STATES):
        f[i] *= 1 / x[i] if logged[i] else 1.0


@jit
def jacobian(t, side, z, logged, p, *rest):
    c, f, jx, jp = rest
    x = natural(z, logged)
    rhs(t, side, z, logged, p, c, f)
    jx[:, :] = 0.0
    jp[:, :] = 0.0
    for r in range(REACTIONS):
        k, xa, xb, a, b = reaction(r, side, x, p, c)
        for i in range(STATES):
            share = p[TABLE + 8 * r + 3 + i] * (1 / x[i] if logged[i] else 1.0)
            jp[i, r] += share * (k / p[r] if p[r] != 0 else 0.0) * xa * xb
            if a >= 0:
                jx[i, a] += share * k * xb * (x[a] if logged[a] else 1.0)
            if b >= 0:
                jx[i, b] += share * k * xa * (x[b] if logged[b] else 1.0)
    for i in range(STATES):
        jx[i, i] -= f[i] if logged[i] else 0.0


@jit
def start(p, x, dx):
    dx[:, :] = 0.0
    for i in range(STATES):
        x[i] = p[SCALE] * p[FREE + i]
        dx[i, SCALE] = p[FREE + i]


@jit
def doses(p, cells, a, da):
    a[:] = 0.0
    da[:, :] = 0.0
    a[0] = p[FACTOR] * cells
    da[0, FACTOR] = cells


@jit
def lag(p, d):
    d[:] = 0.0
    d[LAG] = 1.0
    return p[LAG]


@jit
def switches(p, times, dtimes):
    dtimes[:, :] = 0.0
    times[0], dtimes[0, T] = p[T], 1.0


@jit
def observe(which, t, side, x, p, c, gx, gp):
    gx[:] = 0.0
    gp[:] = 0.0
    gx[which] = 1.0
    return x[which]


@njit(nogil=True, error_model="numpy")
def solve(task):
    parts = Functions(prepare, rhs, jacobian, start, doses, lag, switches, observe)
    solve_patients(parts, task)


def parameters(reactions, start, rates, *, switch=math.inf, lag=0.0):
    """``p`` from ``{(reactant, reactant, window): {state: change}}``."""
    table = np.zeros((REACTIONS, 8))
    table[:, :2] = -1
    for r, ((a, b, window), changes) in enumerate(reactions):
        table[r, :3] = a, b, window
        for state, change in changes.items():
            table[r, 3 + state] = change
    rates = [*rates, *[0.0] * (REACTIONS - len(rates))]
    start = [*start, *[0.0] * (STATES - len(start))]
    return np.array([*rates, switch, lag, 1.0, 1.0, *start, *table.ravel()])


def follow(p, days, *, which=0, infusions=(), steps=(), tolerance=1e-8, gradient=True):
    """Solve; ``infusions`` are (day, cells), ``steps`` (day, value), 1 before."""
    p, m = np.atleast_2d(p).astype(float), len(days)
    n = len(p)
    when, cells = np.array(infusions, float).reshape(-1, 2).T.copy()
    change_days, changes = np.array(steps, float).reshape(-1, 2).T.copy()
    task = Task(
        work=np.zeros(1, layout(STATES, FREE, p.shape[1])),
        stops=make_stops(FREE, (1, change_days, np.array(days, float), when)),
        p=p,
        times=np.array(days, float)[None],
        cells=cells,
        references=np.ones(1),
        changed=np.zeros(len(changes), np.int64),
        changes=changes,
        which=which,
        tolerance=tolerance,
        levels=np.full((n, m), np.nan),
        gradient=np.full((n if gradient else 0, m, FREE), np.nan),
        states=np.full((n, m, STATES), np.nan),
        codes=np.full(n, -1),
        days=np.zeros(n),
        culprits=np.zeros(n, np.int64),
        tried=np.zeros(n, np.int64),
    )
    solve(task)
    return task
