"""The passes from numbers to parameters and back over all patients, in plain loops.

The formulas are those of :mod:`cellpk.fit.bayes.placement`; v of p parameters vary
between N patients, who have d different designs of q coefficients.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.algebra import (
    add_between,
    add_squared,
    around,
    compiled,
    inverse_root,
    mirror,
    slope_of_root,
    times,
    times_lower,
    times_transposed,
    times_upper,
)

Array = NDArray[np.float64]


class Known(NamedTuple):
    """What does not change while numbers are sampled.

    Parameters
    ----------
    pull : ndarray, shape (N, v)
    precision : ndarray, shape (N, v, v)
        What the samples of each patient say of the parameters that vary.
    varies : ndarray of int, shape (v,)
        Which of the p parameters these are.
    designs : ndarray, shape (d, p, q)
        What each coefficient adds to each parameter: designs that differ.
    which : ndarray of int, shape (N,)
        The design of each patient.
    prior_pull, prior_precision : ndarray, shape (q,)
        Prior of the coefficients: precision times mean, and precision.

    Examples
    --------
    >>> Known._fields[:2]
    ('pull', 'precision')
    """

    pull: Array
    precision: Array
    varies: NDArray[np.intp]
    designs: Array
    which: NDArray[np.intp]
    prior_pull: Array
    prior_precision: Array


class Told(NamedTuple):
    """What patients tell of the coefficients.

    Parameters
    ----------
    roots : ndarray, shape (N, v, v)
        ``inv(R)`` of each patient.
    pulled : ndarray, shape (N, v)
        ``inv(R) b`` of each.
    inverses, pulls : ndarray, shapes (d, v, v) and (d, v)
        Sums of ``inv(A)`` and ``inv(A) b`` over patients with the same design.
    counts : ndarray, shape (d,)
        How many these are.

    Examples
    --------
    >>> Told._fields[:2]
    ('roots', 'pulled')
    """

    roots: Array
    pulled: Array
    inverses: Array
    pulls: Array
    counts: Array


class Placed(NamedTuple):
    """Coefficients and parameters, and what their slopes need.

    Parameters
    ----------
    value : float
        Log prior of the coefficients and log density of the patients about what is
        expected of them, in terms of the numbers; without constants and without
        ``log|P|/2`` of each patient. Not a number where an ``A`` is not positive
        definite.
    beta, centre : ndarray, shape (q,)
        The coefficients, and where they are for w = 0.
    root : ndarray, shape (q, q)
        ``inv(L)``.
    theta : ndarray, shape (N, p)
        The parameters.
    away, lag : ndarray, shape (N, v)
        Theta less what is expected; what is expected less theta where z is 0.
    told : Told
        Of each patient.

    Examples
    --------
    >>> Placed._fields[:2]
    ('value', 'beta')
    """

    value: float
    beta: Array
    centre: Array
    root: Array
    theta: Array
    away: Array
    lag: Array
    told: Told


@compiled
def forward(
    w: Array, z: Array, shift: Array, *, between: Array, known: Known
) -> Placed:
    """Return coefficients and parameters, see :class:`Placement`."""
    patients, v = z.shape
    told, value = _told(between, known)
    centre, root, size = _population(between, known, told)
    beta, pull = np.empty(w.size), known.prior_pull
    times_upper(root, w, beta)
    beta += centre
    value += size + (beta * (pull - 0.5 * known.prior_precision * beta)).sum()
    expected = np.empty(known.designs.shape[:2])
    for d in range(len(expected)):
        times(known.designs[d], beta, expected[d])
    theta, away, lag = shift.copy(), np.empty((patients, v)), np.empty((patients, v))
    mean, right, turned = np.empty(v), np.empty(v), np.empty(v)
    for i in range(patients):
        theta[i] += expected[known.which[i]]
        for a in range(v):
            mean[a] = theta[i, known.varies[a]]
        times(between, mean, right)
        times_lower(told.roots[i], right, turned)
        turned += told.pulled[i]
        times_upper(told.roots[i], turned, right)
        times_upper(told.roots[i], z[i], away[i])
        for a in range(v):
            lag[i, a] = mean[a] - right[a]
            theta[i, known.varies[a]] = right[a] + away[i, a]
            away[i, a] -= lag[i, a]
        times(between, away[i], right)
        for a in range(v):
            value -= 0.5 * away[i, a] * right[a]
    return Placed(value, beta, centre, root, theta, away, lag, told)


@compiled
def _told(between: Array, known: Known) -> tuple[Told, float]:
    """Return what patients tell, and the log size of all ``inv(R)``."""
    patients, v = known.pull.shape
    groups, size = len(known.designs), 0.0
    roots, pulled = np.zeros((patients, v, v)), np.empty((patients, v))
    inverses, pulls = np.zeros((groups, v, v)), np.zeros((groups, v))
    counts, side = np.zeros(groups), np.empty(v)
    for i in range(patients):
        d = known.which[i]
        size += inverse_root(known.precision[i], between, roots[i])
        times_lower(roots[i], known.pull[i], pulled[i])
        times_upper(roots[i], pulled[i], side)
        pulls[d] += side
        add_squared(roots[i], inverses[d])
        counts[d] += 1.0
    for d in range(groups):
        mirror(inverses[d])
    return Told(roots, pulled, inverses, pulls, counts), size


@compiled
def _population(between: Array, known: Known, told: Told) -> tuple[Array, Array, float]:
    """Return ``inv(Q) r``, ``inv(L)`` and the log size of the latter."""
    groups, _, q = known.designs.shape
    v = known.varies.size
    total, right = np.diag(known.prior_precision), known.prior_pull.copy()
    side, more = np.empty(v), np.empty(q)
    for d in range(groups):
        across = np.ascontiguousarray(known.designs[d][known.varies].T)
        precision = told.counts[d] * between - around(between, told.inverses[d])
        total += around(across, precision)
        times(between, told.pulls[d], side)
        times(across, side, more)
        right += more
    root, centre = np.zeros((q, q)), np.empty(q)
    size = inverse_root(total, np.zeros((q, q)), root)
    times_lower(root, right, more)
    times_upper(root, more, centre)
    return centre, root, size


@compiled
def backward(
    score: Array, placed: Placed, *, w: Array, z: Array, between: Array, known: Known
) -> tuple[Array, Array, Array, Array]:
    """Return slopes by w, z, what is expected and ``between``."""
    by_z, by_shift, moved = _by_patients(score, placed, between, known)
    by_beta = known.prior_pull - known.prior_precision * placed.beta
    sums, more = np.zeros(known.designs.shape[:2]), np.empty(w.size)
    for i in range(len(z)):
        sums[known.which[i]] += by_shift[i]
    for d in range(len(sums)):
        times_transposed(known.designs[d], sums[d], more)
        by_beta += more
    by_w, by_right = np.empty(w.size), np.empty(w.size)
    times_lower(placed.root, by_beta, by_w)
    times_upper(placed.root, by_w, by_right)
    by_total = _by_total(w, by_w, by_right, placed)
    by_between, told, pressed = _by_told(by_total, by_right, placed, between, known)
    _by_roots(placed, z, by_z, known.which, told, pressed, by_between)
    for i in range(len(z)):
        for a in range(moved.shape[1]):
            for b in range(moved.shape[1]):
                by_between[a, b] += moved[i, a] * placed.lag[i, b]
                by_between[a, b] -= 0.5 * placed.away[i, a] * placed.away[i, b]
    return by_w, by_z, by_shift, 0.5 * (by_between + by_between.T)


@compiled
def _by_patients(
    score: Array, placed: Placed, between: Array, known: Known
) -> tuple[Array, Array, Array]:
    """Return slopes by z, by what is expected, and ``inv(R')`` times those by z."""
    patients, v = placed.away.shape
    by_z, by_mean = np.empty((patients, v)), score.copy()
    moved, pressed, side = np.empty((patients, v)), np.empty(v), np.empty(v)
    for i in range(patients):
        times(between, placed.away[i], pressed)
        for a in range(v):
            side[a] = score[i, known.varies[a]] - pressed[a]
        times_lower(placed.told.roots[i], side, by_z[i])
        times_upper(placed.told.roots[i], by_z[i], moved[i])
        times(between, moved[i], side)
        for a in range(v):
            by_mean[i, known.varies[a]] = side[a] + pressed[a]
    return by_z, by_mean, moved


@compiled
def _by_total(w: Array, by_w: Array, by_right: Array, placed: Placed) -> Array:
    """Return the slope by Q, where that by r is ``by_right``."""
    q = w.size
    inner, slope = np.empty((q, q)), np.zeros((q, q))
    slope_of_root(w, by_w, inner)
    add_between(placed.root, inner, slope)
    mirror(slope)
    for a in range(q):
        for b in range(q):
            slope[a, b] -= 0.5 * by_right[a] * placed.centre[b]
            slope[a, b] -= 0.5 * by_right[b] * placed.centre[a]
    return slope


@compiled
def _by_told(
    by_total: Array, by_right: Array, placed: Placed, between: Array, known: Known
) -> tuple[Array, Array, Array]:
    """Return the slope by P where ``inv(A)`` is held, and what those by it need.

    Of each design these are, with G and g the slopes by ``P - P inv(A) P`` and by ``P
    inv(A) b``, ``P G P`` and ``P g``: the slope by ``-inv(A)``, and that by ``inv(A)
    b``.
    """
    groups, v = placed.told.pulls.shape
    by_between = np.zeros((v, v))
    outer, pressed = np.empty((groups, v, v)), np.empty((groups, v))
    side, half, row = np.empty(v), np.empty(v), np.empty(v)
    for d in range(groups):
        design = known.designs[d][known.varies]
        slope = around(design, by_total)
        times(design, by_right, side)
        outer[d] = around(between, slope)
        times(between, side, pressed[d])
        by_between += placed.told.counts[d] * slope
        for a in range(v):
            times(between, placed.told.inverses[d, a], half)
            times(slope, half, row)
            by_between[a] += side[a] * placed.told.pulls[d] - 2.0 * row
    return by_between, outer, pressed


@compiled
def _by_roots(
    placed: Placed,
    z: Array,
    by_z: Array,
    which: NDArray[np.intp],
    outer: Array,
    pressed: Array,
    by_between: Array,
) -> None:
    """Add the slope by P through ``A = H + P`` of each patient.

    It is ``inv(R') inner inv(R)``, with inner from z and from what she tells.
    """
    patients, v = z.shape
    inner, turned = np.empty((v, v)), np.empty(v)
    total, row = np.zeros((v, v)), np.empty(v)
    for i in range(patients):
        root, pulled = placed.told.roots[i], placed.told.pulled[i]
        slope_of_root(z[i], by_z[i], inner)
        times_lower(root, pressed[which[i]], turned)
        for a in range(v):
            row[:] = 0.0
            for c in range(a + 1):
                for b in range(v):
                    row[b] += root[a, c] * outer[which[i], c, b]
            for b in range(a + 1):
                inner[a, b] -= 0.5 * (turned[a] * pulled[b] + turned[b] * pulled[a])
                for c in range(b + 1):
                    inner[a, b] += row[c] * root[b, c]
        add_between(root, inner, total)
    mirror(total)
    by_between += total
