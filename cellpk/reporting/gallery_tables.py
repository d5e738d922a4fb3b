"""Tables of a page of the gallery: what a model states, each number with its source."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cellpk.errors import ModelError
from cellpk.model.latex import formula, symbol
from cellpk.reporting.figures.courses import observed_label
from cellpk.reporting.figures.level_panels import unit_label
from cellpk.reporting.mathml import mathml

if TYPE_CHECKING:
    from cellpk.model.expression import Node
    from cellpk.model.model import Model
    from cellpk.model.parameters import Parameter
    from cellpk.model.rows import Infusions

ABSENT = "not published"

type Cell = str | Markup
type Cite = Callable[[str], str]


@dataclass(frozen=True)
class Listing:
    """A table of a page.

    Parameters
    ----------
    title : str
        Its heading.
    columns : tuple of (str, str)
        Kind ("number", "unit", "short" or "words") and heading of each column.
    rows : tuple of tuple of str
        Cells; those that are no ``Markup`` are escaped when printed.
    notes : tuple of str
        Sentences below.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


class Sources:
    """Numbers the sources of a page in the order in which they are named.

    Examples
    --------
    >>> cite = Sources()
    >>> cite("Stein 2019"), cite("Park 2025"), cite("Stein 2019"), cite("")
    ('[1]', '[2]', '[1]', '')
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> str:
        """Return the reference of a source, as it stands in a table."""
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def number(value: float) -> Markup:
    """Return a number as printed: six figures, powers of ten raised.

    Examples
    --------
    >>> [str(number(x)) for x in (0.0079, 2.5e9, 24000, 1e-7)]
    ['0.0079', '2.5·10<sup>9</sup>', '24000', '10<sup>-7</sup>']
    """
    text = f"{value:.6g}"
    if "e" not in text:
        return Markup(text)
    factor, _, power = text.partition("e")
    raised = f"10<sup>{int(power)}</sup>"
    return Markup(raised if factor == "1" else f"{factor}·{raised}")


def listings(model: "Model", cite: Cite) -> tuple[Listing, ...]:
    """Return what a model states, as tables; those without a row are left out.

    Parameters
    ----------
    model : Model
        The model.
    cite : callable
        Turns a source into its reference.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> [listing.title for listing in listings(stein, Sources())]
    ['Parameters', 'Observed levels', 'Derived quantities']
    """
    found = (
        _parameters(model, cite),
        _correlations(model, cite),
        _covariates(model, cite),
        _infusions(model, cite),
        _observed(model, cite),
        _derived(model, cite),
    )
    return tuple(listing for listing in found if listing.rows)


def _parameters(model: "Model", cite: Cite) -> Listing:
    uncertain = any(row.prior_sd is not None for row in model.parameters.values())
    columns = [
        ("short", "Symbol"),
        ("short", "Name"),
        ("words", "Meaning"),
        ("number", "Value"),
        ("unit", "Unit"),
        ("short", "Scale"),
        ("short", "Spread as stated"),
        ("number", "Spread, SD"),
        *([("number", "Uncertainty, SD")] if uncertain else []),
        ("short", "Source"),
    ]
    rows = []
    for row in model.parameters.values():
        stated, sd = _spread(row)
        certain = "" if row.prior_sd is None else number(row.prior_sd)
        rows.append(
            (
                _symbol(row.name),
                code(row.name),
                row.label,
                ABSENT if row.value is None else number(row.value),
                unit_label(row.unit),
                row.scale,
                stated,
                sd,
                *([certain] if uncertain else []),
                _cited(row, cite),
            )
        )
    notes = ["SD: standard deviation between patients, on the scale of the parameter."]
    if uncertain:
        notes.append("Uncertainty: of the typical value, on the same scale.")
    return Listing("Parameters", tuple(columns), tuple(rows), (" ".join(notes),))


def _spread(row: "Parameter") -> tuple[Cell, Cell]:
    """Return the spread between patients as the source states it, and as SD."""
    if row.fixed:
        return "fixed" if row.held else "the same in all", ""
    if row.iiv_sd is None:
        return ABSENT, ""
    sd = number(row.iiv_sd)
    variance = row.iiv_sd**2
    stated = {
        "iiv_var": f"variance {number(variance)}",
        "iiv_cv": f"CV {100 * math.sqrt(math.expm1(variance)):.4g} %",
    }
    return Markup(stated.get(row.spread_form, f"SD {sd}")), sd


def _cited(row: "Parameter", cite: Cite) -> str:
    """Return the sources of the value and, where another, of the spread."""
    value = cite(row.source)
    if row.fixed or row.iiv_sd is None or row.iiv_source in {"", row.source}:
        return value
    return f"{value}; spread {cite(row.iiv_source)}"


def _correlations(model: "Model", cite: Cite) -> Listing:
    rows = tuple(
        (
            Markup("{}, {}").format(code(one), code(two)),
            number(value),
            cite(model.correlation_sources.get((one, two), "")),
        )
        for (one, two), value in model.correlations.items()
    )
    columns = (
        ("words", "Random effects"),
        ("number", "Correlation"),
        ("short", "Source"),
    )
    return Listing("Correlations", columns, rows)


def _covariates(model: "Model", cite: Cite) -> Listing:
    columns = (
        ("short", "Symbol"),
        ("short", "Name"),
        ("words", "Meaning"),
        ("number", "Typical patient"),
        ("unit", "Unit"),
        ("words", "Kind"),
        ("short", "Source"),
    )
    rows = tuple(
        (
            _symbol(row.name),
            code(row.name),
            row.label,
            "never" if math.isinf(row.value) else number(row.value),
            unit_label(row.unit),
            _kind(row.levels, row.probability, steps=row.steps),
            cite(row.source),
        )
        for row in model.covariates.values()
    )
    return Listing("Covariates", columns, rows)


def _kind(levels: Iterable[float], probability: float | None, *, steps: bool) -> str:
    parts = ["changes with time" if steps else "fixed in time"]
    allowed = ", ".join(f"{level:g}" for level in levels)
    parts += [f"one of {allowed}"] if allowed else []
    if probability is not None:
        parts.append(f"1 in {100 * probability:.4g} % of patients")
    return "; ".join(parts)


def _infusions(model: "Model", cite: Cite) -> Listing:
    columns = (
        ("words", "Meaning"),
        ("words", "Each one adds"),
        ("words", "Typical patient"),
        ("short", "Source"),
    )
    rows = ()
    if model.infusions:
        row = model.infusions
        rows = ((row.label, _adds(row), _schedule(row), cite(row.source)),)
    return Listing("Infusions", columns, rows)


def _adds(row: "Infusions") -> Markup:
    added = [
        mathml(f"{symbol(state)} \\leftarrow {symbol(state)} + {formula(node)}")
        for state, node in row.adds.items()
    ]
    if row.lag:
        added.append(Markup("{} days later").format(_formula(row.lag)))
    return Markup("<br>").join(added)


def _schedule(row: "Infusions") -> Cell:
    pairs = zip(row.days, row.cells, strict=True)
    unit = unit_label(row.unit)
    said = [Markup(f"{number(n)} {escape(unit)} on day {day:g}") for day, n in pairs]
    return Markup("<br>").join(said) if said else "none"


def _observed(model: "Model", cite: Cite) -> Listing:
    columns = (
        ("short", "Assay"),
        ("words", "Meaning"),
        ("words", "Level"),
        ("unit", "Unit"),
        ("words", "Residual error"),
        ("number", "SD"),
        ("short", "Source"),
    )
    rows = []
    for name, row in model.observed.items():
        error = ABSENT if row.error == "unpublished" else row.error
        if row.df is not None:
            error += f", {row.df:g} degrees of freedom"
        if row.error == "combined":
            error += ": in the unit, and relative"
        rows.append(
            (
                code(name),
                observed_label(model, name),
                _formula(row.expression),
                unit_label(row.unit),
                error,
                ", ".join(number(x) for x in row.sizes.values() if x is not None),
                cite(row.source),
            )
        )
    return Listing("Observed levels", columns, tuple(rows))


def _derived(model: "Model", cite: Cite) -> Listing:
    columns = (
        ("short", "Name"),
        ("words", "Meaning"),
        ("words", "Formula"),
        ("number", "Typical patient"),
        ("unit", "Unit"),
        ("short", "Source"),
    )
    rows = tuple(
        (
            code(row.name),
            row.label,
            _formula(row.expression),
            _value(model, row.expression),
            unit_label(row.unit),
            cite(row.source),
        )
        for row in model.derived.values()
    )
    return Listing("Derived quantities", columns, rows)


def _value(model: "Model", node: "Node") -> Cell:
    try:
        return number(model.formula(node))
    except ModelError:
        return ABSENT


def _symbol(name: str) -> Markup:
    return mathml(symbol(name))


def _formula(node: "Node") -> Markup:
    return mathml(formula(node))


def code(name: str) -> Markup:
    """Return a name as it stands in the file.

    Examples
    --------
    >>> code("tmax")
    Markup('<code>tmax</code>')
    """
    return Markup("<code>{}</code>").format(name)
