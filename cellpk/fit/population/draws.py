"""Draws of what a population may be."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.state import Errors, State
from cellpk.fit.population.structure import Structure
from cellpk.fit.residual_error import ResidualError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PopulationDraws:
    """What a population may be: S draws, each as a fit would estimate it.

    Parameters
    ----------
    beta : ndarray, shape (S, q)
        Typical values and effects of covariates, on the transformed scales.
    omega : ndarray, shape (S, p, p)
        Covariance between patients.
    errors : ndarray, shape (S, k)
        Logs of the residual errors.
    never : ndarray, shape (S,)
        Share of patients whose cells never expand; 0 where there is no such class.
    lot_sd : ndarray, shape (S, d)
        SDs between donor lots.
    form : Errors
        The residual errors, of which the numbers are not used.

    Examples
    --------
    >>> sorted(PopulationDraws.__annotations__)[:2]
    ['beta', 'errors']
    """

    beta: Array
    omega: Array
    errors: Array
    never: Array
    lot_sd: Array
    form: Errors

    @classmethod
    def of(cls, state: State, number: int) -> "PopulationDraws":
        """Return one population again and again.

        Parameters
        ----------
        state : State
            The population.
        number : int
            How often.
        """
        return cls(
            np.tile(state.beta, (number, 1)),
            np.tile(state.omega, (number, 1, 1)),
            np.tile(state.errors.logs, (number, 1)),
            np.full(number, state.never),
            np.tile(state.lot_sd, (number, 1)),
            state.errors,
        )

    def __len__(self) -> int:
        return len(self.beta)

    def __iter__(self) -> Iterator[State]:
        return (self.state(i) for i in range(len(self)))

    def state(self, i: int) -> State:
        """Return one draw as the estimates of a population."""
        return State(
            self.beta[i],
            self.omega[i],
            self.form.with_logs(self.errors[i]),
            float(self.never[i]),
            self.lot_sd[i],
        )

    def take(self, rows: NDArray[np.intp]) -> "PopulationDraws":
        """Return some of the draws, by their places in order."""
        names = ("beta", "omega", "errors", "never", "lot_sd")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def parts(self) -> tuple[ResidualError, ...]:
        """The residual errors of all draws, one per assay.

        Their numbers have the shape (S, 1, 1), so that they are broadcast with levels
        (S, N, n).
        """
        assert isinstance(self.form, JointErrors)
        if (self.errors == self.form.logs).all():
            return self.form.parts  # the very numbers: a log carried back is not quite
        return self.form.with_logs(self.errors[:, None, :]).parts

    def roots(self, varies: NDArray[np.bool_]) -> Array:
        """Return Cholesky roots of the covariances, (S, p, p); 0 of what is the same.

        Parameters
        ----------
        varies : ndarray of bool, shape (p,)
            Which parameters differ between patients.
        """
        own = np.ix_(varies, varies)
        found = np.zeros_like(self.omega)
        found[:, *own] = np.linalg.cholesky(self.omega[:, *own])
        return found

    def middle(self) -> State:
        """Return the population at the means of the draws.

        SDs and residual errors are averaged as logs, correlations as they are, the
        share as it is.
        """
        sd = np.sqrt(np.diagonal(self.omega, axis1=-2, axis2=-1))
        varies = sd.any(0)
        safe = np.where(varies, sd, 1.0)
        correlation = (self.omega / (safe[:, :, None] * safe[:, None, :])).mean(0)
        typical = np.where(varies, np.exp(np.log(safe).mean(0)), 0.0)
        return State(
            self.beta.mean(0),
            np.outer(typical, typical) * correlation,
            self.form.with_logs(self.errors.mean(0)),
            float(self.never.mean()),
            np.exp(np.log(self.lot_sd).mean(0)),
        )


def expected(population: PopulationDraws, structure: Structure) -> Array:
    """Return what is expected of each patient of an average lot, shape (S, N, p).

    Examples
    --------
    >>> plain = Structure.without_covariates(("a",), 2)
    >>> one = PopulationDraws(np.ones((3, 1)), np.ones((3, 1, 1)), np.zeros((3, 0)),
    ...                       np.zeros(3), np.zeros((3, 0)), None)
    >>> expected(one, plain).shape
    (3, 2, 1)
    """
    return np.stack([structure.means(beta) for beta in population.beta])
