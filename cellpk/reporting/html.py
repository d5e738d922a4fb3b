"""The report as one HTML page that needs nothing but itself."""

from collections.abc import Set
from functools import singledispatch
from itertools import count
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cellpk.reporting.exhibit import SIMULATED, Exhibit
from cellpk.reporting.figures.drawing import Drawing
from cellpk.reporting.steps import Progress, silent
from cellpk.reporting.table import Table
from cellpk.reporting.templates import render

if TYPE_CHECKING:
    from cellpk.reporting.section import Report

_WIDE = 9


def page(report: "Report", progress: Progress = silent) -> str:
    """Return the page: facts, contents, sections with their tables and figures.

    Parameters
    ----------
    report : Report
        What to print.
    progress : callable
        Called with exhibits done, exhibits in all and the one that is drawn now.

    Returns
    -------
    str
        HTML with styles and figures inside; the same text for the same report.

    Examples
    --------
    >>> import cellpk as ck
    >>> whole = ck.simulate_study(seed=1).samples
    >>> flow = whole.query("patient == 'S02' and assay == 'flow'")
    >>> study = ck.Study.from_frames(flow)
    >>> page(ck.report(study, ck.nca(study)))[:15]
    '<!DOCTYPE html>'
    """
    said = {point for section in report.sections for point in section.points}
    drawn = count()
    total = len(report.tables) + len(report.figures)

    def exhibit(each: Exhibit) -> Markup:
        progress(next(drawn), total, f"Drawing: {each.number}")
        return figure_html(each, said)

    return render(
        "page.html.j2",
        title=report.title,
        subtitle=report.subtitle,
        facts=report.facts,
        sections=report.sections,
        foot=report.foot,
        version=report.version,
        simulated=SIMULATED,
        mark=f" ({SIMULATED})" if report.simulated else "",
        exhibit=exhibit,
    )


def figure_html(exhibit: Exhibit, said: Set[str]) -> Markup:
    """Return one table or figure with its heading, caption and notes.

    Parameters
    ----------
    exhibit : Exhibit
        A table or a figure.
    said : set of str
        Rules that the page states elsewhere and does not repeat here.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"cmax": ["24,000"]})
    >>> peaks = Table(name="peaks", title="Peaks", frame=frame, shown=frame,
    ...               labels={"cmax": "Cmax"}, number="Table 1")
    >>> print(figure_html(peaks, set()).splitlines()[1])
    <figcaption>Table 1. Peaks</figcaption>
    """
    kind, body = _body(exhibit)
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in _notes(exhibit, said))
    return Markup(
        f'<figure id="{escape(exhibit.anchor)}" class="{kind}">\n'
        f"<figcaption>{escape(exhibit.heading)}</figcaption>\n"
        f'{body}\n<div class="notes">\n{notes}\n</div>\n</figure>'
    )


@singledispatch
def _body(exhibit: Exhibit) -> tuple[str, str]:
    """Return the kind and the HTML of what an exhibit shows."""
    message = f"{type(exhibit).__name__} {exhibit.name!r} is no table and no figure"
    raise TypeError(message)


@_body.register
def _(exhibit: Table) -> tuple[str, str]:
    wide = " wide" if len(exhibit.labels) > _WIDE else ""
    return f"table{wide}", f'<div class="scroll">{exhibit.rows_html()}</div>'


@_body.register
def _(exhibit: Drawing) -> tuple[str, str]:
    caption = f'<p class="caption">{escape(exhibit.caption)}</p>'
    return "drawing", f"{exhibit.image_html()}\n{caption}"


def _notes(exhibit: Exhibit, said: Set[str]) -> tuple[str, ...]:
    """Refer to rules that the page states elsewhere."""
    if not exhibit.rules or not set(exhibit.rules) <= said:
        return exhibit.notes
    source = exhibit.notes[len(exhibit.footnotes) + len(exhibit.rules) :]
    return (*exhibit.footnotes, "Rules: see Methods and rules.", *source)
