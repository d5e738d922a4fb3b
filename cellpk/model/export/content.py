"""What every export says: equations in their order, random effects in blocks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellpk.errors import ModelError, nearest
from cellpk.model.blocks import CELLS, TIME, independent
from cellpk.model.expression import (
    Binary,
    Integral,
    Name,
    Negative,
    Node,
    names,
    walk,
)
from cellpk.model.switches import ZERO, Clock, NotLinearError, find_switches

if TYPE_CHECKING:
    from cellpk.model.model import Model

FORMS = ("closed", "ode")

NEVER = 1e6
"""Day that a data set holds for one that never comes: tools know no infinity."""


@dataclass(frozen=True)
class Content:
    """A model, sorted for writing.

    Parameters
    ----------
    model : Model
        What is exported.
    closed : bool
        Whether the closed form is written.
    blocks : tuple of tuple of str
        Free parameters in the order of their random effects; those in one block are
        correlated, directly or by others.
    steady, moving : dict of str to Node
        Named lines that the equations need: those that stay the same over time, and
        those that change with it.
    levels : dict of str to Node
        Of the latter, those that the levels of the assays need.
    switches : tuple of Node
        Times at which the rates change.
    remarks : tuple of str
        What a reader of the export has to know of its form.
    """

    model: "Model"
    closed: bool
    blocks: tuple[tuple[str, ...], ...]
    steady: Mapping[str, Node]
    moving: Mapping[str, Node]
    levels: Mapping[str, Node]
    switches: tuple[Node, ...]
    remarks: tuple[str, ...]

    @property
    def effects(self) -> tuple[str, ...]:
        """Free parameters in the order of their random effects."""
        return tuple(name for block in self.blocks for name in block)

    @property
    def free(self) -> tuple[str, ...]:
        """Free parameters in the order of the file."""
        return self.model.free

    @property
    def fixed(self) -> tuple[str, ...]:
        """Parameters that are the same for all patients."""
        return tuple(n for n, row in self.model.parameters.items() if row.fixed)

    @property
    def states(self) -> tuple[str, ...]:
        """States that are integrated: none in a closed form."""
        return () if self.closed else self.model.equations.states

    def variance(self, one: str, two: str) -> float | None:
        """Return a covariance of random effects; None where it is not published."""
        rows = self.model.parameters
        spreads = rows[one].iiv_sd, rows[two].iiv_sd
        if spreads[0] is None or spreads[1] is None:
            return None
        return self.correlation(one, two) * spreads[0] * spreads[1]

    def correlation(self, one: str, two: str) -> float:
        """Return a correlation of random effects."""
        if one == two:
            return 1.0
        known = self.model.correlations
        return known.get((one, two), known.get((two, one), 0.0))

    @property
    def clock(self) -> Clock:
        """What the names of the equations mean, to find their switches."""
        return _clock(self.model, {**self.steady, **self.moving})


def sort(model: "Model", *, form: str) -> Content:
    """Return what is to be written of a model.

    Parameters
    ----------
    model : Model
        What is exported.
    form : {"closed", "ode"}
        Closed form where there is one that other tools can write, or the differential
        equations.

    Raises
    ------
    ModelError
        Where the form is not known.

    Examples
    --------
    >>> import cellpk as ck
    >>> content = sort(ck.load_model("stein_2019_tisagenlecleucel"), form="ode")
    >>> list(content.steady), content.states, [str(x) for x in content.switches]
    (['rho', 'k'], ('E', 'M'), ['tmax'])
    """
    if form not in FORMS:
        raise ModelError(
            f"form is {form!r}", where=model.name, todo=nearest(form, FORMS)
        )
    closed, remarks = _form(model, form)
    lines = closed_lines(model) if closed else dict(model.equations.rates.lines)
    bound = {TIME, *model.equations.stepped}
    bound |= set() if closed else {*model.equations.states}
    free = independent(lines, bound)
    roots = () if closed else model.equations.rates.nodes + _doses(model)
    seen = [row.expression for row in model.observed.values()]
    every = needed(lines, [*roots, *seen])
    moving = {n: x for n, x in lines.items() if n in every - free}
    steady = {n: x for n, x in lines.items() if n in every & free}
    of_rates = moving if closed else _only(moving, needed(lines, roots))
    return Content(
        model=model,
        closed=closed,
        blocks=correlated(model),
        steady=steady,
        moving=of_rates,
        levels=_only(moving, needed(lines, seen)),
        switches=() if closed else _switches(model, of_rates, steady),
        remarks=remarks,
    )


def _form(model: "Model", form: str) -> tuple[bool, tuple[str, ...]]:
    if form == "ode" or not model.equations.closed:
        return False, ()
    lines = closed_lines(model)
    used = needed(lines, [row.expression for row in model.observed.values()])
    nodes = [inner for name in used for inner in walk(lines[name])]
    if any(isinstance(node, Integral) for node in nodes):
        return False, (
            "The closed form of this model holds an integral, which this tool cannot "
            "write: here are its differential equations.",
        )
    return True, ()


def closed_lines(model: "Model") -> dict[str, Node]:
    """Return the lines of the closed form, those of the rates that it may use first.

    Examples
    --------
    >>> import cellpk as ck
    >>> list(closed_lines(ck.load_model("stein_2019_tisagenlecleucel")))
    ['rho', 'k', 'tau', 'E', 'M']
    """
    equations = model.equations
    if not equations.states:
        return dict(equations.rates.lines)
    free = independent(
        equations.rates.lines, {TIME, *equations.states, *equations.stepped}
    )
    own = equations.solution.lines
    shared = {n: x for n, x in equations.rates.lines.items() if n in free - own.keys()}
    return {**shared, **own}


def needed(lines: Mapping[str, Node], nodes: Iterable[Node]) -> set[str]:
    """Return the lines that these trees use, directly or by other lines.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> lines = {"a": parse("1"), "b": parse("a"), "c": parse("a")}
    >>> sorted(needed(lines, [parse("2*b")]))
    ['a', 'b']
    """
    found: set[str] = set()
    waiting = [name for node in nodes for name in names(node)]
    while waiting:
        name = waiting.pop()
        if name in lines and name not in found:
            found.add(name)
            waiting += names(lines[name])
    return found


def _only(lines: Mapping[str, Node], wanted: set[str]) -> dict[str, Node]:
    return {name: node for name, node in lines.items() if name in wanted}


def _doses(model: "Model") -> tuple[Node, ...]:
    if model.infusions is None:
        return ()
    lag = model.infusions.lag
    return (*model.infusions.adds.values(), *([] if lag is None else [lag]))


def _clock(model: "Model", lines: Mapping[str, Node]) -> Clock:
    stepped = frozenset(model.equations.stepped)
    constant = {*model.parameters, *model.covariates} - stepped
    return Clock(lines, frozenset(constant), stepped)


def _switches(
    model: "Model", moving: Mapping[str, Node], steady: Mapping[str, Node]
) -> tuple[Node, ...]:
    nodes = [*moving.values(), *model.equations.rates.rates.values()]
    clock = _clock(model, {**steady, **moving})
    return find_switches(nodes, clock, where=model.name)


def correlated(model: "Model") -> tuple[tuple[str, ...], ...]:
    """Return the free parameters in blocks: those correlated with each other together.

    Examples
    --------
    >>> import cellpk as ck
    >>> correlated(ck.load_model("stein_2019_tisagenlecleucel"))[:2]
    (('foldx',), ('tmax',))
    """
    block = {name: i for i, name in enumerate(model.free)}
    for one, two in model.correlations:
        old, new = block[two], block[one]
        block = {name: new if i == old else i for name, i in block.items()}
    order = dict.fromkeys(block.values())
    return tuple(tuple(n for n in model.free if block[n] == i) for i in order)


def per_cell(node: Node) -> Node | None:
    """Return what is added per infused cell; None where it is not in proportion.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> print(per_cell(parse("share*cells/volume")), per_cell(parse("cells**2")))
    share/volume None
    """
    others = frozenset(names(node)) - {CELLS}
    try:
        slope, rest = Clock({}, others).line(_in_time(node))
    except NotLinearError:
        return None
    return slope if rest == ZERO != slope else None


def _in_time(node: Node) -> Node:
    """Put time in the place of cells: then a clock reads the slope off."""
    match node:
        case Name(name) if name == CELLS:
            return Name(TIME)
        case Negative(operand):
            return Negative(_in_time(operand))
        case Binary(operator, left, right):
            return Binary(operator, _in_time(left), _in_time(right))
    return node


def stated(value: float) -> float:
    """Return a covariate's reference value as a data set can hold it.

    Examples
    --------
    >>> stated(70.0), stated(float("inf"))
    (70.0, 1000000.0)
    """
    return float(np.clip(value, -NEVER, NEVER)) if np.isinf(value) else value
