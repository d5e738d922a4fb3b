"""CDISC Dataset-JSON 1.1: as JSON, as lines (NDJSON), and compressed (DSJC)."""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import MADE, Dataset, is_number
from cellpk.study.files.sas_times import as_iso
from cellpk.study.grid import Grid, at_rows

_ENCODE = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
_VERSION = re.compile(r"1\.1(\.\d+)?")
_NEEDED = ("datasetJSONVersion", "records", "columns")
_DATES = {"date", "datetime", "time"}
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
_LEVEL = 9
"""The compression that the standard recommends: the best."""


def _write(
    dataset: Dataset, path: Path, *, pack: Callable[[str, list[str]], bytes]
) -> None:
    frame = dataset.plain()
    name = dataset.name.upper()
    variables = zip(dataset.labels.items(), frame.items(), strict=True)
    columns = [
        {
            "itemOID": f"IT.{name}.{variable}",
            "name": variable,
            "label": label,
            **_type(column),
        }
        for (variable, label), (_, column) in variables
    ]
    # In the order of the standard, for those who read it as a stream.
    head = {
        "datasetJSONCreationDateTime": MADE,
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": f"IG.{name}",
        "records": len(frame),
        "name": name,
        "label": dataset.label,
        "columns": columns,
    }
    rows = zip(*[_values(column) for _, column in frame.items()], strict=True)
    path.write_bytes(pack(_ENCODE(head), [_ENCODE(row) for row in rows]))


def _type(column: pd.Series) -> dict[str, str | int]:
    if not is_number(column):
        longest = int(column.str.len().max()) if len(column) else 0
        return {"dataType": "string", "length": max(longest, 1)}
    return {"dataType": "integer" if _is_whole(column) else "double"}


def _is_whole(column: pd.Series) -> bool:
    if pd.api.types.is_integer_dtype(column.dtype):
        return True
    known = column.dropna()
    return bool(len(known)) and bool(((known % 1 == 0) & (known.abs() < 2**53)).all())


def _values(column: pd.Series) -> list[Any]:
    if not is_number(column):
        return column.tolist()
    numbers = column.astype("Int64") if _is_whole(column) else column
    return numbers.astype(object).where(column.notna(), None).tolist()


def _json(head: str, rows: list[str]) -> bytes:
    lines = ",\n".join(rows)
    return f'{head[:-1]},"rows":[\n{lines}\n]}}\n'.encode()


def _ndjson(head: str, rows: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in [head, *rows]).encode()


def _dsjc(head: str, rows: list[str]) -> bytes:
    # zlib, as the text of the standard has it, though CDISC's own examples are gzip.
    return zlib.compress(_ndjson(head, rows), _LEVEL)


write_json = partial(_write, pack=_json)
write_ndjson = partial(_write, pack=_ndjson)
write_dsjc = partial(_write, pack=_dsjc)


@container(".json", label="Dataset-JSON", write=write_json)
def read_json(delivered: Delivered) -> Grid:
    r"""Read a Dataset-JSON 1.1 file: one object with columns and rows.

    Dates are ISO 8601 text, as the standard has them; numbers come as ISO 8601 where a
    SAS format of dates (``displayFormat``) says what they count. A value that is null
    comes as an empty cell.

    Raises
    ------
    DataError
        If it is not JSON, not Dataset-JSON 1.1, or holds another number of records
        than it says, or rows of another length than its columns; all that is wrong is
        told.

    Examples
    --------
    >>> text = b'''{"datasetJSONVersion": "1.1.0", "records": 1,
    ... "columns": [{"name": "A", "label": "Level"}], "rows": [[0.1]]}'''
    >>> grid = read_json(Delivered("a.json", Path("a.json"), text))
    >>> grid.cells.values.tolist(), grid.labels
    ([['0.1']], {'A': 'Level'})
    """
    file = delivered.file
    try:
        head = _DECODE(_text(delivered.data, file))
    except (ValueError, RecursionError) as error:
        todo = "Export it again; if each line is JSON, end its name in '.ndjson'."
        what = f"the file is not JSON ({error})"
        raise DataError(Problem(what, todo, file=file)) from None
    rows = head.get("rows", []) if isinstance(head, dict) else []
    if not isinstance(rows, list):
        what = f"'rows' is no list but {type(rows).__name__}"
        raise DataError(Problem(what, "Export it again.", file=file, column="rows"))
    return _grid(head, rows, range(2, len(rows) + 2), delivered)


@container(".ndjson", label="Dataset-JSON in lines", write=write_ndjson)
def read_ndjson(delivered: Delivered) -> Grid:
    r"""Read a Dataset-JSON 1.1 file of lines: what it holds, then a row in each line.

    Raises
    ------
    DataError
        As :func:`read_json`.

    Examples
    --------
    >>> text = b'''{"datasetJSONVersion": "1.1.0", "records": 1,
    ... "columns": [{"name": "A", "label": "Level"}]}'''.replace(b"\n", b"")
    >>> grid = read_ndjson(Delivered("a", Path("a"), text + b"\n[0.1]\n"))
    >>> grid.cells.values.tolist(), grid.rows.tolist()
    ([['0.1']], [2])
    """
    return _of_lines(delivered.data, delivered)


@container(".dsjc", label="compressed Dataset-JSON", write=write_dsjc)
def read_dsjc(delivered: Delivered) -> Grid:
    """Read a compressed Dataset-JSON 1.1 file, of zlib (the standard) or gzip.

    Raises
    ------
    DataError
        As :func:`read_json`, and if it is not compressed so, or is cut short.

    Examples
    --------
    >>> delivered = Delivered("a.dsjc", Path("a.dsjc"), b"{}")
    >>> read_dsjc(delivered)
    Traceback (most recent call last):
        ...
    cellpk.errors.DataError: a.dsjc:
      the file is no zlib or gzip stream (...). Export it again; ...
    """
    stream = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        data = stream.decompress(delivered.data)
        if not stream.eof or stream.unused_data:
            message = "it ends early" if not stream.eof else "more follows its end"
            raise zlib.error(message)
    except zlib.error as error:
        what = f"the file is no zlib or gzip stream ({error})"
        todo = "Export it again; if it is not compressed, end its name in '.ndjson'."
        raise DataError(Problem(what, todo, file=delivered.file)) from None
    return _of_lines(data, delivered)


def _of_lines(data: bytes, delivered: Delivered) -> Grid:
    file = delivered.file
    read: dict[int, Any] = {}
    broken: list[int] = []
    for number, line in enumerate(_text(data, file).split("\n"), 1):
        if not line or line.isspace():
            continue
        try:
            read[number] = _DECODE(line)
        except (ValueError, RecursionError):
            broken.append(number)
    if broken:
        todo = "Export it again; where the file is one object, end its name in '.json'."
        raise DataError(at_rows(broken, "the line is not JSON", todo, file=file))
    if not read:
        raise DataError(Problem("the file is empty", "Export it again.", file=file))
    (_, head), *rows = read.items()
    return _grid(head, [row for _, row in rows], [line for line, _ in rows], delivered)


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what, todo = f"the file is not UTF-8 ({error})", "Export it again: JSON is."
        raise DataError(Problem(what, todo, file=file)) from None


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is no value of JSON"
    raise ValueError(message)


_DECODE = json.JSONDecoder(parse_constant=_no_constant).decode


def _grid(head: Any, rows: list, lines: Sequence[int], delivered: Delivered) -> Grid:
    file = delivered.file
    if problems := _head_problems(head, file) or _row_problems(head, rows, lines, file):
        raise DataError(problems)
    columns: list[Mapping[str, Any]] = head["columns"]
    labels = {column["name"]: str(column.get("label") or "") for column in columns}
    try:
        return Grid.of_frame(
            _frame(columns, rows, lines, file),
            file=file,
            rows=np.array(lines, dtype=np.int64),
            sha256=delivered.sha256,
            labels={name: label for name, label in labels.items() if label},
        )
    except UnicodeEncodeError as error:
        what = f"a text holds one half of a sign ({error.object[error.start]!r})"
        raise DataError(Problem(what, "Export it again.", file=file)) from None


def _frame(
    columns: Sequence[Mapping[str, Any]], rows: list, lines: Sequence[int], file: str
) -> pd.DataFrame:
    """Return the cells of all columns."""
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    frame: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    todo = "Write it as the text or number that Dataset-JSON 1.1 asks for."
    for column, values in zip(columns, cells, strict=True):
        name = column["name"]
        types = set(map(type, values)) - {type(None)}
        frame[name], what = _column(column, values, types)
        if what:
            shape = (list, dict) if types & {list, dict} else object
            odd = [
                k
                for k, value in enumerate(values)
                if value is not None and isinstance(value, shape)
            ]
            shown = [str(values[k]) for k in odd[:9]]
            wrong = [lines[k] for k in odd]
            problems += at_rows(wrong, what, todo, file=file, column=name, values=shown)
    if problems:
        raise DataError(problems)
    return pd.DataFrame(frame, index=pd.RangeIndex(len(rows)))


def _head_problems(head: Any, file: str) -> list[Problem]:
    """Return what is wrong with what the file says of itself."""
    todo = "Export it as CDISC Dataset-JSON 1.1."
    if not isinstance(head, dict):
        what = f"the file begins with {type(head).__name__}, not with an object"
        return [Problem(what, todo, file=file)]
    missing = [name for name in _NEEDED if name not in head]
    if missing:
        what = f"the file is no Dataset-JSON 1.1: it lacks {', '.join(missing)}"
        return [Problem(what, todo, file=file)]
    version, records, columns = (head[name] for name in _NEEDED)
    problems = []
    if not _VERSION.fullmatch(str(version)):
        what = f"the file is Dataset-JSON {version!r}, which is not read"
        problems.append(Problem(what, todo, file=file, value=str(version)))
    if not isinstance(records, int) or isinstance(records, bool):
        what = f"'records' is no number but {records!r}"
        problems.append(Problem(what, todo, file=file))
    named = isinstance(columns, list) and all(
        isinstance(column, dict) and isinstance(column.get("name"), str)
        for column in columns
    )
    if not named or not columns:
        what = f"'columns' is no list of columns with names but {str(columns)[:60]}"
        problems.append(Problem(what, todo, file=file))
    return problems


def _row_problems(
    head: Mapping[str, Any], rows: list, lines: Sequence[int], file: str
) -> list[Problem]:
    """Return what is wrong with the number of rows and the lengths of them."""
    columns = [column["name"] for column in head["columns"]]
    doubled = {name for name in columns if columns.count(name) > 1}
    problems = [
        Problem("two columns have the same name", "Rename one.", file=file, column=name)
        for name in sorted(doubled)
    ]
    if head["records"] != len(rows):
        # An error, not a doubt: a file that was cut short looks like this.
        what = f"the file says that it holds {head['records']} records, not {len(rows)}"
        todo = "It was cut short or changed by hand: export it again."
        problems.append(Problem(what, todo, file=file, value=str(head["records"])))
    wide = len(columns)
    faults: dict[str, list[int]] = {}
    for line, row in zip(lines, rows, strict=True):
        if not isinstance(row, list):
            what = f"the row is no list but {type(row).__name__}"
        elif len(row) != wide:
            what = f"the row has {len(row)} values, the file {wide} columns"
        else:
            continue
        faults.setdefault(what, []).append(line)
    for what, wrong in faults.items():
        problems += at_rows(wrong, what, "Export it again.", file=file)
    return problems


def _column(
    column: Mapping[str, Any], values: Sequence[Any], types: set[type]
) -> tuple[pd.Series, str]:
    """Return the cells of a column, and what is wrong with them."""
    if types & {list, dict}:
        return pd.Series(dtype="str"), "the value is no text, number or flag"
    if types <= {str}:
        text = pd.Series(values, dtype="str").fillna("")
        # The standard allows commas between the thousands of a decimal.
        decimal = column.get("dataType") == "decimal"
        return (text.str.replace(",", "") if decimal else text), ""
    exact = all(abs(value) < 2**53 for value in values if type(value) is int)
    if exact and types <= {int, float}:
        return _numbers(column, np.array(values, dtype=np.float64))
    return pd.Series(values, dtype=object), ""


def _numbers(
    column: Mapping[str, Any], values: NDArray[np.float64]
) -> tuple[pd.Series, str]:
    text = as_iso(values, str(column.get("displayFormat") or ""))
    if text is not None:
        return pd.Series(text, dtype="str"), ""
    kind = column.get("dataType")
    what = f"a {kind} is given as a number, without the format that says its origin"
    return pd.Series(values), what if kind in _DATES else ""
