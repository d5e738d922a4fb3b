"""From a study.toml and its files to a checked study."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cellpk.errors import DataError, Problem
from cellpk.study.building import build
from cellpk.study.config import Settings, load_settings
from cellpk.study.containers import containers, read_grid
from cellpk.study.delivery import TABLES, Delivery, sheet_of
from cellpk.study.exchange import formats
from cellpk.study.file_sections import DataFiles, TableFile
from cellpk.study.grid import Grid
from cellpk.study.study import Study

DICTIONARY = "data_dictionary.csv"
"""The file that tells what the columns of a written study mean."""


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
    delivery = Delivery(sources={path.name: _source(path)})
    for table, section in _sections(settings):
        for grid in _grids([section.file], section, path.parent, delivery):
            delivery.add(table, sheet_of(grid, section))
    for section in settings.data:
        files = list(_files(section, path.parent, delivery))
        grids = _grids(files, section, path.parent, delivery)
        read = formats()[section.format].read
        assert read is not None, section.format
        taken = read(section, {grid.file: grid for grid in grids}, settings)
        for sheet in taken.sheets["samples"] if section.texts else ():
            said = {"texts": section.texts}
            sheet.section = sheet.section.model_copy(update=said)
        delivery.take(taken)
    return Study(build(delivery, settings), settings, tuple(delivery.sources.values()))


def _sections(settings: Settings) -> Iterator[tuple[str, TableFile]]:
    """Yield every tidy file of a study with the table that it belongs to."""
    for name in TABLES:
        sections = getattr(settings, name) or ()
        for section in sections if isinstance(sections, tuple) else (sections,):
            yield name, section


def _files(section: DataFiles, folder: Path, delivery: Delivery) -> Iterator[str]:
    """Yield the files of a section: those named, and those of the folders named."""
    for name in dict.fromkeys(section.files):
        if "\0" in name or not (folder / name).is_dir():
            yield name
            continue
        skipped = {*section.skip, DICTIONARY, "study.toml"}
        there = {file.name for file in (folder / name).iterdir()} - skipped
        known = {file for file in there if Path(file).suffix.casefold() in containers()}
        yield from (str(Path(name) / file) for file in sorted(known))
        if not known:
            what = f"the folder {name!r} has no file of a kind that is read"
            todo = f"Their names end in {', '.join(containers())}."
            delivery.problems.append(Problem(what, todo, file=name))
        if unread := sorted(there - known):
            what = f"the folder {name!r} holds what is not read: {', '.join(unread)}"
            todo = "Nothing, if it holds no data; 'skip' in study.toml passes it over."
            rule = "files_not_read"
            delivery.doubts.append(Problem(what, todo, "note", file=name, rule=rule))


def _grids(
    files: list[str], how: TableFile | DataFiles, folder: Path, delivery: Delivery
) -> list[Grid]:
    """Read files, noting each, and what is wrong with those that cannot be read."""
    grids: list[Grid] = []
    for file in files:
        try:
            grid = read_grid(
                file, folder, encoding=how.encoding, separator=how.separator
            )
        except DataError as error:
            delivery.problems += error.problems
            continue
        delivery.record(grid)
        if isinstance(how, DataFiles) and how.decimal == ",":
            grid, wrong = grid.with_points()
            delivery.problems += wrong
        grids.append(grid)
    return grids


def _source(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": path.name, "sha256": digest, "rows": 0, "columns": []}
