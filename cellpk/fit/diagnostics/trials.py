"""The same trial again and again, simulated from what was estimated of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.diagnostics.rows import LIMITS, sample_rows
from cellpk.fit.diagnostics.scores import in_sds
from cellpk.fit.fitted import FittedPopulation
from cellpk.fit.population.draws import PopulationDraws, expected
from cellpk.fit.residual_error import ResidualError
from cellpk.fit.series import Series
from cellpk.fit.standardised import ON_LOG
from cellpk.study.limits import states

Array = NDArray[np.float64]

TRIES = 20
"""How often a patient whose course cannot be calculated is drawn."""


@dataclass(frozen=True, eq=False)
class Trials:
    """What an assay reads in simulated trials, at the samples of the fit.

    Parameters
    ----------
    rows : DataFrame
        The m used samples, as :func:`cellpk.fit.diagnostics.rows.sample_rows`.
    patient : ndarray of int, shape (m,)
        Of whom each is: her place among the patients of the fit.
    readings : ndarray, shape (replicates, m)
        What the instrument reads, in the unit of the fit, before any limit: 0 where
        cells never expanded, less where an error that adds outweighs the level.

    Examples
    --------
    >>> sorted(Trials.__annotations__)
    ['patient', 'readings', 'rows']
    """

    rows: pd.DataFrame
    patient: NDArray[np.intp]
    readings: Array

    @property
    def states(self) -> NDArray[np.object_]:
        """What would be reported by the limits of each sample, (replicates, m)."""
        limits = {name: self.rows[name].to_numpy(float) for name in LIMITS}
        return states(self.readings, **limits)


def simulate_trials(
    fit: FittedPopulation, replicates: int, *, seed: int = 1
) -> tuple[Trials, ...]:
    """Simulate the trial of a fit again, from its estimates or its draws.

    Everything but chance is as in the study: the days of each patient's samples, their
    limits, her covariates and infusions. New are what each donor lot adds, where lots
    differ, her parameters, whether her cells expand, and the residual errors. Of a fit
    by Bayes each trial is of another draw of the population: the trials then differ by
    what is not known of it as well.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    replicates : int
        How many trials.
    seed : int
        Chance; the same gives the same trials.

    Returns
    -------
    tuple of Trials
        One per series of the fit; the patients are the same ones in each.

    Raises
    ------
    FitError
        Where there is no trial to simulate, or the courses of some drawn patients
        cannot be calculated.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> fit = ck.fit_population(stein, study, steps=quick)
    >>> (trials,) = simulate_trials(fit, 5, seed=1)
    >>> trials.readings.shape
    (5, 36)
    """
    if replicates < 1:
        raise FitError(f"{replicates} trials to simulate", todo="Use 1 or more.")
    rng = np.random.default_rng([seed, 4])
    population = fit.population(replicates, np.random.default_rng([seed, 9]))
    levels, never, failed = drawn_levels(fit, population, rng)
    if failed.any():
        raise FitError(
            f"after {TRIES} tries the courses of some simulated patients cannot be "
            "calculated",
            where=fit.model.name,
            todo="The spread between patients may be too wide: see fit.table and "
            "fit.doubts.",
        )
    return read_trials(fit, levels, never, errors=population.parts, rng=rng)


def read_trials(
    fit: FittedPopulation,
    levels: Sequence[Array],
    never: NDArray[np.bool_],
    *,
    errors: Sequence[ResidualError],
    rng: np.random.Generator,
) -> tuple[Trials, ...]:
    """Return what the assays of a fit read of the courses of its patients.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit, for its samples.
    levels : sequence of ndarray, shape (replicates, N, n)
        Log levels at the samples of each series.
    never : ndarray of bool, shape (replicates, N)
        Whose cells never expanded.
    errors : sequence of ResidualError
        How each assay errs.
    rng : numpy Generator
        Chance.

    Examples
    --------
    >>> callable(read_trials)              # see simulate_trials
    True
    """
    found = []
    for log_level, one, error in zip(levels, fit.data.series, errors, strict=True):
        read = readings(log_level, one, error, rng=rng)
        rows = sample_rows(fit.data, fit.study, one)
        used = rows["left_out"].eq("")
        found.append(
            Trials(
                rows[used].drop(columns="left_out"),
                np.nonzero(one.known)[0],
                np.where(never[..., None], 0.0, read)[..., one.known],
            )
        )
    return tuple(found)


def readings(
    log_level: Array, series: Series, error: ResidualError, *, rng: np.random.Generator
) -> Array:
    """Return what an assay reads of a level: the level with its residual error.

    Parameters
    ----------
    log_level : ndarray, shape (..., N, n)
        Log level of the curve at the samples.
    series : Series
        The samples.
    error : ResidualError
        How the assay errs.
    rng : numpy Generator
        Chance.

    Returns
    -------
    ndarray, shape (..., N, n)
        Levels, below 0 where an error that adds outweighs the level.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> (qpcr,) = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr").series
    >>> error = ResidualError("normal", {"sd": 0.001})
    >>> read = readings(np.zeros(qpcr.times.shape), qpcr, error,
    ...                 rng=np.random.default_rng(1))
    >>> bool(np.abs(read - 1).max() < 0.01)
    True
    """
    if error.df is None:
        chance = rng.standard_normal(log_level.shape)
    else:
        chance = rng.standard_t(error.df, log_level.shape)
    away = in_sds(log_level, series.said, error).scale * chance
    if error.kind in ON_LOG:
        return np.exp(log_level + away)
    return np.exp(log_level) + away


def drawn_levels(
    fit: FittedPopulation, population: PopulationDraws, rng: np.random.Generator
) -> tuple[list[Array], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return log levels of patients drawn from populations.

    A patient whose course cannot be calculated is drawn anew, up to 20 times.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit, for its samples and covariates.
    population : PopulationDraws
        A population for each replicate.
    rng : numpy Generator
        Chance.

    Returns
    -------
    levels : list of ndarray, shape (replicates, N, n)
        Log levels at the samples of each series.
    never : ndarray of bool, shape (replicates, N)
        Whose cells never expanded.
    failed : ndarray of bool, shape (replicates, N)
        Whose course could not be calculated.

    Examples
    --------
    >>> callable(drawn_levels)             # see simulate_trials
    True
    """
    turned = np.swapaxes(population.roots(fit.structure.varies), -1, -2)
    means, lots = expected(population, fit.structure), fit.structure.lots
    if lots:
        sd = population.lot_sd[:, None, :]
        effects = rng.standard_normal((len(sd), len(lots.names), sd.shape[-1])) * sd
        means = means + lots.shift(effects, means.shape[-1])
    theta = means + rng.standard_normal(means.shape) @ turned
    never = rng.random(means.shape[:2]) < population.never[:, None]
    levels, failed = _solved(fit, theta)
    for _ in range(TRIES - 1):
        if not failed.any():
            break
        fresh = means + rng.standard_normal(means.shape) @ turned
        theta = np.where(failed[..., None], fresh, theta)
        levels, failed = _solved(fit, theta)
    return levels, never, failed


def _solved(
    fit: FittedPopulation, theta: Array
) -> tuple[list[Array], NDArray[np.bool_]]:
    """Return log levels, (..., N, n) of each series, and whose cannot be calculated."""
    levels = fit.data.levels(theta)
    failed = np.any([found.failed for found in levels], axis=0)
    return [found.log_level for found in levels], failed
