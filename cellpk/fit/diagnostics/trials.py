"""The same trial again and again, simulated from what was estimated of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.diagnostics.predictions import errors_of, typical_theta
from cellpk.fit.diagnostics.rows import LIMITS, sample_rows
from cellpk.fit.diagnostics.scores import in_sds
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.residual_error import ResidualError
from cellpk.fit.series import Series
from cellpk.fit.standardised import ON_LOG
from cellpk.study.limits import states

Array = NDArray[np.float64]

_TRIES = 20


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
    fit: PopulationFit, replicates: int, *, seed: int = 1
) -> tuple[Trials, ...]:
    """Simulate the trial of a fit again, from its estimates.

    Everything but chance is as in the study: the days of each patient's samples, their
    limits, her covariates and infusions. New are what each donor lot adds, where lots
    differ, her parameters, whether her cells expand, and the residual errors.

    Parameters
    ----------
    fit : PopulationFit
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
    levels, never = _levels(fit, replicates, rng)
    found = []
    for log_level, one, error in zip(
        levels, fit.data.series, errors_of(fit), strict=True
    ):
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


def _levels(
    fit: PopulationFit, replicates: int, rng: np.random.Generator
) -> tuple[list[Array], NDArray[np.bool_]]:
    """Return log levels of drawn patients, (replicates, N, n), and who never expanded.

    A patient whose course cannot be calculated is drawn anew.
    """
    state, structure = fit.estimates.state, fit.estimates.layout.structure
    own = np.ix_(structure.varies, structure.varies)
    root = np.zeros_like(state.omega)
    root[own] = np.linalg.cholesky(state.omega[own])
    means, lots = typical_theta(fit), structure.lots
    shape = (replicates, *means.shape)
    if lots:
        effects = rng.standard_normal((replicates, len(lots.names), state.lot_sd.size))
        means = means + lots.shift(effects * state.lot_sd, means.shape[-1])
    theta = means + rng.standard_normal(shape) @ root.T
    never = rng.random(shape[:2]) < state.never
    for _ in range(_TRIES):
        levels = fit.data.levels(theta)
        failed = np.any([found.failed for found in levels], axis=0)
        if not failed.any():
            return [found.log_level for found in levels], never
        fresh = means + rng.standard_normal(shape) @ root.T
        theta = np.where(failed[..., None], fresh, theta)
    raise FitError(
        f"after {_TRIES} tries the courses of some simulated patients cannot be "
        "calculated",
        where=fit.model.name,
        todo="The spread between patients may be too wide: see fit.table and "
        "fit.doubts.",
    )
