"""Individual fits in panels, twelve patients a page."""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.predictions import BAND, courses
from cellpk.fit.diagnostics.rows import place_of, sample_rows
from cellpk.fit.fitted import FittedPopulation
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
from cellpk.reporting.figures.time_scale import sampled_axis
from cellpk.reporting.fitted import doubted, fitted, left_out_note
from cellpk.reporting.placing import placed
from cellpk.reporting.printed import METHOD, STATUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.individual.result import IndividualFits
    from cellpk.study.assays import Assay
    from cellpk.study.study import Study

    Fits = IndividualFits | FittedPopulation

ROWS, COLUMNS = 4, 3
PER_PAGE = ROWS * COLUMNS

METHODS = {
    "ml": ("ML: the patient's data alone", PALETTE[0]),
    "map": ("MAP: with the prior", PALETTE[1]),
    "population": ("Individual curve", PALETTE[0]),
    "none": ("Not fitted", GREY),
}
"""How a patient was fitted: words and colour."""

_UNLIKELY = 0.5


@dataclass(frozen=True, eq=False)
class _Shown:
    """What the panels show, whichever fit it is of.

    ``rows``: patient, method, n_samples, n_below; ``curves``: level, low, high and,
    where there is one, typical; ``samples``: placed; ``said``: what stands in a panel;
    ``days``: those that the time axis keeps apart, where it is not linear.
    """

    assay: "Assay"
    study: "Study"
    rows: pd.DataFrame
    curves: pd.DataFrame
    samples: pd.DataFrame
    said: Mapping[str, str]
    count: int
    kind: str
    made_by: str
    caption: str
    notes: tuple[str, ...]
    days: "np.ndarray | None" = None

    @property
    def own(self) -> pd.DataFrame:
        """The samples of the patients of this page."""
        return self.samples[self.samples["patient"].isin(self.rows["patient"])]


def pages(fits: "Fits") -> int:
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
    together = isinstance(fits, FittedPopulation)
    patients = fits.patients if together else fits.table["patient"]
    return math.ceil(len(patients) / PER_PAGE)


@figure
def fits(
    fits: "Fits",
    study: "Study | None" = None,
    *,
    assay: str | None = None,
    page: int = 1,
    until: float = math.inf,
) -> Drawing:
    """Draw each patient's samples and fitted curve in a panel; twelve panels a page.

    Patients who were not fitted have a panel too, with the reason. Of a fit to
    all patients together the curve of a typical patient is drawn as well.

    Parameters
    ----------
    fits : IndividualFits, PopulationFit or BayesFit
        The fits.
    study : Study, optional
        The study that individual fits were made from; a population fit has its own.
    assay : str, optional
        Which assay, where several were fitted together; the first without.
    page : int
        Which twelve patients, from 1; see :func:`pages`.
    until : float
        Last day that is drawn.

    Returns
    -------
    Drawing
        ``frame`` holds the curves (``kind`` "curve": level, low, high, and typical) and
        the samples (``kind`` "sample": level and ``shown``).

    Raises
    ------
    DataError
        Where individual fits come without their study, or there is no such page.
    FitError
        Where the assay was not fitted.

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
    if study is None and not isinstance(fits, FittedPopulation):
        what = "individual fits are drawn with the samples of their study"
        raise DataError(Problem(what, "Give it: fits(fits, study).", value=repr(fits)))
    if not 1 <= page <= max(1, pages(fits)):
        what = f"there is no page {page}"
        raise DataError(Problem(what, f"Use 1 to {pages(fits)}.", value=str(page)))
    if isinstance(fits, FittedPopulation):
        shown = _of_population(fits, assay, page=page, until=until)
    else:
        assert study is not None
        shown = _of_individuals(fits, study, page=page, until=until)
    every = shown.samples
    simulated = shown.study.settings.study.simulated
    with styled():
        drawn = _page(shown, simulated=simulated)
        drawn.supylabel(level_label(shown.assay), fontsize=8.5)
        level_axis(drawn.axes[0], every["shown"].to_numpy())
    return Drawing(
        name=f"{shown.kind.replace(' ', '_')}_{shown.assay.name}_page_{page}",
        title=f"{shown.assay.label}: individual {shown.kind}, page {page} of "
        f"{shown.count}",
        frame=pd.concat(
            [shown.curves.assign(kind="curve"), _tidy(shown.own).assign(kind="sample")],
            ignore_index=True,
        ),
        figure=drawn,
        caption=shown.caption,
        footnotes=shown.notes,
        source=f"study {shown.study.settings.study.id}, samples and {shown.made_by}",
        simulated=simulated,
    )


def _of_individuals(
    fits: "IndividualFits", study: "Study", *, page: int, until: float
) -> _Shown:
    every, notes = series(study, fits.assay)
    late = every[every["time"] > until]
    every = every.drop(late.index)
    rows = fits.table.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    reasons = zip(*(fits.failed[name] for name in _REASON), strict=True)
    own = every[every["patient"].isin(rows["patient"])]
    return _Shown(
        assay=study.assay(fits.assay),
        study=study,
        rows=rows,
        curves=_curves(fits, rows, _times(every)),
        samples=every,
        said={who: f"{STATUS[status]}. {why}" for who, status, why in reasons},
        count=pages(fits),
        kind="fits",
        made_by="individual fits",
        caption="Line: fitted level; band: its interval; n: samples, of which below: "
        "below the limit of quantification.",
        notes=(*notes, *limit_notes(own), *_not_drawn(late, until)),
    )


_REASON = ("patient", "status", "reason")


def _of_population(
    fit: FittedPopulation, assay: str | None, *, page: int, until: float
) -> _Shown:
    about = fitted(fit, assay)
    one = fit.data.series[place_of(fit.data, assay)]
    table = sample_rows(fit.data, fit.study, one)
    every = placed(table[table["left_out"] == ""])
    late = every[every["time"] > until]
    every = every.drop(late.index)
    bins = binned(every["nominal_time"], every["time"])
    who = list(fit.patients[(page - 1) * PER_PAGE : page * PER_PAGE])
    times = np.expm1(np.linspace(0.0, np.log1p(_end(every)), 161))
    times = np.unique([*times, *_times(every)])
    curves = courses(fit, times, assay=assay)
    counts = table[table["left_out"] == ""].groupby("patient")["state"]
    below = counts.agg(lambda state: int(state.isin(["below", "detected"]).sum()))
    rows = pd.DataFrame({"patient": who, "method": "population"})
    rows["n_samples"] = [int(counts.size().get(name, 0)) for name in who]
    rows["n_below"] = [int(below.get(name, 0)) for name in who]
    expanded = dict(zip(fit.patients, fit.posteriors.expanded, strict=True))
    own = every[every["patient"].isin(who)]
    return _Shown(
        assay=about.assay,
        study=fit.study,
        rows=rows,
        curves=curves[curves["patient"].isin(who)],
        samples=every,
        said={
            name: f"Never expanded, with probability {1 - chance:.2f}. The curve is as "
            "if she had."
            for name, chance in expanded.items()
            if chance < _UNLIKELY
        },
        count=pages(fit),
        kind="curves",
        made_by=f"{fit.kind} of {fit.model.name}",
        caption=f"Line: the patient's curve, at the mean of what is known of her "
        f"parameters (EBE); band: where it lies with {BAND:.0%} probability; dashed: "
        "the typical patient with her covariates; n: samples, of which below: below "
        "the limit of quantification.",
        days=np.unique(every["time"].groupby(bins).median()),
        notes=(
            *limit_notes(own),
            *_not_drawn(late, until),
            *left_out_note(table),
            *doubted(fit),
        ),
    )


def _end(samples: pd.DataFrame) -> float:
    return max(float(samples["time"].max()), 28.0)


def _times(samples: pd.DataFrame) -> np.ndarray:
    """Return the days at which curves are drawn."""
    return np.linspace(0.0, _end(samples), 241)


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


def _page(shown: _Shown, *, simulated: bool) -> "Figure":
    count = math.ceil(len(shown.rows) / COLUMNS)
    page, axes = sheet(
        7.4, 1.0 + 1.9 * count, rows=count, columns=COLUMNS, simulated=simulated
    )
    own = shown.own
    for panel, row in zip(axes.flat, shown.rows.to_dict("records"), strict=False):
        name = row["patient"]
        _panel(panel, row, shown.curves[shown.curves["patient"] == name])
        draw_limits(panel, own)
        draw_samples(panel, own[own["patient"] == name], INK)
        if name in shown.said:
            _reason(panel, shown.said[name])
    close_unused(axes, len(shown.rows))
    label_outer(axes, f"Time after infusion (day){_time(page.axes[-1], shown)}")
    legend_below(page, _legend(shown))
    return page


def _time(panel: "Axes", shown: _Shown) -> str:
    """Make the time axis of all panels; return what its label says of the scale."""
    times = shown.samples["time"]
    if shown.days is None:
        day_axis(panel, min(float(times.min()), 0.0), _end(shown.samples))
        return ""
    scale = sampled_axis(panel, shown.days, times.to_numpy())
    return scale.replace(", ", ",\n")


def _panel(panel: "Axes", row: Mapping[Any, Any], curve: pd.DataFrame) -> None:
    _, colour = METHODS[row["method"]]
    panel.set_title(f"Patient {row['patient']}", loc="left", fontsize=8.5)
    how = METHOD.get(row["method"], "") if row["method"] != "none" else ""
    counts = f"n = {row['n_samples']}, below {row['n_below']}"
    title = f"{how}, {counts}" if how else counts
    panel.set_title(title, loc="right", fontsize=6.5, color=GREY)
    if len(curve):
        time, low, high = (curve[name] for name in ("time", "low", "high"))
        panel.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.plot(time, curve["level"], color=colour)
    if "typical" in curve:
        panel.plot(curve["time"], curve["typical"], **_TYPICAL)


_TYPICAL: dict[str, Any] = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 0.9}


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


def _legend(shown: _Shown) -> list:
    from matplotlib.lines import Line2D

    methods = [
        Line2D([], [], color=colour, label=words)
        for method, (words, colour) in METHODS.items()
        if method != "none" and shown.rows["method"].eq(method).any()
    ]
    if "typical" in shown.curves:
        methods.append(Line2D([], [], label="Typical patient", **_TYPICAL))
    return [*methods, *legend_marks(shown.own, INK)]
