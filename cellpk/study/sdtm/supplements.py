"""Supplemental qualifiers (SUPP--): read beside the records that they qualify."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.cdisc import counted, named
from cellpk.study.delivery import Delivery
from cellpk.study.grid import Grid
from cellpk.study.sdtm.domains import Domain

LONG = 150
"""A text of fewer bytes is not continued in its supplement."""

GLUED = ", no space"
"""How a label of a qualifier ends that continues a text within a word."""

_LINKS = dict.fromkeys(("child", "line", "place"), "int64")
_LINKS |= dict.fromkeys(("file", "name", "value", "label"), "str")
_NO_LINKS = pd.DataFrame(columns=list(_LINKS)).astype(_LINKS)
_KEY = ["RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "QNAM", "QVAL"]


def with_qualifiers(
    domains: Sequence[Domain], supplements: Sequence[Grid], delivery: Delivery
) -> tuple[list[Domain], pd.DataFrame]:
    """Put qualifiers beside the records that they qualify, each in a column.

    Texts of more than 200 characters, which SDTM continues in the supplement (under
    the name of the variable with a digit), are put together again.

    Parameters
    ----------
    domains : sequence of Domain
        The domains as delivered.
    supplements : sequence of Grid
        The files with qualifiers.
    delivery : Delivery
        Where qualifiers without a record are put aside, and told.

    Returns
    -------
    domains : list of Domain
        The same with their qualifiers.
    links : DataFrame
        One row per qualifier and record: ``child`` (place of the supplement), ``line``
        (its row there), ``file`` and ``place`` (file and row of the record), ``name``.

    Source
    ------
    SDTMIG 3.4, sections 4.5.3 (texts of more than 200 characters) and 8.4 (SUPP--).

    Examples
    --------
    >>> rs = Domain.of("RS", USUBJID=["1", "1"], RSSEQ=["1", "2"])
    >>> supp = {"RDOMAIN": "RS", "USUBJID": "1", "IDVAR": "RSSEQ", "IDVARVAL": "2.0"}
    >>> supp = pd.DataFrame([supp | {"QNAM": "PDOFL", "QVAL": "Y"}])
    >>> supplements = [Grid.of_frame(supp, file="supprs.csv")]
    >>> domains, _ = with_qualifiers([rs], supplements, Delivery())
    >>> domains[0].text("PDOFL").tolist(), domains[0].qualifiers
    (['', 'Y'], ('PDOFL',))
    """
    parts = [
        _matched(number, grid, domains, delivery)
        for number, grid in enumerate(supplements)
    ]
    links = pd.concat([_NO_LINKS, *parts], ignore_index=True).astype(_LINKS)
    done = [
        _joined(part, links[links["file"] == part.grid.file], delivery)
        for part in domains
    ]
    return done, links.drop(columns=["value", "label"])


def _matched(
    number: int, grid: Grid, domains: Sequence[Domain], delivery: Delivery
) -> pd.DataFrame:
    """Find the records that the rows of one supplement qualify."""
    cells = grid.cells.reindex(columns=[*_KEY, "QLABEL"], fill_value="")
    child = pd.DataFrame({"line": np.arange(len(cells)), "child": number})
    child["name"] = cells["QNAM"].str.upper()
    child["value"], child["label"] = cells["QVAL"], cells["QLABEL"]
    found = []
    pairs = cells["RDOMAIN"] + "\t" + cells["IDVAR"]
    for pair in pairs.unique():
        lines = np.flatnonzero(pairs == pair)
        name, variable = pair.split("\t")
        rows = cells.iloc[lines]
        keyed = child.iloc[lines].assign(
            subject=rows["USUBJID"],
            key=_plain(rows["IDVARVAL"] if variable else "", rows),
        )
        for part in domains:
            if part.name == name.upper() and (not variable or variable in part):
                parent = pd.DataFrame({"subject": part.subjects})
                parent["key"] = _plain(part.text(variable) if variable else "", parent)
                parent["place"], parent["file"] = np.arange(len(parent)), part.grid.file
                found.append(keyed.merge(parent, on=["subject", "key"]))
    links = pd.concat(found, ignore_index=True) if found else child.iloc[:0]
    orphan = ~child["line"].isin(links["line"]).to_numpy(bool)
    _tell_orphans(grid, orphan, delivery)
    return links.drop(columns=["subject", "key"], errors="ignore")


def _plain(values: "pd.Series | str", like: pd.DataFrame) -> pd.Series:
    """Write numbers in one way, so that 7 and 7.0 are the same record."""
    text = pd.Series(values, index=like.index, dtype="str")
    numbers = parsing.numbers(text)
    plain = pd.Series(numbers, index=text.index).map(repr)
    return text.where(np.isnan(numbers), plain)


def _tell_orphans(grid: Grid, orphan: np.ndarray, delivery: Delivery) -> None:
    delivery.put_aside(grid, orphan, "a qualifier of a record that is not in the files")
    if orphan.any():
        first = int(np.flatnonzero(orphan)[0])
        what = (
            f"{counted(int(orphan.sum()), 'qualifier')} of records that are not there"
        )
        todo = "Look for the records, or for a wrong RDOMAIN, IDVAR or IDVARVAL."
        row = int(grid.rows[first])
        if "USUBJID" in grid.cells:
            what = f"{what}; patients {named(grid.cells['USUBJID'][orphan])}"
        else:
            what = f"{what}: the file has no column USUBJID"
        delivery.doubts.append(Problem(what, todo, "warning", file=grid.file, row=row))


def _joined(part: Domain, links: pd.DataFrame, delivery: Delivery) -> Domain:
    """Return a domain with its qualifiers as further columns."""
    links = links[links["value"] != ""]
    if links.empty:
        return part
    once = links.drop_duplicates(["place", "name", "value"])
    again = once.duplicated(["place", "name"]).to_numpy(bool)
    rows = np.isin(np.arange(len(part)), once["place"].to_numpy()[again])
    what = f"{{n}} with two values of a qualifier ({named(once['name'][again])})"
    part.doubt(rows, what, "Both are kept, with '; ' between them.", to=delivery)
    cells, kept = part.grid.cells.copy(), []
    names = list(dict.fromkeys(links["name"]))
    # What may continue another text comes after all that may be continued.
    for name in sorted(names, key=lambda name: _digit(name) and name):
        own = once[once["name"] == name]
        text = _texts(own, len(part))
        glued = own.loc[own["label"].str.endswith(GLUED), "place"]
        glue = pd.Series(" ", index=cells.index).mask(cells.index.isin(glued), "")
        if not _continues(cells, name, text, glue):
            cells[name] = text.where(text != "", cells.get(name, ""))
            kept.append(name)
    qualifiers = tuple(name for name in names if name in kept)
    return replace(part, grid=replace(part.grid, cells=cells), qualifiers=qualifiers)


def _texts(own: pd.DataFrame, n: int) -> pd.Series:
    """Return the values of one qualifier, one per record."""
    values = own.set_index("place")["value"]
    if values.index.has_duplicates:
        values = values.groupby(level=0, sort=False).agg("; ".join)
    return values.reindex(range(n)).fillna("").astype("str")


def _digit(name: str) -> str:
    return name[-1:] if name[-1:] in set("123456789") else ""


def _continues(
    cells: pd.DataFrame, name: str, text: pd.Series, glue: pd.Series
) -> bool:
    """Add a text to the variable that it continues, if it is such a text."""
    if not _digit(name):
        return False
    stem = name[:-1]
    bases = [stem] if stem in cells else []
    bases += [b for b in cells.columns if len(b) == 8 == len(name) and b[:7] == stem]
    rows = (text != "").to_numpy(bool)
    for base in bases:
        said = cells[base]
        if all(len(cell.encode()) >= LONG for cell in said[rows]):
            cells[base] = said.where(~rows, said + glue + text)
            return True
    return False


def account_for(
    domains: Sequence[Domain],
    supplements: Sequence[Grid],
    links: pd.DataFrame,
    *,
    delivery: Delivery,
) -> None:
    """Say of each qualifier that has a record where it went: where the record went.

    Parameters
    ----------
    domains : sequence of Domain
        The domains that were read.
    supplements : sequence of Grid
        The files with qualifiers.
    links : DataFrame
        As :func:`with_qualifiers` returns them.
    delivery : Delivery
        With all the sheets of the domains.

    Examples
    --------
    >>> account_for([], [], pd.DataFrame(), delivery=Delivery())
    """
    lines = {part.grid.file: part.grid.rows for part in domains}
    for number, grid in enumerate(supplements):
        mine = links[links["child"] == number]
        waiting = np.zeros(len(grid.cells), dtype=bool)
        waiting[mine["line"].to_numpy()] = True
        for table, sheet in delivery.everything():
            own = mine[mine["file"] == sheet.section.file]
            if own.empty:
                continue
            records = lines[sheet.section.file][own["place"].to_numpy()]
            here = np.zeros(len(grid.cells), dtype=bool)
            here[own["line"].to_numpy()[np.isin(records, sheet.rows)]] = True
            delivery.join(table, grid, here)
            waiting &= ~here
        delivery.put_aside(grid, waiting, "a qualifier of a record that is not read")
