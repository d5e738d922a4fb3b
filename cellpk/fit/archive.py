"""Files of results: a zip of plain members, each under its hash, nothing pickled."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from cellpk.errors import FitError
from cellpk.study.versions import versions

FORMAT = 1
"""What this cellpk writes; it reads this and all lower numbers."""

MANIFEST = "manifest.json"

_MARK = "cellpk_format"
_TIME = (1980, 1, 1, 0, 0, 0)  # none: equal results are equal bytes
_UNIX = 3

Members = Mapping[str, bytes]


@dataclass(frozen=True)
class Archive:
    """What a file of a result holds.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    kind : str
        What result it is.
    written_by : str
        Version of the cellpk that wrote it.
    members : mapping of str to bytes
        By path.

    Examples
    --------
    >>> Archive("a.cellpk", "population", "0.1.0", {"fit.json": b"{}"}).kind
    'population'
    """

    name: str
    kind: str
    written_by: str
    members: Members


def write_archive(path: str | Path, kind: str, members: Members) -> Path:
    """Write members and a manifest with versions and hashes.

    Parameters
    ----------
    path : str or Path
        Where to; its folder is made if it does not exist.
    kind : str
        What result it is.
    members : mapping of str to bytes
        By path.

    Returns
    -------
    Path
        The file: equal bytes for equal members and versions.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.cellpk"
    >>> read_archive(write_archive(path, "note", {"said.txt": b"yes"})).members
    {'said.txt': b'yes'}
    """
    path = Path(path)
    hashes = {name: sha256(data).hexdigest() for name, data in members.items()}
    said: dict[str, Any] = {_MARK: FORMAT, "kind": kind, "cellpk": version("cellpk")}
    said |= {"packages": versions(), "members": hashes}
    said["sha256"] = _seal(said)
    text = json.dumps(said, indent=2, ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {MANIFEST: text, **members}.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, _UNIX
            file.writestr(entry, data)
    return path


def read_archive(path: str | Path) -> Archive:
    """Read what :func:`write_archive` wrote, once nothing in it was changed.

    Raises
    ------
    FitError
        Where there is no such file, it is not one of ours, it comes of a newer cellpk,
        or something in it is missing, changed or added: with the names.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as file:
            said = _manifest(file, path.name)
            members = _members(file, said["members"], path.name)
    except OSError as error:
        raise FitError(
            f"{str(path)!r} cannot be read ({error.strerror})",
            todo="Give the path of a file that was written by save.",
        ) from None
    except zipfile.BadZipFile:
        raise _foreign(path.name, "it is no zip, or is cut off") from None
    return Archive(path.name, said["kind"], said["cellpk"], members)


def _manifest(file: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """Return the manifest, once it is one that this cellpk can go by."""
    try:
        said = json.loads(file.read(MANIFEST))
        known, by = int(said[_MARK]), said["cellpk"]
    except (KeyError, TypeError, ValueError, zlib.error, zipfile.BadZipFile):
        raise _foreign(name, f"its {MANIFEST} is missing or no such thing") from None
    if known > FORMAT:
        raise FitError(
            f"cellpk {by} wrote it in format {known}; this cellpk "
            f"({version('cellpk')}) reads up to format {FORMAT}",
            where=name,
            todo=f"Install cellpk {by} or later.",
        )
    if said.get("sha256") != _seal(said):
        raise _changed(name, [f"{MANIFEST} was changed"])
    return said


def _members(
    file: zipfile.ZipFile, hashes: Mapping[str, str], name: str
) -> dict[str, bytes]:
    """Return all members, once they are those of the manifest."""
    there, members, wrong = file.namelist(), {}, []
    for each, expected in hashes.items():
        try:
            members[each] = file.read(each)
        except KeyError:
            wrong.append(f"{each} is missing")
        except (zipfile.BadZipFile, zlib.error, EOFError):
            wrong.append(f"{each} is damaged")
        else:
            if sha256(members[each]).hexdigest() != expected:
                wrong.append(f"{each} was changed")
        if PurePosixPath(each).is_absolute() or ".." in PurePosixPath(each).parts:
            wrong.append(f"{each} would lie outside")
    added = sorted(set(there) - set(hashes) - {MANIFEST})
    wrong += [f"{each} was added" for each in added]
    wrong += [f"{each} stands twice" for each in hashes if there.count(each) > 1]
    if wrong:
        raise _changed(name, wrong)
    return members


def _seal(said: Mapping[str, Any]) -> str:
    """Return the hash of a manifest, itself left out."""
    rest = {key: value for key, value in said.items() if key != "sha256"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _foreign(name: str, why: str) -> FitError:
    todo = "Give a file that was written by save."
    return FitError(f"no result of cellpk: {why}", where=name, todo=todo)


def _changed(name: str, what: list[str]) -> FitError:
    listed = "; ".join(what[:10]) + ("; ..." if len(what) > 10 else "")
    todo = "Take the file as it was saved, or fit again."
    return FitError(f"not as it was saved: {listed}", where=name, todo=todo)
