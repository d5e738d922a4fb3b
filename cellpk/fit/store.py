"""Results kept in files: ``fit.save(path)`` and ``load(path)``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cellpk.errors import FitError, nearest
from cellpk.fit.archive import Members, read_archive, write_archive
from cellpk.study.discovery import import_all


@dataclass(frozen=True)
class Kind:
    """One kind of result: how it becomes members of a file, and comes back.

    Parameters
    ----------
    name : str
        What files call it.
    result : type
        Its class.
    members : callable
        From a result to its members.
    restored : callable
        From members to the result.

    Examples
    --------
    >>> sorted(kinds())
    ['bayes', 'individual', 'population']
    """

    name: str
    result: type
    members: Callable[[Any], Members]
    restored: Callable[[Members], Any]


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make a kind of result known.

    Examples
    --------
    >>> kind = register(Kind("none", int, lambda result: {}, lambda members: 0))
    >>> _KINDS.pop("none") is kind
    True
    """
    _KINDS[kind.name] = kind
    return kind


@cache
def kinds() -> dict[str, Kind]:
    """Return every kind of result that can be saved, by its name.

    Examples
    --------
    >>> kinds()["population"].result.__name__
    'PopulationFit'
    """
    import_all("cellpk.fit.stored")
    return dict(sorted(_KINDS.items()))


class Saveable:
    """A result that can be saved: its kind is registered in ``cellpk/fit/stored``.

    Examples
    --------
    >>> Saveable().save("a.cellpk")
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: results of the class Saveable cannot be saved. ...
    """

    def save(self, path: str | Path) -> Path:
        """Save the result in one file, which :func:`cellpk.load` reads.

        It is a zip without anything pickled: the study as :func:`cellpk.write_study`
        writes it, the model's own text, tables as Parquet, arrays as .npy, the rest as
        JSON, and a manifest with versions and a hash of every member.

        Parameters
        ----------
        path : str or Path
            Where to; ``.cellpk`` is the usual ending.

        Returns
        -------
        Path
            The file: equal bytes for equal results.

        Raises
        ------
        ModelError
            Where the model holds what no file says.
        """
        found = [kind for kind in kinds().values() if type(self) is kind.result]
        if not found:
            what = f"results of the class {type(self).__name__} cannot be saved"
            known = ", ".join(kind.result.__name__ for kind in kinds().values())
            raise FitError(what, todo=f"Those of {known} can.")
        return write_archive(path, found[0].name, found[0].members(self))


def load(path: str | Path) -> Any:
    """Load a result that was saved.

    Parameters
    ----------
    path : str or Path
        A file that ``save`` wrote.

    Returns
    -------
    BayesFit, PopulationFit or IndividualFits
        As it was saved: its tables are equal in every digit.

    Raises
    ------
    FitError
        Where there is no such file, it is not of cellpk or of a newer one, or it is
        not as it was saved: with what was changed.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> path = fits.save(Path(tempfile.mkdtemp()) / "fits.cellpk")
    >>> load(path).table.equals(fits.table)
    True
    """
    archive = read_archive(path)
    if archive.kind not in kinds():
        raise FitError(
            f"cellpk {archive.written_by} wrote a result of the kind {archive.kind!r}",
            where=archive.name,
            todo=f"{nearest(archive.kind, kinds())} Or install that cellpk.",
        )
    try:
        return kinds()[archive.kind].restored(archive.members)
    except FitError as error:
        raise FitError(error.found, where=archive.name, todo=error.todo) from error
