"""What was estimated of a population, how surely, and what speaks against it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.layout import SPREAD, Layout
from cellpk.fit.population.state import State

Array = NDArray[np.float64]

SETTLED = 0.25
"""How far new draws may move the estimates: root mean square, in standard errors."""

APART = 2.0
"""How much -2 log L of runs from different starts may differ: so little is chance."""

DRIFTED = 0.5
"""How far SAEM may move while it averages, in standard errors: fits of 90 patients by
the usual steps came to 0.1 to 0.25, those of 25 iterations in all to 0.7 or more."""

ILL = 1000.0
"""Condition number beyond which the samples do not tell estimates apart."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of a population at the highest likelihood that was found.

    Parameters
    ----------
    layout : Layout
        Estimates, and where each stands in a vector.
    covariance : ndarray
        Of the estimates, in the order of ``layout.vector()``; NaN for those that stand
        at a bound.
    moved : float
        The step that new draws would take, in standard errors: root mean square over
        the estimates.
    at_bound : tuple of bool
        Which estimates stand at a bound.
    untold : tuple of int
        Estimates along which the curvature is not that of a maximum.
    apart : float or None
        By how much of -2 log L a run from another start ended lower; None where there
        was one start only.
    drift : float
        How far SAEM still moved while it averaged, see :func:`.drift.drift`: the most
        of all runs.
    deviance_error : float
        Monte Carlo standard error of -2 log L.
    doubted : tuple of str
        What else the method says against it.

    Examples
    --------
    >>> sorted(Estimates.__annotations__)[:3]
    ['apart', 'at_bound', 'covariance']
    """

    layout: Layout
    covariance: Array
    moved: float
    at_bound: tuple[bool, ...]
    untold: tuple[int, ...]
    apart: float | None = 0.0
    drift: float = 0.0
    deviance_error: float = 0.0
    doubted: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The estimates."""
        return self.layout.state

    @property
    def standard_errors(self) -> Array:
        """Standard errors, in the order of ``layout.vector()``.

        NaN for estimates that stand at a bound or that the samples do not tell.
        """
        errors = np.sqrt(np.diag(self.covariance))
        errors[list(self.untold)] = np.nan
        return errors

    @cached_property
    def quantiles(self) -> Array:
        """Standard errors on either side of each estimate that its 95% interval spans.

        Of Student's t, with as many degrees of freedom as there are more patients than
        parameters that vary between them, as PROC NLMIXED takes them. Of 12 patients
        the normal 1.96 held the truth too rarely in simulated trials. What tells whole
        lots apart rests on lots, as a mean of groups does: of L lots, L - 1.
        """
        from scipy.special import stdtrit

        return stdtrit(self._freedom, 0.975)

    @property
    def _freedom(self) -> Array:
        """Degrees of freedom of each estimate."""
        structure, where = self.layout.structure, self.layout.parts()
        patients = len(structure.design) - int(structure.varies.sum())
        freedom = np.full(where["log_lot_sd"].stop, max(1, patients))
        lots = structure.lots
        for k, place in enumerate(lots.places if lots else ()):
            assert lots is not None
            columns = structure.design[:, place]
            alike = columns.any(0) & lots.alike(columns)
            fewer = min(freedom[0], max(1, len(lots.names) - int(alike.sum())))
            freedom[where["beta"]][alike] = fewer
            freedom[where["log_lot_sd"].start + k] = fewer
        return freedom

    @cached_property
    def correlation(self) -> Array:
        """Correlations of the estimates, without those at a bound."""
        kept = ~np.array(self.at_bound)
        covariance = self.covariance[np.ix_(kept, kept)]
        errors = np.sqrt(np.diag(covariance))
        return covariance / np.outer(errors, errors)

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of the correlations of the estimates, smallest first."""
        return np.linalg.eigvalsh(self.correlation)

    @property
    def condition(self) -> float:
        """Largest by smallest eigenvalue, as NONMEM and Monolix print it."""
        values = self.eigenvalues
        return float(values[-1] / values[0]) if values[0] > 0 else float("inf")

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """Why the fit cannot be taken for converged; empty where it can."""
        names, found = self.layout.names, list(self.doubted)
        found += [
            f"the samples do not tell {names[i]}: no maximum is seen along it"
            for i in self.untold
        ]
        if self.moved > SETTLED:
            found.append(
                f"new draws still move the estimates, by {self.moved:.2f} standard "
                "errors on average"
            )
        found += self._of_search()
        if self.condition > ILL:
            found.append(
                f"the estimates depend on one another: their correlations have the "
                f"condition number {self.condition:.0f}"
            )
        found += [
            f"{name} stands at a bound: these samples do not tell it{_todo(name)}"
            for name, stuck in zip(names, self.at_bound, strict=True)
            if stuck
        ]
        return tuple(found)

    def _of_search(self) -> list[str]:
        """Say where the search itself leaves a doubt."""
        found: list[str] = []
        if self.apart is None:
            found.append(
                "one start only: nothing says that another one ends at the same place"
            )
        elif self.apart > APART:
            found.append(
                f"runs from other starts ended lower, by {self.apart:.1f} of -2 log L"
            )
        if self.drift > DRIFTED:
            found.append(
                f"SAEM was still drifting while it averaged, by {self.drift:.1f} "
                "standard errors on average: search longer"
            )
        return found


def _todo(name: str) -> str:
    """Say how to leave a spread out."""
    if not name.startswith(SPREAD):
        return ""
    own = name.removeprefix(SPREAD)
    return f"; without_spread=[{own!r}] holds the parameter the same in all patients"
