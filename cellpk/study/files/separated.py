"""Text files with separators (CSV, TSV), by the csv module or, where plain, Arrow."""

import codecs
import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem
from cellpk.study import parsing
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import Dataset, is_number
from cellpk.study.grid import Grid, at_rows

Read = tuple[list[str], pd.DataFrame, NDArray[np.int64]]
"""The names of the columns, the cells, and the line on which each row begins."""

_BLANK = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())
"""All that Python takes for white space: cells of nothing else are empty."""

_TABS = ".tsv"
"""The ending that says by itself what separates the cells."""

_LONGEST = csv.field_size_limit()
"""Longer cells are refused by the csv module: a quotation mark is not closed."""


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as CSV: UTF-8, every number so that it reads back equal.

    In a file that ends in .tsv, tabs separate the cells, else commas do.

    Examples
    --------
    >>> import tempfile
    >>> from cellpk.study.dataset import Variable
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> frame = pd.DataFrame({"TIME": [0.1]})
    >>> write(Dataset("a", "Levels", frame, [Variable("TIME", "Time")]), path)
    >>> path.read_text().split()
    ['TIME', '0.1']
    """
    frame, odd = dataset.plain(), False
    for name, column in frame.items():
        if is_number(column):
            # Whole numbers without a point, as files that know numbers give them back.
            text = parsing.as_text(frame[[name]])[name]
            frame[name] = text.mask(text == "", dataset.missing)
        else:
            odd = odd or column.str.contains("\r", regex=False).any()
    # Before Python 3.13 csv leaves a lone carriage return without quotation marks.
    quoting = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
    sign = "\t" if path.suffix.casefold() == _TABS else ","
    how = {"index": False, "lineterminator": "\n", "encoding": "utf-8", "sep": sign}
    frame.to_csv(path, quoting=quoting, **how)


@container(".csv", ".tsv", ".txt", ".dat", label="text with separators", write=write)
def read(delivered: Delivered) -> Grid:
    r"""Read a text file with separators.

    A file that ends in .tsv needs no word in study.toml of its tabs.

    Lines without any text between their separators are left out, and so are columns
    without a name and without any text, as workbooks add them at the right. A row that
    holds line breaks is where it begins.

    Raises
    ------
    DataError
        If it is not text, not CSV, or has rows of other lengths than its header; all
        such rows are told.

    Examples
    --------
    >>> read(Delivered("a.csv", Path("a.csv"), b"a,b\n\n1,2\n")).rows.tolist()
    [3]
    """
    text = _decoded(delivered)
    first = text.partition("\n")[0]
    tabs = "\t" in first or delivered.separator not in first
    if tabs and Path(delivered.file).suffix.casefold() == _TABS:
        delivered = replace(delivered, separator="\t")
    folded = text.replace("\r\n", "\n")
    plain = '"' not in folded and "\r" not in folded
    lines = folded.split("\n")
    # The separators of study.toml are ASCII, and Arrow knows no others.
    plain = plain and max(map(len, lines)) <= _LONGEST and delivered.separator.isascii()
    header, cells, rows = (
        _plain(lines, delivered) if plain else _quoted(text, delivered)
    )
    cells.columns = pd.Index(header, dtype=object)
    unnamed = [i for i, name in enumerate(header) if not name]
    idle = [i for i in unnamed if not cells.iloc[:, i].str.strip(_BLANK).any()]
    if idle:
        cells = cells.iloc[:, [i for i in range(len(header)) if i not in idle]]
    return Grid.of_frame(cells, file=delivered.file, rows=rows, sha256=delivered.sha256)


def _decoded(delivered: Delivered) -> str:
    begun = delivered.data[:200]
    try:
        codecs.lookup(delivered.encoding)
        text = delivered.data.decode(delivered.encoding)
        text.encode()
        # A byte-order mark is no part of the first column's name.
        text = text.removeprefix("\ufeff")
        if "\0" not in text.partition("\n")[0]:
            return text
        what = "the first line holds NUL, which no table does"
        todo = "Export it again."
    except LookupError:
        what = f"the encoding {delivered.encoding!r} is not known"
        todo = "Use 'utf-8', or for instance 'gb18030' or 'cp1252'."
    except UnicodeError as error:
        what = f"the file is not {delivered.encoding} text ({error})"
        todo = "Save it as UTF-8, or set 'encoding' in study.toml."
    marked = begun.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or b"\0" in begun:
        kind = "utf-16" if marked else "utf-16-le"
        todo = f"It may be UTF-16: set encoding = {kind!r}, or save it as UTF-8."
    raise DataError(Problem(what, todo, file=delivered.file))


def _plain(lines: list[str], delivered: Delivered) -> Read:
    """Read text without quotation marks: a line is a row."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    sign = delivered.separator
    nothing = sign + _BLANK
    there = [number for number, line in enumerate(lines) if line.strip(nothing)]
    kept = lines if len(there) == len(lines) else [lines[number] for number in there]
    rows = np.array(there, dtype=np.int64) + 1
    _refuse(rows, [line.count(sign) + 1 for line in kept], delivered.file)
    header = kept[0].split(sign)
    names = [str(i) for i in range(len(header))]
    table = arrow.read_csv(
        io.BytesIO("\n".join(kept[1:]).encode()),
        arrow.ReadOptions(
            use_threads=False,
            # A block holds the longest line, whose signs are of four bytes at most.
            block_size=max(1 << 20, 4 * max(map(len, kept)) + 1),
            column_names=names,
        ),
        arrow.ParseOptions(delimiter=sign, quote_char=False, ignore_empty_lines=False),
        arrow.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    return [name.strip() for name in header], table.to_pandas(), rows[1:]


def _quoted(text: str, delivered: Delivered) -> Read:
    """Read text in which a cell may hold separators and line breaks."""
    # csv, not pandas: it knows each row's line and never guesses what is missing.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delivered.separator, strict=True
    )
    try:
        read = [(line, row) for line, row in _begun(reader) if any(map(str.strip, row))]
    except csv.Error as error:
        what = f"the file is not CSV: {error}, up to line {reader.line_num}"
        todo = "Look for a quotation mark that is not closed."
        raise DataError(Problem(what, todo, file=delivered.file)) from None
    rows = np.array([line for line, _ in read], dtype=np.int64)
    _refuse(rows, [len(row) for _, row in read], delivered.file)
    header = [name.strip() for name in read[0][1]]
    columns = zip(*[row for _, row in read[1:]], strict=True)
    cells = {i: pd.Series(column, dtype="str") for i, column in enumerate(columns)}
    return header, pd.DataFrame(cells), rows[1:]


def _begun(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that a csv reader finds, with the line on which it begins."""
    line = 1
    for row in reader:
        yield line, row
        line = reader.line_num + 1


def _refuse(rows: NDArray[np.int64], lengths: list[int], file: str) -> None:
    """Refuse a file without rows, or with rows of another length than its header."""
    if len(rows) < 2:
        what = "the file has no rows" if len(rows) else "the file is empty"
        todo = "Export it again, or take it out of study.toml."
        raise DataError(Problem(what, todo, file=file))
    wide = lengths[0]
    odd: dict[int, list[int]] = defaultdict(list)
    for row, length in zip(rows.tolist(), lengths, strict=True):
        if length != wide:
            odd[length].append(row)
    todo = "Put text that holds the separator in quotation marks."
    problems = [
        problem
        for length, lines in odd.items()
        for problem in at_rows(
            lines, f"the row has {length} cells, the header {wide}", todo, file=file
        )
    ]
    if problems:
        raise DataError(sorted(problems, key=lambda problem: problem.row or 0))
