"""The beginning of a study.toml: what lies in a folder, and what is left to say."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.study.assays import ASSAYS
from cellpk.study.columns import COLUMNS
from cellpk.study.containers import containers, read_grid
from cellpk.study.delivery import TABLES
from cellpk.study.exchange import formats
from cellpk.study.grid import Grid
from cellpk.study.toml_text import toml_inline, toml_lines, toml_value

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "patient": (
        *("patient", "id", "usubjid", "subjid", "subject", "patientid", "pt", "ptid"),
        *("subjectid", "subjectno", "subjectnumber", "subjectidentifier"),
        *("patientno", "patientnumber", "uniquesubjectidentifier"),
    ),
    "time": (
        *("time", "day", "days", "tafd", "ady", "studyday", "timeday", "timedays"),
        *("relativeday", "relday", "dayssinceinfusion", "daysafterinfusion"),
        *("actualday", "actualtime"),
        *("hour", "hours", "timehour", "timehours", "timeh", "hoursafterinfusion"),
    ),
    "nominal_time": ("nominaltime", "nomday", "nominalday", "ntime", "nday", "nomtime"),
    "visit": ("visit", "visitname", "timepoint"),
    "level": ("level", "dv", "value", "result", "conc", "aval", "concentration"),
    "unit": ("unit", "units"),
    "assay": ("assay", "analyte", "test", "marker", "dvname", "testname", "parameter"),
    "specimen": ("specimen", "matrix", "sampletype"),
    "lloq": ("lloq", "loq"),
    "llod": ("llod", "lod"),
    "uloq": ("uloq",),
    "dose": ("dose", "cells", "amt"),
    "lot": ("lot", "batch", "donor", "lotnumber"),
    "drug": ("drug", "medication", "cmdecod", "cmtrt"),
    "endpoint": ("endpoint", "outcome"),
    "value": ("value",),
}
"""What others call our columns, in small letters and without other signs."""

_NEEDED = {
    "outcomes": ("patient", "endpoint", "value"),
    "samples": ("patient", "time", "level"),
    "comedication": ("patient", "drug"),
    "infusions": ("patient", "dose"),
    "patients": ("patient",),
}
_SEVERAL = ("samples", "comedication", "outcomes")
OPEN = "?"
"""What stands where only a person can say what is meant."""


def start_study(folder: str | Path) -> Path:
    r"""Write a study.toml for the files of a folder, as far as they tell.

    What they do not say is left open: the day of infusion, and which of our assays a
    file's word means (``"?"``). Reading the study says what is still to be filled in.

    Parameters
    ----------
    folder : str or Path
        Where the delivered files are.

    Returns
    -------
    Path
        The study.toml that was written; one that is there already is never changed.

    Raises
    ------
    DataError
        If there is a study.toml already, or no file that can be read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "levels.csv").write_text("ID,DAY,DV,TEST\n1,7,300,PCR\n")
    >>> print(start_study(folder).read_text())  # doctest: +ELLIPSIS
    # Begun from the files of this folder. What is open: cellpk check study.toml
    ...
    [[samples]]
    file = "levels.csv"
    columns = { patient = "ID", time = "DAY", level = "DV", assay = "TEST" }
    assays = { PCR = "?" }
    <BLANKLINE>
    """
    folder = Path(folder)
    path = folder / "study.toml"
    if path.exists():
        what = "there is a study.toml already"
        raise DataError(Problem(what, "Edit it, or move it away.", file=str(path)))
    grids, unread = _grids(folder)
    if not grids:
        what = "the folder has no file that can be read"
        todo = f"Put files there that end in {', '.join(containers())}."
        raise DataError(Problem(what, todo, file=str(folder)))
    text = "\n".join(_text(folder, grids, unread))
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return path


def _grids(folder: Path) -> tuple[dict[str, Grid], dict[str, str]]:
    """Read the files of a folder; of those that cannot be read, say why."""
    grids: dict[str, Grid] = {}
    unread: dict[str, str] = {}
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    for name in names:
        if Path(name).suffix.casefold() not in containers():
            continue
        try:
            grids[name] = read_grid(name, folder, separator=_separator(folder / name))
        except DataError as error:
            unread[name] = error.problems[0].what
    return grids, unread


def _separator(path: Path) -> str:
    """Return the sign that stands most often in the first line of a text file."""
    line = b""
    if path.is_file():
        with path.open("rb") as file:
            line = file.readline(10_000)
    return max(",;\t|", key=lambda sign: line.count(sign.encode()))


def _text(
    folder: Path, grids: Mapping[str, Grid], unread: Mapping[str, str]
) -> Iterator[str]:
    yield "# Begun from the files of this folder. What is open: cellpk check study.toml"
    yield from (f"# not read: {name}: {why}" for name, why in unread.items())
    yield "\n[study]"
    yield f"id = {toml_value(folder.resolve().name or 'study')}"
    yield "# Is the day of the infusion day 0 or day 1 in these files?"
    yield "# infusion_day = 0"
    left = dict(grids)
    for kind in formats().values():
        found = kind.recognise(left) if kind.recognise else None
        if found:
            yield "\n[[data]]"
            yield from (f"# {remark}" for remark in found.remarks)
            yield from toml_lines({"format": kind.name, **found.section}, "data.")
            left = {name: left[name] for name in left if name not in found.files}
    placed = sorted(_by_table(left), key=lambda pair: TABLES.index(pair[0]))
    for table, grid in placed:
        yield f"\n[[{table}]]" if table in _SEVERAL else f"\n[{table}]"
        yield from _section(table, grid, _separator(folder / grid.file))
    for file in sorted(set(left) - {grid.file for _, grid in placed}):
        columns = ", ".join(left[file].cells.columns)
        yield f"\n# Of no table by its columns: {file} ({columns})"


def _by_table(grids: Mapping[str, Grid]) -> Iterator[tuple[str, Grid]]:
    """Yield each grid with the table that its columns speak of."""
    taken: set[str] = set()
    for grid in grids.values():
        there = set(_ours(grid))
        for table, needed in _NEEDED.items():
            if table in taken or not there.issuperset(needed):
                continue
            if table == "patients" and not _is_of_patients(grid):
                continue
            taken |= {table} - set(_SEVERAL)
            yield table, grid
            if table != "infusions":  # who was infused may be told more of
                break


def _is_of_patients(grid: Grid) -> bool:
    """Tell whether a file has one row per patient, and something to say of each."""
    ours = _ours(grid)
    known = {ours.get(name) for name in COLUMNS["infusions"]}
    more = any(header not in known for header in grid.cells.columns)
    once = not grid.cells[ours["patient"]].duplicated().any()
    return more and once and "level" not in ours


def _ours(grid: Grid) -> dict[str, str]:
    """Return the file's names of our columns, by ours, where they can be told."""
    found: dict[str, str] = {}
    for header in grid.cells.columns:
        for name, words in SYNONYMS.items():
            if _plain(header) in words and name not in found:
                found[name] = header
    return found


def _section(table: str, grid: Grid, separator: str) -> Iterator[str]:
    yield f"file = {toml_value(grid.file)}"
    if separator != ",":
        yield f"separator = {toml_value(separator)}"
    ours = _ours(grid)
    columns = {
        name: header
        for name, header in ours.items()
        if name != header and name in COLUMNS[table]
    }
    if table == "patients":
        columns |= _covariates(grid, ours["patient"])
    if _has_decimal_commas(grid, ours):
        yield 'decimal = ","'
    if _plain(ours.get("time", "")).removeprefix("time").startswith("h"):
        yield 'time_unit = "hour"'
    if columns:
        yield f"columns = {toml_inline(columns)}"
    if table == "samples":
        yield from _assays(grid, ours)


def _assays(grid: Grid, ours: Mapping[str, str]) -> Iterator[str]:
    words = sorted(set(grid.cells[ours["assay"]])) if "assay" in ours else []
    meant = {word: _assay(word) for word in words if word and word not in ASSAYS}
    if meant:
        yield f"assays = {toml_inline(meant)}"
    elif not words:
        yield f"assay = {toml_value(OPEN)}"


def _covariates(grid: Grid, patient: str) -> dict[str, str]:
    """Return names for all covariates, if the file's own do not serve as such."""
    headers = [str(name) for name in grid.cells.columns if name != patient]
    names: dict[str, str] = {}
    for number, header in enumerate(headers, 1):
        name = re.sub(r"\W+", "_", header, flags=re.ASCII).strip("_")
        fits = name.isidentifier() and name not in names
        names[name if fits else f"covariate_{number}"] = header
    return {} if list(names) == headers else names


def _has_decimal_commas(grid: Grid, ours: Mapping[str, str]) -> bool:
    """Tell whether numbers have a decimal comma, and none has a decimal point.

    A comma before three digits may as well stand between thousands.
    """
    headers = [ours.get(name) for name in ("time", "level", "lloq", "dose")]
    headers = [header for header in headers if header] or list(grid.cells.columns)
    cells = pd.concat([grid.cells[header] for header in headers])
    comma = cells.str.fullmatch(r"[<>]? ?\d+,(?!\d{3}$)\d+").any()
    return bool(comma and not cells.str.fullmatch(r"[<>]? ?\d+\.\d+").any())


def _assay(word: str) -> str:
    """Return the assay whose name or code a word is, but for signs; else none."""
    names = {name: name for name in ASSAYS}
    names |= {code: name for name, row in ASSAYS.items() for code in row.codes}
    plain = {_plain(known): name for known, name in names.items()}
    return plain.get(_plain(word), OPEN)


def _plain(word: str) -> str:
    return "".join(sign for sign in word.casefold() if sign.isalnum())
