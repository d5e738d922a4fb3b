"""Whether the units of a model fit together: parameters, equations, levels, results.

Terms that are added, compared or chosen between have one unit, in kind and in size;
exp, log, expit, softplus and powers take plain numbers; each line has the unit that is
stated for it. A number written in an equation has no unit, but 0 fits any.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cellpk.errors import ModelError
from cellpk.model.blocks import CELLS, TIME, Block
from cellpk.model.description import Description
from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Integral,
    Name,
    Negative,
    Node,
    Number,
)
from cellpk.model.measures import Measure, plain, read_measure

Place = Callable[..., str]
"""From section, key, and ``offset`` in a text or key ``within`` a row, to the line."""

LAG = "lag of infusions"


def check_dimensions(model: Description, place: Place) -> None:
    """Raise where the units of a model do not fit together.

    The unit of a state is that of ``X(0)``, else of ``dX/dt`` times a day, else of what
    an infusion adds, else of its closed form; where all of these are 0 it fits any.

    Parameters
    ----------
    model : Description
        As it was read.
    place : callable
        From section, key and ``offset`` or ``within`` to file, section and line.

    Raises
    ------
    ModelError
        Naming the equation, the two terms, their units and what to do; or a unit that
        is not known.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> check_dimensions(stein, lambda *at, **more: "")
    >>> rows = dict(stein.parameters)
    >>> rows["beta"] = replace(rows["beta"], unit="day")
    >>> wrong = replace(stein, parameters=rows)
    >>> check_dimensions(wrong, lambda *at, **more: "m.toml")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: m.toml: in 'k = fb*(alpha - beta)', 'alpha' is in 1/day,
    'beta' is in day. Correct the unit of a parameter, or the equation.
    """
    units = dict(_given(model, place))
    equations = [*_equations(model, place)]
    _settle(equations, units)
    for statement in [*equations, *_results(model, place)]:
        statement.check(units)
    levels = {name: read_measure(row.unit) for name, row in model.observed.items()}
    for statement in _printed(model, place):
        statement.check({**units, **levels})


def state_units(model: Description) -> dict[str, str]:
    """Return the units of the states, as far as the equations tell.

    Examples
    --------
    >>> import cellpk as ck
    >>> state_units(ck.load_model("stein_2019_tisagenlecleucel"))
    {'E': 'copies/ug', 'M': 'copies/ug'}
    """
    units = dict(_given(model, _nowhere))
    _settle([*_equations(model, _nowhere)], units)
    return {name: str(units[name]) for name in model.equations.states if name in units}


def _nowhere(*_at: Any, **_more: Any) -> str:
    return ""


Units = dict[str, Measure]
"""Units of names; any unit fits a name that is not among them."""


@dataclass(frozen=True)
class _Statement:
    """One right side: what it is called, where it stands and the unit it must have."""

    left: str
    node: Node
    where: Callable[[], str]
    name: str = ""  # whose unit follows from it, where not stated
    per: Measure | None = None  # what that unit is divided by: a day for a rate
    unit: Measure | None = None  # as stated

    def find(self, units: Units) -> Measure | None:
        """Return the unit that the named thing has by this statement."""
        found = _Reading(units).of(self.node)
        return found * self.per if found and self.per else found

    def check(self, units: Units) -> None:
        """Raise where terms do not fit each other, or the stated unit."""
        reading = _Reading(units)
        found, wanted = reading.of(self.node), self._wanted(units)
        if found and wanted and not found.same(wanted):
            what = f"{_is_in(self.node, found)}, {_is_in(Name(self.left), wanted)}"
            todo = _advice(self.node, found, wanted)
            if self.unit:
                todo += f" Or state that '{self.left}' is in {found}."
            reading.clashes.append((what, todo))
        for what, todo in reading.clashes:
            raise ModelError(
                f"in '{self.left} = {self.node}', {what}", where=self.where(), todo=todo
            )

    def _wanted(self, units: Units) -> Measure | None:
        unit = units.get(self.name)
        return self.unit or (unit / self.per if unit and self.per else unit)


def _given(model: Description, place: Place) -> Iterator[tuple[str, Measure]]:
    """Units that the file states: of time, parameters, covariates, infused cells."""
    yield TIME, _day()
    for section in ("parameters", "covariates"):
        for name, row in getattr(model, section).items():
            yield name, _unit(row, section, place)
    if model.infusions:
        where = place("infusions", within="unit")
        yield CELLS, read_measure(model.infusions.unit, where=where)
        yield LAG, _day()


def _unit(row: Any, section: str, place: Place) -> Measure:
    return read_measure(row.unit, where=place(section, row.name, within="unit"))


def _day() -> Measure:
    return read_measure("day")


def _equations(model: Description, place: Place) -> Iterator[_Statement]:
    """Lines, starts, rates, what infusions add, closed form: in order of trust."""
    rates, solution = model.equations.rates, model.equations.solution
    yield from _block("equations", rates, place)
    if model.infusions:
        for state, node in model.infusions.adds.items():
            where = partial(place, "infusions", "adds", within=state)
            yield _Statement(f"adds {state}", node, where, name=state)
        if model.infusions.lag:
            where = partial(place, "infusions", "lag")
            yield _Statement(LAG, model.infusions.lag, where, name=LAG)
    yield from _block("solution", solution, place)


def _block(section: str, block: Block, place: Place) -> Iterator[_Statement]:
    kinds: tuple[tuple[str, Mapping[str, Node], str], ...] = (
        ("lines", block.lines, "{}"),
        ("starts", block.starts, "{}(0)"),
        ("rates", block.rates, "d{}/dt"),
    )
    for kind, nodes, left in kinds:
        per = _day() if kind == "rates" else None
        for name, node in nodes.items():
            where = partial(place, "", section, offset=block.numbers[kind, name])
            yield _Statement(left.format(name), node, where, name=name, per=per)


def _results(model: Description, place: Place) -> Iterator[_Statement]:
    for section in ("observed", "derived"):
        for name, row in getattr(model, section).items():
            where = partial(place, section, name, within="is")
            unit = _unit(row, section, place)
            yield _Statement(name, row.expression, where, unit=unit)


def _printed(model: Description, place: Place) -> Iterator[_Statement]:
    """Sizes have the unit of what they are of, areas times a day; times are days."""
    for name, row in model.printed.items():
        where = partial(place, "printed", name, within="of")
        unit = _unit(row, "printed", place)
        if row.what in {"peak", "nadir", "level"}:
            yield _Statement(name, row.of, where, unit=unit)
        elif row.what == "area":
            yield _Statement(name, Binary("*", row.of, Name(TIME)), where, unit=unit)
        elif unit.same(_day()):
            yield _Statement(name, row.of, where)
        else:
            raise ModelError(
                f"'{row.what}' is in day, '{name}' is in {unit}",
                where=place("printed", name, within="unit"),
                todo="State it in day.",
            )


def _settle(statements: Iterable[_Statement], units: Units) -> None:
    """Find the units of lines and states, until another round finds no more."""
    named = [statement for statement in statements if statement.name]
    size = -1
    while size != len(units):
        size = len(units)
        for statement in named:
            if statement.name not in units and (found := statement.find(units)):
                units[statement.name] = found


class _Reading:
    """Works out the unit of a tree and notes what in it does not fit."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._none = read_measure("1")
        self.clashes: list[tuple[str, str]] = []

    def of(self, node: Node) -> Measure | None:
        """Return the unit of a tree; None where any fits."""
        match node:
            case Number(value):
                result = self._none if value else None
            case Name(name):
                result = self._units.get(name)
            case Negative(operand):
                result = self.of(operand)
            case Binary():
                result = self._binary(node)
            case Call():
                result = self._call(node)
            case Choice(yes, left, _, right, no):
                self._alike(left, right)
                result = self._alike(yes, no)
            case Integral():
                result = self._integral(node)
        return result

    def _alike(self, left: Node, right: Node) -> Measure | None:
        """One unit for both sides."""
        one, two = self.of(left), self.of(right)
        if one and two and not one.same(two):
            self._clash(left, one, right, two)
        return one or two

    def _clash(self, left: Node, one: Measure, right: Node, two: Measure) -> None:
        what = f"{_is_in(left, one)}, {_is_in(right, two)}"
        ratio = one.ratio(two)
        if isinstance(right, Number) or (ratio and ratio < 1):
            left, one, two = right, two, one  # the term in the larger unit is converted
        self.clashes.append((what, _advice(left, one, two)))

    def _binary(self, node: Binary) -> Measure | None:
        if node.operator in "+-":
            return self._alike(node.left, node.right)
        if node.operator == "**":
            return self._power(node)
        one, two = self.of(node.left), self.of(node.right)
        if one is None or two is None:
            return None
        return one * two if node.operator == "*" else one / two

    def _power(self, node: Binary) -> Measure | None:
        base, power = self.of(node.left), _literal(node.right)
        if power is not None:
            return base and base**power
        self._plain(node.right, node)
        if base and not base.same(self._none):
            what = f"{_is_in(node.left, base)}, and '{node.right}' is not a number"
            todo = f"Divide '{node.left}' by a reference: a parameter in {base}."
            self.clashes.append((what, todo))
        return self._none

    def _call(self, node: Call) -> Measure | None:
        first = node.arguments[0]
        if node.function in {"min", "max"}:
            return self._alike(*node.arguments)
        if node.function == "sqrt":
            unit = self.of(first)
            return unit and unit**0.5
        self._plain(first, node)
        return self._none

    def _plain(self, node: Node, of: Node) -> None:
        """Note where an argument or a power has a unit."""
        unit = self.of(node)
        if unit and not unit.same(self._none):
            what = f"{_is_in(node, unit)}, and '{of}' takes no unit"
            todo = f"Divide '{node}' by a reference: a parameter in {unit}."
            self.clashes.append((what, todo))

    def _integral(self, node: Integral) -> Measure | None:
        step = self._alike(node.lower, node.upper)
        units = {name: x for name, x in self._units.items() if name != node.variable}
        inner = _Reading({**units, node.variable: step} if step else units)
        body = inner.of(node.body)
        self.clashes += inner.clashes
        return body * step if body and step else None


def _advice(node: Node, unit: Measure, wanted: Measure) -> str:
    """Say how a term gets the unit it should have."""
    if isinstance(node, Number):
        return f"Make the number a fixed parameter in {wanted}."
    ratio = unit.ratio(wanted)
    if ratio is None:
        return "Correct the unit of a parameter, or the equation."
    return (
        f"They differ by a factor {plain(max(ratio, 1 / ratio))}: multiply '{node}' by "
        f"a fixed parameter with the value {plain(ratio)} in {wanted / unit}."
    )


def _literal(node: Node) -> float | None:
    """Return the value of a number as written, or of a fraction of two."""
    match node:
        case Number(value):
            return value
        case Negative(operand):
            value = _literal(operand)
            return None if value is None else -value
        case Binary("/", Number(above), Number(below)) if below:
            return above / below
    return None


def _is_in(node: Node, unit: Measure) -> str:
    return f"'{node}' has no unit" if str(unit) == "1" else f"'{node}' is in {unit}"
