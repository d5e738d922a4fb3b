"""Rules for the times of samples."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import Sample, by_assay, each, told

OFF_SCHEDULE = 3.0
"""Days that a sample may be off its visit before anybody is asked."""

LONGEST = 16 * 365.25
"""Days; gene-modified cells are followed for 15 years."""

ORDERED = 0.05
"""Up to this share of steps back in time, the rows of a file count as ordered."""

ENOUGH_STEPS = 20
"""Steps from row to row from which on an order can be told."""


@check
def before_infusion(draft: Draft) -> Iterator[Problem]:
    """Find samples that were taken before the infusion."""
    samples = draft.used
    for _, rows, some, _ in by_assay(samples[samples["time"] < 0]):
        verb = "stands" if len(rows) == 1 else "stand"
        what = f"{some} {verb} before the infusion"
        todo = "Nothing, if they are baseline samples."
        yield told(rows, what, todo, severity="note")


@check
def car_t_before_infusion(draft: Draft) -> Iterator[Problem]:
    """Find CAR-T cells or transgene at or before the infusion."""
    samples = draft.used
    kinetics = draft.kinetic_assays
    found = samples["state"].isin(["quantified", "detected", "above"])
    early = samples["assay"].isin(kinetics) & (samples["time"] <= 0) & found
    todo = "Look for an earlier CAR-T product, a mixed-up tube or a wrong time."

    def what(sample: Sample) -> str:
        return f"{sample['assay']} is positive at or before the infusion"

    yield from each(samples[early], what, todo)


@check
def off_schedule(draft: Draft) -> Iterator[Problem]:
    """Find samples that lie days off their visit and nearer to another one."""
    # The visits of a patient who was infused again may count from either infusion.
    again = draft.infusions.loc[draft.infusions["time"] > 0, "patient"]
    named = pd.Series(draft.visit_day).mask(draft.used["patient"].isin(again))
    days = draft.used["nominal_time"].fillna(named)
    planned = draft.used.assign(nominal_time=days).dropna(subset="nominal_time")

    def what(sample: Sample) -> str:
        assay, visit, day = (sample[n] for n in ("assay", "nominal_time", "time"))
        return f"the {assay} sample of visit day {visit:g} was taken on day {day:g}"

    for _, rows in planned.groupby("assay", sort=False):
        visits = np.unique(rows["nominal_time"])
        middles = (visits[1:] + visits[:-1]) / 2
        nearest = visits[np.searchsorted(middles, rows["time"])]
        away = (rows["time"] - rows["nominal_time"]).abs()
        wrong = (away > OFF_SCHEDULE) & (nearest != rows["nominal_time"])
        yield from each(rows[wrong], what, "Check the visit and the time.")


@check
def years_after_infusion(draft: Draft) -> Iterator[Problem]:
    """Find samples later than the 15 years for which anybody is followed."""
    samples = draft.used
    for _, rows, some, verb in by_assay(samples[samples["time"].abs() > LONGEST]):
        years = rows["time"].abs().max() / 365.25
        what = f"{some} {verb} up to {years:.0f} years away from the infusion"
        todo = "Check 'time_unit', and that the column holds times and not dates."
        yield told(rows, what, todo)


@check
def out_of_order(draft: Draft) -> Iterator[Problem]:
    """Find single times that go back, in a file whose rows go forward in time."""
    used = draft.used
    file = pd.factorize(used["file"])[0]
    order = np.lexsort((used["row"], file, draft.series))
    series, file = draft.series[order], file[order]
    time, row = used["time"].to_numpy()[order], used["row"].to_numpy()[order]
    step = (series[1:] == series[:-1]) & (file[1:] == file[:-1])
    back = step & (time[1:] < time[:-1])
    steps, wrong = np.bincount(file[1:][step]), file[1:][back]
    share = np.bincount(wrong, minlength=len(steps)) / np.maximum(steps, 1)
    ordered = (steps >= ENOUGH_STEPS) & (share <= ORDERED)
    here = np.flatnonzero(back)[ordered[wrong]]
    rows = used.iloc[order[here + 1]].assign(earlier=row[here], was=time[here])

    def what(sample: Sample) -> str:
        was = f"row {sample['earlier']} (day {sample['was']:g})"
        return f"the time goes back behind that of {was}, where others go forward"

    yield from each(rows, what, "Check both times.", column="time")
