"""SAS files, by pyreadstat: transport files (XPT) and, read only, sas7bdat."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import Dataset, is_number
from cellpk.study.files.sas_times import as_iso
from cellpk.study.grid import Grid, at_rows

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,7}", re.IGNORECASE | re.ASCII)
_RESERVED = {"_N_", "_ERROR_", "_NUMERIC_", "_CHARACTER_", "_ALL_"}
_LABEL, _TEXT = 40, 200
_SMALLEST, _LARGEST = 2.0**-260, 2.0**249
"""What pyreadstat writes bit by bit: from 5.4e-79 to 9.0e74, either sign.

The float of an IBM mainframe has 56 bits and a power of 16, so that every double of
this range fits. Smaller ones would become 0, larger ones infinite.
"""

_RECORD = 80
_MOMENTS = (144, 160, 464, 480)
"""Where an XPT file of version 5 says when it, and its data set, was made or changed.

They are the 65th byte of the second record, the first of the third, the 65th of the
sixth and the first of the seventh (SAS technical paper TS-140).
"""
_MADE = b"01JAN00:00:00:00"
"""``dataset.MADE``, as SAS spells it."""

_MEMBER = re.compile(rb"HEADER RECORD\*{7}(MEMBER  |MEMBV8  )HEADER RECORD!{7}")
_ROWS = re.compile(rb"HEADER RECORD\*{7}(OBS     |OBSV8   )HEADER RECORD!{7}")


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as a SAS transport file of version 5, in UTF-8.

    Blanks at the end of a text are lost, as in every SAS file.

    Raises
    ------
    DataError
        If something is beyond the limits of version 5: names of more than 8 letters,
        digits and underscores, labels of more than 40 bytes, texts of more than 200,
        numbers that its floats cannot hold. All that is beyond them is told.

    Examples
    --------
    >>> import tempfile
    >>> from cellpk.study.dataset import Variable
    >>> path = Path(tempfile.mkdtemp()) / "pc.xpt"
    >>> frame = pd.DataFrame({"USUBJID": ["01"], "NFRLT": [0.1]})
    >>> names = [Variable("USUBJID", "Patient"), Variable("NFRLT", "Time")]
    >>> write(Dataset("pc", "Levels", frame, names), path)
    >>> read_xpt(Delivered("pc.xpt", path, path.read_bytes())).labels
    {'USUBJID': 'Patient', 'NFRLT': 'Time'}
    """
    pyreadstat = _pyreadstat(path.name)
    frame = dataset.plain()
    if problems := [
        *_beyond_names(dataset, path.name),
        *_beyond_cells(frame, path.name),
    ]:
        raise DataError(problems)
    pyreadstat.write_xport(
        frame,
        str(path),
        file_label=dataset.label,
        column_labels=dataset.labels,
        table_name=dataset.name.upper(),
        file_format_version=5,
    )
    # pyreadstat puts the present time there; equal data are to be equal bytes.
    with path.open("r+b") as file:
        for place in _MOMENTS:
            file.seek(place)
            file.write(_MADE)


@container(".xpt", label="SAS transport", write=write)
def read_xpt(delivered: Delivered) -> Grid:
    """Read a SAS transport file of version 5 or 8.

    Dates, times and moments come as ISO 8601 by the formats of their columns. Missing
    values, the special ones (``.A`` to ``.Z``) too, come as empty cells. The text is
    UTF-8, unless ``encoding`` says otherwise.

    Raises
    ------
    DataError
        If it is not such a file, is cut short, or holds several data sets.
    """
    begun = [match.start() for match in _MEMBER.finditer(delivered.data)]
    members = sum(place % _RECORD == 0 for place in begun)
    if members > 1:
        # pyreadstat would take the second one for rows of the first.
        what = f"the file holds {members} data sets"
        todo = "Export each to a file of its own."
        raise DataError(Problem(what, todo, file=delivered.file))
    columns, about = _parsed("read_xport", delivered)
    if _is_cut(delivered.data, about):
        what = f"the file ends before its last row does ({len(delivered.data)} bytes)"
        todo = "It was cut short: export or copy it again."
        raise DataError(Problem(what, todo, file=delivered.file))
    return _grid(columns, about, delivered)


@container(".sas7bdat", label="SAS data set")
def read_sas7bdat(delivered: Delivered) -> Grid:
    """Read a SAS data set, as :func:`read_xpt` reads transport files.

    The file says itself how its text is written, unless ``encoding`` says otherwise.

    Raises
    ------
    DataError
        If it is not such a file.
    """
    columns, about = _parsed("read_sas7bdat", delivered)
    return _grid(columns, about, delivered)


def _pyreadstat(file: str) -> Any:
    try:
        import pyreadstat
    except ImportError:
        what = f"{Path(file).suffix!r} files need the package pyreadstat"
        todo = 'Install it: python -m pip install "cellpk[cdisc]"'
        raise DataError(Problem(what, todo, file=file)) from None
    return pyreadstat


def _parsed(function: str, delivered: Delivered) -> tuple[dict[str, list], Any]:
    """Return the columns as lists, and what the file says of them."""
    pyreadstat = _pyreadstat(delivered.file)
    read: Callable[..., tuple[dict[str, list], Any]] = getattr(pyreadstat, function)
    usual = delivered.encoding.casefold().replace("_", "-") in {"utf-8", "utf8"}
    how = {} if usual else {"encoding": delivered.encoding}
    try:
        # Not pyreadstat's dates: its lists of formats leave some out.
        columns, about = read(
            str(delivered.path),
            output_format="dict",
            disable_datetime_conversion=True,
            **how,
        )
    except UnicodeError as error:
        what = f"its text is not {delivered.encoding} ({error})"
        todo = "Set 'encoding' in study.toml, such as 'cp1252' or 'gb18030'."
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        what = f"the file cannot be read ({error})"
        todo = "Export it again, or correct its ending or 'encoding' in study.toml."
    else:
        return columns, about
    raise DataError(Problem(what, todo, file=delivered.file))


def _grid(columns: dict[str, list], about: Any, delivered: Delivered) -> Grid:
    counts = Counter(about.column_names)
    problems = [
        Problem(
            "two columns have the same name",
            "Rename or drop one.",
            file=delivered.file,
            column=name,
        )
        for name, count in counts.items()
        if count > 1
    ]
    if problems:
        raise DataError(problems)
    frame = pd.DataFrame(
        {
            name: _column(columns[name], about.original_variable_types[name] or "")
            if about.readstat_variable_types[name] != "string"
            else pd.Series(columns[name], dtype="str").fillna("")
            for name in about.column_names
        }
    )
    labels = about.column_names_to_labels.items()
    return Grid.of_frame(
        frame,
        file=delivered.file,
        sha256=delivered.sha256,
        labels={name: label for name, label in labels if label},
    )


def _column(numbers: list, display: str) -> pd.Series:
    values = np.array(numbers, dtype=np.float64)
    text = as_iso(values, display)
    return pd.Series(values) if text is None else pd.Series(text, dtype="str")


def _is_cut(data: bytes, about: Any) -> bool:
    """Tell whether a transport file ends within a row, a record, or before its rows."""
    start = _ROWS.search(data)
    width = sum(about.variable_storage_width.values())
    if start is None or not width:
        return False
    rows = len(data) - start.end() - 32
    rest = data[len(data) - rows % width :]
    # Version 8 says how many rows there are.
    said = data[start.end() : start.end() + 15].strip()
    fewer = start[1] == b"OBSV8   " and said.isdigit() and about.number_rows < int(said)
    return bool(len(data) % _RECORD or rest.strip(b" \0") or fewer)


def _beyond_names(dataset: Dataset, file: str) -> Iterator[Problem]:
    """Yield what is wrong with the names and labels of a data set."""
    todo = "Use at most 8 ASCII letters, digits and '_', no digit first."
    if not _NAME.fullmatch(dataset.name):
        what = f"the data set cannot be called {dataset.name!r} in an XPT file"
        yield Problem(what, todo, file=file, value=dataset.name)
    if len(dataset.label.encode()) > _LABEL:
        what = f"the label of the data set has more than {_LABEL} bytes"
        yield Problem(what, "Shorten it.", file=file, value=dataset.label)
    counts = Counter(name.upper() for name in dataset.labels)
    for name, label in dataset.labels.items():
        if not _NAME.fullmatch(name) or name.upper() in _RESERVED:
            what = f"a variable cannot be called {name!r} in an XPT file"
            yield Problem(what, todo, file=file, column=name)
        if counts[name.upper()] > 1:
            what = f"SAS cannot tell {name!r} from a variable of the same letters"
            yield Problem(what, "Rename one.", file=file, column=name)
        if len(label.encode()) > _LABEL:
            what = f"the label has more than {_LABEL} bytes"
            yield Problem(what, "Shorten it.", file=file, column=name, value=label)


def _beyond_cells(frame: pd.DataFrame, file: str) -> Iterator[Problem]:
    """Yield the cells that do not fit into an XPT file."""
    number = "the number does not fit into the floats of an XPT file"
    unit = "Give it in another unit, or write another kind of file."
    text = f"the text has more than {_TEXT} bytes"
    nul = "the text holds NUL, with which it would end in an XPT file"
    for name, column in frame.items():
        if is_number(column):
            faults = [(_beyond_floats(column), number, unit)]
        else:
            # A sign has at most four bytes: only long texts are counted out.
            long = np.flatnonzero(column.str.len() > _TEXT // 4)
            long = [row for row in long if len(column.iloc[row].encode()) > _TEXT]
            ends = np.flatnonzero(column.str.contains("\0", regex=False))
            faults = [(long, text, "Shorten it, or split it."), (ends, nul, "Drop it.")]
        for rows, what, todo in faults:
            lines = [int(row) + 2 for row in rows]
            values = [str(column.iloc[row]) for row in rows[:9]]
            place = {"file": file, "column": str(name)}
            yield from at_rows(lines, what, todo, values=values, **place)


def _beyond_floats(column: pd.Series) -> NDArray[np.int64]:
    """Return which numbers an XPT file would change."""
    size = np.abs(column.to_numpy(np.float64))
    beyond = (size != 0) & ((size < _SMALLEST) | (size >= _LARGEST))
    if pd.api.types.is_integer_dtype(column.dtype):
        # pyreadstat makes doubles of integers, which hold all up to 2**53.
        for row in np.flatnonzero(size >= 2**53):
            beyond[row] = int(float(column.iloc[row])) != int(column.iloc[row])
    return np.flatnonzero(beyond)
