"""Doses of ADPC, ADPPK and ADEX as infusions; when each patient was infused first."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.adam.clocks import ACTUAL, START, Clock, date_words, elapsed
from cellpk.study.adam.source import (
    PATIENT,
    Mask,
    Rest,
    Source,
    cells,
    codes,
    first_there,
    in_words,
    literal,
)
from cellpk.study.cdisc import named
from cellpk.study.delivery import sheet_of
from cellpk.study.file_sections import InfusionsFile
from cellpk.study.grid import Grid

_DOSING = ("ADEX", "ADPC", "ADPPK")
"""Data sets that hold doses, the one that is taken first."""

_TREATED = Clock("", ("TRTSDTM",), ("TRTSDT",), "TRTSTMF", ())


def is_dose(grid: Grid) -> Mask:
    """Tell which records of levels are doses, as pharmaverse's ADPC has them.

    Those of PARAMCD 'DOSE', those of EVID 1 or 4 (NONMEM), and those without a
    parameter but with an EXDOSE.

    Examples
    --------
    >>> frame = pd.DataFrame({"PARAMCD": ["DOSE", "XAN"], "AVAL": [54, 0.1]})
    >>> is_dose(Grid.of_frame(frame, file="adpc.csv")).tolist()
    [True, False]
    """
    code = codes(grid, "PARAMCD")
    event = parsing.numbers(cells(grid, "EVID"))
    given = parsing.numbers(cells(grid, "EXDOSE")) > 0
    named = (code == "DOSE").to_numpy(bool)
    return named | np.isin(event, (1, 4)) | ((code == "").to_numpy(bool) & given)


def _other_drug(source: Source, grid: Grid) -> tuple[Mask, pd.Series]:
    """Tell which doses are of something else than the product, and what of."""
    drug = codes(grid, "EXTRT", "DRUG")
    product = [name.upper() for name in source.options.product]
    other = ~drug.isin([*product, ""]).to_numpy(bool)
    return (other if product else np.zeros(len(drug), dtype=bool)), drug


def _clock(grid: Grid) -> Clock:
    return START if first_there(grid, "ASTFRLT", "ASTDTM", "ASTDT") else ACTUAL


def find_starts(source: Source, grids: Mapping[str, Sequence[Grid]]) -> None:
    """Find the date of each patient's first infusion.

    It is that of the first dose of the product (ADEX, ADPC), else the first of any
    treatment (TRTSDTM or TRTSDT of ADSL), which may be lymphodepletion. Patients for
    whom TRTSDT is blank, and of whom there is no dose, were never treated.

    Parameters
    ----------
    source : Source
        Whose ``starts`` and ``untreated`` are filled.
    grids : mapping
        The grids by data set.
    """
    subjects: dict[str, str] = {}
    for grid in grids.get("ADSL", ()):
        subjects |= _first_dates(grid, _TREATED, np.ones(len(grid.cells), bool))
    doses: dict[str, str] = {}
    dosed: set[str] = set()
    for name in reversed(_DOSING):
        for grid in grids.get(name, ()):
            rows = _own_doses(source, name, grid)
            dosed |= set(cells(grid, PATIENT)[rows])
            doses |= _first_dates(grid, _clock(grid), rows)
    for grid in grids.get("ADSL", ()):
        if first_there(grid, *_TREATED.moments, *_TREATED.dates):
            blank = (date_words(grid, _TREATED) == "").to_numpy(bool)
            source.untreated |= set(cells(grid, PATIENT)[blank]) - dosed
    source.starts |= {**subjects, **doses}
    both = [name for name in doses if name in subjects]
    differ = [name for name in both if doses[name][:10] != subjects[name][:10]]
    if differ:
        grid = grids["ADSL"][0]
        what = (
            f"the treatment of {len(differ)} patients does not start with the "
            f"infusion (patient {differ[0]}: TRTSDT {subjects[differ[0]]}, first dose "
            f"{doses[differ[0]]}): time 0 is the infusion"
        )
        todo = "Nothing, if TRTSDT is that of lymphodepletion; else name the 'product'."
        source.doubt(grid, what, todo, column="TRTSDT", rule="reference_differs")


def _own_doses(source: Source, name: str, grid: Grid) -> Mask:
    """Tell which records of a data set are doses of the product, of more than 0."""
    dose = is_dose(grid) if name != "ADEX" else _is_record(grid)
    nothing = parsing.numbers(_amount(grid)) == 0
    return dose & ~_other_drug(source, grid)[0] & ~nothing


def _amount(grid: Grid) -> pd.Series:
    return cells(grid, "AMT", "AVAL", "EXDOSE", "DOSEA")


def _first_dates(grid: Grid, clock: Clock, rows: Mask) -> dict[str, str]:
    """Return the first date of each patient, where there is one."""
    date = date_words(grid, clock)
    pairs = pd.DataFrame({"patient": cells(grid, PATIENT), "date": date})
    pairs = pairs[rows & (date != "").to_numpy(bool)]
    first = pairs.sort_values("date").drop_duplicates("patient")
    return dict(zip(first["patient"], first["date"], strict=True))


def _is_record(grid: Grid) -> Mask:
    """Tell which records of ADEX are doses, not totals and durations."""
    if "PARAMCD" not in grid.cells:
        return np.ones(len(grid.cells), dtype=bool)
    return codes(grid, "PARAMCD").isin(["DOSE", ""]).to_numpy(bool)


def read_doses(source: Source, rest: Rest, rows: Mask) -> None:
    """Read doses as infusions; those of other drugs and of nothing are put aside.

    Parameters
    ----------
    source : Source
        Collects them.
    rest : Rest
        The rows of the file that are left.
    rows : ndarray of bool
        Those that are doses.
    """
    grid = rest.grid
    other, drug = _other_drug(source, grid)
    rest.aside_by(rows & other, drug, "a dose of {!r}, which is not the product")
    _several(source, grid, drug[rest.left & rows])
    given = _amount(grid)
    nothing = parsing.numbers(given) == 0
    rest.aside(rows & nothing, "a dose of 0")
    here = rest.take(rows)
    if not here.any():
        return
    clock = _clock(grid)
    section = InfusionsFile.model_construct(
        file=grid.file,
        columns={"patient": PATIENT, "time": clock.column(grid)},
        infusion_day=0,
    )
    more = {
        section.columns["time"]: in_words(elapsed(source, grid, clock, rows=here)),
        "dose": given,
        "unit": literal(grid, "DOSEU", "EXDOSU", "AVALU"),
        "lot": literal(grid, "EXLOT", "LOT"),
    }
    source.delivery.add("infusions", sheet_of(grid, section, rows=here, more=more))


def _several(source: Source, grid: Grid, drugs: pd.Series) -> None:
    """Say that doses of several drugs are read where no product is named."""
    each = [drug for drug in drugs.unique() if drug]
    if len(each) > 1 and not source.options.product:
        what = f"doses of several treatments are read as infusions: {named(each)}"
        todo = "Name the CAR-T product under 'product': the others may be chemotherapy."
        source.doubt(grid, what, todo, column="EXTRT", rule="several_treatments")


def read_exposure(source: Source, grid: Grid) -> None:
    """Read ADEX: one record per dose; its totals and durations are put aside.

    Source
    ------
    Parameters as in pharmaverse's ADEX (admiral, template ad_adex.R).
    """
    rest = Rest(source, grid)
    word = codes(grid, "PARAMCD")
    rest.aside_by(~_is_record(grid), word, "PARAMCD {!r} of ADEX is not a dose")
    read_doses(source, rest, rest.left)
