"""Blocks of a model's text: lines ``name = ...``, ``X(0) = ...`` and ``dX/dt = ...``.

Each line is read and checked here: names must be known where they are used, and what
is wrong is named with its line.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cellpk.errors import ModelError, nearest
from cellpk.model.expression import (
    FUNCTIONS,
    INTEGRAL,
    Integral,
    Node,
    names,
    parse,
    walk,
)

TIME = "t"

CELLS = "cells"
"""How many cells an infusion has: known in what it adds, and nowhere else."""

RESERVED = frozenset({*FUNCTIONS, INTEGRAL, TIME, CELLS})
"""Names that have a meaning of their own."""

_NAME = r"[A-Za-z_]\w*"
_LEFT = {
    "rates": re.compile(rf"d({_NAME})/dt"),
    "starts": re.compile(rf"({_NAME})\(0\)"),
    "lines": re.compile(rf"({_NAME})"),
}

Place = Callable[[int], str]
"""From the number of a line within a block of text to file, section and line."""


@dataclass(frozen=True)
class Block:
    """What one block of text says: named lines, starts and rates of states.

    Parameters
    ----------
    text : str
        The block as it was written.
    lines, starts, rates : dict of str to Node
        Right sides of ``name = ...``, ``X(0) = ...`` and ``dX/dt = ...``.
    numbers : dict of (str, str) to int
        Line of the text by kind ("lines", "starts", "rates") and name, from 0.
    """

    text: str = ""
    lines: Mapping[str, Node] = field(default_factory=dict)
    starts: Mapping[str, Node] = field(default_factory=dict)
    rates: Mapping[str, Node] = field(default_factory=dict)
    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every right side of the block."""
        kinds = (self.lines, self.starts, self.rates)
        return tuple(node for kind in kinds for node in kind.values())


@dataclass(frozen=True)
class _Statement:
    """One statement: kind, name and right side; it may go over several lines."""

    number: int
    kind: str
    name: str
    right: str
    where: Place

    @property
    def place(self) -> str:
        """File, section and first line."""
        return self.where(self.number)

    def line(self, number: int) -> str:
        """File, section and line of one of its lines, counted from 0."""
        return self.where(self.number + number)

    def of(self, name: str) -> str:
        """File, section and line of a name on the right side."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        lines = self.right.split("\n")
        return self.line(next((i for i, x in enumerate(lines) if word.search(x)), 0))


def _statements(text: str, where: Place) -> Iterator[_Statement]:
    """Yield each statement; open brackets join lines."""
    start, gathered = 0, ""
    for number, line in enumerate(text.splitlines()):
        code = line.split("#")[0].strip()
        if not gathered:
            start = number
        gathered = f"{gathered}\n{code}" if gathered else code
        if gathered and gathered.count("(") <= gathered.count(")"):
            yield _Statement(start, *_split(gathered, where(start)), where)
            gathered = ""
    if gathered:
        yield _Statement(start, *_split(gathered, where(start)), where)


def _split(statement: str, where: str) -> tuple[str, str, str]:
    """Return kind, name and right side of one statement."""
    left, _, right = statement.partition("=")
    for kind, pattern in _LEFT.items():
        match = pattern.fullmatch(left.strip().replace(" ", ""))
        if right.strip() and match:
            return kind, match[1], right
    raise ModelError(
        f"{' '.join(statement.split())!r} is not an equation",
        where=where,
        todo="Write 'name = ...', 'X(0) = ...' or 'dX/dt = ...'.",
    )


def line_of_text(number: int) -> str:
    """Say a line of a text that stands in no file.

    Examples
    --------
    >>> line_of_text(0)
    'line 1'
    """
    return f"line {number + 1}"


def read_block(
    text: str,
    *,
    known: Iterable[str] = (),
    stepped: Iterable[str] = (),
    refused: Mapping[str, str] | None = None,
    where: Place = line_of_text,
) -> Block:
    r"""Return one block of equations, read and checked line by line.

    Parameters
    ----------
    text : str
        The lines; ``#`` starts a comment, open brackets continue on the next line.
    known : iterable of str
        Names that lines may use besides ``t``: parameters, lines of another block.
    stepped : iterable of str
        Names that lines may use and that change with time: covariates.
    refused : mapping of str to str
        Names that lines may not use, and why.
    where : callable
        From the number of a line within ``text`` to file, section and line.

    Raises
    ------
    ModelError
        Where a line cannot be read, a name is not known at that place, or is assigned
        twice.

    Examples
    --------
    >>> block = read_block("rho = log(2)/td\nE(0) = 1\ndE/dt = rho*E", known=["td"])
    >>> print(block.rates["E"])
    rho*E
    >>> read_block("rho = 1/tdd", known=["td"])
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: line 1: 'tdd' is not known at this place.
    Did you mean 'td'?
    """
    known = set(known)
    found: dict[str, dict[str, Node]] = {kind: {} for kind in _LEFT}
    statements = [*_statements(text, where)]
    states = {statement.name for statement in statements if statement.kind == "rates"}
    moving = {*states, *stepped, TIME}
    for statement in statements:
        node = parse(statement.right, where=statement.line)
        _check_new(statement, found[statement.kind], {*known, *stepped}, states)
        usable, why = known | found["lines"].keys() | moving, dict(refused or {})
        if statement.kind == "starts":
            free = known | independent(found["lines"], moving)
            usable, why = free, why | dict.fromkeys(usable - free, CHANGES)
        check_names(node, usable, statement.of, refused=why)
        found[statement.kind][statement.name] = node
    _check_starts(found, where(0))
    numbers = {(row.kind, row.name): row.number for row in statements}
    return Block(text, **found, numbers=numbers)


def _check_new(
    statement: _Statement, found: Iterable[str], given: set[str], states: set[str]
) -> None:
    """Raise where a name has a meaning already."""
    taken = {*found, *given, *RESERVED}
    if statement.kind == "lines":
        taken |= states
    if statement.name in taken:
        raise ModelError(
            f"{statement.name!r} is assigned twice, or is a name of the language",
            where=statement.place,
            todo="Give each line a name of its own.",
        )


CHANGES = "it changes with time"
"""Why a name is refused in a start, a derived quantity or an infusion."""


def check_names(
    node: Node,
    known: Iterable[str],
    where: str | Callable[[str], str],
    *,
    refused: Mapping[str, str] | None = None,
) -> None:
    """Raise where ``node`` uses a name that is not known at that place.

    Parameters
    ----------
    node : Node
        A right side.
    known : iterable of str
        Names that it may use.
    where : str or callable
        File, section and line; or from a name to these.
    refused : mapping of str to str
        Names that have a meaning, but not at this place, and why.

    Raises
    ------
    ModelError
        Naming the unknown name and the nearest known one.

    Examples
    --------
    >>> check_names(parse("alpha*t"), ["alpha", "t"], "model.toml")
    >>> check_names(parse("2*E"), ["alpha"], "model.toml", refused={"E": CHANGES})
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: model.toml: 'E' is not known at this place: it changes
    with time. Use one of: 'alpha'.
    """
    usable = set(known)
    for name in names(node):
        if name not in usable:
            why = (refused or {}).get(name, "")
            raise ModelError(
                f"{name!r} is not known at this place" + (f": {why}" if why else ""),
                where=where if isinstance(where, str) else where(name),
                todo=nearest(name, usable),
            )
    for inner in walk(node):
        if isinstance(inner, Integral) and inner.variable in {*usable, *RESERVED}:
            raise ModelError(
                f"the variable {inner.variable!r} of an integral has another meaning",
                where=where if isinstance(where, str) else where(inner.variable),
                todo="Give it a name of its own.",
            )


def _check_starts(found: Mapping[str, Mapping[str, Node]], where: str) -> None:
    for one, other, text in (
        ("rates", "starts", "{}(0) = ..."),
        ("starts", "rates", "d{}/dt = ..."),
    ):
        for name in [name for name in found[one] if name not in found[other]]:
            raise ModelError(
                f"state {name!r} has only one of start and rate",
                where=where,
                todo=f"Add the line '{text.format(name)}'.",
            )


def independent(lines: Mapping[str, Node], of: Iterable[str]) -> set[str]:
    """Return the names of the lines that need none of ``of``, nor a line that does.

    Examples
    --------
    >>> independent({"a": parse("2*t"), "b": parse("a"), "c": parse("k")}, ["t"])
    {'c'}
    """
    bound = set(of)
    for name, node in lines.items():
        if bound.intersection(names(node)):
            bound.add(name)
    return lines.keys() - bound
