"""Individual fits in panels, twelve patients a page."""

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.levels import level_label, series
from cellpk.reporting.figures.marks import (
    draw_limits,
    draw_samples,
    legend_marks,
    limit_notes,
)
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    close_unused,
    day_axis,
    label_outer,
    legend_below,
    level_axis,
    sheet,
    styled,
)
from cellpk.reporting.printed import METHOD, STATUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.individual.result import IndividualFits
    from cellpk.study.study import Study

ROWS, COLUMNS = 4, 3
PER_PAGE = ROWS * COLUMNS

METHODS = {
    "ml": ("ML: the patient's data alone", PALETTE[0]),
    "map": ("MAP: with the prior", PALETTE[1]),
    "none": ("Not fitted", GREY),
}
"""How a patient was fitted: words and colour."""


def pages(fits: "IndividualFits") -> int:
    """Return how many pages the panels of all patients take.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> pages(ck.fit_individuals(stein, study, starts=2))
    1
    """
    return math.ceil(len(fits.table) / PER_PAGE)


@figure
def fits(
    fits: "IndividualFits", study: "Study", *, page: int = 1, until: float = math.inf
) -> Drawing:
    """Draw each patient's samples and fitted curve in a panel; twelve panels a page.

    Patients who were not fitted have a panel too, with the reason.

    Parameters
    ----------
    fits : IndividualFits
        The fits.
    study : Study
        The study that they were made from.
    page : int
        Which twelve patients, from 1; see :func:`pages`.
    until : float
        Last day that is drawn.

    Returns
    -------
    Drawing
        ``frame`` holds the curves (``kind`` "curve": level, low, high) and the samples
        (``kind`` "sample": level and ``shown``).

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1)
    >>> study = ck.Study.from_frames(whole.samples.query("patient == 'S02'"))
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> result = ck.fit_individuals(stein, study, starts=2)
    >>> fits(result, study).title
    'CAR transgene by qPCR: individual fits, page 1 of 1'
    """
    every, notes = series(study, fits.assay)
    late = every[every["time"] > until]
    every = every.drop(late.index)
    rows = fits.table.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    samples = every[every["patient"].isin(rows["patient"])]
    end = max(float(every["time"].max()), 28.0)
    curves = _curves(fits, rows, np.linspace(0.0, end, 241))
    simulated = study.settings.study.simulated
    with styled():
        drawn = _page(fits, rows, curves, samples=samples, simulated=simulated)
        drawn.supylabel(level_label(study.assay(fits.assay)), fontsize=8.5)
        axes = drawn.axes[0]
        level_axis(axes, every["shown"].to_numpy())
        day_axis(axes, min(float(every["time"].min()), 0.0), end)
    return Drawing(
        name=f"fits_{fits.assay}_page_{page}",
        title=f"{study.assay(fits.assay).label}: individual fits, page {page} of "
        f"{pages(fits)}",
        frame=pd.concat(
            [curves.assign(kind="curve"), _tidy(samples).assign(kind="sample")],
            ignore_index=True,
        ),
        figure=drawn,
        caption="Line: fitted level; band: its interval; n: samples, of which below: "
        "below the limit of quantification.",
        footnotes=(*notes, *limit_notes(samples), *_not_drawn(late, until)),
        source=f"study {study.settings.study.id}, samples and individual fits",
        simulated=simulated,
    )


def _not_drawn(late: pd.DataFrame, until: float) -> tuple[str, ...]:
    if late.empty:
        return ()
    below = int(late["state"].eq("below").sum())
    return (
        f"Not drawn: {len(late)} samples after day {until:g}, {below} of "
        "them below the LLOQ.",
    )


def _curves(
    fits: "IndividualFits", rows: pd.DataFrame, times: np.ndarray
) -> pd.DataFrame:
    fitted = rows.loc[rows["method"] != "none", "patient"]
    parts = [fits.curve(name, times).assign(patient=name) for name in fitted]
    columns = ["patient", "time", "level", "low", "high"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _tidy(samples: pd.DataFrame) -> pd.DataFrame:
    return samples[["patient", "time", "level", "state", "shown"]]


def _page(
    fits: "IndividualFits",
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    *,
    samples: pd.DataFrame,
    simulated: bool,
) -> "Figure":
    count = math.ceil(len(rows) / COLUMNS)
    page, axes = sheet(
        7.4, 1.0 + 1.9 * count, rows=count, columns=COLUMNS, simulated=simulated
    )
    reasons = dict(zip(fits.failed["patient"], fits.failed["reason"], strict=True))
    for panel, row in zip(axes.flat, rows.to_dict("records"), strict=False):
        name = row["patient"]
        _panel(panel, row, curves[curves["patient"] == name])
        draw_limits(panel, samples)
        draw_samples(panel, samples[samples["patient"] == name], INK)
        if name in reasons:
            _reason(panel, f"{STATUS[row['status']]}. {reasons[name]}")
    close_unused(axes, len(rows))
    label_outer(axes, "Time after infusion (day)")
    legend_below(page, _legend(rows, samples))
    return page


def _panel(panel: "Axes", row: Mapping[Any, Any], curve: pd.DataFrame) -> None:
    _, colour = METHODS[row["method"]]
    panel.set_title(f"Patient {row['patient']}", loc="left", fontsize=8.5)
    how = "" if row["method"] == "none" else f"{METHOD[row['method']]}, "
    counts = f"{how}n = {row['n_samples']}, below {row['n_below']}"
    panel.set_title(counts, loc="right", fontsize=6.5, color=GREY)
    if len(curve):
        time, low, high = (curve[name] for name in ("time", "low", "high"))
        panel.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.plot(time, curve["level"], color=colour)


def _reason(panel: "Axes", reason: str) -> None:
    panel.text(
        0.03,
        0.97,
        textwrap.fill(reason, 36),
        transform=panel.transAxes,
        ha="left",
        va="top",
        fontsize=6.5,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _legend(rows: pd.DataFrame, samples: pd.DataFrame) -> list:
    from matplotlib.lines import Line2D

    methods = [
        Line2D([], [], color=colour, label=words)
        for method, (words, colour) in METHODS.items()
        if method != "none" and rows["method"].eq(method).any()
    ]
    return [*methods, *legend_marks(samples, INK)]
