"""SDTM files among those of a folder, for the beginning of a study.toml."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cellpk.study.assays import ASSAYS
from cellpk.study.cdisc import assay_of, domain
from cellpk.study.dates import read_dates
from cellpk.study.exchange import Recognised
from cellpk.study.grid import Grid

_OF_CELLS = ("PC", "CP")
"""Domains in which a test code without an assay is likely one of CAR-T cells."""


def recognise(grids: Mapping[str, Grid]) -> Recognised | None:
    """Find SDTM files: data sets with a DOMAIN, their supplements and relations.

    Parameters
    ----------
    grids : mapping
        Files by name.

    Returns
    -------
    Recognised or None
        With "?" where only a person can say which treatment is the product, and which
        assay a test code means; ``None`` where no file is one of SDTM.

    Examples
    --------
    >>> cells = {"DOMAIN": "PC", "USUBJID": "1", "PCTESTCD": "CART"}
    >>> grid = Grid.of_frame(pd.DataFrame([cells]), file="pc.csv")
    >>> recognise({"pc.csv": grid}).section
    {'files': ['pc.csv'], 'assays': {'CART': '?'}}
    """
    ours = {name: grid for name, grid in grids.items() if _is_sdtm(grid)}
    if not ours:
        return None
    section: dict[str, Any] = {"files": list(ours)}
    remarks: list[str] = []
    treatments = _values(ours, "EX", "EXTRT")
    if len(treatments) > 1:
        section["product"] = ["?"]
        remarks.append(f"product: which of {', '.join(map(repr, treatments))}?")
    codes = {
        code: "?"
        for name in _OF_CELLS
        for code in _values(ours, name, f"{name}TESTCD")
        if not _known(code)
    }
    if codes:
        section["assays"] = codes
    starts = read_dates(pd.Series(_values(ours, "EX", "EXSTDTC"), dtype="str"))
    if (starts.known & ~starts.has_clock).any():
        remarks.append(
            "infusion_clock = 'HH:MM' says when infusions without a time were"
        )
    return Recognised(tuple(ours), section, tuple(remarks))


def _is_sdtm(grid: Grid) -> bool:
    columns = set(grid.cells.columns)
    return bool(columns & {"DOMAIN", "RDOMAIN"}) and bool(
        columns & {"USUBJID", "STUDYID"}
    )


def _values(grids: Mapping[str, Grid], name: str, variable: str) -> list[str]:
    """Return the different values of a variable of a domain."""
    found = [
        grid.cells[variable]
        for grid in grids.values()
        if domain(grid) == name and variable in grid.cells
    ]
    return sorted({value for column in found for value in column.unique() if value})


def _known(code: str) -> bool:
    one = pd.Series([code], dtype="str")
    return assay_of(one, pd.Series([""], dtype="str"), {}, known=ASSAYS)[0] != ""
