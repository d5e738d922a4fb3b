"""Rules for single levels: codes, copies, doses."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import by_assay, told

DIGITS = 6
"""Significant digits that are looked at."""

CODES = (99, 999, 9999, 99999, 999999)
"""Numbers that stand for 'not known' in many files."""

SURE_CODE = 9999
"""From here on a code is one even where it stands once."""

OFTEN = 3
"""So often, at least, a smaller code or an equal level has to stand."""

COPIES = 10
"""Up to so many copies of one series are told one by one."""

FOUR_DIGITS_OFTEN = 4 + OFTEN
"""Digits and times of an equal level, in sum, from which on it is told."""


def digits(
    level: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first six digits of levels above 0, and how many of them say much.

    Parameters
    ----------
    level : ndarray
        Levels above 0.

    Returns
    -------
    mantissa, count : ndarray of int
        The digits from 100000 on; how many there are before zeros at the end.

    Examples
    --------
    >>> mantissa, count = digits(np.array([0.8917999999, 8.918, 1200.0]))
    >>> mantissa.tolist(), count.tolist()
    ([891800, 891800, 120000], [4, 4, 2])
    """
    power = np.floor(np.log10(level))
    scaled = np.round(level / 10.0**power * 10 ** (DIGITS - 1))
    mantissa = np.where(scaled >= 10**DIGITS, scaled / 10, scaled).astype(np.int64)
    zeros = np.zeros_like(mantissa)
    for k in range(1, DIGITS):
        zeros += mantissa % 10**k == 0
    return mantissa, DIGITS - zeros


@check
def repeated_levels(draft: Draft) -> Iterator[Problem]:
    """Find levels with several digits that one series has again and again."""
    rows = draft.quantified
    series, level = rows["series"].to_numpy(), rows["level"].to_numpy()
    order = np.lexsort((level, series))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(series[order]) != 0) | (np.diff(level[order]) != 0)
    run = np.cumsum(new) - 1
    times = np.bincount(run, minlength=1)[run]
    here, times = order[times >= OFTEN], times[times >= OFTEN]
    _, count = digits(level[here])
    # Near a baseline, levels of three digits are equal by chance now and then.
    exact = rows.iloc[here[count + times >= FOUR_DIGITS_OFTEN]]
    for (_, value), group in exact.groupby(["series", "level"]):
        assay = group["assay"].iloc[0]
        what = f"{assay} is {value:g} at {len(group)} times of the patient"
        todo = "Ask whether it is an upper limit, or was carried forward."
        yield told(group, what, todo)


@check
def codes_for_levels(draft: Draft) -> Iterator[Problem]:
    """Find levels such as 999 that are rather a code for 'not known'."""
    used = draft.used
    words = [f"{code}{end}" for code in CODES for end in ("", ".0")]
    beside = [str(code + step) for code in CODES for step in (-1, 1)]
    coded = used["reported"].isin(words) | used["level"].isin(CODES)
    coded &= used["state"] != "below"
    if not coded.any():
        return
    near = used[used["reported"].isin(beside)]
    for assay, rows, some, _ in by_assay(used[coded]):
        around = near.loc[near["assay"] == assay, "reported"]
        level = rows["level"].to_numpy()
        said = np.where(np.isin(level, CODES), level, parsing.numbers(rows["reported"]))
        for code in np.unique(said).astype(int):
            group = rows[said == code]
            others = around.isin([str(code - 1), str(code + 1)]).sum()
            if code >= SURE_CODE or len(group) >= max(OFTEN, 3 * others):
                what = f"{len(group)} of {some} with a number like a code: {code}"
                what = what if len(group) > 1 else f"{assay} is {code}, as a code is"
                yield told(group, what, "Leave the cell empty if there is no result.")


@check
def doses_among_samples(draft: Draft) -> Iterator[Problem]:
    """Find levels at the infusion that are the dose of the patient."""
    doses = draft.infusions.dropna(subset="dose")[["patient", "time", "dose"]]
    used = draft.used[["patient", "time", "assay", "reported", "file", "row"]]
    early = used[used["assay"].isin(draft.kinetic_assays) & (used["reported"] != "")]
    early = early[early["patient"].isin(doses["patient"])]
    if early["time"].min() > 0.5 and doses["time"].max() <= 0:
        return
    pairs = early.merge(doses, on="patient", suffixes=("", "_given"))
    pairs = pairs[(pairs["time"] - pairs["time_given"]).abs() <= 0.5]
    number = parsing.numbers(pairs["reported"].reset_index(drop=True))
    rows = pairs[number == pairs["dose"].to_numpy()]
    for _, group, some, verb in by_assay(rows):
        what = f"{some} {verb} the dose of the patient"
        yield told(group, what, "Give doses under [infusions], not among the samples.")


@check
def identical_series(draft: Draft) -> Iterator[Problem]:
    """Find two patients, or two assays of one, with the same levels throughout."""
    rows = draft.quantified
    series, level = rows["series"].to_numpy(), rows["level"].to_numpy()
    start = np.flatnonzero(np.r_[True, np.diff(series) != 0][: len(series)])
    if not start.size:
        return
    mantissa, count = digits(level)
    length = np.diff(np.r_[start, len(series)])
    told_digits = np.add.reduceat(count, start)
    place = np.arange(len(series)) - np.repeat(start, length)
    # Equal series have equal sums; of the few that have, all levels are compared.
    sums = np.add.reduceat(np.log(level) * np.sqrt(place + 2.0), start)
    telling = (length >= OFTEN) & (told_digits >= 8)
    telling &= np.maximum.reduceat(mantissa, start) > np.minimum.reduceat(
        mantissa, start
    )
    firsts = pd.DataFrame({"start": start, "n": length, "sum": sums.round(9)})[telling]
    firsts = firsts[firsts.duplicated(["n", "sum"], keep=False)]
    for _, group in firsts.groupby(["n", "sum"]):
        first, n = int(group["start"].iloc[0]), int(group["n"].iloc[0])
        others = group["start"].to_numpy()[1:]
        same = level[others[:, None] + np.arange(n)] == level[first : first + n]
        yield from _copied(rows, first, others[same.all(axis=1)], n)


def _copied(
    rows: pd.DataFrame, first: int, copies: NDArray[np.int64], n: int
) -> Iterator[Problem]:
    """Tell of the series that have the levels of another one; many in one sentence."""
    one = rows.iloc[first]
    where = f"{one['assay']} in patient {one['patient']}"
    if len(copies) > COPIES:
        two = rows.iloc[copies[0] : copies[0] + n]
        what = f"the {n} levels of {where} are those of {len(copies)} more series"
        yield told(two, what, "Ask which of them were measured.")
        return
    for copy in copies:
        two = rows.iloc[copy : copy + n]
        what = f"the {n} levels of {two['assay'].iloc[0]} are those of {where}"
        yield told(two, what, "Ask which of the two was measured.")
