"""One delivered table as its file holds it: every cell a text, every row with its line.

A grid knows nothing of what its columns mean: that is for the formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study import parsing

Rows = NDArray[np.int64]
Source = Mapping[str, Any]


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
