"""What a population fit is about, and what it estimates at one moment."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


class Errors(Protocol):
    """The residual errors of all assays, as the logs of their parameters."""

    @property
    def logs(self) -> Array:
        """Logs of all parameters, shape (k,)."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, such as "qpcr sd"."""
        ...

    @property
    def ranges(self) -> Array:
        """Least and largest logs that are sought, shape (2, k)."""
        ...

    def with_logs(self, logs: Array) -> "Errors":
        """Return errors with other parameters."""
        ...


class Data(Protocol):
    """The samples of all patients, and the model that gives their levels."""

    @property
    def patients(self) -> tuple[str, ...]:
        """Who was sampled."""
        ...

    @property
    def all_below(self) -> NDArray[np.bool_]:
        """In whom nothing was quantified, detected or above the upper limit."""
        ...

    def of(self, rows: NDArray[np.intp]) -> "Data":
        """Return the samples of some patients, given by their places in order."""
        ...

    def levels(self, theta: Array) -> list[Array]:
        """Return log levels at the samples of each assay, (..., patients, n)."""
        ...

    def score(self, theta: Array, errors: Errors) -> Array:
        """Return the slope of the log likelihood by theta, (..., patients, p)."""
        ...

    def log_likelihood(self, levels: list[Array], errors: Errors) -> Array:
        """Return the log likelihood of each patient, shape (..., patients)."""
        ...

    def error_gradient(self, levels: list[Array], errors: Errors) -> Array:
        """Return its slope by the logs of the errors, shape (..., patients, k)."""
        ...

    def no_cells(self, errors: Errors) -> tuple[Array, Array]:
        """Return both for a level of zero; minus infinity and 0 where it cannot be."""
        ...


@dataclass(frozen=True, eq=False)
class Sampled:
    """What a population fit is about: samples, and how patients may differ.

    Parameters
    ----------
    data : Data
        The samples.
    structure : Structure
        How parameters differ between patients.

    Examples
    --------
    >>> sorted(Sampled.__annotations__)
    ['data', 'structure']
    """

    data: Data
    structure: Structure


@dataclass(frozen=True, eq=False)
class State:
    """Estimates of a population.

    Parameters
    ----------
    beta : ndarray, shape (q,)
        Typical values and effects of covariates, on the transformed scales.
    omega : ndarray, shape (p, p)
        Covariance between patients; rows of 0 where a parameter does not differ.
    errors : Errors
        Residual errors.
    never : float
        Share of patients in whom cells never expand; 0 where there is no such class.
    lot_sd : ndarray, shape (d,)
        SDs between donor lots; empty where lots do not differ.

    Examples
    --------
    >>> sorted(State.__annotations__)
    ['beta', 'errors', 'lot_sd', 'never', 'omega']
    """

    beta: Array
    omega: Array
    errors: Errors
    never: float = 0.0
    lot_sd: Array = field(default_factory=lambda: np.zeros(0))

    def numbers(self) -> Array:
        """Return what a trace shows: coefficients, SDs, errors, share and lots."""
        spread = np.sqrt(np.diag(self.omega))
        return np.concatenate(
            [
                self.beta,
                spread,
                np.exp(self.errors.logs),
                [self.never],
                self.lot_sd,
            ]
        )
