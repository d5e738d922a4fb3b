"""From the files of an ADaM folder to a delivery: which data set says what."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from cellpk.errors import Problem
from cellpk.study.adam.doses import find_starts, read_exposure
from cellpk.study.adam.levels import read_levels
from cellpk.study.adam.options import AdamOptions
from cellpk.study.adam.outcomes import (
    deaths_told,
    read_adverse,
    read_drugs,
    read_events,
    read_responses,
)
from cellpk.study.adam.population import read_population
from cellpk.study.adam.source import (
    PATIENT,
    Source,
    codes,
    dataset_of,
    is_adam,
)
from cellpk.study.adam.subjects import read_subjects
from cellpk.study.assays import ASSAYS
from cellpk.study.cdisc import assay_of, blanked, capitals, named
from cellpk.study.config import Settings
from cellpk.study.delivery import Delivery
from cellpk.study.exchange import Recognised
from cellpk.study.grid import Grid

Read = Callable[[Source, Grid], None]

_NOT_READ = {
    "ADPP": "parameters worked out of the levels: cellpk works out its own",
    "": "a data set that nothing is read from",
}


def read_folder(
    options: AdamOptions, grids: Mapping[str, Grid], settings: Settings
) -> Delivery:
    """Read ADaM data sets.

    Parameters
    ----------
    options : AdamOptions
        What ``[[data]]`` says of them.
    grids : mapping
        The grids by file.
    settings : Settings
        The resolved study.toml.

    Returns
    -------
    Delivery
        Every row of every file in a sheet, or put aside with a reason.

    Examples
    --------
    >>> import pandas as pd
    >>> from cellpk.study.config import settings_of
    >>> frame = pd.DataFrame({"USUBJID": ["1"], "AGE": [50]})
    >>> grids = {"adsl.csv": Grid.of_frame(frame, file="adsl.csv")}
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> options = AdamOptions(format="adam", files=("adam",))
    >>> len(read_folder(options, grids, settings).sheets["patients"])
    1
    """
    by_set: dict[str, list[Grid]] = {}
    for grid in map(capitals, grids.values()):
        by_set.setdefault(dataset_of(grid), []).append(blanked(grid, options.blank))
    source = Source(options, settings, there=frozenset(by_set))
    find_starts(source, by_set)
    readers = _readers(source, by_set)
    for name, found in by_set.items():
        for grid in found:
            if PATIENT not in grid.cells and name in readers:
                _without_patients(source, grid)
            elif name in readers:
                readers[name](source, grid)
            else:
                everything = np.ones(len(grid.cells), dtype=bool)
                source.delivery.put_aside(grid, everything, _NOT_READ[name])
    _tell_unknown(source)
    return source.delivery


def _readers(source: Source, by_set: Mapping[str, list[Grid]]) -> dict[str, Read]:
    """Return what reads each data set, given which others there are."""
    deaths = deaths_told(source, by_set.get("ADTTE", ()))
    patients = "ADSL" not in by_set

    def subjects(source: Source, grid: Grid) -> None:
        read_subjects(source, grid, deaths=deaths)

    def population(source: Source, grid: Grid) -> None:
        if "ADPC" in source.there:
            everything = np.ones(len(grid.cells), dtype=bool)
            reason = "the same samples and doses stand in ADPC"
            source.delivery.put_aside(grid, everything, reason)
        else:
            read_population(source, grid, patients=patients)

    return {
        "ADSL": subjects,
        "ADPPK": population,
        "ADPC": lambda source, grid: read_levels(source, grid, "ADPC"),
        "ADLB": lambda source, grid: read_levels(source, grid, "ADLB"),
        "ADEX": read_exposure,
        "ADRS": read_responses,
        "ADTTE": read_events,
        "ADAE": lambda source, grid: read_adverse(source, grid, "ADAE"),
        "ADCE": lambda source, grid: read_adverse(source, grid, "ADCE"),
        "ADCM": read_drugs,
    }


def _without_patients(source: Source, grid: Grid) -> None:
    what, todo = f"there is no column {PATIENT!r}", "Export the data set with it."
    problem = Problem(what, todo, file=grid.file, column=PATIENT)
    source.delivery.problems.append(problem)


def _tell_unknown(source: Source) -> None:
    """Say which codes there are where none of them is an assay."""
    if source.delivery.sheets["samples"]:
        return
    for file, words in source.unknown.items():
        what = f"no code of the file is known as an assay: {named(words)}"
        todo = "Say which is which, as assays = { CARGENE = 'qpcr' } under [[data]]."
        problem = Problem(what, todo, file=file, column="PARAMCD", value=words[0])
        source.delivery.problems.append(problem)


def recognise(grids: Mapping[str, Grid]) -> Recognised | None:
    """Find ADaM data sets among files, and the codes that a person has to explain.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"USUBJID": ["1"], "PARAMCD": ["CARGENE"], "AVAL": [1]})
    >>> found = recognise({"adpc.csv": Grid.of_frame(frame, file="adpc.csv")})
    >>> found.section["assays"]
    {'CARGENE': '?'}
    """
    spelt = {file: capitals(grid) for file, grid in grids.items()}
    mine = {file: grid for file, grid in spelt.items() if is_adam(grid)}
    if not mine:
        return None
    section: dict[str, Any] = {"files": list(mine)}
    if words := sorted(set(_unknown_codes(mine.values()))):
        section["assays"] = dict.fromkeys(words, "?")
    remarks = (
        "Codes without an assay are put aside: take out those that stay unread.",
        "If relative times have no FRLTU, say time_unit = 'hour' or 'day'.",
    )
    return Recognised(tuple(mine), section, remarks)


def _unknown_codes(grids: Iterable[Grid]) -> Iterable[str]:
    for grid in grids:
        if dataset_of(grid) == "ADPC":
            code = codes(grid, "PARAMCD", "PCTESTCD")
            assay = assay_of(code, code, {}, known=ASSAYS)
            yield from code[(assay == "") & ~code.isin(["", "DOSE"])].unique()
