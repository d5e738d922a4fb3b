"""What came of the treatment: one row per yes-or-no endpoint, and whom it concerns."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from cellpk.errors import FitError, nearest
from cellpk.study.study import Study


@dataclass(frozen=True)
class Endpoint:
    """One yes-or-no endpoint.

    Parameters
    ----------
    name : str
        What arguments and tables call it.
    label : str
        What it is called in titles.
    kind : {"efficacy", "toxicity"}
        Whether the event is wanted.
    source_endpoint : str
        Kind of outcome that it is read from (``study.outcomes["endpoint"]``).
    success : tuple of str
        Values that are events; every other recorded value is none.

    Examples
    --------
    >>> ENDPOINTS["crs_grade_3"].success
    ('3', '4', '5')
    """

    name: str
    label: str
    kind: Literal["efficacy", "toxicity"]
    source_endpoint: str
    success: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The definition as a sentence.

        Examples
        --------
        >>> ENDPOINTS["response"].rule
        'Response (PR or better): best_response of sCR, CR, VGPR or PR.'
        """
        *first, last = self.success
        values = f"{', '.join(first)} or {last}" if first else last
        return f"{self.label}: {self.source_endpoint} of {values}."


_CRS, _ICANS = "crs_grade", "icans_grade"
_GRADES = ("0", "1", "2", "3", "4", "5")
_RESPONSE = "best_response"
_CR = ("sCR", "CR")
_VGPR = (*_CR, "VGPR")
_PR = (*_VGPR, "PR")

_ROWS = (
    Endpoint("response", "Response (PR or better)", "efficacy", _RESPONSE, _PR),
    Endpoint("complete_response", "Complete response", "efficacy", _RESPONSE, _CR),
    Endpoint("vgpr_or_better", "VGPR or better", "efficacy", _RESPONSE, _VGPR),
    Endpoint("mrd_negative", "MRD negativity", "efficacy", "mrd", ("negative",)),
    Endpoint("crs_grade_2", "CRS of grade 2 or higher", "toxicity", _CRS, _GRADES[2:]),
    Endpoint("crs_grade_3", "CRS of grade 3 or higher", "toxicity", _CRS, _GRADES[3:]),
    Endpoint("icans_any", "ICANS of any grade", "toxicity", _ICANS, _GRADES[1:]),
    Endpoint("dlt", "Dose-limiting toxicity", "toxicity", "dlt", ("1",)),
)

ENDPOINTS: dict[str, Endpoint] = {row.name: row for row in _ROWS}
"""Every yes-or-no endpoint by its name."""


def find_endpoint(name: str) -> Endpoint:
    """Return the endpoint of this name.

    Raises
    ------
    FitError
        Where there is none; the nearest name is offered.

    Examples
    --------
    >>> find_endpoint("response").kind
    'efficacy'
    """
    if name not in ENDPOINTS:
        raise FitError(f"{name!r} is not an endpoint", todo=nearest(name, ENDPOINTS))
    return ENDPOINTS[name]


def endpoint_values(study: Study, name: str) -> pd.Series:
    """Say for each patient whether the endpoint was reached.

    A best response recorded as NE (not evaluable) is no response, so that rates keep
    every assessed patient in the denominator. Without any record the answer is unknown
    (NA): a missing assessment is never read as a failure. Of several records, such as
    one CRS grade per episode, one event is enough.

    Parameters
    ----------
    study : Study
        Its outcomes are read, for every patient of the study.
    name : str
        Key of ``ENDPOINTS``.

    Returns
    -------
    Series of nullable bool, indexed by patient
        True, False or NA; :func:`missing_reason` says why NA.

    Raises
    ------
    FitError
        Where there is no such endpoint.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.Study.from_frames(
    ...     samples=pd.DataFrame({
    ...         "patient": ["1", "2", "3"], "time": 7.0, "level": 90.0,
    ...         "assay": "flow", "unit": "cells/uL"}),
    ...     outcomes=pd.DataFrame({
    ...         "patient": ["1", "2"], "endpoint": "best_response",
    ...         "value": ["CR", "NE"]}))
    >>> endpoint_values(study, "response").tolist()
    [True, False, <NA>]
    """
    endpoint = find_endpoint(name)
    outcomes = study.outcomes
    rows = outcomes.loc[outcomes["endpoint"] == endpoint.source_endpoint]
    reached = rows["value"].isin(endpoint.success).groupby(rows["patient"]).any()
    patients = pd.Index(study.patients["patient"], name="patient")
    return reached.astype("boolean").reindex(patients)


def missing_reason(name: str) -> str:
    """Say why the endpoint of a patient is unknown.

    Examples
    --------
    >>> missing_reason("dlt")
    'No dlt is recorded.'
    """
    return f"No {find_endpoint(name).source_endpoint} is recorded."
