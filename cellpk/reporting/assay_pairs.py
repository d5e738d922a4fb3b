"""Two assays of the same samples: pairs, and how far they agree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.layout import assay_of
from cellpk.reporting.placing import placed
from cellpk.reporting.statistics import FEW

if TYPE_CHECKING:
    from cellpk.study.study import Study

TOLERANCE = 0.5
"""Days that two samples of a pair may lie apart."""

_RESAMPLES = 2000
_MOST = 0.95
_BELOW = ("below", "detected")
_FEWEST = 5  # patients for an interval


@dataclass(frozen=True, eq=False)
class Agreement:
    """Pairs of samples of two assays, and how far they agree.

    Parameters
    ----------
    first, second : str
        The assays.
    pairs : DataFrame
        patient, specimen, time and gap (day: second after first), and for each assay
        level, state, shown (where it is drawn) and counted (0 below the LLOQ), with
        ``_first`` and ``_second`` behind the name.
    numbers : DataFrame
        statistic, n (pairs), patients, estimate, low, high: ``spearman`` (of the pairs
        quantified by both), ``spearman_all`` (below the LLOQ: lowest, tied), ``ratio``
        (of geometric means, first over second) and ``ratio_sd`` (geometric SD of the
        ratio over pairs, a factor). NaN where there are too few.
    unpaired : dict of str to int
        Samples of each assay without a partner.
    notes : tuple of str
        How samples were paired and intervals made.
    """

    first: str
    second: str
    pairs: pd.DataFrame
    numbers: pd.DataFrame
    unpaired: dict[str, int]
    notes: tuple[str, ...]

    @property
    def both(self) -> pd.Series:
        """Marks the pairs that both assays quantified."""
        return _quantified(self.pairs)

    @property
    def counts(self) -> pd.DataFrame:
        """Pairs by whether each assay quantified (or exceeded its range): 2 by 2."""
        seen = {
            name: ~self.pairs[f"state_{name}"].isin(_BELOW)
            for name in ("first", "second")
        }
        table = pd.crosstab(seen["first"], seen["second"])
        both = [True, False]
        return table.reindex(index=both, columns=both, fill_value=0)


def assay_pairs(
    study: "Study",
    *,
    first: str | None = None,
    second: str | None = None,
    tolerance: float = TOLERANCE,
    seed: int | None = None,
) -> Agreement:
    """Pair the samples of two assays and measure how far they agree.

    Samples of one patient and specimen are a pair where they were taken within the
    tolerance; the nearest are paired first, each sample once.

    Parameters
    ----------
    study : Study
        The study.
    first : str, optional
        Assay; the study's main assay without.
    second : str, optional
        Assay; without, the next one of CAR-T cells that was measured.
    tolerance : float
        Days that two samples of a pair may lie apart.
    seed : int, optional
        Of the resampling of patients; the study's own without.

    Returns
    -------
    Agreement
        Pairs, counts and statistics. Intervals (95%) are percentiles over 2000
        resamplings of patients with all their pairs, since pairs of one patient are not
        independent; NaN below 5 patients.

    Raises
    ------
    DataError
        If there is no second assay, an assay does not measure CAR-T cells, one is
        derived from the other, or there is no pair.

    Examples
    --------
    >>> import cellpk as ck
    >>> agreement = assay_pairs(ck.simulate_study(seed=1))
    >>> agreement.first, agreement.second, agreement.counts.to_numpy().sum()
    ('qpcr', 'flow', np.int64(81))
    """
    first, second = _chosen(study, first, second)
    one, other = (placed(study.select(name)) for name in (first, second))
    pairs = _paired(one, other, tolerance)
    if pairs.empty:
        raise DataError(
            Problem(
                f"no sample of {first} and {second} is of one patient, one specimen "
                f"and within {tolerance:g} days",
                "Compare assays of the same samples, or allow more days.",
                column="tolerance",
                value=f"{tolerance:g}",
            )
        )
    seed = study.settings.analysis.seed if seed is None else seed
    return Agreement(
        first=first,
        second=second,
        pairs=pairs,
        numbers=_numbers(pairs, seed),
        unpaired={first: len(one) - len(pairs), second: len(other) - len(pairs)},
        notes=_notes(tolerance, seed),
    )


def _chosen(study: "Study", first: str | None, second: str | None) -> tuple[str, str]:
    """Return the two assays, and refuse what cannot be compared."""
    kinetic = [name for name in study.kinetic_assays if not study.assay(name).derived]
    first = assay_of(study, first)
    second = second or next((name for name in kinetic if name != first), "")
    if not second:
        what = f"the study has no second assay of CAR-T cells to compare with {first!r}"
        raise DataError(Problem(what, "Add its samples.", column="assay"))
    for name in (first, second):
        if name not in study.kinetic_assays:
            what = "the study has no such assay of CAR-T cells to compare"
            todo = nearest(name, study.kinetic_assays)
            raise DataError(Problem(what, todo, column="assay", value=name))
    same = first == second
    if same or second.endswith(f"_from_{first}") or first.endswith(f"_from_{second}"):
        what = f"{first} and {second} are no two measurements"
        raise DataError(
            Problem(what, "Compare two assays that were measured.", value=second)
        )
    return first, second


def _paired(one: pd.DataFrame, other: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Pair samples of one patient and specimen, the nearest first, each once."""
    key = ["patient", "specimen"]
    columns = ["time", "level", "state", "shown", "lloq", "limit_assumed", "unit"]
    tables = [
        each[key + columns].assign(
            place=np.arange(len(each)),
            counted=each["shown"].mask(each["state"].isin(_BELOW), 0.0),
        )
        for each in (one, other)
    ]
    close = tables[0].merge(tables[1], on=key, suffixes=("_first", "_second"))
    close = close.assign(gap=close["time_second"] - close["time_first"])
    close = close[close["gap"].abs() <= tolerance + 1e-9]
    order = close["gap"].abs().sort_values(kind="stable").index
    taken: tuple[set[int], set[int]] = (set(), set())
    kept = []
    for row in close.loc[order, ["place_first", "place_second"]].itertuples():
        index, places = row[0], row[1:]
        if not any(place in used for place, used in zip(places, taken, strict=True)):
            kept.append(index)
            for place, used in zip(places, taken, strict=True):
                used.add(place)
    pairs = close.loc[sorted(kept)].rename(columns={"time_first": "time"})
    dropped = ["place_first", "place_second", "time_second"]
    return pairs.drop(columns=dropped).reset_index(drop=True)


def _quantified(pairs: pd.DataFrame) -> pd.Series:
    one, other = pairs["state_first"], pairs["state_second"]
    return one.eq("quantified") & other.eq("quantified")


def _numbers(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Estimate how far the assays agree, with intervals over patients."""
    both = pairs[_quantified(pairs)]
    statistics: dict[str, tuple[pd.DataFrame, Callable[[np.ndarray], float]]] = {
        "spearman": (both, spearman),
        "spearman_all": (pairs, spearman),
        "ratio": (both, _ratio),
        "ratio_sd": (both, _ratio_sd),
    }
    rows = []
    for name, (used, statistic) in statistics.items():
        values = used[["counted_first", "counted_second"]].to_numpy()
        low, high = _interval(values, used["patient"].to_numpy(), statistic, seed=seed)
        head = {"statistic": name, "n": len(used)}
        head |= {"patients": used["patient"].nunique(), "estimate": statistic(values)}
        rows.append(head | {"low": low, "high": high})
    return pd.DataFrame(rows)


def spearman(values: np.ndarray) -> float:
    """Return Spearman's rank correlation of two columns, NaN where there is none.

    Examples
    --------
    >>> round(spearman(np.array([[1, 1], [2, 3], [3, 2], [4, 4.0]])), 6)
    0.8
    """
    from scipy.stats import rankdata

    if len(values) < FEW:
        return np.nan
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0)).prod()
    return float((ranks[:, 0] * ranks[:, 1]).sum() / size) if size > 0 else np.nan


def _logs(values: np.ndarray) -> np.ndarray:
    return np.log(values[:, 0]) - np.log(values[:, 1])


def _ratio(values: np.ndarray) -> float:
    return float(np.exp(_logs(values).mean())) if len(values) >= FEW else np.nan


def _ratio_sd(values: np.ndarray) -> float:
    return float(np.exp(_logs(values).std(ddof=1))) if len(values) >= FEW else np.nan


def _interval(
    values: np.ndarray,
    patients: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    *,
    seed: int,
) -> tuple[float, float]:
    """Return the percentiles of a statistic over resampled patients."""
    names = pd.unique(patients)
    if len(names) < _FEWEST:
        return np.nan, np.nan
    where = [np.flatnonzero(patients == name) for name in names]
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(names), size=(_RESAMPLES, len(names)))
    found = np.array(
        [statistic(values[np.concatenate([where[i] for i in draw])]) for draw in draws]
    )
    found = found[np.isfinite(found)]
    if len(found) < _MOST * _RESAMPLES:
        return np.nan, np.nan
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _notes(tolerance: float, seed: int) -> tuple[str, ...]:
    return (
        "A pair: samples of one patient and specimen, taken within "
        f"{tolerance:g} days of each other; the nearest are paired first, each sample "
        "once.",
        f"95% intervals: percentiles over {_RESAMPLES} resamplings of patients with "
        f"all their pairs (seed {seed}), as pairs of one patient are not independent; "
        f"NC below {_FEWEST} patients.",
    )
