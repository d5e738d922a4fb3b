"""Tables of what the data say by themselves: metrics over patients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.kinetics.layout import assay_of
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.printed import NOTHING, enumerated, inside, level
from cellpk.reporting.statistics import FEW, Summary, summarise
from cellpk.reporting.table import Table, table
from cellpk.reporting.values import speaks_for_all, summarised
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics
    from cellpk.study.study import Study

_RATIO = "ratio"
_NO_SPREAD = 1e-9  # of logarithms: values that are all the same have no interval

_RULES = (
    "n: patients in whom the metric is calculable and evaluable; one in whom no level "
    "was quantified counts with 0. Quantified: those above 0.",
    "Geometric mean and geometric CV% = 100 sqrt(exp(s²) - 1), s the standard "
    "deviation of the natural logarithms: quantified values only. All other statistics "
    "include zeros.",
    f"Where n is below {FEW}, the individual values are listed instead of statistics; "
    f"fewer than {FEW} quantified values have no geometric mean ({NOTHING}).",
)


SAMPLED_PEAK = (
    "Observed Cmax is a sampled peak. In simulated tisagenlecleucel-like profiles "
    "(Stein 2019) sampled on days 0, 1, 4, 7, 10, 14, 21 and 28 with 30% assay error "
    "it was 0.81 of the true peak (median; quartiles 0.61 to 1.02), and 0.67 (0.45 to "
    "0.91) with weekly samples."
)
_SHARE = (
    "Shares: patients in whom it holds of those in whom it is known, with the exact "
    "(Clopper-Pearson) interval."
)


@table
def kinetics(
    metrics: "Metrics",
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    names: str | Sequence[str] | None = None,
) -> Table:
    """Summarise the metrics of one assay over patients.

    Parameters
    ----------
    metrics : Metrics
        Metrics of all patients.
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the columns, see :func:`~cellpk.reporting.grouping.grouping`. Between
        two groups, the ratio of geometric means is given with its 90% interval.
    assay : str, optional
        Assay; the study's main assay without.
    names : str or sequence of str, optional
        Metrics in the order of the table; the main ones without.

    Returns
    -------
    Table
        ``frame``: specimen, metric, unit, group, n, n_quantified (of a share: those in
        whom it holds), geometric_mean, geometric_cv (%), mean, sd, median, minimum,
        maximum, values, and for two groups ratio, ratio_low, ratio_high on the rows of
        the first.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> table = kinetics(ck.nca(study), study, by="dose_level")
    >>> table.frame["group"].unique().tolist()
    ['1', '2', '3', 'Total']
    """
    assay = assay_of(study, assay)
    groups = grouping(study, by)
    values = summarised(metrics, assay, names=names)
    summaries = _summaries(values, groups)
    ratios = _ratios(values[values["evaluable"]], groups, metrics)
    units = metrics.units(assay)
    frame = _frame(summaries, ratios, units)
    columns = [*(groups.names if groups.by else ()), "Total"]
    sizes = groups.sizes | {"Total": len(study.patients)}
    uncut = metrics.settings.reinfusion == "keep"
    ratio = {_RATIO: "Ratio of geometric\nmeans (90% CI)"} if ratios else {}
    return Table(
        name=f"kinetics_{assay}" + groups.suffix + ("_uncut" if uncut else ""),
        title=f"{study.assay(assay).label}: kinetic metrics"
        + groups.in_title
        + (", samples after a further infusion included" if uncut else ""),
        frame=frame,
        shown=_shown(summaries, ratios, metrics=metrics, units=units),
        labels={"statistic": "Metric (unit)\nStatistic"}
        | {name: f"{name}\n(N = {sizes[name]})" for name in columns}
        | ratio,
        group="metric",
        spans={groups.label: groups.names} if groups.by else {},
        footnotes=(
            *_RULES,
            *_shares(values, metrics),
            *_sampled_peak(values),
            *([_RATIO_RULE] if ratios else []),
            *_not_calculable(values, metrics),
            *_partial(values, metrics),
            *groups.note(),
        ),
        rules=metrics.rules,
        source=f"study {metrics.study_id}, metrics",
        simulated=study.settings.study.simulated,
    )


type _Key = tuple[str, str, str]  # specimen, metric, group
type _Ratios = dict[tuple[str, str], tuple[float, float, float]]

_RATIO_RULE = (
    "Ratio of geometric means, first group over second, with its 90% interval: "
    "Welch's t on the natural logarithms of the quantified values."
)


def _summaries(values: pd.DataFrame, groups: Grouping) -> dict[_Key, Summary]:
    """Summarise each metric in each group and in all patients."""
    where = values["patient"].map(groups.of)
    used = values["value"].where(values["evaluable"])
    result = {}
    for (specimen, metric), rows in used.groupby(
        [values["specimen"], values["metric"]], sort=False
    ):
        for name in groups.names if groups.by else ():
            inside = rows[where[rows.index] == name]
            result[specimen, metric, name] = summarise(inside)
        result[specimen, metric, "Total"] = summarise(rows)
    return result


def _ratios(values: pd.DataFrame, groups: Grouping, metrics: "Metrics") -> _Ratios:
    """Compare two groups, metric by metric, on the log scale."""
    if len(groups.names) != 2:
        return {}
    where = values["patient"].map(groups.of)
    result = {}
    for (specimen, metric), rows in values.groupby(["specimen", "metric"], sort=False):
        if metrics.metrics[str(metric)].summary != "geometric":
            continue
        first, second = (
            np.log(rows.loc[(where[rows.index] == name) & (rows["value"] > 0), "value"])
            for name in groups.names
        )
        if min(len(first), len(second)) >= FEW:
            result[specimen, metric] = ratio_of_means(first, second)
    return result


def ratio_of_means(first: Any, second: Any) -> tuple[float, float, float]:
    """Return the ratio of two geometric means and its 90% interval.

    The interval is NaN where neither group has any spread.

    Parameters
    ----------
    first, second : array_like, shape (patients,)
        Natural logarithms of the values.

    Notes
    -----
    Welch (1947), Biometrika 34:28-35.

    Examples
    --------
    >>> ratio, low, high = ratio_of_means(np.log([8, 8.5, 9]), np.log([4, 4, 4.5]))
    >>> round(ratio, 2), low < ratio < high
    (2.04, True)
    """
    from scipy.stats import ttest_ind

    middle = float(np.mean(first) - np.mean(second))
    if max(np.ptp(first), np.ptp(second)) < _NO_SPREAD:
        return float(np.exp(middle)), np.nan, np.nan
    result: Any = ttest_ind(first, second, equal_var=False)
    interval = result.confidence_interval(0.90)
    ratio, low, high = np.exp([middle, interval.low, interval.high])
    return float(ratio), float(low), float(high)


def _frame(
    summaries: dict[_Key, Summary], ratios: _Ratios, units: dict[str, str]
) -> pd.DataFrame:
    rows = []
    for (specimen, metric, group), summary in summaries.items():
        row = {"specimen": specimen, "metric": metric, "unit": units[metric]}
        row |= {"group": group, **vars(summary)}
        row["values"] = " ".join(map(repr, summary.values))
        if ratios and group == next(g for s, m, g in summaries if m == metric):
            ends = ratios.get((specimen, metric), (np.nan,) * 3)
            row |= dict(zip(("ratio", "ratio_low", "ratio_high"), ends, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def _shown(
    summaries: dict[_Key, Summary],
    ratios: _Ratios,
    *,
    metrics: "Metrics",
    units: dict[str, str],
) -> pd.DataFrame:
    """Print a row for each statistic of each metric, a column for each group."""
    several = len({specimen for specimen, _, _ in summaries}) > 1
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for (specimen, name, group), summary in summaries.items():
        metric = metrics.metrics[name]
        unit = pretty(units[name])
        title = f"{metric.label} ({unit})" if unit else metric.label
        title = f"{specimen}: {title}" if several else title
        for statistic, text in _statistics(summary, metric).items():
            rows.setdefault((title, statistic), {})[group] = text
        if (specimen, name) in ratios:
            key = (title, "Geometric mean (geometric CV%)")
            rows[key][_RATIO] = _printed_ratio(*ratios[specimen, name])
    lines = [
        {"metric": title, "statistic": statistic, **cells}
        for (title, statistic), cells in rows.items()
    ]
    return pd.DataFrame(lines).fillna("")


def _statistics(summary: Summary, metric: Any) -> dict[str, str]:
    """Print the statistics that suit a metric."""
    kind = metric.unit_kind
    if metric.summary == "share":
        return {"n/N (%) [95% CI]": summary.share()}
    if metric.summary == "median":
        return {
            "n": str(summary.n),
            "Median (min, max)": summary.middle(kind, first=True),
        }
    return {
        "n (quantified)": f"{summary.n} ({summary.n_quantified})",
        "Geometric mean (geometric CV%)": summary.geometric(kind),
        "Mean (SD)": summary.arithmetic(kind),
        "Median (min, max)": summary.middle(kind),
    }


def _printed_ratio(ratio: float, low: float, high: float) -> str:
    if not np.isfinite([ratio, low, high]).all():
        return NOTHING
    return f"{level(ratio)} ({level(low)}, {level(high)})"


def _not_calculable(values: pd.DataFrame, metrics: "Metrics") -> tuple[str, ...]:
    """Say which metrics are missing in how many patients, and why."""
    alike: dict[str, list[str]] = {}
    for name, rows in values.groupby("metric", sort=False):
        reasons = _missing(rows)
        if reasons:
            label = metrics.metrics[str(name)].label
            used = int((rows["value"].notna() & rows["evaluable"]).sum())
            why = f"{len(rows) - used} of {len(rows)} patients: {'; '.join(reasons)}."
            alike.setdefault(why, []).append(label)
    return tuple(
        f"Left out of {', '.join(labels)}, {why}" for why, labels in alike.items()
    )


def _partial(values: pd.DataFrame, metrics: "Metrics") -> tuple[str, ...]:
    """Name the metrics whose summary does not speak for most patients."""
    labels = [
        metrics.metrics[str(name)].label
        for name, rows in values.groupby("metric", sort=False)
        if not speaks_for_all(rows)
    ]
    if not labels:
        return ()
    return (
        f"Fewer than half of the sampled patients have {enumerated(labels)}, and who "
        "has it is no chance: these numbers do not speak for the others.",
    )


def _shares(values: pd.DataFrame, metrics: "Metrics") -> tuple[str, ...]:
    """Say how shares are given, where there are any."""
    kinds = {metrics.metrics[str(name)].summary for name in values["metric"].unique()}
    return (_SHARE,) if "share" in kinds else ()


def _sampled_peak(values: pd.DataFrame) -> tuple[str, ...]:
    """Say what an observed Cmax is, where one is summarised."""
    return (SAMPLED_PEAK,) if values["metric"].eq("cmax").any() else ()


def _missing(rows: pd.DataFrame) -> list[str]:
    """Count the reasons why a metric is not in the statistics."""
    from cellpk.kinetics.metrics import REASONS

    counts = rows.loc[rows["value"].isna(), "reason"].value_counts()
    reasons = [
        f"{inside(REASONS[str(code)]).rstrip('.')} ({n})" for code, n in counts.items()
    ]
    left_out = int((rows["value"].notna() & ~rows["evaluable"]).sum())
    return reasons + (
        [f"calculable but not evaluable ({left_out})"] if left_out else []
    )
