"""Statements of another tool's language: a name, a tree, and how the tool writes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cellpk.model.export.naming import Names
from cellpk.model.export.writing import Assign, Lowering, Printer, Statement
from cellpk.model.expression import Node


@dataclass(frozen=True)
class Syntax:
    """How a language writes assignments and branches.

    Parameters
    ----------
    assign : str
        With places for the name and the right side.
    opening, otherwise, closing : str
        Of a branch; the first with places for left side, sign and right side.
    signs : mapping of str to str
        Signs of comparison, where they differ.
    """

    assign: str
    opening: str
    otherwise: str
    closing: str
    signs: Mapping[str, str]


@dataclass(frozen=True)
class Code:
    r"""Writes lines of one text.

    Parameters
    ----------
    names : Names
        What things are called in the text.
    printer : Printer
        Writes expressions.
    lowering : Lowering
        Takes choices out of expressions.
    syntax : Syntax
        Writes statements.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> names = Names(frozenset())
    >>> for name in ("y", "t", "lag"):
    ...     _ = names.add(name)
    >>> syntax = Syntax("{} = {}", "if {} {} {}", "else", "end", {})
    >>> lowering = Lowering(fresh=names.fresh)
    >>> code = Code(names, Printer(names=names.of), lowering, syntax)
    >>> print("\n".join(code.line("y", parse("0 if t < lag else 1"))))
    if t < lag
      y = 0
    else
      y = 1
    end
    """

    names: Names
    printer: Printer
    lowering: Lowering
    syntax: Syntax

    def line(self, name: str, node: Node) -> list[str]:
        """Return the lines that give a named variable the value of a tree."""
        return self.statements(self.lowering.assign(name, node))

    def lines(self, nodes: Mapping[str, Node]) -> list[str]:
        """Return the lines of several named variables."""
        return [text for name, node in nodes.items() for text in self.line(name, node)]

    def set(self, left: str, node: Node, *, stem: str) -> list[str]:
        """Return the lines that end in ``left = ...``, whatever ``left`` is.

        Parameters
        ----------
        left : str
            As it stands in the text, such as ``d/dt(E)``.
        node : Node
            Right side; its choices are assigned to helping variables first.
        stem : str
            What helping variables are named after.
        """
        before, simple = self.lowering.simple(stem, node)
        last = self.syntax.assign.format(left, self.printer.text(simple))
        return [*self.statements(before), last]

    def statements(self, statements: Iterable[Statement]) -> list[str]:
        """Return the lines of statements."""
        lines: list[str] = []
        for statement in statements:
            if isinstance(statement, Assign):
                left = self.names.of(statement.name)
                right = self.printer.text(statement.node)
                lines.append(self.syntax.assign.format(left, right))
                continue
            test = statement.test
            sign = self.syntax.signs.get(test.sign, test.sign)
            left, right = map(self.printer.text, (test.left, test.right))
            lines += [
                self.syntax.opening.format(left, sign, right),
                *(f"  {line}" for line in self.statements(statement.yes)),
                self.syntax.otherwise,
                *(f"  {line}" for line in self.statements(statement.no)),
                self.syntax.closing,
            ]
        return lines
