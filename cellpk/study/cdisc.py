"""What SDTM and ADaM share: how test codes, terms and names become ours."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from pydantic import Field

from cellpk.study.assays import Assay
from cellpk.study.file_sections import DataFiles
from cellpk.study.grid import Grid

EVENTS: Mapping[str, str] = {
    "CYTOKINE RELEASE SYNDROME": "crs_grade",
    "IMMUNE EFFECTOR CELL-ASSOCIATED NEUROTOXICITY SYNDROME": "icans_grade",
}
"""Terms of adverse events, as MedDRA spells them, by what of ours is read from them."""


class CdiscFiles(DataFiles):
    """What can be said of SDTM or ADaM files.

    ``product`` names the treatments that are the CAR-T product; without it, every
    exposure record is one. ``assays`` maps test codes (``"CARGENE"``), or a code with
    its method (``"CART/FLOW CYTOMETRY"``), its unit (``"CART/%"``) or both, to assays;
    the codes of ``ASSAYS`` need no word. ``events`` maps terms of adverse or clinical
    events to endpoints.
    """

    product: tuple[str, ...] = ()
    assays: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    events: dict[str, str] = Field(default_factory=dict)


def domain(grid: Grid) -> str:
    """Return the domain or data set that a file holds, in capitals.

    The DOMAIN column says it where there is one, else the name of the file up to the
    first sign that is no letter or digit.

    Examples
    --------
    >>> domain(Grid.of_frame(pd.DataFrame({"A": [1]}), file="sdtm/pc_final.xpt"))
    'PC'
    """
    if "RDOMAIN" not in grid.cells and "DOMAIN" in grid.cells and len(grid.cells):
        return str(grid.cells["DOMAIN"].iloc[0]).upper()
    stem = Path(grid.file).stem.upper()
    return "".join(sign if sign.isalnum() else " " for sign in stem).split()[0]


def capitals(grid: Grid) -> Grid:
    """Return a grid with its columns in capitals, as CDISC spells variables.

    A column that would get the name of another one stays as it is.

    Examples
    --------
    >>> grid = Grid.of_frame(pd.DataFrame({"usubjid": ["1"], "AGE": [61]}), file="f")
    >>> capitals(grid).cells.columns.tolist()
    ['USUBJID', 'AGE']
    """
    names = [str(name) for name in grid.cells.columns]
    often = Counter(name.upper() for name in names)
    new = {name: name.upper() for name in names if often[name.upper()] == 1}
    if all(name == upper for name, upper in new.items()):
        return grid
    labels = {new.get(name, name): label for name, label in grid.labels.items()}
    return replace(grid, cells=grid.cells.rename(columns=new), labels=labels)


def blanked(grid: Grid, words: Sequence[str]) -> Grid:
    """Return a grid in which cells with one of some words say nothing.

    Parameters
    ----------
    grid : Grid
        As delivered; files that R writes hold NA where nothing is known.
    words : sequence of str
        Such as ("NA",); none leaves all cells as they are.

    Examples
    --------
    >>> grid = Grid.of_frame(pd.DataFrame({"A": ["NA", "x"]}), file="f")
    >>> blanked(grid, ["NA"]).cells["A"].tolist()
    ['', 'x']
    """
    cells = grid.cells
    found = {str(name): cells[name].isin(list(words)) for name in cells.columns}
    changed = {
        name: cells[name].mask(rows, "") for name, rows in found.items() if rows.any()
    }
    return replace(grid, cells=cells.assign(**changed)) if changed else grid


def named(names: Iterable[str], *, most: int = 5) -> str:
    """Return some names, without repetition, as a list of words.

    Examples
    --------
    >>> named(["b", "a", "b", "c"], most=2)
    'b, a and 1 more'
    """
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - most} more" if len(each) > most else ""
    return ", ".join(each[:most]) + more


def counted(n: int, word: str) -> str:
    """Return a number with its word.

    Examples
    --------
    >>> counted(1, "record"), counted(2, "record")
    ('1 record', '2 records')
    """
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def assay_of(
    codes: pd.Series,
    methods: pd.Series,
    said: Mapping[str, str],
    *,
    known: Mapping[str, Assay],
    units: pd.Series | None = None,
) -> pd.Series:
    """Return the assay of each record, "" where none is known.

    Parameters
    ----------
    codes, methods : Series of str
        Test code and method of each record.
    said : mapping
        What study.toml says, by ``code/method/unit``, ``code/unit``, ``code/method``
        or ``code``: the first that is there counts.
    known : mapping
        The assays of the study, some of which name the codes that mean them.
    units : Series of str, optional
        The unit of each record: counts and shares can have one code.

    Examples
    --------
    >>> from cellpk.study.assays import ASSAYS
    >>> codes, methods = pd.Series(["CART", "CART"]), pd.Series(["QPCR", "FLOW"])
    >>> said = {"CART/QPCR": "qpcr", "cart/flow": "flow"}
    >>> assay_of(codes, methods, said, known=ASSAYS).tolist()
    ['qpcr', 'flow']
    >>> said, units = {"CART": "flow", "CART/%": "flow_percent"}, pd.Series(["", "%"])
    >>> assay_of(codes, methods, said, known=ASSAYS, units=units).tolist()
    ['flow', 'flow_percent']
    """
    own = {code.upper(): name for name, row in known.items() for code in row.codes}
    own |= {word.upper(): assay for word, assay in said.items()}
    units = codes.str[:0] if units is None else units
    every = pd.DataFrame({"code": codes, "method": methods, "unit": units})
    every["all"] = codes + "\t" + methods + "\t" + units
    found: dict[str, str] = {}
    for record in every.drop_duplicates("all").to_dict("records"):
        code, method, unit = (
            str(record[n]).upper() for n in ("code", "method", "unit")
        )
        keys = (f"{code}/{method}/{unit}", f"{code}/{unit}", f"{code}/{method}", code)
        name = next((own[key] for key in keys if key in own), "")
        found[str(record["all"])] = name
    return every["all"].map(found).astype("str")


def event_of(terms: pd.Series, said: Mapping[str, str]) -> pd.Series:
    """Return the endpoint that is read from each event, "" where none is.

    Examples
    --------
    >>> event_of(pd.Series(["Cytokine release syndrome", "Nausea"]), {}).tolist()
    ['crs_grade', '']
    """
    known = {**EVENTS, **{term.upper(): name for term, name in said.items()}}
    return terms.str.upper().map(known).astype("str").fillna("")
