"""Metrics of every patient and series of a study (non-compartmental analysis)."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.layout import SERIES, checked, laid_out, series_of, usable_samples
from cellpk.kinetics.metrics import defined
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.registry import Found, Metric
from cellpk.kinetics.remarks import counts, died_early, evaluable, remarks, written
from cellpk.kinetics.rules_in_words import in_words
from cellpk.kinetics.segments import Flags
from cellpk.study.metric_rules import Rules, rules_with
from cellpk.study.study import Study


@dataclass(frozen=True, eq=False, repr=False)
class Metrics:
    """Metrics of every patient and series; made by :func:`nca`.

    Parameters
    ----------
    study_id : str
        Study that the metrics are from.
    settings : Rules
        The rules by which they were computed.
    metrics : dict of Metric
        Every metric of the table by its name.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"time": [7, 14, 28], "level": [300, 900, 90]})
    >>> samples = samples.assign(patient="1", assay="flow")
    >>> metrics = nca(Study.from_frames(samples))
    >>> metrics
    Metrics study: 1 patient, flow (Cmax 1, AUC0-28d 1, half-life 0)
    >>> metrics.table["cmax"].tolist(), metrics.units("flow")["cmax"]
    ([900.0], 'cells/uL')
    """

    study_id: str
    settings: Rules
    metrics: Mapping[str, Metric]
    _table: pd.DataFrame
    _reasons: Mapping[str, np.ndarray]
    _level_units: Mapping[str, str]

    @property
    def rules(self) -> tuple[str, ...]:
        """How they were computed: one sentence each, for footnotes."""
        return in_words(self.settings)

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient, assay and specimen; NaN where not calculable (NC)."""
        return self._table.copy()

    @property
    def reasons(self) -> pd.DataFrame:
        """The same rows: why each metric is NC (key of ``REASONS``), else empty."""
        return self._table[SERIES].assign(**self._reasons)

    def units(self, assay: str) -> dict[str, str]:
        """Return the unit of every metric of an assay's levels.

        Raises
        ------
        DataError
            Where the study has no such assay.
        """
        if assay not in self._level_units:
            what = f"study {self.study_id!r} has no assay {assay!r}"
            todo = nearest(assay, self._level_units)
            raise DataError(Problem(what, todo, column="assay", value=assay))
        level = self._level_units[assay]
        return {name: metric.unit(level) for name, metric in self.metrics.items()}

    def __repr__(self) -> str:
        counts = self._table.groupby("assay")[["cmax", "auc_0_28", "half_life"]].count()
        parts = [
            f"{assay} (Cmax {cmax}, AUC0-28d {area}, half-life {half})"
            for assay, cmax, area, half in counts.itertuples()
        ]
        patients = self._table["patient"].nunique()
        some = "patient" if patients == 1 else "patients"
        return f"Metrics {self.study_id}: {patients} {some}, {', '.join(parts)}"

    def _repr_html_(self) -> str:
        rows = self._table.to_html(
            index=False,
            border=0,
            max_rows=20,
            na_rep="NC",
            float_format="{:.4g}".format,
        )
        return f"<p>{html.escape(repr(self))}</p>{rows}"


def nca(study: Study, **rules: Any) -> Metrics:
    """Compute every metric of every patient and series of a study.

    A patient without a sample of a series has a row too: missing is not negative.

    Parameters
    ----------
    study : Study
        Samples that are excluded or missing are not used.
    **rules
        Fields of :class:`~cellpk.study.metric_rules.Rules`, such as ``auc_rule`` or
        ``below``; what is not given is as study.toml says (``study.settings.metrics``).

    Returns
    -------
    Metrics
        Metrics, reasons where not calculable, units and the rules in words.

    Raises
    ------
    DataError
        Where a rule is not known or names an assay, patient or sample that is not
        there.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["1", "2"], "time": 14, "level": [900, 0]})
    >>> study = Study.from_frames(samples.assign(assay="flow", lloq=0.5))
    >>> metrics = nca(study)
    >>> metrics.table["cmax"].tolist()
    [900.0, 0.0]
    >>> metrics.reasons["auc_0_28"].tolist()
    ['ends_early', 'ends_early']
    >>> nca(study, auc_rule="linear", beyond="all").table["auc_0_28"].tolist()
    [6300.0, 0.0]
    """
    if not isinstance(study, Study):
        what, todo = "metrics are of a study", "Give what read_study returns."
        raise DataError(Problem(what, todo, value=type(study).__name__))
    chosen = checked(rules_with(study.settings.metrics, rules), study)
    series = series_of(study)
    samples, late = usable_samples(study, chosen)
    profiles = laid_out(samples.loc[~late], series, chosen)
    assays = study.settings.known_assays
    cells = np.array([assays[assay].kinetics for assay in series["assay"]], bool)
    metrics = defined(chosen)
    found = {name: _apply(metric, profiles, cells) for name, metric in metrics.items()}
    notes = remarks(
        profiles,
        cells=cells,
        cut=_cut(samples.loc[late], series),
        died=series["patient"].isin(died_early(study)).to_numpy(),
    )
    columns = {
        **counts(profiles),
        **{name: each.value for name, each in found.items()},
        **evaluable(profiles, found, cells=cells, spoilt=notes["before_infusion_high"]),
        "notes": written(notes),
    }
    table = pd.concat([series, pd.DataFrame(columns)], axis=1)
    return Metrics(
        study_id=study.settings.study.id,
        settings=chosen,
        metrics=metrics,
        _table=table,
        _reasons={name: each.reason for name, each in found.items()},
        _level_units={assay: study.unit(assay) for assay in study.assays},
    )


def _apply(metric: Metric, profiles: Profiles, cells: Flags) -> Found:
    """Compute a metric, except where it has no meaning."""
    value, reason = metric.compute(profiles)
    if not metric.cells_only:
        return Found(value, reason)
    refused = np.where(cells, reason, "not_a_cell_series")
    return Found(np.where(cells, value, np.nan), refused)


def _cut(late: pd.DataFrame, series: pd.DataFrame) -> Flags:
    """Say of which profiles samples were left out."""
    if late.empty:
        return np.zeros(len(series), bool)
    cut = pd.MultiIndex.from_frame(late[SERIES])
    return pd.MultiIndex.from_frame(series[SERIES]).isin(cut)
