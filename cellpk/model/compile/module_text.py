"""The text of generated modules: header, imports, constants, functions."""

from collections.abc import Iterable

import numpy as np

NODES = 64
"""Points of Gauss-Legendre in an integral, as ``sensitivity.spread_nodes`` has them."""

JIT = '@njit(cache=True, nogil=True, error_model="numpy")'


def function(name: str, arguments: str, body: str, *, end: str = "") -> str:
    """Return the text of a compiled function.

    Parameters
    ----------
    name, arguments : str
        As they stand after ``def``.
    body : str
        Statements, indented.
    end : str
        The last statement, not indented.

    Examples
    --------
    >>> print(function("unit", "t", "", end="return 1.0"))
    @njit(cache=True, nogil=True, error_model="numpy")
    def unit(t):
        return 1.0
    """
    parts = (
        f"{JIT}\ndef {name}({arguments}):",
        body,
        f"    {end}" if end else "",
    )
    return "\n".join(part for part in parts if part)


def module_text(functions: Iterable[str], *, imports: Iterable[str] = ()) -> str:
    """Return the text of a module: a header, imports, constants, then the functions.

    Parameters
    ----------
    functions : iterable of str
        Texts, as from :func:`function`.
    imports : iterable of str
        Further lines of import.

    Examples
    --------
    >>> print(module_text(["f = 1"]))
    # Written by cellpk from the text of a model. Changes are not kept.
    import math
    <BLANKLINE>
    import numpy as np
    from numba import njit
    <BLANKLINE>
    f = 1
    <BLANKLINE>
    """
    body = "\n\n\n".join(functions)
    head = [
        "# Written by cellpk from the text of a model. Changes are not kept.",
        "import math",
        "",
        "import numpy as np",
        "from numba import njit",
        *imports,
        "",
    ]
    if "PLACES[" in body:
        places, weights = np.polynomial.legendre.leggauss(NODES)
        head += [_array("PLACES", (places + 1) / 2), _array("WEIGHTS", weights / 2), ""]
    return "\n".join([*head, body, ""])


def _array(name: str, values: np.ndarray) -> str:
    return f"{name} = np.array({values.tolist()!r})"
