"""Units of levels and of time: what fits an assay, how to convert, how to print."""

import re

DAYS: dict[str, float] = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0}
"""How many days each unit of time lasts."""

FACTORS: dict[str, dict[str, float]] = {
    "copies/ug": {"copies/ug DNA": 1, "copies/ug gDNA": 1, "copies/ng": 1e3},
    "cells/uL": {
        "/uL": 1,
        "cells/mm3": 1,
        "10^6/L": 1,
        "10^3/mL": 1,
        "cells/mL": 1e-3,
        "10^3/uL": 1e3,
        "10^9/L": 1e3,
    },
    "%": {"percent": 1, "fraction": 100},
    "pg/mL": {"ng/L": 1, "ng/mL": 1e3, "ug/L": 1e3},
    "mg/L": {"ug/mL": 1, "mg/dL": 10},
    "ug/L": {"ng/mL": 1, "mg/L": 1e3},
    "U/L": {"IU/L": 1},
}
"""By the unit that cellpk keeps: other spellings and units, and what to multiply by."""

_GREEK = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _spelling(unit: str) -> str:
    """Reduce a unit to what two spellings of it share."""
    # UCUM, and with it CDISC, writes a power of ten as 10*9.
    powers = unit.translate(_GREEK).replace("10*", "10^")
    return re.sub(r"[\s*x]", "", powers).casefold()


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
        ``None`` where the one cannot be converted to the other by a number alone.

    Examples
    --------
    >>> factor("10^9/L", "cells/uL")
    1000.0
    >>> factor("copies/uL", "copies/ug") is None
    True
    """
    known = {to: 1.0, **FACTORS.get(to, {})}
    spelt = {_spelling(name): value for name, value in known.items()}
    value = spelt.get(_spelling(unit))
    return None if value is None else float(value)


def pretty(unit: str) -> str:
    """Return an ASCII unit as it is printed.

    Examples
    --------
    >>> pretty("day*copies/ug"), pretty("10^6/L"), pretty("1")
    ('day·copies/µg', '10⁶/L', '')
    """
    if unit == "1":
        return ""
    text = re.sub(r"\bu(?=[gLm])", "µ", unit).replace("*", "·")
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_RAISED), text)
