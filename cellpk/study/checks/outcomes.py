"""Rules for what was assessed in patients."""

import re
from collections.abc import Iterator

import pandas as pd

from cellpk.errors import Problem
from cellpk.study.assessments import ASSESSMENTS
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import names, patients

A_DAY = 1.0

_SCALES = ("ctcae", "astct", "asbmt", "lee", "penn", "cartox", "imwg", "lugano")
_FINAL = ("death", "progression")


@check
def outcomes_before_infusion(draft: Draft) -> Iterator[Problem]:
    """Find outcomes that were assessed before the infusion."""
    outcomes = draft.outcomes
    for row in outcomes[outcomes["time"] < 0].to_dict("records"):
        what = f"{row['endpoint']!r} was assessed before the infusion"
        patient, day = row["patient"], f"{row['time']:g}"
        yield Problem(
            what, "Check it.", "warning", patient=patient, column="time", value=day
        )


@check
def missing_outcomes(draft: Draft) -> Iterator[Problem]:
    """Find patients without an outcome that everybody should have."""
    patient = draft.patients["patient"]
    for endpoint, rows in draft.outcomes.groupby("endpoint"):
        missing = patient[~patient.isin(rows["patient"])]
        if len(missing) and ASSESSMENTS[str(endpoint)].of_everyone:
            share = f"{len(missing)} of {patients(len(patient))}"
            yield Problem(
                f"{endpoint!r} is missing for {share}: {names(missing)}",
                "Nothing, if it was not assessed: analyses of it leave them out.",
                "warning",
                patient=missing.iloc[0] if len(missing) == 1 else "",
                column="value",
            )


def scale(criteria: str) -> str:
    """Return which scale some criteria mean, whatever their version.

    Examples
    --------
    >>> scale("NCI CTCAE v5.0"), scale("ASTCT 2019"), scale("Local scale, 2.1")
    ('ctcae', 'astct', 'local scale')
    """
    words = re.findall(r"[^\W\d_]+", criteria.casefold())
    known = [name for name in _SCALES if name in words]
    return known[0] if known else " ".join(words)


@check
def mixed_criteria(draft: Draft) -> Iterator[Problem]:
    """Find kinds of outcome that were assessed by criteria of different scales."""
    rows = draft.outcomes[draft.outcomes["criteria"] != ""]
    for endpoint, group in rows.groupby("endpoint"):
        scales = group["criteria"].map(scale)
        if len(scales.unique()) > 1:
            words = " and ".join(map(repr, group["criteria"].drop_duplicates()))
            what = f"{endpoint!r} was assessed by {words}"
            todo = "Keep the values of one of them: they do not mean the same."
            yield Problem(what, todo, "warning", column="criteria")


@check
def several_evaluators(draft: Draft) -> Iterator[Problem]:
    """Find kinds of outcome that were assessed by several evaluators."""
    for endpoint, words in draft.outcomes.groupby("endpoint")["evaluator"]:
        each = [word or "nobody named" for word in words.unique()]
        if len(each) > 1:
            what = f"{endpoint!r} was assessed by several evaluators: {', '.join(each)}"
            todo = "Keep the values of one; for SDTM and ADaM, 'evaluator' says whose."
            yield Problem(what, todo, "warning", column="evaluator")


@check
def several_values_at_once(draft: Draft) -> Iterator[Problem]:
    """Find patients with two values of one outcome at the same time."""
    key = ["patient", "endpoint", "time", "criteria", "evaluator"]
    rows = draft.outcomes.dropna(subset="time").drop_duplicates([*key, "value"])
    rows = rows[rows.duplicated(key, keep=False)]
    for (patient, endpoint, day, *_), group in rows.groupby(key, sort=False):
        values = " and ".join(map(repr, group["value"]))
        what = f"{endpoint!r} is {values} on day {day:g}"
        todo = "Keep one, or say who assessed each and by which criteria."
        yield Problem(what, todo, "warning", patient=str(patient), column="value")


@check
def best_response_contradicted(draft: Draft) -> Iterator[Problem]:
    """Find best responses that are not the best of the patient's assessments."""
    rank = {name: i for i, name in enumerate(ASSESSMENTS["response"].values)}
    rank.pop("NE")
    rows = draft.outcomes.assign(rank=draft.outcomes["value"].map(rank))
    rows = rows.dropna(subset="rank")
    assessed = rows[rows["endpoint"] == "response"].groupby("patient")["rank"].min()
    best = rows[rows["endpoint"] == "best_response"]
    best = best.assign(assessed=best["patient"].map(assessed).astype("float64")).dropna(
        subset="assessed"
    )
    values = list(rank)
    for row in best[best["rank"] != best["assessed"]].to_dict("records"):
        better = row["rank"] < row["assessed"]
        what = f"the best response is {row['value']}, the best assessment "
        todo = "Complete the assessments, or correct one." if better else _UNCONFIRMED
        yield Problem(
            f"{what}{values[int(row['assessed'])]}",
            todo,
            "warning" if better else "note",
            patient=row["patient"],
            column="value",
            value=row["value"],
        )


_UNCONFIRMED = "Nothing, if the better assessment was not confirmed."


@check
def progressions_contradicted(draft: Draft) -> Iterator[Problem]:
    """Find progressions that the responses contradict, as where CNSR is reversed."""
    rows = draft.outcomes[["patient", "endpoint", "value", "time"]].dropna()
    said = rows[rows["endpoint"] == "progression"]
    responses = rows[(rows["endpoint"] == "response") & (rows["value"] != "NE")]
    pairs = said.merge(responses, on="patient", suffixes=("", "_response"))
    worse = pairs["value_response"] == "PD"
    unsaid = (pairs["value"] == "0") & worse & (pairs["time_response"] <= pairs["time"])
    untrue = (
        (pairs["value"] == "1") & ~worse & (pairs["time_response"] == pairs["time"])
    )
    for row in pairs[unsaid | untrue].drop_duplicates("patient").to_dict("records"):
        what = (
            f"progression is {row['value']} on day {row['time']:g}, but the response "
        )
        what += f"is {row['value_response']} on day {row['time_response']:g}"
        todo = "Correct the one that is wrong: 1 is an event, where CNSR of ADaM is 0."
        yield Problem(
            what,
            todo,
            "warning",
            patient=row["patient"],
            column="value",
            value=row["value"],
        )


@check
def events_after_death(draft: Draft) -> Iterator[Problem]:
    """Find samples, infusions, drugs and outcomes later than the patient's death."""
    outcomes = draft.outcomes
    died = (outcomes["endpoint"] == "death") & (outcomes["value"] == "1")
    day = outcomes[died].groupby("patient")["time"].min().dropna()
    if day.empty:
        return
    tables = {
        "samples": draft.used,
        "infusions": draft.infusions,
        "drugs": draft.comedication,
        "outcomes": outcomes[outcomes["endpoint"] != "death"],
    }
    for name, table in tables.items():
        rows = table[table["patient"].isin(day.index)]
        rows = rows.assign(death=rows["patient"].map(day).astype("float64"))
        late = rows[rows["time"] > rows["death"] + A_DAY]
        for patient, group in late.groupby("patient", sort=False):
            last, death = group["time"].max(), group["death"].iloc[0]
            what = f"{name} ({len(group)}) stand up to day {last:g}, after the death"
            yield Problem(
                f"{what} on day {death:g}",
                "Check the times.",
                "warning",
                patient=str(patient),
                column="time",
            )


@check
def untimed_events(draft: Draft) -> Iterator[Problem]:
    """Find deaths and progressions without a time, and grades where most have one."""
    outcomes = draft.outcomes
    happened = pd.to_numeric(outcomes["value"], errors="coerce") > 0
    for endpoint, rows in outcomes[happened].groupby("endpoint"):
        untimed = rows[rows["time"].isna()]
        wanted = endpoint in _FINAL or len(untimed) <= len(rows) / 2
        if len(untimed) and wanted:
            several = patients(untimed["patient"].nunique())
            what = f"{endpoint!r} has no time in {several}: {names(untimed['patient'])}"
            todo = "Give the time: analyses of times to events leave them out."
            yield Problem(what, todo, "warning", column="time")
