"""Text files with separators (CSV, TSV), by the csv module or, where plain, Arrow."""

import codecs
import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem
from cellpk.study.containers import Delivered, container
from cellpk.study.dataset import Dataset
from cellpk.study.grid import Grid

Lines = list[tuple[int, list[str]]]


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set as CSV: UTF-8, every number so that it reads back equal.

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
    dataset.frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


@container(".csv", ".tsv", ".txt", ".dat", label="text with separators", write=write)
def read(delivered: Delivered) -> Grid:
    r"""Read a text file with separators; empty lines are left out.

    Raises
    ------
    DataError
        If it is not text, not CSV, or has rows of other lengths than its header; all
        such rows are listed.

    Examples
    --------
    >>> read(Delivered("a.csv", Path("a.csv"), b"a,b\n\n1,2\n")).rows.tolist()
    [3]
    """
    text = _decoded(delivered)
    if '"' in text or "\r" in text.replace("\r\n", "\n"):
        header, cells, rows = _quoted(text, delivered)
    else:
        header, cells, rows = _plain(text.replace("\r\n", "\n"), delivered)
    cells.columns = pd.Index(header, dtype=object)
    return Grid.of_frame(cells, file=delivered.file, rows=rows, sha256=delivered.sha256)


def _decoded(delivered: Delivered) -> str:
    try:
        codecs.lookup(delivered.encoding)
        # A byte-order mark is no part of the first column's name.
        return delivered.data.decode(delivered.encoding).removeprefix("\ufeff")
    except LookupError:
        what = f"the encoding {delivered.encoding!r} is not known"
        todo = "Use 'utf-8', or for instance 'gb18030' or 'cp1252'."
    except UnicodeError as error:
        what = f"the file is not {delivered.encoding} text ({error})"
        todo = "Save it as UTF-8, or set 'encoding' in study.toml."
    raise DataError(Problem(what, todo, file=delivered.file))


def _plain(
    text: str, delivered: Delivered
) -> tuple[list[str], pd.DataFrame, np.ndarray]:
    """Read text without quotation marks: a line is a row."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    sign = delivered.separator
    lines = text.split("\n")
    nothing = f"{sign} \t\v\f"
    there = [number for number, line in enumerate(lines) if line.strip(nothing)]
    kept = lines if len(there) == len(lines) else [lines[number] for number in there]
    header = kept[0].split(sign) if kept else []
    _refuse(
        [(there[i] + 1, len(header)) for i in range(min(len(kept), 1))],
        [
            (there[i] + 1, line.count(sign) + 1)
            for i, line in enumerate(kept)
            if line.count(sign) + 1 != len(header)
        ],
        len(kept),
        delivered.file,
    )
    names = [str(i) for i in range(len(header))]
    table = arrow.read_csv(
        io.BytesIO("\n".join(kept[1:]).encode()),
        arrow.ReadOptions(
            use_threads=False,
            block_size=max(1 << 20, 4 * max(map(len, kept)) + 1),
            column_names=names,
        ),
        arrow.ParseOptions(delimiter=sign, quote_char=False, ignore_empty_lines=False),
        arrow.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    rows = np.array(there[1:], dtype=np.int64) + 1
    return [name.strip() for name in header], table.to_pandas(), rows


def _quoted(
    text: str, delivered: Delivered
) -> tuple[list[str], pd.DataFrame, np.ndarray]:
    """Read text in which a cell may hold separators and line breaks."""
    try:
        # csv, not pandas: it knows each row's line and never guesses what is missing.
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delivered.separator, strict=True
        )
        read = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        what = f"the file is not CSV: {error}"
        todo = "Look for a quotation mark that is not closed."
        raise DataError(Problem(what, todo, file=delivered.file)) from None
    header = [name.strip() for name in read[0][1]] if read else []
    lengths = [(line, len(row)) for line, row in read]
    odd = [(line, n) for line, n in lengths if n != len(header)]
    _refuse(lengths[:1], odd, len(read), delivered.file)
    names = pd.RangeIndex(len(header))
    cells = pd.DataFrame([row for _, row in read[1:]], columns=names, dtype="str")
    return header, cells, np.array([line for line, _ in read[1:]], dtype=np.int64)


def _refuse(
    header: list[tuple[int, int]], odd: list[tuple[int, int]], n: int, file: str
) -> None:
    """Refuse a file without rows, or with rows of another length than its header."""
    if n < 2:
        what = "the file has no rows" if n else "the file is empty"
        todo = "Export it again, or take it out of study.toml."
        raise DataError(Problem(what, todo, file=file))
    todo = "Put text that holds the separator in quotation marks."
    wide = header[0][1]
    problems = [
        Problem(
            f"the row has {cells} cells, the header {wide}", todo, file=file, row=line
        )
        for line, cells in odd
    ]
    if problems:
        raise DataError(problems)
