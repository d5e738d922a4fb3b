"""Goodness of fit: what was observed against what is predicted, and the residuals."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.fit.cases import counted
from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.predictions import predictions
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.levels import level_label
from cellpk.reporting.figures.marks import draw_samples, legend_marks, limit_notes
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    decades,
    legend_below,
    level_axis,
    sheet,
    styled,
    thin_decades,
)
from cellpk.reporting.figures.time_scale import sampled_axis
from cellpk.reporting.fitted import Fitted, fitted, left_out_note
from cellpk.reporting.placing import placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.fitted import FittedPopulation

_DEPTH = 0.1  # of the lowest level that is drawn: lower predictions stand there
_USUAL = 1.96


@figure
def gof(fit: "FittedPopulation", *, assay: str | None = None, seed: int = 1) -> Drawing:
    """Draw goodness of fit: observed against predicted levels, and residuals.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    assay : str, optional
        Which assay, where several were fitted; the first without.
    seed : int
        Chance of the residuals.

    Returns
    -------
    Drawing
        Four panels. ``frame``, by ``quantity``: "sample", the table of
        :func:`cellpk.fit.diagnostics.predictions.predictions`; "median by time" and
        "median by prediction", medians of the residuals in bins.

    Raises
    ------
    FitError
        Where the assay was not fitted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> drawing = gof(ck.fit_population(stein, study, steps=quick))
    >>> len(drawing.figure.axes)
    4
    """
    about = fitted(fit, assay)
    table = predictions(fit, seed=seed)
    table = table[table["assay"] == about.name].reset_index(drop=True)
    samples = placed(table[table["left_out"] == ""])
    never = int(samples.loc[samples["ipred"] == 0, "patient"].nunique())
    floor = lowest(samples)
    told = samples[["pred", "ipred"]].where(samples[["pred", "ipred"]] > 0)
    low = int((told < floor).any(axis=1).sum())
    medians = _medians(samples, floor)
    with styled():
        page = _panels(about, samples, medians, floor=floor)
    return Drawing(
        name=f"gof_{about.name}",
        title=f"{about.assay.label}: goodness of fit of {fit.model.name}",
        frame=pd.concat(
            [table.assign(quantity="sample"), *medians.values()], ignore_index=True
        ),
        figure=page,
        caption="Above: observed against predicted levels, on log axes; line: equal. "
        "Below: residuals in standard deviations of the residual error, against a draw "
        "of the patient's parameters; dotted: where 95% of them should lie; line: "
        "their median.",
        footnotes=(
            *_how(samples, never),
            *_floor(low),
            *limit_notes(samples),
            *left_out_note(table),
            *about.doubts,
        ),
        source=about.source,
        simulated=about.simulated,
    )


def lowest(samples: pd.DataFrame) -> float:
    """Return where predictions that are lower still are drawn.

    Parameters
    ----------
    samples : DataFrame
        With ``shown``, the level at which each is drawn.

    Examples
    --------
    >>> lowest(pd.DataFrame({"shown": [25.0, 100.0]}))
    2.5
    """
    return _DEPTH * float(samples["shown"].min())


def _medians(samples: pd.DataFrame, floor: float) -> dict[str, pd.DataFrame]:
    """Return medians of the residuals in bins of time, and of the prediction."""
    predicted = samples["pred"].clip(lower=floor)
    bins = {
        "time": binned(samples["nominal_time"], samples["time"]),
        "pred": pd.qcut(predicted, 10, labels=False, duplicates="drop").to_numpy(),
    }
    kinds = {"time": "median by time", "pred": "median by prediction"}
    return {
        name: samples.assign(pred=predicted)
        .groupby(own)[[name, "residual"]]
        .median()
        .assign(quantity=kinds[name])
        for name, own in bins.items()
    }


def _panels(
    about: Fitted,
    samples: pd.DataFrame,
    medians: dict[str, pd.DataFrame],
    *,
    floor: float,
) -> "Figure":
    page, axes = sheet(
        7.4, 6.6, rows=2, columns=2, simulated=about.simulated, shared=False
    )
    axis = level_label(about.assay)
    shown = samples[samples["ipred"] > 0]
    _against(axes[0, 0], samples, samples["pred"].clip(lower=floor))
    _against(axes[0, 1], shown, shown["ipred"].clip(lower=floor))
    axes[0, 0].set_ylabel(f"Observed: {axis}")
    axes[0, 0].set_xlabel(f"Typical patient (PRED): {axis}")
    axes[0, 1].set_xlabel(f"Individual (IPRED): {axis}")
    scale = residuals_in_time(axes[1, 0], samples, "residual", middle=medians["time"])
    axes[1, 0].set_xlabel(f"Time after infusion (day){scale}")
    axes[1, 0].set_ylabel("Residual (SD)")
    _by_prediction(axes[1, 1], samples, medians["pred"], floor=floor)
    axes[1, 1].set_xlabel(f"Typical patient (PRED): {axis}")
    marks = [each for each in legend_marks(samples, INK) if each.get_marker() != "None"]
    legend_below(page, [*marks, *_lines()])
    return page


def _against(panel: "Axes", samples: pd.DataFrame, predicted: pd.Series) -> None:
    """Draw observed levels against predicted ones, and the line of equality."""
    every = np.concatenate([samples["shown"], predicted])
    level_axis(panel, every)
    level_axis(panel, every, axis="x")
    panel.plot(decades(every), decades(every), color=INK, linewidth=0.8)
    thin_decades(panel)
    draw_samples(panel, samples.assign(time=predicted), PALETTE[0], dense=True)


def residuals_in_time(
    panel: "Axes", samples: pd.DataFrame, name: str, *, middle: pd.DataFrame
) -> str:
    """Draw residuals over time with their median; return what the axis is.

    Parameters
    ----------
    panel : Axes
        Where to draw.
    samples : DataFrame
        ``time``, ``state`` and the residuals.
    name : str
        Column of the residuals.
    middle : DataFrame
        Their medians in bins, and the bins' ``time``.

    Examples
    --------
    >>> _, axes = sheet(3, 3, simulated=False)
    >>> samples = pd.DataFrame({"time": [7.0, 28.0], "state": "quantified",
    ...                         "residual": [0.5, -0.5]})
    >>> residuals_in_time(axes[0, 0], samples, "residual", middle=samples)
    ''
    """
    draw_samples(panel, samples.assign(shown=samples[name]), PALETTE[0], dense=True)
    panel.plot(middle["time"], middle[name], color=PALETTE[1], zorder=4)
    _levels(panel, samples[name])
    return sampled_axis(panel, middle["time"].to_numpy(), samples["time"].to_numpy())


def _by_prediction(
    panel: "Axes", samples: pd.DataFrame, middle: pd.DataFrame, *, floor: float
) -> None:
    predicted = samples["pred"].clip(lower=floor)
    placed_so = samples.assign(time=predicted, shown=samples["residual"])
    draw_samples(panel, placed_so, PALETTE[0], dense=True)
    panel.plot(middle["pred"], middle["residual"], color=PALETTE[1], zorder=4)
    level_axis(panel, predicted.to_numpy(), axis="x")
    thin_decades(panel)
    _levels(panel, samples["residual"])


def _levels(panel: "Axes", values: pd.Series) -> None:
    """Draw the lines that residuals should lie about and between."""
    panel.axhline(0, color=INK, linewidth=0.8)
    for end in (-_USUAL, _USUAL):
        panel.axhline(end, color=GREY, linestyle=":", linewidth=0.9)
    most = max(4.0, float(values.abs().max()) * 1.05)
    panel.set_ylim(-most, most)


def _lines() -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=PALETTE[1], label="Median residual")]


def _how(samples: pd.DataFrame, never: int) -> tuple[str, ...]:
    notes = []
    if samples["state"].ne("quantified").any():
        notes.append(
            "The residual of a sample below or above a limit is a draw from what the "
            "limit leaves (randomised quantile residual)."
        )
    if never:
        notes.append(
            f"Without an individual prediction: {counted(never, 'patient')} whose "
            "cells more likely never expanded."
        )
    return tuple(notes)


def _floor(low: int) -> tuple[str, ...]:
    if not low:
        return ()
    return (
        f"{counted(low, 'sample')} with a prediction below a tenth of the lowest level "
        "that is drawn: drawn there.",
    )
