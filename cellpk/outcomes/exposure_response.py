"""How the odds of an outcome go with exposure: Bayesian logistic regression."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import FitError
from cellpk.outcomes import cautions
from cellpk.outcomes.censoring import Floats
from cellpk.outcomes.endpoints import (
    ENDPOINTS,
    Endpoint,
    endpoint_values,
    find_endpoint,
    missing_reason,
)
from cellpk.outcomes.exposure_sources import find_exposures
from cellpk.outcomes.exposures import Exposures
from cellpk.outcomes.logistic import INTERVAL, Posterior, Prior, sample_logistic
from cellpk.study.assays import Assay
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.kinetics.nca import Metrics

PERCENTILES = (10, 50, 90)
"""Percentiles of exposure at which the probability is given."""

_POINTS = 61


@dataclass(frozen=True, eq=False, repr=False)
class ExposureResponse:
    """The association of one endpoint with one exposure.

    Point estimates are posterior medians, intervals hold 95% with equal tails; an odds
    ratio is the exponential of its slope.

    Parameters
    ----------
    table : DataFrame
        One row: ``endpoint``, ``exposure``, ``assay``; ``n`` patients, ``events``,
        ``n_exposure_below`` the limit of quantification; slope of the log odds and
        odds ratio per 10-fold and per 2-fold exposure, each with ``_low`` and
        ``_high``; ``slope_10fold_mean`` and ``_sd``; ``pr_positive``, the posterior
        probability that the slope is above 0; ``contraction``, 1 - posterior over prior
        variance of the slope; ``prior_slope_sd``; ``r_hat``, ``ess_bulk``,
        ``ess_tail``, ``divergences``, ``converged``; ``sentence``, all that must be
        said beside it.
    curve : DataFrame
        ``exposure``; ``probability``, ``low``, ``high`` after the data;
        ``prior_probability``, ``prior_low``, ``prior_high`` before.
    at : DataFrame
        The same at percentiles of exposure; where ``below``, the exposure is NaN and
        the probability that of a patient below the limit of quantification.
    data : DataFrame
        ``patient``, ``exposure`` (NaN where only the range from ``low`` to ``high`` is
        known), ``below`` (the limit of quantification, ``high``), ``event``.
    excluded : DataFrame
        ``patient`` and ``reason``.
    prior : tuple of str
        Priors and the scale of exposure, in words.
    notes : tuple of str
        The sentences of ``table["sentence"]``, the gravest first.
    draws, prior_draws : DataFrame
        ``intercept`` (log odds at ``reference``) and ``slope`` (per 10-fold). Reports
        are made from these stored draws.
    endpoint : Endpoint
        What is predicted.
    reference : float
        Exposure at which the intercept stands.
    unit, study_id : str
        Unit of the exposure, and the study.
    simulated : bool
        Whether the study is a simulated one.
    assays : tuple of Assay
        What was measured: the assay of the exposure.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> result = ck.exposure_response(ck.nca(study), study, draws=500)
    >>> result.curve.columns.tolist()[:4]
    ['exposure', 'probability', 'low', 'high']
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    at: pd.DataFrame
    data: pd.DataFrame
    excluded: pd.DataFrame
    prior: tuple[str, ...]
    notes: tuple[str, ...]
    draws: pd.DataFrame
    prior_draws: pd.DataFrame
    endpoint: Endpoint
    reference: float
    unit: str
    study_id: str
    simulated: bool
    assays: tuple[Assay, ...]

    @property
    def units(self) -> dict[str, str]:
        """Unit of the columns that have one."""
        return {
            "exposure": self.unit,
            "slope_10fold": "log odds per 10-fold",
            "slope_2fold": "log odds per 2-fold",
        }

    def __repr__(self) -> str:
        row = self.table.iloc[0]
        return (
            f"Exposure-response {self.study_id}: {row['endpoint']} on "
            f"{row['exposure']} ({row['assay']}), {row['events']} events in "
            f"{row['n']} patients, odds ratio per 10-fold "
            f"{row['odds_ratio_10fold']:.3g} ({row['odds_ratio_10fold_low']:.2g} to "
            f"{row['odds_ratio_10fold_high']:.3g}), Pr(slope > 0) "
            f"{row['pr_positive']:.3f}"
        )

    def _repr_html_(self) -> str:
        row = self.table.T.to_html(header=False, border=0, float_format="{:.4g}".format)
        return f"<p>{self!r}</p>{row}"


def exposure_response(
    source: "Metrics | IndividualFits",
    study: Study,
    *,
    exposure: str = "cmax",
    endpoint: str = "response",
    assay: str | None = None,
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
) -> ExposureResponse:
    """Regress the log odds of an endpoint on log10 exposure, with informed caution.

    Weakly informative priors keep the answer finite where exposure separates the
    outcomes or all outcomes are alike. A patient below the limit of quantification
    stays in, as being below it; an exposure from fits carries their uncertainty; both
    are integrated inside the likelihood. Sampled by nutpie; R-hat, effective numbers
    of draws and divergences decide whether it is called converged.

    Parameters
    ----------
    source : Metrics or IndividualFits
        Where the exposure comes from.
    study : Study
        Outcomes and limits.
    exposure : str
        A metric, or a quantity of the fits. Those that are outcomes themselves
        (AUClast, Tlast, half-life ...) are refused.
    endpoint : str
        Key of ``ENDPOINTS``.
    assay : str, optional
        The main assay of the study, or that of the fits, by default.
    draws, chains : int
        Draws of each chain, after tuning.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    ExposureResponse
        Slope, curve, draws, and what must be said beside them.

    Raises
    ------
    FitError
        Where the exposure is refused or not known, the endpoint is not known, or no
        patient has both.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> exposure_response(ck.nca(study), study, exposure="t_last")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: 't_last' cannot be the exposure: it depends on how long ...
    """
    what = find_endpoint(endpoint)
    exposures = find_exposures(source, study, exposure=exposure, assay=assay)
    data, excluded = _joined(exposures, study, what)
    patients = data["patient"].tolist()
    x, weight = exposures.nodes(patients)
    event, prior = data["event"].to_numpy(bool), Prior()
    posterior = sample_logistic(
        x, event, weight=weight, prior=prior, draws=draws, chains=chains, seed=seed
    )
    slope = _slope(posterior, prior)
    notes = (
        *cautions.of_sampling(posterior),
        *cautions.of_information(data, slope["contraction"]),
        *cautions.of_order(source, study, what, assay=exposures.assay),
        cautions.CONFOUNDED,
        *exposures.sentences(patients),
        *cautions.of_left_out(study, what, exposures.excluded["patient"].tolist()),
        *cautions.of_missing_assessments(study, what, patients),
    )
    about = study.settings.study
    row = {
        "endpoint": endpoint,
        "exposure": exposure,
        "assay": exposures.assay,
        **_counts(data),
        **slope,
        "sentence": " ".join(notes),
    }
    return ExposureResponse(
        table=pd.DataFrame([row]),
        curve=_curve(data, exposures, posterior, prior),
        at=_at_percentiles(data, exposures, posterior),
        data=data,
        excluded=excluded,
        prior=(exposures.scale, *prior.sentences),
        notes=notes,
        draws=posterior.draws,
        prior_draws=prior.draws(len(posterior.draws), seed=seed),
        endpoint=what,
        reference=exposures.reference,
        unit=exposures.unit,
        study_id=about.id,
        simulated=about.simulated,
        assays=(study.assay(exposures.assay),),
    )


def _joined(
    exposures: Exposures, study: Study, endpoint: Endpoint
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join exposures and outcomes; list whoever lacks either, with the reason."""
    event = endpoint_values(study, endpoint.name).rename("event").reset_index()
    data = exposures.table.drop(columns=["sd", "doubtful"]).merge(
        event, on="patient", how="left"
    )
    unknown = data["event"].isna()
    why = missing_reason(endpoint.name)
    no_event = data.loc[unknown, ["patient"]].assign(reason=why)
    excluded = pd.concat([exposures.excluded, no_event]).sort_values("patient")
    data = data.loc[~unknown].astype({"event": bool}).sort_values("patient")
    if data.empty:
        found = f"no patient has both {exposures.name} and {endpoint.name}"
        known = [name for name in ENDPOINTS if endpoint_values(study, name).any()]
        raise FitError(found, todo=f"Recorded here: {', '.join(known) or 'none'}.")
    return data.reset_index(drop=True), excluded.reset_index(drop=True)


def _counts(data: pd.DataFrame) -> dict[str, int]:
    """Count patients, events and exposures below the limit."""
    columns = {"events": "event", "n_exposure_below": "below"}
    counts = {name: int(np.count_nonzero(data[at])) for name, at in columns.items()}
    return {"n": len(data), **counts}


def _slope(posterior: Posterior, prior: Prior) -> dict[str, Any]:
    """Summarise the draws of the slope, and how far to trust them."""
    slope = posterior.draws["slope"].to_numpy()
    ten, two = (_interval(slope * folds) for folds in (1.0, np.log10(2.0)))
    return {
        **{f"slope_10fold{end}": value for end, value in ten.items()},
        "slope_10fold_mean": float(slope.mean()),
        "slope_10fold_sd": float(slope.std(ddof=1)),
        **{f"slope_2fold{end}": value for end, value in two.items()},
        **{f"odds_ratio_10fold{end}": np.exp(value) for end, value in ten.items()},
        **{f"odds_ratio_2fold{end}": np.exp(value) for end, value in two.items()},
        "pr_positive": float((slope > 0).mean()),
        "contraction": float(1 - slope.var(ddof=1) / prior.slope_sd**2),
        "prior_slope_sd": prior.slope_sd,
        "r_hat": posterior.r_hat,
        "ess_bulk": posterior.ess_bulk,
        "ess_tail": posterior.ess_tail,
        "divergences": posterior.divergences,
        "converged": posterior.converged,
    }


def _interval(draws: Floats) -> dict[str, float]:
    """Return median and interval by the end of their column's name."""
    values = np.quantile(draws, [0.5, *INTERVAL])
    return dict(zip(("", "_low", "_high"), map(float, values), strict=True))


def _curve(
    data: pd.DataFrame, exposures: Exposures, posterior: Posterior, prior: Prior
) -> pd.DataFrame:
    """Return the probability over the exposures that there were, with the prior's."""
    ends = data["exposure"].fillna(data["high"].where(data["below"], data["low"]))
    low, high = ends.to_numpy(float).min(), ends.to_numpy(float).max()
    if low == high:  # a curve needs a width: half a decade to either side
        low, high = low / 10**0.5, high * 10**0.5
    exposure = np.geomspace(low, high, _POINTS)
    x = exposures.scaled(exposure)
    parts = [posterior.probability(x), prior.probability(x).add_prefix("prior_")]
    return pd.concat([pd.Series(exposure, name="exposure"), *parts], axis=1)


def _at_percentiles(
    data: pd.DataFrame, exposures: Exposures, posterior: Posterior
) -> pd.DataFrame:
    """Return the probability at the exposure of the patient at each percentile."""
    lowest_first = data["exposure"].fillna(data["low"]).argsort(kind="stable")
    ranks = np.ceil(np.array(PERCENTILES) / 100 * len(data)).astype(int) - 1
    rows = data.iloc[lowest_first.to_numpy()[ranks]].reset_index(drop=True)
    x, weight = exposures.nodes(rows["patient"].tolist())
    known = rows["exposure"].notna().to_numpy()[:, None]
    x = np.where(known, exposures.scaled(rows["exposure"])[:, None], x)
    head = rows[["exposure", "below"]]
    head.insert(0, "percentile", PERCENTILES)
    return pd.concat([head, posterior.probability(x, weight)], axis=1)
