"""What every fit rests on, as files: the study and the model, there and back."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from cellpk.fit.archive import Members
from cellpk.model.library import load_model
from cellpk.model.model import Model
from cellpk.study.reading import read_study
from cellpk.study.study import Study
from cellpk.study.writing import write_study

STUDY, MODEL = "study/", "model/"

_CHANGES = f"{MODEL}changes.json"


def study_members(study: Study) -> dict[str, bytes]:
    """Return a study as files that ``read_study`` reads.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> study_of(study_members(study)) == study
    True
    """
    with tempfile.TemporaryDirectory() as folder:
        write_study(study, folder)
        return {
            f"{STUDY}{path.name}": path.read_bytes()
            for path in sorted(Path(folder).iterdir())
        }


def study_of(members: Members) -> Study:
    """Return the study of files from :func:`study_members`."""
    with tempfile.TemporaryDirectory() as folder:
        _unfolded(members, STUDY, Path(folder))
        return read_study(Path(folder) / "study.toml")


def model_members(model: Model) -> dict[str, bytes]:
    """Return a model as its files, and what was changed of its numbers since.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel").with_values(tmax=9.3)
    >>> model_of(model_members(stein)).parameters["tmax"].value
    9.3
    """
    files = {f"{MODEL}{name}": text.encode() for name, text in model.files}
    as_read = _read(dict(model.files), model.name).parameters
    changes = {
        name: asdict(row)
        for name, row in model.parameters.items()
        if row != as_read[name]
    }
    said = {"name": model.name, "parameters": changes}
    return files | {_CHANGES: json.dumps(said, indent=1).encode()}


def model_of(members: Members) -> Model:
    """Return the model of files from :func:`model_members`."""
    said = json.loads(members[_CHANGES])
    texts = {
        name.removeprefix(MODEL): data.decode()
        for name, data in members.items()
        if name.startswith(MODEL) and name != _CHANGES
    }
    model = _read(texts, said["name"])
    changed = {
        name: replace(model.parameters[name], **values)
        for name, values in said["parameters"].items()
    }
    return replace(model, parameters={**model.parameters, **changed})


def _read(texts: Mapping[str, str], name: str) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        for file, text in texts.items():
            (Path(folder) / file).write_bytes(text.encode())
        return load_model(Path(folder) / f"{name}.toml")


def _unfolded(members: Members, start: str, folder: Path) -> None:
    for name, data in members.items():
        if name.startswith(start):
            (folder / name.removeprefix(start)).write_bytes(data)
