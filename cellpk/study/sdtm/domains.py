"""Delivered SDTM files as domains, and how what is odd in their rows is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem, Severity, nearest
from cellpk.study.cdisc import blanked, capitals, counted, domain, named
from cellpk.study.delivery import Delivery, sheet_of
from cellpk.study.file_sections import PatientsFile, TableFile
from cellpk.study.grid import Grid
from cellpk.study.sdtm.section import SdtmFiles

Mask = NDArray[np.bool_]

CLINICAL = ("DM", "EX", "EC", "CM", "RS", "AE", "CE", "FA", "DS")
"""The domains that are read by name; of the others, those of findings are read."""


@dataclass(frozen=True)
class Domain:
    """One delivered file of one domain, with what qualifies its records.

    Parameters
    ----------
    name : str
        Such as "PC".
    grid : Grid
        Its cells; qualifiers of its supplement stand in further columns.
    qualifiers : tuple of str
        The names of those columns.

    Examples
    --------
    >>> pc = Domain.of("PC", USUBJID=["1"], PCTESTCD=["CART"])
    >>> pc.own("TESTCD").tolist(), pc.own("METHOD").tolist()
    (['CART'], [''])
    """

    name: str
    grid: Grid
    qualifiers: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, **columns: Sequence[str]) -> "Domain":
        """Make a domain of columns, as if it were delivered as a file.

        Examples
        --------
        >>> Domain.of("DM", USUBJID=["1"]).grid.file
        'dm.csv'
        """
        frame = pd.DataFrame(columns)
        return cls(name, Grid.of_frame(frame, file=f"{name.lower()}.csv"))

    def __len__(self) -> int:
        return len(self.grid.cells)

    def __contains__(self, variable: str) -> bool:
        return variable in self.grid.cells.columns

    @property
    def subjects(self) -> pd.Series:
        """Whose record each is (USUBJID)."""
        return self.text("USUBJID")

    def text(self, variable: str) -> pd.Series:
        """Return a variable, "" where it is absent."""
        if variable not in self:
            return pd.Series([""] * len(self), dtype="str")
        return self.grid.cells[variable]

    def own(self, ending: str) -> pd.Series:
        """Return a variable that begins with the name of the domain."""
        return self.text(self.name + ending)

    def called(self, *endings: str) -> str:
        """Return which variable is there: with the domain's name before it or without.

        Examples
        --------
        >>> pc = Domain.of("PC", LLOD=["1"], PCTESTCD=["CART"])
        >>> pc.called("LLOD"), pc.called("TESTCD"), pc.called("LLOQ")
        ('LLOD', 'PCTESTCD', '')
        """
        wanted = [self.name + ending for ending in endings] + list(endings)
        return next((name for name in wanted if name in self), "")

    def either(self, *endings: str) -> pd.Series:
        """Return the variable of :meth:`called`, "" where there is none."""
        return self.text(self.called(*endings))

    def done(self) -> Mask:
        """Tell which records are of something that was done."""
        return (self.own("STAT").str.upper() != "NOT DONE").to_numpy(bool)

    def complain(
        self,
        rows: Mask,
        what: str,
        todo: str,
        *,
        column: str,
        to: Delivery,
        rule: str = "",
    ) -> None:
        """Add a problem for each of some rows, many equal ones in one sentence.

        Examples
        --------
        >>> delivery, pc = Delivery(), Domain.of("PC", USUBJID=["1"], PCDY=["0"])
        >>> pc.complain(np.array([True]), "odd", "Look.", column="PCDY", to=delivery)
        >>> print(delivery.problems[0])
        pc.csv, row 2, patient 1, column PCDY, value '0':
          odd. Look.
        """
        section = PatientsFile(file=self.grid.file, columns={"patient": "USUBJID"})
        sheet = sheet_of(self.grid, section)
        sheet.complain(rows, what, todo, column=column, rule=rule)
        to.problems += sheet.problems

    def doubt(
        self,
        rows: Mask,
        what: str,
        todo: str,
        *,
        to: Delivery,
        column: str = "",
        severity: Severity = "warning",
        rule: str = "",
    ) -> None:
        """Add one doubt on some rows; "{n}" in its sentence is how many they are.

        Examples
        --------
        >>> delivery, pc = Delivery(), Domain.of("PC", USUBJID=["1", "2"])
        >>> pc.doubt(np.array([True, True]), "{n} without a date", "Look.", to=delivery)
        >>> delivery.doubts[0].what
        '2 records without a date; patients 1, 2'
        """
        where = np.flatnonzero(rows)
        if not where.size:
            return
        patients = self.subjects.to_numpy(object)[where]
        sentence = what.replace("{n}", counted(where.size, "record"))
        if len(set(patients)) > 1:
            sentence += f"; patients {named(patients)}"
        to.doubts.append(
            Problem(
                sentence,
                todo,
                severity,
                file=self.grid.file,
                row=int(self.grid.rows[where[0]]),
                patient=patients[0] if len(set(patients)) == 1 else "",
                column=column,
                rule=rule,
            )
        )


def add_sheet(
    delivery: Delivery,
    table: str,
    domain: Domain,
    *,
    section: TableFile,
    rows: Mask,
    more: Mapping[str, Any],
) -> None:
    """Add rows of a domain to a table of the study, unless there are none.

    ``more`` may also replace a variable of the file; the columns that the section maps
    and that the file does not have are left out.

    Examples
    --------
    >>> cm = Domain.of("CM", USUBJID=["1"], CMTRT=["toci"])
    >>> delivery = Delivery()
    >>> section = PatientsFile(file="cm.csv", columns={"patient": "USUBJID"})
    >>> rows = np.array([True])
    >>> add_sheet(delivery, "patients", cm, section=section, rows=rows, more={})
    >>> len(delivery.sheets["patients"])
    1
    """
    if not rows.any():
        return
    there = {
        ours: theirs
        for ours, theirs in section.columns.items()
        if theirs and (theirs in domain or theirs in more)
    }
    section = section.model_copy(update={"columns": there})
    delivery.add(table, sheet_of(domain.grid, section, rows=rows, more=more))


def domains_of(
    grids: Iterable[Grid], section: SdtmFiles, delivery: Delivery
) -> tuple[list[Domain], list[Grid]]:
    """Return the domains that are read, and their supplements.

    Parameters
    ----------
    grids : iterable of Grid
        The files as delivered.
    section : SdtmFiles
        What study.toml says of them.
    delivery : Delivery
        Where files that are not read are put aside, and impossible ones told.

    Returns
    -------
    domains : list of Domain
        In the order of ``CLINICAL``, then those of findings.
    supplements : list of Grid
        The files with qualifiers of records (SUPP--).

    Examples
    --------
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> grid = Grid.of_frame(pd.DataFrame({"TVSTRL": ["Day 1"]}), file="tv.csv")
    >>> delivery = Delivery()
    >>> domains_of([grid], section, delivery), delivery.aside[0].reason
    (([], []), 'domain TV is not read')
    """
    domains: list[Domain] = []
    supplements: list[Grid] = []
    for grid in (blanked(capitals(grid), section.blank) for grid in grids):
        if {"RDOMAIN", "QNAM", "QVAL"} <= set(grid.cells.columns):
            supplements.append(grid)
            continue
        name = domain(grid)
        everything = np.ones(len(grid.cells), dtype=bool)
        if name not in CLINICAL and f"{name}TESTCD" not in grid.cells:
            delivery.put_aside(grid, everything, f"domain {name} is not read")
        elif _fits(name, grid, delivery):
            domains.append(Domain(name, grid))
    order = {name: place for place, name in enumerate(CLINICAL)}
    domains.sort(key=lambda part: order.get(part.name, len(order)))
    return domains, supplements


def _fits(name: str, grid: Grid, delivery: Delivery) -> bool:
    """Tell whether a file can be read as its domain; what is amiss is a problem."""
    there = list(grid.cells.columns)
    if "USUBJID" not in there:
        what, todo = (
            f"domain {name} has no variable 'USUBJID'",
            nearest("USUBJID", there),
        )
        delivery.problems.append(Problem(what, todo, file=grid.file, column="USUBJID"))
    several = grid.cells["DOMAIN"].unique() if "DOMAIN" in there else [name]
    if len(several) > 1:
        what = f"the file holds several domains: {named(several)}"
        todo = "Deliver each domain in a file of its own."
        delivery.problems.append(Problem(what, todo, file=grid.file, column="DOMAIN"))
    return "USUBJID" in there and len(several) == 1
