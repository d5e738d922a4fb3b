"""Figure of two assays of the same samples."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.assay_pairs import TOLERANCE, Agreement, assay_pairs
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.given import explain, one_panel, styled_unless
from cellpk.reporting.figures.levels import level_label
from cellpk.reporting.figures.style import GREY, INK, PALETTE, decades, level_axis
from cellpk.reporting.printed import fixed, inside, level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cellpk.study.study import Study


@figure
def assay_agreement(
    study: "Study",
    *,
    first: str | None = None,
    second: str | None = None,
    tolerance: float = TOLERANCE,
    seed: int | None = None,
    ax: "Axes | None" = None,
) -> Drawing:
    """Draw one assay against another, a point for each pair of samples.

    Parameters
    ----------
    study : Study
        The study.
    first : str, optional
        Assay of the vertical axis; the study's main assay without.
    second : str, optional
        Assay of the horizontal axis; the next one of CAR-T cells without.
    tolerance : float
        Days that two samples of a pair may lie apart.
    seed : int, optional
        Of the resampling of patients; the study's own without.
    ax : matplotlib Axes, optional
        Axes of your own figure to draw in.

    Returns
    -------
    Drawing
        Log axes; pairs of which an assay is below its LLOQ stand on the margins.
        ``frame``: the pairs, see :class:`~cellpk.reporting.assay_pairs.Agreement`.

    Raises
    ------
    DataError
        If there are no two assays to compare, or there is no pair.

    Examples
    --------
    >>> import cellpk as ck
    >>> drawing = assay_agreement(ck.simulate_study(seed=1))
    >>> drawing.figure.axes[0].get_xlabel()
    'CAR-T cells (cells/µL)'
    """
    found = assay_pairs(
        study, first=first, second=second, tolerance=tolerance, seed=seed
    )
    simulated = study.settings.study.simulated
    with styled_unless(ax):
        page, panel = one_panel(ax, 5.2, 5.0, simulated=simulated)
        handles = _draw(panel, found)
        panel.set_xlabel(level_label(study.assay(found.second)))
        panel.set_ylabel(level_label(study.assay(found.first)))
        explain(page, panel, handles, given=ax is not None)
    one, other = study.assay(found.first).label, study.assay(found.second).label
    return Drawing(
        name=f"assay_agreement_{found.first}_{found.second}",
        title=f"{one} and {inside(other)}: pairs of samples",
        frame=found.pairs,
        figure=page,
        caption=_caption(found),
        rules=found.notes,
        source=f"study {study.settings.study.id}, samples",
        simulated=simulated,
        ours=ax is None,
    )


def _draw(panel: "Axes", found: Agreement) -> list[Any]:
    """Draw the pairs, the line of a constant ratio and the margins."""
    from matplotlib.lines import Line2D

    place, known = {}, {}
    for name, axis in (("first", "y"), ("second", "x")):
        level = found.pairs[f"shown_{name}"]
        known[name] = found.pairs[f"counted_{name}"] > 0
        place[name] = level.where(known[name], _margin(panel, level[known[name]], axis))
    one, other = known["first"], known["second"]
    kinds = {
        "Quantified by both": (one & other, "o"),
        "Below the LLOQ by one": (one ^ other, "v"),
        "Below the LLOQ by both": (~one & ~other, "s"),
    }
    handles: list[Any] = []
    for label, (here, marker) in kinds.items():
        if not here.any():
            continue
        filling = PALETTE[0] if marker == "o" else "white"
        look = {"marker": marker, "ls": "", "ms": 4.5, "mfc": filling, "alpha": 0.7}
        look |= {"color": PALETTE[0], "mew": 0.9}
        x, y = (place[name][here].to_numpy() for name in ("second", "first"))
        if marker == "s":
            x, y = _apart(panel, x, y)
        panel.plot(x, y, **look)
        handles.append(Line2D([], [], label=f"{label} ({here.sum()})", **look))
    return handles + _line(panel, found)


_SHARE = 0.14
"""Share of each axis that is its margin, for what is below the LLOQ."""


def _margin(panel: "Axes", levels: pd.Series, axis: str) -> float:
    """Scale an axis above its margin, part the two, and return the margin's middle."""
    from matplotlib.ticker import FixedLocator, NullLocator

    level_axis(panel, levels.to_numpy(), axis=axis)
    high = decades(levels.to_numpy())[1]
    edge = levels.min() / 1.5 if len(levels) else high / 10
    low = edge / (high / edge) ** (_SHARE / (1 - _SHARE))
    line = panel.yaxis if axis == "y" else panel.xaxis
    ticks = [tick for tick in line.get_majorticklocs() if edge < tick <= high * 1.01]
    line.set_major_locator(FixedLocator(ticks))
    line.set_minor_locator(NullLocator())
    words = {"s": "below\nLLOQ", "fontsize": 7, "color": INK, "linespacing": 1.0}
    words |= {"transform": panel.transAxes}
    if axis == "y":
        panel.set_ylim(low, high)
        panel.axhline(edge, color=GREY, lw=0.8)
        panel.text(-0.015, _SHARE / 2, ha="right", va="center", **words)
    else:
        panel.set_xlim(low, high)
        panel.axvline(edge, color=GREY, lw=0.8)
        panel.text(_SHARE / 2, -0.015, ha="center", va="top", **words)
    return math.sqrt(low * edge)


def _apart(
    panel: "Axes", x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the points of the corner apart, in a round cloud, the same on every run."""
    count = np.arange(len(x))
    turn = 2 * np.pi * 0.618033988749895 * count
    reach = 0.4 * _SHARE * np.sqrt((count + 0.5) / len(x))
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    across = (right / left) ** (reach * np.cos(turn))
    up = (high / low) ** (reach * np.sin(turn))
    return x * across, y * up


def _line(panel: "Axes", found: Agreement) -> list[Any]:
    """Draw where the ratio is the ratio of geometric means, and the spread around."""
    values = found.numbers.set_index("statistic")["estimate"]
    ratio, spread = values["ratio"], values["ratio_sd"]
    if not np.isfinite(ratio):
        return []
    pairs = found.pairs.loc[found.both, "shown_second"]
    x = np.array([pairs.min(), pairs.max()])
    unit = _ratio_unit(found.pairs)
    y, label = ratio * x, f"Ratio {level(ratio)} {unit}".strip()
    (middle,) = panel.plot(x, y, color=INK, lw=1, label=label)
    panel.fill_between(x, y / spread, y * spread, color=GREY, alpha=0.15, lw=0)
    return [middle]


def _ratio_unit(pairs: pd.DataFrame) -> str:
    from cellpk.study.units import pretty

    one, other = (pairs[f"unit_{name}"].iloc[0] for name in ("first", "second"))
    return "" if one == other else f"{pretty(one)} per {pretty(other)}"


def _caption(found: Agreement) -> str:
    numbers = found.numbers.set_index("statistic")
    rho = numbers.loc["spearman"].to_dict()
    ends = ", ".join(fixed(rho[name], 2) for name in ("low", "high"))
    size = f"{int(rho['n'])} pairs of {int(rho['patients'])} patients"
    return (
        "A point for each pair; log axes, below the LLOQ on the margins. Line: ratio "
        "of geometric means; band: ×/÷ geometric SD of the ratio. Spearman's "
        f"correlation of the pairs quantified by both: {fixed(rho['estimate'], 2)} "
        f"(95% interval {ends}; {size})."
    )
