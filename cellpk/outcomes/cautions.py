"""What has to be said beside an exposure-response slope: fixed sentences with slots."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.outcomes.endpoints import Endpoint, endpoint_values
from cellpk.outcomes.logistic import Posterior
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.fit.individual.result import IndividualFits
    from cellpk.kinetics.nca import Metrics

CONFOUNDED = (
    "Not adjusted for tumour burden, which by itself goes with both expansion and "
    "outcome: an association, not an effect of exposure."
)
UNINFORMED = 0.3
"""Contraction below which the data are said not to inform the slope."""


def of_sampling(posterior: Posterior) -> tuple[str, ...]:
    """Say whether the sampler failed.

    Examples
    --------
    >>> draws = pd.DataFrame({"intercept": [0.0], "slope": [1.0]})
    >>> bad = Posterior(draws, r_hat=1.2, ess_bulk=50, ess_tail=60, divergences=3)
    >>> of_sampling(bad)
    ('Sampling did not converge (R-hat 1.200, effective draws 50, 3 divergences): do
    not use these numbers.',)
    """
    if posterior.converged:
        return ()
    effective = min(posterior.ess_bulk, posterior.ess_tail)
    return (
        f"Sampling did not converge (R-hat {posterior.r_hat:.3f}, effective draws "
        f"{effective:.0f}, {posterior.divergences} divergences): do not use these "
        "numbers.",
    )


def of_information(data: pd.DataFrame, contraction: float) -> tuple[str, ...]:
    """Say what the data leave to the prior.

    Parameters
    ----------
    data : DataFrame
        ``exposure`` (NaN where censored), ``low``, ``high``, ``event``.
    contraction : float
        1 - posterior over prior variance of the slope.

    Examples
    --------
    >>> level = pd.Series([1.0, 2.0, 30.0, 40.0])
    >>> data = pd.DataFrame({"exposure": level, "low": level, "high": level})
    >>> of_information(data.assign(event=True), 0.1)[0]
    'All 4 patients have the event: what is said of the slope rests on the prior.'
    >>> of_information(data.assign(event=level > 10), 0.7)[0][:51]
    'Exposure separates patients with and without the ev'
    """
    n, events = len(data), int(np.count_nonzero(data["event"]))
    said = []
    if events in (0, n):
        who = f"All {n} patients have" if events else f"None of {n} patients has"
        said.append(f"{who} the event: what is said of the slope rests on the prior.")
    elif separated(data):
        said.append(
            "Exposure separates patients with and without the event completely: the "
            "prior alone keeps the slope finite, so that its size and upper limit are "
            "not to be taken from it."
        )
    if contraction < UNINFORMED:
        said.append(
            f"The data do not inform the slope (contraction {contraction:.2f})."
        )
    return tuple(said)


def separated(data: pd.DataFrame) -> bool:
    """Tell whether all patients with the event lie on one side of all without it.

    Examples
    --------
    >>> level = pd.Series([1.0, 2.0, 3.0])
    >>> data = pd.DataFrame({"exposure": level, "low": level, "high": level})
    >>> separated(data.assign(event=[False, True, False]))
    False
    """
    low = data["exposure"].fillna(data["low"])
    high = data["exposure"].fillna(data["high"])
    event = data["event"]
    above = low[event].min() >= high[~event].max()
    return bool(above or high[event].max() <= low[~event].min())


def of_order(
    source: "Metrics | IndividualFits", study: Study, endpoint: Endpoint, *, assay: str
) -> tuple[str, ...]:
    """Say how often a toxicity began before the exposure was complete.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.outcomes.endpoints import ENDPOINTS
    >>> study = ck.Study.from_frames(
    ...     samples=pd.DataFrame({
    ...         "patient": "1", "assay": "flow", "unit": "cells/uL",
    ...         "time": [7.0, 14.0], "level": [9.0, 90.0]}),
    ...     outcomes=pd.DataFrame({
    ...         "patient": ["1"], "endpoint": "crs_grade", "value": "2", "time": 5.0}))
    >>> of_order(ck.nca(study), study, ENDPOINTS["crs_grade_2"], assay="flow")[0][:60]
    'An association only: it began before Tmax in 1 of 1 patients'
    """
    if endpoint.kind != "toxicity":
        return ()
    outcomes = study.outcomes
    mine = (outcomes["endpoint"] == endpoint.source_endpoint) & (
        outcomes["value"] != "0"
    )
    onset = outcomes.loc[mine].groupby("patient")["time"].min()
    table = source.table.loc[source.table["assay"] == assay]
    peak = table.groupby("patient")["tmax"].max()
    both = pd.concat([onset, peak], axis=1, join="inner", keys=["onset", "peak"])
    both = both.dropna()
    if both.empty:
        return (
            "An association only: days of onset are not known here, and toxicity often "
            "begins before Tmax.",
        )
    before = int(np.count_nonzero(both["onset"] < both["peak"]))
    return (
        f"An association only: it began before Tmax in {before} of {len(both)} "
        "patients with both days known; exposure that comes later is no cause of it, "
        "and its treatment stands between.",
    )


def of_left_out(
    study: Study, endpoint: Endpoint, patients: Sequence[str]
) -> tuple[str, ...]:
    """Say what became of the patients who have no exposure.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.outcomes.endpoints import ENDPOINTS
    >>> study = ck.Study.from_frames(
    ...     samples=pd.DataFrame({
    ...         "patient": ["1"], "time": 7.0, "level": 90.0,
    ...         "assay": "flow", "unit": "cells/uL"}),
    ...     outcomes=pd.DataFrame({
    ...         "patient": ["1"], "endpoint": "best_response", "value": "CR"}))
    >>> of_left_out(study, ENDPOINTS["response"], ["1"])
    ('Left out for want of an exposure: 1 patient with a known outcome, 1 of them with
    the event.',)
    """
    known = endpoint_values(study, endpoint.name).reindex(list(patients)).dropna()
    if known.empty:
        return ()
    return (
        f"Left out for want of an exposure: {len(known)} "
        f"patient{'s' if len(known) > 1 else ''} with a known outcome, "
        f"{np.count_nonzero(known)} of them with the event.",
    )


def of_missing_assessments(
    study: Study, endpoint: Endpoint, patients: Sequence[str]
) -> tuple[str, ...]:
    """Say how many patients count as without response because not evaluable.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.outcomes.endpoints import ENDPOINTS
    >>> study = ck.Study.from_frames(
    ...     samples=pd.DataFrame({
    ...         "patient": ["1"], "time": 7.0, "level": 90.0,
    ...         "assay": "flow", "unit": "cells/uL"}),
    ...     outcomes=pd.DataFrame({
    ...         "patient": ["1"], "endpoint": "best_response", "value": "NE"}))
    >>> of_missing_assessments(study, ENDPOINTS["response"], ["1"])
    ('1 with best response NE (not evaluable) count as without it.',)
    """
    outcomes = study.outcomes
    mine = outcomes["endpoint"].eq(endpoint.source_endpoint) & outcomes["value"].eq(
        "NE"
    )
    count = int(outcomes.loc[mine, "patient"].isin(patients).sum())
    if not count:
        return ()
    return (f"{count} with best response NE (not evaluable) count as without it.",)
