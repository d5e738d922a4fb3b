"""Rules for who is in the study."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check

MOST = 0.5
"""Above this share of numbers, a covariate is rather one of numbers than of words."""

NAMED = 3
"""Up to so many of the other values are named."""

_SPELLING = "Check the spelling of the patient in all tables."


@check
def unlisted_patients(draft: Draft) -> Iterator[Problem]:
    """Find patients of whom no baseline value is known though others have one."""
    patients = draft.patients
    if len(patients.columns) == 1:
        return
    unknown = patients.drop(columns="patient").isna().all(axis=1)
    for patient in patients.loc[unknown, "patient"]:
        what = "the patients table does not list this patient, or lists nothing else"
        yield Problem(what, _SPELLING, "warning", patient=patient)


@check
def patients_without_samples(draft: Draft) -> Iterator[Problem]:
    """Find patients without any usable sample, or without one of the main assay."""
    samples = draft.used
    known, there = draft.settings.known_assays, set(samples["assay"].unique())
    measured = [n for n in draft.kinetic_assays if n in there and not known[n].derived]
    main = draft.settings.analysis.assay or next(iter(measured), "")
    sampled = set(samples["patient"].unique())
    of_main = set(samples.loc[samples["assay"] == main, "patient"].unique())
    for patient in draft.patients["patient"]:
        if patient not in sampled:
            yield Problem("no usable sample", _SPELLING, "warning", patient=patient)
        elif main and patient not in of_main:
            what = f"no usable sample of the main assay, {main}"
            todo = f"Nothing, if none was taken: {main} metrics leave the patient out."
            yield Problem(what, todo, "warning", patient=patient)


@check
def covariates_partly_numbers(draft: Draft) -> Iterator[Problem]:
    """Find covariates that are read as words though most values are numbers."""
    patients = draft.patients
    for name in map(str, patients.columns[1:]):
        if pd.api.types.is_numeric_dtype(patients[name]):
            continue
        text = patients[name].dropna().astype("str").reset_index(drop=True)
        if text.empty:
            continue
        number = np.isfinite(parsing.numbers(text))
        comma = np.isfinite(parsing.numbers(text, decimal=",")) & ~number
        # Codes such as 007 are words.
        coded = text.str.match(r"[+-]?0\d").any()
        if coded or (number | comma).mean() <= MOST or number.all():
            continue
        odd = text[~number].unique()
        more = ", ..." if len(odd) > NAMED else ""
        what = f"{name!r} is read as words, since some of its values are no numbers: "
        what += ", ".join(map(repr, odd[:NAMED])) + more
        todo = "Correct or empty these cells, if it is a number."
        if comma.any():
            todo = "Say decimal = ',' of the file in study.toml, if they are numbers."
        yield Problem(what, todo, "warning", column=name)


def plain_id(patient: str) -> str:
    """Return what two spellings of one patient's number share.

    Examples
    --------
    >>> plain_id("P-01"), plain_id("p\N{EN DASH}1"), plain_id("1-11"), plain_id("111")
    ('p-1', 'p-1', '1-11', '111')
    """
    text = unicodedata.normalize("NFKC", patient).casefold()
    parts = re.split(r"[\W_]+", text)
    numbers = (re.sub(r"(?<!\d)0+(?=\d)", "", part) for part in parts if part)
    return "-".join(numbers)


@check
def look_alike_patients(draft: Draft) -> Iterator[Problem]:
    """Find patients whose numbers differ in case, dashes or leading zeros only."""
    patients = draft.patients["patient"]
    plain = pd.Series([plain_id(name) for name in patients], dtype="str")
    alike = plain.duplicated(keep=False) & (plain != "")
    for _, group in patients[alike.to_numpy(bool)].groupby(plain[alike], sort=False):
        words = " and ".join(map(repr, group))
        what = f"{words} look like one patient"
        todo = "Spell the patient the same everywhere, if it is one."
        yield Problem(what, todo, "warning", patient=group.iloc[-1], column="patient")
