"""Panels of levels over time that range over many powers of ten."""

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.reporting.figures.style import (
    INK,
    PALETTE,
    day_axis,
    decade_label,
    level_axis,
)
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL, DEPTH = 1e-3, 1e-6
"""Levels are drawn down to 0.001 or a millionth of the highest, what is larger."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def unit_label(unit: str) -> str:
    """Return a unit of a model as an axis prints it; "" where there is none.

    Examples
    --------
    >>> unit_label("copies/ug"), unit_label("1e9 cells"), unit_label("1")
    ('copies/µg', '10⁹ cells', '')
    """
    return pretty(re.sub(r"\b1e(-?\d+)\b", r"10^\1", unit).replace("**", "^"))


def plain(value: float) -> str:
    """Return a number of a model in a line of text.

    Examples
    --------
    >>> plain(0.93), plain(2.5e9)
    ('0.93', '2.5e9')
    """
    return f"{value:g}".replace("e+0", "e").replace("e+", "e")


def draw_course(panel: "Axes", curve: pd.DataFrame, *, until: float) -> None:
    """Draw a curve, or percentiles with bands, on an axis that holds all of it.

    Parameters
    ----------
    panel : Axes
        Where to draw.
    curve : DataFrame
        ``time``, ``typical``; and ``p5``, ``p25``, ``p50``, ``p75``, ``p95`` where
        there are percentiles.
    until : float
        Last day that is drawn.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> curve = pd.DataFrame({"time": [0.0, 7.0], "typical": [1.0, 900.0]})
    >>> draw_course(axes[0, 0], curve, until=7.0)
    >>> axes[0, 0].get_ylim()
    (np.float64(1.0), np.float64(1000.0))
    """
    floor, values = _held(curve)
    day_axis(panel, 0.0, until)
    if not values.size:
        panel.set_yticks([])
        panel.text(0.5, 0.5, "0 throughout", transform=panel.transAxes, ha="center")
        return
    level_axis(panel, values)
    low, high = panel.get_ylim()
    _powers(panel, low, high)
    curve = curve[curve["time"] <= until]
    time = curve["time"].to_numpy()
    # Far below the axis is far enough: 0 has no place on a log axis.
    line = {
        name: np.maximum(curve[name].to_numpy(), min(floor, low) * 1e-3)
        for name in curve.columns.drop("time")
    }
    if "p50" in line:
        bands = ("p5", "p95", 0.15, "5 to 95 %"), ("p25", "p75", 0.3, "25 to 75 %")
        for bottom, top, alpha, label in bands:
            panel.fill_between(
                time,
                line[bottom],
                line[top],
                color=PALETTE[0],
                alpha=alpha,
                linewidth=0,
                label=label,
            )
        panel.plot(time, line["p50"], color=PALETTE[0], label="Median")
        panel.plot(
            time, line["typical"], color=INK, ls="--", lw=0.9, label="Typical patient"
        )
    else:
        panel.plot(time, line["typical"], color=PALETTE[0])


def _held(curve: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Lowest level that is drawn, and what the axis has to hold."""
    lines = curve.drop(columns="time")
    middle = lines[[name for name in ("typical", "p50") if name in lines]].to_numpy()
    highest = middle.max()
    if not highest > 1e-250:
        return 0.0, np.empty(0)
    floor = max(highest * DEPTH, min(SMALL, highest * 1e-3))
    values = lines.to_numpy().ravel()
    return floor, values[values >= floor]


def _powers(panel: "Axes", low: float, high: float) -> None:
    """Write powers of ten where plain digits would be too many, every n-th of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    many = math.log10(high / low)
    if many > 4:
        step = 10.0 ** math.ceil(many / 5)
        panel.yaxis.set_major_locator(LogLocator(base=step, numticks=20))
        panel.yaxis.set_minor_locator(NullLocator())
    if high >= 1e6 or low < 1e-3:
        panel.yaxis.set_major_formatter(FuncFormatter(lambda x, _: _power(x)))


def _power(value: float) -> str:
    """Write a power of ten, or 2 or 5 times one, in short."""
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**exponent)
    if -2 <= exponent <= 3:
        return decade_label(value)
    raised = f"10{str(exponent).translate(_RAISED)}"
    return raised if factor == 1 else f"{factor}·{raised}"
