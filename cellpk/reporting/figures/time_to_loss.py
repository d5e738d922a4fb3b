"""Figure of persistence: how many are still quantifiable, over time."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.kinetics.layout import assay_of
from cellpk.kinetics.persistence import RULES, Persistence
from cellpk.kinetics.persistence import persistence as estimated
from cellpk.reporting.figures.beneath import ROW, Row, draw_beneath
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.given import one_panel, styled_unless
from cellpk.reporting.figures.style import GREY, INK, colours, day_axis
from cellpk.reporting.grouping import By, Grouping, grouping
from cellpk.reporting.persistence_words import (
    AT_RISK,
    FEW_RULE,
    NE_RULE,
    NOT_ESTIMABLE,
    by_group,
    notes,
    printed_median,
)
from cellpk.reporting.statistics import FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.kinetics.nca import Metrics
    from cellpk.study.study import Study

_LONG = 52  # letters of a legend of which two do not stand side by side
_LEVEL = {"linewidth": 1.7, "solid_capstyle": "projecting"}
_FALL = {"linewidth": 1.1, "linestyle": (0, (2.5, 1.5))}
_MOST_BANDS = 2
_BENEATH = "At risk of loss, n"
_NO_BANDS = (
    f"Intervals of more than {_MOST_BANDS} curves are not drawn; the data of the "
    "figure hold them."
)
_CAPTION = (
    "Line: share of patients whose level is still quantifiable (Turnbull); dashed: it "
    "falls somewhere between these days, the data do not say when. {band}Tick: last "
    "sample of a patient in whom it was still quantifiable. Beneath: patients at risk "
    "of loss."
)


@figure
def persistence(
    metrics: "Metrics",
    study: "Study",
    *,
    by: By = None,
    assay: str | None = None,
    specimen: str | None = None,
    expanded_only: bool = False,
    ax: "Axes | None" = None,
) -> Drawing:
    """Draw the share of patients whose level is still quantifiable over time.

    Parameters
    ----------
    metrics : Metrics
        Whose rules hold, such as that on further infusions.
    study : Study
        The study.
    by : str, sequence of str, Series or mapping, optional
        What makes the curves, see :func:`~cellpk.reporting.grouping.grouping`; one
        curve without.
    assay : str, optional
        Assay; the study's main assay without.
    specimen : str, optional
        Specimen; the one sampled most without.
    expanded_only : bool
        Whether to leave patients without any quantifiable sample out.
    ax : matplotlib Axes, optional
        Axes of your own figure to draw in.

    Returns
    -------
    Drawing
        ``frame``: group and ``kind``: "curve" (day, persistence, low, high, level: not
        level is dashed), "open" (day, open, lost, censored: the numbers beneath) or
        "censored" (day, persistence: the ticks).

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> drawing = persistence(ck.nca(study), study)
    >>> drawing.frame["kind"].unique().tolist()
    ['curve', 'open']
    """
    groups, assay = grouping(study, by), assay_of(study, assay)
    whole = estimated(
        metrics, study, assay=assay, specimen=specimen, expanded_only=expanded_only
    )
    parts = by_group(whole, groups) or {groups.names[0]: whole}
    curves = {
        name: _curve_of(part)
        for name, part in parts.items()
        if part.estimate is not None
    }
    simulated = study.settings.study.simulated
    with styled_unless(ax):
        page, ticks = _draw(curves, groups, ax=ax, simulated=simulated)
    return Drawing(
        name=f"persistence_{whole.assay}" + groups.suffix,
        title=f"{study.assay(whole.assay).label}: persistence" + groups.in_title,
        frame=_frame(curves, ticks),
        figure=page,
        caption=_CAPTION.format(band="Band: 95% interval. " if _banded(curves) else ""),
        footnotes=(*notes(whole, study), *_left_out(curves), *groups.note()),
        rules=(AT_RISK, *RULES),
        source=f"study {whole.study_id}, metrics and samples",
        simulated=simulated,
        ours=ax is None,
    )


@dataclass(frozen=True, eq=False)
class _Curve:
    """What is drawn of one group."""

    result: Persistence
    curve: pd.DataFrame
    censored: pd.DataFrame

    @property
    def n(self) -> int:
        """Patients in the curve."""
        return int(self.result.summary["n"][0])


def _curve_of(result: Persistence) -> _Curve:
    found = result.estimate
    table = result.table.query("in_curve and status == 'quantifiable'")
    days = table["left"].sort_values().to_numpy(float)
    shares = [found.share(day)[1] if found else np.nan for day in days]
    censored = pd.DataFrame({"day": days, "persistence": shares})
    return _Curve(result, result.curve, censored)


def _draw(
    curves: dict[str, _Curve], groups: Grouping, *, ax: "Axes | None", simulated: bool
) -> "tuple[Figure, list[float]]":
    height = 3.6 + (len(curves) + 1) * ROW / 72
    page, panel = one_panel(ax, 7.4, height, simulated=simulated)
    colour = colours(groups.names) if groups.by else dict.fromkeys(groups.names, INK)
    end = max([28.0, *(each.curve["day"].max() for each in curves.values())])
    panel.axhline(50, color=GREY, linewidth=0.6, linestyle=":")
    for name, each in curves.items():
        _line(panel, each, colour[name])
        if _banded(curves) and each.n >= FEW:
            _band(panel, each, colour[name])
    day_axis(panel, 0.0, end)
    panel.set_ylim(-2, 102)
    panel.set_yticks(range(0, 101, 25))
    panel.set_ylabel("Still quantifiable (% of patients)")
    panel.set_xlabel("Time after infusion (day)")
    ticks = [float(tick) for tick in panel.get_xticks()]
    draw_beneath(panel, _rows(curves, groups, ticks=ticks, colour=colour))
    _explain(page, panel, _handles(curves, groups, colour), given=ax is not None)
    return page, ticks


def _line(panel: "Axes", each: _Curve, colour: str) -> None:
    """Draw the level pieces and the falls of one curve, and its ticks."""
    for before, after in itertools.pairwise(each.curve.to_dict("records")):
        days = [before["day"], after["day"]]
        shares = [100 * before["persistence"], 100 * after["persistence"]]
        look: dict[str, Any] = _LEVEL if after["level"] else _FALL
        panel.plot(days, shares, color=colour, **look)
    ticks = each.censored
    marks: dict[str, Any] = {"linestyle": "none", "marker": "|", "ms": 6, "mew": 1}
    panel.plot(ticks["day"], 100 * ticks["persistence"], color=colour, **marks)


def _band(panel: "Axes", each: _Curve, colour: str) -> None:
    """Draw the interval of one curve, which holds between the days too."""
    curve = 100 * each.curve[["low", "high"]]
    days = np.repeat(each.curve["day"].to_numpy(), 2)[1:-1]
    low, high = (np.repeat(curve[name].to_numpy(), 2) for name in ("low", "high"))
    panel.fill_between(days, low[2:], high[:-2], color=colour, alpha=0.13, linewidth=0)


def _rows(
    curves: dict[str, _Curve],
    groups: Grouping,
    *,
    ticks: list[float],
    colour: dict[str, str],
) -> list[Row]:
    """Return the numbers beneath the axis."""
    rows = [] if not groups.by else [Row(_BENEATH)]
    for name, each in curves.items():
        counts = each.result.open_at(ticks)
        texts = dict(zip(counts["day"], counts["open"].astype(str), strict=True))
        label = name if groups.by else _BENEATH
        rows.append(Row(label, texts, colour=colour[name]))
    return rows


def _handles(
    curves: dict[str, _Curve], groups: Grouping, colour: dict[str, str]
) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for name, each in curves.items():
        who = f"{groups.title(name)} (n = {each.n})"
        label = f"{who}, {printed_median(each.result)}"
        handles.append(Line2D([], [], color=colour[name], linewidth=1.7, label=label))
    return handles


def _explain(page: "Figure", panel: "Axes", handles: list[Any], *, given: bool) -> None:
    """Set the legend with the medians: below our own figure, inside given axes."""
    if not handles:
        place = {"x": 0.5, "y": 0.5, "ha": "center", "transform": panel.transAxes}
        panel.text(s="No patient can be in the curve", **place)
        return
    title = "Median time to loss in days (95% CI)"
    look: dict[str, Any] = {"handles": handles, "title": title, "title_fontsize": 8}
    if given:
        panel.legend(**look)
    else:
        longest = max(len(handle.get_label()) for handle in handles)
        columns = 1 if len(handles) < 3 or longest > _LONG else 2
        page.legend(loc="outside lower center", ncols=columns, **look)


def _frame(curves: dict[str, _Curve], ticks: list[float]) -> pd.DataFrame:
    columns = ["group", "kind", "day", "persistence", "low", "high", "level"]
    columns += ["open", "lost", "censored"]
    parts = [pd.DataFrame(columns=columns)]
    for name, each in curves.items():
        pieces = {
            "curve": each.curve,
            "open": each.result.open_at(ticks),
            "censored": each.censored,
        }
        for kind, piece in pieces.items():
            parts.append(piece.assign(group=name, kind=kind))
    filled = [part for part in parts if len(part)] or parts
    return pd.concat(filled, ignore_index=True).reindex(columns=columns)


def _banded(curves: dict[str, _Curve]) -> bool:
    return len(curves) <= _MOST_BANDS


def _left_out(curves: dict[str, _Curve]) -> tuple[str, ...]:
    """Say which intervals and medians are not given or not estimable."""
    few = any(each.n < FEW for each in curves.values())
    medians = [printed_median(each.result) for each in curves.values()]
    return (
        *([] if _banded(curves) else [_NO_BANDS]),
        *([FEW_RULE] if few else []),
        *([NE_RULE] if any(NOT_ESTIMABLE in median for median in medians) else []),
    )
