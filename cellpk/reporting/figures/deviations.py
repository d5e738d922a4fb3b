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

    from cellpk.fit.fitted import FittedPopulation

_ACROSS = 3
_DRAWS = 100
_CHANCE = "Deviation / between-patient SD"


@figure
def etas(fit: "FittedPopulation", *, against: str | None = None) -> Drawing:
    """Draw how patients deviate from what is expected, a panel for each parameter.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    against : str, optional
        A column of ``study.patients``: deviations are drawn against it. Without, they
        are drawn against the normal distribution.

    Returns
    -------
    Drawing
        ``frame``, by ``quantity``: "draw", draws of
        :func:`cellpk.fit.diagnostics.etas.sampled_etas`, and the covariate;
        "estimate", the patients' estimates; "test", the p value of each parameter.

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
    estimates = deviations.etas(fit).query("expanded >= 0.5")
    estimates = estimates.assign(scaled=estimates["eta"] / estimates["omega"])
    tests = _tests(frame, against)
    with styled():
        if against is None:
            page = _distributions(fit, frame, estimates)
        else:
            page = _trends(fit, frame, tests, against=against)
    return Drawing(
        name=f"etas_against_{against}" if against else "etas",
        title=f"Deviations of patients from the typical one, {fit.model.name}"
        + (f", against {against.replace('_', ' ')}" if against else ""),
        frame=pd.concat(
            [
                frame.assign(quantity="draw"),
                estimates.assign(quantity="estimate"),
                tests.assign(quantity="test"),
            ],
            ignore_index=True,
        ),
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


def _joined(frame: pd.DataFrame, fit: "FittedPopulation", against: str) -> pd.DataFrame:
    patients = fit.study.patients
    known = [str(name) for name in patients.columns.drop("patient")]
    if against not in known:
        what = "the patients have no such covariate"
        raise DataError(Problem(what, nearest(against, known), value=against))
    joined = frame.merge(patients[["patient", against]], on="patient", how="left")
    return joined.dropna(subset=[against]).reset_index(drop=True)


def _tests(frame: pd.DataFrame, against: str | None) -> pd.DataFrame:
    """Return the p value of what each parameter shares with a covariate."""
    if against is None:
        return pd.DataFrame({"parameter": [], "p": []})
    rows = [
        {"parameter": name, "p": _shared(own[against], own["scaled"])}
        for name, own in frame.groupby("parameter", sort=False)
    ]
    return pd.DataFrame(rows)


def _sheet(fit: "FittedPopulation", names: list[str]) -> tuple["Figure", "np.ndarray"]:
    columns = min(_ACROSS, len(names))
    rows = math.ceil(len(names) / columns)
    simulated = fit.study.settings.study.simulated
    page, axes = sheet(
        7.4, 0.8 + 2.0 * rows, rows=rows, columns=columns, simulated=simulated
    )
    for panel, name in zip(axes.flat, names, strict=False):
        panel.set_title(name, loc="left")
    close_unused(axes, len(names))
    return page, axes


def _said(panel: "Axes", text: str) -> None:
    panel.set_title(text, loc="right", fontsize=7, color=GREY)


def _distributions(
    fit: "FittedPopulation", frame: pd.DataFrame, estimates: pd.DataFrame
) -> "Figure":
    groups = frame.groupby("parameter", sort=False)["scaled"]
    drawn = {str(name): values for name, values in groups}
    page, axes = _sheet(fit, list(drawn))
    shrunk = fit.shrinkage
    own = estimates.groupby("parameter")["scaled"]
    for panel, (name, values) in zip(axes.flat, drawn.items(), strict=False):
        _distribution(panel, values, own.get_group(name))
        told = math.isfinite(shrunk[name])
        _said(panel, f"shrinkage {shrunk[name]:.0f}%" if told else "spread not told")
    label_outer(axes, _CHANCE)
    page.supylabel("Density", fontsize=8.5)
    legend_below(page, _legend())
    return page


def _trends(
    fit: "FittedPopulation", frame: pd.DataFrame, tests: pd.DataFrame, *, against: str
) -> "Figure":
    page, axes = _sheet(fit, tests["parameter"].to_list())
    for panel, row in zip(axes.flat, tests.to_dict("records"), strict=False):
        part = frame[frame["parameter"] == row["parameter"]]
        _trend(panel, part[against], part["scaled"])
        _said(panel, f"p {probability(row['p'])}")
    label_outer(axes, _axis(fit, against))
    page.supylabel(_CHANCE, fontsize=8.5)
    return page


def _axis(fit: "FittedPopulation", against: str) -> str:
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


def _numeric(covariate: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(covariate) and covariate.dtype != bool


def _groups(covariate: pd.Series, drawn: pd.Series) -> dict[str, pd.Series]:
    """Return the deviations of each category, in alphabetical order."""
    words = covariate.astype("str")
    return {word: drawn[words == word] for word in sorted(words.unique())}


def _shared(covariate: pd.Series, drawn: pd.Series) -> float:
    """Return the p value of what a covariate and deviations share."""
    from scipy import stats

    if _numeric(covariate):
        if covariate.nunique() < 3:
            return math.nan
        return stats.spearmanr(covariate, drawn).pvalue  # pyright: ignore
    groups = _groups(covariate, drawn)
    return float(stats.kruskal(*groups.values())[1]) if len(groups) > 1 else math.nan


def _trend(panel: "Axes", covariate: pd.Series, drawn: pd.Series) -> None:
    """Draw deviations against a covariate, and their trend."""
    look: dict[str, Any] = {"marker": "o", "ls": "", "ms": 3.2}
    look |= {"color": PALETTE[0], "alpha": 0.7}
    panel.axhline(0, color=GREY, lw=0.8)
    if _numeric(covariate):
        panel.plot(covariate, drawn, **look)
        if covariate.nunique() > 2:
            ends = np.array([covariate.min(), covariate.max()], float)
            slope, at_zero = np.polyfit(covariate.astype(float), drawn, 1)
            panel.plot(ends, at_zero + slope * ends, color=PALETTE[1])
        return
    groups = _groups(covariate, drawn)
    for place, group in enumerate(groups.values()):
        panel.plot(place + 0.25 * spread(len(group)), group, **look)
        panel.plot([place - 0.3, place + 0.3], [group.median()] * 2, color=PALETTE[1])
    panel.set_xticks(range(len(groups)), list(groups))


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(color=PALETTE[0], alpha=0.45, label="Draws"),
        Line2D([], [], color=INK, label="Normal"),
        Line2D([], [], color=PALETTE[1], ls="--", label="Estimates (EBE)"),
    ]
