"""How the peak of a cytokine goes with the exposure to CAR-T cells."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from cellpk.errors import FitError, nearest
from cellpk.kinetics.nca import Metrics
from cellpk.outcomes.censoring import Floats
from cellpk.outcomes.exposure_sources import after_infusion, find_exposures
from cellpk.outcomes.exposures import Exposures, log10
from cellpk.study.assays import Assay
from cellpk.study.study import Study

TOCILIZUMAB = "tocilizumab"
"""Blocks the receptor that clears IL-6, which therefore rises after it."""

_RESAMPLES = 2000
_FEWEST = 3  # patients for a slope
_FEWEST_RESAMPLED = 5  # patients for a bootstrap
_POINTS = 61


@dataclass(frozen=True, eq=False, repr=False)
class CytokineAssociation:
    """The association of a cytokine's peak with an exposure, both on log10 scales.

    Parameters
    ----------
    table : DataFrame
        One row: ``cytokine``, ``exposure``, ``assay``, ``n``; ``slope`` of log10 peak
        on log10 exposure by least squares; ``fold_per_2fold`` and ``fold_per_10fold``,
        the fold change of the peak with 2- and 10-fold exposure; ``spearman`` rank
        correlation over ``n_spearman`` patients; ``slope_without_tocilizumab`` over the
        ``n_without_tocilizumab`` patients who never received it; each with ``_low`` and
        ``_high``, 95%; ``sentence``.
    curve : DataFrame
        ``exposure``; ``peak``, ``low``, ``high``: the line and its 95% band.
    data : DataFrame
        The patients of the slope: ``patient``, ``exposure``, ``peak``,
        ``after_tocilizumab``: "no" where it was not given, "set aside" where the peak
        is of samples up to it, "unknown" where the day is not known.
    excluded : DataFrame
        ``patient``, ``reason``, and ``ranked``: whether in the rank correlation.
    notes : tuple of str
        The sentences of ``table["sentence"]``.
    units : dict of str to str
        Unit of ``exposure`` and of ``peak``.
    study_id : str
        The study.
    simulated : bool
        Whether it is a simulated one.
    assays : tuple of Assay
        What was measured: the assay of the exposure, then the cytokine.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> association = ck.cytokine_association(ck.nca(study), study)
    >>> association.units["peak"]
    'pg/mL'
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    data: pd.DataFrame
    excluded: pd.DataFrame
    notes: tuple[str, ...]
    units: dict[str, str]
    study_id: str
    simulated: bool
    assays: tuple[Assay, ...]

    def __repr__(self) -> str:
        row = self.table.iloc[0]
        return (
            f"Cytokine {self.study_id}: peak {row['cytokine']} on {row['exposure']} "
            f"({row['assay']}), {row['n']} patients, log-log slope {row['slope']:.2f} "
            f"({row['slope_low']:.2f} to {row['slope_high']:.2f}), Spearman "
            f"{row['spearman']:.2f}"
        )

    def _repr_html_(self) -> str:
        row = self.table.T.to_html(header=False, border=0, float_format="{:.4g}".format)
        return f"<p>{self!r}</p>{row}"


def cytokine_association(
    metrics: Metrics,
    study: Study,
    *,
    cytokine: str = "il6",
    exposure: str = "cmax",
    assay: str | None = None,
    seed: int = 1,
) -> CytokineAssociation:
    """Relate the peak of a cytokine to the exposure, patient by patient.

    Samples after tocilizumab are set aside where its day is known. Patients with an
    exposure or a peak beyond a limit of quantification have no place on a log scale:
    they are out of the slope, and in the rank correlation at its tied ends.

    Parameters
    ----------
    metrics : Metrics
        Where the exposure comes from.
    study : Study
        Its samples of the cytokine, and when tocilizumab was given.
    cytokine : str
        Assay of the cytokine.
    exposure : str
        A metric of the CAR-T cells that does not grow with follow-up.
    assay : str, optional
        Assay of the CAR-T cells; the study's main one by default.
    seed : int
        Seed of the bootstrap behind the interval of the rank correlation.

    Returns
    -------
    CytokineAssociation
        Slope, rank correlation, and what must be said beside them.

    Raises
    ------
    FitError
        Where the study has no such cytokine, or :func:`exposure_response` would refuse
        the exposure.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> association = cytokine_association(ck.nca(study), study)
    >>> association.table.loc[0, "cytokine"]
    'il6'
    """
    if cytokine not in study.assays:
        todo = nearest(cytokine, study.assays)
        raise FitError(f"no sample of assay {cytokine!r}", todo=todo)
    exposures = find_exposures(metrics, study, exposure=exposure, assay=assay)
    rows = _joined(exposures, _peaks(study, cytokine), cytokine)
    used, free = rows["reason"] == "", rows["after_tocilizumab"] == "no"
    x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
    whole, without = (_line(x[who], y[who]) for who in (used, used & free))
    ranked = rows["ranked"].to_numpy()
    spearman = _spearman(x[ranked], y[ranked], seed)
    head = {
        "cytokine": cytokine,
        "exposure": exposure,
        "assay": exposures.assay,
        "n": int(np.count_nonzero(used)),
        **_ends("slope", whole.slope),
        **_ends("fold_per_2fold", 2**whole.slope),
        **_ends("fold_per_10fold", 10**whole.slope),
        **_ends("spearman", spearman),
        "n_spearman": int(np.count_nonzero(ranked)),
        **_ends("slope_without_tocilizumab", without.slope),
        "n_without_tocilizumab": int(np.count_nonzero(used & free)),
    }
    notes = _notes(rows, head)
    data = rows.loc[used, ["patient", "exposure", "peak", "after_tocilizumab"]]
    out = rows.loc[~used, ["patient", "reason", "ranked"]]
    return CytokineAssociation(
        table=pd.DataFrame([head | {"sentence": " ".join(notes)}]),
        curve=_curve(data["exposure"].to_numpy(float), whole),
        data=data.reset_index(drop=True),
        excluded=out.reset_index(drop=True),
        notes=notes,
        units={"exposure": exposures.unit, "peak": study.unit(cytokine)},
        study_id=study.settings.study.id,
        simulated=study.settings.study.simulated,
        assays=(study.assay(exposures.assay), study.assay(cytokine)),
    )


class _Line(NamedTuple):
    """A least-squares line: slope with interval, and what its band needs."""

    slope: Floats
    centre: tuple[float, float] = (np.nan, np.nan)
    variance: float = np.nan
    x_squares: float = np.nan
    n: int = 0


def _peaks(study: Study, cytokine: str) -> pd.DataFrame:
    """Return each patient's highest cytokine level after infusion, until tocilizumab.

    A peak below the limit of quantification is 0, one above the upper limit infinite;
    NaN where no sample is left to look at.
    """
    samples = after_infusion(study, cytokine)
    level = samples["level"].where(samples["state"] == "quantified", 0.0)
    level = level.mask(samples["state"] == "above", np.inf)
    given = study.comedication
    day = given.loc[given["drug"] == TOCILIZUMAB].groupby("patient")["time"]
    known = day.count() == day.size()
    until = samples["patient"].map(day.min().where(known)).fillna(np.inf)
    before = samples["time"] <= until
    peak = level.loc[before].groupby(samples["patient"].loc[before]).max()
    patients = pd.Index(study.patients["patient"], name="patient")
    after = known.map({True: "set aside", False: "unknown"}).reindex(patients)
    return pd.DataFrame(
        {
            "peak": peak.reindex(patients),
            "after_tocilizumab": after.fillna("no"),
            "sampled": patients.isin(samples["patient"]),
        }
    ).reset_index()


def _joined(exposures: Exposures, peaks: pd.DataFrame, cytokine: str) -> pd.DataFrame:
    """Join both, on log10 scales (infinite beyond a limit), with why one is unused."""
    table = exposures.table[["patient", "exposure", "below"]]
    rows = peaks.merge(table, on="patient", how="left")
    rows = rows.merge(exposures.excluded, on="patient", how="left")
    beyond = np.where(rows["below"].eq(other=True), -np.inf, np.inf)
    has = rows["reason"].isna()
    known = log10(rows["exposure"])
    x = np.where(np.isnan(known) & has, beyond, known)
    y = log10(rows["peak"])
    name, limit = exposures.name, "the limit of quantification"
    reasons = [
        (~has, rows["reason"]),
        (~rows["sampled"], f"No {cytokine} sample after the infusion."),
        (np.isnan(y), f"Every {cytokine} sample is after tocilizumab."),
        (x == -np.inf, f"{name} is below {limit}."),
        (x == np.inf, f"{name} is above {limit}."),
        (y == -np.inf, f"Peak {cytokine} is below {limit}."),
        (y == np.inf, f"Peak {cytokine} is above {limit}."),
    ]
    masks, texts = zip(*reasons, strict=True)
    reason = np.select(masks, [np.broadcast_to(t, len(rows)) for t in texts], "")
    ranked = has.to_numpy() & ~np.isnan(y)
    return rows.assign(x=x, y=y, reason=reason, ranked=ranked)


def _line(x: Floats, y: Floats) -> _Line:
    """Fit a least-squares line; NaN where there are too few patients for one."""
    from scipy.stats import linregress

    if len(x) < _FEWEST or np.ptp(x) == 0:
        return _Line(np.full(3, np.nan))
    fit: Any = linregress(x, y)
    half = stdtrit(len(x) - 2, 0.975) * fit.stderr
    residual = y - fit.intercept - fit.slope * x
    return _Line(
        slope=fit.slope + half * np.array([0.0, -1.0, 1.0]),
        centre=(float(x.mean()), float(y.mean())),
        variance=float((residual**2).sum() / (len(x) - 2)),
        x_squares=float(((x - x.mean()) ** 2).sum()),
        n=len(x),
    )


def _curve(exposure: Floats, line: _Line) -> pd.DataFrame:
    """Return the line and the 95% band of its mean over the exposures there were."""
    if not line.n:
        return pd.DataFrame(columns=["exposure", "peak", "low", "high"], dtype=float)
    grid = np.geomspace(exposure.min(), exposure.max(), _POINTS)
    away = np.log10(grid) - line.centre[0]
    middle = line.centre[1] + line.slope[0] * away
    error = np.sqrt(line.variance * (1 / line.n + away**2 / line.x_squares))
    half = stdtrit(line.n - 2, 0.975) * error
    ends = {"peak": middle, "low": middle - half, "high": middle + half}
    return pd.DataFrame({"exposure": grid} | {name: 10**y for name, y in ends.items()})


def _spearman(x: Floats, y: Floats, seed: int) -> Floats:
    """Return the rank correlation and its percentile bootstrap interval.

    A resample in which all are tied shows no association and counts as 0.
    """
    from scipy.stats import bootstrap

    if len(x) < _FEWEST:
        return np.full(3, np.nan)
    value = float(_rank_correlation(x, y))
    if len(x) < _FEWEST_RESAMPLED:
        return np.array([value, np.nan, np.nan])
    interval = bootstrap(
        (x, y),
        _rank_correlation,
        paired=True,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return np.array([value, interval.low, interval.high])


def _rank_correlation(x: Floats, y: Floats, axis: int = -1) -> Floats:
    from scipy.stats import rankdata

    centred = [rankdata(values, axis=axis) for values in (x, y)]
    a, b = (ranks - ranks.mean(axis=axis, keepdims=True) for ranks in centred)
    scale = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    return (a * b).sum(axis=axis) / np.where(scale > 0, scale, np.inf)


def _ends(name: str, values: Floats) -> dict[str, float]:
    return dict(
        zip((name, f"{name}_low", f"{name}_high"), values.tolist(), strict=True)
    )


def _notes(rows: pd.DataFrame, row: dict[str, Any]) -> tuple[str, ...]:
    """Say what must be said beside the slope."""
    cytokine, used = row["cytokine"], rows["reason"] == ""
    unknown, aside = (
        np.count_nonzero(used & (rows["after_tocilizumab"] == how))
        for how in ("unknown", "set aside")
    )
    beyond = np.count_nonzero(~used & rows["ranked"])
    moves = "tocilizumab may change it"
    moves = "it rises after tocilizumab" if cytokine == "il6" else moves
    said = []
    if np.isnan(row["slope"]):
        said.append(f"{row['n']} patients are too few, or too much alike, for a slope.")
    if unknown:
        said.append(
            f"{unknown} of {row['n']} patients received tocilizumab on a day that is "
            f"not known: all their {cytokine} is kept, although {moves}; "
            "the slope without them stands beside "
            f"(n = {row['n_without_tocilizumab']})."
        )
    if aside:
        said.append(
            f"In {aside} patients {cytokine} after tocilizumab is set aside, which may "
            "cut their peak short."
        )
    if beyond:
        said.append(
            f"{beyond} patient{'s' if beyond > 1 else ''} beyond a limit of "
            "quantification enter the rank correlation only, at its tied ends."
        )
    said.append(
        f"Tumour burden goes with both {row['exposure']} and {cytokine}: an "
        "association, not an effect."
    )
    return tuple(said)
