"""When a model changes its course: found in its text, nobody writes a list by hand.

A *switch* is a time at which a branch changes (``t < tmax``, ``max(t - lag, 0)``). A
*gate* is a smooth one, ``expit((t - T)/w)``: it has a centre and a width. Integration
that is not told of a switch whose time is a parameter gives the right curve and,
silently, a wrong gradient.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cellpk.errors import ModelError
from cellpk.model.blocks import TIME
from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Name,
    Negative,
    Node,
    Number,
    names,
    walk,
)

ZERO, ONE = Number(0.0), Number(1.0)


@dataclass(frozen=True)
class Gate:
    """A smooth switch.

    Parameters
    ----------
    centre, width : Node
        Time of the half-open gate, and time over which its argument changes by 1.
    """

    centre: Node
    width: Node


class NotLinearError(Exception):
    """The time of a switch cannot be read off: it is not linear in ``t``."""


@dataclass(frozen=True)
class Clock:
    """What depends on time, and how: straight lines in ``t`` are solved for ``t``.

    Parameters
    ----------
    lines : mapping of str to Node
        Named lines.
    parameters : frozenset of str
        Names that do not change with time: parameters, covariates fixed in time.
    stepped : frozenset of str
        Covariates that change in steps: constant from one step to the next.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> clock = Clock({"tau": parse("t - tmax")}, frozenset({"tmax"}))
    >>> print(clock.crossing(parse("tau"), parse("3")))
    3 + tmax
    """

    lines: Mapping[str, Node]
    parameters: frozenset[str]
    stepped: frozenset[str] = frozenset()

    def free(self, node: Node) -> bool:
        """Whether ``node`` stays the same over time."""
        return self._rests_on(node, self.parameters)

    def steady(self, node: Node) -> bool:
        """Whether ``node`` stays the same from one step of a covariate to the next."""
        return self._rests_on(node, self.parameters | self.stepped)

    def _rests_on(self, node: Node, known: frozenset[str]) -> bool:
        return all(
            name in known
            or (name in self.lines and self._rests_on(self.lines[name], known))
            for name in names(node)
        )

    def line(self, node: Node) -> tuple[Node, Node]:
        """Return slope and intercept of ``node`` as a straight line in ``t``.

        Raises
        ------
        NotLinearError
            Where it is none.
        """
        if self.free(node):
            return ZERO, node
        match node:
            case Name(name) if name == TIME:
                return ONE, ZERO
            case Name(name) if name in self.lines:
                return self.line(self.lines[name])
            case Negative(operand):
                slope, start = self.line(operand)
                return _minus(ZERO, slope), _minus(ZERO, start)
            case Binary(operator, left, right):
                return self._combined(operator, left, right)
        raise NotLinearError

    def _combined(self, operator: str, left: Node, right: Node) -> tuple[Node, Node]:
        (slope, start), (slope_2, start_2) = self.line(left), self.line(right)
        if operator == "+":
            slope_2, start_2 = _minus(ZERO, slope_2), _minus(ZERO, start_2)
        if operator in "+-":
            return _minus(slope, slope_2), _minus(start, start_2)
        if operator == "*" and slope == ZERO:
            return _times(start, slope_2), _times(start, start_2)
        if operator == "*" and slope_2 == ZERO:
            return _times(start_2, slope), _times(start_2, start)
        if operator == "/" and slope_2 == ZERO:
            return _over(slope, start_2), _over(start, start_2)
        raise NotLinearError

    def crossing(self, left: Node, right: Node = ZERO) -> Node:
        """Return the time at which ``left`` meets ``right``.

        Raises
        ------
        NotLinearError
            Where it cannot be read off the text.
        """
        slope, start = self.line(left)
        slope_2, start_2 = self.line(right)
        return _over(_minus(start_2, start), _minus(slope, slope_2))


def _minus(left: Node, right: Node) -> Node:
    if right == ZERO:
        return left
    if left == ZERO:
        return right.operand if isinstance(right, Negative) else Negative(right)
    if isinstance(right, Negative):
        return Binary("+", left, right.operand)
    return Binary("-", left, right)


def _times(left: Node, right: Node) -> Node:
    if ZERO in (left, right):
        return ZERO
    if isinstance(right, Negative):
        return _minus(ZERO, _times(left, right.operand))
    return left if right == ONE else Binary("*", left, right)


def _over(left: Node, right: Node) -> Node:
    if left == ZERO or right == ONE:
        return left
    if isinstance(right, Negative):
        return _over(_minus(ZERO, left), right.operand)
    if isinstance(right, Binary) and right.operator == "/":
        return _times(right.right, _over(left, right.left))
    return Binary("/", left, right)


def find_switches(
    nodes: Iterable[Node], clock: Clock, *, where: str = ""
) -> tuple[Node, ...]:
    """Return the times at which branches change, as expressions of the parameters.

    Parameters
    ----------
    nodes : iterable of Node
        Right sides to search.
    clock : Clock
        What their names mean.
    where : str
        Where they stand, for the message of an error.

    Raises
    ------
    ModelError
        Where a branch depends on time in a way that cannot be solved for ``t``.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> clock = Clock({}, frozenset({"tmax"}))
    >>> [str(time) for time in find_switches([parse("1 if t < tmax else 0")], clock)]
    ['tmax']
    """
    found = []
    for node in _all(nodes):
        match node:
            case Choice(_, left, sign, right, _):
                sides, needed = (left, right), f"{left} {sign} {right}"
            case Call("min" | "max", sides):
                needed = ""
            case _:
                continue
        if not all(map(clock.steady, sides)):
            found += _meeting(clock, sides, needed, where)
    return tuple(dict.fromkeys(found))


def _meeting(
    clock: Clock, sides: tuple[Node, ...], needed: str, where: str
) -> list[Node]:
    """Find when two sides meet; a kink of min or max may stay unknown."""
    try:
        return [clock.crossing(*sides)]
    except NotLinearError as error:
        if not needed:
            return []
        raise ModelError(
            f"the time at which {needed!r} changes cannot be read off",
            where=where,
            todo="Compare t, or a straight line in t, with parameters and covariates "
            "fixed in time. Where a level decides, write a smooth gate in the place of "
            "the branch: expit((level - threshold)/width).",
        ) from error


def find_gates(nodes: Iterable[Node], clock: Clock) -> tuple[Gate, ...]:
    """Return the smooth switches: ``expit`` and ``softplus`` of straight lines in t.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> clock = Clock({}, frozenset({"T", "w"}))
    >>> gate, = find_gates([parse("expit((t - T)/w)")], clock)
    >>> print(gate.centre, gate.width)
    T w
    """
    found = []
    for node in _all(nodes):
        if not isinstance(node, Call) or node.function not in {"expit", "softplus"}:
            continue
        argument = node.arguments[0]
        try:
            slope, _ = clock.line(argument)
            centre = clock.crossing(_numerator(argument, clock))
        except NotLinearError:
            continue
        if slope != ZERO:
            found.append(Gate(centre, _over(ONE, slope)))
    return tuple(dict.fromkeys(found))


def _numerator(node: Node, clock: Clock) -> Node:
    """Drop a constant factor or divisor: it does not move the zero."""
    match node:
        case Binary("/", left, right) if clock.free(right):
            return left
        case Binary("*", left, right) if clock.free(left):
            return right
    return node


def _all(nodes: Iterable[Node]) -> Iterable[Node]:
    return (inner for node in nodes for inner in walk(node))
