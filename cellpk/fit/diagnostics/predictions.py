"""What a population fit predicts of every sample, and the residuals that remain."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellpk.fit.diagnostics.rows import place_of, sample_rows
from cellpk.fit.diagnostics.scores import in_sds, normal_score
from cellpk.fit.fitted import FittedPopulation
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.residual_error import ResidualError

Array = NDArray[np.float64]

NUMBERS = ("pred", "ipred", "iwres", "residual")
"""Columns of :func:`predictions` that a sample has which was used."""

BAND = 0.95
"""Probability of the band about an individual curve."""

_BAND_DRAWS = 100


def errors_of(fit: FittedPopulation) -> tuple[ResidualError, ...]:
    """Return the residual errors that were estimated, one per series.

    Examples
    --------
    >>> callable(errors_of)                # see predictions
    True
    """
    errors = fit.state.errors
    assert isinstance(errors, JointErrors)
    return errors.parts


def typical_theta(fit: FittedPopulation) -> Array:
    """Return what the parameters of each patient are expected to be, shape (N, p).

    The typical values, moved by her covariates; on the transformed scale.

    Examples
    --------
    >>> callable(typical_theta)            # see predictions
    True
    """
    return fit.structure.means(fit.state.beta)


def predictions(fit: FittedPopulation, *, seed: int = 1) -> pd.DataFrame:
    """Return what is predicted of every sample, and its residuals.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    seed : int
        Chance: which draw of a patient's parameters is taken, and where a censored
        sample is put.

    Returns
    -------
    DataFrame
        A row for each sample of the fitted assays: those of
        :func:`cellpk.fit.diagnostics.rows.sample_rows`, and, of used samples,

        - ``pred``: level of a typical patient with her covariates, in ``unit``;
        - ``ipred``: level at the mean of what is known of her parameters, 0 where her
          cells more likely never expanded;
        - ``iwres``: residual against ``ipred`` in standard deviations of the residual
          error; of a censored sample a draw from what its limit leaves (a randomised
          quantile residual). It shrinks as the estimates do;
        - ``residual``: the same against a draw of what is known of her parameters:
          standard normal where the model is true, whatever the shrinkage;
        - ``expanded``: the chance that her cells expanded at all.

    References
    ----------
    Dunn PK, Smyth GK. J Comput Graph Stat 1996;5:236-244 (randomised quantile
    residuals). Lavielle M, Ribba B. Enhanced method for diagnosing pharmacometric
    models: random sampling from conditional distributions. Pharm Res
    2016;33:2979-2988.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> found = predictions(ck.fit_population(stein, study, steps=quick))
    >>> len(found), bool(found["ipred"].gt(0).all())
    (36, True)
    """
    rng = np.random.default_rng([seed, 3])
    known = fit.posteriors
    chosen = rng.integers(len(known.draws), size=len(known.mean))
    drawn = known.draws[chosen, np.arange(len(chosen))]
    theta = np.stack([typical_theta(fit), known.mean, drawn])
    never = np.stack(
        [
            np.zeros(len(known.expanded), bool),
            known.expanded < 0.5,
            rng.random(known.expanded.shape) >= known.expanded,
        ]
    )
    frames = []
    levels = fit.data.levels(theta)
    for found, one, error in zip(levels, fit.data.series, errors_of(fit), strict=True):
        nothing = np.broadcast_to(never[..., None], found.log_level.shape)
        level = np.where(nothing, 0.0, np.exp(found.log_level))
        curve = in_sds(found.log_level, one.said, error)
        share = rng.random(one.times.shape)
        score = normal_score(curve.low, curve.high, error.bell, share=share)
        # Of cells that never expanded no level is expected: below is all there is.
        score = np.where(nothing, normal_share(share), score)
        rows = sample_rows(fit.data, fit.study, one)
        used = rows["left_out"].eq("").to_numpy()
        numbers = [level[0], level[1], score[1], score[2]]
        for name, values in zip(NUMBERS, numbers, strict=True):
            rows[name] = _where(used, values[one.known])
        expanded = np.broadcast_to(known.expanded[:, None], one.times.shape)
        rows["expanded"] = _where(used, expanded[one.known])
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)


def normal_share(share: Array) -> Array:
    """Return uniform numbers as standard normal ones.

    Examples
    --------
    >>> normal_share(np.array([0.5]))
    array([0.])
    """
    from scipy.special import ndtri

    return ndtri(share)


def _where(used: NDArray[np.bool_], values: Array) -> Array:
    """Return a column with values of the used samples, and nothing of the others."""
    column = np.full(used.size, np.nan)
    column[used] = values
    return column


def courses(
    fit: FittedPopulation, times: ArrayLike, *, assay: str | None = None
) -> pd.DataFrame:
    """Return the course of each patient: her own, and that of a typical patient.

    Parameters
    ----------
    fit : PopulationFit or BayesFit
        The fit.
    times : array_like, shape (m,)
        Days after infusion, in order.
    assay : str, optional
        Which assay, where several were fitted; the first without.

    Returns
    -------
    DataFrame
        ``patient, time, level, low, high, typical``, levels in the unit of the fit:
        ``level`` at the mean of what is known of her parameters, with the band that
        holds 95% of what the level may be, without residual error; ``typical`` that of
        a typical patient with her covariates. All of them as if her cells expanded.

    Raises
    ------
    FitError
        Where the assay was not fitted.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=5, average=5, draws=50)
    >>> found = courses(ck.fit_population(stein, study, steps=quick), [7, 28])
    >>> len(found), bool(found["low"].lt(found["high"]).all())
    (24, True)
    """
    times = np.asarray(times, float)
    known = fit.posteriors
    middle = np.stack([known.mean, typical_theta(fit)])
    theta = np.concatenate([middle, known.draws[:_BAND_DRAWS]])
    place = place_of(fit.data, assay)
    level = np.exp(fit.data.curves(theta, times, series=place).log_level)
    tails = (1 - BAND) / 2
    low, high = np.quantile(level[2:], [tails, 1 - tails], axis=0)
    return pd.DataFrame(
        {
            "patient": np.repeat(np.array(fit.patients, dtype=object), times.size),
            "time": np.tile(times, len(fit.patients)),
            "level": level[0].ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "typical": level[1].ravel(),
        }
    ).astype({"patient": "str"})
