"""Metrics of every patient and series of a study (non-compartmental analysis)."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.metrics import METRICS
from cellpk.kinetics.registry import Found, Metric
from cellpk.kinetics.segments import Flags, Profiles, Rules, pick
from cellpk.study.study import Study

SPLIT_DOSE_DAYS = 7.0
"""Infusions within so many days of the first are parts of one dose."""

NOTES: dict[str, str] = {
    "before_infusion": "A level was quantifiable before the infusion.",
    "before_infusion_high": "A level before the infusion exceeds 5% of Cmax: the "
    "metrics are left out of summaries.",
    "early_peak": "The highest level came before day 2, while infused cells spread.",
    "second_peak": "A level after the Cmax window is higher than Cmax.",
    "reinfusion": "Samples after a further infusion are not used.",
}
"""What to know of a patient's metrics: the code in ``notes`` and its sentence."""

SERIES = ["patient", "assay", "specimen"]


@dataclass(frozen=True, eq=False, repr=False)
class Metrics:
    """Metrics of every patient and series; made by :func:`nca`.

    Parameters
    ----------
    study_id : str
        Study that the metrics are from.
    rules : tuple of str
        How they were computed: one sentence each, for footnotes.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"time": [7, 14, 28], "level": [300, 900, 90]})
    >>> samples = samples.assign(patient="1", assay="flow")
    >>> metrics = nca(Study.from_frames(samples))
    >>> metrics
    Metrics study: 1 patients, flow (Cmax 1, AUC0-28d 1, half-life 0)
    >>> metrics.table["cmax"].tolist(), metrics.units("flow")["cmax"]
    ([900.0], 'cells/uL')
    """

    study_id: str
    rules: tuple[str, ...]
    _table: pd.DataFrame
    _reasons: pd.DataFrame
    _level_units: Mapping[str, str]

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient, assay and specimen; NaN where not calculable (NC)."""
        return self._table.copy()

    @property
    def reasons(self) -> pd.DataFrame:
        """The same rows: why each metric is NC (key of ``REASONS``), else empty."""
        return self._reasons.copy()

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
        return {name: metric.unit(level) for name, metric in METRICS.items()}

    def __repr__(self) -> str:
        counts = self._table.groupby("assay")[["cmax", "auc_0_28", "half_life"]].count()
        parts = [
            f"{assay} (Cmax {cmax}, AUC0-28d {area}, half-life {half})"
            for assay, cmax, area, half in counts.itertuples()
        ]
        patients = self._table["patient"].nunique()
        return f"Metrics {self.study_id}: {patients} patients, {', '.join(parts)}"

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
        Fields of :class:`cellpk.kinetics.segments.Rules`, such as ``cmax_window``.

    Returns
    -------
    Metrics
        Metrics, reasons where not calculable, units and the rules in words.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["1", "2"], "time": 14, "level": [900, 0]})
    >>> metrics = nca(Study.from_frames(samples.assign(assay="flow", lloq=0.5)))
    >>> metrics.table["cmax"].tolist()
    [900.0, 0.0]
    >>> metrics.reasons["auc_0_28"].tolist()
    ['ends_early', 'ends_early']
    """
    chosen = Rules(**rules)
    samples = study.samples
    series = _series(study, samples)
    usable = samples.loc[~samples["excluded"] & (samples["state"] != "missing")]
    before = _before_reinfusion(usable, study.infusions)
    profiles = _profiles(usable.loc[before], series, chosen)
    cut = _profiles(usable.loc[~before], series, chosen).counts > 0
    assays = study.settings.known_assays
    cells = np.array([assays[assay].kinetics for assay in series["assay"]], bool)
    found = {name: _apply(metric, profiles, cells) for name, metric in METRICS.items()}
    notes = _notes(profiles, cells, cut)
    table = series.assign(
        **_counts(profiles),
        **{name: each.value for name, each in found.items()},
        **_evaluable(
            profiles, found, cells=cells, spoilt=notes["before_infusion_high"]
        ),
        notes=_written(notes),
    )
    return Metrics(
        study_id=study.settings.study.id,
        rules=in_words(chosen),
        _table=table,
        _reasons=series.assign(**{name: each.reason for name, each in found.items()}),
        _level_units={assay: study.unit(assay) for assay in study.assays},
    )


def _series(study: Study, samples: pd.DataFrame) -> pd.DataFrame:
    """Pair every patient with every series of the study."""
    patients = study.patients[["patient"]]
    series = samples.drop_duplicates(SERIES[1:]).sort_values(SERIES[1:])
    return patients.merge(series[SERIES[1:]], how="cross")


def _before_reinfusion(samples: pd.DataFrame, infusions: pd.DataFrame) -> Flags:
    """Mark the samples that no further infusion precedes."""
    first: dict[str, float] = {}
    further: dict[str, float] = {}
    for patient, time in zip(infusions["patient"], infusions["time"], strict=True):
        first.setdefault(patient, time)  # a study keeps infusions sorted by time
        if time > first[patient] + SPLIT_DOSE_DAYS:
            further.setdefault(patient, time)
    ends = [further.get(patient, np.inf) for patient in samples["patient"]]
    return samples["time"].to_numpy() <= np.array(ends)


def _profiles(samples: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Profiles:
    """Lay the samples out on flat arrays, one profile for each row of ``series``."""
    places = series.assign(place=np.arange(len(series)))
    placed = samples.merge(places, on=SERIES).sort_values(
        ["place", "time"], kind="stable"
    )
    known = placed["level"].where(placed["state"] == "quantified", 0.0)
    levels = known.where(placed["state"] != "above", np.inf)
    bounds = np.searchsorted(placed["place"], np.arange(len(series) + 1))
    return Profiles(placed["time"].to_numpy(), levels.to_numpy(), bounds, rules)


def _apply(metric: Metric, profiles: Profiles, cells: Flags) -> Found:
    """Compute a metric, except where it has no meaning."""
    value, reason = metric.compute(profiles)
    if not metric.cells_only:
        return Found(value, reason)
    refused = np.where(cells, reason, "not_a_cell_series")
    return Found(np.where(cells, value, np.nan), refused)


def _counts(profiles: Profiles) -> dict[str, np.ndarray]:
    below = ~profiles.quantified
    exact = profiles.quantified & np.isfinite(profiles.levels)
    return {
        "n_samples": profiles.counts,
        "n_quantified": profiles.total(exact).astype(int),
        "n_below": profiles.total(below).astype(int),
    }


def _evaluable(
    profiles: Profiles, found: Mapping[str, Found], *, cells: Flags, spoilt: Flags
) -> dict[str, Flags]:
    """Say whose Cmax and AUC0-28d the samples support."""
    times = profiles.times
    enough = profiles.total((times >= 0) & (times <= 28)) >= 3
    near_peak = profiles.total((times >= 7) & (times <= 21)) >= 1
    dense = enough & (near_peak | ~cells)
    return {
        "cmax_evaluable": (found["cmax"].reason == "") & dense & ~spoilt,
        "auc_0_28_evaluable": (found["auc_0_28"].reason == "") & ~spoilt,
    }


def _notes(profiles: Profiles, cells: Flags, cut: Flags) -> dict[str, Flags]:
    """Say which note applies to which profile."""
    before = profiles.highest(np.where(profiles.after, -np.inf, profiles.levels))
    late = profiles.times > profiles.rules.cmax_window[1]
    later = profiles.highest(np.where(late, profiles.levels, -np.inf))
    early = pick(profiles.times, profiles.peak) < 2
    return {
        "before_infusion": cells & (before > 0),
        "before_infusion_high": cells & (before > np.maximum(0.05 * profiles.top, 0)),
        "early_peak": cells & early,
        "second_peak": (later > profiles.top) & (later > 0),
        "reinfusion": cut,
    }


def _written(notes: Mapping[str, Flags]) -> np.ndarray:
    """Write the codes that apply to each profile, separated by spaces."""
    text = np.zeros(len(next(iter(notes.values()))), "<U1")
    for code, applies in notes.items():
        text = np.strings.add(text, np.where(applies, f" {code}", ""))
    return np.strings.strip(text)


def in_words(rules: Rules) -> tuple[str, ...]:
    """Return the rules as sentences for footnotes.

    Examples
    --------
    >>> in_words(Rules())[0]
    'Time 0 is the start of the first infusion; times are actual days after it.'
    """
    return (
        "Time 0 is the start of the first infusion; times are actual days after it.",
        "A sample at time 0 counts as drawn before the infusion.",
        "Levels below the limit of quantification, detected or not, count as 0; "
        "missing samples are left out and never count as 0.",
        "The last level up to time 0 stands at time 0; without one, areas start at 0.",
        "Cmax is the highest level after the infusion up to day "
        f"{rules.cmax_window[1]:g}, and Tmax the day of the first of equals; it is a "
        "sampled peak; a later higher level is noted as a second peak.",
        "Where every level is below the limit, Cmax and AUC0-28d are 0, and Tmax, "
        "Clast, Tlast and AUClast are not calculable (NC).",
        "Areas are logarithmic where the level falls, and linear where it rises or an "
        "end is 0.",
        "AUClast ends at the last quantifiable level.",
        "AUC0-28d ends at exactly day 28, by interpolation. Where sampling ends after "
        "day 21 but before day 28, the last level is extrapolated with lambda_z, and "
        "stays 0 where it is below the limit; else AUC0-28d is NC.",
        "lambda_z is from the log-linear regression of at least "
        f"{rules.lambda_z_points} quantifiable levels after Tmax, the last one among "
        "them: the regression with the highest adjusted R2 (within "
        f"{rules.lambda_z_tolerance:g}, that with most levels). It must fall, have an "
        f"adjusted R2 of {rules.lambda_z_r2adj:g} or more and span "
        f"{rules.lambda_z_span:g} half-lives or more.",
        "A level above the upper limit of quantification makes the metrics that rest "
        "on it NC.",
        "Cmax is evaluable with three samples from day 0 to 28, for cells and "
        "transgene one of them from day 7 to 21; AUC0-28d where it is calculable; "
        "neither where a level before the infusion exceeds 5% of Cmax.",
        "Samples after an infusion that came more than "
        f"{SPLIT_DOSE_DAYS:g} days after the first are not used.",
        "Areas and terminal slopes are given for levels of cells and transgene only.",
    )
