"""Persistence: how long levels stay quantifiable, and in how many at each visit."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.layout import assay_of
from cellpk.kinetics.persistence_intervals import losses, usable
from cellpk.kinetics.persistence_turnbull import Turnbull
from cellpk.kinetics.persistence_visits import counted, states_at_visits
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.kinetics.nca import Metrics

RULES = (
    "Loss lies after a patient's last quantifiable sample and not after the next "
    "sample; that one and all later ones are below the LLOQ (interval-censored). "
    "Missing samples are no loss.",
    "Where no sample after the infusion was quantifiable, loss lies between the "
    "infusion and the first of them.",
    "Where the last sample was still quantifiable, loss is right-censored there, also "
    "after death or a further infusion.",
    "Persistence is Turnbull's (1976) nonparametric maximum-likelihood estimate, which "
    "says nothing of when within an interval the level fell; its median is taken as if "
    "losses spread evenly there. It presumes that the reasons for which sampling ended "
    "tell nothing of persistence.",
    "Intervals of persistence and of its median hold every value that a "
    "likelihood-ratio test does not refute (Goodall, Dunn and Babiker 2004).",
)
"""How persistence is defined and estimated: one sentence each, for footnotes."""

RULES_AT_VISITS = (
    "At risk: alive and not infused again when the window of the visit opens, and some "
    "record reaches it. Sampled: at least one usable sample in the window; of several, "
    "that nearest to the day of the visit counts.",
    "Shares are of the patients sampled, with exact (Clopper-Pearson) intervals: a "
    "patient who was not sampled is not negative.",
)
"""How patients are counted at visits: one sentence each, for footnotes."""

_NOT_SAMPLED = "not_sampled"
_MOST_DAYS = 60


@dataclass(frozen=True, eq=False, repr=False)
class Persistence:
    """How long levels of one series stay quantifiable; made by :func:`persistence`.

    Parameters
    ----------
    study_id : str
        Study that it is from.
    assay, specimen : str
        The series.
    confidence : float
        Of all intervals.
    expanded_only : bool
        Whether patients without any quantifiable sample are left out of the curve.
    tells_detection : bool
        Whether samples below the LLOQ are known to have been detected or not.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"patient": ["1", "1", "2", "2"],
    ...                         "time": [14, 28, 14, 60], "level": [90, 0, 80, 9]})
    >>> study = Study.from_frames(samples.assign(assay="flow", lloq=1.0))
    >>> result = persistence(ck.nca(study), study)
    >>> result.table[["patient", "left", "right", "status"]].values.tolist()
    [['1', 14.0, 28.0, 'lost'], ['2', 60.0, inf, 'quantifiable']]
    >>> result.among(["1"]).summary["median"].tolist()
    [21.0]
    """

    study_id: str
    assay: str
    specimen: str
    confidence: float
    expanded_only: bool
    tells_detection: bool
    _table: pd.DataFrame
    _states: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient: left, right, status, last, in_curve.

        Loss lies in (left, right] days after the infusion; ``last`` is the last sample.
        """
        return self._table.copy()

    @property
    def states(self) -> pd.DataFrame:
        """One row per patient and visit: at_risk, found (empty: not sampled)."""
        return self._states.copy()

    def among(self, patients: Iterable[str]) -> "Persistence":
        """Return the persistence of some of the patients alone.

        Parameters
        ----------
        patients : iterable of str
            Such as those of one dose.

        Examples
        --------
        >>> import cellpk as ck
        >>> study = ck.simulate_study(seed=1)
        >>> len(persistence(ck.nca(study), study).among(["S01", "S02"]).table)
        2
        """
        names = set(patients)
        return replace(
            self,
            _table=self._table[self._table["patient"].isin(names)],
            _states=self._states[self._states["patient"].isin(names)],
        )

    @cached_property
    def estimate(self) -> Turnbull | None:
        """Turnbull's estimate; None where no patient can be in it."""
        used = self._in_curve
        if used.empty:
            return None
        ends = (used[name].to_numpy(float) for name in ("left", "right"))
        return Turnbull(*ends, confidence=self.confidence)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """Persistence at the days on which more or less is known of it.

        Columns: day, persistence, low, high (its interval), level: whether it is level
        since the row before; where not, it falls somewhere in between. Until the next
        row, the interval reaches from the ``low`` of that row to the ``high`` of this
        one. The curve ends where nothing more is known.
        """
        rows = [(0.0, 1.0, 1.0, 1.0, True)]
        if found := self.estimate:
            falls = {region.right for region in found.regions}
            for day in self._days(found):
                share = found.share(day)[1]
                rows.append((day, share, *found.interval(day), day not in falls))
        columns = ["day", "persistence", "low", "high", "level"]
        frame = pd.DataFrame(rows, columns=columns)
        ends = frame[["low", "high"]].cummin()  # as they are but for the last digits
        return frame.assign(low=ends["low"], high=ends["high"])

    def _days(self, found: Turnbull) -> list[float]:
        """Return the ends of all regions and, of other intervals, at most 60."""
        ends = np.unique([found.left, found.right])
        some = ends[:: -(-len(ends) // _MOST_DAYS)]
        days = {end for region in found.regions for end in region[:2]} | set(some)
        left, right, _ = found.regions[-1]
        last = right if np.isfinite(right) else left
        return sorted(float(day) for day in days if 0 < day <= last)

    @property
    def visits(self) -> pd.DataFrame:
        """Patients at risk, sampled and quantifiable at each visit.

        Columns as in :func:`cellpk.kinetics.persistence_visits.counted`.
        """
        return counted(self._states, confidence=self.confidence)

    @property
    def summary(self) -> pd.DataFrame:
        """One row: patients by status, the median with its interval, the naive median.

        ``n`` patients in the curve, of whom ``lost`` (with ``never_quantifiable``) and
        ``quantifiable`` (censored); ``not_in_curve``; ``median``, ``median_low``,
        ``median_high`` (days; infinite: not estimable), ``region_left``,
        ``region_right`` (between which the median lies); ``naive_n``, ``naive_median``,
        ``naive_minimum``, ``naive_maximum``: Tbql of those who reached it, which is no
        estimate of persistence.
        """
        used, found = self._in_curve, self.estimate
        status = used["status"]
        seen = self._table.loc[self._table["status"] == "lost", "right"]
        region = found.median_region if found else None
        low, high = found.median_interval if found else (np.nan, np.nan)
        row = {
            "n": len(used),
            "lost": int((status != "quantifiable").sum()),
            "never_quantifiable": int((status == "never_quantifiable").sum()),
            "quantifiable": int((status == "quantifiable").sum()),
            "not_in_curve": len(self._table) - len(used),
            "median": found.median if found else np.nan,
            "median_low": low,
            "median_high": high,
            "region_left": region.left if region else np.nan,
            "region_right": region.right if region else np.nan,
            "naive_n": len(seen),
            "naive_median": seen.median(),
            "naive_minimum": seen.min(),
            "naive_maximum": seen.max(),
        }
        return pd.DataFrame([row])

    def open_at(self, days: Sequence[float]) -> pd.DataFrame:
        """Count the patients whose loss is open on each day.

        They were not seen to be lost by that day, and the last sample of those in whom
        no loss was seen came on that day or later. This stands for the number at risk
        where losses are interval-censored.

        Parameters
        ----------
        days : sequence of float
            Days after the infusion.

        Returns
        -------
        DataFrame
            day, open, lost (seen by then), censored (not followed so far); they sum to
            the patients in the curve.

        Examples
        --------
        >>> import cellpk as ck
        >>> study = ck.simulate_study(seed=1)
        >>> persistence(ck.nca(study), study).open_at([28])["open"].tolist()
        [15]
        """
        used = self._in_curve
        left, right = (used[name].to_numpy(float) for name in ("left", "right"))
        rows = []
        for day in days:
            lost = int((right <= day).sum())
            censored = int((np.isinf(right) & (left < day)).sum())
            rows.append((float(day), len(used) - lost - censored, lost, censored))
        return pd.DataFrame(rows, columns=["day", "open", "lost", "censored"])

    @property
    def _in_curve(self) -> pd.DataFrame:
        return self._table[self._table["in_curve"]]

    def __repr__(self) -> str:
        row = self.summary.iloc[0]
        middle, low, high = (
            f"{row[name]:.1f}" if np.isfinite(row[name]) else "NE"
            for name in ("median", "median_low", "median_high")
        )
        where = f" in {self.specimen}" if self.specimen else ""
        some = "patient" if row["n"] == 1 else "patients"
        return (
            f"Persistence {self.study_id}: {self.assay}{where}, "
            f"{row['n']:.0f} {some} ({row['lost']:.0f} lost, of whom "
            f"{row['never_quantifiable']:.0f} never quantifiable; "
            f"{row['not_in_curve']:.0f} not in the curve), median {middle} days "
            f"({self.confidence:.0%} interval {low} to {high})"
        )

    def _repr_html_(self) -> str:
        rows = self.visits.to_html(index=False, border=0, float_format="{:.3g}".format)
        return f"<p>{html.escape(repr(self))}</p>{rows}"


def persistence(
    metrics: "Metrics",
    study: Study,
    *,
    assay: str | None = None,
    specimen: str | None = None,
    expanded_only: bool = False,
    confidence: float = 0.95,
) -> Persistence:
    """Estimate how long levels stay quantifiable, and count patients at visits.

    Loss is known only to lie between two samples, and it is not seen in those who are
    still quantifiable. The median time to a sample below the limit among those who had
    one (``naive_median``) answers neither; it stands beside the estimate because papers
    report it.

    Parameters
    ----------
    metrics : Metrics
        Whose rules hold: visits, further infusions.
    study : Study
        The study.
    assay : str, optional
        Assay; the study's main assay without.
    specimen : str, optional
        Specimen; the one sampled most without.
    expanded_only : bool
        Whether to leave patients without any quantifiable sample out of the curve.
        They count as lost otherwise.
    confidence : float
        Of all intervals, between 0 and 1.

    Returns
    -------
    Persistence
        ``.table`` (patients), ``.curve``, ``.visits``, ``.summary``; ``.among`` for
        groups.

    Raises
    ------
    DataError
        Where the study has no such series of CAR-T cells or transgene, the metrics are
        of other patients, or the confidence is no share.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> result = persistence(ck.nca(study), study)
    >>> result.table["status"].value_counts().to_dict()
    {'lost': 15, 'never_quantifiable': 3}
    """
    if set(metrics.table["patient"]) != set(study.patients["patient"]):
        what = f"the metrics are of the patients of another study than {study!r}"
        raise DataError(Problem(what, "Give nca(study) and the same study."))
    if not 0 < confidence < 1:
        what = "'confidence' must lie between 0 and 1"
        raise DataError(Problem(what, "Give 0.95 for 95%.", value=str(confidence)))
    assay = assay_of(study, assay)
    if not study.assay(assay).kinetics:
        what = "persistence is that of CAR-T cells or their transgene"
        todo = f"Choose one of: {', '.join(study.kinetic_assays)}."
        raise DataError(Problem(what, todo, column="assay", value=assay))
    specimen = _specimen(study, assay, specimen)
    rules = metrics.settings
    samples = usable(study, rules, assay=assay, specimen=specimen)
    rows = metrics.table
    rows = rows[(rows["assay"] == assay) & (rows["specimen"] == specimen)]
    table = losses(rows, samples)
    out = [_NOT_SAMPLED, *(["never_quantifiable"] if expanded_only else [])]
    return Persistence(
        study_id=metrics.study_id,
        assay=assay,
        specimen=specimen,
        confidence=confidence,
        expanded_only=expanded_only,
        tells_detection=_tells_detection(samples),
        _table=table.assign(in_curve=~table["status"].isin(out)),
        _states=states_at_visits(study, samples, rules),
    )


def _tells_detection(samples: pd.DataFrame) -> bool:
    """Tell whether a limit of detection is known, or anything was called detected."""
    below = samples[~samples["present"]]
    return bool((below["state"].eq("detected") | below["llod"].notna()).any())


def _specimen(study: Study, assay: str, specimen: str | None) -> str:
    """Return the specimen asked for, or the one that was sampled most."""
    there = study.select(assay)["specimen"].value_counts()
    if specimen is None:
        return str(there.index[0]) if len(there) else ""
    if specimen not in there:
        what = f"there are no samples of {assay} in {specimen!r}"
        raise DataError(Problem(what, nearest(specimen, there.index), value=specimen))
    return specimen
