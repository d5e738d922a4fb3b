"""The one table object: what it says, as numbers and as printed, in every rendering."""

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cellpk.reporting.exhibit import Exhibit

TABLES: "dict[str, Callable[..., Table]]" = {}
"""Every table function by name; filled by :func:`table`."""

_STYLE = (
    ".gt_row { vertical-align: top; white-space: pre-line; }"
    ".gt_title { text-align: left; font-weight: 600; font-size: 100%; }"
    ".gt_table { font-size: 13px; }"
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Table(Exhibit):
    """A table of the report: full-precision numbers and the strings printed from them.

    Parameters
    ----------
    shown : DataFrame
        The strings as printed, one row per printed line.
    labels : mapping of str to str
        Column of ``shown`` to the heading printed above it, in order; a column that
        is not named here is not printed, but for ``group``.
    group : str
        Column of ``shown`` whose values stand above blocks of rows; may be empty.
    spans : mapping of str to tuple of str
        Heading above several columns.
    prose : tuple of str
        Columns of ``shown`` that hold words, set flush left like the first.
    name, title, frame, footnotes, source, simulated, number
        See :class:`~cellpk.reporting.exhibit.Exhibit`.

    Examples
    --------
    >>> frame = pd.DataFrame({"patient": ["1", "2"], "cmax": [24041.3, 9.0]})
    >>> shown = pd.DataFrame({"patient": ["1", "2"], "cmax": ["24,000", "9.00"]})
    >>> Table(name="peaks", title="Peaks", frame=frame, shown=shown,
    ...       labels={"patient": "Patient", "cmax": "Cmax"}, source="study A")
    Peaks
    ---------------
    Patient    Cmax
    ---------------
    1        24,000
    2          9.00
    ---------------
    Source: study A.
    """

    shown: pd.DataFrame
    labels: Mapping[str, str]
    group: str = ""
    spans: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prose: tuple[str, ...] = ()

    def to_html(self) -> str:
        """Return the table as HTML that stands alone: heading, rows, notes and style.

        Examples
        --------
        >>> frame = pd.DataFrame({"cmax": ["24,000"]})
        >>> peaks = Table(name="peaks", title="Peaks", frame=frame, shown=frame,
        ...               labels={"cmax": "Cmax"})
        >>> "24,000" in peaks.to_html()
        True
        """
        great = self._great().tab_header(title=self.heading).opt_css(_STYLE)
        for note in self.notes:
            great = great.tab_source_note(note)
        return great.as_raw_html()

    def rows_html(self) -> str:
        """Return the bare ``<table>`` for a page that prints heading and notes itself.

        Examples
        --------
        >>> frame = pd.DataFrame({"cmax": ["24,000"]})
        >>> peaks = Table(name="peaks", title="Peaks", frame=frame, shown=frame,
        ...               labels={"cmax": "Cmax"})
        >>> peaks.rows_html()[:6]
        '<table'
        """
        whole = self._great().as_raw_html()
        return whole[whole.index("<table") : whole.index("</table>") + len("</table>")]

    def to_text(self) -> str:
        """Return the table as aligned plain text.

        Examples
        --------
        >>> frame = pd.DataFrame({"cmax": ["24,000"]})
        >>> print(Table(name="peaks", title="Peaks", frame=frame, shown=frame,
        ...             labels={"cmax": "Cmax"}).to_text())
        Peaks
        ------
        Cmax
        ------
        24,000
        ------
        """
        cells = [[_one_line(label) for label in self.labels.values()]]
        for row in self.shown[list(self.labels)].itertuples(index=False):
            cells.append([_one_line(text) for text in row])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        left = [name in self._flush_left for name in self.labels]
        heads, *lines = [_aligned(row, widths, left) for row in cells]
        lines = self._grouped(lines)
        rule = "-" * max(len(line) for line in [heads, *lines])
        notes = [line for note in self.notes for line in textwrap.wrap(note, 88)]
        spans = self._span_line(widths)
        body = [rule, *spans, heads, rule, *lines, rule]
        return "\n".join([self.heading, *body, *notes])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _great(self) -> Any:
        from great_tables import GT

        columns = [*([self.group] if self.group else []), *self.labels]
        great = GT(
            self.shown[columns],
            groupname_col=self.group or None,
            id=f"table-{self.name}",
        )
        great = great.cols_label(dict(self.labels)).cols_align("right")
        great = great.cols_align("left", columns=self._flush_left)
        for label, names in self.spans.items():
            great = great.tab_spanner(label, columns=list(names))
        return great

    @property
    def _flush_left(self) -> list[str]:
        return [
            name for i, name in enumerate(self.labels) if not i or name in self.prose
        ]

    def _span_line(self, widths: list[int]) -> list[str]:
        """Name each span above the first of its columns."""
        starts = {names[0]: label for label, names in self.spans.items()}
        line, position = "", 0
        for name, width in zip(self.labels, widths, strict=True):
            line = line.ljust(position) + starts.get(name, "")
            position += width + 2
        return [line.rstrip()] if line.strip() else []

    def _grouped(self, lines: list[str]) -> list[str]:
        """Put the name of each block above its first line."""
        if not self.group:
            return lines
        result, last = [], None
        for label, line in zip(self.shown[self.group], lines, strict=True):
            if label != last:
                result.append(f"[{_one_line(label)}]")
            result.append(line)
            last = label
        return result


def table[F: Callable[..., Table]](function: F) -> F:
    """Register a function that returns a table, under its own name."""
    TABLES[function.__name__] = function
    return function


def _one_line(text: object) -> str:
    return re.sub(r"\s*\n\s*", " ", str(text))


def _aligned(row: list[str], widths: list[int], left: list[bool]) -> str:
    cells = [
        text.ljust(width) if flush else text.rjust(width)
        for text, width, flush in zip(row, widths, left, strict=True)
    ]
    return "  ".join(cells).rstrip()
