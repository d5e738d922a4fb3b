"""How parameters differ between patients: typical values, covariates, spread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.lots import Lots

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Structure:
    """A linear model of the parameters on their transformed scales.

    Each patient's parameters are normal about ``design @ beta`` with one covariance.

    Parameters
    ----------
    names : tuple of str
        The p parameters.
    design : ndarray, shape (patients, p, q)
        What each coefficient adds to each parameter of each patient.
    coefficients : tuple of str
        The q coefficients: typical values first, by the name of their parameter.
    correlated : ndarray of bool, shape (p, p)
        Which covariances are estimated; the diagonal says which parameters differ
        between patients at all.
    lots : Lots, optional
        Which patients share a donor lot, and in which parameters lots differ.
    size : ndarray, shape (p,), optional
        How large a difference of each parameter is of note, on its transformed scale:
        1 where not given, as suits a log or a logit; a parameter on its own scale is
        measured by what is usual of it.

    Examples
    --------
    >>> plain = Structure.without_covariates(("tmax", "cmax"), 3)
    >>> plain.means(np.array([2.0, 10.0]))[0]
    array([ 2., 10.])
    """

    names: tuple[str, ...]
    design: Array
    coefficients: tuple[str, ...]
    correlated: NDArray[np.bool_]
    lots: Lots | None = None
    size: Array | None = None

    @classmethod
    def without_covariates(
        cls, names: tuple[str, ...], patients: int, *, full: bool = False
    ) -> "Structure":
        """Return a typical value for each parameter, and nothing else.

        Parameters
        ----------
        names : tuple of str
            The parameters.
        patients : int
            How many patients there are.
        full : bool
            Whether all covariances are estimated, or variances only.

        Examples
        --------
        >>> Structure.without_covariates(("tmax",), 2).design.shape
        (2, 1, 1)
        """
        size = len(names)
        design = np.broadcast_to(np.eye(size), (patients, size, size))
        correlated = np.ones((size, size), bool) if full else np.eye(size, dtype=bool)
        return cls(names, design, names, correlated)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Which parameters differ between patients by chance, shape (p,)."""
        return np.diag(self.correlated)

    @property
    def shared(self) -> NDArray[np.bool_]:
        """Which coefficients act on parameters without spread only, shape (q,)."""
        return ~self.design[:, self.varies].any(axis=(0, 1))

    @property
    def sizes(self) -> Array:
        """How large a difference of each parameter is of note, shape (p,)."""
        return np.ones(len(self.names)) if self.size is None else self.size

    @property
    def coefficient_sizes(self) -> Array:
        """The coefficients that move their parameter by as much, shape (q,)."""
        moved = np.sqrt(np.square(self.design).mean(0))
        return 1 / (moved / self.sizes[:, None]).sum(0)

    def is_proper(self, omega: Array) -> bool:
        """Say whether a matrix can be the covariance of what varies."""
        varies = self.varies
        alike = (omega / np.outer(self.sizes, self.sizes))[np.ix_(varies, varies)]
        return bool(np.linalg.eigvalsh(alike)[0] > 0)

    def means(self, beta: Array) -> Array:
        """Return what the parameters of each patient are expected to be.

        Parameters
        ----------
        beta : ndarray, shape (q,)
            Coefficients.

        Returns
        -------
        ndarray, shape (patients, p)
        """
        return self.design @ beta

    def beta(self, mean: Array, omega: Array) -> Array:
        """Return the coefficients that suit the patients' mean parameters best.

        Generalised least squares.

        Parameters
        ----------
        mean : ndarray, shape (patients, p)
            Parameters, averaged over what they may be.
        omega : ndarray, shape (p, p)
            Covariance between patients.

        Returns
        -------
        ndarray, shape (q,)
        """
        weighted = np.linalg.solve(omega, self.design)
        normal = np.einsum("ipa,ipb->ab", self.design, weighted)
        return np.linalg.solve(normal, np.einsum("ipa,ip->a", weighted, mean))

    def omega(self, mean: Array, second: Array, beta: Array) -> Array:
        """Return the covariance between patients.

        Parameters
        ----------
        mean : ndarray, shape (patients, p)
            Parameters, averaged over what they may be.
        second : ndarray, shape (p, p)
            Sum over patients of the averaged outer products of the parameters.
        beta : ndarray, shape (q,)
            Coefficients.

        Returns
        -------
        ndarray, shape (p, p)
            0 where no covariance is estimated.
        """
        expected = self.means(beta)
        cross = mean.T @ expected
        total = second - cross - cross.T + expected.T @ expected
        omega = np.where(self.correlated, total / len(mean), 0.0)
        apart = np.diag(np.diag(omega))
        while not self.is_proper(omega) and not np.allclose(omega, apart):
            omega = (omega + apart) / 2  # pairs alone may contradict one another
        return omega
