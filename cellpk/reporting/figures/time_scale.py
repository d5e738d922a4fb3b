"""Axes of planned days, on a scale on which the first ones stand apart."""

from typing import TYPE_CHECKING

import numpy as np

from cellpk.reporting.figures.style import day_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def time_axis(axes: "Axes", days: np.ndarray) -> str:
    """Make a time axis on which planned days stand apart, and tick them.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    days : ndarray
        The days that are drawn, in ascending order.

    Returns
    -------
    str
        What the axis label has to say of the scale: "" where it is linear, or that it
        is a square root or a logarithm, where the first days would stand too close.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> time_axis(axes[0, 0], np.array([0, 7, 14, 28]))
    ''
    >>> time_axis(axes[0, 0], np.array([0, 7, 14, 28, 180, 360]))
    ', square-root scale'
    >>> time_axis(axes[0, 0], np.array([0, 3, 5, 7, 28, 360]))
    ', scale log(1 + day)'
    """
    days = np.asarray(days, float)
    scale = _scale(days)
    onto, back = _SCALES[scale]
    places = onto(days)
    axes.set_xscale("function", functions=(onto, back))
    span = max(np.ptp(places), 1.0)
    kept: list[int] = []
    page = axes.get_figure(root=True)
    points = 72 * axes.get_window_extent().width / (page.dpi if page else 100)
    letters = max(1.8, 0.7 * max(len(f"{day:g}") for day in days))
    room = letters * float(axes.xaxis.get_ticklabels()[0].get_fontsize()) / points
    weeks_first = sorted(range(len(days)), key=lambda number: days[number] % 7 != 0)
    for number in weeks_first:
        if all(abs(places[number] - places[k]) >= room * span for k in kept):
            kept.append(number)
    ends = places[[0, -1]] + np.array([-0.04, 0.04]) * span
    axes.set_xlim(*back(ends))
    axes.set_xticks(days[kept], [f"{day:g}" for day in days[kept]])
    axes.minorticks_off()
    return scale


def sampled_axis(axes: "Axes", days: np.ndarray, times: np.ndarray) -> str:
    """Make a time axis that holds all samples, on which their days stand apart.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    days : ndarray
        Days about which samples were taken, in ascending order.
    times : ndarray
        When they were taken.

    Returns
    -------
    str
        As :func:`time_axis`; a linear axis has its ticks at whole weeks.

    Examples
    --------
    >>> from cellpk.reporting.figures.style import sheet
    >>> figure, axes = sheet(3, 3, simulated=False)
    >>> sampled_axis(axes[0, 0], np.array([6.0, 13, 20]), np.array([2.0, 6, 13, 20]))
    ''
    >>> axes[0, 0].get_xticks().tolist()
    [0.0, 7.0, 14.0]
    """
    days = np.unique(np.round(days, 1))
    first, last = float(np.min(times)), float(np.max(times))
    if not _scale(days):
        day_axis(axes, min(first, 0.0), last)
        return ""
    scale = time_axis(axes, days)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, first), max(high, last))
    return scale


_NEAR = 0.05
_NEXT = 0.03
"""Shares of the axis below which days stand too close on a linear scale, and below
which the numbers beneath them would touch."""


def _scale(days: np.ndarray) -> str:
    """Return the first scale on which days do not stand too close, else the best."""
    near = {name: _closest(onto(days)) for name, (onto, _) in _SCALES.items()}
    plain, root, _ = near
    if near[plain] >= min(_NEAR, max(near.values())):
        return plain
    if near[root] >= _NEXT:
        return root
    return max(near, key=lambda name: near[name])


def _closest(places: np.ndarray) -> float:
    """Return the smallest step as a share of the whole."""
    return np.diff(places).min() / np.ptp(places) if len(places) > 1 else 1.0


def _root(days: np.ndarray) -> np.ndarray:
    return np.sign(days) * np.sqrt(np.abs(days))


def _square(places: np.ndarray) -> np.ndarray:
    return np.sign(places) * np.square(places)


def _log(days: np.ndarray) -> np.ndarray:
    return np.sign(days) * np.log1p(np.abs(days))


def _exp(places: np.ndarray) -> np.ndarray:
    return np.sign(places) * np.expm1(np.abs(places))


_SCALES = {
    "": (np.positive, np.positive),
    ", square-root scale": (_root, _square),
    ", scale log(1 + day)": (_log, _exp),
}
"""Scales of days by what the axis label says of them: there and back."""
