"""One file that holds a result: tables, texts and arrays that any tool can read.

It is a zip file. ``about.json`` says what it is, of which version, and the SHA-256 of
every other member; arrays are NumPy's ``.npy``. Nothing in it is run when it is read.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError

FORMAT = 1
"""Number of the layout; a file of a later one is refused."""

ABOUT = "about.json"

Members = Mapping[str, bytes]


def write_archive(path: str | Path, about: Mapping[str, Any], members: Members) -> Path:
    """Write a result into one file; the same members give the same bytes.

    Parameters
    ----------
    path : str or Path
        Where to.
    about : mapping
        What it is: texts, numbers, lists and mappings of them.
    members : mapping of str to bytes
        By name within the file.

    Returns
    -------
    Path

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "fit.cellpk"
    >>> about, members = read_archive(write_archive(file, {"kind": "x"}, {"a": b"1"}))
    >>> about["kind"], members
    ('x', {'a': b'1'})
    """
    from importlib.metadata import version

    hashes = {name: _hash(data) for name, data in sorted(members.items())}
    said = {"format": FORMAT, "cellpk": version("cellpk"), **about, "sha256": hashes}
    text = json.dumps(said, indent=1, ensure_ascii=False).encode()
    path = Path(path)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {ABOUT: text, **dict(sorted(members.items()))}.items():
            # Without a date of its own, equal content gives equal bytes.
            file.writestr(
                zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED
            )
    return path


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what a file says of itself, and its members.

    Parameters
    ----------
    path : str or Path
        A file that :func:`write_archive` wrote.

    Returns
    -------
    about : dict
    members : dict of str to bytes

    Raises
    ------
    FitError
        Where there is no such file, it is none of ours, it is of a later version, or a
        member is not as it was written.

    Examples
    --------
    >>> read_archive("no.cellpk")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: no.cellpk: there is no such file. ...
    """
    path = Path(path)
    if not path.is_file():
        todo = "Give the path of a file that .save() wrote."
        raise FitError("there is no such file", where=str(path), todo=todo)
    try:
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
        about = json.loads(members.pop(ABOUT))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FitError(
            f"this is no result of cellpk, or it is damaged ({error})",
            where=str(path),
            todo="Give a file that .save() wrote.",
        ) from error
    if about["format"] > FORMAT:
        raise FitError(
            f"cellpk {about['cellpk']} wrote it, in format {about['format']}",
            where=str(path),
            todo="Install that version, or a later one.",
        )
    changed = [
        name
        for name, known in about["sha256"].items()
        if _hash(members.get(name, b"")) != known
    ]
    if changed:
        raise FitError(
            f"changed since it was written: {', '.join(changed)}",
            where=str(path),
            todo="Take the file as it was written, or fit anew.",
        )
    return about, members


def packed(array: NDArray[Any]) -> bytes:
    """Return an array as the bytes of a ``.npy`` file.

    Examples
    --------
    >>> unpacked(packed(np.array([1.5, 2.0]))).tolist()
    [1.5, 2.0]
    """
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array, order="C"), allow_pickle=False)
    return out.getvalue()


def unpacked(data: bytes) -> NDArray[Any]:
    """Return the array of a ``.npy`` file.

    Examples
    --------
    >>> unpacked(packed(np.eye(2))).shape
    (2, 2)
    """
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
