"""Means of levels over time, by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.layout import assay_of
from cellpk.reporting.figures.beneath import ROW, Row, draw_beneath, moved
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.given import explain, one_panel, styled_unless
from cellpk.reporting.figures.levels import level_label
from cellpk.reporting.figures.marks import draw_limits, legend_marks, limit_notes
from cellpk.reporting.figures.style import (
    GREY,
    colours,
    level_axis,
)
from cellpk.reporting.figures.time_scale import time_axis
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.level_statistics import (
    RULES,
    TOTAL,
    Below,
    level_statistics,
)
from cellpk.reporting.placing import series
from cellpk.reporting.printed import inside
from cellpk.reporting.statistics import FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.study.study import Study

type Statistic = Literal["geometric", "median"]

_WHAT = {
    "geometric": ("geometric mean", "bars: geometric mean ×/÷ geometric SD"),
    "median": ("median", "bars: quartiles"),
}
_MEDIAN = (
    "A sample below the LLOQ counts as the lowest level; a quartile among them is "
    "drawn at half the LLOQ."
)
_UNDER_NOTES = {
    "geometric": "Open triangle, at half the LLOQ: more than 50% of the samples are "
    "below the LLOQ, no mean is given.",
    "median": "Open triangle, at half the LLOQ: the median is below the LLOQ.",
}


@figure
def level_means(
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    statistic: Statistic = "geometric",
    below: Below = "left_out",
    days: Sequence[float] | None = None,
    ax: "Axes | None" = None,
) -> Drawing:
    """Draw the geometric mean, or the median, of the levels of groups over time.

    Parameters
    ----------
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the groups, see :func:`~cellpk.reporting.grouping.grouping`; all
        patients without.
    assay : str, optional
        Assay to draw; the study's main assay without.
    specimen : str, optional
        Specimen to draw; the one with the most samples without.
    statistic : {"geometric", "median"}
        Geometric mean with geometric SD, or median with quartiles.
    below : {"left_out", "half"}
        Whether geometric means leave samples below the LLOQ out, or take half of it.
    days : sequence of float, optional
        Days to put the samples to, by actual time, instead of nominal days and visits.
    ax : matplotlib Axes, optional
        Axes of your own figure to draw in.

    Returns
    -------
    Drawing
        One point for each group and visit on a log axis; the numbers of samples, and of
        those below the LLOQ, stand beneath. ``frame``: as
        :func:`~cellpk.reporting.level_statistics.level_statistics`, and ``shown`` and
        ``drawn``: where it is drawn, and as what ("mean", "below", "single", "none").

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = level_means(ck.simulate_study(seed=1), by="dose_level")
    >>> drawing.frame.loc[0, ["visit", "group", "drawn"]].tolist()
    ['Day 0', '1', 'below']
    """
    if statistic not in _WHAT:
        what = "there is no such statistic of levels"
        raise DataError(Problem(what, nearest(statistic, _WHAT), value=statistic))
    assay = assay_of(study, assay)
    groups = grouping(study, by)
    samples, notes = series(study, assay, specimen=specimen)
    found = level_statistics(study, samples, groups, below=below, days=days)
    table = found.table[~found.table["group"].eq(TOTAL) & found.table["n"].gt(0)]
    frame = _drawn(table, statistic)
    if frame.empty:
        what = f"no patient with a sample of {assay} is in a group"
        todo = "Choose another assay or grouping."
        raise DataError(Problem(what, todo, column="by", value=groups.by))
    kept = found.samples[found.samples["group"].isin(frame["group"])]
    plan = _Plan(frame, kept, groups, statistic)
    simulated = study.settings.study.simulated
    with styled_unless(ax):
        page = _draw(plan, ax, axis=level_label(study.assay(assay)), sim=simulated)
    what, bars = _WHAT[statistic]
    return Drawing(
        name=f"level_means_{assay}"
        + (f"_{specimen}" if specimen else "")
        + groups.suffix
        + ("_median" if statistic == "median" else "")
        + (f"_{below}" if below != "left_out" else ""),
        title=f"{study.assay(assay).label}: {what} by visit"
        + (f" and {inside(groups.label)}" if groups.by else ""),
        frame=frame.reset_index(drop=True),
        figure=page,
        caption=f"Point: {what}; {bars}; log axis. Beneath: samples (n) and those "
        "below the LLOQ.",
        footnotes=(
            *notes,
            RULES[below] if statistic == "geometric" else _MEDIAN,
            *_how(frame, statistic),
            *found.notes,
            *limit_notes(kept.assign(state="")),
            *groups.note(),
        ),
        source=f"study {study.settings.study.id}, samples",
        simulated=simulated,
        ours=ax is None,
    )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is drawn."""

    frame: pd.DataFrame
    samples: pd.DataFrame
    groups: Grouping
    statistic: Statistic

    @property
    def names(self) -> list[str]:
        """The groups that have a sample."""
        there = self.frame["group"]
        return [name for name in self.groups.names if there.eq(name).any()]


def _drawn(table: pd.DataFrame, statistic: Statistic) -> pd.DataFrame:
    """Say of each visit and group what is drawn, where, and with which bar."""
    if statistic == "geometric":
        middle, spread = table["geometric_mean"], table["geometric_sd"]
        low, high = middle / spread, middle * spread
        under = table["mostly_below"]
    else:
        middle, low, high = (table[name] for name in ("median", "q1", "q3"))
        low = low.mask(low.eq(0), table["floor"])
        under = table["mostly_below"] | middle.eq(0)
    few = table["n"].lt(FEW) | (middle.isna() & ~under)
    drawn = np.select([few, under], ["single", "below"], "mean")
    mean = drawn == "mean"
    return table.assign(
        shown=middle.where(mean, table["floor"].where(drawn == "below")),
        low=low.where(mean),
        high=high.where(mean),
        drawn=drawn,
    )


def _draw(plan: _Plan, ax: "Axes | None", *, axis: str, sim: bool) -> "Figure":
    height = 4.0 + 2 * len(plan.names) * ROW / 72
    page, panel = one_panel(ax, 7.4, height, simulated=sim)
    colour = colours(plan.groups.names)
    singles = _singles(plan)
    for place, name in enumerate(plan.names):
        aside = 3.0 * (place - (len(plan.names) - 1) / 2)
        part = plan.frame[plan.frame["group"] == name]
        alone = singles[singles["group"] == name]
        _group(panel, part, alone, colour=colour[name], aside=aside)
    draw_limits(panel, plan.samples)
    held = [plan.frame[["shown", "low", "high"]].to_numpy().ravel(), singles["shown"]]
    level_axis(panel, np.concatenate(held))
    panel.set_ylabel(axis)
    scale = time_axis(panel, np.unique(plan.frame["day"]))
    panel.set_xlabel(f"Visit (day after infusion{scale})")
    rows = [row for name in plan.names for row in _counts(plan, name, colour[name])]
    draw_beneath(panel, rows)
    explain(page, panel, _handles(plan, colour), given=ax is not None)
    return page


def _singles(plan: _Plan) -> pd.DataFrame:
    """Return the samples of groups of which there are too few for a mean."""
    key = ["day", "visit", "group"]
    few = plan.frame.loc[plan.frame["drawn"] == "single", key]
    return plan.samples.merge(few, on=key)


def _group(
    panel: "Axes",
    part: pd.DataFrame,
    alone: pd.DataFrame,
    *,
    colour: str,
    aside: float,
) -> None:
    """Draw the line, points and bars of one group, some points of paper aside."""
    beside = moved(panel, panel.transData, aside, up=0.0)
    shared = {"color": colour, "transform": beside}
    panel.plot(part["day"], part["shown"], linewidth=1.2, **shared)
    mean = part[part["drawn"] == "mean"]
    panel.vlines(
        mean["day"], mean["low"], mean["high"], linewidth=0.9, alpha=0.7, **shared
    )
    marks: dict[str, Any] = {
        "linestyle": "none",
        "markeredgewidth": 0.9,
        "zorder": 3,
        **shared,
    }
    empty = alone["counted"].eq(0)
    looks: tuple[tuple[pd.DataFrame, dict[str, Any]], ...] = (
        (mean, {"marker": "o", "markersize": 4.5}),
        (part[part["drawn"] == "below"], _UNDER),
        (alone[~empty], {"marker": ".", "markersize": 4}),
        (alone[empty], _UNDER | {"markersize": 4}),
    )
    for rows, look in looks:
        if len(rows):  # a line without points would still take room at the corner
            panel.plot(rows["day"], rows["shown"], clip_on=False, **marks, **look)


_SHORT = 16  # letters of a title that stand beside the axis
_UNDER: dict[str, Any] = {"marker": "v", "markersize": 6, "markerfacecolor": "white"}


def _counts(plan: _Plan, name: str, colour: str) -> list[Row]:
    """Return the two rows of numbers of a group beneath the axis."""
    part = plan.frame[plan.frame["group"] == name]
    sums = part.groupby("day", as_index=False)[["n", "n_below"]].sum()
    title = plan.groups.title(name)
    who = title if len(title) <= _SHORT else name
    rows = {f"{who}, n" if plan.groups.by else "n": "n", "below LLOQ": "n_below"}
    return [
        Row(
            label,
            dict(zip(sums["day"], sums[column].astype(str), strict=True)),
            colour=colour,
        )
        for label, column in rows.items()
    ]


def _handles(plan: _Plan, colour: dict[str, str]) -> list[Any]:
    from matplotlib.lines import Line2D

    drawn = set(plan.frame["drawn"])
    names = plan.names if plan.groups.by else []
    titles = {name: plan.groups.title(name) for name in names}
    groups = [
        Line2D([], [], color=colour[name], marker="o", ms=4.5, label=titles[name])
        for name in names
    ]
    marks: dict[str, Any] = {"linestyle": "none", "color": GREY}
    if "below" in drawn:
        geometric = plan.statistic == "geometric"
        label = f"{'More than half' if geometric else 'Median'} below the LLOQ"
        groups.append(Line2D([], [], label=label, **marks, **_UNDER))
    if "single" in drawn:
        groups.append(Line2D([], [], marker=".", label="Single levels", **marks))
    limits = legend_marks(plan.samples.assign(state=""))
    return [*groups, *limits]


def _how(frame: pd.DataFrame, statistic: Statistic) -> tuple[str, ...]:
    """Say what the marks that are no means are."""
    drawn = set(frame["drawn"])
    single = (
        f"Fewer than {FEW} levels for a statistic: the single levels are drawn, those "
        "below the LLOQ as open triangles at half of it."
    )
    return (
        *([_UNDER_NOTES[statistic]] if "below" in drawn else []),
        *([single] if "single" in drawn else []),
    )
