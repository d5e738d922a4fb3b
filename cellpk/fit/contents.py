"""Studies, models, tables and arrays as members of a result's file, and back."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.archive import Members
from cellpk.model.model import Model
from cellpk.model.writing import WrittenModel, written_model
from cellpk.study.reading import read_study
from cellpk.study.study import Study
from cellpk.study.writing import write_study

_SOURCES, _BY_HAND = "sources.json", "given_by_hand.json"


def json_bytes(value: Any) -> bytes:
    """Return texts, numbers, mappings and sequences as JSON, with all digits.

    Examples
    --------
    >>> json_of(json_bytes({"share": 0.1, "pair": ("tmax", "cmax")}))
    {'share': 0.1, 'pair': ('tmax', 'cmax')}
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [_plain(each) for each in value]


def json_of(data: bytes) -> Any:
    """Return what :func:`json_bytes` wrote; sequences come back as tuples.

    Examples
    --------
    >>> json_of(b'{"doubted": []}')
    {'doubted': ()}
    """
    return _with_tuples(json.loads(data))


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(each) for key, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def array_bytes(array: NDArray[Any]) -> bytes:
    """Return an array of numbers in NumPy's own format (.npy).

    Examples
    --------
    >>> array_of(array_bytes(np.array([0.1, np.nan])))
    array([0.1, nan])
    >>> array_of(array_bytes(np.array(0.5))).shape
    ()
    """
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def array_of(data: bytes) -> NDArray[Any]:
    """Return what :func:`array_bytes` wrote.

    Examples
    --------
    >>> array_of(array_bytes(np.eye(2))).shape
    (2, 2)
    """
    return np.load(io.BytesIO(data), allow_pickle=False)


def frame_bytes(frame: pd.DataFrame) -> bytes:
    """Return a table as Parquet, which keeps kinds of columns and all digits.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["A"], "level": [0.1], "below": [False]})
    >>> frame_of(frame_bytes(table)).equals(table)
    True
    """
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow")
    return buffer.getvalue()


def frame_of(data: bytes) -> pd.DataFrame:
    """Return what :func:`frame_bytes` wrote.

    Examples
    --------
    >>> frame_of(frame_bytes(pd.DataFrame({"run": [1, 2]})))["run"].tolist()
    [1, 2]
    """
    return pd.read_parquet(io.BytesIO(data), engine="pyarrow")


def within(members: Members, folder: str) -> dict[str, bytes]:
    """Return the members of a folder, by their path in it.

    Examples
    --------
    >>> within({"study/study.toml": b"", "fit.json": b""}, "study")
    {'study.toml': b''}
    """
    start = f"{folder}/"
    found = {n: data for n, data in members.items() if n.startswith(start)}
    return {name.removeprefix(start): data for name, data in found.items()}


def under(folder: str, members: Members) -> dict[str, bytes]:
    """Return members, put into a folder.

    Examples
    --------
    >>> under("base", {"fit.json": b""})
    {'base/fit.json': b''}
    """
    return {f"{folder}/{name}": data for name, data in members.items()}


def study_members(study: Study) -> dict[str, bytes]:
    """Return a study as the files that ``write_study`` makes, and what it came from.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> study_of(study_members(study)) == study
    True
    """
    with TemporaryDirectory() as folder:
        write_study(study, folder)
        paths = sorted(Path(folder).iterdir())
        files = {path.name: path.read_bytes() for path in paths}
    return files | {_SOURCES: json_bytes([dict(source) for source in study.sources])}


def study_of(members: Members) -> Study:
    """Return the study of :func:`study_members`.

    Its sources are those of the study that was saved; its day of infusion is 0.

    Examples
    --------
    >>> import cellpk as ck
    >>> study_of(study_members(ck.simulate_study(seed=1))).sources
    ()
    """
    with TemporaryDirectory() as folder:
        for name, data in members.items():
            (Path(folder) / name).write_bytes(data)
        study = read_study(folder)
    return replace(study, sources=tuple(json_of(members[_SOURCES])))


def model_members(model: Model) -> dict[str, bytes]:
    """Return a model as its own file, what that varies, and what was given by hand.

    Raises
    ------
    ModelError
        Where the model holds what no file says.

    Examples
    --------
    >>> import cellpk as ck
    >>> list(model_members(ck.load_model("singh_2021_idecel")))
    ['singh_2021_idecel.toml', 'given_by_hand.json']
    """
    written = written_model(model)
    files = {name: text.encode() for name, text in written.files.items()}
    by_hand = {"typical": written.typical, "spread": written.spread}
    return files | {_BY_HAND: json_bytes(by_hand)}


def model_of(members: Members) -> Model:
    """Return the model of :func:`model_members`.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_lag").with_values(tmax=8.0)
    >>> model_of(model_members(stein)).parameters == stein.parameters
    True
    """
    files = {name: data.decode() for name, data in members.items() if name != _BY_HAND}
    return WrittenModel(files, **json_of(members[_BY_HAND])).model()
