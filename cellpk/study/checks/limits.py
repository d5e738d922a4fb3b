"""Rules for limits of quantification and detection."""

from collections.abc import Iterator

import pandas as pd

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import by_assay, told
from cellpk.study.config import Limits

FEWEST = 10
"""Numbers of an assay from which on something is said of all of them."""

SAME = 1 + 1e-9
"""Limits that differ by less than this factor are one limit."""


def _numbers(rows: pd.DataFrame) -> pd.Series:
    """Return what was reported, where it is a number."""
    decimal = rows["reported"].str.replace(",", ".", regex=False)
    return pd.Series(parsing.numbers(decimal), index=rows.index)


@check
def unknown_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples below a limit that is not stated."""
    samples = draft.used
    unknown = samples["lloq"].isna() | samples["limit_assumed"]
    below = samples[(samples["state"] == "below") & unknown]
    for assay, rows, some, verb in by_assay(below):
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
        yield told(rows, what, todo)


@check
def unknown_upper_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples above a limit that is not stated."""
    samples = draft.used
    above = samples[(samples["state"] == "above") & samples["uloq"].isna()]
    for assay, rows, some, verb in by_assay(above):
        words = ", ".join(map(repr, sorted(rows["reported"].unique())))
        what = f"{some} {verb} reported as {words} with no upper limit stated"
        yield told(rows, what, f"State uloq under [limits.{assay}].")


@check
def detected_without_llod(draft: Draft) -> Iterator[Problem]:
    """Find samples that are detected below the limit though no LLOD is stated."""
    samples = draft.used
    detected = samples[(samples["state"] == "detected") & samples["llod"].isna()]
    for assay, rows, some, verb in by_assay(detected):
        what = f"{some} {verb} detected but not quantifiable, and no LLOD is stated"
        todo = (
            f"State llod under [limits.{assay}]: without it, fits take them as below."
        )
        yield told(rows, what, todo, severity="note")


@check
def numbers_beyond_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples with a number that lies beyond the limits of quantification."""
    samples = draft.used
    beyond = samples[samples["state"].isin(["below", "detected", "above"])]
    for _, rows, some, verb in by_assay(beyond[_numbers(beyond) > 0]):
        states = " or ".join(sorted(rows["state"].unique()))
        what = f"{some} {verb} reported as a number beyond a limit: read as {states}"
        todo = "Nothing, if the limits are right."
        yield told(rows, what, todo, severity="note")


@check
def limit_above_most_levels(draft: Draft) -> Iterator[Problem]:
    """Find assays of which most numbers lie below the limit of quantification."""
    samples = draft.used
    under = samples[samples["state"].isin(["below", "detected"])]
    under = under[_numbers(under) > 0]
    numbers = samples.loc[samples["state"] == "quantified", "assay"].value_counts()
    for assay, rows, some, verb in by_assay(under):
        total = len(rows) + int(numbers.get(assay, 0))
        if total >= FEWEST and len(rows) > total / 2:
            what = f"{some} {verb} a number below the limit, of {total} numbers in all"
            yield told(rows, what, "Check the limit and its unit.")


@check
def quantified_beyond_limits(draft: Draft) -> Iterator[Problem]:
    """Find samples that are called quantified though they lie beyond a limit."""
    samples = draft.used
    level = samples["level"]
    beyond = (level < samples["lloq"]) | (level > samples["uloq"])
    rows = samples[beyond & (samples["state"] == "quantified")]
    for _, group, some, verb in by_assay(rows):
        what = f"{some} {verb} called quantified but beyond a limit"
        yield told(group, what, "Correct the state or the limit.")


@check
def several_limits(draft: Draft) -> Iterator[Problem]:
    """Find assays whose limit of quantification differs between samples."""
    samples = draft.used[draft.used["lloq"].notna() & ~draft.used["limit_assumed"]]
    samples = samples[samples["derived"] == ""]  # else it goes with the cell counts
    for assay, rows in samples.groupby("assay", sort=False):
        low, high = rows["lloq"].min(), rows["lloq"].max()
        if high <= low * SAME:
            continue
        n = rows["lloq"].nunique()
        what = f"{assay} has {n} limits of quantification, from {low:g} to {high:g}"
        far = high >= 10 * low
        todo = "Check their units." if far else "Nothing, if each sample has its own."
        yield told(rows, what, todo, severity="warning" if far else "note")


@check
def texts_below_their_limit(draft: Draft) -> Iterator[Problem]:
    """Find texts such as '<20' of samples whose limit of quantification is higher."""
    samples = draft.used
    below = samples[(samples["state"] == "below") & samples["llod"].isna()]
    below = below[below["reported_unit"].isin(["", *below["unit"].unique()])]
    bound = parsing.levels(below["reported"].reset_index(drop=True))["bound"].to_numpy()
    for _, group, some, verb in by_assay(below[bound * SAME < below["lloq"]]):
        what = f"{some} {verb} reported as below a number that is less than its limit"
        todo = "If the text states the limit of detection, give it as llod."
        yield told(group, what, todo, severity="note")
