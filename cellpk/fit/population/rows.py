"""Rows of what a population fit estimated, as its table has them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.joint import JointErrors
from cellpk.model.parameters import SCALES

if TYPE_CHECKING:
    from cellpk.fit.population.result import PopulationFit

Array = NDArray[np.float64]

_MIDDLE_AND_ENDS = np.array([0.0, -1.0, 1.0])


def estimated_rows(fit: "PopulationFit") -> list[dict[str, object]]:
    """Return a row for each estimate: the columns of ``PopulationFit.table``.

    Parameters
    ----------
    fit : PopulationFit
        The fit.

    Examples
    --------
    >>> callable(estimated_rows)            # see PopulationFit.table
    True
    """
    return [*_typical(fit), *_others(fit)]


def _typical(fit: "PopulationFit") -> list[dict[str, object]]:
    layout, errors = fit.estimates.layout, fit.estimates.standard_errors
    state, where = layout.state, layout.parts()
    varies = layout.structure.varies
    spread_errors = np.full(varies.size, np.nan)
    spread_errors[varies] = errors[where["log_sd"]]
    # A spread at its bound is a number of ours, and none of the samples.
    told = ~varies | np.isfinite(spread_errors)
    spread = np.where(told, np.sqrt(np.diag(state.omega)), np.nan)
    shrinkage = _shrinkage(fit, spread)
    reach, rows = fit.estimates.quantile * _MIDDLE_AND_ENDS, []
    for i, name in enumerate(fit.model.free):
        row = fit.model.parameters[name]
        ends = state.beta[i] + reach * errors[i]
        scale = SCALES[row.scale]
        value, low, high = np.asarray(scale.back(ends), float)
        rows.append(
            {
                "parameter": name,
                "kind": "typical value",
                "value": value,
                "unit": fit.units.get(name, row.unit),
                "rse": 100 * errors[i] * abs(float(scale.slope(value)) / value),
                "low": low,
                "high": high,
                "iiv_sd": spread[i],
                "iiv_var": spread[i] ** 2,
                "iiv_cv": 100 * np.sqrt(np.expm1(spread[i] ** 2))
                if row.scale == "log"
                else np.nan,
                "iiv_rse": 100 * spread_errors[i],
                "shrinkage": shrinkage[i] if varies[i] else np.nan,
            }
        )
    return rows


def _shrinkage(fit: "PopulationFit", spread: Array) -> Array:
    """Return by how many % the SD of the patients' means falls short, (p,).

    Patients count by the chance that their cells expanded: of the others' curves
    nothing is known.
    """
    known = fit.posteriors
    away = known.mean - fit.expected
    weight = known.expanded / known.expanded.sum()
    variance = weight @ np.square(away - weight @ away)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * (1 - np.sqrt(variance) / spread)


def _others(fit: "PopulationFit") -> list[dict[str, object]]:
    layout, errors = fit.estimates.layout, fit.estimates.standard_errors
    state, where = layout.state, layout.parts()
    ends, rows = fit.estimates.quantile * _MIDDLE_AND_ENDS[1:], []
    size = len(layout.structure.names)
    for i, name in enumerate(layout.structure.coefficients[size:], size):
        value, error = state.beta[i], errors[i]
        found = _row(name, "covariate effect", value, error)
        rows.append(found | _between(value + ends * error))
    own = state.errors
    assert isinstance(own, JointErrors)
    units = own.units([one.unit for one in fit.data.series])
    logs = zip(own.names, own.logs, errors[where["error"]], units, strict=True)
    for name, log, error, unit in logs:
        found = _row(name, "residual error", np.exp(log), np.exp(log) * error)
        found |= {"unit": unit} | _between(np.exp(log + ends * error))
        rows.append(found)
    if state.never:
        (error,) = errors[where["never"]]
        logit = np.log(state.never / (1 - state.never))
        spread = state.never * (1 - state.never) * error
        found = _row("never_expanded", "share", state.never, spread)
        rows.append(found | _between(1 / (1 + np.exp(-(logit + ends * error)))))
    return rows + _between_lots(fit)


def _between_lots(fit: "PopulationFit") -> list[dict[str, object]]:
    layout = fit.estimates.layout
    errors = fit.estimates.standard_errors[layout.parts()["log_lot_sd"]]
    rows = []
    for name, sd, error in zip(
        layout.lot_names, layout.state.lot_sd, errors, strict=True
    ):
        found = _row(name, "spread between lots", sd, sd * error)
        ends = fit.estimates.quantile * _MIDDLE_AND_ENDS[1:]
        rows.append(found | _between(sd * np.exp(ends * error)))
    return rows


def _row(name: str, kind: str, value: float, error: float) -> dict[str, object]:
    return {
        "parameter": name,
        "kind": kind,
        "value": float(value),
        "unit": "1",
        "rse": 100 * error / abs(value),
    }


def _between(ends: Array) -> dict[str, object]:
    return {"low": float(ends[0]), "high": float(ends[1])}
