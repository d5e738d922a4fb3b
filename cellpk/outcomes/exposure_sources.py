"""Where exposures come from: metrics or individual fits, and what is refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cellpk.errors import FitError, nearest
from cellpk.kinetics.metrics import METRICS, REASONS
from cellpk.kinetics.nca import Metrics
from cellpk.kinetics.registry import Metric
from cellpk.kinetics.remarks import NOTES
from cellpk.outcomes.exposures import Exposures, log10
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.fit.individual.result import IndividualFits

WHY_NOT: Mapping[str, str] = {
    "follow_up": "it depends on how long the patient was followed, and who does well "
    "is followed longer",
    "persistence": "it is seen only in the weeks after the peak: persistence is an "
    "outcome of the treatment, not an exposure that comes before one",
}
"""Why a metric or a quantity of a fit may not predict an outcome."""

_QUANTITIES: Mapping[str, str] = {
    "auc_last": "follow_up",
    "c_last": "follow_up",
    "t_last": "follow_up",
    "half_life": "persistence",
    "lambda_z": "persistence",
    "persistence": "persistence",
}
"""Quantities of fits that may not, by the beginning of their names."""

SPOILT = "before_infusion_high"
"""Note of a patient whose metrics are those of an earlier product."""

UNKNOWN_LIMIT = "Beyond a limit of quantification that is not known."
NO_INTERVAL = "The fit gives no value with an interval."


def find_exposures(
    source: "Metrics | IndividualFits",
    study: Study,
    *,
    exposure: str = "cmax",
    assay: str | None = None,
) -> Exposures:
    """Collect the exposure of every patient, from metrics or from fits.

    Parameters
    ----------
    source : Metrics or IndividualFits
        Where the exposure comes from.
    study : Study
        Its samples give the limits below which exposures lie.
    exposure : str
        A metric, or a quantity of the fits.
    assay : str, optional
        The main assay of the study, or that of the fits, by default.

    Returns
    -------
    Exposures
        Exposures and ranges, and the patients of whom nothing is known.

    Raises
    ------
    FitError
        Where the exposure may not predict an outcome, where there is no such exposure
        or assay, or where no patient has a quantified one.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.Study.from_frames(
    ...     samples=pd.DataFrame({
    ...         "patient": ["1", "2", "3"], "time": 7.0, "assay": "flow",
    ...         "unit": "cells/uL", "level": ["90", "900", "<20"]}))
    >>> found = find_exposures(ck.nca(study), study)
    >>> found.table[["exposure", "high", "below"]].values.tolist()
    [[90.0, 90.0, False], [900.0, 900.0, False], [nan, 20.0, True]]
    """
    _refuse(exposure, source)
    if isinstance(source, Metrics):
        assay = _known(assay or study.main_assay, study.assays)
        rows, unit = _of_metrics(source, exposure, assay), source.units(assay)[exposure]
    else:
        assay = _known(assay or source.assay, (source.assay,))
        rows, unit = _of_fits(source, exposure), source.units.get(exposure, "")
    rows = _bounded(rows, _limits(study, assay), exposure)
    known = rows["reason"] == ""
    if not rows.loc[known, "exposure"].notna().any():
        found = f"no patient has a quantified {exposure} ({assay})"
        raise FitError(found, todo="Without one there is nothing to compare.")
    columns = ["patient", "exposure", "low", "high", "below", "sd", "doubtful"]
    return Exposures(
        table=rows.loc[known, columns].reset_index(drop=True),
        excluded=rows.loc[~known, ["patient", "reason"]].reset_index(drop=True),
        name=exposure,
        assay=assay,
        unit=unit,
        fitted=not isinstance(source, Metrics),
    )


def refused(exposure: str, metric: Metric | None = None) -> str:
    """Return why something may not predict an outcome, "" where it may.

    Parameters
    ----------
    exposure : str
        Its name.
    metric : Metric, optional
        The metric of that name, where it is one.

    Examples
    --------
    >>> refused("cmax", METRICS["cmax"])
    ''
    >>> refused("half_life_1")[:36]
    'it is seen only in the weeks after t'
    """
    if metric is not None:
        return WHY_NOT.get(metric.outcome, "")
    reasons = (why for name, why in _QUANTITIES.items() if exposure.startswith(name))
    return WHY_NOT.get(next(reasons, ""), "")


def _refuse(exposure: str, source: "Metrics | IndividualFits") -> None:
    """Refuse what is an outcome itself, with the reason."""
    known = source.metrics if isinstance(source, Metrics) else METRICS
    why = refused(exposure, known.get(exposure))
    if why:
        found = f"{exposure!r} cannot be the exposure: {why}"
        raise FitError(found, todo="Use an early one: 'cmax' or 'auc_0_28'.")


def _known(assay: str, assays: tuple[str, ...]) -> str:
    if assay not in assays:
        raise FitError(f"no exposure of assay {assay!r}", todo=nearest(assay, assays))
    return assay


def _of_metrics(metrics: Metrics, exposure: str, assay: str) -> pd.DataFrame:
    """Read one metric of one series, and why there is none."""
    if exposure not in metrics.metrics:
        known = [each.name for each in metrics.metrics.values() if not each.outcome]
        raise FitError(f"{exposure!r} is not a metric", todo=nearest(exposure, known))
    table = metrics.table
    here = table["assay"] == assay
    sampled = table.loc[here].groupby("specimen")["n_samples"].sum()
    here &= table["specimen"] == sampled.idxmax()
    rows, codes = table.loc[here], metrics.reasons.loc[here, exposure]
    value = rows[exposure]
    above = (codes == "above_upper_limit") & (
        metrics.metrics[exposure].unit_kind == "level"
    )
    evaluable = f"{metrics.metrics[exposure].rests_on or exposure}_evaluable"
    spoilt = rows["notes"].str.contains(rf"\b{SPOILT}\b")
    reason = codes.map({"": "", **REASONS}).mask(above, "")
    return pd.DataFrame(
        {
            "patient": rows["patient"],
            "exposure": value.where(value > 0),
            "low": value,
            "high": value,
            "sd": 0.0,
            "below": value == 0,
            "above": above,
            "doubtful": ~rows[evaluable] if evaluable in rows.columns else False,
            "reason": reason.mask(spoilt, NOTES[SPOILT]),
        }
    )


def _of_fits(fits: "IndividualFits", exposure: str) -> pd.DataFrame:
    """Read one quantity of the fits with its uncertainty, and why there is none."""
    table = fits.table
    names = {name for name in fits.units if f"{name}_low" in table.columns}
    if exposure not in names:
        found = f"{exposure!r} is not a quantity of the fits"
        raise FitError(found, todo=nearest(exposure, names))
    value, low, high = (table[exposure + end] for end in ("", "_low", "_high"))
    sd = (log10(high) - log10(low)) / (2 * ndtri((1 + fits.level) / 2))
    below = table["status"] == "never_expanded"
    unknown = ~below & ~np.isfinite(sd)
    why = table["sentence"].where(table["method"] == "none", NO_INTERVAL)
    return pd.DataFrame(
        {
            "patient": table["patient"],
            "exposure": value.where(~below),
            "low": low,
            "high": high,
            "sd": sd,
            "below": below,
            "above": False,
            "doubtful": ~below & ~table["converged"],
            "reason": why.where(unknown, ""),
        }
    )


def after_infusion(study: Study, assay: str) -> pd.DataFrame:
    """Return the usable samples after infusion of the specimen that has most of them.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "1", "time": [0.0, 7.0], "level": 9.0, "assay": "flow"}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> after_infusion(study, "flow")["time"].tolist()
    [7.0]
    """
    samples = study.select(assay)
    samples = samples.loc[samples["time"] > 0]
    common = samples["specimen"].mode()  # specimens are never pooled
    return samples.loc[samples["specimen"].isin(common.iloc[:1])]


def _limits(study: Study, assay: str) -> pd.DataFrame:
    """Return what the samples after infusion say of each patient's exposure."""
    samples = after_infusion(study, assay)
    state, patient = samples["state"], samples["patient"]
    of = {
        "from": samples["llod"].where(state == "detected"),
        "to": samples["lloq"].where(state.isin(["below", "detected"])),
        "above": samples["uloq"].where(state == "above"),
    }
    return pd.DataFrame({name: of[name].groupby(patient).max() for name in of})


def _bounded(rows: pd.DataFrame, limits: pd.DataFrame, exposure: str) -> pd.DataFrame:
    """Put the range in which each censored exposure lies, or why there is none."""
    limit = limits.reindex(rows["patient"]).set_axis(rows.index)
    days = _days(exposure)
    below, above = rows["below"], rows["above"]
    lowest = limit["from"].fillna(0.0) if days == 1 else 0.0  # one level is no area
    rows = rows.assign(
        low=rows["low"].mask(below, lowest).mask(above, limit["above"]),
        high=rows["high"].mask(below, limit["to"] * days).mask(above, np.inf),
    )
    unbounded = (below & rows["high"].isna()) | (above & rows["low"].isna())
    never = f"Never expanded: there is no {exposure}."
    why = never if np.isnan(days) else UNKNOWN_LIMIT
    return rows.assign(reason=rows["reason"].mask(unbounded, why))


def _days(exposure: str) -> float:
    """Return by how many days a limit is to be multiplied to bound the exposure.

    1 for a level, the window for an area, NaN where a limit of levels is no bound.
    """
    metric = METRICS.get(exposure)
    if metric is None or metric.unit_kind not in ("level", "day*level"):
        return np.nan
    return metric.days[1] - metric.days[0] if metric.days else 1.0
