"""What stands in the comments of every export: source, gaps, names, the data set."""

from collections.abc import Callable, Iterable

from cellpk.model.export.content import NEVER, Content, per_cell
from cellpk.model.export.naming import Names
from cellpk.model.expression import Node
from cellpk.model.rows import Covariate, Observed

GAP = "UNPUBLISHED"
"""Begins the name that stands for an unpublished number: no tool knows it, all stop."""

FORMULAS = {
    "lognormal": "normal on the log level",
    "normal": "normal on the level itself",
    "proportional": "normal, in proportion to the level",
    "combined": "normal, with a constant part and one in proportion to the level, "
    "variances adding",
    "student": "Student's t with {df:g} degrees of freedom on the log level",
    "unpublished": "not published",
}


def about(content: Content) -> list[str]:
    """Return what the model is, where it comes from and in which form it stands.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> about(sort(stein, form="closed"))[0]
    'Tisagenlecleucel, paediatric and young-adult B-ALL'
    """
    model = content.model
    form = "closed form" if content.closed else "differential equations"
    unpublished = model.status == "unpublished"
    return [
        model.title,
        *(["Not a published model."] if unpublished else []),
        f"Source: {model.source}.",
        f"Written by cellpk from {model.name}, as {form}. Time is in days.",
        *content.remarks,
        *(
            [f"Doubts about the transcription: {model.doubts.strip()}"]
            if model.doubts.strip()
            else []
        ),
    ]


def gap(*parts: str) -> str:
    """Return the name that stands for a number that is not published.

    Examples
    --------
    >>> gap("c0"), gap("sd", "alpha")
    ('UNPUBLISHED_c0', 'UNPUBLISHED_sd_alpha')
    """
    return "_".join([GAP, *parts])


def gaps(content: Content, tool: str) -> list[str]:
    """Return which numbers are not published, and how to give them.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> gaps(sort(stein, form="closed"), "Monolix")
    []
    """
    model = content.model
    rows = model.parameters.values()
    values = [row.name for row in rows if row.value is None]
    spreads = [row.name for row in rows if row.iiv_sd is None]
    errors = [row.name for row in model.observed.values() if None in row.sizes.values()]
    found = [
        _gap("Typical values", values, "model.with_values(...)"),
        _gap("Spreads between patients", spreads, "model.with_spread(...)"),
        _gap("Residual errors", errors, ""),
    ]
    if not any(found):
        return []
    return [
        f"NOT PUBLISHED. Names that begin with {GAP} stand for numbers that are not "
        f"published; {tool} stops at them. Give a number of your own for each:",
        *(text for text in found if text),
    ]


def _gap(what: str, names: Iterable[str], by: str) -> str:
    listed = ", ".join(names)
    if not listed:
        return ""
    return f"  {what}: {listed}." + (f" In cellpk by {by}." if by else "")


def renamings(names: Names) -> list[str]:
    """Return which names differ from those of the model.

    Examples
    --------
    >>> names = Names(frozenset({"t"}))
    >>> _ = names.add("t")
    >>> renamings(names)[1]
    '  t is t_1 here'
    """
    if not names.renamed:
        return []
    return [
        "RENAMED, as the tool reserves a name or cannot tell it from another:",
        *(f"  {old} is {new} here" for old, new in names.renamed),
    ]


def covariate(row: Covariate, column: str) -> str:
    """Return what a data set holds of a covariate.

    Examples
    --------
    >>> covariate(Covariate("weight", 70.0, unit="kg", label="Body weight"), "WEIGHT")
    '  WEIGHT: Body weight, in kg; 70 for the typical patient'
    """
    typical = f"{row.value:g} for the typical patient"
    if abs(row.value) == float("inf"):
        typical = (
            "never for the typical patient: write a day after the last sample, at most "
            f"{NEVER:g}"
        )
    allowed = ""
    if row.levels:
        allowed = f" (one of {', '.join(f'{x:g}' for x in row.levels)})"
    unit = "" if row.unit == "1" else f", in {row.unit}"
    changes = "; changes with time" if row.steps else ""
    label = row.label or row.name
    return f"  {column}: {label}{unit}{allowed}; {typical}{changes}"


def assay(row: Observed) -> str:
    """Return what an assay measures and how its residual error is.

    Examples
    --------
    >>> import cellpk as ck
    >>> assay(ck.load_model("stein_2019_tisagenlecleucel").observed["qpcr"])
    'qpcr, in copies/ug: residual error normal on the log level'
    """
    error = FORMULAS[row.error].format(df=row.df or 0)
    unit = "" if row.unit == "1" else f", in {row.unit}"
    return f"{row.name}{unit}: residual error {error}"


def uneven(content: Content, say: Callable[[int, str, Node], str]) -> list[str]:
    """Return a sentence for each state that gets no fixed share of the infused cells.

    Parameters
    ----------
    content : Content
        A model, sorted.
    say : callable
        From the number of the state among those added to (from 1), its name and what
        is added to the sentence.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> kimmel = sort(ck.load_model("kimmel_2021_axicel"), form="ode")
    >>> uneven(kimmel, lambda number, state, node: state)
    []
    """
    given = content.model.infusions
    adds = given.adds.items() if given else ()
    return [
        say(number, state, node)
        for number, (state, node) in enumerate(adds, 1)
        if per_cell(node) is None
    ]


def schedule(content: Content) -> str:
    """Return the infusions of the typical patient as a sentence.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.model.export.content import sort
    >>> schedule(sort(ck.load_model("kimmel_2021_axicel"), form="ode"))
    'The typical patient gets 1.8e+08 cells on day 0.'
    """
    given = content.model.infusions
    if given is None:
        return ""
    parts = [
        f"{n:g} on day {d:g}" for d, n in zip(given.days, given.cells, strict=True)
    ]
    first = parts[0].replace(" on", f" {given.unit} on")
    return f"The typical patient gets {', '.join([first, *parts[1:]])}."
