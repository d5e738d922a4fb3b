"""Rules for two assays of CAR-T cells or transgene in one sample.

Assays measure different things, and their ratio differs between patients and over
time: a level is told only where it is far from what is usual in its patient and in the
study, by the study's own spread.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.levels import digits
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import Sample, each

FAR = 0.9
"""Decades that a ratio is off at the least before anything is told."""

FAR_OF_A_SHARE = 2.0
"""Decades, where one of the two is a share: the count of all cells changes so much."""

SPREADS = 5.5
"""Robust standard deviations that it is off, too. By simulation: of 5271 right pairs in
100 trials with residual errors of 0.56 and 0.4 on the log scale, one is told."""

ONE_SAMPLE = 0.75
"""Days that two samples of one visit may be apart and count as one."""

FEWEST = 8
"""Pairs of levels from which on a ratio counts as usual."""

OWN = 3
"""Pairs of one patient from which on she has a usual ratio of her own."""

SAME_DIGITS = 4
"""Digits that two assays share by chance in one of some thousand samples."""


def _pairs(draft: Draft) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield two assays and the samples of the first, with ``other``, and ``ratio``."""
    rows = draft.kinetic
    planned = rows["nominal_time"].notna()
    rows = rows.assign(
        _patient=pd.factorize(rows["patient"])[0],
        _specimen=pd.factorize(rows["specimen"])[0],
        _planned=planned,
        _when=rows["nominal_time"].where(planned, rows["time"]),
    )
    on = ["_patient", "_specimen", "_planned", "_when"]
    by = {
        str(name): part.drop_duplicates(on, keep=False)
        for name, part in rows.groupby("assay", sort=False)
    }
    for one, other in combinations(by, 2):
        second = by[other][[*on, "level", "time"]]
        second = second.rename(columns={"level": "other", "time": "other_time"})
        pairs = by[one].merge(second, on=on)
        pairs = pairs[(pairs["time"] - pairs["other_time"]).abs() <= ONE_SAMPLE]
        pairs = pairs.reset_index(drop=True)
        yield one, other, pairs.assign(ratio=np.log10(pairs["level"] / pairs["other"]))


def _spread(off: NDArray[np.float64]) -> float:
    return float(1.4826 * np.median(np.abs(off)))


@check
def assays_disagree(draft: Draft) -> Iterator[Problem]:
    """Find samples in which the ratio of two assays is about 10 or 1000 times off."""
    for one, other, pairs in _pairs(draft):
        if len(pairs) < FEWEST:
            continue
        shares = "%" in {
            draft.settings.known_assays[name].unit for name in (one, other)
        }
        ratio, patient = pairs["ratio"], pairs.groupby("_patient")["ratio"]
        usual = float(ratio.median())
        own = patient.transform("median").where(patient.transform("size") >= OWN)
        off, from_all = (ratio - own.fillna(usual)), (ratio - usual).abs()
        with_own = own.notna()
        spread = _spread(off[with_own].to_numpy()) if with_own.any() else np.inf
        limit = np.where(with_own, spread, _spread(from_all.to_numpy())) * SPREADS
        far = FAR_OF_A_SHARE if shares else FAR
        wrong = (off.abs() >= np.maximum(limit, far)) & (from_all >= far)

        def what(sample: Sample, pair: tuple[str, str] = (one, other)) -> str:
            times = 10 ** round(abs(sample["off"]))
            high, low = pair if sample["off"] > 0 else pair[::-1]
            return (
                f"{high} is about {times} times higher against {low} than usual: "
                f"{with_level(pair[0], sample['level'])}, "
                f"{with_level(pair[1], sample['other'])}"
            )

        yield from each(pairs.assign(off=off)[wrong], what, _ADVICE)


_ADVICE = "Check both levels and their units: either may be the wrong one."


def with_level(assay: str, level: float) -> str:
    """Return an assay with its level.

    Examples
    --------
    >>> with_level("flow", 0.8917999999)
    'flow 0.8918'
    """
    return f"{assay} {level:.6g}"


@check
def assays_of_a_patient_disagree(draft: Draft) -> Iterator[Problem]:
    """Find patients in whom the ratio of two assays is 1000 times off the others'."""
    for one, other, pairs in _pairs(draft):
        patient = pairs.groupby("_patient")["ratio"]
        usual = patient.median()[patient.size() >= 2]
        if len(usual) < OWN + 2:
            continue
        off = usual - usual.median()
        far = off[off.abs() >= max(2.5, 5 * _spread(off.to_numpy()))]
        for code, decades in far.items():
            name = pairs.loc[pairs["_patient"] == code, "patient"].iloc[0]
            side = "higher" if decades > 0 else "lower"
            times = 10.0 ** round(abs(decades))
            what = f"{one} is about {times:.0f} times {side} against {other} than in "
            what += "the other patients"
            yield Problem(what, _ADVICE, "warning", patient=name, column="level")


@check
def same_digits(draft: Draft) -> Iterator[Problem]:
    """Find samples in which two assays have the same digits."""
    for one, other, pairs in _pairs(draft):
        mantissa, count = digits(pairs["level"].to_numpy())
        again, _ = digits(pairs["other"].to_numpy())
        # Among so many pairs, chance makes some agree in fewer digits.
        enough = max(
            SAME_DIGITS, 1 + int(np.ceil(np.log10(max(len(pairs), 1) / 2 + 1)))
        )
        same = (mantissa == again) & (count >= enough)

        def what(sample: Sample, pair: tuple[str, str] = (one, other)) -> str:
            return (
                f"{pair[0]} and {pair[1]} have the same digits, whatever the unit: "
                f"{with_level(pair[0], sample['level'])}, "
                f"{with_level(pair[1], sample['other'])}"
            )

        yield from each(pairs[same], what, "Ask whether one is a copy of the other.")
