"""ADSL as patients: covariates, last contact, and deaths that ADTTE does not tell."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.adam.clocks import Clock, dated_days
from cellpk.study.adam.source import (
    PATIENT,
    Mask,
    Rest,
    Source,
    cells,
    first_there,
    in_words,
)
from cellpk.study.cdisc import named
from cellpk.study.delivery import sheet_of
from cellpk.study.file_sections import OutcomesFile, PatientsFile
from cellpk.study.grid import Grid

LAST_CONTACT = "last_contact"
_KEYS = frozenset({"STUDYID", "USUBJID", "SUBJID", "DOMAIN"})
_DATE = re.compile(r".*(DT|DTM|DTC|TM|DTF|TMF|DY)")
_SEEN = Clock("", ("LSTALVDTM",), ("LSTALVDT", "EOSDT", "DTHDT"), "", ())
_DEATH = Clock("", ("DTHDTM", "DTHDTC"), ("DTHDT",), "DTHTMF", ())


def chosen(
    source: Source, grid: Grid, left_out: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Return the covariates of a data set: our names by those of the file.

    Without a choice in study.toml, all columns that are neither keys nor dates nor
    blank, in small letters.

    Parameters
    ----------
    source : Source
        Knows the choice; collects what is chosen and not there.
    grid : Grid
        The data set.
    left_out : frozenset of str
        Columns that mean something else.

    Examples
    --------
    >>> from cellpk.study.adam.options import AdamOptions
    >>> from cellpk.study.config import settings_of
    >>> settings = settings_of({"study": {"id": "A", "infusion_day": 0}})
    >>> source = Source(AdamOptions(format="adam", files=("adam",)), settings)
    >>> frame = pd.DataFrame({"USUBJID": ["1"], "AGE": [50], "TRTSDT": "2024-01-31"})
    >>> chosen(source, Grid.of_frame(frame, file="adsl.csv"))
    {'age': 'AGE'}
    """
    said = source.options.covariates
    if said is None:
        skipped = _KEYS | left_out
        return {
            name.lower(): name
            for name in grid.cells.columns
            if name not in skipped
            and not _DATE.fullmatch(name)
            and (cells(grid, name) != "").any()
        }
    wanted = said if isinstance(said, Mapping) else {n.lower(): n for n in said}
    for name in wanted.values():
        if name not in grid.cells:
            what = "there is no column of the covariate that is chosen"
            todo = nearest(name, grid.cells.columns)
            problem = Problem(what, todo, file=grid.file, column=name, value=name)
            source.delivery.problems.append(problem)
    return {ours: theirs for ours, theirs in wanted.items() if theirs in grid.cells}


def add_patients(
    source: Source,
    grid: Grid,
    rows: Mask,
    *,
    names: Mapping[str, str],
    more: Mapping[str, pd.Series] | None = None,
) -> None:
    """Add rows of a data set as patients with these covariates.

    Parameters
    ----------
    source : Source
        Collects them.
    grid : Grid
        The data set.
    rows : ndarray of bool
        One row per patient.
    names : mapping
        The covariates: our names by those of the file.
    more : mapping, optional
        Covariates that are worked out: by name, one text per row.
    """
    more = dict(more or {})
    # Without a covariate all columns would be: only the key is handed on.
    wanted = [PATIENT, *dict.fromkeys(names.values())]
    kept = [name for name in wanted if name in grid.cells]
    section = PatientsFile.model_construct(
        file=grid.file,
        columns={"patient": PATIENT, **names, **{name: name for name in more}},
    )
    narrow = replace(grid, cells=grid.cells[kept])
    source.delivery.add("patients", sheet_of(narrow, section, rows=rows, more=more))


def read_subjects(source: Source, grid: Grid, *, deaths: set[str] | None) -> None:
    """Read ADSL: one patient a row.

    Who was never treated (``Source.untreated``) is put aside. The day last seen
    (LSTALVDT, else EOSDT, else DTHDT) becomes ``last_contact``.

    Parameters
    ----------
    source : Source
        Collects what is read.
    grid : Grid
        The data set.
    deaths : set of str, optional
        The patients whose death ADTTE tells, where it tells of deaths: then those of
        ADSL are not read a second time.
    """
    rest = Rest(source, grid)
    here = rest.take(rest.left)
    names = chosen(source, grid)
    more: dict[str, pd.Series] = {}
    if LAST_CONTACT not in names and first_there(grid, *_SEEN.moments, *_SEEN.dates):
        more[LAST_CONTACT] = in_words(dated_days(source, grid, _SEEN, rows=here))
    add_patients(source, grid, here, names=names, more=more)
    dated = cells(grid, *_DEATH.moments, *_DEATH.dates) != ""
    died = here & dated.to_numpy(bool)
    if deaths is not None:
        _compare_deaths(source, grid, died, here & cells(grid, PATIENT).isin(deaths))
    elif died.any():
        _add_deaths(source, grid, died)


def _compare_deaths(source: Source, grid: Grid, died: Mask, told: Mask) -> None:
    """Tell of deaths that stand in one of ADSL and ADTTE only; ADTTE is read."""
    column = first_there(grid, *_DEATH.moments, *_DEATH.dates)
    if not column:
        return
    for rows, one, other in (
        (died & ~told, "ADSL", "ADTTE"),
        (told & ~died, "ADTTE", "ADSL"),
    ):
        patients = cells(grid, PATIENT)[np.asarray(rows, dtype=bool)]
        if len(patients):
            what = f"patients who died by {one} and not by {other}: {named(patients)}"
            todo = "ADTTE is read: correct the one that is wrong."
            source.doubt(grid, what, todo, column=column, rule="deaths_disagree")


def _add_deaths(source: Source, grid: Grid, rows: Mask) -> None:
    section = OutcomesFile.model_construct(
        file=grid.file, columns={"patient": PATIENT}, infusion_day=0
    )
    days = dated_days(source, grid, _DEATH, rows=rows)
    more = {"endpoint": "death", "value": "1", "time": in_words(days)}
    source.delivery.add("outcomes", sheet_of(grid, section, rows=rows, more=more))


def constant_within(grid: Grid, name: str) -> bool:
    """Tell whether a column has one value per patient.

    Examples
    --------
    >>> frame = pd.DataFrame({"USUBJID": ["1", "1"], "WT": [70, 71]})
    >>> constant_within(Grid.of_frame(frame, file="f"), "WT")
    False
    """
    pairs = grid.cells[[PATIENT, name]].drop_duplicates()
    return not pairs[PATIENT].duplicated().any()


def first_rows(grid: Grid, better: Mask | None = None) -> Mask:
    """Tell which rows are the first of their patient.

    Parameters
    ----------
    grid : Grid
        The data set.
    better : ndarray of bool, optional
        Rows that are taken before others, where a patient has some.

    Examples
    --------
    >>> frame = pd.DataFrame({"USUBJID": ["1", "1", "2"]})
    >>> grid = Grid.of_frame(frame, file="f")
    >>> first_rows(grid).tolist()
    [True, False, True]
    >>> first_rows(grid, np.array([False, True, False])).tolist()
    [False, True, True]
    """
    patients = cells(grid, PATIENT)
    worse = np.zeros(len(patients), bool) if better is None else ~better
    order = np.argsort(worse, kind="stable")
    first = ~patients.iloc[order].duplicated()
    known = ~parsing.is_blank(patients)
    return first.sort_index().to_numpy(bool) & known


def is_numbered_pair(name: str, there: set[str]) -> bool:
    """Tell whether a column is the number beside a text: SEXN beside SEX.

    Examples
    --------
    >>> is_numbered_pair("SEXN", {"SEX", "SEXN"}), is_numbered_pair("IPSN", {"IPSN"})
    (True, False)
    """
    return name.endswith("N") and name[:-1] in there
