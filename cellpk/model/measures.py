"""Units as they stand in a model file: read, multiplied and compared by pint.

A small registry of our own: cells, copies and other things that are counted are base
units, so that copies are never taken for cells, nor either for a bare number. pint is
imported with the first unit that is read, and not with this module.
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cellpk.errors import ModelError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pint import Unit, UnitRegistry

    Part = tuple[str, float, str]  # as it is shown, its power, its full name

DEFINITIONS = """
kilo- = 1e3 = k-
deci- = 1e-1 = d-
milli- = 1e-3 = m-
micro- = 1e-6 = u-
nano- = 1e-9 = n-
pico- = 1e-12 = p-
femto- = 1e-15 = f-
day = [time] = day
second = day/86400 = s
minute = 60*second = min
hour = 60*minute = h
week = 7*day = week
year = 365.25*day = year
metre = [length] = m
litre = 1e-3*metre**3 = L
gram = [mass] = g
mole = [substance] = mol
molar = mole/litre = M
dalton = gram/mole = Da
enzyme_unit = [activity] = U
international_unit = [potency] = IU
cells = [cells] = cells = cell
copies = [copies] = copies = copy
divisions = [divisions] = divisions = division
complexes = [complexes] = complexes = complex
molecules = [molecules] = molecules = molecule
receptors = [receptors] = receptors = receptor
antigens = [antigens] = antigens = antigen
percent = 0.01 = %
"""
"""In the words of pint: name = size = symbol = other spellings."""

PREFIXED = {"L": "dmunpf", "g": "kmunpf", "mol": "munpf", "M": "munpf", "m": "dmun"}
PREFIXED |= {"s": "mun", "Da": "k", "U": "km", "IU": "km"}
"""Prefixes that a unit takes: one spelling of each unit, lest two files differ."""

_NUMBER = r"(?P<number>\d+(\.\d+)?(e[+-]?\d+)?)?"
_PART = r"([A-Za-z_]+|%)(\*\*-?\d+(\.\d+)?)?"
_UNIT = re.compile(rf"{_NUMBER}(?P<rest>( ?{_PART}|/{_PART})?([*/]{_PART})*)", re.I)


@cache
def _registry() -> "UnitRegistry":
    import pint

    registry = pint.UnitRegistry(None)
    registry.load_definitions(DEFINITIONS.split("\n"))
    registry.formatter.default_sort_func = _days_last
    return registry


def _days_last(parts: "Iterable[Part]", registry: "UnitRegistry") -> "list[Part]":
    """Order the parts of a unit as they were written, but a rate ends with its day."""
    return sorted(parts, key=lambda x: "[time]" in registry.Unit(x[2]).dimensionality)


@cache
def _known() -> frozenset[str]:
    """Spellings of units, with those prefixes that are usual."""
    rows = [line.split(" = ") for line in DEFINITIONS.strip().splitlines()]
    spellings = {word for row in rows for word in (row[0], *row[2:])}
    plain = {word for word in spellings if not word.endswith("-")}
    prefixed = {f"{p}{unit}" for unit, letters in PREFIXED.items() for p in letters}
    return frozenset({*plain, *prefixed} - {"enzyme_unit", "international_unit"})


@dataclass(frozen=True)
class Measure:
    """A unit, and the number that may stand before it: ``1e9 cells``.

    Parameters
    ----------
    number : float
        How many of ``unit`` it is.
    unit : pint.Unit
        Of the registry of this module.

    Examples
    --------
    >>> print(read_measure("copies/ug") / read_measure("day"))
    copies/ug/day
    >>> print(read_measure("cells/uL") ** 2.0)
    cells**2/uL**2
    """

    number: float
    unit: "Unit"

    def __mul__(self, other: "Measure") -> "Measure":
        return Measure(self.number * other.number, self.unit * other.unit)

    def __truediv__(self, other: "Measure") -> "Measure":
        return Measure(self.number / other.number, self.unit / other.unit)

    def __pow__(self, power: float) -> "Measure":
        return Measure(self.number**power, self.unit**power)

    def ratio(self, other: "Measure") -> float | None:
        """Return how many of ``other`` this is; None where they cannot be compared.

        Examples
        --------
        >>> round(read_measure("cells/uL").ratio(read_measure("cells/L")))
        1000000
        >>> read_measure("cells").ratio(read_measure("copies")) is None
        True
        """
        size = self.number / other.number
        if self.unit == other.unit:
            return size
        factor, rest = _registry().get_root_units(self.unit / other.unit)
        # 0.1 + 0.2 is not quite 0.3: powers of units are compared as the numbers are
        if any(abs(power) > 1e-9 for power in rest.dimensionality.values()):
            return None
        return size * float(abs(factor))

    def same(self, other: "Measure") -> bool:
        """Return whether both are the same unit, however spelt.

        Examples
        --------
        >>> read_measure("mg/L").same(read_measure("ug/mL"))
        True
        """
        ratio = self.ratio(other)
        return ratio is not None and math.isclose(ratio, 1.0, rel_tol=1e-9)

    def __str__(self) -> str:
        unit = f"{self.unit:~C}"
        if math.isclose(self.number, 1.0, rel_tol=1e-9):
            return unit or "1"
        if unit.startswith("1/"):
            return f"{plain(self.number)}{unit[1:]}"
        return f"{plain(self.number)} {unit}".strip()


def plain(number: float) -> str:
    """Return a number as one writes it in a unit.

    Examples
    --------
    >>> plain(1e6), plain(1e-9), plain(24)
    ('1e6', '1e-9', '24')
    """
    text = f"{number:.6g}" if abs(math.log10(number)) < 4 else f"{number:.6e}"
    digits, letter, power = text.partition("e")
    if letter:
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return digits


def read_measure(text: str, *, where: str = "") -> Measure:
    """Return the unit that a text names.

    Parameters
    ----------
    text : str
        "1" where there is none, else for example "copies/ug", "1/day", "1e9 cells",
        "kg**0.75".
    where : str
        File, section and line, for the message of an error.

    Raises
    ------
    ModelError
        Where it cannot be read, or names a unit that is not known.

    Examples
    --------
    >>> print(read_measure("1e9 cells"))
    1e9 cells
    >>> read_measure("copie/ug")
    Traceback (most recent call last):
        ...
    cellpk.errors.ModelError: 'copie' is not a unit known here. Did you mean 'copies'?
    """
    try:
        return _measure(text.strip())
    except ModelError as error:
        raise ModelError(error.found, where=where, todo=error.todo) from None


@cache
def _measure(text: str) -> Measure:
    match = _UNIT.fullmatch(text)
    if not match or not text or float(match["number"] or 1) == 0:
        raise ModelError(
            f"unit {text!r} cannot be read",
            todo="Write it like 'copies/ug', '1/day', '1e9 cells' or 'kg**0.75', and "
            "'1' where there is none.",
        )
    number, rest = float(match["number"] or 1), match["rest"].strip()
    return Measure(number, _unit(f"1{rest}" if rest.startswith("/") else rest))


def _unit(text: str) -> "Unit":
    for name in re.findall(r"[A-Za-z_]+", text):
        if name not in _known():  # pint would also take 'copiess' and 'kday'
            raise ModelError(f"{name!r} is not a unit known here", todo=_hint(name))
    return _registry().Unit(text)


def _hint(name: str) -> str:
    """Nearest known unit; one that differs in upper and lower case only comes first."""
    alike = [known for known in _known() if known.casefold() == name.casefold()]
    return f"Did you mean {alike[0]!r}?" if len(alike) == 1 else nearest(name, _known())
