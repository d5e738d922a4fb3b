"""From delivered tables to the tables of a study, or to one list of what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.accounting import account
from cellpk.study.checks import Draft, doubts
from cellpk.study.clinical import (
    comedication_of,
    infusions_of,
    once_each,
    one_row_each,
    outcomes_of,
    patients_of,
    with_types,
)
from cellpk.study.columns import COLUMNS, ORDER, empty
from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.samples import samples_of, without_duplicates
from cellpk.study.sheet import Sheet

Reader = Callable[[Sheet, Any], pd.DataFrame]


def build(delivery: Delivery, settings: Settings) -> dict[str, pd.DataFrame]:
    """Make the tables of a study from what was delivered.

    Parameters
    ----------
    delivery : Delivery
        By table, what was delivered, any number of sheets each; and what was
        impossible before, as a file that is not there.
    settings : Settings
        The resolved study.toml.

    Returns
    -------
    dict of DataFrame
        samples, infusions, patients, comedication, outcomes and problems, as
        ``COLUMNS`` says, sorted; and the accounting of all rows.

    Raises
    ------
    DataError
        Listing everything impossible in all delivered tables.

    Examples
    --------
    >>> from cellpk.study.config import settings_of
    >>> from cellpk.study.file_sections import SamplesFile
    >>> frame = pd.DataFrame({"patient": [1], "time": [7], "level": ["BLQ"]})
    >>> sheet = Sheet.of_frame(frame, SamplesFile(file="samples", assay="qpcr"))
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> delivery = Delivery()
    >>> delivery.add("samples", sheet)
    >>> build(delivery, settings)["samples"]["state"].tolist()
    ['below']
    """
    found = list(delivery.problems)
    for _, sheet in delivery.everything():
        found += sheet.problems
        sheet.problems = found
        sheet.infusion_day = settings.study.infusion_day

    def samples(sheet: Sheet, section: Any) -> pd.DataFrame:
        return samples_of(sheet, section, settings)

    readers: dict[str, Reader] = {
        "samples": samples,
        "patients": patients_of,
        "infusions": infusions_of,
        "comedication": comedication_of,
        "outcomes": outcomes_of,
    }
    parts = {
        name: [reader(sheet, sheet.section) for sheet in delivery.sheets[name]]
        for name, reader in readers.items()
    }
    parts["patients"] = [one_row_each(parts["patients"], found)]
    tables = {name: _joined(name, rows) for name, rows in parts.items()}
    tables["samples"] = without_duplicates(tables["samples"], found)
    for sheet in delivery.sheets["outcomes"][:1]:
        once_each(tables["outcomes"], found, file=sheet.section.file)
    if not found:
        found += _not_in_study(tables["samples"], settings)
    if found:
        # A file that is read for several tables says the same of itself each time.
        # What was doubtful in the files may be why something is impossible.
        doubtful = [doubt for doubt in delivery.doubts if doubt.severity == "warning"]
        raise DataError(list(dict.fromkeys([*found, *doubtful])))
    tables["patients"] = with_types(_everyone(tables))
    tables = {name: _sorted(name, table) for name, table in tables.items()}
    problems = doubts(Draft(**tables, settings=settings), delivery.doubts)
    accounting = account(delivery, tables["samples"])
    return {**tables, "problems": problems, "accounting": accounting}


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
        known = [name for name in settings.known_assays if name in there]
        place = "analysis.assay"
        return [Problem(what, nearest(assay, known), column=place, value=assay)]
    return []
