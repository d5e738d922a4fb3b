"""The one figure object: the drawing, the data it draws, its caption and notes."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from cellpk.reporting.exhibit import Exhibit
from cellpk.reporting.figures.style import steady, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: "dict[str, Callable[..., Drawing]]" = {}
"""Every figure function by name; filled by :func:`figure`."""

_SILENT = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
_TOO_BIG = 3_000_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Drawing(Exhibit):
    """A figure of the report with the data that it draws.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The drawing.
    caption : str
        What the marks, lines and bands mean.
    ours : bool
        Whether the figure is cellpk's own. One that the user gave (``ax=``) is neither
        laid out nor drawn in the report's style.
    name, title, frame, footnotes, source, simulated, number
        See :class:`~cellpk.reporting.exhibit.Exhibit`; ``frame`` holds what is drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> Drawing(name="empty", title="Nothing", figure=Figure(), frame=pd.DataFrame(),
    ...         caption="No mark.")
    Drawing empty: Nothing
    """

    figure: "Figure"
    caption: str
    ours: bool = True

    def __post_init__(self) -> None:
        """Lay the panels out once, so that every picture of them is the same."""
        if not self.ours:
            return
        with styled():
            layout = self.figure.get_layout_engine()
            if layout is not None:
                layout.execute(self.figure)
                self.figure.set_layout_engine("none")

    def image(self, kind: str = "svg") -> bytes:
        """Return the picture; the same bytes for the same drawing.

        Parameters
        ----------
        kind : {"svg", "png", "pdf"}
            Format; PNG has 300 dots per inch.

        Examples
        --------
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> drawing = Drawing(name="empty", title="Nothing", figure=Figure(),
        ...                   frame=pd.DataFrame(), caption="No mark.")
        >>> drawing.image("svg") == drawing.image("svg")
        True
        """
        buffer = io.BytesIO()
        with styled() if self.ours else steady():
            self.figure.savefig(
                buffer, format=kind, dpi=300, metadata=_SILENT.get(kind)
            )
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture; the ending names the format.

        Parameters
        ----------
        path : str or Path
            File to write: ``.svg``, ``.png`` or ``.pdf``.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> drawing = Drawing(name="empty", title="Nothing", figure=Figure(),
        ...                   frame=pd.DataFrame(), caption="No mark.")
        >>> drawing.save(Path(tempfile.mkdtemp()) / "empty.svg").name
        'empty.svg'
        """
        path = Path(path)
        path.write_bytes(self.image(path.suffix.removeprefix(".")))
        return path

    def image_html(self) -> str:
        """Return an ``<img>`` that holds the picture itself, as SVG unless too big.

        Examples
        --------
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> drawing = Drawing(name="empty", title="Nothing", figure=Figure(),
        ...                   frame=pd.DataFrame(), caption="No mark.")
        >>> drawing.image_html()[:40]
        '<img alt="Nothing. No mark." src="data:i'
        """
        kind, data = "svg+xml", self.image("svg")
        if len(data) > _TOO_BIG:
            kind, data = "png", self.image("png")
        text = base64.b64encode(data).decode()
        alt = escape(f"{self.heading}. {self.caption}")
        width = round(self.figure.get_figwidth() * 108)
        return (
            f'<img alt="{alt}" src="data:image/{kind};base64,{text}" width="{width}">'
        )

    def __repr__(self) -> str:
        return f"Drawing {self.name}: {self.heading}"

    def _repr_html_(self) -> str:
        lines = "<br>".join(escape(line) for line in (self.caption, *self.notes))
        head = f"<b>{escape(self.heading)}</b>"
        return f"<figure>{head}<br>{self.image_html()}<br>{lines}</figure>"


def figure[F: Callable[..., Drawing]](function: F) -> F:
    """Register a function that returns a drawing, under its own name."""
    FIGURES[function.__name__] = function
    return function
