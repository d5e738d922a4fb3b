"""The formats in which studies are delivered: found by themselves, one file each.

A format gives its files meaning: it turns grids into a delivery, and a study into data
sets. The kinds of files (CSV, Parquet, XPT ...) are for :mod:`cellpk.study.containers`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cellpk.study.dataset import Dataset
from cellpk.study.delivery import Delivery
from cellpk.study.discovery import import_all
from cellpk.study.grid import Grid

if TYPE_CHECKING:
    from cellpk.study.config import Settings
    from cellpk.study.study import Study

Read = Callable[[Any, Mapping[str, Grid], "Settings"], Delivery]
"""From what [[data]] says, the grids by file, and the settings of the study."""


@dataclass(frozen=True)
class Export:
    """A study as data sets of a format.

    Parameters
    ----------
    datasets : tuple of Dataset
        What is written.
    section : mapping
        What ``[[data]]`` says to read it again, without ``format`` and ``files``.
    carried : tuple of str
        The tables of the study that the data sets hold; the others are written as tidy
        tables beside them.
    remarks : tuple of str
        What a reader of the files has to know, one sentence each.

    Examples
    --------
    >>> Export().carried
    ()
    """

    datasets: tuple[Dataset, ...] = ()
    section: Mapping[str, Any] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recognised:
    """What a format finds of its own among the files of a folder.

    Parameters
    ----------
    files : tuple of str
        The files that are of the format.
    section : mapping
        What ``[[data]]`` can say of them already, without ``format``.
    remarks : tuple of str
        What a person has to say, one sentence each.

    Examples
    --------
    >>> Recognised(("pc.xpt",), {"files": ["pc.xpt"]}).remarks
    ()
    """

    files: tuple[str, ...]
    section: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


Write = Callable[["Study"], Export]
Recognise = Callable[[Mapping[str, Grid]], Recognised | None]


@dataclass(frozen=True)
class Format:
    """One format: how it is written, and how it is read where [[data]] names it.

    Parameters
    ----------
    name : str
        What study.toml and ``write_study`` call it.
    label : str
        What it is called.
    write : callable
        From a study to its data sets.
    read : callable, optional
        From grids to a delivery; a format without it is read by tidy sections.
    endings : tuple of str
        Kinds of files that it is written to, the usual one first.
    recognise : callable, optional
        Finds its own files among grids, for the beginning of a study.toml.

    Examples
    --------
    >>> formats()["tidy"].label
    'tidy tables'
    """

    name: str
    label: str
    write: Write
    read: Read | None = None
    endings: tuple[str, ...] = (".csv",)
    recognise: Recognise | None = None


_FORMATS: dict[str, Format] = {}


def register(entry: Format) -> Format:
    """Make a format known.

    Examples
    --------
    >>> entry = register(Format("none", "nothing", lambda study: Export()))
    >>> _FORMATS.pop("none") is entry
    True
    """
    _FORMATS[entry.name] = entry
    return entry


@cache
def formats() -> dict[str, Format]:
    """Return every format by its name.

    Examples
    --------
    >>> "tidy" in formats()
    True
    """
    import_all("cellpk.study.formats")
    return dict(sorted(_FORMATS.items()))
