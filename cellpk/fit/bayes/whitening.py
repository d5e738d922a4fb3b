"""The parameters of every patient as numbers that are nearly standard normal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Whitening:
    """What is known of each patient besides the population, roughly.

    If the samples of a patient told of her parameters like a normal distribution with
    the precision H and the pull b, they would be normal given the population, too: with
    the precision A = H + P and the mean (b + P m) / A, where m is expected of her and P
    is the precision between patients. Numbers z with

        theta = A^-1 (b + P m) + R^-T z,  A = R R^T

    would be standard normal whatever m and P are. The samples tell otherwise, and z is
    so only nearly; as a change of variables it is exact.

    Parameters
    ----------
    pull : ndarray, shape (N, v)
    precision : ndarray, shape (N, v, v)
        b and H of each patient, of the parameters that vary.

    References
    ----------
    Papaspiliopoulos O, Roberts GO, Skold M. A general framework for the parametrization
    of hierarchical models. Stat Sci 2007;22:59-73 (partially non-centred, here by the
    full precision of each patient).

    Examples
    --------
    >>> none = Whitening(np.zeros((1, 1)), np.zeros((1, 1, 1)))   # non-centred
    >>> none.theta(np.array([[2.0]]), np.array([[1.0]]), np.array([[4.0]]))
    array([[2.]])
    """

    pull: Array
    precision: Array

    def theta(self, z: Array, mean: Array, between: Array) -> Array:
        """Return parameters from the numbers.

        Parameters
        ----------
        z, mean : ndarray, shape (N, v)
            The numbers, and what is expected of each patient.
        between : ndarray, shape (v, v)
            Precision between patients.

        Returns
        -------
        ndarray, shape (N, v)
        """
        return self.forward(z, mean, between)[0]

    def forward(
        self, z: Array, mean: Array, between: Array
    ) -> tuple[Array, Array, Array]:
        """Return parameters, the root's inverse and the centre."""
        root = np.linalg.inv(np.linalg.cholesky(self.precision + between))
        turned = np.swapaxes(root, -1, -2)
        pull = self.pull + mean @ between
        centre = (turned @ (root @ pull[..., None]))[..., 0]
        return centre + (turned @ z[..., None])[..., 0], root, centre


def whitening(
    mean: Array,
    covariance: Array,
    *,
    expected: Array,
    between: Array,
    told: NDArray[np.bool_],
) -> Whitening:
    """Return the whitening that suits moments of the patients at one population.

    Parameters
    ----------
    mean, covariance : ndarray, shapes (N, v) and (N, v, v)
        Of each patient's parameters given her samples.
    expected : ndarray, shape (N, v)
        What the population lets expect of each patient.
    between : ndarray, shape (v, v)
        Precision between patients.
    told : ndarray of bool, shape (N,)
        Whose samples say that cells expanded; those of others tell nothing here.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> made = whitening(one, one[None] / 4, expected=0 * one, between=one,
    ...                  told=np.array([True]))
    >>> made.precision, made.pull               # 4 = 3 + 1, and mean 1 = (b + 0) / 4
    (array([[[3.]]]), array([[4.]]))
    """
    scale = np.linalg.cholesky(between)
    own = np.linalg.inv(covariance) - between
    # In units of the spread between patients, where 0 is nothing told.
    inverse = np.linalg.inv(scale)
    values, directions = np.linalg.eigh(inverse @ own @ inverse.T)
    values = np.where(told[:, None], np.maximum(values, _LEAST), 0.0)
    turned = np.swapaxes(directions, -1, -2)
    precision = scale @ ((directions * values[:, None, :]) @ turned) @ scale.T
    total = precision + between
    pull = (total @ mean[..., None])[..., 0] - expected @ between
    return Whitening(np.where(told[:, None], pull, 0.0), precision)
