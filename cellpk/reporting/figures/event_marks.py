"""Events of patients in figures of levels: on each patient's line, or in a strip."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.figures.beneath import Row, draw_beneath
from cellpk.reporting.figures.style import INK
from cellpk.reporting.patient_events import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8
"""Patients in a panel up to whom events are marked on the lines."""

_MARKERS: dict[str, tuple[str, str]] = {
    "crs": ("h", INK),
    "crs_end": ("h", "white"),
    "tocilizumab": ("s", "white"),
    "corticosteroid": ("D", "white"),
    "other_drug": ("<", "white"),
    "infusion": ("*", "white"),
    "progression": ("X", "white"),
    "death": ("P", INK),
}
"""Kind of event to its marker and what fills it."""


def on_lines(events: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return the events with ``shown``, the height of their patient's line.

    Between two samples the line is straight on the log axis; before the first and after
    the last it stays at their level. An event of a patient without a sample has none.

    Parameters
    ----------
    events : DataFrame
        patient, event, time.
    samples : DataFrame
        patient, time, shown; sorted by time in each patient.

    Examples
    --------
    >>> events = pd.DataFrame({"patient": ["1"], "event": ["death"], "time": [10.0]})
    >>> samples = pd.DataFrame(
    ...     {"patient": "1", "time": [7.0, 13.0], "shown": [1.0, 100.0]})
    >>> round(float(on_lines(events, samples)["shown"].iloc[0]), 6)
    10.0
    """
    heights = pd.Series(np.nan, index=events.index)
    for name, one in samples.groupby("patient", sort=False):
        times = events.loc[events["patient"] == name, "time"]
        logs = np.interp(times, one["time"], np.log(one["shown"]))
        heights[times.index] = np.exp(logs)
    return events.assign(shown=heights)


def draw_on_lines(
    panel: "Axes", events: pd.DataFrame, samples: pd.DataFrame, *, colour: str
) -> None:
    """Mark events on their patients' lines; a thin line leads to what comes later.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> page, axes = sheet(3, 3, simulated=False)
    >>> events = pd.DataFrame({"patient": ["1"], "event": ["death"], "time": [10.0],
    ...                        "shown": [100.0]})
    >>> samples = pd.DataFrame({"patient": ["1"], "time": [7.0], "shown": [100.0]})
    >>> draw_on_lines(axes[0, 0], events, samples, colour="black")
    >>> len(axes[0, 0].lines)
    2
    """
    known = events.dropna(subset="shown")
    ends = samples.groupby("patient")["time"].max()
    for name, rows in known.groupby("patient", sort=False):
        last, end = ends[name], rows["time"].max()
        if end > last:
            level = rows["shown"].iloc[-1]
            thin = {"color": colour, "linewidth": 0.6, "linestyle": ":"}
            panel.plot([last, end], [level, level], **thin)
    for kind, rows in known.groupby("event", sort=False):
        panel.plot(
            rows["time"], rows["shown"], zorder=4, clip_on=False, **_look(str(kind))
        )


def event_handles(events: pd.DataFrame) -> list[Any]:
    """Return a legend entry for each kind of event that is drawn.

    Examples
    --------
    >>> events = pd.DataFrame({"event": ["death", "crs"]})
    >>> [entry.get_label() for entry in event_handles(events)]
    ['CRS', 'Death']
    """
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], label=name, **_look(kind))
        for kind, name in KINDS.items()
        if events["event"].eq(kind).any()
    ]


def draw_strip(
    panel: "Axes",
    events: pd.DataFrame,
    *,
    kinds: tuple[str, ...],
    colour: str,
    labelled: bool,
    named: bool,
) -> None:
    """Mark events of a panel in rows beneath it, a row for each kind.

    The more patients have an event on one day, the taller the mark.

    Parameters
    ----------
    panel : Axes
        Where to draw.
    events : DataFrame
        event, time: of the patients of this panel.
    kinds : tuple of str
        Kinds that have a row, the same in all panels.
    colour : str
        Of the marks.
    labelled, named : bool
        As in :func:`~cellpk.reporting.figures.beneath.draw_beneath`.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> page, axes = sheet(3, 3, simulated=False)
    >>> events = pd.DataFrame({"event": ["death"], "time": [10.0]})
    >>> draw_strip(axes[0, 0], events, kinds=("death",), colour="black", labelled=True,
    ...            named=True)
    >>> axes[0, 0].texts[0].get_text()
    'Death'
    """
    rows = []
    for kind in kinds:
        times = events.loc[events["event"] == kind, "time"].to_numpy()
        days, counts = np.unique(times, return_counts=True)
        heights = np.minimum(_LOWEST + _HIGHER * (counts - 1), _HIGHEST)
        marks = dict(zip(days.tolist(), heights.tolist(), strict=True))
        rows.append(Row(KINDS[kind], marks=marks, mark_colour=colour))
    draw_beneath(panel, rows, labelled=labelled, named=named)


_LOWEST, _HIGHER, _HIGHEST = 3.5, 0.9, 10.0
"""Height in points of the mark of one patient, of each further one, and at most."""


def _look(kind: str) -> dict[str, Any]:
    marker, filling = _MARKERS[kind]
    return {
        "linestyle": "none",
        "marker": marker,
        "markersize": 8.0 if marker == "*" else 5.2,
        "markerfacecolor": filling,
        "markeredgecolor": INK,
        "markeredgewidth": 0.8,
    }
