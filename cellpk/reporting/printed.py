"""How a number is printed: one rule per kind of quantity, the same in every table."""

import math
from collections.abc import Iterable

NOT_CALCULABLE = "NC"
NOTHING = "–"

STATUS = {
    "expanded": "Expanded",
    "never_expanded": "Never expanded",
    "too_few_samples": "Too few samples",
}
METHOD = {"ml": "ML", "map": "MAP", "none": "not fitted"}
"""How the status of a patient and the method of a fit are printed."""


def level(value: float) -> str:
    """Print a level or an area under it: 3 significant figures, thousands separated.

    Parameters
    ----------
    value : float
        A level, AUC, rate or fold; NaN where it could not be calculated.

    Returns
    -------
    str
        The number as printed, ``"NC"`` for NaN.

    Examples
    --------
    >>> [level(x) for x in (24_041.0, 9.0, 0.012345, 999.6, 0.0)]
    ['24,000', '9.00', '0.0123', '1,000', '0']
    """
    if math.isnan(value):
        return NOT_CALCULABLE
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    if math.isinf(rounded):
        return "∞" if rounded > 0 else "-∞"
    magnitude = math.floor(math.log10(abs(rounded)))
    if not -6 < magnitude < 12:
        return f"{value:.2e}"
    return f"{rounded:,.{max(2 - magnitude, 0)}f}"


def fixed(value: float, digits: int = 1) -> str:
    """Print a number with a fixed number of decimals.

    Examples
    --------
    >>> [fixed(13.86), fixed(0.5, 2), fixed(float("nan")), fixed(-0.001)]
    ['13.9', '0.50', 'NC', '0.0']
    """
    if math.isnan(value):
        return NOT_CALCULABLE
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def day(value: float) -> str:
    """Print a time in days: 1 decimal.

    Examples
    --------
    >>> day(9.3125)
    '9.3'
    """
    return fixed(value, 1)


def percent(value: float) -> str:
    """Print a coefficient of variation or a share in percent: 1 decimal.

    Examples
    --------
    >>> percent(61.04)
    '61.0'
    """
    return fixed(value, 1)


def count_share(count: int, total: int) -> str:
    """Print a number of patients with its share of the total.

    Examples
    --------
    >>> count_share(40, 55), count_share(0, 0)
    ('40 (72.7)', '0')
    """
    return f"{count} ({percent(100 * count / total)})" if total else str(count)


def probability(value: float) -> str:
    """Print a probability: 3 decimals, and never 0 or 1.

    Examples
    --------
    >>> [probability(p) for p in (0.97531, 0.99998, 0.0, float("nan"))]
    ['0.975', '> 0.999', '< 0.001', 'NC']
    """
    if value > 0.999:
        return "> 0.999"
    if value < 0.001:
        return "< 0.001"
    return fixed(value, 3)


def by_kind(value: float, kind: str) -> str:
    """Print a number by the kind of its unit, as metrics and parameters declare it.

    Parameters
    ----------
    value : float
        The number.
    kind : str
        ``"day"`` for times; any other kind has 3 significant figures.

    Examples
    --------
    >>> by_kind(12.345, "day"), by_kind(12.345, "level*day")
    ('12.3', '12.3')
    """
    return day(value) if kind == "day" else level(value)


def interval(low: float, high: float, kind: str = "level") -> str:
    """Print the two ends of an interval or range in brackets.

    Examples
    --------
    >>> interval(1234.0, 45678.0), interval(7.0, 28.0, "day")
    ('(1,230, 45,700)', '(7.0, 28.0)')
    """
    return f"({by_kind(low, kind)}, {by_kind(high, kind)})"


def listed(values: Iterable[float], kind: str = "level") -> str:
    """Print individual values, in ascending order, separated by semicolons.

    Examples
    --------
    >>> listed([1200.0, 3.4])
    '3.40; 1,200'
    """
    return "; ".join(by_kind(value, kind) for value in sorted(values)) or NOTHING


def enumerated(words: Iterable[str]) -> str:
    """Return words as a sentence lists them.

    Examples
    --------
    >>> enumerated(["Cmax", "Tmax", "half-life"]), enumerated(["Cmax"])
    ('Cmax, Tmax and half-life', 'Cmax')
    """
    *first, last = [*words]
    return f"{', '.join(first)} and {last}" if first else last


def inside(label: str) -> str:
    """Return a label as it stands inside a sentence; abbreviations keep their capitals.

    Examples
    --------
    >>> inside("Response (PR or better)"), inside("CRS grade 2 or higher")
    ('response (PR or better)', 'CRS grade 2 or higher')
    """
    plain = label[1:2].islower() or label[1:2] == " "
    return label[:1].lower() + label[1:] if plain else label
