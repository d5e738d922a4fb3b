"""Figures of metrics in groups of patients."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.style import (
    GREY,
    colours,
    decades,
    level_axis,
    sheet,
    spread,
    styled,
)
from cellpk.reporting.grouping import Grouping, grouping
from cellpk.reporting.printed import inside
from cellpk.reporting.values import summarised
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.kinetics.nca import Metrics
    from cellpk.study.study import Study


@figure
def metrics_by(
    metrics: "Metrics",
    study: "Study",
    *,
    by: str | None = None,
    assay: str | None = None,
    names: tuple[str, ...] = ("cmax", "auc_0_28"),
) -> Drawing:
    """Draw metrics in groups: a box and a point for every patient.

    Parameters
    ----------
    metrics : Metrics
        The metrics of all patients.
    study : Study
        The study.
    by : str, optional
        Endpoint or column of the patients; the study's own grouping without.
    assay : str, optional
        Assay; the study's main assay without.
    names : tuple of str
        Metrics to draw, a panel each.

    Returns
    -------
    Drawing
        ``frame``: patient, group, metric, value, unit, shown. A patient in whom nothing
        was quantified is drawn at the bottom of the axis.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> drawing = metrics_by(ck.nca(study), study, by="dose_level")
    >>> drawing.frame["metric"].unique().tolist()
    ['cmax', 'auc_0_28']
    """
    assay = assay or study.main_assay
    groups = grouping(study, by or study.settings.analysis.by)
    frame = _values(metrics, groups, assay=assay, names=names)
    simulated = study.settings.study.simulated
    with styled():
        drawn = _boxes(frame, groups, names=names, simulated=simulated)
    return Drawing(
        name=f"metrics_{assay}_by_{groups.by}",
        title=f"{study.assay(assay).label}: metrics by {inside(groups.label)}",
        frame=frame,
        figure=drawn,
        caption="Box: quartiles; whiskers: lowest and highest value; a point for each "
        "evaluable patient (n).",
        footnotes=(*_nothing(frame), *groups.note()),
        source=f"study {study.settings.study.id}, metrics",
        simulated=simulated,
    )


def _values(
    metrics: "Metrics", groups: Grouping, *, assay: str, names: tuple[str, ...]
) -> pd.DataFrame:
    frame = summarised(metrics, assay)
    frame = frame[frame["metric"].isin(names) & frame["evaluable"]]
    units = metrics.units(assay)
    frame = frame.assign(
        group=frame["patient"].map(groups.of), unit=frame["metric"].map(units)
    ).drop(columns=["reason", "evaluable"])
    frame = frame.dropna(subset=["value", "group"]).reset_index(drop=True)
    floors = frame.groupby("metric")["value"].agg(
        lambda values: decades(values.to_numpy())[0]
    )
    shown = frame["value"].where(frame["value"] > 0, frame["metric"].map(floors))
    return frame.assign(shown=shown)


def _boxes(
    frame: pd.DataFrame, groups: Grouping, *, names: tuple[str, ...], simulated: bool
) -> "Figure":
    page, axes = sheet(7.4, 3.4, columns=len(names), simulated=simulated, shared=False)
    for panel, name in zip(axes.flat, names, strict=True):
        part = frame[frame["metric"] == name]
        _panel(panel, part, groups)
        if len(part):
            level_axis(panel, part["shown"].to_numpy())
            panel.set_ylabel(f"{_label(name)} ({pretty(part['unit'].iloc[0])})")
        panel.set_xlabel(groups.label)
    return page


def _label(name: str) -> str:
    from cellpk.kinetics.metrics import METRICS

    return METRICS[name].label


def _panel(panel: "Axes", part: pd.DataFrame, groups: Grouping) -> None:
    colour = colours(groups.names)
    for place, name in enumerate(groups.names):
        rows = part[part["group"] == name].sort_values("shown")
        if len(rows) > 2:
            panel.bxp([_box(rows)], positions=[place], **_thin(colour[name]))
        x = place + 0.22 * spread(len(rows))
        empty = rows["value"].le(0).to_numpy()
        panel.plot(x[~empty], rows["shown"][~empty], "o", color=colour[name], **_POINT)
        if empty.any():
            panel.plot(x[empty], rows["shown"][empty], color=colour[name], **_EMPTY)
    panel.grid(visible=False, axis="x")
    counts = part["group"].value_counts()
    panel.set_xticks(
        range(len(groups.names)),
        [f"{name}\nn = {counts.get(name, 0)}" for name in groups.names],
    )
    panel.set_xlim(-0.6, len(groups.names) - 0.4)


_POINT = {"ms": 3.6, "alpha": 0.75, "mew": 0}
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


def _nothing(frame: pd.DataFrame) -> tuple[str, ...]:
    if not frame["value"].le(0).any():
        return ()
    return (
        "Open triangles on the axis: patients in whom nothing was quantified; they "
        "count as the lowest values in the quartiles.",
    )
