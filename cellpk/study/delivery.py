"""What was delivered for a study: sheets by table, and what is not read for any.

A file format turns the grids of its files into a delivery. Every delivered row ends in
a sheet of some table, or is put aside with a reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study.file_sections import TableFile
from cellpk.study.grid import Grid, Rows, Source
from cellpk.study.sheet import Sheet

TABLES = ("samples", "patients", "infusions", "comedication", "outcomes")
"""The tables of a study that are delivered."""


@dataclass(frozen=True)
class Aside:
    """Rows of a file that are read for no table, and why.

    Examples
    --------
    >>> Aside("pc.csv", np.array([7]), "a copy of another row").reason
    'a copy of another row'
    """

    file: str
    rows: Rows
    reason: str


@dataclass
class Delivery:
    """Everything that was delivered for a study, not checked yet.

    Parameters
    ----------
    sheets : dict
        By table of the study, its delivered sheets.
    aside : list of Aside
        What is read for no table.
    problems : list of Problem
        What is impossible, found while the files were read.
    doubts : list of Problem
        What is doubtful and seen in the delivered files only, as rows that are copies.
    joined : list of tuple
        Rows that were read beside rows of another file: table, file, rows.
    sources : dict
        By file, ``file``, ``sha256``, ``rows`` and ``columns``.
    delivered : dict
        By file, the numbers of its rows.

    Examples
    --------
    >>> Delivery().sheets["samples"]
    []
    """

    sheets: dict[str, list[Sheet]] = field(
        default_factory=lambda: {table: [] for table in TABLES}
    )
    aside: list[Aside] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    joined: list[tuple[str, str, Rows]] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    delivered: dict[str, Rows] = field(default_factory=dict)

    def record(self, grid: Grid) -> None:
        """Note a file that was read.

        Examples
        --------
        >>> import pandas as pd
        >>> delivery = Delivery()
        >>> delivery.record(Grid.of_frame(pd.DataFrame({"a": [1]}), file="f"))
        >>> delivery.delivered["f"].tolist()
        [2]
        """
        self.sources[grid.file] = grid.source
        self.delivered[grid.file] = grid.rows

    def add(self, table: str, sheet: Sheet) -> None:
        """Add a sheet to a table of the study.

        Examples
        --------
        >>> import pandas as pd
        >>> delivery = Delivery()
        >>> frame = pd.DataFrame({"patient": [1]})
        >>> delivery.add("patients", Sheet.of_frame(frame, TableFile(file="f")))
        >>> len(delivery.sheets["patients"])
        1
        """
        self.sheets[table].append(sheet)

    def put_aside(self, grid: Grid, rows: NDArray[np.bool_], reason: str) -> None:
        """Leave rows of a grid out of every table, with a reason.

        Parameters
        ----------
        grid : Grid
            Whose rows they are.
        rows : ndarray of bool
            One per row of the grid.
        reason : str
            Why, as the end of a sentence: "a copy of another record".

        Examples
        --------
        >>> import pandas as pd
        >>> delivery = Delivery()
        >>> grid = Grid.of_frame(pd.DataFrame({"a": [1, 2]}), file="f")
        >>> delivery.put_aside(grid, np.array([True, False]), "a copy")
        >>> delivery.aside[0].rows.tolist()
        [2]
        """
        if rows.any():
            self.aside.append(Aside(grid.file, grid.rows[rows], reason))

    def join(self, table: str, grid: Grid, rows: NDArray[np.bool_]) -> None:
        """Note rows that were read for a table beside rows of another file.

        Parameters
        ----------
        table : str
            One of ``TABLES``.
        grid : Grid
            Whose rows they are, as a file of qualifiers of other records.
        rows : ndarray of bool
            One per row of the grid.

        Examples
        --------
        >>> import pandas as pd
        >>> delivery = Delivery()
        >>> grid = Grid.of_frame(pd.DataFrame({"QVAL": ["Y"]}), file="supprs.csv")
        >>> delivery.join("outcomes", grid, np.array([True]))
        >>> delivery.joined[0][:2]
        ('outcomes', 'supprs.csv')
        """
        if rows.any():
            self.joined.append((table, grid.file, grid.rows[rows]))

    def take(self, other: "Delivery") -> None:
        """Add all of another delivery.

        Examples
        --------
        >>> one, other = Delivery(), Delivery(problems=[Problem("odd", "Look.")])
        >>> one.take(other)
        >>> len(one.problems)
        1
        """
        for table, sheets in other.sheets.items():
            self.sheets[table] += sheets
        self.aside += other.aside
        self.problems += other.problems
        self.doubts += other.doubts
        self.joined += other.joined
        self.sources |= other.sources
        self.delivered |= other.delivered

    def everything(self) -> Iterable[tuple[str, Sheet]]:
        """Yield every sheet with the table that it belongs to.

        Examples
        --------
        >>> list(Delivery().everything())
        []
        """
        for table, sheets in self.sheets.items():
            for sheet in sheets:
                yield table, sheet


def sheet_of(
    grid: Grid,
    section: TableFile,
    *,
    rows: NDArray[np.bool_] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Sheet:
    """Make a sheet of a grid, or of some of its rows, with further columns.

    Parameters
    ----------
    grid : Grid
        What the file holds.
    section : TableFile
        What the columns are called in the file (``columns``), and how it is written.
    rows : ndarray of bool, optional
        One per row of the grid: those that belong to the table.
    more : mapping, optional
        Columns that the format works out of others, by our name for them: a text for
        all rows, or one text per row of the *grid*.

    Returns
    -------
    Sheet
        Its lines are those of the file.

    Examples
    --------
    >>> import pandas as pd
    >>> grid = Grid.of_frame(pd.DataFrame({"ID": [1, 2], "DV": [3, 4]}), file="f")
    >>> section = TableFile.model_construct(file="f", columns={"patient": "ID"})
    >>> sheet = sheet_of(grid, section, rows=np.array([False, True]))
    >>> sheet.text("patient").tolist(), sheet.rows.tolist()
    (['2'], [3])
    """
    cells = grid.cells.assign(**(more or {})).astype("str")
    lines = grid.rows
    if rows is not None:
        cells, lines = cells.loc[rows].reset_index(drop=True), lines[rows]
    return Sheet(cells, section, lines)
