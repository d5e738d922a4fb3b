"""What is expected of all patients, as numbers that are nearly standard normal, too.

If the samples of each patient told of her parameters as her pull b and precision H say,
coefficients beta would be normal, given the precision P between patients and whatever
the parameters of each are: with A = H + P and her design X, she adds the precision
``X' (P - P inv(A) P) X`` to that of the prior, and the pull ``X' P inv(A) b``. With
their sum ``Q = L L'``,

    beta = inv(Q) r + inv(L') w

has a w that is nearly standard normal for small spreads between patients, where all of
them tell of beta together, as well as for large ones.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.algebra import compiled, inverse_root
from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


class Placed(NamedTuple):
    """Coefficients, and what their slopes need.

    Parameters
    ----------
    beta, centre : ndarray, shape (q,)
        The coefficients, and where they are for w = 0.
    turned : ndarray, shape (q, q)
        Inverse of L.
    log_size : float
        Log of its determinant.
    kept, middle : ndarray, shapes (N, v, v) and (N, v)
        ``inv(A) H`` and ``inv(A) b`` of each patient.

    Examples
    --------
    >>> Placed._fields[:2]
    ('beta', 'centre')
    """

    beta: Array
    centre: Array
    turned: Array
    log_size: float
    kept: Array
    middle: Array


@dataclass(frozen=True, eq=False)
class Location:
    """From standard normal numbers to the coefficients of a population.

    Parameters
    ----------
    pull : ndarray, shape (N, v)
    precision : ndarray, shape (N, v, v)
        What the samples of each patient say of the parameters that vary.
    design : ndarray, shape (N, v, q)
        What each coefficient adds to these.
    prior_pull, prior_precision : ndarray, shape (q,)
        The prior: precision times mean, and precision.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> made = Location(5 * one, 3 * one[None], one[None], np.zeros(1), np.ones(1))
    >>> found = made.forward(np.zeros(1), one)   # P inv(A) b / (1 + P inv(A) H)
    >>> found.beta, found.turned**-2
    (array([0.71428571]), array([[1.75]]))
    """

    pull: Array
    precision: Array
    design: Array
    prior_pull: Array
    prior_precision: Array

    @classmethod
    def of(
        cls, whitening: Whitening, structure: Structure, *, centre: Array, sd: Array
    ) -> "Location":
        """Return the way to coefficients with a normal prior.

        Parameters
        ----------
        whitening : Whitening
            What the samples of each patient say.
        structure : Structure
            How parameters differ between patients.
        centre, sd : ndarray, shape (q,)
            The prior of the coefficients.
        """
        design = np.ascontiguousarray(structure.design[:, structure.varies])
        return cls(
            whitening.pull, whitening.precision, design, centre / sd**2, sd**-2.0
        )

    def forward(self, w: Array, between: Array) -> Placed:
        """Return the coefficients.

        Parameters
        ----------
        w : ndarray, shape (q,)
            Standard normal numbers.
        between : ndarray, shape (v, v)
            Inverse of the covariance between patients.
        """
        return Placed(
            *_forward(
                w,
                between,
                self.pull,
                self.precision,
                self.design,
                self.prior_pull,
                self.prior_precision,
            )
        )

    def prior(self, beta: Array) -> tuple[float, Array]:
        """Return the log prior of coefficients without its constant, and its slope."""
        slope = self.prior_pull - self.prior_precision * beta
        return float(0.5 * beta @ (self.prior_pull + slope)), slope

    def backward(self, by_beta: Array, w: Array, placed: Placed) -> tuple[Array, Array]:
        """Return slopes by w and by ``between`` of a value plus ``log_size``.

        Parameters
        ----------
        by_beta : ndarray, shape (q,)
            Slope of the value by the coefficients.
        w : ndarray, shape (q,)
            As given to :meth:`forward`.
        placed : Placed
            What it returned.

        Returns
        -------
        by_w : ndarray, shape (q,)
        by_between : ndarray, shape (v, v)
            Symmetric.
        """
        turned = placed.turned
        by_w = turned @ by_beta
        u = turned.T @ by_w
        lower = np.tril(np.outer(w, by_w), -1)
        inner = lower + lower.T + np.diag(w * by_w + 1.0)
        by_sum = -0.5 * turned.T @ inner @ turned
        by_sum -= 0.5 * (np.outer(u, placed.centre) + np.outer(placed.centre, u))
        return by_w, _backward(by_sum, u, self.design, placed.kept, placed.middle)


@compiled
def _forward(
    w: Array,
    between: Array,
    pull: Array,
    precision: Array,
    design: Array,
    prior_pull: Array,
    prior_precision: Array,
) -> tuple[Array, Array, Array, float, Array, Array]:
    """See :class:`Placed`."""
    patients, v, q = design.shape
    kept, middle = np.empty((patients, v, v)), np.empty((patients, v))
    total, right = np.diag(prior_precision), prior_pull.copy()
    turned, told, side = np.zeros((v, v)), np.empty((v, v)), np.empty(v)
    for i in range(patients):
        inverse_root(precision[i], between, turned)
        _known(turned, between, pull[i], kept[i], middle[i])
        _product(between, kept[i], told)  # P - P inv(A) P = P inv(A) H
        for a in range(v):
            side[a] = 0.0
            for b in range(v):
                side[a] += between[a, b] * middle[i, b]
        _added(design[i], told, side, total, right)
    nothing, found = np.zeros((q, q)), np.zeros((q, q))
    log_size = inverse_root(total, nothing, found)
    centre, beta = np.zeros(q), np.zeros(q)
    for a in range(q):
        for b in range(a, q):
            beta[a] += found[b, a] * w[b]
            for c in range(b + 1):
                centre[a] += found[b, a] * found[b, c] * right[c]
    return beta + centre, centre, found, log_size, kept, middle


@compiled
def _known(
    turned: Array, between: Array, pull: Array, kept: Array, middle: Array
) -> None:
    """Fill in ``inv(A) H = 1 - inv(A) P`` and ``inv(A) b``."""
    v = pull.size
    inverse = np.zeros((v, v))
    for a in range(v):
        for b in range(v):
            for c in range(max(a, b), v):
                inverse[a, b] += turned[c, a] * turned[c, b]
    for a in range(v):
        middle[a] = 0.0
        for b in range(v):
            middle[a] += inverse[a, b] * pull[b]
            kept[a, b] = 1.0 if a == b else 0.0
            for c in range(v):
                kept[a, b] -= inverse[a, c] * between[c, b]


@compiled
def _added(design: Array, told: Array, side: Array, total: Array, right: Array) -> None:
    """Add what one patient tells of the coefficients."""
    v, q = design.shape
    half = np.empty((v, q))
    _product(told, design, half)
    for k in range(q):
        for a in range(v):
            right[k] += design[a, k] * side[a]
            for j in range(q):
                total[k, j] += design[a, k] * half[a, j]


@compiled
def _backward(
    by_sum: Array, u: Array, design: Array, kept: Array, middle: Array
) -> Array:
    """Return the slope by the precision between patients.

    A change dP of it changes ``P inv(A) H`` by ``K' dP K`` and ``P inv(A) b`` by
    ``K' dP inv(A) b``, where K = inv(A) H.
    """
    patients, v, q = design.shape
    slope, half, whole = np.zeros((v, v)), np.empty((v, q)), np.empty((v, q))
    side = np.empty(v)
    for i in range(patients):
        _product(kept[i], design[i], half)
        _product(half, by_sum, whole)
        for a in range(v):
            side[a] = 0.0
            for k in range(q):
                side[a] += half[a, k] * u[k]
        for a in range(v):
            for b in range(v):
                slope[a, b] += side[a] * middle[i, b]
                for k in range(q):
                    slope[a, b] += whole[a, k] * half[b, k]
    return 0.5 * (slope + slope.T)


@compiled
def _product(one: Array, other: Array, out: Array) -> None:
    """Fill in a product of matrices: these are too small for a call of BLAS."""
    for a in range(one.shape[0]):
        for b in range(other.shape[1]):
            out[a, b] = 0.0
        for c in range(one.shape[1]):
            if one[a, c] != 0.0:
                for b in range(other.shape[1]):
                    out[a, b] += one[a, c] * other[c, b]
