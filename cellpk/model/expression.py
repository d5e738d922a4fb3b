"""Right-hand sides of a model's equations: from text to a small frozen tree.

Python's ``ast`` module splits the text; a whitelist turns the pieces into the nodes
below. Nothing is evaluated on reading, and what is not listed here is an error. From
this one tree come levels, gradients, switch times and LaTeX.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cellpk.errors import ModelError, nearest

FUNCTIONS = {
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "expit": 1,
    "softplus": 1,
    "min": 2,
    "max": 2,
}
"""Functions of the model language and their number of arguments."""

INTEGRAL = "integral"

_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}


@dataclass(frozen=True)
class Number:
    """A number written in the text."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:.15g}"


@dataclass(frozen=True)
class Name:
    """A parameter, a state, a named line, ``t`` or a variable of integration."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Negative:
    """Minus something."""

    operand: "Node"

    def __str__(self) -> str:
        return f"-{_within(self.operand, 3)}"


@dataclass(frozen=True)
class Binary:
    """Two operands and one of ``+ - * / **``."""

    operator: str
    left: "Node"
    right: "Node"

    def __str__(self) -> str:
        rank = _RANK[self.operator]
        power = self.operator == "**"
        left = _within(self.left, rank + power)
        right = _within(self.right, rank + (self.operator in "-/"))
        gap = " " if rank == 1 else ""
        return f"{left}{gap}{self.operator}{gap}{right}"


@dataclass(frozen=True)
class Call:
    """One of the listed functions of its arguments."""

    function: str
    arguments: tuple["Node", ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class Choice:
    """``yes if left sign right else no``."""

    yes: "Node"
    left: "Node"
    sign: str
    right: "Node"
    no: "Node"

    def __str__(self) -> str:
        yes, left, right = (_within(x, 1) for x in (self.yes, self.left, self.right))
        return f"{yes} if {left} {self.sign} {right} else {self.no}"


@dataclass(frozen=True)
class Integral:
    """Area under ``body`` as ``variable`` goes from ``lower`` to ``upper``."""

    body: "Node"
    variable: str
    lower: "Node"
    upper: "Node"

    def __str__(self) -> str:
        parts = (self.body, self.variable, self.lower, self.upper)
        return f"{INTEGRAL}({', '.join(map(str, parts))})"


Where = str | Callable[[int], str]
"""File, section and line; or the way to it from the number of a line of the text."""

Node = Number | Name | Negative | Binary | Call | Choice | Integral


def binding(node: Node) -> int:
    """Return how tightly a node holds its operands together: sums least, names most.

    Examples
    --------
    >>> binding(parse("a + b")) < binding(parse("a*b")) < binding(parse("a**b"))
    True
    """
    match node:
        case Binary(operator):
            return _RANK[operator]
        case Negative():
            return 3
        case Choice():
            return 0
    return 9


def _within(node: Node, rank: int) -> str:
    """Text of an operand, in brackets where it binds less tightly."""
    return str(node) if binding(node) >= rank else f"({node})"


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly under ``node``, in the order of the text.

    Examples
    --------
    >>> [str(child) for child in children(parse("a*b if t < c else 0"))]
    ['a*b', 't', 'c', '0']
    """
    match node:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Choice(yes, left, _, right, no):
            return (yes, left, right, no)
        case Integral(body, _, lower, upper):
            return (body, lower, upper)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything under it.

    Examples
    --------
    >>> sum(isinstance(node, Name) for node in walk(parse("a*a + b")))
    3
    """
    yield node
    for child in children(node):
        yield from walk(child)


def names(node: Node) -> tuple[str, ...]:
    """Return the names that ``node`` needs from outside, in order of first use.

    Examples
    --------
    >>> names(parse("k*integral(exp(-b*s), s, 0, t)"))
    ('k', 'b', 't')
    """
    if isinstance(node, Name):
        return (node.name,)
    found = [name for child in children(node) for name in names(child)]
    if isinstance(node, Integral):
        inside = [name for name in names(node.body) if name != node.variable]
        found = [*inside, *names(node.lower), *names(node.upper)]
    return tuple(dict.fromkeys(found))


def parse(text: str, *, where: Where = "") -> Node:
    """Return the tree of one right-hand side.

    Parameters
    ----------
    text : str
        For example ``"rho*E if t < tmax else -alpha*E"``.
    where : str or callable
        File, section and line, for the message of an error; or from the number of a
        line of ``text``, counted from 0, to these.

    Raises
    ------
    ModelError
        Where the text holds anything but numbers, names, ``+ - * / **``, brackets,
        ``a if t < x else b`` and the listed functions.

    Examples
    --------
    >>> print(parse("-alpha*(E + M)"))
    -alpha*(E + M)
    >>> parse("__import__('os')")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: '__import__' is not a function known here. Use one of: ...
    """
    text = text.strip()
    try:
        body = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise _broken(text, error, where) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _not_understood(text[:60], _place(where, 0)) from error
    return _Reader(text, where).node(body)


def _place(where: Where, line: int) -> str:
    return where if isinstance(where, str) else where(line)


_SIDE_BY_SIDE = re.compile(r"(?:\b(?!if\b|else\b)\w+|\))\s+(?!if\b|else\b)(\w+|\()")
"""Two things with no operator between: Python's parser points before them."""


def _broken(text: str, error: SyntaxError, where: Where) -> ModelError:
    """Say at which token Python's parser stopped."""
    lines = text.splitlines() or [""]
    number, column = min(error.lineno or 1, len(lines)) - 1, (error.offset or 1) - 1
    beside = _SIDE_BY_SIDE.search(text) if "comma" in error.msg else None
    if beside:
        above = text[: beside.start(1)]
        number, column = above.count("\n"), len(above) - above.rfind("\n") - 1
    tokens = re.finditer(r"\w+|\*\*|[<>=!]=|\S", lines[number])
    token = next(
        (repr(found[0]) for found in tokens if found.end() > column), "the end"
    )
    return _not_understood(lines[number], _place(where, number), f" at {token}")


def _not_understood(token: str, where: str, at: str = "") -> ModelError:
    todo = "Write numbers, names, + - * / **, 'a if t < x else b' and the functions "
    todo += f"{', '.join([*FUNCTIONS, INTEGRAL])}."
    if "^" in token:
        todo = "Write ** for a power."
    elif re.search(r"\b(and|or|not)\b|[=!]=", token):
        todo = "Compare two things by < <= > or >=, and nest: 'a if x else b if y ...'."
    return ModelError(f"{token.strip()!r} cannot be read{at}", where=where, todo=todo)


@dataclass(frozen=True)
class _Reader:
    """Turns the pieces of Python's parser into our nodes, or says what is foreign."""

    text: str
    where: Where

    def node(self, piece: ast.expr) -> Node:
        match piece:
            case ast.Constant(value=int() | float() as value):
                return self._number(piece, value)
            case ast.Name(id=name):
                return self._name(piece, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self.node(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return Binary(_OPERATORS[type(op)], self.node(left), self.node(right))
            case ast.IfExp(test=ast.Compare() as test, body=yes, orelse=no):
                return self._choice(test, yes, no)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._call(piece, function, arguments)
        raise _not_understood(self._token(piece), self._at(piece))

    def _token(self, piece: ast.expr) -> str:
        token = ast.get_source_segment(self.text, piece) or self.text
        return " ".join(token.split())

    def _at(self, piece: ast.expr) -> str:
        return _place(self.where, piece.lineno - 1)

    def _number(self, piece: ast.expr, value: float) -> Node:
        # a whole number of 400 digits is no float, and 1e999 is infinite
        if isinstance(value, bool) or not abs(value) < float(2**1023):
            raise _not_understood(self._token(piece), self._at(piece))
        return Number(float(value))

    def _name(self, piece: ast.expr, name: str) -> Node:
        if name in FUNCTIONS or name == INTEGRAL:
            raise ModelError(
                f"{name!r} is a function, and stands without arguments",
                where=self._at(piece),
                todo=f"Write {name}(...).",
            )
        return Name(name)

    def _choice(self, test: ast.Compare, yes: ast.expr, no: ast.expr) -> Node:
        if len(test.ops) != 1 or type(test.ops[0]) not in _SIGNS:
            raise ModelError(
                f"{self._token(test)!r} cannot be read",
                where=self._at(test),
                todo="Compare two things by < <= > or >=.",
            )
        left, right = self.node(test.left), self.node(test.comparators[0])
        sign = _SIGNS[type(test.ops[0])]
        return Choice(self.node(yes), left, sign, right, self.node(no))

    def _call(self, piece: ast.expr, function: str, args: list[ast.expr]) -> Node:
        if function == INTEGRAL:
            return self._integral(piece, args)
        if function not in FUNCTIONS:
            raise ModelError(
                f"{function!r} is not a function known here",
                where=self._at(piece),
                todo=nearest(function, [*FUNCTIONS, INTEGRAL]),
            )
        if len(args) != FUNCTIONS[function]:
            raise ModelError(
                f"{self._token(piece)!r} has {len(args)} arguments",
                where=self._at(piece),
                todo=f"{function} takes {FUNCTIONS[function]}.",
            )
        return Call(function, tuple(map(self.node, args)))

    def _integral(self, piece: ast.expr, args: list[ast.expr]) -> Node:
        if len(args) != 4 or not isinstance(args[1], ast.Name):
            raise ModelError(
                f"{self._token(piece)!r} cannot be read",
                where=self._at(piece),
                todo=f"Write {INTEGRAL}(body, variable, lower, upper).",
            )
        body, lower, upper = (self.node(args[i]) for i in (0, 2, 3))
        return Integral(body, args[1].id, lower, upper)
