"""Rules for levels that are powers of ten off the rest of their series.

The thresholds come from simulation: of 10,223 right levels of CAR-T cells and transgene
with neighbours in 100 trials (residual error 0.4 and 0.56 on the log scale) none is
told, nor any of the 377 in a published data set. The price: of single levels that are
1000 times off about half are found, of those 10 times off one in ten or fewer.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import Sample, each, told

Floats = NDArray[np.float64]

DIP = 0.7
"""Decades by which a level lies below both neighbours and is told."""

LATE_SPIKE = 1.1
"""Decades above both neighbours, once the levels fall: a peak may rise more."""

SPIKE = 2.3
"""Decades above both neighbours at any time: no peak between two samples rises so."""

AFTER_NADIR = 5.0
"""Day: cells leave the blood in the first days and come back."""

FEW = 5
FEW_OF = 0.01
"""Up to so many levels of an assay, or this share, are told one by one."""

FEWEST = 5
"""Patients from which on one peak can be said to stand alone."""

FAR_PEAK, GAP = 3.0, 2.0
"""Decades that a peak lies above the median peak, and above the next highest one."""


def _neighbours(rows: pd.DataFrame) -> pd.DataFrame:
    """Return levels with a neighbour on both sides, and how they lie between them."""
    rows = rows.assign(log=np.log10(rows["level"]))
    series, time, log = (rows[n].to_numpy() for n in ("series", "time", "log"))
    inner = np.flatnonzero(series[2:] == series[:-2]) + 1
    before, after = inner - 1, inner + 1
    share = (time[inner] - time[before]) / (time[after] - time[before])
    expected = log[before] * (1 - share) + log[after] * share
    return rows.iloc[inner].assign(
        off=log[inner] - expected,
        above=np.minimum(log[inner] - log[before], log[inner] - log[after]),
        under=np.minimum(log[before] - log[inner], log[after] - log[inner]),
        was=rows["level"].to_numpy()[before],
        becomes=rows["level"].to_numpy()[after],
        since=time[before],
        falling=_past_peak(series, log)[inner],
    )


def _past_peak(series: NDArray[np.int64], log: Floats) -> NDArray[np.bool_]:
    """Tell where the highest of the other levels stands two or more samples before."""
    levels = pd.Series(log)
    earlier = levels.groupby(series).cummax().groupby(series).shift(2)
    last = levels.groupby(series).shift(1)
    later = levels[::-1].groupby(series[::-1]).cummax()[::-1]
    coming = later.groupby(series).shift(-1)
    return ((earlier > last) & (earlier > coming)).to_numpy(bool)


@check
def powers_of_ten_in_a_series(draft: Draft) -> Iterator[Problem]:
    """Find levels that are about 10 or 1000 times off both their neighbours."""
    rows = _neighbours(draft.kinetic)
    dip = (rows["under"] >= DIP) & (rows["since"] >= AFTER_NADIR)
    spike = (rows["above"] >= SPIKE) | (rows["falling"] & (rows["above"] >= LATE_SPIKE))
    found = _sharpest(rows[dip | spike])
    todo = "Check the level and its unit."

    def what(sample: Sample) -> str:
        times = 10 ** max(round(abs(sample["off"])), 1)
        side = "above" if sample["off"] > 0 else "below"
        return (
            f"{sample['assay']} is about {times} times {side} what the samples before "
            f"and after say ({sample['was']:.4g} and {sample['becomes']:.4g})"
        )

    for assay, group in found.groupby("assay", sort=False):
        total = int((rows["assay"] == assay).sum())
        if len(group) <= max(FEW, FEW_OF * total):
            yield from each(group, what, todo)
        else:
            jumps = f"{len(group)} of {total} levels of {assay} lie far above or below "
            todo = "Check whether units are mixed, or the assay is as rough as that."
            yield told(group, f"{jumps}those before and after", todo)


def _sharpest(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep one of two findings that follow each other: the one that is more off."""
    place, off = rows.index.to_numpy(), rows["off"].abs().to_numpy()
    beside = (np.diff(place) == 1) & (np.diff(rows["series"]) == 0)
    kept = np.ones(len(rows), dtype=bool)
    kept[1:] &= ~(beside & (off[1:] < off[:-1]))
    kept[:-1] &= ~(beside & (off[1:] >= off[:-1]))
    return rows[kept]


@check
def peaks_far_above_all_others(draft: Draft) -> Iterator[Problem]:
    """Find a patient whose peak is 1000 times the usual and 100 times any other."""
    todo = "Check the unit of this patient's levels: between patients, little is sure."
    for assay, rows in draft.kinetic.groupby("assay", sort=False):
        peaks = rows.loc[rows.groupby("patient")["level"].idxmax()]
        peaks = peaks.sort_values("level")
        log = np.log10(peaks["level"].to_numpy())
        if len(log) < FEWEST or log[-1] - log[-2] < GAP:
            continue
        if log[-1] - np.median(log) >= FAR_PEAK:
            what = f"the {assay} peak is far above that of all {len(log) - 1} others"
            yield told(peaks.iloc[-1:], what, todo)
