"""Visual predictive checks with samples below the limit: the numbers of the figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.predictions import predictions
from cellpk.fit.diagnostics.rows import place_of, reported
from cellpk.fit.diagnostics.trials import Trials, simulate_trials
from cellpk.fit.fitted import FittedPopulation

Array = NDArray[np.float64]

PERCENTILES = (5.0, 50.0, 95.0)
BAND = 0.90
"""Percentiles of the levels, and the share of simulated trials within a band."""


@dataclass(frozen=True, eq=False)
class Vpc:
    """Percentiles of observed levels among those of simulated trials.

    Parameters
    ----------
    percentiles : DataFrame
        A row for each bin and percentile: ``bin, time`` (median day), ``first, last``,
        ``n, percentile, observed``, and of the simulated trials ``low, median, high``
        (a 90% band). A level of 0 stands for one below the limit, infinity for one
        above the upper limit.
    below : DataFrame
        A row for each bin: the share of samples below the limit, ``observed``, ``low,
        median, high``.
    samples : DataFrame
        The used samples: those of
        :func:`cellpk.fit.diagnostics.predictions.predictions`, with their ``bin`` (-1:
        outside all bins) and ``shown``, the level as corrected where that was asked
        for, NaN where there is none.
    corrected : bool
        Whether levels are corrected for what is predicted of them.
    replicates : int
        How many trials were simulated.

    Examples
    --------
    >>> sorted(Vpc.__annotations__)
    ['below', 'corrected', 'percentiles', 'replicates', 'samples']
    """

    percentiles: pd.DataFrame
    below: pd.DataFrame
    samples: pd.DataFrame
    corrected: bool
    replicates: int


def vpc(
    fit: FittedPopulation,
    *,
    assay: str | None = None,
    corrected: bool = False,
    bins: Sequence[float] | None = None,
    replicates: int = 500,
    seed: int = 1,
) -> Vpc:
    """Return percentiles of observed levels among those of simulated trials.

    A percentile is the smallest level that so many of the samples do not exceed; those
    below the limit are the lowest, whatever they are, in the observed trial as in the
    simulated ones, which have the limits of the samples that they stand for.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    assay : str, optional
        Which assay, where several were fitted; the first without.
    corrected : bool
        Whether each level is multiplied by the ratio of the prediction for a typical
        patient in its bin (the median) to that for its own patient and day, so that
        covariates and days that differ within a bin spread nothing.
    bins : sequence of float, optional
        Edges of bins in days; without them see
        :func:`cellpk.fit.diagnostics.bins.binned`.
    replicates : int
        How many trials are simulated.
    seed : int
        Chance.

    Returns
    -------
    Vpc

    Raises
    ------
    FitError
        Where the assay was not fitted or the bins are none, and as
        :func:`cellpk.fit.diagnostics.trials.simulate_trials`.

    References
    ----------
    Bergstrand M, Hooker AC, Wallin JE, Karlsson MO. Prediction-corrected visual
    predictive checks for diagnosing nonlinear mixed-effects models. AAPS J
    2011;13:143-151. Bergstrand M, Karlsson MO. Handling data below the limit of
    quantification in mixed effect models. AAPS J 2009;11:371-380 (the share below the
    limit as a check of its own).

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> found = vpc(ck.fit_population(stein, study, steps=quick), replicates=50)
    >>> found.percentiles[["time", "n", "percentile"]].head(2).values.tolist()
    [[4.0, 12.0, 5.0], [4.0, 12.0, 50.0]]
    """
    place = place_of(fit.data, assay)
    trials = simulate_trials(fit, replicates, seed=seed)[place]
    samples = predictions(fit, seed=seed)
    name = fit.data.series[place].assay
    samples = samples[(samples["assay"] == name) & (samples["left_out"] == "")]
    samples = samples.reset_index(drop=True)
    bin_of = binned(samples["nominal_time"], samples["time"], bins)
    observed, simulated = ordered(trials)
    if corrected:
        factor = _factor(samples["pred"].to_numpy(), bin_of)
        observed, simulated = observed * factor, simulated * factor
    shown = np.where((observed > 0) & np.isfinite(observed), observed, np.nan)
    percentiles, below = _compared(samples["time"], bin_of, observed, simulated)
    return Vpc(
        percentiles=percentiles,
        below=below,
        samples=samples.assign(bin=bin_of, shown=shown),
        corrected=corrected,
        replicates=replicates,
    )


def ordered(trials: Trials) -> tuple[Array, Array]:
    """Return observed and simulated levels: 0 below the limit, infinite above.

    Parameters
    ----------
    trials : Trials
        Simulated trials, with the samples that they stand for.

    Returns
    -------
    observed : ndarray, shape (m,)
    simulated : ndarray, shape (replicates, m)

    Examples
    --------
    >>> rows = pd.DataFrame({"state": ["quantified", "below"], "level": [20.0, np.nan],
    ...                      "lloq": [10.0] * 2, "llod": np.nan, "uloq": np.nan})
    >>> observed, _ = ordered(Trials(rows, np.zeros(2, int), np.array([[5.0, 30.0]])))
    >>> observed
    array([20.,  0.])
    """

    def cut(level: Array, state: NDArray[np.object_]) -> Array:
        level = np.where((state == "below") | (state == "detected"), 0.0, level)
        return np.where(state == "above", np.inf, level)

    level = trials.rows["level"].to_numpy(float)
    return cut(level, reported(trials.rows)), cut(trials.readings, trials.states)


def _factor(predicted: Array, bin_of: NDArray[np.intp]) -> Array:
    """Return what corrects each sample for its prediction."""
    middle = pd.Series(predicted).groupby(bin_of).transform("median").to_numpy()
    return middle / predicted


def _compared(
    times: pd.Series, bin_of: NDArray[np.intp], observed: Array, simulated: Array
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return percentiles and shares below of each bin."""
    levels, shares = [], []
    for number in range(bin_of.max() + 1):
        own = bin_of == number
        if not own.any():
            continue
        days = times[own]
        where = {"bin": number, "time": float(days.median())}
        where |= {"first": days.min(), "last": days.max(), "n": int(own.sum())}
        for percentile in PERCENTILES:
            found = {"observed": float(lowest_share(observed[own], percentile))}
            band = _band(lowest_share(simulated[:, own], percentile))
            levels.append({**where, "percentile": percentile, **found, **band})
        found = {"observed": float((observed[own] == 0).mean())}
        band = _band((simulated[:, own] == 0).mean(-1))
        shares.append({**where, **found, **band})
    return pd.DataFrame(levels), pd.DataFrame(shares)


def lowest_share(values: Array, percentile: float) -> Array:
    """Return the smallest value that so many percent of the values do not exceed.

    Nothing is interpolated: between a level and "below the limit" there is nothing.

    Parameters
    ----------
    values : ndarray, shape (..., n)
        Levels, some of which may be infinite.
    percentile : float
        From above 0 to 100.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> values = np.array([0.0, 0.0, 5.0, 7.0])
    >>> float(lowest_share(values, 50)), float(lowest_share(values, 51))
    (0.0, 5.0)
    """
    rank = int(np.ceil(values.shape[-1] * percentile / 100)) - 1
    return np.sort(values, axis=-1)[..., max(rank, 0)]


def _band(values: Array) -> dict[str, float]:
    tail = 50 * (1 - BAND)
    ends = {"low": tail, "median": 50.0, "high": 100 - tail}
    return {name: float(lowest_share(values, at)) for name, at in ends.items()}
