"""Rules for units: of levels as they were delivered, of shares, of temperatures."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import by_assay, names, patients, told
from cellpk.study.units import factor

FEWEST = 3
"""Rows on either side from which on a unit is said to change."""

FEW_LEVELS = 10
"""Levels from which on something is said of all of them."""

COPIES_PER_CELL = 20
MOST_COPIES = COPIES_PER_CELL * 1e6 / 6.6
"""Copies/ug of DNA, of 6.6 pg in a diploid cell, that no patient's cells hold: products
are released with five vector copies per cell or fewer."""

FAHRENHEIT = (95.0, 110.0)
"""What a body's temperature can be in degrees Fahrenheit, and in none of Celsius."""


def _delivered(draft: Draft) -> pd.DataFrame:
    """Return the used samples of assays that came in several units, with a ``kind``.

    Two spellings of one unit are of one kind.
    """
    used = draft.used[draft.used["reported_unit"] != ""]
    pairs = used[["assay", "reported_unit"]].drop_duplicates()
    known = draft.settings.known_assays
    pairs["kind"] = [
        str(factor(word, known[assay].unit) or word.casefold())
        for assay, word in pairs.itertuples(index=False)
    ]
    kinds = pairs.drop_duplicates(["assay", "kind"])
    pairs = pairs[pairs["assay"].isin(kinds.loc[kinds.duplicated("assay"), "assay"])]
    if pairs.empty:
        return used.iloc[:0].assign(kind="")
    used = used[used["assay"].isin(pairs["assay"])]
    return used.merge(pairs, on=["assay", "reported_unit"])


def _words(rows: pd.DataFrame) -> str:
    return " and ".join(map(repr, dict.fromkeys(rows["reported_unit"])))


@check
def mixed_units(draft: Draft) -> Iterator[Problem]:
    """Find series of one patient that were delivered in several units."""
    rows = _delivered(draft)
    series = ["patient", "assay", "specimen"]
    mixed = rows[rows.groupby(series)["kind"].transform("nunique") > 1]
    todo = "Nothing, if the unit of each row is right: levels are brought to one unit."
    for assay, group in mixed.groupby("assay", sort=False):
        several = patients(group["patient"].nunique())
        what = f"levels of {assay} came in {_words(group)} for {several}"
        yield Problem(
            f"{what}: {names(group['patient'])}", todo, "warning", column="unit"
        )


@check
def unit_changes_at_a_row(draft: Draft) -> Iterator[Problem]:
    """Find that the unit of an assay changes at one row of a file, for good."""
    for (file, assay), group in _delivered(draft).groupby(["file", "assay"]):
        rows = group.sort_values("row")
        change = np.flatnonzero((rows["kind"] != rows["kind"].shift()).to_numpy()[1:])
        if len(change) != 1 or not FEWEST <= change[0] + 1 <= len(rows) - FEWEST:
            continue
        first = rows.iloc[change[0] + 1]
        before = rows["reported_unit"].iloc[change[0]]
        what = f"from here on {assay} is in {first['reported_unit']!r}, not {before!r}"
        todo = "Check that the levels change with the unit."
        row, value = int(first["row"]), first["reported_unit"]
        yield Problem(
            what, todo, "warning", file=str(file), row=row, column="unit", value=value
        )


@check
def shares_above_all(draft: Draft) -> Iterator[Problem]:
    """Find shares above 100 %."""
    samples = draft.used
    over = samples[(samples["unit"] == "%") & (samples["level"] > 100)]
    for _, rows, some, verb in by_assay(over):
        what = f"{some} {verb} above 100 %"
        yield told(rows, what, "Check the level and its unit.")


@check
def copies_beyond_the_dna(draft: Draft) -> Iterator[Problem]:
    """Find more copies than the DNA holds if every cell had twenty."""
    samples = draft.kinetic[draft.kinetic["unit"] == "copies/ug"]
    for _, rows, some, verb in by_assay(samples[samples["level"] > MOST_COPIES]):
        what = f"{some} {verb} above {MOST_COPIES:,.0f} copies/ug, {COPIES_PER_CELL} "
        what += "copies in every cell"
        yield told(rows, what, "Check the unit: copies per ng, or per mL of blood?")


@check
def fractions_for_percent(draft: Draft) -> Iterator[Problem]:
    """Find shares that seem to be fractions though they are read as percent."""
    samples = draft.kinetic[draft.kinetic["unit"] == "%"]
    for assay, rows in samples.groupby("assay", sort=False):
        several = len(rows) >= FEW_LEVELS and rows["patient"].nunique() >= FEWEST
        if several and rows["level"].max() <= 1:
            what = f"no level of {assay} is above 1 %"
            todo = "If they are fractions, give the unit as 'fraction'."
            yield told(rows, what, todo)


@check
def fahrenheit(draft: Draft) -> Iterator[Problem]:
    """Find temperatures that seem to be in degrees Fahrenheit, not Celsius."""
    low, high = FAHRENHEIT
    todo = "Convert them, or state the unit under [units] in study.toml."
    for name in map(str, draft.patients.columns[1:]):
        unit = draft.settings.units.get(name, "")
        values = draft.patients[name]
        hot = name.casefold().startswith("temp") and "F" not in unit.upper()
        if hot and pd.api.types.is_numeric_dtype(values):
            wrong = draft.patients.loc[values.between(low, high), "patient"]
            if len(wrong):
                what = f"{name!r} is from {low:g} to {high:g} in {patients(len(wrong))}"
                what += f": {names(wrong)}"
                yield Problem(what, todo, "warning", column=name)
    samples = draft.quantified
    hot = samples["assay"].str.startswith("temp") & samples["level"].between(low, high)
    celsius = ~samples["unit"].str.upper().str.contains("F")
    for _, rows, some, verb in by_assay(samples[hot & celsius]):
        what = f"{some} {verb} from {low:g} to {high:g}"
        yield told(rows, what, "Convert them, or describe the assay in degF.")
