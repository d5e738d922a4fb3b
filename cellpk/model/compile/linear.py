"""Small linear systems inside compiled loops: LU with partial pivoting.

For up to some tens of unknowns plain loops beat a call of LAPACK, and skipping zeros
beats it further: Jacobians of compartment models are mostly zeros.
"""

import numba
import numpy as np

compiled = numba.njit(nogil=True, error_model="numpy")


@compiled
def factor(matrix: np.ndarray, pivots: np.ndarray) -> None:
    """Replace a matrix by its factors L and U, rows swapped for the largest pivots.

    Parameters
    ----------
    matrix : array, shape (n, n)
        Overwritten. A singular one gives infinite or undefined factors, no error: the
        caller finds out from the solution.
    pivots : array of int, shape (n,)
        Overwritten: the row that each row was swapped with.

    Examples
    --------
    >>> a, pivots, b = np.array([[0.0, 2.0], [4.0, 0.0]]), np.zeros(2, int), np.ones(2)
    >>> factor(a, pivots)
    >>> solve(a, pivots, b)
    >>> b
    array([0.25, 0.5 ])
    """
    n = matrix.shape[0]
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(matrix[i, k]) > abs(matrix[best, k]):
                best = i
        pivots[k] = best
        if best != k:
            _swap(matrix, k, best)
        inverse = 1.0 / matrix[k, k]
        for i in range(k + 1, n):
            matrix[i, k] *= inverse
            _take_away(matrix[i, k + 1 :], matrix[i, k], matrix[k, k + 1 :])


@compiled
def solve(factors: np.ndarray, pivots: np.ndarray, right: np.ndarray) -> None:
    """Replace a right side by the solution.

    Parameters
    ----------
    factors, pivots : arrays
        From :func:`factor`.
    right : array, shape (n,)
        Overwritten.

    Examples
    --------
    >>> a, pivots, b = np.array([[2.0]]), np.zeros(1, int), np.array([8.0])
    >>> factor(a, pivots)
    >>> solve(a, pivots, b)
    >>> b
    array([4.])
    """
    n = factors.shape[0]
    for k in range(n):
        best = pivots[k]
        right[k], right[best] = right[best], right[k]
    for i in range(1, n):
        total = right[i]
        for j in range(i):
            total -= factors[i, j] * right[j]
        right[i] = total
    for i in range(n - 1, -1, -1):
        total = right[i]
        for j in range(i + 1, n):
            total -= factors[i, j] * right[j]
        right[i] = total / factors[i, i]


@compiled
def solve_columns(factors: np.ndarray, pivots: np.ndarray, right: np.ndarray) -> None:
    """Replace several right sides by their solutions.

    Parameters
    ----------
    factors, pivots : arrays
        From :func:`factor`.
    right : array, shape (n, q)
        One right side per column. Overwritten.

    Examples
    --------
    >>> a, pivots, b = np.array([[2.0]]), np.zeros(1, int), np.array([[8.0, 6.0]])
    >>> factor(a, pivots)
    >>> solve_columns(a, pivots, b)
    >>> b
    array([[4., 3.]])
    """
    n = factors.shape[0]
    for k in range(n):
        if pivots[k] != k:
            _swap(right, k, pivots[k])
    for i in range(1, n):
        for j in range(i):
            _take_away(right[i], factors[i, j], right[j])
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            _take_away(right[i], factors[i, j], right[j])
        inverse = 1.0 / factors[i, i]
        for c in range(right.shape[1]):
            right[i, c] *= inverse


@compiled
def smallest_pivot(matrix: np.ndarray) -> float:
    """Return the smallest pivot of elimination without swaps; the matrix is destroyed.

    All pivots of ``1 - tau*J`` are positive where a compartment model, linear with the
    Jacobian J, grows slower than ``exp(t/tau)``: it is an M-matrix then.

    Examples
    --------
    >>> smallest_pivot(np.array([[2.0, 0.0], [1.0, -3.0]]))
    -3.0
    """
    n = matrix.shape[0]
    smallest = np.inf
    for k in range(n):
        pivot = matrix[k, k]
        if not pivot > 0:
            return pivot
        smallest = min(smallest, pivot)
        for i in range(k + 1, n):
            _take_away(matrix[i, k + 1 :], matrix[i, k] / pivot, matrix[k, k + 1 :])
    return smallest


@compiled
def _swap(matrix: np.ndarray, one: int, other: int) -> None:
    """Swap two rows."""
    for j in range(matrix.shape[1]):
        matrix[one, j], matrix[other, j] = matrix[other, j], matrix[one, j]


@compiled
def _take_away(row: np.ndarray, share: float, other: np.ndarray) -> None:
    """Subtract a share of another row; most shares are zero."""
    if share != 0.0:
        for j in range(row.size):
            row[j] -= share * other[j]
