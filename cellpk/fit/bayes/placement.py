"""Population and patients as numbers that are nearly standard normal, and slopes back.

What the samples of patient i say of her parameters is close to ``exp(b.theta - theta'H
theta/2)`` up to a factor: see :mod:`~cellpk.fit.bayes.whitening`. Where m is
expected of her and P is the inverse of the covariance between patients, her parameters
are then normal with precision ``A = H + P`` about ``inv(A) (b + P m)``. With ``A = R
R'``, R lower,

    theta = inv(A) (b + P m) + inv(R') z

has a z that is standard normal and does not move with the population.

Whatever the parameters of each are, coefficients beta would be normal, too: with her
design X, so that ``m = X beta``, she adds the precision ``X' (P - P inv(A) P) X`` to
that of the prior, and the pull ``X' P inv(A) b``. With their sums ``Q = L L'`` and r,

    beta = inv(Q) r + inv(L') w

has a w that is nearly standard normal for small spreads between patients, where all of
them tell of beta together, as well as for large ones. What patients tell is summed over
those with the same design before it is multiplied by it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.passes import Known, Placed, backward, forward
from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placement:
    """The way from standard normal numbers to coefficients and parameters, and back.

    Parameters
    ----------
    known : Known
        What does not change while numbers are sampled.

    Examples
    --------
    >>> from cellpk.fit.population.structure import Structure
    >>> one, plain = np.ones((1, 1)), Structure.without_covariates(("rate",), 1)
    >>> white = Whitening(5 * one, 3 * one[None], np.array([True]))
    >>> made = Placement.of(white, plain, centre=np.zeros(1), sd=np.ones(1))
    >>> found = made.forward(np.zeros(1), 2 * one, 0 * one, between=one)
    >>> found.beta                           # P inv(A) b / (1 + P inv(A) H)
    array([0.71428571])
    >>> found.theta                          # (5 + 0.7143)/4 + 2/2
    array([[2.42857143]])
    """

    known: Known

    @classmethod
    def of(
        cls, whitening: Whitening, structure: Structure, *, centre: Array, sd: Array
    ) -> "Placement":
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
        designs, which = np.unique(structure.design, axis=0, return_inverse=True)
        return cls(
            Known(
                np.ascontiguousarray(whitening.pull),
                np.ascontiguousarray(whitening.precision),
                np.flatnonzero(whitening.varies),
                np.ascontiguousarray(designs),
                which.ravel(),
                centre / sd**2,
                sd**-2.0,
            )
        )

    def forward(self, w: Array, z: Array, shift: Array, *, between: Array) -> Placed:
        """Return coefficients and parameters.

        Parameters
        ----------
        w : ndarray, shape (q,)
            Numbers that stand for the coefficients.
        z : ndarray, shape (N, v)
            Numbers that stand for the patients' parameters.
        shift : ndarray, shape (N, p)
            What lots add to what is expected of each patient.
        between : ndarray, shape (v, v)
            Inverse of the covariance between patients.
        """
        return forward(w, z, shift, between=between, known=self.known)

    def backward(
        self, score: Array, placed: Placed, *, w: Array, z: Array, between: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Return slopes of the log likelihood plus the value of ``placed``.

        Parameters
        ----------
        score : ndarray, shape (N, p)
            Slope of the log likelihood by the parameters.
        placed : Placed
            What :meth:`forward` returned.
        w, z, between : ndarray
            As given to it.

        Returns
        -------
        by_w : ndarray, shape (q,)
        by_z : ndarray, shape (N, v)
        by_shift : ndarray, shape (N, p)
        by_between : ndarray, shape (v, v)
            Symmetric: what a symmetric change adds is the sum of its product with this.
        """
        return backward(score, placed, w=w, z=z, between=between, known=self.known)
