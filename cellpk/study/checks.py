"""What is doubtful in a study: one small function per doubt.

A check looks at the finished tables only, so that it finds the same in a study that
was written and read again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cellpk.errors import Problem, Severity
from cellpk.study import parsing
from cellpk.study.assessments import ASSESSMENTS
from cellpk.study.columns import COLUMNS
from cellpk.study.config import Limits, Settings


@dataclass(frozen=True)
class Draft:
    """A study whose problems are not known yet."""

    samples: pd.DataFrame
    infusions: pd.DataFrame
    patients: pd.DataFrame
    comedication: pd.DataFrame
    outcomes: pd.DataFrame
    settings: Settings

    @cached_property
    def used(self) -> pd.DataFrame:
        """The samples that are neither excluded nor without a result."""
        samples = self.samples
        return samples[~samples["excluded"] & (samples["state"] != "missing")]

    @cached_property
    def kinetic_assays(self) -> list[str]:
        """The assays that measure CAR-T cells or their transgene."""
        known = self.settings.known_assays
        return [name for name, assay in known.items() if assay.kinetics]


Check = Callable[[Draft], Iterator[Problem]]

CHECKS: list[Check] = []
"""Every check, in the order in which its findings are told."""

OFF_SCHEDULE = 3.0
"""Days that a sample may be off its visit before anybody is asked."""

AN_HOUR = 1 / 24
NAMED = 10
"""Up to so many patients are named in a sentence."""


def check(function: Check) -> Check:
    """Register a function that yields what it finds doubtful.

    Examples
    --------
    >>> @check
    ... def nobody(draft):
    ...     if draft.patients.empty:
    ...         yield Problem("there are no patients", "Look for them.")
    >>> CHECKS.pop() is nobody
    True
    """
    CHECKS.append(function)
    return function


def doubts(draft: Draft, known: Sequence[Problem] = ()) -> pd.DataFrame:
    """Return everything doubtful, warnings before notes.

    Parameters
    ----------
    draft : Draft
        The tables of a study, without problems, and its settings.
    known : sequence of Problem
        What was doubtful while the files were read.

    Returns
    -------
    DataFrame
        One row per doubt, as ``COLUMNS["problems"]`` says.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": [1, 2], "time": [-1, 7], "level": ["ND", 3]}
    >>> frame = pd.DataFrame(samples).assign(assay="flow", lloq=1)
    >>> ck.Study.from_frames(samples=frame).problems["what"].tolist()
    ['1 sample of flow stands before the infusion']
    """
    found = [*known, *(problem for look in CHECKS for problem in look(draft))]
    found.sort(key=lambda problem: problem.severity, reverse=True)
    rows = {
        name: [getattr(problem, name) for problem in found]
        for name in COLUMNS["problems"]
    }
    return pd.DataFrame(rows).astype(dict(COLUMNS["problems"]))


def _told(
    rows: pd.DataFrame, what: str, todo: str, *, severity: Severity = "warning"
) -> Problem:
    """Tell of some samples: with its place if it is one, else where all of them are."""
    one = rows.iloc[:1].to_dict("records")[0]
    if len(rows) == 1:
        return replace(_of_one(one, what, todo), severity=severity)
    file = one["file"] if (rows["file"] == one["file"]).all() else ""
    return Problem(what, todo, severity, file=file, column="level")


def _by_assay(samples: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """Yield each assay's samples and the words '3 samples of flow' and 'are'."""
    for name, rows in samples.groupby("assay", sort=False):
        word, verb = ("sample", "is") if len(rows) == 1 else ("samples", "are")
        yield str(name), rows, f"{len(rows)} {word} of {name}", verb


def _of_one(sample: dict[Any, Any], what: str, todo: str) -> Problem:
    """Tell of one sample, with its place."""
    return Problem(
        what,
        todo,
        "warning",
        file=sample["file"],
        row=int(sample["row"]),
        patient=sample["patient"],
        column="level",
        value=sample["reported"],
    )


def _patients(n: int) -> str:
    return "1 patient" if n == 1 else f"{n} patients"


def _names(patients: pd.Series) -> str:
    """Name some patients."""
    names = list(dict.fromkeys(patients))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


@check
def unknown_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples below a limit that is not stated."""
    samples = draft.used
    unknown = samples["lloq"].isna() | samples["limit_assumed"]
    below = samples[(samples["state"] == "below") & unknown]
    for assay, rows, some, verb in _by_assay(below):
        words = ", ".join(map(repr, sorted(rows["reported"].unique())))
        what = f"{some} {verb} reported as {words} with no limit stated: read as below"
        limits = draft.settings.limits.get(assay, Limits())
        assumed = rows.loc[rows["limit_assumed"], "lloq"].unique()
        todo = f"State lloq, or assumed_lloq and why, under [limits.{assay}]."
        if len(assumed):
            values = ", ".join(f"{value:g}" for value in assumed)
            unit = draft.settings.known_assays[assay].unit
            what += f"; fits take {values} {unit} as their limit, an assumption"
            what += f": {limits.why}" if limits.why else ""
            todo = f"State the limit under [limits.{assay}] if it is known."
        yield _told(rows, what, todo)


@check
def numbers_beyond_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples with a number that lies beyond the limits of quantification."""
    samples = draft.used
    beyond = samples["state"].isin(["below", "detected", "above"])
    decimal = samples["reported"].str.replace(",", ".", regex=False)
    number = parsing.numbers(decimal)
    for _, rows, some, verb in _by_assay(samples[beyond & (number > 0)]):
        states = " or ".join(sorted(rows["state"].unique()))
        what = f"{some} {verb} reported as a number beyond a limit: read as {states}"
        todo = "Nothing, if the limits are right."
        yield _told(rows, what, todo, severity="note")


@check
def quantified_beyond_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples that are called quantified though they lie beyond a limit."""
    samples = draft.used
    level = samples["level"]
    beyond = (level < samples["lloq"]) | (level > samples["uloq"])
    rows = samples[beyond & (samples["state"] == "quantified")]
    for _, group, some, verb in _by_assay(rows):
        what = f"{some} {verb} called quantified but beyond a limit"
        yield _told(group, what, "Correct the state or the limit.")


@check
def before_infusion(draft: Draft) -> Iterator[Problem]:
    """Find samples that were taken before the infusion."""
    samples = draft.used
    for _, rows, some, _ in _by_assay(samples[samples["time"] < 0]):
        verb = "stands" if len(rows) == 1 else "stand"
        what = f"{some} {verb} before the infusion"
        todo = "Nothing, if they are baseline samples."
        yield _told(rows, what, todo, severity="note")


@check
def car_t_before_infusion(draft: Draft) -> Iterator[Problem]:
    """Find CAR-T cells or transgene at or before the infusion."""
    samples = draft.used
    kinetics = draft.kinetic_assays
    found = samples["state"].isin(["quantified", "detected", "above"])
    early = samples["assay"].isin(kinetics) & (samples["time"] <= 0) & found
    todo = "Look for an earlier CAR-T product, a mixed-up tube or a wrong time."
    for sample in samples[early].to_dict("records"):
        what = f"{sample['assay']} is positive at or before the infusion"
        yield _of_one(sample, what, todo)


@check
def excluded_samples(draft: Draft) -> Iterator[Problem]:
    """Find samples that are excluded from every analysis."""
    samples = draft.samples
    for reason, rows in samples[samples["excluded"]].groupby("reason", sort=False):
        for _, group, some, verb in _by_assay(rows):
            what = f"{some} {verb} excluded: {reason}"
            yield _told(group, what, "Nothing, if the reason is right.")


@check
def missing_results(draft: Draft) -> Iterator[Problem]:
    """Find samples that were taken but have no result."""
    samples = draft.samples
    missing = (samples["state"] == "missing") & ~samples["excluded"]
    for _, rows, some, _ in _by_assay(samples[missing]):
        what = f"{some} without a result"
        yield _told(rows, what, "Nothing, if there is none.", severity="note")


@check
def off_schedule(draft: Draft) -> Iterator[Problem]:
    """Find samples that lie days off their visit and nearer to another one."""
    planned = draft.used.dropna(subset="nominal_time")
    for assay, rows in planned.groupby("assay", sort=False):
        visits = np.unique(rows["nominal_time"])
        middles = (visits[1:] + visits[:-1]) / 2
        nearest = visits[np.searchsorted(middles, rows["time"])]
        away = (rows["time"] - rows["nominal_time"]).abs()
        wrong = (away > OFF_SCHEDULE) & (nearest != rows["nominal_time"])
        for sample in rows[wrong].to_dict("records"):
            visit, day = sample["nominal_time"], sample["time"]
            what = f"the {assay} sample of visit day {visit:g} was taken on day {day:g}"
            yield _of_one(sample, what, "Check the visit and the time.")


@check
def no_car_t_assay(draft: Draft) -> Iterator[Problem]:
    """Find that nobody measured CAR-T cells or transgene."""
    there = draft.samples["assay"].unique()
    if not set(there) & set(draft.kinetic_assays):
        study = draft.settings.study.id
        what = f"study {study!r} has no assay of CAR-T cells or transgene"
        yield Problem(what, "Check the names of the assays.", "warning")


@check
def unlisted_patients(draft: Draft) -> Iterator[Problem]:
    """Find patients of whom no baseline value is known though others have one."""
    patients = draft.patients
    if len(patients.columns) == 1:
        return
    unknown = patients.drop(columns="patient").isna().all(axis=1)
    for patient in patients.loc[unknown, "patient"]:
        what = "the patients table does not list this patient, or lists nothing else"
        todo = "Check the spelling of the patient in all tables."
        yield Problem(what, todo, "warning", patient=patient)


@check
def patients_without_samples(draft: Draft) -> Iterator[Problem]:
    """Find patients without any usable sample, or without one of the main assay."""
    samples = draft.used
    there = [name for name in draft.kinetic_assays if (samples["assay"] == name).any()]
    main = draft.settings.analysis.assay or (there[0] if there else "")
    sampled = set(samples["patient"])
    of_main = set(samples.loc[samples["assay"] == main, "patient"])
    for patient in draft.patients["patient"]:
        if patient not in sampled:
            todo = "Check the spelling of the patient in all tables."
            yield Problem("no usable sample", todo, "warning", patient=patient)
        elif main and patient not in of_main:
            what = f"no usable sample of the main assay, {main}"
            todo = f"Nothing, if none was taken: {main} metrics leave the patient out."
            yield Problem(what, todo, "warning", patient=patient)


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
    patients = draft.patients["patient"]
    missing = patients[~patients.isin(infused)]
    if len(infused) and len(missing):
        what = f"no infusion is listed for {_patients(len(missing))}: {_names(missing)}"
        yield Problem(what, "Complete the infusions.", "warning")


@check
def untimed_comedication(draft: Draft) -> Iterator[Problem]:
    """Find drugs that were given at a time that is not known."""
    given = draft.comedication
    for drug, rows in given[given["time"].isna()].groupby("drug"):
        given_to = _patients(rows["patient"].nunique())
        what = f"{drug} was given to {given_to} at a time that is not known"
        todo = (
            "Give the times: what was measured before and after cannot be told apart."
        )
        yield Problem(what, todo, "warning", column="time")


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
    patients = draft.patients["patient"]
    for endpoint, rows in draft.outcomes.groupby("endpoint"):
        missing = patients[~patients.isin(rows["patient"])]
        if len(missing) and ASSESSMENTS[str(endpoint)].of_everyone:
            share = f"{len(missing)} of {_patients(len(patients))}"
            yield Problem(
                f"{endpoint!r} is missing for {share}: {_names(missing)}",
                "Nothing, if it was not assessed: analyses of it leave them out.",
                "warning",
                patient=missing.iloc[0] if len(missing) == 1 else "",
                column="value",
            )
