"""What tables and figures have in common: a name, a title, the numbers, the notes."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

SIMULATED = "SIMULATED DATA"
"""What stands in every title, figure and page that shows a simulated study."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Exhibit:
    """What a table or a figure says, whatever it looks like.

    Parameters
    ----------
    name : str
        Short ASCII name; the name of its CSV file.
    title : str
        What it shows, of whom, by which assay.
    frame : DataFrame
        The numbers in full precision, tidy, with ASCII columns.
    footnotes : tuple of str
        Codes, counts and what was left out; a sentence each.
    rules : tuple of str
        How the numbers were computed; a sentence each. The report prints rules that
        several exhibits share only once.
    source : str
        The study and the data behind it.
    simulated : bool
        Whether the data are simulated, which the title then says.
    number : str
        Such as ``"Table 3"``; set by the report.

    Examples
    --------
    >>> peaks = Exhibit(name="peaks", title="Peaks", frame=pd.DataFrame(),
    ...                 source="study A", simulated=True)
    >>> peaks.numbered("Table 3").heading
    'Table 3. Peaks (SIMULATED DATA)'
    >>> peaks.notes
    ('Source: study A.',)
    """

    name: str
    title: str
    frame: pd.DataFrame
    footnotes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    source: str = ""
    simulated: bool = False
    number: str = ""

    @property
    def heading(self) -> str:
        """The line above: number, title, and whether the data are simulated."""
        title = f"{self.number}. {self.title}" if self.number else self.title
        return f"{title} ({SIMULATED})" if self.simulated else title

    @property
    def notes(self) -> tuple[str, ...]:
        """The lines below: footnotes, rules, then the source."""
        source = (f"Source: {self.source}.",) if self.source else ()
        return (*self.footnotes, *self.rules, *source)

    @property
    def anchor(self) -> str:
        """Where links to it point: its number, or its name as long as it has none."""
        return (self.number or self.name).lower().replace(" ", "-")

    def numbered(self, number: str) -> Self:
        """Return the same under a number, such as ``"Table 3"``.

        Examples
        --------
        >>> exhibit = Exhibit(name="a", title="A", frame=pd.DataFrame())
        >>> exhibit.numbered("Table 1").number
        'Table 1'
        """
        return dataclasses.replace(self, number=number)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the full-precision numbers as CSV, and write them where asked.

        Parameters
        ----------
        path : str or Path, optional
            File to write.

        Returns
        -------
        str
            The text of the file.

        Examples
        --------
        >>> frame = pd.DataFrame({"cmax": [24041.3]})
        >>> print(Exhibit(name="a", title="A", frame=frame).to_csv())
        cmax
        24041.3
        """
        text = self.frame.to_csv(index=False, lineterminator="\n")
        if path is not None:
            Path(path).write_text(text, encoding="utf-8", newline="\n")
        return text
