"""Results from their files: ``load``."""

from importlib import import_module
from pathlib import Path
from typing import Any

from cellpk.errors import FitError, nearest
from cellpk.fit.archive import read_archive

KINDS = {"population fit": "cellpk.fit.population.storing"}
"""Modules whose ``restore`` gives a result back, by its kind."""


def load(path: str | Path) -> Any:
    """Return a result that was saved with its method ``save``.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    PopulationFit
        As it was saved: its tables are equal to the last digit.

    Raises
    ------
    FitError
        Where the file is not one of ours, is of a later version, or was changed.

    Examples
    --------
    >>> import cellpk as ck
    >>> ck.load("no.cellpk")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: no.cellpk: there is no such file. ...
    """
    about, members = read_archive(path)
    if about["kind"] not in KINDS:
        todo = nearest(about["kind"], KINDS)
        raise FitError(f"it holds a {about['kind']!r}", where=str(path), todo=todo)
    return import_module(KINDS[about["kind"]]).restore(about, members)
