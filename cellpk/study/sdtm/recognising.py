"""Which files of a folder are SDTM domains, for the beginning of a study.toml."""

from collections.abc import Iterable, Mapping

import pandas as pd

from cellpk.study.assays import ASSAYS
from cellpk.study.cdisc import assay_of, capitals, domain
from cellpk.study.exchange import Recognised
from cellpk.study.grid import Grid
from cellpk.study.starting import OPEN

KINETICS = ("PC", "CP", "IS")
"""Domains of findings in which CAR-T levels stand; of LB, codes need no word."""


def recognise(grids: Mapping[str, Grid]) -> Recognised | None:
    """Find the domains among the files of a folder.

    Parameters
    ----------
    grids : mapping of Grid
        The files of a folder.

    Returns
    -------
    Recognised or None
        What ``[[data]]`` can say already; the product, where there are several
        treatments, and what test codes mean, is left open.

    Examples
    --------
    >>> codes = {"DOMAIN": ["PC"], "USUBJID": ["1"], "PCTESTCD": ["CART"]}
    >>> found = recognise({"pc.csv": Grid.of_frame(pd.DataFrame(codes), file="pc.csv")})
    >>> found.section if found else None
    {'files': ['pc.csv'], 'assays': {'CART': '?'}}
    """
    spelt = {name: capitals(grid) for name, grid in grids.items()}
    found = {name: grid for name, grid in spelt.items() if _is_domain(grid)}
    if not found:
        return None
    said: dict[str, object] = {"files": list(found)}
    remarks: list[str] = []
    treatments = _words(found.values(), ("EX", "EC"), "TRT")
    if len(treatments) > 1:
        said["product"] = [OPEN]
        words = ", ".join(treatments)
        remarks.append(f"product is the CAR-T product among the treatments: {words}.")
    codes = pd.Series(_words(found.values(), KINETICS, "TESTCD"), dtype="str")
    known = assay_of(codes, codes.str[:0], {}, known=ASSAYS)
    if unknown := list(codes[known == ""]):
        said["assays"] = dict.fromkeys(unknown, OPEN)
    return Recognised(tuple(found), said, tuple(remarks))


def _is_domain(grid: Grid) -> bool:
    there = set(grid.cells.columns)
    return "USUBJID" in there and bool(there & {"DOMAIN", "RDOMAIN"})


def _words(grids: Iterable[Grid], names: tuple[str, ...], ending: str) -> list[str]:
    """Return what a variable of some domains says, in order."""
    found: set[str] = set()
    for grid in grids:
        variable = f"{domain(grid)}{ending}"
        if domain(grid) in names and variable in grid.cells:
            found |= set(grid.cells[variable])
    return sorted(found - {"", "NA"})
