"""Rules for infusions, doses and lots."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import names, patients

AN_HOUR = 1 / 24

ALONE = {5: 8.0, 3: 100.0}
"""By the number of doses, how many times off every other one a dose stands alone: dose
levels of a trial are seldom so far apart."""


@check
def infusions_not_at_zero(draft: Draft) -> Iterator[Problem]:
    """Find patients whose first infusion is not at time 0."""
    first = draft.infusions.groupby("patient")["time"].min()
    for patient, day in first[first.abs() > AN_HOUR].items():
        what = "the first infusion is not at time 0"
        todo = "Check infusion_day in study.toml, and what the times count from."
        yield Problem(
            what, todo, "warning", patient=str(patient), column="time", value=f"{day:g}"
        )


@check
def infusions_missing(draft: Draft) -> Iterator[Problem]:
    """Find patients without an infusion though others have one."""
    infused = draft.infusions["patient"]
    patient = draft.patients["patient"]
    missing = patient[~patient.isin(infused)]
    if len(infused) and len(missing):
        what = f"no infusion is listed for {patients(len(missing))}: {names(missing)}"
        yield Problem(what, "Complete the infusions.", "warning")


@check
def infused_twice_at_once(draft: Draft) -> Iterator[Problem]:
    """Find patients with two infusions at one time."""
    again = draft.infusions[draft.infusions.duplicated(["patient", "time"])]
    for row in again.to_dict("records"):
        what = f"two infusions stand at day {row['time']:g}"
        todo = "Keep one, or give the parts of a dose their own times."
        yield Problem(what, todo, "warning", patient=row["patient"], column="time")


@check
def further_infusions(draft: Draft) -> Iterator[Problem]:
    """Find patients who were infused again."""
    again = draft.infusions.loc[draft.infusions["time"] > AN_HOUR]
    if len(again):
        days = f"from day {again['time'].min():g} to {again['time'].max():g}"
        what = f"{patients(again['patient'].nunique())} were infused again, {days}"
        what = f"{what}: {names(again['patient'])}".replace(
            "patient were", "patient was"
        )
        todo = "Nothing: what follows counts from the first infusion all the same."
        yield Problem(what, todo, "note", column="time")


@check
def mixed_dose_units(draft: Draft) -> Iterator[Problem]:
    """Find that doses were given in several units."""
    units = draft.infusions.loc[draft.infusions["dose"].notna(), "unit"]
    spelt = units.str.casefold().str.replace(" ", "", regex=False)
    if len(spelt.unique()) > 1:
        words = ", ".join(map(repr, units.drop_duplicates()))
        todo = "Give all doses in one unit: they are compared as they stand."
        what = f"doses are in {words}"
        yield Problem(what, todo, "warning", column="unit")


@check
def doses_alone(draft: Draft) -> Iterator[Problem]:
    """Find a dose that is ten times off every other one."""
    given = draft.infusions.dropna(subset="dose").sort_values("dose")
    for _, rows in given.groupby("unit"):
        times = next((times for n, times in ALONE.items() if len(rows) >= n), np.inf)
        gap = np.diff(np.log(rows["dose"])) >= np.log(times)
        for place in (0, -1) if gap.any() else ():
            if gap[place]:
                yield _alone(rows.iloc[place])


def _alone(infusion: pd.Series) -> Problem:
    return Problem(
        "the dose is far from that of every other infusion",
        "Check the dose and its unit.",
        "warning",
        patient=infusion["patient"],
        column="dose",
        value=f"{infusion['dose']:g} {infusion['unit']}".strip(),
    )


@check
def doses_missing(draft: Draft) -> Iterator[Problem]:
    """Find infusions without a dose though others have one."""
    yield from _incomplete(draft, "dose")


@check
def lots_missing(draft: Draft) -> Iterator[Problem]:
    """Find infusions without a lot though others have one."""
    yield from _incomplete(draft, "lot")


def _incomplete(draft: Draft, column: str) -> Iterator[Problem]:
    values = draft.infusions[column].replace("", np.nan)
    missing = draft.infusions.loc[values.isna(), "patient"]
    if 0 < len(missing) < len(values):
        what = f"no {column} is given for {patients(missing.nunique())}"
        todo = f"Complete the {column}s."
        yield Problem(f"{what}: {names(missing)}", todo, "warning", column=column)
