"""How every figure looks: one palette, plain decades, days in weeks, units on axes."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpk.reporting.exhibit import SIMULATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, told apart by all; group k has colour k in every figure."""

GREY = "#767676"
INK = "#222222"

_ENTRY = 1.85
_LETTER = 0.05
"""Room of a legend entry in inches."""

_STEPS = (1, 2, 7, 14, 28, 56, 91, 182, 364, 728)

_STYLE = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "cellpk",
    "savefig.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the report's style whatever the caller's own settings are.

    Examples
    --------
    >>> import matplotlib
    >>> with styled():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    """
    import matplotlib.style

    with matplotlib.style.context(_STYLE, after_reset=True):
        yield


@contextmanager
def steady() -> Iterator[None]:
    """Keep the caller's own settings, but write the same bytes each time.

    Examples
    --------
    >>> import matplotlib
    >>> with steady():
    ...     matplotlib.rcParams["svg.hashsalt"]
    'cellpk'
    """
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": _STYLE["svg.hashsalt"]}):
        yield


def sheet(
    width: float,
    height: float,
    *,
    rows: int = 1,
    columns: int = 1,
    simulated: bool,
    shared: bool = True,
) -> "tuple[Figure, np.ndarray]":
    """Open a figure of panels; a simulated study is named so in its corner.

    Parameters
    ----------
    width, height : float
        Size in inches.
    rows, columns : int
        Panels.
    simulated : bool
        Whether the data are simulated.
    shared : bool
        Whether the panels share their axes.

    Returns
    -------
    Figure, ndarray of Axes (rows, columns)

    Examples
    --------
    >>> figure, axes = sheet(4, 3, columns=2, simulated=True)
    >>> axes.shape, figure.texts[0].get_text()
    ((1, 2), 'SIMULATED DATA')
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    room = 1 - 0.22 / height if simulated else 1
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, room))
    page = Figure(figsize=(width, height), layout=layout)
    if simulated:
        mark_simulated(page)
    axes = page.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False)
    return page, axes


def mark_simulated(page: "Figure") -> None:
    """Write in the corner of a figure that its data are simulated.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> page = Figure()
    >>> mark_simulated(page)
    >>> page.texts[0].get_text()
    'SIMULATED DATA'
    """
    place = {"x": 0.995, "y": 0.995, "ha": "right", "va": "top"}
    page.text(s=SIMULATED, color="#B00020", weight="bold", **place)


def level_axis(axes: "Axes", values: np.ndarray, *, axis: str = "y") -> None:
    """Make an axis logarithmic over whole decades that hold all the values.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    values : ndarray
        Positive numbers to be held; others are passed over.
    axis : {"x", "y"}
        Which axis.

    Examples
    --------
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> level_axis(axes[0, 0], np.array([3.0, 2400.0]))
    >>> axes[0, 0].get_ylim()
    (np.float64(1.0), np.float64(10000.0))
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = decades(values)
    span = math.log10(high / low)
    subs = (1.0,) if span > 2 else (1.0, 2.0, 5.0)
    if axis == "y":
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    else:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    line = axes.yaxis if axis == "y" else axes.xaxis
    line.set_major_locator(LogLocator(subs=subs, numticks=20))
    line.set_major_formatter(FuncFormatter(lambda value, _: decade_label(value)))
    line.set_minor_formatter(NullFormatter())
    if span > 4:
        line.set_minor_locator(NullLocator())


def thin_decades(axes: "Axes") -> None:
    """Tick every other decade of a narrow horizontal axis of many.

    Examples
    --------
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> level_axis(axes[0, 0], np.array([1.0, 1e6]), axis="x")
    >>> thin_decades(axes[0, 0])
    >>> axes[0, 0].get_xticks().tolist()
    [1.0, 100.0, 10000.0, 1000000.0]
    """
    low, high = (math.log10(end) for end in axes.get_xlim())
    if high - low > 3.5:
        axes.set_xticks(10.0 ** np.arange(math.ceil(low - 1e-9), high + 1e-9, 2))


def decades(values: np.ndarray) -> tuple[float, float]:
    """Return the whole decades around all positive values.

    Examples
    --------
    >>> decades(np.array([0.0, 3.0, 2400.0, np.nan]))
    (1.0, 10000.0)
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 1.0
    low = math.floor(math.log10(values.min()) + 1e-9)
    high = math.ceil(math.log10(values.max()) - 1e-9)
    return 10.0**low, 10.0 ** max(high, low + 1)


def decade_label(value: float) -> str:
    """Write a decade in plain digits, thousands separated.

    Examples
    --------
    >>> [decade_label(x) for x in (0.01, 1.0, 20.0, 100000.0)]
    ['0.01', '1', '20', '100,000']
    """
    return f"{value:,.0f}" if value >= 1 else f"{value:.6f}".rstrip("0")


def day_axis(axes: "Axes", low: float, high: float) -> None:
    """Set ticks at days, weeks or months, so that at most nine are drawn.

    Examples
    --------
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> day_axis(axes[0, 0], 0.0, 28.0)
    >>> [float(tick) for tick in axes[0, 0].get_xticks()]
    [0.0, 7.0, 14.0, 21.0, 28.0]
    """
    span = max(high - low, 1.0)
    step = next((s for s in _STEPS if span / s <= 8), _STEPS[-1])
    first = math.ceil(low / step) * step
    axes.set_xticks(np.arange(first, high + 1e-9, step))
    axes.set_xlim(low - 0.03 * span, high + 0.03 * span)


def legend_below(page: "Figure", handles: Sequence[Any] | None = None) -> None:
    """Set the legend below the panels, where it covers nothing, in even rows.

    Parameters
    ----------
    page : Figure
        The figure.
    handles : sequence of artists, optional
        What to explain; everything that has a label without.

    Examples
    --------
    >>> page, axes = sheet(3, 3, simulated=False)
    >>> _ = axes[0, 0].plot([1, 2], [1, 2], label="A")
    >>> legend_below(page)
    >>> len(page.legends)
    1
    """
    if handles is None:
        handles = page.axes[0].get_legend_handles_labels()[0]
    longest = max((len(str(each.get_label())) for each in handles), default=0)
    entry = max(_ENTRY, 0.4 + _LETTER * longest)
    in_a_row = max(int(page.get_figwidth() / entry), 1)
    rows = math.ceil(len(handles) / in_a_row)
    columns = math.ceil(len(handles) / max(rows, 1))
    page.legend(handles=handles, loc="outside lower center", ncols=columns)


def close_unused(axes: np.ndarray, used: int) -> None:
    """Remove the panels after the first ``used`` ones; ticks go to those above.

    Examples
    --------
    >>> figure, axes = sheet(3, 3, columns=2, rows=2, simulated=False)
    >>> close_unused(axes, 3)
    >>> len(figure.axes)
    3
    """
    for panel in axes.flat[used:]:
        panel.remove()
    columns = axes.shape[1]
    for panel in axes.flat[max(used - columns, 0) : used]:
        panel.xaxis.set_tick_params(labelbottom=True)


def label_outer(axes: np.ndarray, text: str) -> None:
    """Name the horizontal axis under the lowest panel of each column.

    Examples
    --------
    >>> figure, axes = sheet(3, 3, columns=2, rows=2, simulated=False)
    >>> close_unused(axes, 3)
    >>> label_outer(axes, "Day")
    >>> [panel.get_xlabel() for panel in axes.flat]
    ['', 'Day', 'Day', '']
    """
    for column in axes.T:
        for panel in [panel for panel in column if panel.figure is not None][-1:]:
            panel.set_xlabel(text)


def spread(count: int) -> np.ndarray:
    """Return sideways shifts in [-1, 1] that keep points of one group apart.

    The golden-ratio sequence: even, and the same on every run.

    Examples
    --------
    >>> spread(3).round(2)
    array([-1.  ,  0.24, -0.53])
    """
    return 2 * np.mod(np.arange(count) * 0.618033988749895, 1) - 1


def colours(groups: Sequence[str]) -> dict[str, str]:
    """Give each group its colour, by its place among all groups of the study.

    Examples
    --------
    >>> colours(["yes", "no"])
    {'yes': '#0072B2', 'no': '#D55E00'}
    """
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(groups)}
