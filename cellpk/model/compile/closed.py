"""The compiled module of a closed form: log levels of many patients at many times.

Its functions take natural values ``p`` (n, all parameters, then the covariates fixed in
time), ``times`` (n or 1, m) and the number of the assay, and fill in log levels (n, m)
and their derivatives (n, m, q) by the natural values of the free parameters. What does
not depend on time is worked out once per patient.
"""

from collections.abc import Iterable, Mapping
from math import log

from cellpk.model.compile.module_text import function, module_text
from cellpk.model.compile.source import Writer
from cellpk.model.equations import TIME, Equations
from cellpk.model.expression import Node
from cellpk.model.levels import LARGEST, SMALLEST
from cellpk.model.switches import Clock


def closed_text(
    equations: Equations,
    levels: Iterable[Node],
    *,
    known: Iterable[str],
    free: Iterable[str],
) -> str:
    r"""Return the text of the module of a model that has a closed form.

    Parameters
    ----------
    equations : Equations
        With a ``solution``.
    levels : iterable of Node
        What each assay measures.
    known : iterable of str
        Parameters and fixed covariates, in the order of ``p``.
    free : iterable of str
        Parameters by which to differentiate, in the order of the gradient.

    Returns
    -------
    str
        A module with ``values(which, p, times, out)`` and ``gradients(which, p, times,
        out, jac)``.

    Examples
    --------
    >>> from cellpk.model.equations import read_equations
    >>> from cellpk.model.expression import parse
    >>> texts = {"equations": "E(0) = 1\ndE/dt = -k*E", "solution": "E = exp(-k*t)"}
    >>> equations = read_equations(texts, parameters=["k"])
    >>> text = closed_text(equations, [parse("E")], known=["k"], free=["k"])
    >>> [line for line in text.splitlines() if line.startswith("def")]
    ['def values(which, p, times, out):', 'def gradients(which, p, times, out, jac):']
    """
    place = {name: i for i, name in enumerate(known)}
    seeds = {name: i for i, name in enumerate(free)}
    nodes = list(levels)
    return module_text(
        [
            _loops(equations, nodes, "values", place=place, seeds={}),
            _loops(equations, nodes, "gradients", place=place, seeds=seeds),
        ]
    )


def _loops(
    equations: Equations,
    levels: list[Node],
    name: str,
    *,
    place: Mapping[str, int],
    seeds: Mapping[str, int],
) -> str:
    """One function: over patients, then over times, then by the assay asked for."""
    gradient = name == "gradients"
    clock = Clock(equations.lines, frozenset(place))
    w = Writer(lines=equations.lines)
    with w.block("for i in range(p.shape[0]):"):
        for known, column in place.items():
            slopes = {known: "1.0"} if known in seeds else None
            w.bind(known, f"p[i, {column}]", slopes)
        w.write("row = i if times.shape[0] > 1 else 0")
        w.hoist(levels, clock.free)
        with w.block("for j in range(times.shape[1]):"):
            w.bind(TIME, "times[row, j]")
            w.ahead(levels)
            for number, node in enumerate(levels):
                with w.block(f"if which == {number}:"):
                    _sample(w, node, seeds=seeds, gradient=gradient)
    return function(name, f"which, p, times, out{', jac' * gradient}", w.text)


def _sample(w: Writer, node: Node, *, seeds: Mapping[str, int], gradient: bool) -> None:
    """Log level of one sample, held within limits as NumPy's clip does, and slopes."""
    level = w.evaluate(node)
    for head, code in (
        (f"if {level.code} < {SMALLEST!r}:", repr(log(SMALLEST))),
        (f"elif {level.code} > {LARGEST!r}:", repr(log(LARGEST))),
        ("else:", f"math.log({level.code})"),
    ):
        with w.block(head):
            w.write(f"out[i, j] = {code}")
    if not gradient:
        return
    with w.block(f"if {SMALLEST!r} < {level.code} < {LARGEST!r}:"):
        inverse = w.arithmetic.over("1.0", level.code)
        for seed, k in seeds.items():
            slope = level.slope(seed)
            code = "0.0" if slope == "0.0" else f"{inverse}*{slope}"
            w.write(f"jac[i, j, {k}] = {code}")
    with w.block("else:"):
        w.write("jac[i, j, :] = 0.0")
