"""Figures of metrics in groups of patients."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError
from cellpk.kinetics.layout import assay_of
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.given import one_panel, only_one, styled_unless
from cellpk.reporting.figures.style import (
    GREY,
    close_unused,
    colours,
    decades,
    level_axis,
    sheet,
    spread,
)
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.placing import series
from cellpk.reporting.values import summarised
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.kinetics.nca import Metrics
    from cellpk.kinetics.registry import Metric
    from cellpk.study.study import Study

_COLUMNS = 3
_FEWEST = 4
"""Values from which a box is drawn; fewer are points only."""
_MANY = 5  # groups whose labels stand close


@figure
def metrics_by(
    metrics: "Metrics",
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    names: str | Sequence[str] = ("cmax", "auc_0_28"),
    ax: "Axes | None" = None,
) -> Drawing:
    """Draw metrics in groups: a box and a point for every patient.

    Parameters
    ----------
    metrics : Metrics
        The metrics of all patients.
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        See :func:`~cellpk.reporting.grouping.grouping`; without, the study's own
        grouping, or all patients in one group where that makes none.
    assay : str, optional
        Assay; the study's main assay without.
    specimen : str, optional
        Specimen; the one with the most samples without.
    names : str or sequence of str
        Metrics to draw, a panel each, three in a row.
    ax : matplotlib Axes, optional
        Axes of your own figure to draw in; only for one metric.

    Returns
    -------
    Drawing
        ``frame``: patient, specimen, metric, value, group, unit, shown. Levels and
        areas are drawn on log axes, with a patient in whom nothing was quantified at
        the bottom; times on linear ones. Of a metric that is 1 for yes and 0 for no,
        the share of yes is drawn with its exact 95% interval.

    Raises
    ------
    DataError
        If there is no such metric.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> drawing = metrics_by(ck.nca(study), study, by="dose_level")
    >>> drawing.frame["metric"].unique().tolist()
    ['cmax', 'auc_0_28']
    """
    assay = assay_of(study, assay)
    names = (names,) if isinstance(names, str) else tuple(names)
    only_one(ax, len(names), todo="Name one metric, or leave 'ax' out.")
    groups = _groups(study, by)
    samples, note = series(study, assay, specimen=specimen)
    kept = samples["specimen"].iloc[0] if len(samples) else ""
    frame = _values(metrics, groups, assay=assay, specimen=kept, names=names)
    simulated = study.settings.study.simulated
    with styled_unless(ax):
        drawn = {"assay": assay, "names": names, "sim": simulated}
        page = _page(frame, groups, metrics, **drawn, ax=ax)
    standard = names == ("cmax", "auc_0_28")
    return Drawing(
        name=f"metrics_{assay}"
        + (f"_{specimen}" if specimen else "")
        + groups.suffix
        + ("" if standard else f"_{'_'.join(names)}"),
        title=f"{study.assay(assay).label}: metrics" + groups.in_title,
        frame=frame,
        figure=page,
        caption=_caption(frame, [metrics.metrics[name] for name in names]),
        footnotes=(*note, *_nothing(frame, metrics), *groups.note()),
        source=f"study {study.settings.study.id}, metrics",
        simulated=simulated,
        ours=ax is None,
    )


def _groups(study: "Study", by: By) -> Grouping:
    """Return the groups asked for, else the study's own, else one of all patients."""
    if by is not None:
        return grouping(study, by)
    try:
        own = grouping(study, study.settings.analysis.by)
    except DataError:
        return grouping(study, None)
    return own if own.names else grouping(study, None)


def _values(
    metrics: "Metrics",
    groups: Grouping,
    *,
    assay: str,
    specimen: str,
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Return the evaluable values of patients in groups, and where they are drawn."""
    rows = summarised(metrics, assay, names=names)
    rows = rows[rows["evaluable"] & (rows["specimen"] == specimen)]
    rows = rows.assign(
        group=rows["patient"].map(groups.of),
        unit=rows["metric"].map(metrics.units(assay)),
    )
    rows = rows.drop(columns=["reason", "evaluable"]).dropna(subset=["value", "group"])
    floors = {
        name: _floor(part["value"].to_numpy())
        for name, part in rows.groupby("metric")
        if _logarithmic(metrics.metrics[str(name)])
    }
    floor = rows["metric"].map(floors)
    nothing = (rows["value"] <= 0) & floor.notna()
    return rows.assign(shown=rows["value"].mask(nothing, floor))


def _logarithmic(metric: "Metric") -> bool:
    return metric.summary == "geometric" and metric.unit_kind != "day"


def _floor(values: np.ndarray) -> float:
    """Return the bottom of a log axis, clearly below the lowest value above 0."""
    low = decades(values)[0]
    positive = values[values > 0]
    return low / 10 if positive.size and positive.min() < 2 * low else low


def _page(
    frame: pd.DataFrame,
    groups: Grouping,
    metrics: "Metrics",
    *,
    assay: str,
    names: tuple[str, ...],
    sim: bool,
    ax: "Axes | None",
) -> "Figure":
    rows, columns = math.ceil(len(names) / _COLUMNS), min(len(names), _COLUMNS)
    if len(names) == 1:
        page, panel = one_panel(ax, 4.6, 3.4, simulated=sim)
        axes = np.array([[panel]])
    else:
        shape = {"rows": rows, "columns": columns}
        page, axes = sheet(7.4, 3.4 * rows, **shape, simulated=sim, shared=False)
    units = metrics.units(assay)
    for panel, name in zip(axes.flat, names, strict=False):
        part = frame[frame["metric"] == name]
        _panel(panel, part, groups, metric=metrics.metrics[name], unit=units[name])
    close_unused(axes, len(names))
    return page


def _panel(
    panel: "Axes",
    part: pd.DataFrame,
    groups: Grouping,
    *,
    metric: "Metric",
    unit: str,
) -> None:
    """Draw one metric, and label its axes."""
    draw = _shares if metric.summary == "share" else _boxes
    draw(panel, part, groups)
    if part.empty:
        place = {"x": 0.5, "y": 0.5, "ha": "center", "transform": panel.transAxes}
        panel.text(s="Not calculable in any patient", **place)
        panel.set_yticks([])
    elif _logarithmic(metric):
        level_axis(panel, part["shown"].to_numpy())
        if part["value"].le(0).all():
            panel.set_yticks([], minor=False)
            panel.set_yticks([], minor=True)
    elif metric.summary != "share":
        low, high = min(part["value"].min(), 0.0), part["value"].max()
        panel.set_ylim(low, high + 0.06 * (high - low) if high > low else low + 1)
    unit = "%" if metric.summary == "share" else pretty(unit)
    panel.set_ylabel(f"{metric.label} ({unit})" if unit else metric.label)
    panel.set_xlabel(groups.label)
    panel.grid(visible=False, axis="x")
    counts = part["group"].value_counts()
    labels = [f"{_wrapped(name)}\nn = {counts.get(name, 0)}" for name in groups.names]
    small: dict[str, Any] = {"fontsize": 6} if len(labels) > _MANY else {}
    panel.set_xticks(range(len(labels)), labels, **small)
    panel.set_xlim(-0.6, len(labels) - 0.4)


def _wrapped(name: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(name, 14)) or name


def _boxes(panel: "Axes", part: pd.DataFrame, groups: Grouping) -> None:
    """Draw a point for every patient, and a box where there are enough."""
    colour = colours(groups.names)
    for place, name in enumerate(groups.names):
        rows = part[part["group"] == name].sort_values("shown")
        if len(rows) >= _FEWEST:
            panel.bxp([_box(rows)], positions=[place], **_thin(colour[name]))
        aside = spread(len(rows))
        x = place + 0.22 * (aside - aside.mean() if len(rows) else aside)
        empty = rows["value"].ne(rows["shown"]).to_numpy()
        for here, look in ((~empty, _POINT), (empty, _EMPTY)):
            if here.any():
                panel.plot(x[here], rows["shown"][here], color=colour[name], **look)


_POINT = {"ls": "", "marker": "o", "ms": 3.6, "alpha": 0.75, "mew": 0, "clip_on": False}
_EMPTY = {"ls": "", "marker": "v", "ms": 4.5, "mfc": "white", "clip_on": False}


def _box(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the quartiles of all values; those of nothing quantified on the axis."""
    quartiles = np.quantile(rows["value"], [0, 0.25, 0.5, 0.75, 1])
    names = ("whislo", "q1", "med", "q3", "whishi")
    floor = rows["shown"].min()
    return dict(zip(names, np.maximum(quartiles, floor), strict=True))


def _thin(colour: str) -> dict[str, Any]:
    line = {"color": GREY, "linewidth": 0.9}
    return {
        "showfliers": False,
        "widths": 0.6,
        "boxprops": line,
        "whiskerprops": line,
        "capprops": line,
        "medianprops": {"color": colour, "linewidth": 2},
        "manage_ticks": False,
    }


def _shares(panel: "Axes", part: pd.DataFrame, groups: Grouping) -> None:
    """Draw the share of patients with a 1, with its exact interval."""
    from scipy.stats import binomtest

    colour = colours(groups.names)
    for place, name in enumerate(groups.names):
        values = part.loc[part["group"] == name, "value"]
        if values.empty:
            continue
        yes, n = int(values.sum()), len(values)
        ends = binomtest(yes, n).proportion_ci(0.95, method="exact")
        panel.vlines(place, 100 * ends.low, 100 * ends.high, color=GREY, lw=1.2)
        panel.plot(place, 100 * yes / n, "o", color=colour[name], ms=6, clip_on=False)
        panel.annotate(
            f"{yes}/{n}",
            (place, 100 * yes / n),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    panel.set_ylim(0, 100)


def _caption(frame: pd.DataFrame, drawn: "list[Metric]") -> str:
    """Say what boxes, points and intervals are, as far as they are drawn."""
    shares = [metric.name for metric in drawn if metric.summary == "share"]
    values = frame[~frame["metric"].isin(shares)]
    parts = []
    if len(shares) < len(drawn):
        sizes = values.groupby(["metric", "group"]).size()
        few = sizes.lt(_FEWEST).any()
        parts.append(
            "Box: quartiles; whiskers: lowest and highest value; a point for each "
            "evaluable patient (n)."
            + (f" No box where n is below {_FEWEST}." if few else "")
        )
    if shares:
        parts.append("Share of the evaluable patients (n) with its exact 95% interval.")
    return " ".join(parts)


def _nothing(frame: pd.DataFrame, metrics: "Metrics") -> tuple[str, ...]:
    logs = [name for name, metric in metrics.metrics.items() if _logarithmic(metric)]
    if not (frame["metric"].isin(logs) & frame["value"].le(0)).any():
        return ()
    return (
        "Open triangles on the axis: patients in whom nothing was quantified; they "
        "count as the lowest values in the quartiles.",
    )
