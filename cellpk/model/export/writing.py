"""Equations as statements of another language, from the tree that is evaluated.

Languages of other tools have no choice within an expression: ``a if t < b else c``
becomes an if block that assigns a helping variable. What a language lacks besides
(``expit``, ``softplus``, for some ``min`` and ``max``) is written by its rules.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import fill

from cellpk.errors import ModelError
from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Integral,
    Name,
    Negative,
    Node,
    Number,
    binding,
)

ONE, ZERO = Number(1.0), Number(0.0)


@dataclass(frozen=True)
class Assign:
    """A helping variable or a named line gets a value."""

    name: str
    node: Node


@dataclass(frozen=True)
class Test:
    """A comparison of two expressions."""

    left: Node
    sign: str
    right: Node


@dataclass(frozen=True)
class Branch:
    """One of two lists of statements is carried out."""

    test: Test
    yes: tuple["Statement", ...]
    no: tuple["Statement", ...]


Statement = Assign | Branch

Rule = Callable[[Sequence[Node]], Node]
"""From the arguments of a call, names or numbers each, to what stands in its place."""


def open_expit(arguments: Sequence[Node]) -> Node:
    """Return ``expit(x)`` by exponentials that cannot overflow.

    Examples
    --------
    >>> print(open_expit([Name("x")]))
    1/(1 + exp(-x)) if x >= 0 else exp(x)/(1 + exp(x))
    """
    (x,) = arguments
    rising, falling = Call("exp", (x,)), Call("exp", (Negative(x),))
    yes = Binary("/", ONE, Binary("+", ONE, falling))
    no = Binary("/", rising, Binary("+", ONE, rising))
    return Choice(yes, x, ">=", ZERO, no)


def open_softplus(arguments: Sequence[Node]) -> Node:
    """Return ``softplus(x)`` by logarithms of exponentials that cannot overflow.

    Examples
    --------
    >>> print(open_softplus([Name("x")]))
    x + log(1 + exp(-x)) if x >= 0 else log(1 + exp(x))
    """
    (x,) = arguments
    rising, falling = Call("exp", (x,)), Call("exp", (Negative(x),))
    yes = Binary("+", x, Call("log", (Binary("+", ONE, falling),)))
    return Choice(yes, x, ">=", ZERO, Call("log", (Binary("+", ONE, rising),)))


LARGEST = 700.0
"""Argument of exp beyond which numbers overflow."""


def held_expit(arguments: Sequence[Node]) -> Node:
    """Return ``expit(x)`` without a branch; a derivative squares the exponential.

    Examples
    --------
    >>> print(held_expit([Name("x")]))
    1/(1 + exp(min(-x, 350)))
    """
    held = Call("min", (Negative(arguments[0]), Number(LARGEST / 2)))
    return Binary("/", ONE, Binary("+", ONE, Call("exp", (held,))))


def held_softplus(arguments: Sequence[Node]) -> Node:
    """Return ``softplus(x)`` without a branch.

    Examples
    --------
    >>> print(held_softplus([Name("x")]))
    max(x, 0) + log(1 + exp(-abs(x)))
    """
    (x,) = arguments
    falling = Call("exp", (Negative(Call("abs", (x,))),))
    tail = Call("log", (Binary("+", ONE, falling),))
    return Binary("+", Call("max", (x, ZERO)), tail)


HELD: Mapping[str, Rule] = {"expit": held_expit, "softplus": held_softplus}
"""For languages that know min, max and abs."""


def chosen_min(arguments: Sequence[Node]) -> Node:
    """Return ``min(a, b)`` as a choice.

    Examples
    --------
    >>> print(chosen_min([Name("a"), Name("b")]))
    a if a <= b else b
    """
    a, b = arguments
    return Choice(a, a, "<=", b, b)


def chosen_max(arguments: Sequence[Node]) -> Node:
    """Return ``max(a, b)`` as a choice.

    Examples
    --------
    >>> print(chosen_max([Name("a"), Name("b")]))
    a if a >= b else b
    """
    a, b = arguments
    return Choice(a, a, ">=", b, b)


OPEN: Mapping[str, Rule] = {
    "expit": open_expit,
    "softplus": open_softplus,
    "min": chosen_min,
    "max": chosen_max,
}
"""For a language whose functions are to be differentiated branch by branch."""


def undecided(test: Test) -> Test | None:
    """Leave a test as it is: no switch is known."""
    del test


@dataclass(frozen=True)
class Lowering:
    """From trees to statements without a choice inside an expression.

    Parameters
    ----------
    fresh : callable
        From a stem to the name of a helping variable that nothing else has.
    rules : mapping of str to callable
        What stands for functions that the language lacks.
    decide : callable
        From a test to the one that the language should make in its place, of a flag
        that changes at a switch; None where the test stays.
    guard : float or None
        Largest argument of ``exp`` in a branch, for a tool that evaluates both.
    inside : bool
        Whether the statements stand in a branch.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> lowering = Lowering(fresh=lambda stem: stem + "_1")
    >>> for statement in lowering.assign("y", parse("2*(1 if t < lag else 0)")):
    ...     print(type(statement).__name__)
    Branch
    Assign
    """

    fresh: Callable[[str], str]
    rules: Mapping[str, Rule] = field(default_factory=dict)
    decide: Callable[[Test], Test | None] = undecided
    guard: float | None = None
    inside: bool = False

    def assign(self, name: str, node: Node) -> list[Statement]:
        """Return statements after which a variable has the value of a tree."""
        if isinstance(node, Call) and node.function in self.rules:
            before, opened = self._opened(name, node)
            return [*before, *self.assign(name, opened)]
        if isinstance(node, Choice):
            return self._branch(name, node)
        before, simple = self.simple(name, node)
        return [*before, Assign(name, simple)]

    def simple(self, stem: str, node: Node) -> tuple[list[Statement], Node]:
        """Return statements to come first, and the tree without any choice."""
        match node:
            case Negative(operand):
                before, inner = self.simple(stem, operand)
                return before, Negative(inner)
            case Binary(operator, left, right):
                before, (one, two) = self._each(stem, (left, right))
                return before, Binary(operator, one, two)
            case Call():
                return self._call(stem, node)
            case Choice():
                name = self.fresh(stem)
                return self._branch(name, node), Name(name)
            case Integral():
                raise ModelError(
                    f"{str(node)!r} cannot be written in another tool",
                    todo="Export the differential equations: form='ode'.",
                )
        return [], node

    def _each(
        self, stem: str, nodes: Sequence[Node]
    ) -> tuple[list[Statement], list[Node]]:
        found = [self.simple(stem, node) for node in nodes]
        return [one for first, _ in found for one in first], [node for _, node in found]

    def _branch(self, name: str, node: Choice) -> list[Statement]:
        before: list[Statement] = []
        test = self.decide(Test(node.left, node.sign, node.right))
        if test is None:
            before, (left, right) = self._each(name, (node.left, node.right))
            test = Test(left, node.sign, right)
        deeper = replace(self, inside=True)
        yes, no = deeper.assign(name, node.yes), deeper.assign(name, node.no)
        return [*before, Branch(test, tuple(yes), tuple(no))]

    def _call(self, stem: str, node: Call) -> tuple[list[Statement], Node]:
        if node.function in self.rules:
            before, opened = self._opened(stem, node)
            after, simple = self.simple(stem, opened)
            return [*before, *after], simple
        before, arguments = self._each(stem, node.arguments)
        if node.function == "exp" and self.inside and self.guard is not None:
            arguments = [Call("min", (arguments[0], Number(self.guard)))]
        return before, Call(node.function, tuple(arguments))

    def _opened(self, stem: str, node: Call) -> tuple[list[Statement], Node]:
        """Return what stands for a function, its arguments being names or numbers."""
        before, atoms = [], []
        for argument in node.arguments:
            first, atom = self._atom(stem, argument)
            before += first
            atoms.append(atom)
        opened = self.rules[node.function](atoms)
        if isinstance(opened, Choice) and node.function in {"min", "max"}:
            left, right = node.arguments
            # whether a kink is a switch can be read from the text only
            test = self.decide(Test(left, opened.sign, right))
            if test is not None:
                opened = Choice(opened.yes, test.left, test.sign, test.right, opened.no)
        return before, opened

    def _atom(self, stem: str, node: Node) -> tuple[list[Statement], Node]:
        if isinstance(node, Name | Number):
            return [], node
        name = self.fresh(stem)
        return self.assign(name, node), Name(name)


@dataclass(frozen=True)
class Printer:
    """Text of expressions in another language.

    Parameters
    ----------
    names : callable
        From a name in a tree to that in the text.
    functions : mapping of str to str
        Names of functions there, where they differ.
    power : str
        Sign of the power.
    number : callable
        Text of a number.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> printer = Printer(names=str.upper, functions={"exp": "EXP"}, power="**")
    >>> printer.text(parse("cmax*exp(-(alpha + b)*t)**2"))
    'CMAX*EXP(-(ALPHA + B)*T)**2'
    """

    names: Callable[[str], str]
    functions: Mapping[str, str] = field(default_factory=dict)
    power: str = "^"
    number: Callable[[float], str] = "{:.15g}".format

    def text(self, node: Node) -> str:
        """Return the text of a tree without any choice."""
        match node:
            case Number(value):
                return self.number(value)
            case Name(name):
                return self.names(name)
            case Negative(operand):
                return f"-{self._within(operand, 9)}"
            case Binary():
                return self._binary(node)
            case Call(function, arguments):
                inside = ", ".join(map(self.text, arguments))
                return f"{self.functions.get(function, function)}({inside})"
        raise TypeError(type(node).__name__)

    def _binary(self, node: Binary) -> str:
        rank = binding(node)
        if node.operator == "**":
            left, right = self._within(node.left, 9), self._exponent(node.right)
            return f"{left}{self.power}{right}"
        left = self._within(node.left, rank)
        right = self._within(node.right, rank + (node.operator in "-/"))
        if right.startswith("-"):
            right = f"({right})"  # two signs side by side are an error in Fortran
        gap = " " if rank == 1 else ""
        return f"{left}{gap}{node.operator}{gap}{right}"

    def _exponent(self, node: Node) -> str:
        if isinstance(node, Number) and node.value == int(node.value) >= 0:
            return f"{node.value:.0f}"  # a negative base has no real power in Fortran
        return self._within(node, 9)

    def _within(self, node: Node, rank: int) -> str:
        text = self.text(node)
        number = isinstance(node, Number) and node.value < 0
        return text if binding(node) >= rank and not number else f"({text})"


def wrapped(text: str, *, width: int, ending: str, indent: str) -> list[str]:
    """Return a long line as lines that end with a sign of continuation.

    Examples
    --------
    >>> wrapped("A = B + C + D", width=9, ending=" &", indent="  ")
    ['A = B + &', '  C + D']
    """
    lines, rest = [], text
    while len(rest) > width:
        cut = rest.rfind(" ", len(indent) + 1, width - len(ending) + 1)
        if cut < 0:
            break
        lines.append(rest[:cut] + ending)
        rest = indent + rest[cut + 1 :]
    return [*lines, rest]


def comment(texts: Iterable[str], *, sign: str, width: int = 78) -> list[str]:
    """Return paragraphs as lines of comment, in ASCII; what is indented stays so.

    Examples
    --------
    >>> comment(["One of several", "  and more of it"], sign="; ", width=12)
    ['; One of', '; several', ';   and more', ';   of it']
    """
    lines = []
    for text in texts:
        words = " ".join(text.encode("ascii", "replace").decode().split())
        margin = " " * (len(text) - len(text.lstrip()))
        inside = width - len(sign)
        folded = fill(words, inside, initial_indent=margin, subsequent_indent=margin)
        lines += [f"{sign}{line}".rstrip() for line in folded.splitlines() or [""]]
    return lines
