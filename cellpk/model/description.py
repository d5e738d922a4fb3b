"""What a model says of itself: as text, as formulas, as HTML in a notebook."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from textwrap import dedent, indent

from cellpk.model.equations import Equations
from cellpk.model.expression import Node
from cellpk.model.latex import block_formulas
from cellpk.model.parameters import Parameter, ParameterSpace
from cellpk.model.rows import Derived, Observed
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
            self.source,
            _titled("Equations", self.equations.rates.text),
            _titled("Closed form", self.equations.solution.text),
            _titled("Parameters", _columns([_HEADER[:-1], *self._rows(sources=False)])),
            _titled("Observed", "\n".join(map(_observation, self.observed.values()))),
            _titled("Derived", "\n".join(map(_derivation, self.derived.values()))),
            self.note,
        ]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        formulas = "".join(f"<p>$\\displaystyle {escape(f)}$</p>" for f in self.latex())
        head = "".join(f"<th>{escape(cell)}</th>" for cell in _HEADER)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._rows(sources=True)
        )
        lines = [
            *map(_observation, self.observed.values()),
            *map(_derivation, self.derived.values()),
        ]
        return (
            f"<h4>{escape(self.title)}</h4><p>{escape(self.source)}</p>{formulas}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
            f"<p>{escape(self.note)}</p>"
        )

    def _rows(self, *, sources: bool) -> list[tuple[str, ...]]:
        rows = (_row(parameter) for parameter in self.parameters.values())
        return [row if sources else row[:-1] for row in rows]


def _row(row: Parameter) -> tuple[str, ...]:
    spread = "fixed" if row.fixed else f"SD {row.iiv_sd:.4g}"
    if row.spread_form not in {"", "iiv_sd"}:
        spread += f" (stated as {row.spread_form})"
    value = f"{row.value:.6g}"
    return row.name, value, row.unit, spread, row.scale, row.label, row.source


def _observation(row: Observed) -> str:
    return (
        f"{row.name} = {row.expression}, {row.unit}, {row.error} residual error, "
        f"SD {row.sd:g}"
    )


def _derivation(row: Derived) -> str:
    printed = "" if row.printed is None else f", printed as {row.printed:g}"
    return f"{row.name} = {row.expression}, {row.unit}{printed}"


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
