"""Rows beneath an axis: numbers or marks that stand under the times above them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cellpk.reporting.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

ROW = 10.5
"""Height of a row in points."""


@dataclass(frozen=True)
class Row:
    """One row: what it is called, and what stands at which time.

    Parameters
    ----------
    label : str
        Stands left of the axis.
    texts : mapping of float to str
        What is written at each time.
    marks : mapping of float to float
        The height in points of the mark at each time.
    colour, mark_colour : str
        Of label and texts, and of the marks.
    """

    label: str
    texts: Mapping[float, str] = field(default_factory=dict)
    marks: Mapping[float, float] = field(default_factory=dict)
    colour: str = INK
    mark_colour: str = INK


def draw_beneath(
    panel: "Axes", rows: Sequence[Row], *, labelled: bool = True, named: bool = True
) -> None:
    """Draw rows beneath the tick labels of an axis, and beneath its label.

    Parameters
    ----------
    panel : Axes
        Where to draw; its limits and labels are set already.
    rows : sequence of Row
        From top to bottom.
    labelled : bool
        Whether the rows have their labels.
    named : bool
        Whether the axis has a label, or keeps the room of one.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> page, axes = sheet(3, 3, simulated=False)
    >>> draw_beneath(axes[0, 0], [Row("n", {7.0: "12"})])
    >>> [text.get_text() for text in axes[0, 0].texts]
    ['n', '12']
    """
    ticks = panel.xaxis.get_ticklabels()
    top = 5.0 + 1.3 * (float(ticks[0].get_fontsize()) if ticks else 8.0)
    top += 4.0 + 1.3 * float(panel.xaxis.label.get_fontsize()) if named else 0.0
    for place, row in enumerate(rows):
        _row(panel, row, -(top + ROW * (place + 0.5)), labelled=labelled)


def _row(panel: "Axes", row: Row, height: float, *, labelled: bool) -> None:
    from matplotlib.lines import Line2D

    written = {"va": "center", "fontsize": 7, "clip_on": False, "color": row.colour}
    if labelled:
        side = moved(panel, panel.transAxes, -6.0, up=height)
        panel.text(0, 0, row.label, transform=side, ha="right", **written)
    under = moved(panel, panel.get_xaxis_transform(), 0.0, up=height)
    for time, text in row.texts.items():
        panel.text(time, 0, text, transform=under, ha="center", **written)
    for height_of, times in _by_height(row.marks).items():
        look: dict[str, Any] = {
            "linestyle": "none",
            "marker": "|",
            "markersize": height_of,
        }
        look |= {"color": row.mark_colour, "transform": under, "clip_on": False}
        panel.add_artist(Line2D(times, [0.0] * len(times), **look))


def _by_height(marks: Mapping[float, float]) -> dict[float, list[float]]:
    heights: dict[float, list[float]] = {}
    for time, height in marks.items():
        heights.setdefault(height, []).append(time)
    return heights


def moved(panel: "Axes", base: "Transform", right: float, *, up: float) -> "Transform":
    """Return a transform moved by points on paper.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> panel = Figure(dpi=72).subplots()
    >>> aside = moved(panel, panel.transData, 3.0, up=0.0)
    >>> float((aside.transform((0, 0)) - panel.transData.transform((0, 0)))[0])
    3.0
    """
    from matplotlib.transforms import ScaledTranslation

    page = panel.get_figure(root=True)
    if page is None:
        return base
    return base + ScaledTranslation(right / 72, up / 72, page.dpi_scale_trans)
