"""Tidy CSV files beside a study.toml: one row per sample, patient, dose, assessment."""

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.study.config import Settings, TableFile
from cellpk.study.sheet import Sheet

if TYPE_CHECKING:
    from cellpk.study.study import Study

Source = Mapping[str, Any]
TABLES = ("samples", "patients", "infusions", "comedication", "outcomes")
_CONTROL = re.compile("\x7f")


def read_sheet(section: TableFile, folder: Path) -> tuple[Sheet, Source]:
    r"""Read one CSV file as text.

    Parameters
    ----------
    section : TableFile
        The file and how it is written.
    folder : Path
        The folder that the file's path is relative to.

    Returns
    -------
    sheet : Sheet
        Every cell as text, every row with its line; empty lines are left out.
    source : mapping
        ``file``, ``sha256``, number of ``rows`` and ``columns`` of the file.

    Raises
    ------
    DataError
        If there is no such file, it is empty, not text, or has rows of other lengths
        than its header; all such rows are listed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("patient,time\n1,7\n")
    >>> sheet, source = read_sheet(TableFile(file="a.csv"), folder)
    >>> sheet.cells.values.tolist(), source["rows"]
    ([['1', '7']], 1)
    """
    data, text = _contents(section, folder)
    header, rows, lines = _rows(text, section)
    frame = pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)
    source = {
        "file": section.file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": len(rows),
        "columns": header,
    }
    return Sheet.of_frame(frame, section, np.array(lines, dtype=np.int64)), source


def _contents(section: TableFile, folder: Path) -> tuple[bytes, str]:
    """Return the file's bytes and text."""
    try:
        codecs.lookup(section.encoding)
        data = (folder / section.file).read_bytes()
        # A byte-order mark is no part of the first column's name.
        return data, data.decode(section.encoding).removeprefix("\ufeff")
    except LookupError:
        what = f"the encoding {section.encoding!r} is not known"
        todo = "Use 'utf-8', or for instance 'gb18030' or 'cp1252'."
    except UnicodeError as error:
        what = f"the file is not {section.encoding} text ({error})"
        todo = "Save it as UTF-8, or set 'encoding' in study.toml."
    except (OSError, ValueError) as error:
        what = f"the file cannot be read ({getattr(error, 'strerror', error)})"
        todo = "Correct 'file' in study.toml; paths are relative to it."
    raise DataError(Problem(what, todo, file=section.file))


def _rows(
    text: str, section: TableFile
) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header, the rows below it and their lines."""
    try:
        # csv, not pandas: it knows each row's line and never guesses what is missing.
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=section.separator, strict=True
        )
        read = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        what = f"the file is not CSV: {error}"
        todo = "Look for a quotation mark that is not closed."
        raise DataError(Problem(what, todo, file=section.file)) from None
    if len(read) < 2:
        what = "the file has no rows" if read else "the file is empty"
        todo = "Export it again, or take it out of study.toml."
        raise DataError(Problem(what, todo, file=section.file))
    header = [name.strip() for name in read[0][1]]
    problems = [
        Problem(
            f"the row has {len(row)} cells, the header {len(header)}",
            "Put text that holds the separator in quotation marks.",
            file=section.file,
            row=line,
        )
        for line, row in read[1:]
        if len(row) != len(header)
    ]
    if problems:
        raise DataError(problems)
    return header, [row for _, row in read[1:]], [line for line, _ in read[1:]]


def write(study: "Study", folder: str | Path) -> Path:
    """Write a study as CSV files and a study.toml that reads them.

    Parameters
    ----------
    study : Study
        The study to write.
    folder : str or Path
        Where to; it is made if it does not exist.

    Returns
    -------
    Path
        The study.toml. ``read_study`` of it equals the study.

    Examples
    --------
    >>> import tempfile
    >>> import cellpk as ck
    >>> samples = {"patient": [1], "time": [7], "level": [3], "assay": ["flow"]}
    >>> study = ck.Study.from_frames(samples=pd.DataFrame(samples))
    >>> ck.read_study(write(study, tempfile.mkdtemp())) == study
    True
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: getattr(study, name) for name in TABLES}
    tables = {name: table for name, table in tables.items() if len(table)}
    tables["samples"] = tables["samples"].drop(columns=["file", "row"])
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    path = folder / "study.toml"
    text = "\n".join(_toml(_settings(study.settings, list(tables))))
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _settings(settings: Settings, tables: list[str]) -> dict[str, Any]:
    """Return the settings that read the written files."""
    said = settings.resolved()
    # What is written counts from time 0, whatever the protocol calls that day.
    kept = {name: said[name] for name in ("study", "analysis", "limits", "units")}
    kept["study"] = {**said["study"], "infusion_day": 0}
    files = {name: {"file": f"{name}.csv"} for name in tables}
    several = {"samples", "comedication", "outcomes"}
    listed = {n: [row] if n in several else row for n, row in files.items()}
    return {**kept, **listed}


def _toml(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the lines of a TOML file."""
    for name, value in values.items():
        if not _is_table(value):
            yield f"{name} = {_plain(value)}"
    for name, value in values.items():
        if isinstance(value, Mapping):
            if not value or not all(map(_is_table, value.values())):
                yield f"\n[{path}{name}]"
            yield from _toml(value, f"{path}{name}.")
        elif _is_table(value):
            for row in value:
                yield f"\n[[{path}{name}]]"
                yield from _toml(row, f"{path}{name}.")


def _is_table(value: Any) -> bool:
    rows = isinstance(value, list) and bool(value)
    return isinstance(value, Mapping) or (rows and isinstance(value[0], Mapping))


def _plain(value: Any) -> str:
    # JSON spells texts, numbers, flags and lists as TOML does, but for one character.
    return _CONTROL.sub(r"\\u007f", json.dumps(value, ensure_ascii=False))
