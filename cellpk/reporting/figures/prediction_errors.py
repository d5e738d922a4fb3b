"""Normalised prediction distribution errors against what they should be."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.fit.diagnostics import npde as errors
from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.vpc import lowest_share
from cellpk.reporting.figures.drawing import Drawing, figure
from cellpk.reporting.figures.goodness import lowest
from cellpk.reporting.figures.style import (
    GREY,
    INK,
    PALETTE,
    level_axis,
    sheet,
    styled,
    thin_decades,
)
from cellpk.reporting.figures.time_scale import sampled_axis
from cellpk.reporting.fitted import fitted
from cellpk.reporting.placing import placed
from cellpk.reporting.printed import fixed, probability
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cellpk.fit.population.result import PopulationFit

_SHARES = (0.05, 0.5, 0.95)
_MOST = 4.0
_TESTS = ("mean", "variance", "normal", "all")


@figure
def npde(
    fit: "PopulationFit",
    *,
    assay: str | None = None,
    replicates: int = 1000,
    seed: int = 1,
) -> Drawing:
    """Draw normalised prediction distribution errors (NPDE), which should be N(0, 1).

    Parameters
    ----------
    fit : PopulationFit
        The fit.
    assay : str, optional
        Which assay, where several were fitted; the first without.
    replicates : int
        How many trials are simulated.
    seed : int
        Chance.

    Returns
    -------
    Drawing
        Three panels: against normal quantiles, time and prediction. ``frame`` is the
        table of :class:`cellpk.fit.diagnostics.npde.Npde`, of the assay.

    Raises
    ------
    FitError
        As :func:`cellpk.fit.diagnostics.npde.npde`.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> drawing = npde(ck.fit_population(stein, study, steps=quick), replicates=100)
    >>> len(drawing.figure.axes)
    3
    """
    about = fitted(fit, assay)
    found = errors.npde(fit, replicates=replicates, seed=seed)
    table = found.table[found.table["assay"] == about.name].reset_index(drop=True)
    with styled():
        page, axes = sheet(7.4, 3.2, columns=3, simulated=about.simulated, shared=False)
        _panels(axes[0], table, unit=pretty(about.assay.unit))
    return Drawing(
        name=f"npde_{about.name}",
        title=f"{about.assay.label}: normalised prediction distribution errors of "
        f"{fit.model.name}",
        frame=table,
        figure=page,
        caption="Left: NPDE against normal quantiles, with a 95% band. Middle and "
        "right: 5th, 50th and 95th percentile of the NPDE in bins (lines), and where "
        "they should lie in 90% of cases (bands). Hollow: samples below or above a "
        "limit.",
        footnotes=(
            _tested(found.tests, about.name, replicates),
            "A sample below the limit stands at a random place within the probability "
            "to be there (Nguyen, Comets and Mentré 2012). NPDE are freed of what the "
            "samples of a patient have in common.",
            *about.doubts,
        ),
        source=f"{about.source}, seed {seed}",
        simulated=about.simulated,
    )


def _tested(tests: pd.DataFrame, assay: str, replicates: int) -> str:
    """Say what the tests found."""
    (row,) = tests[tests["assay"] == assay].to_dict("records")
    p = {name: probability(row[f"p_{name}"]) for name in _TESTS}
    shape = "Shapiro-Wilk" if row["n"] <= errors.SHAPIRO else "d'Agostino-Pearson"
    return (
        f"Mean {fixed(row['mean'], 2)} (p {p['mean']}), SD {fixed(row['sd'], 2)} "
        f"(p {p['variance']}), shape p {p['normal']}, all three together p {p['all']}: "
        f"tests of Wilcoxon, chi square and {shape}, Bonferroni; "
        f"{row['n']} samples, {replicates} simulated trials."
    )


def _panels(axes: np.ndarray, table: pd.DataFrame, *, unit: str) -> None:
    quantiles, time, level = axes
    _quantiles(quantiles, table)
    quantiles.set_ylabel("NPDE")
    bins = binned(table["nominal_time"], table["time"])
    _bands(time, table, table["time"], bins=bins)
    middle = table["time"].groupby(bins).median()
    scale = sampled_axis(time, middle.to_numpy(), table["time"].to_numpy())
    time.set_xlabel("Time after infusion (day)" + scale.replace(", ", ",\n"))
    predicted = table["pred"].clip(lower=lowest(placed(table)))
    tenths = pd.qcut(predicted, 10, labels=False, duplicates="drop")
    _bands(level, table, predicted, bins=tenths.to_numpy())
    level_axis(level, predicted.to_numpy(), axis="x")
    thin_decades(level)
    level.set_xlabel(f"Typical patient (PRED)\n{unit}".rstrip())


def _quantiles(panel: "Axes", table: pd.DataFrame) -> None:
    """Draw ordered errors against normal quantiles, with the band of the order."""
    from scipy.stats import beta, norm

    count = len(table)
    rank = np.arange(1, count + 1)
    expected = norm.ppf((rank - 0.5) / count)
    low, high = (norm.ppf(beta.ppf(p, rank, count + 1 - rank)) for p in (0.025, 0.975))
    panel.fill_between(expected, low, high, color=PALETTE[0], alpha=0.2, lw=0)
    ordered = table.sort_values("npde")
    _marks(panel, pd.Series(expected), ordered.reset_index(drop=True))
    panel.plot([-_MOST, _MOST], [-_MOST, _MOST], color=INK, lw=0.8)
    panel.set_xlim(-_MOST, _MOST)
    panel.set_ylim(-_MOST, _MOST)
    panel.set_xlabel("Normal quantile")


def _bands(
    panel: "Axes", table: pd.DataFrame, across: pd.Series, *, bins: np.ndarray
) -> None:
    """Draw errors along something, with percentiles in bins and their bands."""
    from scipy.stats import beta, norm

    _marks(panel, across, table)
    groups = table.assign(across=across).groupby(bins)
    middle, counts = groups["across"].median(), groups.size()
    for share in _SHARES:
        rank = np.maximum(np.ceil(share * counts), 1)
        low, high = (
            norm.ppf(beta.ppf(p, rank, counts + 1 - rank)) for p in (0.05, 0.95)
        )
        colour = PALETTE[1] if share == 0.5 else PALETTE[0]
        panel.fill_between(middle, low, high, color=colour, alpha=0.25, lw=0)
        observed = groups["npde"].agg(
            lambda own, at=100 * share: float(lowest_share(own.to_numpy(), at))
        )
        panel.plot(middle, observed, color=INK, ls="-" if share == 0.5 else "--")
    panel.set_ylim(-_MOST, _MOST)


def _marks(panel: "Axes", x: pd.Series, table: pd.DataFrame) -> None:
    seen = table["state"].eq("quantified").to_numpy()
    look: dict[str, Any] = {"marker": "o", "ls": "", "color": GREY}
    look |= {"ms": 2.4, "mew": 0.5, "alpha": 0.6}
    panel.plot(x[seen], table.loc[seen, "npde"], **look)
    look["mfc"] = "white"
    panel.plot(x[~seen], table.loc[~seen, "npde"], **look)
