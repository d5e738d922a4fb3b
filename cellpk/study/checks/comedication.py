"""Rules for drugs given beside the product."""

from collections.abc import Iterator

import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import names, patients

LONG_BEFORE = 30.0
"""Days before the infusion; lymphodepletion and bridging are later."""


@check
def untimed_comedication(draft: Draft) -> Iterator[Problem]:
    """Find drugs that were given at a time that is not known."""
    given = draft.comedication
    for drug, rows in given[given["time"].isna()].groupby("drug"):
        given_to = patients(rows["patient"].nunique())
        what = f"{drug} was given to {given_to} at a time that is not known"
        todo = (
            "Give the times: what was measured before and after cannot be told apart."
        )
        yield Problem(what, todo, "warning", column="time")


@check
def comedication_ends_before_start(draft: Draft) -> Iterator[Problem]:
    """Find drugs whose last time is before their first."""
    given = draft.comedication
    for row in given[given["end_time"] < given["time"]].to_dict("records"):
        what = f"{row['drug']} ends on day {row['end_time']:g}, before day "
        yield Problem(
            f"{what}{row['time']:g}, on which it begins",
            "Correct the one that is wrong.",
            "warning",
            patient=row["patient"],
            column="end_time",
            value=f"{row['end_time']:g}",
        )


@check
def comedication_long_before(draft: Draft) -> Iterator[Problem]:
    """Find drugs that were given long before the infusion only."""
    given = draft.comedication
    last = given["end_time"].fillna(given["time"])
    for drug, rows in given[last < -LONG_BEFORE].groupby("drug"):
        given_to = patients(rows["patient"].nunique())
        first = -rows["time"].min()
        what = f"{drug} was given to {given_to} up to {first:g} days before"
        todo = "Nothing, if it is an earlier therapy; else check the times."
        yield Problem(what, todo, "note", column="time")


@check
def tocilizumab_without_crs(draft: Draft) -> Iterator[Problem]:
    """Find patients who got tocilizumab though no CRS of grade 1 or more is known."""
    rows = draft.outcomes[draft.outcomes["endpoint"] == "crs_grade"]
    if rows.empty:
        return
    treated = draft.comedication["drug"].str.contains("tocilizumab", regex=False)
    given = draft.comedication.loc[treated, "patient"].drop_duplicates()
    worst = pd.to_numeric(rows["value"]).groupby(rows["patient"]).max()
    grade = given.map(worst).astype("float64")
    for none, said in ((grade == 0, "no CRS"), (grade.isna(), "no grade of CRS")):
        if none.any():
            several = patients(int(none.sum()))
            what = f"tocilizumab was given to {several} with {said}: "
            todo = "Nothing, if it was given for another reason; else ask."
            yield Problem(what + names(given[none]), todo, "note", column="drug")
