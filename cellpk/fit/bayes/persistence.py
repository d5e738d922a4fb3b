"""Probability that levels persist: the curve lies above a limit at a visit."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.mixing import mixing
from cellpk.fit.bayes.quantities import SHARES, Horizon, chunks, horizon_of
from cellpk.fit.bayes.whose import Curves, curves_of
from cellpk.fit.data import TOLERANCE

if TYPE_CHECKING:
    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]
Visits = Mapping[str, float] | Sequence[float]

NEW = 200
"""New patients in each draw of the population."""

POPULATIONS, SOLVED_POPULATIONS = 500, 100
"""Draws of the population of which new patients are drawn; of a model without closed
form."""


def persistence_table(
    fit: "BayesFit",
    visits: Visits | None = None,
    *,
    limit: float | None = None,
    assay: str | None = None,
    dose: float | None = None,
) -> pd.DataFrame:
    """Return how probable it is that levels persist at each visit.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    visits : sequence of float or mapping of str to float, optional
        Days, or days by name. The visits of the study (``study.settings.metrics``) up
        to the last sample where not given.
    limit, assay, dose
        As for :func:`.quantities.quantity_draws`.

    Returns
    -------
    DataFrame
        One row per patient and visit, then one for all patients of the study and one
        for a new patient: ``patient, visit, day``; ``probability`` that the curve is
        above ``limit`` in ``unit``. Of all patients it is the share of them, of a new
        patient the share of those who may come, and both have a 90 % interval: ``low,
        high``; of one patient the probability already says all that is known. ``r_hat,
        ess_bulk, ess_tail`` of what was averaged.

    Raises
    ------
    FitError
        Where an argument is not possible, or no limit is known.

    Examples
    --------
    >>> callable(persistence_table)            # see BayesFit.persistence
    True
    """
    horizon = horizon_of(fit, assay=assay, limit=limit, until=None)
    if horizon.limit is None:
        todo = "Give the level above which cells persist: limit=..."
        raise FitError("the samples have no LLOQ", todo=todo)
    named = visits_of(fit, visits, horizon)
    days = np.array(list(named.values()))
    populations = POPULATIONS if fit.model.equations.closed else SOLVED_POPULATIONS
    new = curves_of(fit, "new", dose=dose, number=NEW, draws=populations)
    own = above_limit(fit, curves_of(fit, "patients", dose=dose), days, horizon=horizon)
    tables = [
        _rows(fit.patients, own.astype(float), certain=True),
        _rows(("all patients",), own.mean(2, keepdims=True)),
        _rows(
            ("new patient",),
            above_limit(fit, new, days, horizon=horizon).mean(2, keepdims=True),
        ),
    ]
    table = pd.concat(tables, ignore_index=True)
    times = len(table) // len(days)
    table.insert(1, "visit", list(named) * times)
    table.insert(2, "day", np.tile(days, times))
    return table.assign(limit=horizon.limit, unit=horizon.series.unit)


def _rows(
    patients: Sequence[str], values: Array, *, certain: bool = False
) -> pd.DataFrame:
    """Return rows of draws of a probability, (chains, draws, N, visits)."""
    shape = values.shape[2:]
    low, high = np.quantile(values, SHARES[1:], axis=(0, 1))
    if certain:
        low = high = np.full(shape, np.nan)
    numbers = {"probability": values.mean((0, 1)), "low": low, "high": high}
    numbers |= mixing(values)._asdict()
    columns = {name: each.ravel() for name, each in numbers.items()}
    return pd.DataFrame({"patient": np.repeat(patients, shape[-1]), **columns})


def above_limit(
    fit: "BayesFit", curves: Curves, days: Array, *, horizon: Horizon
) -> NDArray[np.bool_]:
    """Return whether curves are above a limit.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    curves : Curves
        Whose: N.
    days : ndarray, shape (V,)
        In order.
    horizon : Horizon
        The assay, and the limit.

    Returns
    -------
    ndarray of bool, shape (chains, draws, N, V)
        False where cells never expanded, or a curve cannot be calculated.

    Examples
    --------
    >>> callable(above_limit)            # see BayesFit.persistence
    True
    """
    assert horizon.limit is not None
    found = np.empty((*curves.expanded.shape, days.size), bool)
    for group in curves.groups:
        for some in chunks(curves, group):
            levels = fit.model.kernel.solve(
                curves.theta[some][:, group.rows],
                days,
                observed=horizon.series.observed,
                inputs=group.inputs,
                tolerance=TOLERANCE,
            )
            found[some][:, group.rows] = levels.log_level > np.log(horizon.limit)
    return found & curves.expanded[..., None]


def visits_of(
    fit: "BayesFit", visits: Visits | None, horizon: Horizon
) -> dict[str, float]:
    """Return the days of visits by name, in order.

    Parameters
    ----------
    fit, visits
        As for :func:`persistence_table`.
    horizon : Horizon
        Up to when samples were taken.

    Raises
    ------
    FitError
        Where there is none, or a day is not possible.

    Examples
    --------
    >>> callable(visits_of)            # see BayesFit.persistence
    True
    """
    if visits is None:
        every = fit.study.settings.metrics.visits.items()
        named = {name: day for name, (day, _) in every if day <= horizon.until}
    elif isinstance(visits, Mapping):
        named = {str(name): float(day) for name, day in visits.items()}
    else:
        named = {f"day {day:g}": float(day) for day in visits}
    for day in named.values():
        if not 0 <= day < np.inf:
            raise FitError(f"a visit on day {day:g}", todo="Give days from 0 on.")
    if not named:
        todo = "Give days: visits=[28, 90]."
        raise FitError(f"no visit up to day {horizon.until:g}", todo=todo)
    return dict(sorted(named.items(), key=lambda pair: pair[1]))
