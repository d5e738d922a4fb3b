"""Levels by visit and group: the numbers of the table and of the figure of means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.layout import counted_until
from cellpk.reporting.grouping import Grouping
from cellpk.reporting.statistics import FEW
from cellpk.reporting.visits import by_visit

if TYPE_CHECKING:
    from cellpk.study.study import Study

type Below = Literal["left_out", "half"]

TOTAL = "Total"
_BELOW = ("below", "detected")

RULES: dict[str, str] = {
    "left_out": "Geometric mean and its SD or CV%: of the quantified levels only, "
    "which reads too high where many samples are below the LLOQ.",
    "half": "Geometric mean and its SD or CV%: a sample below the LLOQ counts as "
    "half of it.",
}
"""What a sample below the limit counts as in geometric statistics: a sentence each."""


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """Statistics of the levels of one assay by visit and group.

    Parameters
    ----------
    table : DataFrame
        One row per visit and group, see :func:`level_statistics`.
    samples : DataFrame
        The samples behind it, one per patient and visit: ``counted`` is the level with
        0 below the limit, ``shown`` where it is drawn on a log axis, ``group``.
    notes : tuple of str
        How samples were put to visits, and what was left out.
    """

    table: pd.DataFrame
    samples: pd.DataFrame
    notes: tuple[str, ...]


def level_statistics(
    study: "Study",
    samples: pd.DataFrame,
    groups: Grouping,
    *,
    below: Below = "left_out",
    days: Sequence[float] | None = None,
) -> LevelStatistics:
    """Summarise the levels of one assay and specimen by visit and group.

    Parameters
    ----------
    study : Study
        The study.
    samples : DataFrame
        Placed samples (:func:`~cellpk.reporting.placing.placed`).
    groups : Grouping
        Groups of patients; where there is more than one, all patients come last, as
        "Total".
    below : {"left_out", "half"}
        Whether geometric statistics leave samples below the LLOQ out, or take half of
        the LLOQ for them. All other statistics take 0.
    days : sequence of float, optional
        Days to put the samples to, see :func:`~cellpk.reporting.visits.by_visit`.

    Returns
    -------
    LevelStatistics
        ``table``: visit, day, group, n, n_quantified, n_below (all below the LLOQ),
        n_detected (of these, those that were detected), n_above, mean, sd,
        geometric_mean, geometric_sd (a factor), geometric_cv (%), median, q1, q3,
        minimum, maximum, values (of fewer than 3 samples, 0 below the LLOQ), floor
        (where a mean below the LLOQ is drawn) and mostly_below: more than half of the
        samples are below the LLOQ, so that a mean says nothing. Statistics of fewer
        than 3 samples are NaN; a quantile is 0 where it is, or lies next to, a sample
        below the LLOQ.

    Raises
    ------
    DataError
        If ``below`` is neither.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.reporting.placing import placed
    >>> from cellpk.reporting.grouping import grouping
    >>> study = ck.simulate_study(seed=1)
    >>> result = level_statistics(
    ...     study, placed(study.select("flow")), grouping(study, None))
    >>> table = result.table.set_index("visit")
    >>> int(table.loc["Day 14", "n"]), int(table.loc["Day 14", "n_below"])
    (17, 3)
    """
    if below not in RULES:
        what = "'below' says how samples below the LLOQ enter geometric means"
        raise DataError(Problem(what, nearest(below, RULES), value=below))
    rows, notes = by_visit(study, samples, days=days)
    rows = rows.assign(
        group=rows["patient"].map(groups.of),
        counted=rows["shown"].mask(rows["state"].isin(_BELOW), 0.0),
    )
    table = pd.DataFrame(
        [
            {"visit": visit, "day": day, "group": name, **_statistics(part, below)}
            for (day, visit), here in rows.groupby(["day", "visit"])
            for name, part in _parts(here, groups)
        ]
    )
    return LevelStatistics(table, rows, (*notes, *_late(study, rows)))


def _late(study: "Study", rows: pd.DataFrame) -> tuple[str, ...]:
    """Say how many samples stand here that the metrics do not use."""
    ends = counted_until(study, study.settings.metrics)
    late = rows["time"] > rows["patient"].map(ends.to_dict()).astype(float)
    if not late.any():
        return ()
    return (
        "Samples after a further infusion or another cell therapy are included "
        f"({late.sum()}); the metrics leave them out.",
    )


def _parts(rows: pd.DataFrame, groups: Grouping) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in groups.names:
        yield name, rows[rows["group"] == name]
    if len(groups.names) != 1 or groups.ungrouped:
        yield TOTAL, rows


def _statistics(rows: pd.DataFrame, below: Below) -> dict[str, float | str]:
    """Summarise the samples of one visit and group."""
    under = rows["state"].isin(_BELOW)
    half = rows["shown"].where(under).dropna()
    result: dict[str, float | str] = {
        "n": len(rows),
        "n_quantified": int(rows["state"].eq("quantified").sum()),
        "n_below": int(under.sum()),
        "n_detected": int(rows["state"].eq("detected").sum()),
        "n_above": int(rows["state"].eq("above").sum()),
        "mostly_below": bool(2 * under.sum() > len(rows)),
        "floor": float(half.median()),
    }
    known = rows["shown"] if below == "half" else rows.loc[~under, "shown"]
    few = sorted(rows["counted"]) if len(rows) < FEW else []
    result["values"] = " ".join(map(repr, few))
    logs = np.log(known.to_numpy())
    return result | _arithmetic(rows["counted"]) | _geometric(logs)


def _arithmetic(levels: pd.Series) -> dict[str, float]:
    names = ("minimum", "q1", "median", "q3", "maximum")
    if len(levels) < FEW:
        return dict.fromkeys(("mean", "sd", *names), np.nan)
    shares = [0, 0.25, 0.5, 0.75, 1]
    # Half way between nothing known and a level nothing is known.
    known = np.quantile(levels, shares, method="lower") > 0
    quantiles = np.where(known, np.quantile(levels, shares), 0.0).tolist()
    return {
        "mean": float(levels.mean()),
        "sd": float(levels.std(ddof=1)),
        **dict(zip(names, quantiles, strict=True)),
    }


def _geometric(logs: np.ndarray) -> dict[str, float]:
    names = ("geometric_mean", "geometric_sd", "geometric_cv")
    if len(logs) < FEW:
        return dict.fromkeys(names, np.nan)
    spread = float(logs.std(ddof=1))
    cv = 100 * np.sqrt(np.expm1(spread**2))
    found = (float(np.exp(logs.mean())), float(np.exp(spread)), float(cv))
    return dict(zip(names, found, strict=True))
