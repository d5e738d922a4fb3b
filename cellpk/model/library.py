"""The library of published models, and files of one's own."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from cellpk.errors import ModelError, nearest
from cellpk.model.model import Model
from cellpk.model.model_file import read_model


def folder() -> Path:
    """Return the folder of the model files: within an install, else of the checkout.

    Examples
    --------
    >>> (folder() / "stein_2019_tisagenlecleucel.toml").is_file()
    True
    """
    package = Path(str(files("cellpk")))
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def _names(place: Path) -> list[str]:
    return sorted(path.stem for path in place.glob("*.toml"))


def _find(name: str, beside: Path) -> Path:
    """Return the file of a named model: in a folder of one's own, else the library."""
    for place in (beside, folder()):
        path = place / f"{name}.toml"
        if path.is_file():
            return path
    raise ModelError(
        f"there is no model {name!r}",
        todo=nearest(name, {*_names(beside), *_names(folder())}),
    )


def load_model(name: str | Path) -> Model:
    """Return a model of the library, or of a file of one's own.

    Parameters
    ----------
    name : str or Path
        Name as in :func:`list_models`, or the path of a ``.toml`` file.

    Raises
    ------
    ModelError
        Where there is no such model, or its file cannot be understood.

    Examples
    --------
    >>> import cellpk as ck
    >>> ck.load_model("stein_2019_tisagenlecleucel").title
    'Tisagenlecleucel, paediatric and young-adult B-ALL'
    >>> ck.load_model("stein_2019")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: there is no model 'stein_2019'. ...
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = _find(str(name), folder())
    elif not path.is_file():
        raise ModelError(
            f"there is no file {str(name)!r}",
            todo="Correct the path, or give a name from cellpk.list_models().",
        )
    return read_model(path.resolve(), find=_find)


def list_models() -> pd.DataFrame:
    """Return what the library holds, one row per model.

    Returns
    -------
    DataFrame
        name, title, status (published or not), source, parameters (those that differ
        between patients), observed.

    Examples
    --------
    >>> import cellpk as ck
    >>> "stein_2019_smooth_peak" in set(ck.list_models()["name"])
    True
    """
    models = map(load_model, _names(folder()))
    rows = [
        (m.name, m.title, m.status, m.source, ", ".join(m.free), ", ".join(m.observed))
        for m in models
    ]
    columns = ["name", "title", "status", "source", "parameters", "observed"]
    return pd.DataFrame(rows, columns=columns)
