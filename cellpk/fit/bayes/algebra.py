"""Products and roots of small matrices in plain loops, for loops over patients.

These are too small for a call of BLAS. No model is called here, so that it is compiled
once a machine, for all models; numba keeps it beside this file.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def times(matrix: Array, x: Array, out: Array) -> None:
    """Fill in a matrix times a vector."""
    for a in range(matrix.shape[0]):
        total = 0.0
        for b in range(x.size):
            total += matrix[a, b] * x[b]
        out[a] = total


@compiled
def times_transposed(matrix: Array, x: Array, out: Array) -> None:
    """Fill in the transpose of a matrix times a vector."""
    out[:] = 0.0
    for a in range(x.size):
        for b in range(out.size):
            out[b] += matrix[a, b] * x[a]


@compiled
def times_lower(lower: Array, x: Array, out: Array) -> None:
    """Fill in a lower triangle times a vector."""
    for a in range(x.size):
        total = 0.0
        for b in range(a + 1):
            total += lower[a, b] * x[b]
        out[a] = total


@compiled
def times_upper(lower: Array, x: Array, out: Array) -> None:
    """Fill in the transpose of a lower triangle times a vector."""
    for a in range(x.size):
        out[a] = 0.0
        for b in range(a + 1):
            out[b] += lower[a, b] * x[a]


@compiled
def around(outer: Array, inner: Array) -> Array:
    """Return ``outer inner outer'``."""
    rows, size = outer.shape
    half, whole = np.empty(size), np.empty((rows, rows))
    for a in range(rows):
        times_transposed(inner, outer[a], half)
        times(outer, half, whole[a])
    return whole


@compiled
def inverse_root(one: Array, other: Array, inverse: Array) -> float:
    """Fill in the inverse of the Cholesky factor of a sum, and return its log size.

    What is above its diagonal is left as it is. The log size is that of its
    determinant: not a number where the sum is not positive definite.
    """
    v = one.shape[0]
    root, size = np.empty((v, v)), 1.0
    for a in range(v):
        for b in range(a + 1):
            total = one[a, b] + other[a, b]
            for c in range(b):
                total -= root[a, c] * root[b, c]
            if a == b:
                inverse[a, a] = 1.0 / math.sqrt(total)
                size *= inverse[a, a]
            root[a, b] = total * inverse[b, b]
    for b in range(v):
        for a in range(b + 1, v):
            total = 0.0
            for c in range(b, a):
                total -= root[a, c] * inverse[c, b]
            inverse[a, b] = total * inverse[a, a]
    return math.log(size)


@compiled
def add_squared(lower: Array, out: Array) -> None:
    """Add ``lower' lower`` below the diagonal and on it."""
    for c in range(lower.shape[0]):
        for a in range(c + 1):
            for b in range(a + 1):
                out[a, b] += lower[c, a] * lower[c, b]


@compiled
def add_between(lower: Array, inner: Array, out: Array) -> None:
    """Add ``lower' inner lower``, with inner symmetric, below the diagonal and on it.

    Only the lower triangle of ``inner`` is read.
    """
    v = lower.shape[0]
    half = np.zeros((v, v))
    for a in range(v):
        for c in range(v):
            weight = inner[a, c] if a > c else inner[c, a]
            for b in range(c + 1):
                half[a, b] += weight * lower[c, b]
    for c in range(v):
        for a in range(c + 1):
            for b in range(a + 1):
                out[a, b] += lower[c, a] * half[c, b]


@compiled
def slope_of_root(x: Array, slope: Array, inner: Array) -> None:
    """Fill in the slope by ``A = R R'`` of what depends on ``inv(R') x``.

    It is ``inv(R') inner inv(R)``; ``slope`` is ``inv(R)`` times the slope by ``inv(R')
    x``. That of the log determinant of ``inv(R)`` is added. Only the lower triangle of
    the symmetric ``inner`` is filled in. Murray I. Differentiation of the Cholesky
    decomposition. arXiv:1602.07527, 2016, equation 10.
    """
    for a in range(x.size):
        for b in range(a):
            inner[a, b] = -0.5 * x[a] * slope[b]
        inner[a, a] = -0.5 * (x[a] * slope[a] + 1.0)


@compiled
def mirror(matrix: Array) -> None:
    """Copy what is below the diagonal to above it."""
    for a in range(matrix.shape[0]):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
