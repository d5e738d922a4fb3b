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

    from cellpk.fit.fitted import FittedPopulation

_SHARES = (0.05, 0.5, 0.95)
_MOST = 4.0
_TESTS = ("mean", "variance", "normal", "all")


@figure
def npde(
    fit: "FittedPopulation",
    *,
    assay: str | None = None,
    replicates: int = 1000,
    seed: int = 1,
) -> Drawing:
    """Draw normalised prediction distribution errors (NPDE), which should be N(0, 1).

    Parameters
    ----------
    fit : PopulationFit or BayesFit
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
        Three panels: against normal quantiles, time and prediction. ``frame``, by
        ``quantity``: "sample", the table of :class:`cellpk.fit.diagnostics.npde.Npde`;
        "time" and "pred", percentiles in bins of these (``observed``) and the band in
        which they should lie (``low``, ``high``); "test", its tests.

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
    predicted = table["pred"].clip(lower=lowest(placed(table)))
    bins = binned(table["nominal_time"], table["time"])
    by_time = _percentiles(table.assign(across=table["time"]), bins)
    tenths = pd.qcut(predicted, 10, labels=False, duplicates="drop").to_numpy()
    by_level = _percentiles(table.assign(across=predicted), tenths)
    with styled():
        page, axes = sheet(7.4, 3.2, columns=3, simulated=about.simulated, shared=False)
        _quantiles(axes[0, 0], table)
        _over_time(axes[0, 1], table, by_time)
        unit = pretty(about.assay.unit)
        _over_levels(axes[0, 2], table.assign(pred=predicted), by_level, unit=unit)
    return Drawing(
        name=f"npde_{about.name}",
        title=f"{about.assay.label}: normalised prediction distribution errors of "
        f"{fit.model.name}",
        frame=pd.concat(
            [
                table.assign(quantity="sample"),
                by_time.rename(columns={"across": "time"}).assign(quantity="time"),
                by_level.rename(columns={"across": "pred"}).assign(quantity="pred"),
                found.tests.assign(quantity="test"),
            ],
            ignore_index=True,
        ),
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
            *_of_lots(fit),
            *about.doubts,
        ),
        source=f"{about.source}, seed {seed}",
        simulated=about.simulated,
    )


def _of_lots(fit: "FittedPopulation") -> tuple[str, ...]:
    """Say what the tests are not made for."""
    if fit.structure.lots is None:
        return ()
    return (
        "Patients who share a donor lot are not independent: the tests are then too "
        "quick to reject.",
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
    panel.set_ylabel("NPDE")


def _percentiles(table: pd.DataFrame, bins: np.ndarray) -> pd.DataFrame:
    """Return percentiles of the errors in bins, and where 90% of such would lie."""
    from scipy.stats import beta, norm

    groups = table.groupby(bins)
    middle, counts = groups["across"].median(), groups.size()
    frames = []
    for share in _SHARES:
        rank = np.maximum(np.ceil(share * counts), 1)
        low, high = (
            norm.ppf(beta.ppf(p, rank, counts + 1 - rank)) for p in (0.05, 0.95)
        )
        observed = groups["npde"].agg(
            lambda own, at=100 * share: float(lowest_share(own.to_numpy(), at))
        )
        columns = {"across": middle, "percentile": 100 * share, "n": counts}
        columns |= {"observed": observed, "low": low, "high": high}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _over_time(panel: "Axes", table: pd.DataFrame, rows: pd.DataFrame) -> None:
    _bands(panel, rows)
    _marks(panel, table["time"], table)
    middle = rows["across"].unique()
    scale = sampled_axis(panel, middle, table["time"].to_numpy())
    panel.set_xlabel("Time after infusion (day)" + scale.replace(", ", ",\n"))


def _over_levels(
    panel: "Axes", table: pd.DataFrame, rows: pd.DataFrame, *, unit: str
) -> None:
    _bands(panel, rows)
    _marks(panel, table["pred"], table)
    level_axis(panel, table["pred"].to_numpy(), axis="x")
    thin_decades(panel)
    panel.set_xlabel(f"Typical patient (PRED)\n{unit}".rstrip())


def _bands(panel: "Axes", rows: pd.DataFrame) -> None:
    """Draw percentiles in bins and their bands."""
    for percentile, own in rows.groupby("percentile"):
        median = percentile == 50
        colour = PALETTE[1] if median else PALETTE[0]
        panel.fill_between(
            own["across"], own["low"], own["high"], color=colour, alpha=0.25, lw=0
        )
        panel.plot(
            own["across"], own["observed"], color=INK, ls="-" if median else "--"
        )
    panel.set_ylim(-_MOST, _MOST)


def _marks(panel: "Axes", x: pd.Series, table: pd.DataFrame) -> None:
    seen = table["state"].eq("quantified").to_numpy()
    look: dict[str, Any] = {"marker": "o", "ls": "", "color": GREY}
    look |= {"ms": 2.4, "mew": 0.5, "alpha": 0.6}
    panel.plot(x[seen], table.loc[seen, "npde"], **look)
    look["mfc"] = "white"
    panel.plot(x[~seen], table.loc[~seen, "npde"], **look)
