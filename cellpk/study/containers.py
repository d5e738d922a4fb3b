"""Files that hold one table: read as a grid of texts, written from a data set.

What the columns mean is not known here. A kind of file is a module in
``cellpk/study/files``, which registers itself with :func:`container`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cellpk.errors import DataError, Problem, nearest
from cellpk.study.dataset import Dataset
from cellpk.study.discovery import import_all
from cellpk.study.grid import Grid


@dataclass(frozen=True)
class Delivered:
    """The bytes of a file and what is said of how it is written.

    Parameters
    ----------
    file : str
        What the study calls the file.
    path : Path
        Where it is.
    data : bytes
        What it holds.
    encoding, separator : str
        How its text is written, where it is one.

    Examples
    --------
    >>> Delivered("a.csv", Path("a.csv"), b"a").sha256[:4]
    'ca97'
    """

    file: str
    path: Path
    data: bytes
    encoding: str = "utf-8"
    separator: str = ","

    @property
    def sha256(self) -> str:
        """The hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


Read = Callable[[Delivered], Grid]
Write = Callable[[Dataset, Path], None]


@dataclass(frozen=True)
class Container:
    """One kind of file: how it is read and, where it can be, written.

    Examples
    --------
    >>> containers()[".csv"].label
    'text with separators'
    """

    label: str
    read: Read
    write: Write | None = None


_CONTAINERS: dict[str, Container] = {}

_BEGINNINGS: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"PK\x03\x04", "a workbook or another packed file", ()),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook", ()),
    (b"%PDF-", "a PDF", ()),
    (b"{\\rtf", "an RTF text", ()),
    (b"<!doctype html", "a web page", ()),
    (b"<html", "a web page", ()),
    (b"<table", "a web page", ()),
    (b"<?xml", "XML", ()),
    (b"\x1f\x8b", "a packed file (gzip)", (".dsjc",)),
    (b"PAR1", "Parquet", (".parquet", ".pq")),
    (b"HEADER RECORD*******", "a SAS transport file", (".xpt",)),
    (b"\0" * 12 + b"\xc2\xea\x81\x60", "a SAS data set", (".sas7bdat",)),
)
"""How files begin that are often delivered under a wrong name, and their endings."""

_WORKBOOKS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"}
_SAVE = "Open it and save the sheet as 'CSV UTF-8', one table to a file."


def container(
    *endings: str, label: str, write: Write | None = None
) -> Callable[[Read], Read]:
    """Register a function that reads a kind of file.

    Parameters
    ----------
    *endings : str
        Of the names of such files, with the dot, in small letters.
    label : str
        What this kind of file is called.
    write : callable, optional
        Writes a data set to a path.

    Examples
    --------
    >>> @container(".none", label="nothing")
    ... def read(delivered):
    ...     return Grid.of_frame(pd.DataFrame(), file=delivered.file)
    >>> _CONTAINERS.pop(".none").label
    'nothing'
    """

    def register(read: Read) -> Read:
        for ending in endings:
            _CONTAINERS[ending] = Container(label, read, write)
        return read

    return register


@cache
def containers() -> dict[str, Container]:
    """Return every kind of file by the ending of its names.

    Examples
    --------
    >>> ".parquet" in containers()
    True
    """
    import_all("cellpk.study.files")
    return dict(sorted(_CONTAINERS.items()))


def read_grid(
    file: str, folder: Path, *, encoding: str = "utf-8", separator: str = ","
) -> Grid:
    r"""Read a file that holds one table.

    Parameters
    ----------
    file : str
        Its path, relative to the folder.
    folder : Path
        The folder.
    encoding, separator : str
        How its text is written, where it is one.

    Returns
    -------
    Grid
        Every cell as text, every row with its line. Lines of a text file that hold
        nothing are left out; a text file without any row is refused, as it may have
        been cut short, while the other kinds say themselves that they hold no row.

    Raises
    ------
    DataError
        If there is no such file, it is of no known kind, or it is not what its ending
        says; all that is wrong with the file is listed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("patient,time\n1,7\n")
    >>> grid = read_grid("a.csv", folder)
    >>> grid.cells.values.tolist(), grid.source["rows"]
    ([['1', '7']], 1)
    """
    path = folder / file
    try:
        # Not a pipe or a device, which might never end.
        if path.exists() and not path.is_file():
            what = f"the file cannot be read ({file!r} is not a regular file)"
            todo = "Name the file itself."
            raise DataError(Problem(what, todo, file=file))
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        what = f"the file cannot be read ({getattr(error, 'strerror', error)})"
        todo = "Correct 'file' in study.toml; paths are relative to it."
        raise DataError(Problem(what, todo, file=file)) from None
    if not data:
        todo = "Export it again, or take it out of study.toml."
        raise DataError(Problem("the file is empty", todo, file=file))
    kind = _kind(file)
    if problem := _disguised(data, file):
        raise DataError(problem)
    grid = kind.read(Delivered(file, path, data, encoding, separator))
    if problems := grid.problems():
        raise DataError(problems)
    return grid


def write_dataset(dataset: Dataset, folder: Path, ending: str = ".csv") -> Path:
    """Write a data set.

    Parameters
    ----------
    dataset : Dataset
        What to write.
    folder : Path
        Where to.
    ending : str
        The kind of file, such as ``".csv"`` or ``".xpt"``.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DataError
        If cellpk does not write that kind of file, or the data set does not fit into
        it; all that does not fit is told.

    Notes
    -----
    ``read_grid`` gives back every cell as ``parsing.as_text`` writes it: numbers to the
    last bit, a negative zero as 0, and white space within a text as one blank. The same
    data set is the same bytes, whenever it is written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from cellpk.study.dataset import Variable
    >>> frame = pd.DataFrame({"ID": ["01"]})
    >>> data = Dataset("a", "Levels", frame, [Variable("ID", "Patient")])
    >>> write_dataset(data, Path(tempfile.mkdtemp())).read_text().split()
    ['ID', '01']
    """
    path = folder / f"{dataset.name}{ending}"
    write = _kind(path.name).write
    if write is None:
        writable = [name for name, kind in containers().items() if kind.write]
        what = f"cellpk does not write {ending!r} files"
        raise DataError(Problem(what, f"Use one of: {', '.join(writable)}."))
    if problems := dataset.problems(path.name):
        raise DataError(problems)
    write(dataset, path)
    return path


def _kind(file: str) -> Container:
    """Return the kind of a file by the ending of its name."""
    ending = Path(file).suffix.casefold()
    known = containers()
    if ending not in known:
        what = f"files that end in {ending!r} are not read"
        todo = _SAVE if ending in _WORKBOOKS else nearest(ending, known)
        raise DataError(Problem(what, todo, file=file, value=ending))
    return known[ending]


def _disguised(data: bytes, file: str) -> Problem | None:
    """Tell that a file is of another kind than its name says."""
    ending = Path(file).suffix.casefold()
    begun = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for beginning, kind, endings in _BEGINNINGS:
        if begun.startswith(beginning.lower()) and ending not in endings:
            todo = f"End its name in {endings[0]!r}." if endings else _SAVE
            what = f"the file is {kind}, not what its name says"
            return Problem(what, todo, file=file, value=ending)
    return None
