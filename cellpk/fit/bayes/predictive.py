"""What a hierarchical fit predicts: readings of the same patients, and of new ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.bayes.tree import samples_of
from cellpk.fit.diagnostics.trials import Trials, drawn_levels, read_trials

if TYPE_CHECKING:
    import xarray as xr

    from cellpk.fit.bayes.result import BayesFit

Array = NDArray[np.float64]
Places = NDArray[np.intp]


def posterior_trials(
    fit: "BayesFit", rows: Places, *, seed: int = 1
) -> tuple[Trials, ...]:
    """Read the assays once more in the same patients, as each draw has them.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    rows : ndarray of int, shape (S,)
        Which of its draws, the chains joined.
    seed : int
        Chance of the residual errors, and of whose cells never expanded.

    Returns
    -------
    tuple of Trials
        One per series of the fit, of S replicates.

    Examples
    --------
    >>> callable(posterior_trials)         # see BayesFit.with_predictions
    True
    """
    rng = np.random.default_rng([seed, 7])
    levels = [found.log_level for found in fit.data.levels(fit.theta[rows])]
    never = np.zeros((len(rows), len(fit.patients)), bool)
    if fit.shape.never:
        never = rng.random(never.shape) >= fit.drawn("expanded")[rows]
    errors = fit.draws.take(rows).parts
    return read_trials(fit, levels, never, errors=errors, rng=rng)


def prior_trials(
    fit: "BayesFit", rows: Places, *, seed: int = 1
) -> tuple[Places, tuple[Trials, ...]]:
    """Simulate the trial from draws of the prior, with new patients.

    Days of samples, limits, covariates and infusions are those of the study.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    rows : ndarray of int, shape (S,)
        Which draws of its prior.
    seed : int
        Chance.

    Returns
    -------
    kept : ndarray of int
        The draws whose trials can be calculated: a wide prior may hold courses that
        cannot.
    trials : tuple of Trials
        One per series of the fit, a replicate for each of them.

    Raises
    ------
    FitError
        Where no trial can be calculated.

    Examples
    --------
    >>> callable(prior_trials)             # see BayesFit.with_predictions
    True
    """
    rng = np.random.default_rng([seed, 8])
    population = fit.prior_draws.take(rows)
    levels, never, failed = drawn_levels(fit, population, rng)
    able = np.flatnonzero(~failed.any(-1))
    if not len(able):
        raise FitError(
            f"of {len(rows)} trials drawn from the priors none can be calculated",
            where=fit.model.name,
            todo="The priors are too wide for this model: see fit.priors.table.",
        )
    errors = population.take(able).parts
    levels = [each[able] for each in levels]
    trials = read_trials(fit, levels, never[able], errors=errors, rng=rng)
    return rows[able], trials


def evenly(number: int, wanted: int | None) -> Places:
    """Return places that thin a number of draws to those wanted, evenly.

    Parameters
    ----------
    number : int
        How many draws there are.
    wanted : int, optional
        How many are wanted; all of them without.

    Raises
    ------
    FitError
        Where none is wanted.

    Examples
    --------
    >>> evenly(100, 3), evenly(2, 50)
    (array([ 0, 50, 99]), array([0, 1]))
    """
    if wanted is not None and wanted < 1:
        raise FitError(f"draws = {wanted}", todo="Use 1 or more, or None for all.")
    kept = number if wanted is None else min(wanted, number)
    return np.linspace(0, number - 1, kept).round().astype(np.intp)


def reported_logs(trials: Trials) -> Array:
    """Return log levels as a laboratory would report them, (replicates, m).

    As the samples of the fit are stated among the observed data: a level that is not
    quantified stands at the limit that it is known by. One below is known by the limit
    of detection where detected samples of the assay are told from others.

    Parameters
    ----------
    trials : Trials
        Readings of an assay.

    Returns
    -------
    ndarray, shape (replicates, m)
        NaN where a reading of 0 or less has no limit to be below.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"state": ["quantified"] * 3, "lloq": [10.0] * 3,
    ...                      "llod": [np.nan] * 3, "uloq": [1e3] * 3})
    >>> read = Trials(rows, np.zeros(3, int), np.array([[0.0, 20.0, 5e3]]))
    >>> np.exp(reported_logs(read)).round(1)
    array([[  10.,   20., 1000.]])
    """
    rows, state = trials.rows, trials.states
    lloq, llod, uloq = (rows[name].to_numpy(float) for name in ("lloq", "llod", "uloq"))
    telling = ((rows["state"] == "detected") & (llod < lloq)).any()
    undetected = np.where(telling & (llod < lloq), llod, lloq)
    level = np.select(
        [state == "below", state == "detected", state == "above"],
        [undetected, lloq, uloq],
        trials.readings,
    )
    return np.log(np.where(level > 0, level, np.nan))


def with_predictions(
    fit: "BayesFit", draws: int | None = 200, *, seed: int = 1
) -> "BayesFit":
    """Return the fit with predicted readings among its draws.

    Parameters
    ----------
    fit : BayesFit
        The fit.
    draws : int, optional
        How many draws are predicted from, taken evenly along each chain; ``None``: all
        of them, as LOO-PIT asks.
    seed : int
        Chance.

    Returns
    -------
    BayesFit
        Its ``tree`` has the groups ``posterior_predictive`` (the same patients) and
        ``prior_predictive`` (new ones) besides: log levels of each assay as they would
        be reported, at the samples of ``observed_data``.

    Raises
    ------
    FitError
        Where no draw is asked for, or as :func:`prior_trials`.

    References
    ----------
    Gelman A, Meng X-L, Stern H. Posterior predictive assessment of model fitness via
    realized discrepancies. Stat Sin 1996;6:733-807.

    Examples
    --------
    >>> callable(with_predictions)         # see BayesFit.with_predictions
    True
    """
    import xarray as xr

    chains, each = (fit.tree["posterior"].sizes[name] for name in ("chain", "draw"))
    kept = evenly(each, draws if draws is None else max(1, draws // chains))
    rows = (each * np.arange(chains)[:, None] + kept).ravel()
    known = posterior_trials(fit, rows, seed=seed)
    prior, new = prior_trials(fit, evenly(len(fit.prior_draws), draws), seed=seed)
    tree = fit.tree.copy()
    for name, trials, lead, numbers in (
        ("posterior_predictive", known, (chains, len(kept)), kept),
        ("prior_predictive", new, (1, len(prior)), prior),
    ):
        tree[name] = xr.DataTree(_group(fit, trials, lead=lead, draws=numbers))
    return replace(fit, tree=tree)


def _group(
    fit: "BayesFit",
    trials: Sequence[Trials],
    *,
    lead: tuple[int, int],
    draws: Places,
) -> "xr.Dataset":
    """Return predicted log levels as a group of ArviZ data."""
    import arviz as az

    found = {
        one.assay: reported_logs(read).reshape(*lead, -1)
        for one, read in zip(fit.data.series, trials, strict=True)
    }
    dims: dict[Any, Any] = {assay: [samples_of(assay)] for assay in found}
    observed = fit.tree["observed_data"]
    coords: dict[Any, Any] = {of: np.asarray(observed[of]) for (of,) in dims.values()}
    coords["draw"] = draws
    return az.dict_to_dataset(found, coords=coords, dims=dims)
