"""The text of the compiled module of a model that is solved step by step.

From the trees of the rates come the slopes of the states, on their log scale where the
solver steps it, and all derivatives; from those of starts, infusions, switches and
assays the rest of :class:`~cellpk.model.compile.esdirk.Functions`. The solver itself is
an ordinary module; the text ends with the one function that puts both together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cellpk.model.compile.arithmetic import Term
from cellpk.model.compile.module_text import function, module_text
from cellpk.model.compile.per_state import inverse, per_state
from cellpk.model.compile.source import Writer
from cellpk.model.equations import TIME, Equations
from cellpk.model.expression import Node
from cellpk.model.switches import Clock, find_switches

CELLS = "cells"
"""In what an infusion adds: how many cells were infused."""

IMPORTS = (
    "from cellpk.model.compile.esdirk import Functions",
    "from cellpk.model.compile.integrate import solve_patients",
)

_PARTS = "prepare rhs jacobian start doses lag switches observe"

_SOLVE = f"    parts = Functions({_PARTS.replace(' ', ', ')})"


@dataclass(frozen=True, eq=False)
class System:
    r"""What of a model the solver has to know.

    Parameters
    ----------
    equations : Equations
        Starts, rates and the lines they use.
    levels : sequence of Node
        What each assay measures.
    known : sequence of str
        Parameters and fixed covariates, in the order of ``p``.
    free : sequence of str
        Parameters by which to differentiate.
    steps : sequence of str
        Stepped covariates, in the order of ``c``.
    adds : mapping of str to Node
        What an infusion adds to states.
    lag : Node, optional
        Days by which infusions act later.

    Examples
    --------
    >>> from cellpk.model.equations import read_equations
    >>> from cellpk.model.expression import parse
    >>> texts = {"equations": "k = log(2)/h\nE(0) = 1\ndE/dt = -k*E"}
    >>> equations = read_equations(texts, parameters=["h"])
    >>> system = System(equations, [parse("E")], ["h"], ["h"])
    >>> system.tail
    {'k': Term(code='p[1]', slopes={'h': 'p[2]'})}
    """

    equations: Equations
    levels: Sequence[Node]
    known: Sequence[str]
    free: Sequence[str]
    steps: Sequence[str] = ()
    adds: Mapping[str, Node] = field(default_factory=dict)
    lag: Node | None = None

    @cached_property
    def clock(self) -> Clock:
        """What moves with time."""
        known, stepped = frozenset(self.known), frozenset(self.steps)
        return Clock(self.equations.rates.lines, known, stepped)

    @cached_property
    def switches(self) -> tuple[Node, ...]:
        """Times at which the course changes."""
        return find_switches([*self.equations.rates.nodes, *self.levels], self.clock)

    @cached_property
    def seeds(self) -> dict[str, int]:
        """Place of each free parameter among the derivatives."""
        return {name: i for i, name in enumerate(self.free)}

    @cached_property
    def states(self) -> dict[str, int]:
        """Place of each state."""
        return {name: i for i, name in enumerate(self.equations.states)}

    @cached_property
    def tail(self) -> dict[str, Term]:
        """Lines free of time: worked out once per patient, kept behind ``p``."""
        return self._prepared[0]

    @property
    def size(self) -> int:
        """Length of ``p`` with its tail."""
        return self._prepared[2]

    @cached_property
    def _prepared(self) -> tuple[dict[str, Term], str, int]:
        """Terms of the tail, the statements that write them, and where it ends."""
        w, lines = self.writer(tail=False), self.equations.rates.lines
        found, end = {}, len(self.known)
        for name in [name for name in lines if self.clock.free(lines[name])]:
            term = w.evaluate(lines[name])
            kept = []
            for code in (term.code, *term.slopes.values()):
                kept.append(f"p[{end}]" if code[0].isalpha() else code)
                if kept[-1] != code:
                    w.write(f"{kept[-1]} = {code}")
                    end += 1
            found[name] = Term(kept[0], dict(zip(term.slopes, kept[1:], strict=True)))
        return found, w.text, end

    def writer(self, *, tail: bool = True, slopes: bool = True) -> Writer:
        """Return a writer that knows time, parameters, covariates and their lines."""
        w = Writer(lines=self.equations.rates.lines, clock=self.clock)
        w.bind(TIME, "t")
        for i, name in enumerate(self.known):
            seed = slopes and name in self.seeds
            w.bind(name, f"p[{i}]", {name: "1.0"} if seed else None)
        for i, name in enumerate(self.steps):
            w.bind(name, f"c[{i}]")
        for name, term in self.tail.items() if tail else ():
            w.bind(name, term.code, term.slopes if slopes else None)
        return w

    def prepare(self) -> str:
        """Text of ``prepare(p)``."""
        return function("prepare", "p", self._prepared[1] or "    pass")

    def rates(self, *, slopes: bool) -> str:
        """Text of ``rhs`` or, with derivatives, of ``jacobian``."""
        w = self.writer(slopes=slopes)
        for name, i in self.states.items():
            self._bind_state(w, name, i, slopes=slopes)
        if slopes:
            w.write("jx[:, :] = 0.0")
            w.write("jp[:, :] = 0.0")
        block = self.equations.rates
        pairs = [
            (per_state(block.rates[name], name, block.lines), block.rates[name])
            for name in self.states
        ]
        w.ahead([node for pair in pairs for node in pair])
        for i, pair in enumerate(pairs):
            for head, node in zip((f"if logged[{i}]:", "else:"), pair, strict=True):
                with w.block(head):
                    self._put(w, node, f"f[{i}]", (f"jx[{i}, {{}}]", f"jp[{i}, {{}}]"))
        arguments = "t, side, z, logged, p, c, f"
        if slopes:
            return function("jacobian", f"{arguments}, jx, jp", w.text)
        return function("rhs", arguments, w.text)

    def _bind_state(self, w: Writer, name: str, i: int, *, slopes: bool) -> None:
        """Say what a state and its inverse are, stepped as log or as it is."""
        x, dx, y = w.variable(), w.variable(), w.variable()
        w.write(f"{x} = math.exp(z[{i}]) if logged[{i}] else max(z[{i}], 0.0)")
        w.write(f"{y} = 1.0/{x} if logged[{i}] else 0.0")
        if slopes:
            w.write(f"{dx} = {x} if logged[{i}] else 1.0*(z[{i}] >= 0.0)")
        w.bind(name, x, {name: dx} if slopes else None)
        fall = {name: w.let(f"-{y}")} if slopes else None
        w.bind(inverse(name).name, y, fall)

    def _put(self, w: Writer, node: Node, target: str, places: tuple[str, str]) -> None:
        """Write a value and those derivatives that are not always zero."""
        term = w.evaluate(node)
        w.write(f"{target} = {term.code}")
        for seed, code in term.slopes.items():
            of_state = seed in self.states
            place = places[0 if of_state else 1]
            number = self.states[seed] if of_state else self.seeds[seed]
            w.write(f"{place.format(number)} = {code}")

    def start(self) -> str:
        """Text of ``start(p, x, dx)``."""
        w = self.writer()
        w.write("dx[:, :] = 0.0")
        for name, i in self.states.items():
            node = self.equations.rates.starts[name]
            self._put(w, node, f"x[{i}]", ("", f"dx[{i}, {{}}]"))
        return function("start", "p, x, dx", w.text)

    def doses(self) -> str:
        """Text of ``doses(p, cells, a, da)``."""
        w = self.writer()
        w.bind(CELLS, CELLS)
        w.write("a[:] = 0.0")
        w.write("da[:, :] = 0.0")
        for name, node in self.adds.items():
            i = self.states[name]
            self._put(w, node, f"a[{i}]", ("", f"da[{i}, {{}}]"))
        return function("doses", f"p, {CELLS}, a, da", w.text)

    def lag_text(self) -> str:
        """Text of ``lag(p, d)``."""
        w = self.writer()
        w.write("d[:] = 0.0")
        w.write("later = 0.0")
        if self.lag is not None:
            self._put(w, self.lag, "later", ("", "d[{}]"))
        return function("lag", "p, d", w.text, end="return later")

    def switch_text(self) -> str:
        """Text of ``switches(p, times, dtimes)``."""
        w = self.writer()
        w.write("dtimes[:, :] = 0.0")
        for i, node in enumerate(self.switches):
            self._put(w, node, f"times[{i}]", ("", f"dtimes[{i}, {{}}]"))
        return function("switches", "p, times, dtimes", w.text)

    def observe(self) -> str:
        """Text of ``observe(which, t, side, x, p, c, gx, gp)``."""
        w = self.writer()
        for name, i in self.states.items():
            w.bind(name, f"x[{i}]", {name: "1.0"})
        w.write("gx[:] = 0.0")
        w.write("gp[:] = 0.0")
        w.write("level = 0.0")
        for number, node in enumerate(self.levels):
            with w.block(f"if which == {number}:"):
                self._put(w, node, "level", ("gx[{}]", "gp[{}]"))
        arguments = "which, t, side, x, p, c, gx, gp"
        return function("observe", arguments, w.text, end="return level")


def ode_text(system: System) -> str:
    r"""Return the text of the module of a model that is solved step by step.

    Parameters
    ----------
    system : System
        The model.

    Returns
    -------
    str
        A module with ``solve(task)``, see
        :class:`~cellpk.model.compile.integrate.Task`, and ``SIZES``: numbers of states,
        of free parameters, and length of ``p`` with its tail.

    Examples
    --------
    >>> from cellpk.model.equations import read_equations
    >>> from cellpk.model.expression import parse
    >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E"}
    >>> equations = read_equations(texts, parameters=["k"])
    >>> text = ode_text(System(equations, [parse("E")], ["k"], ["k"]))
    >>> [line for line in text.splitlines() if line.startswith("def solve")]
    ['def solve(task):']
    """
    sizes = (len(system.states), len(system.seeds), system.size)
    functions = [
        system.prepare(),
        system.rates(slopes=False),
        system.rates(slopes=True),
        system.start(),
        system.doses(),
        system.lag_text(),
        system.switch_text(),
        system.observe(),
        function("solve", "task", _SOLVE, end="solve_patients(parts, task)"),
        f"SIZES = {sizes}",
    ]
    return module_text(functions, imports=IMPORTS)
