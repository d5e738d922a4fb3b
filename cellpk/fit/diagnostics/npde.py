"""Normalised prediction distribution errors, also with samples below the limit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.diagnostics.predictions import normal_share, predictions
from cellpk.fit.diagnostics.rows import reported
from cellpk.fit.diagnostics.trials import Trials, simulate_trials
from cellpk.fit.fitted import FittedPopulation

Array = NDArray[np.float64]

_TIMES = 10  # as many simulated trials as a patient has samples
SHAPIRO = 5000
"""Numbers beyond which the p value of Shapiro and Wilk is not to be trusted."""


@dataclass(frozen=True, eq=False)
class Npde:
    """Where each sample lies among those of simulated trials, as a normal number.

    Parameters
    ----------
    table : DataFrame
        A row for each used sample: those of
        :func:`cellpk.fit.diagnostics.predictions.predictions`, and ``npd`` (each by
        itself) and ``npde`` (freed of what the samples of a patient have in common).
    tests : DataFrame
        A row for each assay, and one for all where there are several: ``assay, n,
        mean, sd``, and p values: ``p_mean`` (Wilcoxon's signed ranks), ``p_variance``
        (chi square), ``p_normal`` (Shapiro and Wilk; d'Agostino and Pearson beyond 5000
        samples) and ``p_all``, three times the smallest, at most 1 (Bonferroni).
    replicates : int
        How many trials were simulated.

    Examples
    --------
    >>> sorted(Npde.__annotations__)
    ['replicates', 'table', 'tests']
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    replicates: int


def npde(fit: FittedPopulation, *, replicates: int = 1000, seed: int = 1) -> Npde:
    """Return where each sample lies among those of trials simulated from the fit.

    Each sample is ranked among its simulated counterparts. Samples that say the same,
    such as two below the limit of quantification, are in an order by chance, in the
    simulated trials as in the observed one: a sample below the limit is put somewhere
    within the probability to be there. What the samples of a patient have in common, of
    all assays, is taken away on the scale of the normal scores of these ranks, by the
    simulated trials' Cholesky root; what is left is ranked again. Under the true model
    all ranks are equally likely, so that the errors are independent standard normal
    numbers. Patients of one donor lot stay dependent where lots differ: the tests are
    then too quick to reject.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    replicates : int
        How many trials are simulated: at least 10 times the samples of a patient.
    seed : int
        Chance.

    Returns
    -------
    Npde

    Raises
    ------
    FitError
        Where the trials are too few, or as
        :func:`cellpk.fit.diagnostics.trials.simulate_trials`.

    References
    ----------
    Brendel K et al. Metrics for external model evaluation with an application to the
    population pharmacokinetics of gliclazide. Pharm Res 2006;23:2036-2049. Comets E,
    Brendel K, Mentre F. Computing normalised prediction distribution errors to
    evaluate nonlinear mixed-effect models. Comput Methods Programs Biomed
    2008;90:154-166 (tests). Nguyen THT, Comets E, Mentre F. Extension of NPDE for
    evaluation of nonlinear mixed effect models in presence of data below the
    quantification limit. J Pharmacokinet Pharmacodyn 2012;39:499-518. There levels are
    decorrelated; here their normal scores, so that no transformation of the level
    changes a number.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> found = npde(ck.fit_population(stein, study, steps=quick), replicates=200)
    >>> found.tests.columns.tolist()
    ['assay', 'n', 'mean', 'sd', 'p_mean', 'p_variance', 'p_normal', 'p_all']
    """
    _check(fit, replicates)
    rng = np.random.default_rng([seed, 5])
    trials = simulate_trials(fit, replicates, seed=seed)
    table = predictions(fit, seed=seed)
    table = table[table["left_out"] == ""].reset_index(drop=True)
    scores = np.concatenate([_scores(each, rng) for each in trials], axis=1)
    patient = np.concatenate([each.patient for each in trials])
    apart = np.empty(len(table))
    for who in range(len(fit.patients)):
        own = patient == who
        apart[own] = decorrelated(scores[:, own])
    table = table.assign(npd=scores[0], npde=apart)
    return Npde(table, _tests(table), replicates)


def _check(fit: FittedPopulation, replicates: int) -> None:
    """Refuse trials too few to tell what a patient's samples have in common."""
    counts = [one.known.sum(-1) for one in fit.data.series]
    most = int(np.sum(counts, axis=0).max())
    if replicates < _TIMES * most:
        todo = f"Use {_TIMES * most} or more: a patient has {most} samples."
        raise FitError(f"replicates = {replicates}", todo=todo)


def _scores(trials: Trials, rng: np.random.Generator) -> Array:
    """Return normal scores of observed and simulated samples, (1 + replicates, m).

    The observed ones are the first row.
    """
    rows = trials.rows
    state = np.vstack([reported(rows), trials.states])
    under = np.isin(state, ["below", "detected"])
    group = np.select([under, state == "quantified"], [0, 1], 2)
    level = np.vstack([rows["level"].to_numpy(float), trials.readings])
    level = np.where(state == "quantified", level, 0.0)
    by_chance = rng.random(level.shape)
    ranks = np.empty(level.shape)
    order = np.lexsort((by_chance, level, group), axis=0)
    np.put_along_axis(ranks, order, np.arange(len(level))[:, None] + 0.5, axis=0)
    return normal_share(ranks / len(level))


def decorrelated(scores: Array) -> Array:
    """Return the first row of scores, freed of what columns have in common.

    Parameters
    ----------
    scores : ndarray, shape (1 + replicates, n)
        Normal scores of a patient's samples: the observed ones, then simulated ones.

    Returns
    -------
    ndarray, shape (n,)
        Normal scores of their ranks among the simulated ones.

    Examples
    --------
    >>> same = np.random.default_rng(1).standard_normal((101, 1))
    >>> both = np.hstack([same, same + 0.1 * np.ones((101, 1)) * same[::-1]])
    >>> decorrelated(both).shape
    (2,)
    """
    covariance = np.atleast_2d(np.cov(scores[1:], rowvar=False))
    covariance[np.diag_indices_from(covariance)] += 1e-9  # where samples are the same
    root = np.linalg.cholesky(covariance)
    free = np.linalg.solve(root, (scores - scores[1:].mean(0)).T)
    rank = (free[:, 1:] < free[:, :1]).sum(-1)
    return normal_share((rank + 0.5) / len(scores))


def _tests(table: pd.DataFrame) -> pd.DataFrame:
    assays = list(table["assay"].unique())
    parts = [(assay, table.loc[table["assay"] == assay, "npde"]) for assay in assays]
    if len(assays) > 1:
        parts.append(("all", table["npde"]))
    rows = [{"assay": name} | normality(part.to_numpy()) for name, part in parts]
    return pd.DataFrame(rows)


def normality(values: Array) -> dict[str, float]:
    """Return tests of numbers that should be standard normal.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The numbers.

    Returns
    -------
    dict
        ``n, mean, sd, p_mean, p_variance, p_normal, p_all``; all but ``n`` NaN below 3
        numbers.

    Examples
    --------
    >>> normality(np.random.default_rng(1).standard_normal(200))["p_all"] > 0.05
    True
    """
    from scipy import stats

    n = values.size
    if n < 3:
        names = ("mean", "sd", "p_mean", "p_variance", "p_normal", "p_all")
        return {"n": n} | dict.fromkeys(names, np.nan)
    found = {"n": n, "mean": float(values.mean()), "sd": float(values.std(ddof=1))}
    below = float(stats.chi2.cdf((n - 1) * found["sd"] ** 2, n - 1))
    shape = stats.shapiro(values) if n <= SHAPIRO else stats.normaltest(values)
    tests = {
        "p_mean": float(stats.wilcoxon(values)[1]),  # pyright: ignore[reportArgumentType]
        "p_variance": 2 * min(below, 1 - below),
        "p_normal": float(shape[1]),
    }
    return found | tests | {"p_all": min(1.0, 3 * min(tests.values()))}
