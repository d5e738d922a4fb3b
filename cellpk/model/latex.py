"""Equations as LaTeX formulas, from the same tree that is evaluated."""

import re

from cellpk.model.blocks import Block
from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Integral,
    Name,
    Negative,
    Node,
    Number,
    binding,
)

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|"
    "sigma|tau|upsilon|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|"
    "Omega"
)
_NAMED = {"exp": r"\exp", "log": r"\log", "min": r"\min", "max": r"\max"}
_COMPARED = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}


def symbol(name: str) -> str:
    r"""Return a name as a symbol: Greek letters, and what follows as an index.

    Examples
    --------
    >>> symbol("alpha"), symbol("tmax"), symbol("K12"), symbol("foldx")
    ('\\alpha', 't_{\\mathrm{max}}', 'K_{12}', '\\mathrm{foldx}')
    """
    stem, _, index = name.partition("_")
    ending = re.fullmatch(rf"([A-Za-z]|{_GREEK})(max|min)?(\d*)", stem)
    if ending and (ending[2] or ending[3]):
        after = f"{ending[2] or ''}{ending[3]}"
        stem, index = ending[1], f"{after}_{index}" if index else after
    letter = stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    if re.fullmatch(_GREEK, stem):
        letter = rf"\{stem}"
    if not index:
        return letter
    index = index.replace("_", r"\_")
    return f"{letter}_{{{index if index.isdigit() else rf'\mathrm{{{index}}}'}}}"


def formula(node: Node) -> str:
    r"""Return a right side as LaTeX.

    Parameters
    ----------
    node : Node
        A tree, as from :func:`cellpk.model.expression.parse`.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> print(formula(parse("-alpha*E/(1 + x**2)")))
    \frac{-\alpha \, E}{1 + x^{2}}
    """
    match node:
        case Number():
            text = re.sub(r"e\+?(-?)0*(\d+)", r" \\cdot 10^{\1\2}", str(node))
            text = text.removeprefix(r"1 \cdot ")
        case Name(name):
            text = symbol(name)
        case Negative(operand):
            text = f"-{_wrapped(operand, 2)}"
        case Binary():
            text = _binary(node)
        case Call():
            text = _call(node)
        case Choice():
            text = _choice(node)
        case Integral(body, variable, lower, upper):
            limits = f"_{{{formula(lower)}}}^{{{formula(upper)}}}"
            text = rf"\int{limits} {formula(body)} \, \mathrm{{d}}{symbol(variable)}"
    return text


def _rank(node: Node) -> int:
    """Return how tightly the formula of a node holds together."""
    match node:
        case Integral():
            return 1
        case Number() if "e" in str(node):
            return 2  # a product with a power of ten
    return binding(node)


def _wrapped(node: Node, rank: int, *, right: bool = False) -> str:
    """Return the formula of an operand, in brackets where it would fall apart."""
    text = formula(node)
    loose = _rank(node) < rank or (right and text.startswith("-"))
    return rf"\left({text}\right)" if loose else text


def _binary(node: Binary) -> str:
    left, right = node.left, node.right
    if node.operator == "/":
        return rf"\frac{{{formula(left)}}}{{{formula(right)}}}"
    if node.operator == "**":
        return f"{_wrapped(left, 9)}^{{{formula(right)}}}"
    if node.operator == "*":
        after = _wrapped(right, 2, right=True)
        times = r"\cdot" if after[0].isdigit() else r"\,"
        return rf"{_wrapped(left, 2)} {times} {after}"
    return f"{_wrapped(left, 1)} {node.operator} {_wrapped(right, 2, right=True)}"


def _call(node: Call) -> str:
    inside = ", ".join(map(formula, node.arguments))
    if node.function == "sqrt":
        return rf"\sqrt{{{inside}}}"
    name = _NAMED.get(node.function, rf"\operatorname{{{node.function}}}")
    return rf"{name}\left({inside}\right)"


def _choice(node: Choice) -> str:
    rows, rest = [], node
    while isinstance(rest, Choice):
        test = f"{formula(rest.left)} {_COMPARED[rest.sign]} {formula(rest.right)}"
        rows.append(rf"{formula(rest.yes)} & \text{{if }} {test}")
        rest = rest.no
    rows.append(rf"{formula(rest)} & \text{{else}}")
    return rf"\begin{{cases}} {r' \\ '.join(rows)} \end{{cases}}"


def block_formulas(block: Block) -> list[str]:
    r"""Return the equations of a block as LaTeX, one formula per line of it.

    Examples
    --------
    >>> from cellpk.model.blocks import read_block
    >>> block_formulas(read_block("E(0) = 1\ndE/dt = -alpha*E", known=["alpha"]))
    ['E(0) = 1', '\\frac{\\mathrm{d}E}{\\mathrm{d}t} = -\\alpha \\, E']
    """
    sides = {
        "{}": block.lines,
        "{}(0)": block.starts,
        r"\frac{{\mathrm{{d}}{}}}{{\mathrm{{d}}t}}": block.rates,
    }
    return [
        f"{left.format(symbol(name))} = {formula(node)}"
        for left, nodes in sides.items()
        for name, node in nodes.items()
    ]
