"""How patients differ from a typical one: draws against the normal, and covariates."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.fit.cases import counted
from cellpk.fit.diagnostics import etas as deviations
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    close_unused,
    label_outer,
    legend_below,
    sheet,
    spread,
    styled,
)
from cellpk.reporting.fitted import fitted
from cellpk.reporting.printed import probability
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellpk.fit.population.result import PopulationFit

_ACROSS = 3
_DRAWS = 100
_CHANCE = "Deviation / between-patient SD"


@figure
def etas(fit: "PopulationFit", *, against: str | None = None) -> Drawing:
    """Draw how patients deviate from what is expected, a panel for each parameter.

    Parameters
    ----------
    fit : PopulationFit
        The fit.
    against : str, optional
        A column of ``study.patients``: deviations are drawn against it. Without, they
        are drawn against the normal distribution.

    Returns
    -------
    Drawing
        ``frame``: draws of :func:`cellpk.fit.diagnostics.etas.sampled_etas`, and the
        covariate.

    Raises
    ------
    DataError
        Where the patients have no such column.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> drawing = etas(ck.fit_population(stein, study, steps=quick))
    >>> len(drawing.figure.axes)
    6
    """
    about = fitted(fit)
    frame = deviations.sampled_etas(fit, draws=_DRAWS if against is None else 1)
    never = int((fit.posteriors.expanded < 0.5).sum())
    frame = frame[frame["expanded"] >= 0.5].reset_index(drop=True)
    if against is not None:
        frame = _joined(frame, fit, against)
    with styled():
        page = _panels(fit, frame, against=against, simulated=about.simulated)
    return Drawing(
        name=f"etas_against_{against}" if against else "etas",
        title=f"Deviations of patients from the typical one, {fit.model.name}"
        + (f", against {against.replace('_', ' ')}" if against else ""),
        frame=frame,
        figure=page,
        caption=_AGAINST if against else _NORMAL,
        footnotes=(
            "Draws from what is known of each patient's parameters, which shrinkage "
            "does not touch (Lavielle and Ribba 2016).",
            *(f"{line}." for line in deviations.shrinkage_warnings(fit)),
            *_never(never),
            *about.doubts,
        ),
        source=about.source,
        simulated=about.simulated,
    )


_NORMAL = (
    "Bars: draws of the patients' deviations, in between-patient SDs; curve: the "
    "normal distribution; dashed: the estimates (EBE), narrower where they shrink."
)
_AGAINST = (
    "A draw of each patient's deviation, in between-patient SDs; line: trend (least "
    "squares), or median of each category. p: Spearman, or Kruskal-Wallis, "
    "unadjusted."
)


def _never(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    who = counted(count, "patient")
    return (f"Left out: {who} whose cells more likely never expanded.",)


def _joined(frame: pd.DataFrame, fit: "PopulationFit", against: str) -> pd.DataFrame:
    patients = fit.study.patients
    known = [str(name) for name in patients.columns.drop("patient")]
    if against not in known:
        what = "the patients have no such covariate"
        raise DataError(Problem(what, nearest(against, known), value=against))
    joined = frame.merge(patients[["patient", against]], on="patient", how="left")
    return joined.dropna(subset=[against]).reset_index(drop=True)


def _panels(
    fit: "PopulationFit", frame: pd.DataFrame, *, against: str | None, simulated: bool
) -> "Figure":
    names = list(frame["parameter"].unique())
    columns = min(_ACROSS, len(names))
    rows = math.ceil(len(names) / columns)
    page, axes = sheet(
        7.4, 0.8 + 2.0 * rows, rows=rows, columns=columns, simulated=simulated
    )
    shrunk = dict(zip(fit.table["parameter"], fit.table["shrinkage"], strict=True))
    estimates = deviations.etas(fit).query("expanded >= 0.5")
    for panel, name in zip(axes.flat, names, strict=False):
        part = frame[frame["parameter"] == name]
        if against is None:
            own = estimates[estimates["parameter"] == name]
            _distribution(panel, part["scaled"], own["eta"] / own["omega"])
            told = math.isfinite(shrunk[name])
            said = f"shrinkage {shrunk[name]:.0f}%" if told else "spread not told"
        else:
            said = f"p {probability(_trend(panel, part[against], part['scaled']))}"
        panel.set_title(name, loc="left")
        panel.set_title(said, loc="right", fontsize=7, color=GREY)
    close_unused(axes, len(names))
    label_outer(axes, _CHANCE if against is None else _axis(fit, against))
    page.supylabel("Density" if against is None else _CHANCE, fontsize=8.5)
    if against is None:
        legend_below(page, _legend())
    return page


def _axis(fit: "PopulationFit", against: str) -> str:
    unit = pretty(fit.study.settings.units.get(against, ""))
    return against.replace("_", " ").capitalize() + (f" ({unit})" if unit else "")


def _distribution(panel: "Axes", drawn: pd.Series, estimated: pd.Series) -> None:
    from scipy.stats import norm

    edges = np.linspace(-4, 4, 25).tolist()
    panel.hist(drawn, bins=edges, density=True, color=PALETTE[0], alpha=0.45)
    step: dict[str, Any] = {"histtype": "step", "color": PALETTE[1], "ls": "--"}
    panel.hist(estimated, bins=edges[::2], density=True, **step)
    z = np.linspace(-4, 4, 161)
    panel.plot(z, norm.pdf(z), color=INK)


def _trend(panel: "Axes", covariate: pd.Series, drawn: pd.Series) -> float:
    """Draw deviations against a covariate; return the p value of what they share."""
    from scipy import stats

    look: dict[str, Any] = {"marker": "o", "ls": "", "ms": 3.2}
    look |= {"color": PALETTE[0], "alpha": 0.7}
    if pd.api.types.is_numeric_dtype(covariate) and covariate.dtype != bool:
        panel.plot(covariate, drawn, **look)
        panel.axhline(0, color=GREY, lw=0.8)
        if covariate.nunique() < 3:
            return math.nan
        ends = np.array([covariate.min(), covariate.max()], float)
        slope, at_zero = np.polyfit(covariate.astype(float), drawn, 1)
        panel.plot(ends, at_zero + slope * ends, color=PALETTE[1])
        return stats.spearmanr(covariate, drawn).pvalue  # pyright: ignore
    words = covariate.astype("str")
    groups = [drawn[words == word] for word in sorted(words.unique())]
    for place, group in enumerate(groups):
        panel.plot(place + 0.25 * spread(len(group)), group, **look)
        panel.plot([place - 0.3, place + 0.3], [group.median()] * 2, color=PALETTE[1])
    panel.axhline(0, color=GREY, lw=0.8)
    panel.set_xticks(range(len(groups)), sorted(words.unique()))
    enough = len(groups) > 1
    return float(stats.kruskal(*groups)[1]) if enough else math.nan


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(color=PALETTE[0], alpha=0.45, label="Draws"),
        Line2D([], [], color=INK, label="Normal"),
        Line2D([], [], color=PALETTE[1], ls="--", label="Estimates (EBE)"),
    ]
