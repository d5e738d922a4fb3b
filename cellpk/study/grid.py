"""One delivered table as its file holds it: every cell a text, every row with its line.

A grid knows nothing of what its columns mean: that is for the formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study import parsing

Rows = NDArray[np.int64]
Source = Mapping[str, Any]

LISTED = 5
"""Up to so many rows with the same fault are told one by one, more in one sentence."""


@dataclass(frozen=True)
class Grid:
    """A delivered table.

    Parameters
    ----------
    file : str
        What the study calls the file.
    cells : DataFrame of str
        The cells, under the names that the file gives its columns.
    rows : ndarray of int
        The line of the file in which each row stands; in a file without lines, the
        number of the record plus one, as if the names stood in line 1.
    source : mapping
        ``file``, ``sha256``, ``rows`` and ``columns``, for the record.
    labels : mapping
        By column, what the file says that it holds, where it says so.

    Examples
    --------
    >>> grid = Grid.of_frame(pd.DataFrame({"ID": [7], "DV": [0.5]}), file="a.csv")
    >>> grid.cells.values.tolist(), grid.rows.tolist()
    ([['7', '0.5']], [2])
    """

    file: str
    cells: pd.DataFrame
    rows: Rows
    source: Source
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_frame(
        cls,
        frame: pd.DataFrame,
        *,
        file: str,
        rows: Rows | None = None,
        sha256: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> "Grid":
        """Make a grid of a frame; without lines, its first row is called row 2.

        Examples
        --------
        >>> Grid.of_frame(pd.DataFrame({"a": [1.0, None]}), file="f").cells["a"][1]
        ''
        """
        lines = np.arange(len(frame), dtype=np.int64) + 2 if rows is None else rows
        names = [str(name) for name in frame.columns]
        source = {"file": file, "sha256": sha256, "rows": len(frame), "columns": names}
        return cls(file, parsing.as_text(frame), lines, source, labels or {})

    def with_points(self) -> "tuple[Grid, list[Problem]]":
        """Write numbers that have a decimal comma with a point.

        Returns
        -------
        grid : Grid
            The same rows.
        problems : list of Problem
            Numbers that have a point already, which may stand between thousands.

        Examples
        --------
        >>> frame = pd.DataFrame({"DV": ["5,5", "1.500", "a,b"]})
        >>> grid, problems = Grid.of_frame(frame, file="f").with_points()
        >>> grid.cells["DV"].tolist(), problems[0].row
        (['5.5', '1.500', 'a,b'], 3)
        """
        cells: dict[str, pd.Series] = {}
        problems: list[Problem] = []
        todo = "Write it with a comma, or without a sign between thousands."
        for name, text in self.cells.items():
            number = np.isfinite(parsing.numbers(text, decimal=","))
            cells[str(name)] = text.mask(number, text.str.replace(",", "."))
            wrong = ~number & np.isfinite(parsing.numbers(text))
            problems += at_rows(
                self.rows[wrong].tolist(),
                "the number has a point, though the decimal sign is a comma",
                todo,
                file=self.file,
                column=str(name),
                values=text[wrong].tolist(),
            )
        return replace(self, cells=pd.DataFrame(cells, dtype="str")), problems

    def problems(self) -> list[Problem]:
        """Return what is wrong with the names of the columns.

        Examples
        --------
        >>> frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
        >>> Grid.of_frame(frame, file="f").problems()[0].what
        'two columns have the same name'
        """
        names = pd.Index(self.source["columns"])
        what = "two columns have the same name"
        return [
            Problem(what, "Rename or drop one.", file=self.file, column=name)
            for name in names[names.duplicated()].unique()
            if name
        ]


def at_rows(
    rows: Sequence[int],
    what: str,
    todo: str,
    *,
    file: str,
    column: str = "",
    values: Sequence[str] = (),
) -> list[Problem]:
    """Tell what is wrong in rows of a file; in many rows, in one sentence.

    Parameters
    ----------
    rows : sequence of int
        The lines of the rows.
    what, todo : str
        What was found in each, and what to do about it.
    file, column : str
        Where.
    values : sequence of str, optional
        What stands in each row; a long text is told by its beginning.

    Examples
    --------
    >>> [problem.row for problem in at_rows([2, 7], "odd", "Look.", file="f")]
    [2, 7]
    >>> at_rows(range(2, 99), "odd", "Look.", file="f")[0].what
    'odd (and in 96 more rows: 3, 4, 5, 6, 7, ...)'
    """
    shown = rows if len(rows) <= LISTED else rows[:1]
    if len(rows) > LISTED:
        more = ", ".join(map(str, rows[1 : LISTED + 1]))
        what = f"{what} (and in {len(rows) - 1} more rows: {more}, ...)"
    begun = [text if len(text) <= 40 else f"{text[:40]}..." for text in values[:LISTED]]
    begun += [""] * len(shown)
    return [
        Problem(what, todo, file=file, row=int(row), column=column, value=value)
        for row, value in zip(shown, begun, strict=False)
    ]
