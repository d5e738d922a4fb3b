"""From a study.toml and its files to a checked study."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpk.errors import DataError, Problem
from cellpk.study.building import build
from cellpk.study.config import Settings, TableFile, load_settings
from cellpk.study.formats import tidy
from cellpk.study.study import Study

if TYPE_CHECKING:
    from cellpk.study.sheet import Sheet


def read_study(path: str | Path) -> Study:
    r"""Read a study: its study.toml and the files that this names.

    Parameters
    ----------
    path : str or Path
        The study.toml, or the folder in which it is.

    Returns
    -------
    Study
        The checked study; times in days after the first infusion. Doubtful things
        stand in ``study.problems``.

    Raises
    ------
    DataError
        Listing everything impossible in all files: where it stands, what it is, what
        to do.

    Notes
    -----
    ``infusion_day`` in ``[study]`` says what the files call the day of infusion. With
    0, times in days are elapsed days. With 1 the infusion day is day 1 and there is no
    day 0, so that day 1 becomes time 0, and day -1, the day before, stays -1. Times in
    other units are elapsed times.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "levels.csv").write_text("patient,time,level\n007,8,<50\n")
    >>> _ = (folder / "study.toml").write_text('''
    ... [study]
    ... id = "A"
    ... infusion_day = 1
    ... [[samples]]
    ... file = "levels.csv"
    ... assay = "qpcr"
    ... ''')
    >>> study = read_study(folder)
    >>> study
    Study A: 1 patient, 1 qpcr samples (1 below), days 7 to 7
    """
    settings, path = load_settings(path)
    sheets: dict[str, list[Sheet]] = {name: [] for name in tidy.TABLES}
    problems: list[Problem] = []
    sources: dict[str, Any] = {path.name: _source(path)}
    for name, section in _sections(settings):
        try:
            sheet, source = tidy.read_sheet(section, path.parent)
        except DataError as error:
            problems += error.problems
        else:
            sheets[name].append(sheet)
            sources[section.file] = source
    tables = build(sheets, settings, problems)
    return Study(tables, settings, tuple(sources.values()))


def _sections(settings: Settings) -> Iterator[tuple[str, TableFile]]:
    """Yield every file of a study with the table that it belongs to."""
    for name in tidy.TABLES:
        sections = getattr(settings, name) or ()
        for section in sections if isinstance(sections, tuple) else (sections,):
            yield name, section


def _source(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": path.name, "sha256": digest, "rows": 0, "columns": []}
