"""What a model says of itself: as text, as formulas, as HTML in a notebook."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from math import isinf
from textwrap import dedent, indent
from typing import Protocol

from cellpk.model.equations import Equations
from cellpk.model.expression import Node
from cellpk.model.latex import block_formulas
from cellpk.model.parameters import Parameter, ParameterSpace
from cellpk.model.places import File
from cellpk.model.rows import Covariate, Derived, Infusions, Observed, Printed
from cellpk.model.switches import Gate

_HEADER = ("parameter", "value", "unit", "spread", "scale", "label", "source")


@dataclass(frozen=True, eq=False, repr=False)
class Description(ParameterSpace):
    """The contents of a model file; see :class:`cellpk.model.model.Model`."""

    title: str
    source: str
    note: str
    time: str
    observed: Mapping[str, Observed]
    derived: Mapping[str, Derived]
    equations: Equations
    switches: tuple[Node, ...]
    gates: tuple[Gate, ...]
    status: str = "published"
    doubts: str = ""
    infusions: Infusions | None = None
    printed: Mapping[str, Printed] = field(default_factory=dict)
    files: tuple[File, ...] = ()

    def latex(self) -> list[str]:
        r"""Return the equations as LaTeX, line by line; then those of the closed form.

        Examples
        --------
        >>> import cellpk as ck
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> print(stein.latex()[0])
        \rho = \frac{\log\left(\mathrm{foldx}\right)}{t_{\mathrm{max}}}
        """
        return [
            *block_formulas(self.equations.rates),
            *block_formulas(self.equations.solution),
        ]

    def __repr__(self) -> str:
        parts = [
            f"{self.name}: {self.title}",
            "" if self.status == "published" else self.status.capitalize(),
            self.source,
            *(_titled(title, text) for title, text in self._texts()),
            _titled("Parameters", _columns([_HEADER[:-1], *self._rows(sources=False)])),
            *(_titled(title, "\n".join(lines)) for title, lines in self._lists()),
            self.note,
            _titled("Doubts", self.doubts),
        ]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        formulas = "".join(f"<p>$\\displaystyle {escape(f)}$</p>" for f in self.latex())
        head = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADER)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._rows(sources=True)
        )
        lists = "".join(
            f"<h5>{title}</h5><ul>"
            f"{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
            for title, lines in self._lists(sources=True)
            if lines
        )
        status = "" if self.status == "published" else f" ({self.status})"
        doubts = f"<h5>Doubts</h5><p>{escape(self.doubts)}</p>" if self.doubts else ""
        return (
            f"<h4>{escape(self.title)}{status}</h4><p>{escape(self.source)}</p>"
            f"{formulas}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            f"</table>{lists}<p>{escape(self.note)}</p>{doubts}"
        )

    def _texts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Equations", self.equations.rates.text),
            ("Closed form", self.equations.solution.text),
        )

    def _rows(self, *, sources: bool) -> list[tuple[str, ...]]:
        rows = (_row(parameter) for parameter in self.parameters.values())
        return [row if sources else row[:-1] for row in rows]

    def _lists(self, *, sources: bool = False) -> list[tuple[str, list[str]]]:
        """Lines of what is no parameter, under their titles."""
        source = _with_source if sources else lambda line, _: line
        correlations = [
            source(
                f"{one}, {two}: {value:g}", self.correlation_sources.get((one, two), "")
            )
            for (one, two), value in self.correlations.items()
        ]
        infusions = [self.infusions] if self.infusions else []
        return [
            ("Correlations", correlations),
            ("Covariates", _lines(self.covariates.values(), _covariate, source)),
            ("Infusions", _lines(infusions, _infusions, source)),
            ("Observed", _lines(self.observed.values(), _observation, source)),
            ("Derived", _lines(self.derived.values(), _derivation, source)),
            ("Printed", _lines(self.printed.values(), _printed, source)),
        ]


class _Sourced(Protocol):
    @property
    def source(self) -> str: ...


def _lines[Row: _Sourced](
    rows: Iterable[Row], line: Callable[[Row], str], source: Callable[[str, str], str]
) -> list[str]:
    return [source(line(row), row.source) for row in rows]


def _with_source(line: str, source: str) -> str:
    return f"{line} [{source}]" if source else line


def _row(row: Parameter) -> tuple[str, ...]:
    value = "not published" if row.value is None else f"{row.value:.6g}"
    if row.prior_sd is not None:
        value += f" (SD {row.prior_sd:.3g} on its scale)"
    source = row.source
    if row.iiv_source not in {"", source}:
        source = f"{source}; spread: {row.iiv_source}".removeprefix("; ")
    return row.name, value, row.unit, _spread(row), row.scale, row.label, source


def _spread(row: Parameter) -> str:
    if row.fixed:
        return "fixed" if row.held else "the same in all"
    if row.iiv_sd is None:
        return "not published"
    stated = row.spread_form not in {"", "iiv_sd"}
    return f"SD {row.iiv_sd:.4g}" + (
        f" (stated as {row.spread_form})" if stated else ""
    )


def _covariate(row: Covariate) -> str:
    unit = "" if row.unit == "1" else f" {row.unit}"
    value = "never" if isinf(row.value) else f"{row.value:g}{unit}"
    parts = [f"{row.name} = {value}"]
    parts += [row.label] if row.label else []
    parts += ["changes with time"] if row.steps else []
    if row.levels:
        parts.append(f"one of {', '.join(f'{x:g}' for x in row.levels)}")
    if row.probability is not None:
        parts.append(f"1 in {100 * row.probability:.4g} % of patients")
    return ", ".join(parts)


def _infusions(row: Infusions) -> str:
    adds = ", ".join(f"{state} gains {node}" for state, node in row.adds.items())
    lag = f", {row.lag} days later" if row.lag else ""
    pairs = zip(row.days, row.cells, strict=True)
    schedule = ", ".join(f"{cells:g} {row.unit} on day {day:g}" for day, cells in pairs)
    return f"{adds}{lag}; {schedule or 'none in the typical patient'}"


def _observation(row: Observed) -> str:
    error = f"{row.error} residual error"
    if row.error == "unpublished":
        error = "residual error not published"
    shown = {name: value for name, value in row.sizes.items() if value is not None}
    sd = "".join(
        f", {'SD' if name == 'sd' else name} {value:g}" for name, value in shown.items()
    )
    df = "" if row.df is None else f", {row.df:g} degrees of freedom"
    return f"{row.name} = {row.expression}, {row.unit}, {error}{sd}{df}"


def _derivation(row: Derived) -> str:
    printed = "" if row.printed is None else f", printed as {row.printed}"
    return f"{row.name} = {row.expression}, {row.unit}{printed}"


def _printed(row: Printed) -> str:
    days = f"days {row.start:g} to {row.until:g}"
    if row.at is not None:
        days = f"day {row.at:g}"
    above = "" if row.above is None else f" {row.above:g}"
    given = ", ".join(f"{name} = {_few(value)}" for name, value in row.given.items())
    return (
        f"{row.what.replace('_', ' ')}{above} of {row.of}, {days}"
        + (f", with {given}" if given else "")
        + f": {row.printed} {row.unit}"
    )


def _few(value: float | tuple[float, ...]) -> str:
    numbers = value if isinstance(value, tuple) else (value,)
    return " and ".join(f"{number:g}" for number in numbers)


def _titled(title: str, text: str) -> str:
    text = dedent(text).strip("\n")
    return f"{title}\n{indent(text, '  ')}".rstrip() if text.strip() else ""


def _columns(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows as text with aligned columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
