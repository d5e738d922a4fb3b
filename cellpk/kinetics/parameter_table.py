"""Metrics as a long table with CDISC codes: one row per patient, series and metric."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.kinetics.metrics import REASONS
from cellpk.kinetics.registry import Metric
from cellpk.study.adam.names import LONGEST

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics

PKPARM = {
    "AUCALL": "AUC All",
    "AUCIFO": "AUC Infinity Obs",
    "AUCIFP": "AUC Infinity Pred",
    "AUCINT": "AUC from T1 to T2",
    "AUCLST": "AUC to Last Nonzero Conc",
    "AUCPEO": "AUC %Extrapolation Obs",
    "AUCPEP": "AUC %Extrapolation Pred",
    "CLST": "Last Nonzero Conc",
    "CMAX": "Max Conc",
    "LAMZ": "Lambda z",
    "LAMZHL": "Half-Life Lambda z",
    "LAMZLL": "Lambda z Lower Limit",
    "LAMZNPT": "Number of Points for Lambda z",
    "LAMZSPN": "Lambda z Span",
    "LAMZUL": "Lambda z Upper Limit",
    "MRTIBIFO": "MRT IV Bolus Infinity Obs",
    "MRTIBLST": "MRT IV Bolus to Last Nonzero Conc",
    "R2": "R Squared",
    "R2ADJ": "R Squared Adjusted",
    "SWING": "Swing",
    "TLST": "Time of Last Nonzero Conc",
    "TMAX": "Time of CMAX",
}
"""Parameters in CDISC's codelists PKPARMCD and PKPARM; other codes are ours."""

NOT_FOR_SERIES = "not_a_cell_series"
"""The reason of metrics that a series cannot have: they are no rows."""

_SPOILT = "before_infusion_high"
_LETTERS = str.maketrans({"λ": "lambda ", "²": "2", "β": "beta ", "µ": "u"})


def parameter_codes(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return the PARAMCD of each metric, which no other metric has.

    Areas between two days share a PPTESTCD: their days tell them apart here; where
    these need more than eight signs, a number does (AUCINT1, AUCINT2).

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS
    >>> codes = parameter_codes(METRICS)
    >>> codes["auc_0_28"], codes["half_life"]
    ('AUC0_28', 'LAMZHL')
    """
    codes = {name: metric.cdisc for name, metric in metrics.items()}
    long = 0
    for name, metric in metrics.items():
        if metric.days is not None:
            codes[name] = name.upper().replace("AUC_", "AUC")
            if len(codes[name]) > LONGEST:
                long += 1
                codes[name] = f"AUCINT{long}"
    return codes


def pp_name(metric: Metric) -> str:
    """Return the PPTEST of a metric, at most 40 characters.

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS
    >>> pp_name(METRICS["lambda_z_r2adj"])
    'R Squared Adjusted'
    """
    return PKPARM.get(metric.cdisc) or plain_label(metric)


def plain_label(metric: Metric) -> str:
    """Return a metric's label in ASCII, at most 40 characters.

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS
    >>> plain_label(METRICS["lambda_z_r2adj"]), plain_label(METRICS["auc_0_28"])
    ('lambda z adjusted R2', 'AUC0-28d')
    """
    words = " ".join(metric.label.translate(_LETTERS).split())
    return words.encode("ascii", "ignore").decode()[:40]


def parameter_table(metrics: "Metrics") -> pd.DataFrame:
    """Return metrics one a row, as :func:`read_parameters` returns those of others.

    Parameters
    ----------
    metrics : Metrics
        Of a study.

    Returns
    -------
    DataFrame
        ``patient``, ``assay``, ``specimen``, ``metric`` (our name), ``code``
        (PPTESTCD), ``start`` and ``end`` (days that an area covers, else NaN),
        ``value`` (NaN where not calculable), ``unit``, ``reason`` (key of ``REASONS``,
        "" where calculable) and ``summarised`` (whether it enters summaries).
        Metrics that a series cannot have are left out.

    Examples
    --------
    >>> import cellpk as ck
    >>> table = parameter_table(ck.nca(ck.simulate_study(seed=1)))
    >>> table.loc[0, ["patient", "assay", "metric", "code", "unit"]].tolist()
    ['S01', 'flow', 'cmax', 'CMAX', 'cells/uL']
    """
    table, reasons = metrics.table.reset_index(drop=True), metrics.reasons
    reasons = reasons.reset_index(drop=True)
    spoilt = table["notes"].map(lambda codes: _SPOILT in str(codes).split())
    units = {assay: metrics.units(assay) for assay in table["assay"].unique()}
    parts = []
    for place, (name, metric) in enumerate(metrics.metrics.items()):
        start, end = metric.days or (np.nan, np.nan)
        evaluable = ~spoilt
        if metric.rests_on:
            evaluable &= table[f"{metric.rests_on}_evaluable"].astype(bool)
        part = table[["patient", "assay", "specimen"]].assign(
            metric=name,
            code=metric.cdisc,
            start=start,
            end=end,
            value=table[name],
            unit=table["assay"].map({assay: row[name] for assay, row in units.items()}),
            reason=reasons[name],
            summarised=evaluable & table[name].notna(),
            place=place,
            series=np.arange(len(table)),
        )
        parts.append(part[part["reason"] != NOT_FOR_SERIES])
    long = pd.concat(parts).sort_values(["series", "place"], kind="stable")
    return long.drop(columns=["place", "series"]).reset_index(drop=True)


def why_not(reason: str) -> str:
    """Return the sentence for a reason, at most 200 characters.

    Examples
    --------
    >>> why_not("few_points")
    'Too few quantifiable levels follow the peak.'
    """
    return REASONS.get(reason, reason)[:200]
