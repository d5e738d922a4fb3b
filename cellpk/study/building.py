"""From delivered tables to the tables of a study, or to one list of what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.assays import ASSAYS
from cellpk.study.checks import Draft, doubts
from cellpk.study.clinical import (
    comedication_of,
    infusions_of,
    once_each,
    outcomes_of,
    patients_of,
    with_types,
)
from cellpk.study.columns import COLUMNS, ORDER, empty
from cellpk.study.config import Settings
from cellpk.study.samples import samples_of, without_duplicates
from cellpk.study.sheet import Sheet

Sheets = Mapping[str, Sequence[Sheet]]
Reader = Callable[[Sheet, Any], pd.DataFrame]


def build(
    sheets: Sheets, settings: Settings, problems: Sequence[Problem] = ()
) -> dict[str, pd.DataFrame]:
    """Make the six tables of a study from its delivered tables.

    Parameters
    ----------
    sheets : mapping
        By table, what was delivered; any number of sheets each.
    settings : Settings
        The resolved study.toml.
    problems : sequence of Problem
        What was impossible before, as a file that is not there.

    Returns
    -------
    dict of DataFrame
        samples, infusions, patients, comedication, outcomes and problems, as
        ``COLUMNS`` says, sorted.

    Raises
    ------
    DataError
        Listing everything impossible in all delivered tables.

    Examples
    --------
    >>> from cellpk.study.config import SamplesFile, settings_of
    >>> frame = pd.DataFrame({"patient": [1], "time": [7], "level": ["BLQ"]})
    >>> sheet = Sheet.of_frame(frame, SamplesFile(file="samples", assay="qpcr"))
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> build({"samples": [sheet]}, settings)["samples"]["state"].tolist()
    ['below']
    """
    found = list(problems)
    for sheet in (sheet for group in sheets.values() for sheet in group):
        found += sheet.problems
        sheet.problems = found
        sheet.infusion_day = settings.study.infusion_day

    def samples(sheet: Sheet, section: Any) -> pd.DataFrame:
        return samples_of(sheet, section, settings.limits)

    readers: dict[str, Reader] = {
        "samples": samples,
        "patients": patients_of,
        "infusions": infusions_of,
        "comedication": comedication_of,
        "outcomes": outcomes_of,
    }
    tables = {
        name: _joined(name, [reader(s, s.section) for s in sheets.get(name, ())])
        for name, reader in readers.items()
    }
    tables["samples"] = without_duplicates(tables["samples"], found)
    for sheet in sheets.get("outcomes", ())[:1]:
        once_each(tables["outcomes"], found, file=sheet.section.file)
    if not found:
        found += _not_in_study(tables["samples"], settings)
    if found:
        # A file that is read for several tables says the same of itself each time.
        raise DataError(list(dict.fromkeys(found)))
    tables["patients"] = with_types(_everyone(tables))
    tables = {name: _sorted(name, table) for name, table in tables.items()}
    return {**tables, "problems": doubts(Draft(**tables, settings=settings))}


def _joined(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the parts of a table below each other, with the types of the contract."""
    rows = [part for part in parts if len(part)]
    table = pd.concat(rows, ignore_index=True) if rows else empty(name)
    return table.astype(dict(COLUMNS[name]))


def _everyone(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the patients table with a row for whoever stands in another table."""
    listed = tables["patients"]
    named = pd.concat([table["patient"] for table in tables.values()]).unique()
    others = pd.DataFrame({"patient": named}, dtype="str")
    others = others[~others["patient"].isin(listed["patient"])]
    return pd.concat([listed, others], ignore_index=True)


def _sorted(name: str, table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(ORDER[name], kind="stable", ignore_index=True)


def _not_in_study(samples: pd.DataFrame, settings: Settings) -> list[Problem]:
    """Report what the settings ask for and the study does not hold."""
    if samples.empty:
        todo = "Give at least one file with samples under [[samples]]."
        where = settings.study.id
        return [Problem(f"study {where!r} has no samples", todo)]
    assay, there = settings.analysis.assay, samples["assay"].unique()
    if assay and assay not in there:
        what = "the study has no samples of the assay to analyse"
        known = [name for name in ASSAYS if name in there]
        place = "analysis.assay"
        return [Problem(what, nearest(assay, known), column=place, value=assay)]
    return []
