"""Table of persistence: who is still quantifiable at each visit, and for how long."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cellpk.kinetics.layout import assay_of
from cellpk.kinetics.metrics.presence import visit_in_words
from cellpk.kinetics.persistence import RULES, RULES_AT_VISITS, Persistence
from cellpk.kinetics.persistence import persistence as estimated
from cellpk.reporting.grouping import By, grouping
from cellpk.reporting.persistence_words import (
    FEW_RULE,
    NE_RULE,
    NOT_ESTIMABLE,
    by_group,
    notes,
    printed_median,
)
from cellpk.reporting.printed import NOTHING, count_share, day, inside, percent
from cellpk.reporting.statistics import FEW
from cellpk.reporting.table import Table, table

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics
    from cellpk.study.study import Study

_TOTAL = "Total"
_LOSS = "Time to loss (interval-censored)"
_NAIVE = "Observed Tbql of those who reached it (not an estimate of persistence)"


@table
def persistence(
    metrics: "Metrics",
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    expanded_only: bool = False,
) -> Table:
    """Count who is quantifiable at each visit, and estimate the time to loss.

    Parameters
    ----------
    metrics : Metrics
        Whose rules hold: visits, further infusions.
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the columns, see :func:`~cellpk.reporting.grouping.grouping`.
    assay : str, optional
        Assay; the study's main assay without.
    specimen : str, optional
        Specimen; the one sampled most without.
    expanded_only : bool
        Whether to leave patients without any quantifiable sample out of the time to
        loss.

    Returns
    -------
    Table
        ``frame``: group and ``kind`` "visit" (columns of ``Persistence.visits``) or
        "loss" (those of ``Persistence.summary``).

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> table = persistence(ck.nca(study), study, by="dose_level")
    >>> list(table.labels)
    ['statistic', '1', '2', '3', 'Total']
    """
    groups, assay = grouping(study, by), assay_of(study, assay)
    whole = estimated(
        metrics, study, assay=assay, specimen=specimen, expanded_only=expanded_only
    )
    parts = by_group(whole, groups) | {_TOTAL: whole}
    shown = _shown(parts)
    sizes = groups.sizes | {_TOTAL: len(study.patients)}
    return Table(
        name=f"persistence_{whole.assay}" + groups.suffix,
        title=f"{study.assay(whole.assay).label}: persistence" + groups.in_title,
        frame=_frame(parts),
        shown=shown,
        labels={"statistic": "Visit\nStatistic"}
        | {name: f"{name}\n(N = {sizes[name]})" for name in parts},
        group="block",
        spans={groups.label: groups.names} if groups.by else {},
        footnotes=(
            *notes(whole, study),
            *_unreached(whole),
            *_few(parts),
            *_not_estimable(shown),
            *groups.note(),
        ),
        rules=(*RULES_AT_VISITS, *RULES),
        source=f"study {whole.study_id}, metrics and samples",
        simulated=study.settings.study.simulated,
    )


def _frame(parts: dict[str, Persistence]) -> pd.DataFrame:
    rows = []
    for name, part in parts.items():
        rows.append(part.visits.assign(group=name, kind="visit"))
        rows.append(part.summary.assign(group=name, kind="loss"))
    frame = pd.concat(rows, ignore_index=True)
    return frame[["group", "kind", *frame.columns.drop(["group", "kind"])]]


def _shown(parts: dict[str, Persistence]) -> pd.DataFrame:
    """Print a row for each statistic of each visit, a column for each group."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    reached = parts[_TOTAL].visits.query("at_risk > 0")["visit"]
    tells = parts[_TOTAL].tells_detection
    for name, part in parts.items():
        for visit in part.visits.to_dict("records"):
            if visit["visit"] in set(reached):
                title = visit_title(visit)
                for statistic, text in _at_visit(visit, tells_detection=tells).items():
                    rows.setdefault((title, statistic), {})[name] = text
        for title, lines in _of_loss(part).items():
            for statistic, text in lines.items():
                rows.setdefault((title, statistic), {})[name] = text
    return pd.DataFrame(
        [
            {"block": title, "statistic": statistic, **cells}
            for (title, statistic), cells in rows.items()
        ]
    )


def visit_title(visit: "dict[Any, Any] | pd.Series") -> str:
    """Return what a visit is called, and its window.

    Examples
    --------
    >>> visit_title({"visit": "d28", "day": 28.0, "window": 7.0})
    'Day 28 (day 21 to 35)'
    """
    name = visit_in_words(str(visit["visit"]))
    opens, closes = visit["day"] - visit["window"], visit["day"] + visit["window"]
    return f"{name[:1].upper()}{name[1:]} (day {opens:.0f} to {closes:.0f})"


def _at_visit(visit: "dict[Any, Any]", *, tells_detection: bool) -> dict[str, str]:
    sampled = visit["sampled"]

    def share(count: int) -> str:
        return count_share(count, sampled) if sampled else NOTHING

    ends = f" [{percent(100 * visit['low'])}, {percent(100 * visit['high'])}]"
    shown = {
        "At risk (sampled), n": f"{visit['at_risk']} ({sampled})",
        "Quantifiable, n (%) [95% CI]": share(visit["quantifiable"])
        + (ends if sampled else ""),
    }
    if not tells_detection:
        return shown | {"Below the LLOQ, n (%)": share(visit["not_detected"])}
    return shown | {
        "Detected below the LLOQ, n (%)": share(visit["detected"]),
        "Not detected, n (%)": share(visit["not_detected"]),
    }


def _of_loss(part: Persistence) -> dict[str, dict[str, str]]:
    row = part.summary.iloc[0]
    n = int(row["naive_n"])
    middle, low, high = (
        day(row[f"naive_{end}"]) for end in ("median", "minimum", "maximum")
    )
    seen = f"{middle} ({low}, {high})" if n else NOTHING
    return {
        _LOSS: {
            "Lost; still quantifiable (censored), n": f"{row['lost']:.0f}; "
            f"{row['quantifiable']:.0f}",
            "Median (95% CI), days": printed_median(part),
        },
        _NAIVE: {"n": str(n), "Median (min, max), days": seen},
    }


def _unreached(whole: Persistence) -> tuple[str, ...]:
    """Name the visits at which nobody was at risk."""
    visits = whole.visits
    names = [
        inside(visit_title(row).partition(" (")[0])
        for row in visits[visits["at_risk"] == 0].to_dict("records")
    ]
    return (f"Nobody was at risk at {', '.join(names)}.",) if names else ()


def _few(parts: dict[str, Persistence]) -> tuple[str, ...]:
    """Say what is listed of groups that are too small for a median."""
    sizes = [int(part.summary["n"][0]) for part in parts.values()]
    return (FEW_RULE,) if any(0 < n < FEW for n in sizes) else ()


def _not_estimable(shown: pd.DataFrame) -> tuple[str, ...]:
    cells = shown.drop(columns=["block", "statistic"])
    there = cells.map(lambda text: NOT_ESTIMABLE in text)
    return (NE_RULE,) if there.to_numpy().any() else ()
