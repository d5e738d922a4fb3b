"""Small linear systems against NumPy."""

import numpy as np
import pytest

from cellpk.model.compile.linear import factor, smallest_pivot, solve, solve_columns

RNG = np.random.default_rng(20260301)


def systems():
    for n in (1, 2, 5, 23):
        yield RNG.normal(size=(n, n))
    yield np.array([[0.0, 1.0], [1.0, 0.0]])
    yield np.eye(4)[[2, 0, 3, 1]]


@pytest.mark.parametrize("matrix", list(systems()))
def test_solutions_equal_those_of_lapack(matrix):
    n = len(matrix)
    one, many = RNG.normal(size=n), RNG.normal(size=(n, 3))
    factors, pivots = matrix.copy(), np.zeros(n, np.int64)
    found, columns = one.copy(), many.copy()
    factor(factors, pivots)
    solve(factors, pivots, found)
    solve_columns(factors, pivots, columns)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, one), rtol=1e-10)
    np.testing.assert_allclose(columns, np.linalg.solve(matrix, many), rtol=1e-10)


def test_a_singular_matrix_gives_no_finite_solution():
    factors, pivots, right = np.ones((2, 2)), np.zeros(2, np.int64), np.array([1.0, 2])
    factor(factors, pivots)
    solve(factors, pivots, right)
    assert not np.isfinite(right).all()


def test_pivots_are_positive_while_growth_is_slow():
    """Growth at 2 a day: 1 - tau*2 stays positive for tau below a half."""
    jacobian = np.array([[2.0, 0.0], [3.0, -5.0]])
    assert smallest_pivot(np.eye(2) - 0.4 * jacobian) == pytest.approx(0.2)
    assert smallest_pivot(np.eye(2) - 0.6 * jacobian) < 0
