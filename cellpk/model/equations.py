"""The text of a model: lines ``name = ...``, ``X(0) = ...`` and ``dX/dt = ...``.

A model states its equations as rates and, where it can, the same as a closed form
(``solution``). Both are read and checked here; names must be known where they are used.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import ModelError, nearest
from cellpk.model.expression import (
    FUNCTIONS,
    INTEGRAL,
    Integral,
    Name,
    Node,
    names,
    parse,
    walk,
)
from cellpk.model.sensitivity import Scope, constant

TIME = "t"

RESERVED = frozenset({*FUNCTIONS, INTEGRAL, TIME})
"""Names that have a meaning of their own."""

_NAME = r"[A-Za-z_]\w*"
_LEFT = {
    "rates": re.compile(rf"d({_NAME})/dt"),
    "starts": re.compile(rf"({_NAME})\(0\)"),
    "lines": re.compile(rf"({_NAME})"),
}

Where = Callable[[int], str]
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
    """

    text: str = ""
    lines: Mapping[str, Node] = field(default_factory=dict)
    starts: Mapping[str, Node] = field(default_factory=dict)
    rates: Mapping[str, Node] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every right side of the block."""
        kinds = (self.lines, self.starts, self.rates)
        return tuple(node for kind in kinds for node in kind.values())


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each statement; open brackets join lines."""
    start, gathered = 0, ""
    for number, line in enumerate(text.splitlines()):
        code = line.split("#")[0].strip()
        if not gathered:
            start = number
        gathered = f"{gathered} {code}".strip()
        if gathered and gathered.count("(") <= gathered.count(")"):
            yield start, gathered
            gathered = ""
    if gathered:
        yield start, gathered


def _split(statement: str, where: str) -> tuple[str, str, str]:
    """Return kind, name and right side of one statement."""
    left, equals, right = statement.partition("=")
    for kind, pattern in _LEFT.items():
        match = pattern.fullmatch(left.strip().replace(" ", ""))
        if equals and match:
            return kind, match[1], right
    raise ModelError(
        f"{statement!r} is not an equation",
        where=where,
        todo="Write 'name = ...', 'X(0) = ...' or 'dX/dt = ...'.",
    )


def _line(number: int) -> str:
    return f"line {number + 1}"


def read_block(text: str, *, known: Iterable[str] = (), where: Where = _line) -> Block:
    r"""Return one block of equations, read and checked line by line.

    Parameters
    ----------
    text : str
        The lines; ``#`` starts a comment, open brackets continue on the next line.
    known : iterable of str
        Names that lines may use besides ``t``: parameters, lines of another block.
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
    split = [(where(n), *_split(s, where(n))) for n, s in _statements(text)]
    states = {name for _, kind, name, _ in split if kind == "rates"}
    for place, kind, name, right in split:
        node = parse(right, where=place)
        taken = found[kind].keys() | (known | states if kind == "lines" else set())
        if name in taken | RESERVED:
            raise ModelError(
                f"{name!r} is assigned twice, or is a name of the language",
                where=place,
                todo="Give each line a name of its own.",
            )
        moving = states | {TIME}
        lines = found["lines"]
        at_start = _independent(lines, moving)
        check_names(
            node,
            known | (at_start if kind == "starts" else lines.keys() | moving),
            place,
        )
        found[kind][name] = node
    _check_starts(found, where(0))
    return Block(text, **found)


def check_names(node: Node, known: Iterable[str], where: str) -> None:
    """Raise where ``node`` uses a name that is not known at that place.

    Raises
    ------
    ModelError
        Naming the unknown name and the nearest known one.

    Examples
    --------
    >>> check_names(parse("alpha*t"), ["alpha", "t"], "model.toml")
    """
    usable = set(known)
    for name in names(node):
        if name not in usable:
            raise ModelError(
                f"{name!r} is not known at this place",
                where=where,
                todo=nearest(name, usable),
            )
    for inner in walk(node):
        if isinstance(inner, Integral) and inner.variable in usable:
            raise ModelError(
                f"the variable {inner.variable!r} of an integral has another meaning",
                where=where,
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


@dataclass(frozen=True)
class Equations:
    """The equations of a model and their closed form.

    Parameters
    ----------
    rates : Block
        Starts and rates of the states, and the named lines they use.
    solution : Block
        The closed form: each state as a line; empty where there is none.
    """

    rates: Block
    solution: Block = field(default_factory=Block)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(self.rates.rates)

    @property
    def closed(self) -> bool:
        """Whether the model has a closed form."""
        return bool(self.solution.lines)

    @property
    def lines(self) -> dict[str, Node]:
        """All named lines; a state's line is its closed form."""
        return {**self.rates.lines, **self.solution.lines}

    @property
    def free_of_time(self) -> frozenset[str]:
        """Names of the lines that do not change with time."""
        return frozenset(_independent(self.lines, {TIME, *self.states}))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every right side, of rates and closed form."""
        return (*self.rates.nodes, *self.solution.nodes)

    @property
    def used(self) -> frozenset[str]:
        """Every name that the equations use."""
        found = (inner for node in self.nodes for inner in walk(node))
        return frozenset(inner.name for inner in found if isinstance(inner, Name))

    def starts(self, values: Mapping[str, ArrayLike]) -> np.ndarray:
        r"""Return the states at time 0.

        Parameters
        ----------
        values : mapping of str to float
            All parameters on the natural scale, as from ``model.natural``.

        Returns
        -------
        ndarray, shape (k,)
            In the order of ``states``.

        Examples
        --------
        >>> texts = {"equations": "E(0) = cmax/foldx\ndE/dt = -k*E"}
        >>> equations = read_equations(texts, parameters=["cmax", "foldx", "k"])
        >>> equations.starts({"cmax": 24000, "foldx": 4000, "k": 1})
        array([6.])
        """
        return self._evaluated(self.rates.starts, values)

    def slopes(
        self, time: float, states: ArrayLike, values: Mapping[str, ArrayLike]
    ) -> np.ndarray:
        r"""Return the right sides of the differential equations.

        Parameters
        ----------
        time : float
            Days after infusion.
        states : array, shape (k,)
            In the order of ``states``.
        values : mapping of str to float
            All parameters on the natural scale, as from ``model.natural``.

        Returns
        -------
        ndarray, shape (k,)
            Change per day.

        Examples
        --------
        >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E if t > lag else 0"}
        >>> equations = read_equations(texts, parameters=["k", "lag"])
        >>> equations.slopes(20, [100], {"k": 0.16, "lag": 3})
        array([-16.])
        """
        now = dict(zip(self.states, np.asarray(states, dtype=float), strict=True))
        return self._evaluated(self.rates.rates, {**values, **now, TIME: time})

    def _evaluated(
        self, nodes: Mapping[str, Node], values: Mapping[str, ArrayLike]
    ) -> np.ndarray:
        given = {name: constant(value) for name, value in values.items()}
        scope = Scope(given, self.rates.lines)
        with np.errstate(all="ignore"):
            found = [scope.evaluate(nodes[name]).value for name in self.states]
        return np.array(found)


def read_equations(
    texts: Mapping[str, str],
    *,
    parameters: Iterable[str],
    where: Callable[[str, int], str] = lambda section, n: f"{section}, {_line(n)}",
) -> Equations:
    r"""Return the equations of a model from its texts.

    Parameters
    ----------
    texts : mapping
        ``equations`` (starts and rates) and, where there is one, ``solution``.
    parameters : iterable of str
        Names of the parameters.
    where : callable
        From section and line within it to file, section and line.

    Raises
    ------
    ModelError
        Where a line cannot be read, or the solution leaves out a state.

    Examples
    --------
    >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E", "solution": "E = exp(-k*t)"}
    >>> read_equations(texts, parameters=["k"]).states
    ('E',)
    """
    known = set(parameters)
    rates = read_block(
        texts["equations"], known=known, where=lambda n: where("equations", n)
    )
    if "solution" not in texts:
        return Equations(rates)
    solution = read_block(
        texts["solution"],
        known=known | _independent(rates.lines, rates.rates),
        where=lambda n: where("solution", n),
    )
    absent = [state for state in rates.rates if state not in solution.lines]
    for state in [*absent, *solution.rates]:
        raise ModelError(
            f"the closed form does not state {state!r}",
            where=where("solution", 0),
            todo=f"Add the line '{state} = ...'.",
        )
    return Equations(rates, solution)


def _independent(lines: Mapping[str, Node], of: Iterable[str]) -> set[str]:
    """Names of the lines that need none of these names, nor a line that does."""
    bound = set(of)
    for name, node in lines.items():
        if bound.intersection(names(node)):
            bound.add(name)
    return lines.keys() - bound
