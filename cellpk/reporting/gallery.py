"""The gallery: a page for every model, from its file alone, and an index of them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from cellpk.errors import ModelError
from cellpk.model.library import list_models, load_model
from cellpk.reporting.figures.courses import patient_spread, states, typical_course
from cellpk.reporting.gallery_checked import checked
from cellpk.reporting.gallery_tables import ABSENT, Listing, Sources, listings
from cellpk.reporting.html import figure_html
from cellpk.reporting.mathml import Equation, equations
from cellpk.reporting.steps import Progress, silent
from cellpk.reporting.templates import render, style

if TYPE_CHECKING:
    from cellpk.model.model import Model
    from cellpk.reporting.figures.drawing import Drawing


@dataclass(frozen=True)
class ModelPage:
    """What the page of a model says, in order.

    Parameters
    ----------
    name, title, source : str
        As in the file.
    badges : tuple of (str, str)
        Kind and words of what to know at a glance.
    note, doubts : tuple of str
        Paragraphs.
    equations : tuple of (str, tuple of Equation)
        Blocks under their headings.
    listings : tuple of Listing
        What the file states.
    figures : tuple of (str, tuple of Markup)
        Figures, or sentences in place of them, under their headings.
    checked : tuple of Listing
        Printed numbers beside computed ones.
    sources : tuple of str
        In the order of their numbers.
    observed, count, spread, met : str
        What the index says of it.
    """

    name: str
    title: str
    source: str
    badges: tuple[tuple[str, str], ...]
    note: tuple[str, ...]
    doubts: tuple[str, ...]
    equations: tuple[tuple[str, tuple[Equation, ...]], ...]
    listings: tuple[Listing, ...]
    figures: tuple[tuple[str, tuple[Markup, ...]], ...]
    checked: tuple[Listing, ...]
    sources: tuple[str, ...]
    observed: str
    count: str
    spread: str
    met: str


def write_gallery(
    folder: str | Path,
    names: Sequence[str | Path] | None = None,
    *,
    progress: Progress = silent,
) -> list[Path]:
    """Write a page for every model, and an index of them.

    Parameters
    ----------
    folder : str or Path
        Where to write: ``index.html`` and ``<name of the model>.html``. Each file needs
        nothing but itself; the same models give the same bytes.
    names : sequence of str or Path, optional
        Models, as for :func:`cellpk.load_model`; the whole library where not given.
    progress : callable, optional
        Called with models done, models in all and what is done now.

    Returns
    -------
    list of Path
        The index, then the pages.

    Raises
    ------
    ModelError
        Where there is no such model.

    Examples
    --------
    >>> import tempfile
    >>> names = ["stein_2019_tisagenlecleucel"]
    >>> [file.name for file in write_gallery(tempfile.mkdtemp(), names)]
    ['index.html', 'stein_2019_tisagenlecleucel.html']
    """
    models = [load_model(name) for name in names or list_models()["name"]]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shared = {"style": style("gallery.css"), "version": version("cellpk")}
    pages, written = [], []
    for done, model in enumerate(models):
        progress(done, len(models), f"Drawing: {model.name}")
        page = model_page(model)
        pages.append(page)
        text = render("gallery.html.j2", page=page, absent=ABSENT, **shared)
        written.append(_written(folder / f"{model.name}.html", text))
    progress(len(models), len(models), "Writing the index")
    index = render("gallery_index.html.j2", models=pages, **shared)
    return [_written(folder / "index.html", index), *written]


def model_page(model: "Model") -> ModelPage:
    """Return what the page of a model says.

    Parameters
    ----------
    model : Model
        Any model, of the library or one's own.

    Examples
    --------
    >>> import cellpk as ck
    >>> page = model_page(ck.load_model("stein_2019_tisagenlecleucel"))
    >>> page.count, page.spread, page.met
    ('6 of 6', 'published', '14 of 14')
    """
    cite = Sources()
    tables = listings(model, cite)
    compared = checked(model, cite)
    blocks = {
        "Equations": model.equations.rates,
        "Closed form": model.equations.solution,
    }
    agree = re.match(r"\d+ of \d+", compared.notes[0])
    return ModelPage(
        name=model.name,
        title=model.title,
        source=model.source,
        badges=_badges(model),
        note=_paragraphs(model.note),
        doubts=_paragraphs(model.doubts) or ("None is known.",),
        equations=tuple(
            (title, equations(block))
            for title, block in blocks.items()
            if block.text.strip()
        ),
        listings=tables,
        figures=_figures(model),
        checked=(compared,),
        sources=tuple(cite.texts),
        observed=", ".join(model.observed),
        count=f"{len(model.free)} of {len(model.parameters)}",
        spread=_spread(model),
        met=agree[0] if agree else "none",
    )


def _badges(model: "Model") -> tuple[tuple[str, str], ...]:
    published = model.status == "published"
    badges = [
        ("published", "Published")
        if published
        else ("unpublished", f"{model.status.upper()} DESIGN")
    ]
    absent = _absent(model)
    if absent:
        badges.append(("incomplete", f"Incomplete: no value of {', '.join(absent)}"))
    return tuple(badges)


def _absent(model: "Model") -> list[str]:
    return [name for name, row in model.parameters.items() if row.value is None]


def _without_spread(model: "Model") -> list[str]:
    return [name for name in model.free if model.parameters[name].iiv_sd is None]


def _spread(model: "Model") -> str:
    absent = len(_without_spread(model))
    if not absent:
        return "published" if model.status == "published" else "stated"
    return ABSENT if absent == len(model.free) else f"{absent} of them {ABSENT}"


def _figures(model: "Model") -> tuple[tuple[str, tuple[Markup, ...]], ...]:
    typical, spread = "Typical patient", "Spread between patients"
    absent = _absent(model)
    if absent:
        said = _sentence(
            "There is no curve of the typical patient, since no value is published of "
            f"{_listed(absent)}. Give it: model.with_values({absent[0]}=...)."
        )
        return (typical, (said,)), (spread, (_sentence(_no_spread(model)),))
    course = [_drawn(typical_course, model)]
    if len(model.equations.states) > 1:
        course.append(_drawn(states, model))
    said = (
        _sentence(_no_spread(model))
        if _without_spread(model)
        else _drawn(patient_spread, model)
    )
    return (typical, tuple(course)), (spread, (said,))


def _no_spread(model: "Model") -> str:
    without, free = _without_spread(model), model.free
    if not without:
        return "Not drawn, since there is no typical patient."
    of = "any parameter" if len(without) == len(free) else _listed(without)
    return (
        f"Not drawn: the spread between patients of {of} is not published, and none is "
        "made up here."
    )


def _drawn(draw: Callable[["Model"], "Drawing"], model: "Model") -> Markup:
    """Return a figure, or the reason why there is none."""
    try:
        return figure_html(draw(model), set())
    except ModelError as error:
        return _sentence(f"Could not be calculated: {error}")


def _sentence(text: str) -> Markup:
    return Markup("<p>{}</p>").format(text)


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
