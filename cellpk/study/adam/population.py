"""ADPPK as samples, infusions and patients: one record per event."""

from cellpk.study import parsing
from cellpk.study.adam.levels import read_levels
from cellpk.study.adam.source import Source, cells
from cellpk.study.adam.subjects import (
    add_patients,
    chosen,
    constant_within,
    first_rows,
    is_numbered_pair,
)
from cellpk.study.cdisc import named
from cellpk.study.grid import Grid

STRUCTURE = frozenset(
    {
        *("STUDYID", "STUDYIDN", "USUBJID", "USUBJIDN", "SUBJID", "SUBJIDN", "PROJID"),
        *("PROJIDN", "ASEQ", "RECSEQ", "EVID", "MDV", "AMT", "DV", "DVL", "DVU", "CMT"),
        *("DVID", "PARAMCD", "PARAM", "PARAMN", "PARCAT1", "AVAL", "AVALC", "AVALU"),
        *("AVALCAT1", "NFRLT", "AFRLT", "NPRLT", "APRLT", "FRLTU", "RRLTU", "UDTC"),
        *("DOSEA", "DOSEP", "DOSEU", "ALLOQ", "ALLOD", "AULOQ", "ALLOQAFL", "BLQFL"),
        *("BLQFN", "DETFL", "II", "SS", "RATE", "ADDL", "DTYPE", "ANL01FL", "EXCLRSN"),
        *("AVISIT", "AVISITN", "ATPT", "ATPTN", "PCSPEC", "PCORRES", "PCORRESU"),
        *("ADERIV", "EXLOT", "EXTRT", "SRCDOM", "SRCVAR", "SRCSEQ", "ID", "TIME"),
        *("DOMAIN", "EXDOSE", "EXDOSU", "LOT", "ADT", "ADTM", "ADY", "PCSTRESC"),
    }
)
"""What a column of ADPPK is called that is no covariate."""


def read_population(source: Source, grid: Grid, *, patients: bool) -> None:
    """Read ADPPK: samples, doses and, where wanted, the covariates of patients.

    Records of EVID 2 are neither; those that only bring a patient are read as such.
    The number beside a text (SEXN beside SEX) is no covariate of its own.

    Parameters
    ----------
    source : Source
        Collects what is read.
    grid : Grid
        The data set.
    patients : bool
        Whether covariates are read from it.

    Source
    ------
    Variables as in CDISC's guide for ADPPK (2023) and pharmaverse's ADPPK.
    """
    if patients:
        _read_covariates(source, grid)
    read_levels(source, grid, "ADPPK")


def _read_covariates(source: Source, grid: Grid) -> None:
    there = {str(name) for name in grid.cells.columns}
    pairs = {name for name in there if is_numbered_pair(name, there)}
    names = chosen(source, grid, STRUCTURE | pairs)
    varies = [theirs for theirs in names.values() if not constant_within(grid, theirs)]
    if varies:
        what = f"covariates change within a patient: {named(varies)}; the first is read"
        todo = "Nothing, if the first record holds the baseline."
        source.doubt(grid, what, todo, column=varies[0])
    event = cells(grid, "EVID")
    dose_or_other = ~event.isin(["0", "0.0", ""]).to_numpy(bool)
    used = parsing.numbers(cells(grid, "MDV")) == 0
    # A sample that is not used keeps its own fate in the accounting.
    rows = first_rows(grid, dose_or_other | used)
    add_patients(source, grid, rows, names=names)
