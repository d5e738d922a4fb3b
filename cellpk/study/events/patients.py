"""From rows of events to one row per patient: covariates, and who has no event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.delivery import Delivery
from cellpk.study.events.levels import with_numbers
from cellpk.study.events.records import Events, Records
from cellpk.study.events.samples import part
from cellpk.study.events.section import PASSED, named_like
from cellpk.study.file_sections import PatientsFile
from cellpk.study.sheet import LISTED, Mask


@dataclass(frozen=True)
class Opened:
    """A file of event records and what its rows are.

    Examples
    --------
    >>> [name for name in Opened.__dataclass_fields__]
    ['records', 'events']
    """

    records: Records
    events: Events


def add_patients(files: Sequence[Opened], delivery: Delivery, *, listed: bool) -> None:
    """Deliver one row per patient of all files: covariates, first value each.

    A column without another use is a covariate where it is constant within every
    patient. One that changes is left out, unless ``covariates`` names it: then the
    first value of each patient counts. Both are doubts. A patient of whom there is
    neither a sample nor a dose is delivered too, by the first row with EVID 2.

    Parameters
    ----------
    files : sequence of Opened
        The files of one section.
    delivery : Delivery
        Where the patients are added.
    listed : bool
        Whether the study has a table of patients of its own; these are then left to it.

    Examples
    --------
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [0, 7], "DV": 3, "AGE": 61})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> delivery = Delivery()
    >>> records = opened(Grid.of_frame(frame, file="a"), section, delivery)
    >>> file = Opened(records, events_of(records, both=False))
    >>> add_patients([file], delivery, listed=False)
    >>> delivery.sheets["patients"][0].cells.to_dict("records")
    [{'ID': '1', 'AGE': '61'}]
    """
    if not files:
        return
    section = files[0].records.section
    if listed and section.covariates:
        what = "covariates are read from [patients] and, by 'covariates', from [[data]]"
        file, value = section.files[0], ", ".join(section.covariates)
        todo = "Take one of them out of study.toml."
        delivery.problems.append(Problem(what, todo, file=file, value=value))
    named = _columns(files, delivery)
    if listed:
        _left_to_patients(files, named)
        return
    long = _long(files, named)
    names = [name for name in named if _is_covariate(files, long, name)]
    first = _first(long, names)
    rest = long[long["patient"] != ""]
    if not names:
        rest = rest[~rest["known"]]
    # The first sample or infusion carries the patient; where there is none, any row.
    rest = rest.assign(late=rest["known"] & ~rest["used"])
    chosen = rest.sort_values("late", kind="stable").drop_duplicates("patient")
    for number, file in enumerate(files):
        rows = np.zeros(len(file.records), dtype=bool)
        rows[chosen.loc[chosen["file"] == number, "row"]] = True
        if rows.any():
            _add(file, delivery, rows, first)


def _columns(files: Sequence[Opened], delivery: Delivery) -> dict[str, set[str]]:
    """Return, by our name of each covariate, what the files call its column."""
    section = files[0].records.section
    named: dict[str, set[str]] = {}
    there: set[str] = set()
    for file in files:
        records = file.records
        columns = [str(name) for name in records.grid.cells.columns]
        there |= set(columns)
        used = set(records.headers.values())
        if section.covariates is None:
            for name in columns:
                if name and name not in used and name.casefold() not in PASSED:
                    named.setdefault(name, set()).add(name)
        else:
            for name, header in section.covariates.items():
                named.setdefault(name, set()).update({named_like(header, columns)})
    named = {name: headers - {""} for name, headers in named.items()}
    for name in [name for name, headers in named.items() if not headers]:
        header = (section.covariates or {})[name]
        file = files[0].records.grid.file
        what, todo = f"there is no column {header!r}", nearest(header, there)
        problem = Problem(what, todo, file=file, column=header)
        delivery.problems.append(problem)
    return {name: headers for name, headers in named.items() if headers}


def _left_to_patients(files: Sequence[Opened], named: Mapping[str, set[str]]) -> None:
    if named and files[0].records.section.covariates is None:
        records = files[0].records
        what = f"{', '.join(named)}: not read, since covariates stand in [patients]"
        todo = "Nothing, if they are the same; else list them under 'covariates'."
        problem = Problem(what, todo, "note", file=records.grid.file)
        records.delivery.doubts.append(problem)


def _long(files: Sequence[Opened], named: Mapping[str, set[str]]) -> pd.DataFrame:
    """Return all rows of all files: patient, covariates, and what the rows are."""
    parts: list[pd.DataFrame] = []
    for number, file in enumerate(files):
        records = file.records
        columns = {"patient": records.text("patient")}
        # The sign keeps a covariate called 'row' apart from our own columns.
        for name, headers in named.items():
            here = [h for h in headers if h in records.grid.cells.columns]
            blank = pd.Series([""] * len(records), dtype="str")
            columns[f"={name}"] = records.cells(here[0]) if here else blank
        frame = pd.DataFrame(columns)
        parts.append(
            frame.assign(file=number, row=range(len(records)), used=~file.events.others)
        )
    long = pd.concat(parts, ignore_index=True)
    return long.assign(known=long.groupby("patient")["used"].transform("any"))


def _first(long: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the first value of each patient and covariate that is not blank."""
    columns: dict[str, pd.Series] = {}
    for name in names:
        there = long[long[f"={name}"] != ""].drop_duplicates("patient")
        columns[name] = pd.Series(there[f"={name}"].to_numpy(), index=there["patient"])
    return pd.DataFrame(columns, dtype="str")


def _is_covariate(files: Sequence[Opened], long: pd.DataFrame, name: str) -> bool:
    """Tell whether a column is read, and say so where it cannot be read as it is."""
    records = files[0].records
    said = records.section.covariates is not None
    pairs = pd.DataFrame({"patient": long["patient"], "word": long[f"={name}"]})
    pairs = pairs[pairs["word"] != ""].drop_duplicates()
    # 70 and 70.0 are one value.
    number = parsing.numbers(pairs["word"])
    word = with_numbers(pairs["word"], np.isfinite(number), number).to_numpy()
    kinds = pairs.assign(word=word).groupby("patient")["word"].nunique()
    changing = list(kinds[kinds > 1].index)
    what = todo = ""
    if changing:
        some = ", ".join(map(str, changing[:LISTED]))
        some += " ..." if len(changing) > LISTED else ""
        within = "a patient" if len(changing) == 1 else f"{len(changing)} patients"
        what = f"{name} changes within {within} ({some})"
        what += ": the first value is taken" if said else ": it is not read"
        todo = (
            f"Name it under 'covariates' to take the first values: {name} = {name!r}."
        )
        todo = "Nothing, if the first value is the baseline." if said else todo
    elif not (name.isidentifier() and name.isascii()) or name == "patient":
        what = f"{name!r} is not read: a covariate needs a name of ASCII letters"
        todo = "Map it to such a name under 'covariates' in [[data]]."
    if what:
        file = records.grid.file
        problem = Problem(what, todo, "warning", file=file, column=name)
        records.delivery.doubts.append(problem)
    return said or not what


def _add(file: Opened, delivery: Delivery, rows: Mask, first: pd.DataFrame) -> None:
    records = file.records
    patient = records.headers["patient"]
    patients = records.text("patient")
    names = [str(name) for name in first.columns]
    # The names of covariates are ours; the patient's column may have one of them.
    header = patient if patient not in names else f"{patient} "
    columns = {"patient": patients}
    columns |= {n: patients.map(first[n]).astype("str").fillna("") for n in names}
    section = PatientsFile.model_construct(
        file=records.grid.file,
        columns={"patient": header, **{name: name for name in names}},
    )
    sheet = part(records, columns, section, rows=rows)
    # Rows that are samples or infusions too are accounted for as these.
    sheet.set_aside(~file.events.others[rows], "")
    delivery.add("patients", sheet)
