"""Rules for what times count: hours, days or weeks, and from which day."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft, planned_day
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import Sample, each

Floats = NDArray[np.float64]

FROM_DAY = 3.0
"""Visits from this day on tell a unit of time."""

AGREE = 0.9
"""The share of samples that has to say the same."""

FEWEST = 4
"""Samples, or different days, from which on anything is said."""

WITHIN_HOURS = 2.0
"""Hours that samples taken at whole days may be off."""

_AFTER = r"(?:post|after)[- ]?(?:dose|infusion)"
_BASELINE = r"(?:pre[- ]?(?:dose|infusion)|baseline|screening|apheresis)"


def _share_of(ratio: Floats, times: float) -> float:
    """Return how many ratios are about ``times``, as a share of all."""
    near = np.abs(np.log(ratio / times)) < np.log(1.3)
    return float(near.mean()) if ratio.size >= FEWEST else 0.0


def _files(draft: Draft, times: float) -> Iterator[tuple[str, int]]:
    """Yield the files whose times are ``times`` those of their visits, and samples."""
    used, day = draft.used, draft.visit_day
    told = (day >= FROM_DAY) & (used["time"] > 0).to_numpy(bool)
    ratio = used["time"].to_numpy()[told] / day[told]
    for file, where in _positions(used["file"][told]):
        if _share_of(ratio[where], times) >= AGREE:
            yield file, len(where)


def _positions(files: pd.Series) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each file with the positions of its rows."""
    codes, names = pd.factorize(files)
    for code, name in enumerate(names):
        yield str(name), np.flatnonzero(codes == code)


def _told(file: str, n: int, than: str, todo: str) -> Problem:
    what = f"the times of {n} samples are about {than} the days of their visits"
    return Problem(what, todo, "warning", file=file, column="time")


@check
def hours_for_days(draft: Draft) -> Iterator[Problem]:
    """Find times that seem to be hours though they are read as days."""
    todo = "If the times are hours, say time_unit = 'hour' of the file in study.toml."
    known = set()
    for file, n in _files(draft, 24):
        known.add(file)
        yield _told(file, n, "24 times", todo)
    time = draft.used["time"].to_numpy()
    for file, where in _positions(draft.used["file"]):
        if file not in known and _whole_days_in_hours(time[where]):
            what = (
                "nearly all times are multiples of 24, as hours are of samples taken "
                "day by day"
            )
            yield Problem(what, todo, "warning", file=file, column="time")


def _whole_days_in_hours(time: Floats) -> bool:
    """Tell whether times are whole days in hours, and no visits 24 weeks apart."""
    later = time[time >= 2 * WITHIN_HOURS]
    day = np.round(later / 24)
    near = np.abs(later - 24 * day) <= WITHIN_HOURS
    days = np.unique(day[near])
    several = len(days) >= FEWEST and bool((days % 7 != 0).any())
    return several and float(near.mean()) >= AGREE


@check
def weeks_for_days(draft: Draft) -> Iterator[Problem]:
    """Find times that seem to be weeks though they are read as days."""
    todo = "If the times are weeks, say time_unit = 'week' of the file in study.toml."
    for file, n in _files(draft, 1 / 7):
        yield _told(file, n, "a seventh of", todo)


@check
def days_for_other_units(draft: Draft) -> Iterator[Problem]:
    """Find times that seem to be days though they are read as hours or weeks."""
    todo = "If the times are days, take 'time_unit' of the file out of study.toml."
    for times, than in ((1 / 24, "a 24th of"), (7, "7 times")):
        for file, n in _files(draft, times):
            yield _told(file, n, than, todo)


@check
def day_zero_or_one(draft: Draft) -> Iterator[Problem]:
    """Find times that are one day off their visits, all of them."""
    used = draft.used
    for planned, of in (
        (used["nominal_time"].to_numpy(), "'nominal_time'"),
        (_days_from_zero(used["visit"]), "the name of their visit"),
    ):
        off = used["time"].to_numpy() - planned
        told = ~np.isnan(off)
        for file, where in _positions(used["file"][told]):
            days = planned[told][where]
            middle = np.median(off[told][where])
            near = np.abs(off[told][where] - middle) <= 0.5
            if (
                len(np.unique(days)) >= FEWEST
                and abs(abs(middle) - 1) <= 0.25
                and near.mean() >= AGREE
            ):
                what = f"the times of {len(where)} samples are {middle:+g} day off {of}"
                todo = "One counts from day 0, the other from day 1: correct one."
                yield Problem(what, todo, "warning", file=file, column="time")


def _days_from_zero(visit: pd.Series) -> Floats:
    """Return the day of each visit's name, where one of the visits is called day 0."""
    codes, names = pd.factorize(visit)
    days = np.array([planned_day(name) for name in names], dtype=float)
    if not (days == 0).any():
        return np.full(len(visit), np.nan)
    return days[codes]


@check
def baseline_after_infusion(draft: Draft) -> Iterator[Problem]:
    """Find samples of a visit before the infusion that were taken after it."""
    used = draft.used
    again = draft.infusions.loc[draft.infusions["time"] > 0, "patient"]
    names = pd.Series(used["visit"].unique(), dtype="str")
    words = names.str.casefold()
    # "Baseline, 24 h post-dose" is a visit of the day of the infusion.
    early = names[words.str.contains(_BASELINE) & ~words.str.contains(_AFTER)]
    wrong = used["visit"].isin(early) & (used["time"] > 0.5)
    rows = used[wrong & ~used["patient"].isin(again)]

    def what(sample: Sample) -> str:
        return f"visit {sample['visit']!r} was on day {sample['time']:g}"

    todo = "Check the visit, the time and 'infusion_day' in study.toml."
    yield from each(rows, what, todo, column="time")
