"""Where each estimate of a population stands in one vector."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.state import State
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]

SPREAD = "the spread of "
"""What the name of a spread begins with."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each estimate stands in one vector, and back.

    SDs between patients stand as logs, correlations as they are, residual errors as
    logs, the share of those who never expanded as log odds, SDs between lots as logs.

    Parameters
    ----------
    structure : Structure
        How parameters differ between patients.
    state : State
        Estimates, of which errors and the class give the shape.

    Examples
    --------
    >>> sorted(Layout.__annotations__)
    ['state', 'structure']
    """

    structure: Structure
    state: State

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of parameters whose correlation is estimated."""
        rows, columns = np.nonzero(np.tril(self.structure.correlated, -1))
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def vector(self) -> Array:
        """Return the estimates as one vector."""
        sd = np.sqrt(np.diag(self.state.omega))
        spread = np.log(sd[self.structure.varies])
        between = [self.state.omega[a, b] / (sd[a] * sd[b]) for a, b in self.pairs]
        never = self.state.never
        odds = [math.log(never / (1 - never))] if never else []
        return np.concatenate(
            [
                self.state.beta,
                spread,
                between,
                self.state.errors.logs,
                odds,
                np.log(self.state.lot_sd),
            ]
        )

    @property
    def sizes(self) -> Array:
        """How large a difference of each estimate is of note: 1 of a log."""
        sizes = np.ones(self.vector().size)
        sizes[self.parts()["beta"]] = self.structure.coefficient_sizes
        return sizes

    def parts(self) -> dict[str, slice]:
        """Return where the kinds of estimates stand."""
        sizes = {
            "beta": len(self.structure.coefficients),
            "log_sd": int(self.structure.varies.sum()),
            "correlation": len(self.pairs),
            "error": self.state.errors.logs.size,
            "never": 1 if self.state.never else 0,
            "log_lot_sd": self.state.lot_sd.size,
        }
        ends = np.cumsum([0, *sizes.values()])
        return {
            name: slice(int(a), int(b))
            for name, a, b in zip(sizes, ends[:-1], ends[1:], strict=True)
        }

    def state_at(self, vector: Array) -> State:
        """Return the estimates that a vector stands for."""
        part = {name: vector[where] for name, where in self.parts().items()}
        varies = self.structure.varies
        sd = np.zeros(varies.size)
        sd[varies] = np.exp(part["log_sd"])
        correlation = np.eye(sd.size)
        for (a, b), value in zip(self.pairs, part["correlation"], strict=True):
            correlation[a, b] = correlation[b, a] = value
        never = 1 / (1 + math.exp(-part["never"][0])) if self.state.never else 0.0
        errors = self.state.errors.with_logs(part["error"])
        omega = np.outer(sd, sd) * correlation
        return State(part["beta"], omega, errors, never, np.exp(part["log_lot_sd"]))

    def beside(self, away: Array) -> tuple[Array, tuple[State, State]]:
        """Return estimates a step up and a step down, and the step.

        It is halved until both are estimates: a correlation may be close to its end.
        """
        vector = self.vector()
        while True:
            ends = self.state_at(vector + away), self.state_at(vector - away)
            if all(self.structure.is_proper(state.omega) for state in ends):
                return away, ends
            away = away / 2

    def by_estimates(
        self, by_mean: Array, by_omega: Array, *, by_error: Array, by_odds: Array
    ) -> Array:
        """Return slopes by the estimates; those by SDs between lots are left at 0.

        Parameters
        ----------
        by_mean : ndarray, shape (N, p)
            Slopes of each patient's log likelihood by what is expected of her.
        by_omega : ndarray, shape (N, p, p)
            By the covariance between patients.
        by_error : ndarray, shape (N, k)
            By the logs of the residual errors.
        by_odds : ndarray, shape (N,)
            By the log odds never to have expanded.

        Returns
        -------
        ndarray, shape (N, estimates)
        """
        where, state = self.parts(), self.state
        sd, varies = np.sqrt(np.diag(state.omega)), self.structure.varies
        slopes = np.zeros((len(by_mean), where["log_lot_sd"].stop))
        design = self.structure.design
        slopes[:, where["beta"]] = np.einsum("ipa,ip->ia", design, by_mean)
        slopes[:, where["log_sd"]] = 2 * (by_omega * state.omega).sum(-1)[:, varies]
        rows, columns = np.array(self.pairs, int).reshape(-1, 2).T
        between = 2 * by_omega[:, rows, columns] * (sd[rows] * sd[columns])
        slopes[:, where["correlation"]] = between
        slopes[:, where["error"]] = by_error
        slopes[:, where["never"]] = by_odds[:, None]
        return slopes

    @property
    def names(self) -> tuple[str, ...]:
        """What each estimate is called, in the order of the vector."""
        own = self.structure.names
        pairs = [f"correlation of {own[b]} and {own[a]}" for a, b in self.pairs]
        spread = [
            f"{SPREAD}{name}"
            for name, varies in zip(own, self.structure.varies, strict=True)
            if varies
        ]
        share = ["never expanded"] if self.state.never else []
        errors = self.state.errors.names
        fixed = self.structure.coefficients
        return (*fixed, *spread, *pairs, *errors, *share, *self.lot_names)

    @property
    def lot_names(self) -> tuple[str, ...]:
        """What the spreads between lots are called."""
        lots = self.structure.lots
        places = lots.places if lots else ()
        return tuple(f"{self.structure.names[k]} between lots" for k in places)
