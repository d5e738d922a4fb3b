"""Pages from their templates: words are escaped, styles and figures stand inside."""

from importlib import resources
from typing import Any

from markupsafe import Markup

FOLDER = "cellpk.reporting"


def text_of(name: str) -> str:
    """Return a file that lies beside this one: a template or a style sheet.

    Examples
    --------
    >>> text_of("page.html.j2")[:15]
    '<!DOCTYPE html>'
    """
    return resources.files(FOLDER).joinpath(name).read_text("utf-8")


def render(name: str, **values: Any) -> str:
    """Return the page of a template.

    Parameters
    ----------
    name : str
        File of the template.
    **values
        What it names; text is escaped unless it is ``Markup``.

    Examples
    --------
    >>> text = render("gallery_index.html.j2", models=[], style="", version="0")
    >>> text[:15]
    '<!DOCTYPE html>'
    """
    from jinja2 import Environment

    template = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).from_string(text_of(name))
    return template.render(**values)


def style(name: str) -> Markup:
    """Return a style sheet, ready to stand in a page.

    Examples
    --------
    >>> "@media print" in style("gallery.css")
    True
    """
    return Markup(text_of(name))
