"""Printed numbers beside those that a model gives, as a table of the gallery."""

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from cellpk.errors import ModelError
from cellpk.model.reproduce import reproduce
from cellpk.reporting.figures.level_panels import unit_label
from cellpk.reporting.gallery_tables import Cell, Cite, Listing, code

if TYPE_CHECKING:
    from cellpk.model.model import Model
    from cellpk.model.rows import Printed


def checked(model: "Model", cite: Cite) -> Listing:
    """Return printed numbers beside what the model gives.

    Parameters
    ----------
    model : Model
        The model.
    cite : callable
        Turns a source into its reference.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.reporting.gallery_tables import Sources
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> checked(stein, Sources()).notes
    ('14 of 14 printed numbers are met to their last digit.',)
    """
    title = "Printed against computed"
    try:
        table = reproduce(model)
    except ModelError as error:
        return Listing(title, (), (), (f"Could not be computed: {error}",))
    if table.empty:
        return Listing(title, (), (), ("No number to compare with is in the file.",))
    rows = tuple(
        (
            _about(model, row["name"], row["label"]),
            row["printed"],
            _beside(row["printed"], row["computed"]),
            unit_label(row["unit"]),
            _tick(yes=row["agrees"]),
            cite(row["source"]),
        )
        for row in table.to_dict("records")
    )
    met = int(table["agrees"].sum())
    note = f"{met} of {len(table)} printed numbers are met to their last digit."
    return Listing(title, _CHECKED, rows, (note,))


_CHECKED = (
    ("words", "Number"),
    ("number", "Printed"),
    ("number", "Computed"),
    ("unit", "Unit"),
    ("short", "Met"),
    ("short", "Source"),
)


def _about(model: "Model", name: str, label: str) -> Cell:
    """Return what a printed number is of: its label, and how it is asked for."""
    row = model.printed.get(name)
    if name in model.derived or row is None:
        return label or code(name)
    asked = _asked(row)
    return Markup("{}<br><small>{}</small>").format(label, asked) if label else asked


def _asked(row: "Printed") -> str:
    above = "" if row.above is None else f" {row.above:g}"
    days = f"days {row.start:g} to {row.until:g}"
    if row.at is not None:
        days = f"day {row.at:g}"
    given = ", ".join(f"{name} = {_plain(x)}" for name, x in row.given.items())
    return f"{row.what.replace('_', ' ')}{above} of {row.of}, {days}" + (
        f", with {given}" if given else ""
    )


def _plain(value: float | tuple[float, ...]) -> str:
    many = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{x:g}" for x in many)


def _beside(printed: str, computed: float) -> str:
    """Return a computed number with two more figures than the printed one has."""
    digits = re.sub(r"e.*", "", printed.lower()).replace("-", "").replace(".", "")
    figures = max(len(digits.lstrip("0")), 1) + 2
    if "e" in printed.lower():
        return f"{computed:.{figures - 1}e}".replace("e+0", "e").replace("e+", "e")
    return f"{float(f'{computed:.{figures}g}'):.12g}"


def _tick(*, yes: bool) -> Markup:
    if yes:
        return Markup('<span class="yes" title="met">✓</span>')
    return Markup('<span class="no" title="not met">✗</span>')
