"""Visual predictive checks, with the share of samples below the limit beneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.fit.cases import counted
from cellpk.fit.diagnostics import vpc as checks
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.levels import level_label
from cellpk.reporting.figures.marks import draw_limits, legend_limits, limit_notes
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    legend_below,
    level_axis,
    sheet,
    styled,
)
from cellpk.reporting.figures.time_scale import sampled_axis
from cellpk.reporting.fitted import Fitted, fitted, left_out_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.fitted import FittedPopulation

_COLOURS = {5.0: PALETTE[0], 50.0: PALETTE[1], 95.0: PALETTE[0]}
_ENDS = ["observed", "low", "median", "high"]
_STYLES = {5.0: "--", 50.0: "-", 95.0: "--"}


@figure
def vpc(
    fit: "FittedPopulation",
    *,
    assay: str | None = None,
    corrected: bool = False,
    bins: Sequence[float] | None = None,
    replicates: int = 500,
    seed: int = 1,
) -> Drawing:
    r"""Draw a visual predictive check: percentiles of levels among simulated trials.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    assay : str, optional
        Which assay, where several were fitted; the first without.
    corrected : bool
        Whether levels are corrected for what is predicted of them (Bergstrand 2011).
    bins : sequence of float, optional
        Edges of bins, in days; planned days without.
    replicates : int
        How many trials are simulated.
    seed : int
        Chance.

    Returns
    -------
    Drawing
        Levels on a log axis, and beneath them the share of samples below the limit.
        ``frame``: percentiles and shares (``quantity`` "level" and "share below") of
        :class:`cellpk.fit.diagnostics.vpc.Vpc`.

    Raises
    ------
    FitError
        As :func:`cellpk.fit.diagnostics.vpc.vpc`.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> drawing = vpc(ck.fit_population(stein, study, steps=quick), replicates=50)
    >>> [axes.get_ylabel() for axes in drawing.figure.axes]
    ['CAR transgene (copies/µg)', 'Below the\nLLOQ (%)']
    """
    about = fitted(fit, assay)
    found = checks.vpc(
        fit,
        assay=assay,
        corrected=corrected,
        bins=bins,
        replicates=replicates,
        seed=seed,
    )
    with styled():
        page = _panels(about, found)
    kind = (
        "prediction-corrected visual predictive check"
        if corrected
        else ("visual predictive check")
    )
    return Drawing(
        name=f"{'pc' * corrected}vpc_{about.name}",
        title=f"{about.assay.label}: {kind} of {fit.model.name}",
        frame=_frame(found),
        figure=page,
        caption="Lines: 5th, 50th and 95th percentile of the observed levels. Bands: "
        f"where they lie in 90% of {replicates} trials simulated from {fit.trials}, "
        "with the study's own samples, limits and covariates; line within: their "
        "median. Below: the same of the share of samples below the LLOQ.",
        footnotes=(*_notes(found), *about.doubts),
        source=f"{about.source}, seed {seed}",
        simulated=about.simulated,
    )


def _frame(found: checks.Vpc) -> pd.DataFrame:
    """Return percentiles, shares below and the samples that are drawn in one table."""
    drawn = found.samples[["patient", "time", "bin", "state", "shown"]]
    return pd.concat(
        [
            found.percentiles.assign(quantity="level"),
            found.below.assign(quantity="share below"),
            drawn.assign(quantity="sample"),
        ],
        ignore_index=True,
    )


def _panels(about: Fitted, found: checks.Vpc) -> "Figure":
    page, axes = sheet(
        7.4, 5.6, rows=2, columns=1, simulated=about.simulated, shared=False
    )
    axes[0, 0].get_gridspec().set_height_ratios([3.2, 1])
    levels, shares = axes[:, 0]
    floor = _floor(found)
    _levels(levels, found, floor)
    _shares(shares, found.below)
    days, times = found.below["time"].to_numpy(), found.samples["time"].to_numpy()
    for panel in (levels, shares):
        scale = sampled_axis(panel, days, times)
    levels.set_xticklabels([])
    shares.set_xlabel(f"Time after infusion (day){scale}")
    corrected = "\nprediction-corrected" if found.corrected else ""
    levels.set_ylabel(level_label(about.assay) + corrected)
    shares.set_ylabel("Below the\nLLOQ (%)")
    legend_below(page, _legend(found))
    return page


def _floor(found: checks.Vpc) -> float:
    """Return where a percentile below the limit is drawn."""
    samples = found.samples
    if samples["lloq"].notna().any() and not found.corrected:
        return float(samples["lloq"].min()) / 2
    ends = found.percentiles[_ENDS].to_numpy()
    every = np.concatenate([ends[ends > 0], samples["shown"].dropna()])
    # Of levels that are all below their limits, a level scale shows none.
    return float(every.min() if every.size else samples["lloq"].min()) / 2


def _levels(panel: "Axes", found: checks.Vpc, floor: float) -> None:
    """Draw samples, bands and lines; what lies below the limit stands at the floor."""
    samples, rows = found.samples, found.percentiles
    numbers = rows[_ENDS].to_numpy()
    top = max(numbers[np.isfinite(numbers)].max(), samples["shown"].max())
    places = rows.assign(**{name: rows[name].clip(floor, top) for name in _ENDS})
    panel.plot(
        samples["time"], samples["shown"], "o", ms=1.8, color=GREY, alpha=0.45, mew=0
    )
    for percentile, part in places.groupby("percentile"):
        colour = _COLOURS[float(str(percentile))]
        panel.fill_between(
            part["time"], part["low"], part["high"], color=colour, alpha=0.25, lw=0
        )
        panel.plot(part["time"], part["median"], color=colour, lw=0.7)
        style = _STYLES[float(str(percentile))]
        panel.plot(part["time"], part["observed"], color=INK, ls=style)
        below = rows.loc[part.index, "observed"] == 0
        _points(panel, part[~below], "o", filled=True)
        _points(panel, part[below], "v", filled=False)
    if not found.corrected:
        draw_limits(panel, samples)
    level_axis(panel, np.array([floor, top]))


def _points(panel: "Axes", part: pd.DataFrame, marker: str, *, filled: bool) -> None:
    face = INK if filled else "white"
    panel.plot(
        part["time"], part["observed"], marker, ms=4, color=INK, mfc=face, zorder=4
    )


def _shares(panel: "Axes", rows: pd.DataFrame) -> None:
    """Draw the share below the limit."""
    days, percent = rows["time"], 100 * rows[_ENDS]
    low, high = percent["low"], percent["high"]
    panel.fill_between(days, low, high, color=PALETTE[2], alpha=0.3, lw=0)
    panel.plot(days, percent["median"], color=PALETTE[2], lw=0.7)
    panel.plot(days, percent["observed"], "-o", color=INK, ms=4)
    panel.set_ylim(-4, 104)
    panel.set_yticks([0, 50, 100])


def _legend(found: checks.Vpc) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    bands = [
        Patch(color=_COLOURS[at], alpha=0.3, label=label)
        for at, label in ((50.0, "Simulated median"), (5.0, "Simulated 5th and 95th"))
    ]
    lines = [
        Line2D([], [], color=INK, ls=_STYLES[at], marker="o", ms=4, label=label)
        for at, label in ((50.0, "Observed median"), (5.0, "Observed 5th and 95th"))
    ]
    below = Line2D([], [], color=INK, ls="", marker="v", mfc="white", ms=4)
    below.set_label("Observed, below the LLOQ")
    share = Patch(color=PALETTE[2], alpha=0.3, label="Simulated share below")
    hidden = found.percentiles["observed"].eq(0).any()
    limits = [] if found.corrected else legend_limits(found.samples)
    return [*bands, *lines, *([below] if hidden else []), share, *limits]


def _notes(found: checks.Vpc) -> tuple[str, ...]:
    samples = found.samples
    outside = int((samples["bin"] < 0).sum())
    bins = ", ".join(
        f"{row['time']:g} (n = {row['n']})" for row in found.below.to_dict("records")
    )
    notes = [
        f"Bins, at the median day of their samples: {bins}.",
        "A sample below the limit counts as lower than any level; a percentile that "
        "falls on one is drawn at "
        + ("the foot." if found.corrected else "half the lowest LLOQ."),
    ]
    low = int((samples["level"] < samples["lloq"]).sum())
    if low:
        notes.append(
            f"Reported although below the LLOQ: {counted(low, 'level')}; they count as "
            "below, as in simulated trials."
        )
    if found.corrected:
        notes.append(
            "Each level is multiplied by the prediction for a typical patient of its "
            "bin (median) over that for its own patient and day."
        )
    if outside:
        notes.append(f"Outside all bins: {counted(outside, 'sample')}.")
    about_limits = [n for n in limit_notes(samples) if "assumed" in n or "varies" in n]
    return (*notes, *about_limits, *left_out_note(samples))
