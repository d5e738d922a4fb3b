"""Rows of what a population fit estimated, as its table has them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.structure import Structure
from cellpk.model.parameters import SCALES, Scale

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.population.result import PopulationFit

Array = NDArray[np.float64]

FISHER = Scale(np.arctanh, np.tanh, lambda r: 1 - r * r, lambda r: abs(r) < 1)
"""The scale on which correlations have symmetric intervals (Fisher RA. Metron
1921;1:3-32)."""


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
    return [
        *_typical(fit),
        *_effects(fit),
        *_correlations(fit),
        *_residual_errors(fit),
        *_share(fit),
        *_between_lots(fit),
    ]


def units_of_spread(fit: "PopulationFit | BayesFit") -> dict[str, str]:
    """Return the units of differences on the parameters' own scales.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.

    Examples
    --------
    >>> callable(units_of_spread)           # logs and logits have none: "1"
    True
    """
    return {
        name: fit.units[name] if fit.model.parameters[name].scale == "identity" else "1"
        for name in fit.model.free
    }


def _typical(fit: "PopulationFit") -> list[dict[str, object]]:
    layout, errors = fit.estimates.layout, fit.estimates.standard_errors
    state, where = layout.state, layout.parts()
    varies = layout.structure.varies
    spread_errors = np.full(varies.size, np.nan)
    spread_errors[varies] = errors[where["log_sd"]]
    # About what is not told, nothing is told of how patients differ either.
    told = ~varies | np.isfinite(spread_errors) & np.isfinite(errors[: varies.size])
    spread_errors[~told] = np.nan
    spread = np.where(told, np.sqrt(np.diag(state.omega)), np.nan)
    shrinkage = _shrinkage(fit, spread)
    rows = []
    for i, name in enumerate(fit.model.free):
        row = fit.model.parameters[name]
        found = _row(fit, i, "typical value", scale=SCALES[row.scale])
        rows.append(
            found
            | {
                # What no sample tells is a number of ours, as a spread at its bound.
                "value": found["value"] if np.isfinite(errors[i]) else np.nan,
                "unit": fit.units[name],
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


def _effects(fit: "PopulationFit") -> list[dict[str, object]]:
    structure, units = fit.estimates.layout.structure, units_of_spread(fit)
    return [
        _row(fit, i, "covariate effect") | {"unit": units[moved_by(structure, i)]}
        for i in range(len(structure.names), len(structure.coefficients))
    ]


def moved_by(structure: Structure, coefficient: int) -> str:
    """Return the parameter that a coefficient moves.

    Examples
    --------
    >>> moved_by(Structure.without_covariates(("tmax", "cmax"), 3), 1)
    'cmax'
    """
    moved = structure.design[..., coefficient].any(0)
    return structure.names[int(moved.argmax())]


def _correlations(fit: "PopulationFit") -> list[dict[str, object]]:
    return [
        _row(fit, i, "correlation", scale=FISHER) for i in _places(fit, "correlation")
    ]


def _residual_errors(fit: "PopulationFit") -> list[dict[str, object]]:
    errors = fit.estimates.state.errors
    assert isinstance(errors, JointErrors)
    units = errors.units([one.unit for one in fit.data.series])
    return [
        _row(fit, i, "residual error", scale=SCALES["log"]) | {"unit": unit}
        for i, unit in zip(_places(fit, "error"), units, strict=True)
    ]


def _share(fit: "PopulationFit") -> list[dict[str, object]]:
    return [
        _row(fit, i, "share", scale=SCALES["logit"]) | {"parameter": "never_expanded"}
        for i in _places(fit, "never")
    ]


def _between_lots(fit: "PopulationFit") -> list[dict[str, object]]:
    structure, units = fit.estimates.layout.structure, units_of_spread(fit)
    places = structure.lots.places if structure.lots else ()
    return [
        _row(fit, i, "spread between lots", scale=SCALES["log"])
        | {"unit": units[structure.names[place]]}
        for i, place in zip(_places(fit, "log_lot_sd"), places, strict=True)
    ]


def _places(fit: "PopulationFit", part: str) -> range:
    """Return where estimates of a kind stand in the vector of all."""
    where = fit.estimates.layout.parts()[part]
    return range(where.start, where.stop)


def _row(
    fit: "PopulationFit", place: int, kind: str, *, scale: Scale = SCALES["identity"]
) -> dict[str, object]:
    """Return a row of the estimate at a place, whose interval is even on a scale."""
    estimates, layout = fit.estimates, fit.estimates.layout
    number, error = layout.vector()[place], estimates.standard_errors[place]
    if scale is FISHER:  # a correlation stands in the vector as it is
        number, error = FISHER.forward(number), error / FISHER.slope(number)
    reach = estimates.quantiles[place] * error
    ends = np.array([number, number - reach, number + reach])
    value, low, high = np.asarray(scale.back(ends), float)
    with np.errstate(divide="ignore"):
        rse = 100 * error * np.abs(scale.slope(value) / value)
    return {
        "parameter": layout.names[place],
        "kind": kind,
        "value": value,
        "unit": "1",
        "rse": rse,
        "low": low,
        "high": high,
    }
