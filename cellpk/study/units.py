"""Units of levels and of time: what fits an assay, how to convert, how to print."""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import NamedTuple

DAYS: dict[str, float] = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0}
"""How many days each unit of time lasts."""

Sizes = Mapping[str, str]
"""Spellings, separated by commas, by how many of the first unit one of them is."""

_OF_DNA = ("", " DNA", " gDNA", " of DNA", " of gDNA", " genomic DNA")
_CELLS = ("", "cells", "cell")

COPIES: Sizes = {
    "1": "copies, copy, transgene copies, vector copies, DNA copies, gene copies, "
    "copies of transgene, copies of DNA, vector genomes, vg",
}
DNA: Sizes = {
    size: ", ".join(mass + of for of in _OF_DNA)
    for size, mass in {"1": "ug", "1e-3": "ng", "1e-6": "pg", "1e3": "mg"}.items()
}
VOLUME: Sizes = {
    "1": "L",
    "1e-1": "dL",
    "1e-3": "mL, cc, cm3",
    "1e-6": "uL, mm3, mm^3, cu mm, cmm",
    "1e-9": "nL",
    "1e-12": "pL",
    "1e3": "m3",
}
CELLS: Sizes = {
    "1": "cells, cell, nucleated cells, nucleated cell, leukocytes, WBC, PBMC, PBMCs",
}
COUNT: Sizes = {
    size: ", ".join(times + what for times in words.split(" ") for what in _CELLS)
    for size, words in {
        "1": "",
        "1e3": "k th thou thousand",
        "1e6": "M mega mil mill mio million",
        "1e9": "G GI giga billion",
        "1e12": "T TI tera",
    }.items()
}
MASS: Sizes = {
    "1": "g",
    "1e3": "kg",
    "1e-3": "mg",
    "1e-6": "ug",
    "1e-9": "ng",
    "1e-12": "pg",
    "1e-15": "fg",
}
ACTIVITY: Sizes = {
    "1": "U, IU, IE",
    "1e3": "kU, kIU, kIE",
    "1e-3": "mU, mIU, mIE",
    "1e-6": "uU, uIU, uIE",
    "60": "ukat",
    "6e-2": "nkat",
}
TIME: Sizes = {"1": "day, days, d", "1/24": "hours, hour, hrs, hr, h"}
SHARE: Sizes = {
    "1": "%, percent, percentage, pct",
    "100": "fraction, fraction of 1, proportion",
}
WARMTH: Sizes = {"1": "degC, C, Cel, celsius, degree Celsius"}
RATIO: Sizes = {"1": "1, ratio"}

KINDS: dict[str, tuple[Sizes, Sizes | None]] = {
    "copies per DNA": (COPIES, DNA),
    "copies per volume": (COPIES, VOLUME),
    "copies per cell": (COPIES, CELLS),
    "mass per volume": (MASS, VOLUME),
    "mass per time": (MASS, TIME),
    "activity per volume": (ACTIVITY, VOLUME),
    "cells per volume": (COUNT, VOLUME),
    "share": (SHARE, None),
    "temperature": (WARMTH, None),
    "ratio": (RATIO, None),
}
"""Kinds of unit: what is above the stroke and below it, by spelling and size.

Only within a kind does a number alone convert. Prefixes count as lower case: no level
is given in megagrams, and ``M/uL`` is a million in a microlitre. ``G/L`` counts
thousand million cells where cells are counted, and is a gram in a litre elsewhere.
One katal is 6e7 enzyme units, by definition of the unit.
"""

_FOREIGN = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_FOREIGN |= str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "\N{DEGREE SIGN}": "deg"})
_UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_REWRITTEN = (
    (r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda found: "^" + found[1].translate(_UP)),
    # UCUM, and with it CDISC, writes a power of ten as 10*9; laboratories write 10E9.
    (r"(?<![\d.])10\s*(?:\*\*?|\^|exp|e)\s*\+?(-?\d+)", r"10^\1"),
    (r"(?<![\d.])10\s*\((\d+)\)", r"10^\1"),
    (r"\bper cent\b", "%"),
    (r"\bper\b", "/"),
    (r"\bmicro(?=gram|lit)", "u"),
    (r"\bnano(?=gram|lit)", "n"),
    (r"\bpico(?=gram|lit)", "p"),
    (r"\bmilli(?=gram|lit)", "m"),
    (r"\bdeci(?=lit)", "d"),
    (r"\bmc(?=g|l|kat|u|iu)", "u"),
    (r"grams?\b", "g"),
    (r"lit(?:er|re)s?\b", "l"),
    # 10 9/L has lost its power: it is not 109/L.
    (r"(?<=\d)\s+(?=\d)", "_"),
    (r"[\s\[\]{}()#]", ""),
    (r"(?:\b1)?[*x](?=10\^)", ""),
    (r"^cells?(10\^-?\d+)", r"\1cells"),
)
"""What is rewritten, in this order, before two spellings are compared."""

_NUMBER = r"(?P<number>10\^-?\d{1,2}|\d{1,9}(?:\.\d{1,9})?(?:e[+-]?\d{1,2})?)?"
_SIDE = re.compile(rf"{_NUMBER}(?P<thing>.*)", re.ASCII)


@cache
def _spelling(unit: str) -> str:
    """Reduce a unit to what two spellings of it share."""
    text = unit.translate(_FOREIGN).casefold()
    for pattern, new in _REWRITTEN:
        text = re.sub(pattern, new, text)
    return text


@cache
def _spelt(kind: str) -> tuple[dict[str, Fraction], ...]:
    """Return the sizes of both sides of a kind by their reduced spelling."""
    return tuple(
        {
            _spelling(name): Fraction(size)
            for size, names in side.items()
            for name in names.split(",")
        }
        for side in KINDS[kind]
        if side is not None
    )


def _size(unit: str, kind: str) -> Fraction | None:
    """Return how many of the first unit of a kind a unit is; None if of another."""
    sides = _spelt(kind)
    text = _spelling(unit)
    if len(sides) == 1:
        return sides[0].get(text)
    above, stroke, below = text.partition("/")
    (times, top), (number, bottom) = _side(above, sides[0]), _side(below, sides[1])
    if not (stroke and top and bottom and number):
        return None
    # 109/L is a power that has lost its sign: things are counted in powers of ten.
    counted = times * number if kind == "copies per cell" else times
    if str(counted.numerator * counted.denominator).strip("0") != "1":
        return None
    return times * top / (number * bottom)


def _side(text: str, known: Mapping[str, Fraction]) -> tuple[Fraction, Fraction]:
    """Return number and unit of one side of the stroke; 0 for what is not known."""
    found = _SIDE.fullmatch(text)
    if text in known or found is None:
        return Fraction(1), known.get(text, Fraction(0))
    number = Fraction((found["number"] or "1").replace("10^", "1e"))
    return number, known.get(found["thing"], Fraction(0))


def kind_of(unit: str) -> str:
    """Return the kind of a unit, a key of ``KINDS``; "" where it is of none.

    Examples
    --------
    >>> kind_of("10^9/L"), kind_of("ng/mL"), kind_of("pmol/L")
    ('cells per volume', 'mass per volume', '')
    """
    return next((kind for kind in KINDS if _size(unit, kind)), "")


@cache
def factor(unit: str, to: str) -> float | None:
    """Return what a level in ``unit`` is multiplied by to be in ``to``.

    Parameters
    ----------
    unit : str
        The unit as the file spells it; case, spaces and the micro sign do not matter.
    to : str
        The unit that cellpk keeps, as in :data:`cellpk.study.assays.ASSAYS`.

    Returns
    -------
    float or None
        ``None`` where the one cannot be converted to the other by a number alone;
        :func:`explain` says what it would take.

    Examples
    --------
    >>> factor("10^9/L", "cells/uL"), factor("K/uL", "cells/uL")
    (1000.0, 1000.0)
    >>> factor("mcg/dL", "ng/mL")
    10.0
    >>> factor("copies/uL", "copies/ug") is None
    True
    """
    if _spelling(unit) == _spelling(to):
        return 1.0
    kind = kind_of(to)
    size = _size(unit, kind) if kind else None
    whole = _size(to, kind) if kind else None
    return None if size is None or not whole else float(size / whole)


class _Obstacle(NamedTuple):
    """Why a unit does not convert: how it looks, and what it would take."""

    found: str  # a pattern of the reduced spelling, or "" for any
    kind: str  # that of the assay's unit, "" for any
    needs: str


_OBSTACLES = (
    _Obstacle(
        r"log(10)?.+",
        "",
        "A logarithm has no factor: give the levels themselves.",
    ),
    _Obstacle(
        r"deg?f|f|fahrenheit",
        "temperature",
        "Degrees Fahrenheit become Celsius by (F - 32) / 1.8, which is no factor: "
        "convert them in the file.",
    ),
    _Obstacle(
        r"[a-z]*mol(es?)?/.*|[munpf]?m",
        "mass per volume",
        "Amounts of substance become masses only by the molar mass, which the assay "
        "does not fix: convert them in the file.",
    ),
    _Obstacle(
        r".*(reaction|rxn|well|pcr)",
        "copies per DNA",
        "Copies per reaction need the DNA in the reaction: divide by it in the file.",
    ),
    _Obstacle(
        r"(%|percent|pct)(of)?.+",
        "share",
        "Shares of other cells are series of their own: choose the assay whose "
        "denominator it is, and map the file's word to '%' under 'units'.",
    ),
    _Obstacle(
        r"[mk]?i?u/.*",
        "mass per volume",
        "International units become masses only by the standard of the kit: read them "
        "as an assay in units, as 'sil2r_activity' or one of the study's own.",
    ),
)
_NEEDS: Mapping[tuple[str, str], str] = {
    ("copies per volume", "copies per DNA"): (
        "Copies in a volume of blood become copies in its DNA only by the DNA that the "
        "volume yielded, and are a series of their own: read them as the assay "
        "'qpcr_per_volume' or 'ddpcr_per_volume'."
    ),
    ("copies per cell", "copies per DNA"): (
        "Copies per cell become copies/ug only by the DNA of a cell, an assumption "
        "(6.6 pg: a copy per cell is 151,515 copies/ug): convert them in the file, or "
        "describe an assay of the study's own."
    ),
    ("copies per DNA", "copies per volume"): (
        "Copies in DNA become copies in blood only with the cell count of the same "
        "day: read them as 'qpcr' or 'ddpcr' and use cellpk.convert."
    ),
    ("copies per DNA", "cells per volume"): (
        "Copies become cells only with the cell count of the same day and the vector "
        "copies per cell: read them as 'qpcr' or 'ddpcr' and use cellpk.convert."
    ),
    ("copies per volume", "cells per volume"): (
        "Copies become cells only by the vector copies per cell: read them as "
        "'qpcr_per_volume' or 'ddpcr_per_volume' and use cellpk.convert."
    ),
    ("share", "cells per volume"): (
        "A share becomes a count only with the count of the cells it is a share of: "
        "read it as the assay of that share."
    ),
    ("cells per volume", "share"): (
        "A count becomes a share only with the count of all cells: read it as the "
        "assay of that count, as 'flow'."
    ),
    ("mass per time", "mass per volume"): (
        "What is excreted in a day becomes a concentration only by the volume of "
        "urine: read it as 'm_protein_urine'."
    ),
    ("mass per volume", "mass per time"): (
        "A concentration becomes what is excreted in a day only by the volume of "
        "urine: read it as 'm_protein' with specimen 'urine'."
    ),
}


def explain(unit: str, to: str) -> str:
    """Say what it would take to bring levels in ``unit`` to ``to``.

    Parameters
    ----------
    unit : str
        The unit as the file spells it, which :func:`factor` does not convert.
    to : str
        The unit of the assay.

    Returns
    -------
    str
        One sentence or two: what is needed, or how to say what the file means.

    Examples
    --------
    >>> explain("nmol/L", "ng/mL")
    'Amounts of substance become masses only by the molar mass, which the assay does
    not fix: convert them in the file.'
    >>> explain("units", "pg/mL")
    "Give levels in pg/mL, or map the file's word under 'units'."
    """
    text, wanted = _spelling(unit), kind_of(to)
    for obstacle in _OBSTACLES:
        if obstacle.kind in ("", wanted) and re.fullmatch(obstacle.found, text):
            return obstacle.needs
    general = f"Give levels in {to}, or map the file's word under 'units'."
    return _NEEDS.get((kind_of(unit), wanted), general)


def pretty(unit: str) -> str:
    """Return an ASCII unit as it is printed.

    Examples
    --------
    >>> pretty("day*copies/ug"), pretty("10^6/L"), pretty("degC"), pretty("1")
    ('day·copies/µg', '10⁶/L', '°C', '')
    """
    if unit == "1":
        return ""
    text = re.sub(r"\bu(?=[gLm])", "µ", unit).replace("*", "·")
    text = re.sub(r"\bdeg(?=C\b)", "°", text)
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_RAISED), text)
