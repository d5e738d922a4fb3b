"""What the data told: prior and posterior of every estimate of a hierarchical fit."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    close_unused,
    legend_below,
    sheet,
    styled,
)
from cellpk.reporting.fitted import doubted
from cellpk.reporting.printed import enumerated, level
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.bayes.result import BayesFit
    from cellpk.fit.bayes.summary import Estimate

_ACROSS = 4
_PLACES = 200
_ENDS = (0.005, 0.995)  # quantiles between which prior and posterior are drawn
_TICKS = 3


@figure
def prior_posterior(fit: "BayesFit") -> Drawing:
    """Draw prior and posterior of every estimate, a panel for each.

    Parameters
    ----------
    fit : BayesFit
        The fit.

    Returns
    -------
    Drawing
        ``frame``: parameter, kind, value (natural unit), prior and posterior (densities
        on the scale of the axis).

    Examples
    --------
    >>> callable(prior_posterior)      # see fit_bayes
    True
    """
    from cellpk.fit.bayes.summary import estimates_of

    every = list(estimates_of(fit))
    curves = [_curves(one) for one in every]
    about = fit.study.settings.study
    with styled():
        page = _panels(every, curves, fit.table, simulated=about.simulated)
    assays = [one.assay for one in fit.data.series]
    labels = enumerated(fit.study.assay(name).label for name in assays)
    return Drawing(
        name="_".join(["prior_posterior", *assays]),
        title=f"{labels}: what the data told of {fit.model.name}",
        frame=pd.concat(curves, ignore_index=True).drop(columns="place"),
        figure=page,
        caption="Densities of prior and posterior, each estimate on the scale on which "
        "it is estimated: log axes of positive ones. Beside each title: contraction, "
        "the share of the prior's variance that the data took away; orange where they "
        "say little or nothing. SD: between patients, or lots; r: correlation.",
        footnotes=doubted(fit),
        source=f"study {about.id}, hierarchical Bayes, seed {fit.seed}, draws "
        f"{fit.draws_sha256[:12]}",
        simulated=about.simulated,
    )


def _curves(one: "Estimate") -> pd.DataFrame:
    """Return the two densities of an estimate where either has its mass."""
    from scipy.stats import gaussian_kde

    both = {"prior": one.prior, "posterior": one.posterior.ravel()}
    ends = np.array([np.quantile(drawn, _ENDS) for drawn in both.values()])
    places = np.linspace(ends.min(), ends.max(), _PLACES)
    densities = {name: gaussian_kde(drawn)(places) for name, drawn in both.items()}
    return pd.DataFrame(
        {
            "parameter": one.parameter,
            "kind": one.kind,
            "place": places,
            "value": np.asarray(one.scale.back(places), float),
            **densities,
        }
    )


def _panels(
    every: "Sequence[Estimate]",
    curves: Sequence[pd.DataFrame],
    table: pd.DataFrame,
    *,
    simulated: bool,
) -> "Figure":
    columns = min(_ACROSS, len(every))
    rows = math.ceil(len(every) / columns)
    page, axes = sheet(
        7.4,
        0.7 + 1.45 * rows,
        rows=rows,
        columns=columns,
        simulated=simulated,
        shared=False,
    )
    close_unused(axes, len(every))
    said = table.to_dict("records")
    for panel, one, curve, row in zip(
        axes.flat[: len(every)], every, curves, said, strict=True
    ):
        _panel(panel, one, curve)
        _corner(panel, row["contraction"], doubted=bool(row["sentence"]))
    page.supylabel("Density", fontsize=8.5)
    legend_below(page, _legend())
    return page


def _panel(panel: "Axes", one: "Estimate", curve: pd.DataFrame) -> None:
    panel.fill_between(
        curve["place"], curve["posterior"], color=PALETTE[0], alpha=0.45, linewidth=0
    )
    panel.plot(curve["place"], curve["posterior"], color=PALETTE[0])
    panel.plot(curve["place"], curve["prior"], color=INK, linestyle="--")
    panel.set_ylim(bottom=0.0)
    panel.set_yticks([])
    panel.set_title(_title(one), loc="left", fontsize=7.5)
    places = curve["place"].to_numpy()
    panel.set_xlim(places[0], places[-1])
    ticks = _ticks(one, places[0], places[-1])
    shown = np.asarray(one.scale.forward(ticks), float)
    panel.set_xticks(shown, [_tick(tick) for tick in ticks], fontsize=7)


def _title(one: "Estimate") -> str:
    """Return a title that leaves room for a number beside it."""
    name, unit = one.parameter, pretty(one.unit)
    words = {
        "spread": f"SD of {name}",
        "spread between lots": f"SD of {name}",
        "correlation": f"r of {name.removeprefix('correlation of ')}",
        "share": "Never expanded",
    }
    if one.kind in words:
        return words[one.kind]
    return f"{name} ({unit})" if unit and one.kind == "typical value" else name


def _corner(panel: "Axes", contraction: float, *, doubted: bool) -> None:
    colour = PALETTE[1] if doubted else GREY
    panel.set_title(f"{100 * contraction:.0f}%", loc="right", fontsize=7, color=colour)


def _ticks(one: "Estimate", low: float, high: float) -> np.ndarray:
    """Return a few round natural values between the ends of an axis."""
    least, most = (float(one.scale.back(end)) for end in (low, high))
    for values in _round_values(one, least, most):
        inside = values[(values >= least) & (values <= most)]
        if len(inside) >= 2:
            return inside[:: math.ceil(len(inside) / _TICKS)]
    return np.array([least, most])


def _round_values(one: "Estimate", least: float, most: float) -> Sequence[np.ndarray]:
    """Return candidates for ticks, the roundest first."""
    if one.scale.legal(-2.0):  # neither positive nor a share: an axis as it is
        from matplotlib.ticker import MaxNLocator

        return [np.array(MaxNLocator(_TICKS).tick_values(least, most))]
    if not one.scale.legal(2.0):  # a share, or a correlation
        shares = np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
        return [np.array([-0.9, -0.5, 0.0, 0.5, 0.9]) if least < 0 else shares]
    powers = np.arange(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    tens = 10.0**powers
    steps = ([1.0], [1.0, 3.0], [1.0, 2.0, 5.0], np.arange(1.0, 10.0, 0.5))
    return [np.outer(tens, step).ravel() for step in steps]


def _tick(value: float) -> str:
    """Print a round value with the digits that it needs."""
    text = level(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(color=PALETTE[0], alpha=0.45, label="Posterior"),
        Line2D([], [], color=INK, ls="--", label="Prior"),
    ]
