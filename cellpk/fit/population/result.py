"""What comes of a population fit: tables of estimates, of patients, of criteria."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.population.polish import SETTLED, Maximum
from cellpk.model.model import Model
from cellpk.model.parameters import SCALES

Array = NDArray[np.float64]

APART = 2.0
"""How much -2 log L of runs from different starts may differ: so little is chance."""

_Z = 1.959963984540054


@dataclass(frozen=True, eq=False, repr=False)
class PopulationFit:
    """A model fitted to all patients together; made by :func:`fit_population`.

    Parameters
    ----------
    model : Model
        What was fitted.
    study_id : str
        To which study.
    assays : tuple of str
        To which assays.
    method : str
        How.
    seed : int
        With which chance.
    patients : tuple of str
        Who has a sample that says something.
    left_out : DataFrame
        ``patient``, ``reason`` of those who have none.
    n_samples, n_below : int
        Samples that were used, and those of them that only limits bound.
    notes : tuple of str
        What was assumed of units and covariates.
    units : mapping of str to str
        Unit of each parameter.
    trace : DataFrame
        What SAEM went through: ``run``, ``iteration``, and a column for each estimate.

    Examples
    --------
    >>> "table" in dir(PopulationFit)      # see fit_population
    True
    """

    model: Model
    study_id: str
    assays: tuple[str, ...]
    method: str
    seed: int
    patients: tuple[str, ...]
    left_out: pd.DataFrame
    n_samples: int
    n_below: int
    notes: tuple[str, ...]
    units: Mapping[str, str]
    trace: pd.DataFrame
    _maximum: Maximum
    _apart: float

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per estimate.

        ``parameter``; ``kind`` (typical value, covariate effect, residual error,
        share); ``value`` in ``unit``, with ``low`` and ``high`` of its 95% Wald
        interval, which is symmetric on the parameter's own scale; ``rse`` (%). Of
        typical values:
        ``iiv_sd`` (SD between patients on that scale), ``iiv_var``, ``iiv_cv`` (%; of a
        log-normal parameter, else NaN), ``iiv_rse`` (%) and ``shrinkage`` (%: of the SD
        of the patients' means).
        """
        rows = [*self._typical(), *self._others()]
        return pd.DataFrame(rows)

    @cached_property
    def individuals(self) -> pd.DataFrame:
        """One row per patient: what is known of each parameter.

        ``patient``; per parameter its mean, given her samples, carried back to the
        natural scale (``NAME``), and its SD on the parameter's own scale
        (``NAME_sd``); ``expanded``, the chance that her cells expanded at all.
        """
        mean, covariance, expanded = self._moments
        natural = self.model.natural(mean)
        sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
        columns: dict[str, Array | list[str]] = {"patient": list(self.patients)}
        for i, name in enumerate(self.model.free):
            columns |= {name: np.asarray(natural[name]), f"{name}_sd": sd[:, i]}
        return pd.DataFrame(columns | {"expanded": expanded})

    @property
    def log_likelihood(self) -> float:
        """Log likelihood, by importance sampling."""
        return float(self._maximum.log_likelihood.sum())

    @property
    def criteria(self) -> pd.Series:
        """-2 log L with its Monte Carlo error, AIC, BIC and the corrected BIC.

        The corrected BIC (Delattre et al. 2014) counts what varies between patients by
        the number of patients, the rest by the number of samples.
        """
        layout = self._maximum.layout
        parts = {name: w.stop - w.start for name, w in layout.parts().items()}
        number, deviance = sum(parts.values()), -2 * self.log_likelihood
        patients = np.log(len(self.patients))
        random = number - parts["error"]
        return pd.Series(
            {
                "deviance": deviance,
                "deviance_error": 2 * self._maximum.importance.error(layout.state),
                "parameters": number,
                "aic": deviance + 2 * number,
                "bic": deviance + patients * number,
                "bicc": deviance
                + patients * random
                + np.log(self.n_samples) * parts["error"],
            }
        )

    @property
    def correlations(self) -> pd.DataFrame:
        """Correlations between the patients' parameters, on the transformed scales."""
        omega = self._maximum.state.omega
        sd = np.sqrt(np.diag(omega))
        names = list(self.model.free)
        return pd.DataFrame(omega / np.outer(sd, sd), index=names, columns=names)

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """Why the fit cannot be taken for converged; empty where it can."""
        found, best = [], self._maximum
        names = self._estimates
        found += [
            f"the samples do not tell {names[i]}: no maximum is seen along it"
            for i in best.untold
        ]
        if best.moved > SETTLED:
            found.append(
                f"new draws still move the estimates, by {best.moved:.2f} standard "
                "errors on average"
            )
        if self._apart > APART:
            found.append(
                f"runs from other starts ended lower, by {self._apart:.1f} of -2 log L"
            )
        found += [
            f"{name} stands at a bound: these samples do not tell it"
            for name, stuck in zip(names, best.at_bound, strict=True)
            if stuck
        ]
        return tuple(found)

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    def __repr__(self) -> str:
        said = "converged" if self.converged else f"NOT converged: {self.doubts[0]}"
        below = f"{self.n_below} of them by limits only"
        return (
            f"Population fit of {self.model.name} to {self.study_id} "
            f"{' and '.join(self.assays)} ({self.method}): {len(self.patients)} "
            f"patients, {self.n_samples} samples ({below}), -2 log L "
            f"{-2 * self.log_likelihood:.1f}, {said}"
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(
            index=False, border=0, na_rep="", float_format="{:.3g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"

    @property
    def _estimates(self) -> list[str]:
        """Names of all estimates, in the order of the vector."""
        layout = self._maximum.layout
        names = layout.structure.names
        pairs = [f"correlation of {names[b]} and {names[a]}" for a, b in layout.pairs]
        spread = [f"the spread of {name}" for name in names]
        share = ["never expanded"] if layout.state.never else []
        coefficients, errors = layout.structure.coefficients, layout.state.errors.names
        return [*coefficients, *spread, *pairs, *errors, *share]

    @cached_property
    def _moments(self) -> tuple[Array, Array, Array]:
        best = self._maximum
        mean, covariance = best.importance.moments(best.state)
        _, expanded = best.importance.expected(best.state)
        return mean, covariance, expanded

    @property
    def _errors(self) -> Array:
        """Standard errors of all estimates."""
        return np.sqrt(np.diag(self._maximum.covariance))

    def _typical(self) -> list[dict[str, object]]:
        layout, mean = self._maximum.layout, self._moments[0]
        state, where = layout.state, layout.parts()
        away = mean - layout.structure.means(state.beta)
        errors, spread = self._errors, np.sqrt(np.diag(state.omega))
        rows = []
        for i, name in enumerate(self.model.free):
            row = self.model.parameters[name]
            ends = state.beta[i] + np.array([0, -_Z, _Z]) * errors[i]
            scale = SCALES[row.scale]
            value, low, high = np.asarray(scale.back(ends), float)
            rows.append(
                {
                    "parameter": name,
                    "kind": "typical value",
                    "value": value,
                    "unit": self.units.get(name, row.unit),
                    "rse": 100 * errors[i] * abs(float(scale.slope(value)) / value),
                    "low": low,
                    "high": high,
                    "iiv_sd": spread[i],
                    "iiv_var": spread[i] ** 2,
                    "iiv_cv": 100 * np.sqrt(np.expm1(spread[i] ** 2))
                    if row.scale == "log"
                    else np.nan,
                    "iiv_rse": 100 * errors[where["log_sd"]][i],
                    "shrinkage": 100 * (1 - away[:, i].std() / spread[i]),
                }
            )
        return rows

    def _others(self) -> list[dict[str, object]]:
        layout = self._maximum.layout
        state, where, errors = layout.state, layout.parts(), self._errors
        rows = []
        size = len(layout.structure.names)
        for i, name in enumerate(layout.structure.coefficients[size:], size):
            rows.append(_row(name, "covariate effect", state.beta[i], errors[i]))
        logs = zip(
            state.errors.names, state.errors.logs, errors[where["error"]], strict=True
        )
        for name, log, error in logs:
            ends = np.exp(log + np.array([-_Z, _Z]) * error)
            found = _row(name, "residual error", np.exp(log), np.exp(log) * error)
            rows.append(found | {"low": ends[0], "high": ends[1]})
        if state.never:
            (error,) = errors[where["never"]]
            logit = np.log(state.never / (1 - state.never))
            ends = 1 / (1 + np.exp(-(logit + np.array([-_Z, _Z]) * error)))
            spread = state.never * (1 - state.never) * error
            found = _row("never_expanded", "share", state.never, spread)
            rows.append(found | {"low": ends[0], "high": ends[1]})
        return rows


def _row(name: str, kind: str, value: float, error: float) -> dict[str, object]:
    return {
        "parameter": name,
        "kind": kind,
        "value": float(value),
        "unit": "1",
        "rse": 100 * error / abs(value),
        "low": value - _Z * error,
        "high": value + _Z * error,
    }
