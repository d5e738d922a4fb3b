"""Patients' parameters from standard normal numbers, and slopes back, in plain loops.

No model is called here, so that it is compiled once a machine, for all models; numba
keeps it beside this file. The formulas are those of
:class:`~cellpk.fit.bayes.whitening.Whitening`; v parameters vary between N patients.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def forward(
    z: Array, mean: Array, between: Array, *, pull: Array, precision: Array
) -> tuple[Array, Array, Array, Array]:
    """Return parameters for standard normal numbers.

    Parameters
    ----------
    z, mean, pull : ndarray, shape (N, v)
        Standard normal numbers, what is expected of each patient, and the pull of her
        samples.
    between : ndarray, shape (v, v)
        Inverse of the covariance between patients.
    precision : ndarray, shape (N, v, v)
        Of what the samples say.

    Returns
    -------
    theta : ndarray, shape (N, v)
        Not a number where ``precision + between`` is not positive definite.
    centre : ndarray, shape (N, v)
        Theta where z is 0.
    turned : ndarray, shape (N, v, v)
        Inverse of the lower Cholesky factor R of ``precision + between``.
    value : ndarray, shape (N,)
        Log of the determinant of ``inv(R)``, less half the square of the distance from
        what is expected.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> found = forward(2 * one, one, one, pull=5 * one, precision=3 * one[None])
    >>> found[0], found[1], found[2][0]                    # (5 + 1)/4 + 2/2
    (array([[2.5]]), array([[1.5]]), array([[0.5]]))
    """
    patients, v = z.shape
    theta, centre = np.empty((patients, v)), np.empty((patients, v))
    turned, value = np.zeros((patients, v, v)), np.empty(patients)
    right, middle = np.empty(v), np.empty(v)
    for i in range(patients):
        log_size = _inverse_root(precision[i], between, turned[i])
        _times(between, mean[i], right)
        right += pull[i]
        _times_lower(turned[i], right, middle)
        _times_upper(turned[i], middle, centre[i])
        _times_upper(turned[i], z[i], theta[i])
        theta[i] += centre[i]
        away = theta[i] - mean[i]
        _times(between, away, right)
        value[i] = log_size
        for a in range(v):
            value[i] -= 0.5 * away[a] * right[a]
    return theta, centre, turned, value


@compiled
def _times(matrix: Array, x: Array, out: Array) -> None:
    """Fill in a matrix times a vector: these are too small for a call of BLAS."""
    for a in range(x.size):
        out[a] = 0.0
        for b in range(x.size):
            out[a] += matrix[a, b] * x[b]


@compiled
def _times_lower(turned: Array, x: Array, out: Array) -> None:
    """Fill in a lower triangle times a vector."""
    for a in range(x.size):
        out[a] = 0.0
        for b in range(a + 1):
            out[a] += turned[a, b] * x[b]


@compiled
def _times_upper(turned: Array, x: Array, out: Array) -> None:
    """Fill in the transpose of a lower triangle times a vector."""
    for a in range(x.size):
        out[a] = 0.0
        for b in range(a, x.size):
            out[a] += turned[b, a] * x[b]


@compiled
def _inverse_root(one: Array, other: Array, turned: Array) -> float:
    """Fill in the inverse of the Cholesky factor of a sum, and return its log size."""
    v = one.shape[0]
    root, log_size = np.empty((v, v)), 0.0
    for a in range(v):
        for b in range(a + 1):
            total = one[a, b] + other[a, b]
            for c in range(b):
                total -= root[a, c] * root[b, c]
            if a == b:
                turned[a, a] = 1.0 / math.sqrt(total)
                log_size += math.log(turned[a, a])
            root[a, b] = total * turned[b, b]
    for b in range(v):
        for a in range(b + 1, v):
            total = 0.0
            for c in range(b, a):
                total -= root[a, c] * turned[c, b]
            turned[a, b] = total * turned[a, a]
    return log_size


@compiled
def backward(
    score: Array,
    found: tuple[Array, Array, Array, Array],
    *,
    z: Array,
    mean: Array,
    between: Array,
) -> tuple[Array, Array, Array]:
    """Return slopes of the log likelihood plus the value that :func:`forward` returns.

    The slope by the Cholesky factor is that of Murray I. Differentiation of the
    Cholesky decomposition. arXiv:1602.07527, 2016, equation 10.

    Parameters
    ----------
    score : ndarray, shape (N, v)
        Slope of each patient's log likelihood by her parameters.
    found : tuple
        What :func:`forward` returns.
    z, mean, between : ndarray
        As given to it.

    Returns
    -------
    by_z, by_mean : ndarray, shape (N, v)
    by_between : ndarray, shape (v, v)
        Symmetric: what a symmetric change adds is the sum of its product with this.
    """
    theta, centre, turned, _ = found
    patients, v = z.shape
    by_z, by_mean = np.empty((patients, v)), np.empty((patients, v))
    by_between = np.zeros((v, v))
    pressed, u, half = np.empty(v), np.empty(v), np.empty((v, v))
    for i in range(patients):
        away = theta[i] - mean[i]
        _times(between, away, pressed)
        _times_lower(turned[i], score[i] - pressed, by_z[i])
        _times_upper(turned[i], by_z[i], u)
        _times(between, u, by_mean[i])
        by_mean[i] += pressed
        _by_root(z[i], by_z[i], turned[i], half)
        for a in range(v):
            for b in range(v):
                total = u[a] * (mean[i, b] - centre[i, b]) - 0.5 * away[a] * away[b]
                for c in range(a, v):
                    total += turned[i, c, a] * half[c, b]
                by_between[a, b] += total
    return by_z, by_mean, 0.5 * (by_between + by_between.T)


@compiled
def _by_root(z: Array, by_z: Array, turned: Array, half: Array) -> None:
    """Fill in the slope by ``precision + between`` through R, less its left factor."""
    v = z.size
    for a in range(v):
        for b in range(v):
            half[a, b] = -0.5 * turned[a, b]
            for c in range(b, v):
                slope = z[a] * by_z[c] if a > c else z[c] * by_z[a]
                half[a, b] -= 0.5 * slope * turned[c, b]
