"""Table of levels by visit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.kinetics.layout import assay_of
from cellpk.reporting.grouping import By, grouping
from cellpk.reporting.level_statistics import (
    RULES,
    TOTAL,
    Below,
    level_statistics,
)
from cellpk.reporting.placing import assumed_note, series
from cellpk.reporting.printed import (
    NOTHING,
    count_share,
    inside,
    level,
    percent,
)
from cellpk.reporting.statistics import FEW
from cellpk.reporting.table import Table, table
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.study.study import Study

BLQ = "BLQ"
"""How a level or a mean below the limit of quantification is printed."""

_RULES = (
    f"n: patients with a usable sample at the visit. {BLQ}: below the limit of "
    "quantification (LLOQ). Mean and SD: a sample below the LLOQ counts as 0. A median "
    f"or quartile between a sample below the LLOQ and one above it is {BLQ}.",
    f"Where more than 50% of the samples are below the LLOQ, the means are {BLQ}.",
    f"Where n is below {FEW}, the individual levels are listed instead of statistics; "
    f"fewer than {FEW} quantified levels have no geometric mean ({NOTHING}).",
)


@table
def levels(
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    below: Below = "left_out",
    days: Sequence[float] | None = None,
) -> Table:
    """Summarise the levels of one assay by visit.

    Parameters
    ----------
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the columns, see :func:`~cellpk.reporting.grouping.grouping`.
    assay : str, optional
        Assay; the study's main assay without.
    specimen : str, optional
        Specimen; the one with the most samples without.
    below : {"left_out", "half"}
        Whether geometric means leave samples below the LLOQ out, or take half of it.
    days : sequence of float, optional
        Days to put the samples to, by actual time, instead of nominal days and visits.

    Returns
    -------
    Table
        ``frame``: as :func:`~cellpk.reporting.level_statistics.level_statistics`, with
        unit; the numbers of :func:`~cellpk.reporting.figures.means.level_means` are the
        same.

    Examples
    --------
    >>> import cellpk as ck
    >>> table = levels(ck.simulate_study(seed=1), by="dose_level")
    >>> table.frame["group"].unique().tolist()
    ['1', '2', '3', 'Total']
    """
    assay = assay_of(study, assay)
    groups = grouping(study, by)
    samples, notes = series(study, assay, specimen=specimen)
    found = level_statistics(study, samples, groups, below=below, days=days)
    unit = study.unit(assay)
    frame = found.table.assign(unit=unit)
    sizes = groups.sizes | {TOTAL: len(study.patients)}
    columns = frame["group"].unique()
    printed = f" ({pretty(unit)})" if pretty(unit) else ""
    return Table(
        name=f"levels_{assay}"
        + (f"_{specimen}" if specimen else "")
        + groups.suffix
        + (f"_{below}" if below != "left_out" else ""),
        title=f"{study.assay(assay).label}{printed} by visit"
        + (f" and {inside(groups.label)}" if groups.by else ""),
        frame=frame,
        shown=_shown(frame, detected=bool(frame["n_detected"].any())),
        labels={"statistic": "Visit\nStatistic"}
        | {name: f"{name}\n(N = {sizes[name]})" for name in columns},
        group="visit",
        spans={groups.label: groups.names} if groups.by and groups.names else {},
        footnotes=(
            *_RULES,
            RULES[below],
            *_above(samples),
            *assumed_note(samples),
            *notes,
            *found.notes,
            *groups.note(),
        ),
        source=f"study {study.settings.study.id}, samples",
        simulated=study.settings.study.simulated,
    )


def _level(value: float) -> str:
    return BLQ if value == 0 else level(value)


def _shown(frame: pd.DataFrame, *, detected: bool) -> pd.DataFrame:
    """Print a row for each statistic of each visit, a column for each group."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        for statistic, text in _statistics(row, detected=detected).items():
            rows.setdefault((row["visit"], statistic), {})[row["group"]] = text
    lines = [
        {"visit": visit, "statistic": statistic, **cells}
        for (visit, statistic), cells in rows.items()
    ]
    return pd.DataFrame(lines).fillna("")


def _statistics(row: dict, *, detected: bool) -> dict[str, str]:
    """Print the statistics of one visit and group."""
    counts = {"n": str(row["n"]), "Below LLOQ, n (%)": _share(row, "n_below")}
    if detected:
        counts["  of these detected, n (%)"] = _share(row, "n_detected")
    if row["n"] < FEW:
        few = dict.fromkeys(_LINES, NOTHING)
        return counts | few | {_LINES[0]: _few(row["values"])}
    ends = (_level(row[name]) for name in ("q1", "q3"))
    mean = f"{level(row['mean'])} ({level(row['sd'])})"
    geometric = f"{level(row['geometric_mean'])} ({percent(row['geometric_cv'])})"
    if np.isnan(row["geometric_mean"]):
        geometric = NOTHING
    if row["mostly_below"]:
        mean = geometric = BLQ
    texts = (
        mean,
        geometric,
        f"{_level(row['median'])} ({', '.join(ends)})",
        f"{_level(row['minimum'])}, {_level(row['maximum'])}",
    )
    return counts | dict(zip(_LINES, texts, strict=True))


_LINES = (
    "Mean (SD)",
    "Geometric mean (geometric CV%)",
    "Median (Q1, Q3)",
    "Minimum, maximum",
)


def _few(values: str) -> str:
    return "; ".join(_level(float(each)) for each in values.split()) or NOTHING


def _share(row: dict, name: str) -> str:
    return count_share(row[name], row["n"])


def _above(samples: pd.DataFrame) -> tuple[str, ...]:
    count = int(samples["state"].eq("above").sum())
    if not count:
        return ()
    return (
        f"Samples above the upper limit count as that limit ({count}): means and "
        "maxima are too low.",
    )
