"""Figures of levels over time."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.marks import (
    draw_limits,
    draw_samples,
    legend_marks,
    limit_notes,
    placed,
)
from cellpk.reporting.figures.style import (
    close_unused,
    colours,
    day_axis,
    label_outer,
    legend_below,
    level_axis,
    sheet,
    styled,
)
from cellpk.reporting.grouping import Grouping, grouping
from cellpk.reporting.printed import inside
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.study.assays import Assay
    from cellpk.study.study import Study

_COLUMNS = ["patient", "group", "specimen", "time", "level", "unit", "lloq", "state"]


@figure
def profiles(
    study: "Study",
    *,
    by: str | None = None,
    assay: str | None = None,
    until: float = math.inf,
) -> Drawing:
    """Draw the level of every patient over time, a panel for each group.

    Parameters
    ----------
    study : Study
        The study.
    by : str, optional
        Endpoint or column of the patients that makes the panels; one panel without.
    assay : str, optional
        Assay to draw; the study's main assay without.
    until : float
        Last day that is drawn.

    Returns
    -------
    Drawing
        Level on a log axis against days after infusion. ``frame`` has a row for each
        sample; ``shown`` is the level at which it is drawn.

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = profiles(ck.simulate_study(seed=1), by="dose_level")
    >>> len(drawing.figure.axes)
    3
    """
    assay = assay or study.main_assay
    groups = grouping(study, by)
    samples, notes = series(study, assay)
    samples = samples.assign(group=samples["patient"].map(groups.of))
    samples = samples[samples["group"].notna() & (samples["time"] <= until)]
    with styled():
        drawn = _panels(samples, groups, simulated=study.settings.study.simulated)
        drawn.supylabel(level_label(study.assay(assay)), fontsize=8.5)
    bounded = math.isfinite(until)
    return Drawing(
        name=f"profiles_{assay}"
        + (f"_by_{by}" if by else "")
        + (f"_to_day_{until:g}" if bounded else ""),
        title=f"{study.assay(assay).label}: individual profiles"
        + (f" by {inside(groups.label)}" if by else "")
        + (f" to day {until:g}" if bounded else ""),
        frame=samples[[*_COLUMNS, "shown"]].reset_index(drop=True),
        figure=drawn,
        caption="One line per patient; log axis. n: patients with a usable sample.",
        footnotes=(*notes, *limit_notes(samples), *groups.note()),
        source=f"study {study.settings.study.id}, samples",
        simulated=study.settings.study.simulated,
    )


def series(study: "Study", assay: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the placed samples of one assay in its most sampled specimen.

    Parameters
    ----------
    study : Study
        The study.
    assay : str
        The assay.

    Returns
    -------
    DataFrame, tuple of str
        The samples with ``shown`` (see :func:`~cellpk.reporting.figures.marks.placed`),
        and a sentence on specimens left out, if any.

    Examples
    --------
    >>> import cellpk as ck
    >>> series(ck.simulate_study(seed=1), "flow")[1]
    ()
    """
    samples = study.select(assay)
    counts = samples["specimen"].value_counts()
    if len(counts) < 2:
        return placed(samples), ()
    kept, *others = counts.index
    note = f"Specimen: {kept}. Not drawn: {', '.join(others)}."
    return placed(samples[samples["specimen"] == kept]), (note,)


def level_label(assay: "Assay") -> str:
    """Return what the level axis of an assay says.

    Examples
    --------
    >>> import cellpk as ck
    >>> level_label(ck.simulate_study(seed=1).assay("flow"))
    'CAR-T cells (cells/µL)'
    """
    unit = pretty(assay.unit)
    return f"{assay.axis} ({unit})" if unit else assay.axis


def _panels(samples: pd.DataFrame, groups: Grouping, *, simulated: bool) -> "Figure":
    names = [name for name in groups.names if samples["group"].eq(name).any()]
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / 3)
    sheet_, axes = sheet(
        7.4, 0.9 + 2.9 * rows, rows=rows, columns=columns, simulated=simulated
    )
    colour = colours(groups.names)
    for panel, name in zip(axes.flat, names, strict=False):
        part = samples[samples["group"] == name]
        _spaghetti(panel, part, colour[name])
        draw_limits(panel, samples)
        panel.set_title(
            f"{groups.title(name)} (n = {part['patient'].nunique()})", loc="left"
        )
    close_unused(axes, len(names))
    level_axis(axes[0, 0], samples["shown"].to_numpy())
    day_axis(axes[0, 0], min(samples["time"].min(), 0.0), samples["time"].max())
    label_outer(axes, "Time after infusion (day)")
    legend_below(sheet_, legend_marks(samples))
    return sheet_


def _spaghetti(panel: "Axes", samples: pd.DataFrame, colour: str) -> None:
    for _, one in samples.groupby("patient", sort=False):
        panel.plot(one["time"], one["shown"], color=colour, linewidth=0.7, alpha=0.55)
    draw_samples(panel, samples, colour)
