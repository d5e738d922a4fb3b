"""Figures of levels over time."""

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.kinetics.layout import assay_of
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.event_marks import (
    MOST_LINES,
    draw_on_lines,
    draw_strip,
    event_handles,
    on_lines,
)
from cellpk.reporting.figures.given import (
    explain,
    one_panel,
    only_one,
    styled_unless,
)
from cellpk.reporting.figures.marks import (
    draw_limits,
    draw_samples,
    legend_marks,
    limit_notes,
)
from cellpk.reporting.figures.style import (
    close_unused,
    colours,
    day_axis,
    label_outer,
    level_axis,
    sheet,
)
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.patient_events import KINDS, event_notes, patient_events
from cellpk.reporting.placing import series
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.study.assays import Assay
    from cellpk.study.study import Study

type Events = bool | Literal["lines", "strip"]

_COLUMNS = ["patient", "group", "specimen", "time", "level", "unit", "lloq", "state"]
_TIME = "Time after infusion (day)"


@figure
def profiles(
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    until: float = math.inf,
    events: Events = True,
    ax: "Axes | None" = None,
) -> Drawing:
    """Draw the level of every patient over time, a panel for each group.

    Parameters
    ----------
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the panels, see :func:`~cellpk.reporting.grouping.grouping`; one
        panel without.
    assay : str, optional
        Assay to draw; the study's main assay without.
    specimen : str, optional
        Specimen to draw; the one with the most samples without.
    until : float
        Last day that is drawn.
    events : bool or {"lines", "strip"}
        Whether CRS, tocilizumab, corticosteroid, other comedication, further infusions,
        progression and death are marked: on each patient's line, or in a strip beneath
        the panel, one mark for each patient. ``True`` takes the lines where no panel
        has more than 8 patients.
    ax : matplotlib Axes, optional
        Axes of your own figure to draw in; only where there is one panel.

    Returns
    -------
    Drawing
        Level on a log axis against days after infusion. ``frame`` has a row for each
        sample, ``shown`` being the level at which it is drawn, and one for each event
        (``event`` names it; ``shown`` where it is marked on a line).

    Raises
    ------
    DataError
        If there is no usable sample to draw.

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = profiles(ck.simulate_study(seed=1), by="dose_level")
    >>> len(drawing.figure.axes)
    3
    """
    assay = assay_of(study, assay)
    groups = grouping(study, by)
    samples, notes = series(study, assay, specimen=specimen)
    samples = samples.assign(group=samples["patient"].map(groups.of))
    samples = samples[samples["group"].notna() & (samples["time"] <= until)]
    _refuse_nothing(samples, assay)
    marked = _events(study, samples, events=events)
    last = until if math.isfinite(until) else math.ceil(samples["time"].max())
    drawn = marked[marked["time"] <= last]
    simulated = study.settings.study.simulated
    plan = _Plan(samples, drawn, groups, lines=_on_lines(samples, events))
    with styled_unless(ax):
        page = _panels(plan, ax, axis=level_label(study.assay(assay)), sim=simulated)
    bounded = math.isfinite(until)
    return Drawing(
        name=f"profiles_{assay}"
        + (f"_{specimen}" if specimen else "")
        + groups.suffix
        + (f"_to_day_{until:g}" if bounded else ""),
        title=f"{study.assay(assay).label}: individual profiles"
        + groups.in_title
        + (f" to day {until:g}" if bounded else ""),
        frame=_frame(plan),
        figure=page,
        caption="One line per patient; log axis. n: patients with a usable sample."
        + _how(plan),
        footnotes=(
            *notes,
            *limit_notes(samples),
            *event_notes(marked, until=last),
            *groups.note(),
        ),
        source=f"study {study.settings.study.id}, "
        + ("samples and events" if len(drawn) else "samples"),
        simulated=simulated,
        ours=ax is None,
    )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is drawn: samples and events, each with its group, and how events are."""

    samples: pd.DataFrame
    events: pd.DataFrame
    groups: Grouping
    lines: bool

    @property
    def names(self) -> list[str]:
        """The groups that have a panel."""
        there = self.samples["group"]
        return [name for name in self.groups.names if there.eq(name).any()]

    @property
    def strip(self) -> tuple[str, ...]:
        """The kinds of events that have a row beneath the panels."""
        if self.lines:
            return ()
        return tuple(kind for kind in KINDS if self.events["event"].eq(kind).any())


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


def _refuse_nothing(samples: pd.DataFrame, assay: str) -> None:
    if samples.empty:
        what = f"there is no usable sample of {assay} to draw"
        todo = "Choose another assay, grouping or last day."
        raise DataError(Problem(what, todo, column="assay", value=assay))


def _events(study: "Study", samples: pd.DataFrame, *, events: Events) -> pd.DataFrame:
    """Return the events of the patients who are drawn, with their group."""
    known = patient_events(study)
    groups = samples.drop_duplicates("patient").set_index("patient")["group"]
    here = known[known["patient"].isin(groups.index)] if events else known[:0]
    return here.assign(group=here["patient"].map(groups.to_dict()))


def _on_lines(samples: pd.DataFrame, events: Events) -> bool:
    if isinstance(events, str):
        return events == "lines"
    return bool(samples.groupby("group")["patient"].nunique().max() <= MOST_LINES)


def _frame(plan: _Plan) -> pd.DataFrame:
    """Return the samples and events that are drawn, one a row."""
    samples = plan.samples.assign(event="")[[*_COLUMNS, "shown", "event"]]
    if plan.events.empty:
        return samples.reset_index(drop=True)
    events = plan.events
    events = on_lines(events, plan.samples) if plan.lines else events
    return pd.concat([samples, events], ignore_index=True)[samples.columns]


def _how(plan: _Plan) -> str:
    if plan.events.empty:
        return ""
    if plan.lines:
        return (
            " Black and white marks: events, on the line of their patient; dotted: "
            "after the last sample."
        )
    return " Strip: days of events, the taller the more patients."


def _panels(plan: _Plan, ax: "Axes | None", *, axis: str, sim: bool) -> "Figure":
    names = plan.names
    only_one(ax, len(names), todo="Leave 'by' out, or 'ax'.")
    rows, strip = math.ceil(len(names) / 3), 0.15 * len(plan.strip)
    height = 1.0 + (2.9 + strip) * rows
    if len(names) == 1:
        page, panel = one_panel(ax, 7.4, height, simulated=sim)
        axes = np.array([[panel]])
    else:
        columns = min(len(names), 3)
        page, axes = sheet(7.4, height, rows=rows, columns=columns, simulated=sim)
    for panel, name in zip(axes.flat, names, strict=False):
        _draw(panel, plan, name)
    close_unused(axes, len(names))
    label_outer(axes, _TIME)
    for place, (panel, name) in enumerate(zip(axes.flat, names, strict=False)):
        _strip(panel, plan, name, labelled=place % 3 == 0)
    if ax is None:
        page.supylabel(axis, fontsize=8.5)
    else:
        ax.set_ylabel(axis)
    explain(page, axes[0, 0], _handles(plan), given=ax is not None)
    return page


def _draw(panel: "Axes", plan: _Plan, name: str) -> None:
    """Draw the lines, marks and limits of one group."""
    colour = colours(plan.groups.names)[name]
    part = plan.samples[plan.samples["group"] == name]
    for _, one in part.groupby("patient", sort=False):
        panel.plot(one["time"], one["shown"], color=colour, linewidth=0.7, alpha=0.55)
    draw_samples(panel, part, colour)
    draw_limits(panel, plan.samples)
    if plan.lines and len(plan.events):
        events = on_lines(plan.events[plan.events["group"] == name], part)
        draw_on_lines(panel, events, part, colour=colour)
    count = part["patient"].nunique()
    title = f"{plan.groups.title(name)} (n = {count})"
    panel.set_title("\n".join(textwrap.wrap(title, _TITLE)), loc="left")
    times = pd.concat([plan.samples["time"], plan.events["time"]])
    level_axis(panel, plan.samples["shown"].to_numpy())
    day_axis(panel, min(times.min(), 0.0), times.max())


_TITLE = 36  # letters that stand over a panel in a line


def _strip(panel: "Axes", plan: _Plan, name: str, *, labelled: bool) -> None:
    if plan.strip:
        draw_strip(
            panel,
            plan.events[plan.events["group"] == name],
            kinds=plan.strip,
            colour=colours(plan.groups.names)[name],
            labelled=labelled,
            named=bool(panel.get_xlabel()),
        )


def _handles(plan: _Plan) -> list[Any]:
    marks = legend_marks(plan.samples)
    return [*marks, *event_handles(plan.events)] if plan.lines else marks
