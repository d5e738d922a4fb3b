r"""From the trees of a model to Python statements that numba compiles.

How to use it (all compiled code of models is written this way)::

    w = Writer(lines=equations.rates.lines)     # named lines, written when first needed
    w.bind("rho", "p[0]", {"rho": "1.0"})       # a seed: its derivative by itself is 1
    w.bind("E", "x0", {"E": "dx0"})             # any name may carry derivatives
    w.bind("t", "t")                            # no derivatives
    term = w.evaluate(node)                     # writes statements
    w.write(f"f[0] = {term.code}")              # term.slope("rho"): derivative or "0.0"
    text = function("rhs", "t, p, f", w.text)   # of module_text.py: @njit and def

Seeds are the keys of the derivatives given to ``bind``; derivatives run forward along
the trees and only those that can differ from zero are written. The same tree, and the
same code, is written once and used again; what is written inside a ``with w.block("if
logged[0]:"):`` is known inside that block only. ``w.ahead(nodes)`` writes in advance
what several of these trees need, ``w.hoist(nodes, test)`` whatever in them passes a
test (say, does not move with time).

``a if x < y else b``, ``min`` and ``max`` become ``if`` and ``else``: what the branch
not taken holds (infinite, not a number) does not leak through. ``Writer(clock=...,
side="side")`` decides those whose sides are straight lines in ``t`` at the time
``side`` in place of ``t``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cellpk.model.compile.arithmetic import Arithmetic, Slopes, Term, is_simple, literal
from cellpk.model.compile.module_text import NODES
from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Integral,
    Name,
    Negative,
    Node,
    Number,
    children,
    names,
)
from cellpk.model.switches import ONE, ZERO, Clock, NotLinearError

SIDE = "at side"
"""The time at which branches are decided, as a name that no model file can use."""

_OPERATIONS: Mapping[str, Callable[[Arithmetic, Term, Term], Term]] = {
    "+": Arithmetic.sum,
    "-": Arithmetic.difference,
    "*": Arithmetic.product,
    "/": Arithmetic.ratio,
    "**": Arithmetic.power,
}


@dataclass
class _Layer:
    """What is known within one block: names, trees and codes already written."""

    names: dict[str, Term] = field(default_factory=dict)
    nodes: dict[Node, Term] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


class Writer:
    """Writes the statements of one function.

    Parameters
    ----------
    lines : mapping of str to Node
        Named lines, written when first needed.
    clock : Clock, optional
        Decide branches on straight lines in ``t`` at the time ``side``. Without it they
        are decided at ``t``.
    side : str
        Code of that time.
    indent : int
        Levels of indentation of the first statement.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> w = Writer(lines={"tau": parse("t - tmax")})
    >>> w.bind("t", "t")
    >>> w.bind("tmax", "p[0]", {"tmax": "1.0"})
    >>> found = w.evaluate(parse("exp(tau)"))
    >>> print(w.text)
        # tau = t - tmax
        v1 = p[0]
        v2 = t - v1
        v3 = math.exp(v2)
        v4 = -v3
    >>> found
    Term(code='v3', slopes={'tmax': 'v4'})
    """

    def __init__(
        self,
        *,
        lines: Mapping[str, Node],
        clock: Clock | None = None,
        side: str = "side",
        indent: int = 1,
    ) -> None:
        self._lines = lines
        self._clock = clock
        self._indent = indent
        self._written: list[str] = []
        self._layers = [_Layer(names={SIDE: Term(side)})]
        self._needs: dict[Node, dict[Node, None]] = {}
        self._heights: dict[Node, int] = {}
        self._used: set[str] = set()
        self._count = 0
        self.arithmetic = Arithmetic(self.let)

    @property
    def text(self) -> str:
        """The statements so far."""
        return "\n".join(self._written)

    def write(self, statement: str) -> None:
        """Write a statement as it is."""
        self._written.append("    " * self._indent + statement)

    def variable(self) -> str:
        """Return a name that no other variable of the function has."""
        self._count += 1
        return f"v{self._count}"

    def let(self, code: str) -> str:
        """Return the variable that holds this code, written now or before."""
        for layer in reversed(self._layers):
            if code in layer.codes:
                return layer.codes[code]
        name = self.variable()
        self.write(f"{name} = {code}")
        self._layers[-1].codes[code] = name
        return name

    def bind(self, name: str, code: str, slopes: Slopes | None = None) -> None:
        """Say what a name of the model is in the code, and its derivatives by seed.

        To be said before anything that needs the name is written, and once.
        """
        self._layers[-1].names[name] = Term(code, slopes or {})

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write ``head`` and, indented, what follows; it is forgotten at the end."""
        self.write(head)
        self._layers.append(_Layer())
        self._indent += 1
        yield
        self._indent -= 1
        self._layers.pop()

    def evaluate(self, node: Node) -> Term:
        """Write what ``node`` needs and return its value with its derivatives."""
        found = self._known(node)
        if found is None:
            found = self._new(node)
            self._layers[-1].nodes[node] = found
        return found

    def ahead(self, nodes: Iterable[Node], *, shared: int = 2) -> None:
        """Write now what at least so many of these trees need in any case."""
        count: dict[Node, int] = {}
        for node in nodes:
            for need in self._needed(node):
                count[need] = count.get(need, 0) + 1
        self._all([need for need, times in count.items() if times >= shared])

    def hoist(self, nodes: Iterable[Node], test: Callable[[Node], bool]) -> None:
        """Write now the largest parts of these trees that pass a test."""
        seen: set[Node] = set()
        found: list[Node] = []
        waiting = list(nodes)[::-1]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if test(node) and all(map(self._knows, names(node))):
                found.append(node)
            else:
                waiting += reversed(self._under(node))
        self._all(found)

    def _all(self, nodes: Iterable[Node]) -> None:
        """Write trees, those that can be part of others before them."""
        for node in sorted(nodes, key=self._height):
            self.evaluate(node)

    def _height(self, node: Node) -> int:
        if node not in self._heights:
            under = map(self._height, self._under(node))
            self._heights[node] = 1 + max(under, default=0)
        return self._heights[node]

    def _known(self, node: Node) -> Term | None:
        """Find what was written for this tree, its names meaning the same as here."""
        inner = set(names(node))
        for layer in reversed(self._layers):
            if node in layer.nodes:
                return layer.nodes[node]
            if not inner.isdisjoint(layer.names):
                return None
        return None

    def _knows(self, name: str) -> bool:
        return name in self._lines or any(name in x.names for x in self._layers)

    def _new(self, node: Node) -> Term:
        match node:
            case Number(value):
                term = Term(literal(value))
            case Name(name):
                term = self._name(name)
            case Negative(operand):
                term = self.arithmetic.opposite(self.evaluate(operand))
            case Binary(operator, left, right):
                sides = self.evaluate(left), self.evaluate(right)
                term = _OPERATIONS[operator](self.arithmetic, *sides)
            case Call(function, (argument,)):
                term = self.arithmetic.function(function, self.evaluate(argument))
            case Integral():
                term = self._integral(node)
            case _:
                term = self._branches(*self._split(node))
        return term

    def _name(self, name: str) -> Term:
        for layer in reversed(self._layers):
            if name in layer.names:
                term = layer.names[name]
                simple = is_simple(term.code)
                code = term.code if simple else self.let(term.code)
                return Term(code, term.slopes)
        line = self._lines[name]
        self._used.add(name)
        self.write(f"# {name} = {line}")
        return self.evaluate(line)

    def _split(self, node: Node) -> tuple[Node, str, Node, Node, Node]:
        """Left side, sign and right side of a branch, then what follows yes and no."""
        if isinstance(node, Choice):
            return (*self._at_side(node.left, node.sign, node.right), node.yes, node.no)
        left, right = children(node)
        sign = "<=" if node == Call("min", (left, right)) else ">="
        return (*self._at_side(left, sign, right), left, right)

    def _at_side(self, left: Node, sign: str, right: Node) -> tuple[Node, str, Node]:
        clock = self._clock
        if clock is None or (clock.free(left) and clock.free(right)):
            return left, sign, right
        try:
            return _straight(*clock.line(left)), sign, _straight(*clock.line(right))
        except NotLinearError:
            return left, sign, right

    def _branches(self, left: Node, sign: str, right: Node, *ways: Node) -> Term:
        """Write the two ways of a branch, then what each gives: seeds of both."""
        test = f"{self.evaluate(left).code} {sign} {self.evaluate(right).code}"
        self.ahead(ways)
        # a line needed in several branches would else be written in each, and so on
        self.hoist(ways, lambda way: isinstance(way, Name) and way.name in self._used)
        name, found, ends = self.variable(), [], []
        for head, way in zip((f"if {test}:", "else:"), ways, strict=True):
            with self.block(head):
                found.append(self.evaluate(way))
            ends.append(len(self._written))
        seeds = {seed: f"{name}_{i}" for i, seed in enumerate(_seeds(found))}
        pad = "    " * (self._indent + 1)
        for end, term in zip(ends[::-1], found[::-1], strict=True):
            slopes = [f"{seeds[seed]} = {term.slope(seed)}" for seed in seeds]
            rows = [f"{name} = {term.code}", *slopes]
            self._written[end:end] = [pad + row for row in rows]
        return Term(name, seeds)

    def _integral(self, node: Integral) -> Term:
        """Gauss-Legendre; the points move with the limits, and so do derivatives."""
        work = self.arithmetic
        start = self.evaluate(node.lower)
        width = work.difference(self.evaluate(node.upper), start)
        self.hoist([node.body], lambda part: node.variable not in names(part))
        index, total, before = f"k{self._count}", self.variable(), len(self._written)
        with self.block(f"for {index} in range({NODES}):"):
            place = Term(self.let(f"PLACES[{index}]"))
            weight = self.let(f"WEIGHTS[{index}]")
            point = work.sum(start, work.product(width, place))
            self.bind(node.variable, point.code, point.slopes)
            body = self.evaluate(node.body)
            sums = {seed: f"{total}_{i}" for i, seed in enumerate(body.slopes)}
            self.write(f"{total} += {body.code}*{weight}")
            for seed, code in sums.items():
                self.write(f"{code} += {body.slopes[seed]}*{weight}")
        pad = "    " * self._indent
        zeros = [f"{pad}{code} = 0.0" for code in (total, *sums.values())]
        self._written[before:before] = zeros
        return work.product(Term(total, sums), width)

    def _under(self, node: Node) -> tuple[Node, ...]:
        """Return the trees directly under a tree; under a name, its line."""
        if isinstance(node, Name):
            bound = any(node.name in layer.names for layer in self._layers)
            return (
                ()
                if bound or node.name not in self._lines
                else (self._lines[node.name],)
            )
        if _is_branch(node):
            left, _, right, yes, no = self._split(node)
            return (left, right, yes, no)
        return children(node)

    def _needed(self, node: Node) -> dict[Node, None]:
        """Every tree that is worked out with this one, whichever branch is taken."""
        if node not in self._needs:
            self._needs[node] = self._find_needed(node)
        return self._needs[node]

    def _find_needed(self, node: Node) -> dict[Node, None]:
        needed: dict[Node, None] = {}
        under = self._under(node)
        if _is_branch(node):
            left, right, yes, no = under
            both = self._needed(yes).keys() & self._needed(no).keys()
            needed = {part: None for part in self._needed(yes) if part in both}
            under = (left, right)
        for part in under:
            needed |= self._needed(part)
        if isinstance(node, Integral):
            inside = self._needed(node.body)
            needed = {
                part: None
                for part in needed
                if part not in inside or node.variable not in names(part)
            }
        return needed | {node: None}


def _is_branch(node: Node) -> bool:
    return isinstance(node, Choice) or (
        isinstance(node, Call) and len(node.arguments) == 2
    )


def _straight(slope: Node, start: Node) -> Node:
    """Return a straight line in time at the time that decides."""
    side = Name(SIDE) if slope == ONE else Binary("*", slope, Name(SIDE))
    if slope == ZERO:
        return start
    return side if start == ZERO else Binary("+", side, start)


def _seeds(terms: Iterable[Term]) -> list[str]:
    """Every seed by which one of these terms has a derivative."""
    return list(dict.fromkeys(seed for term in terms for seed in term.slopes))
