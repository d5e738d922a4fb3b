"""Formulas for a page: MathML, in pieces between which a long line may break."""

import re
from dataclasses import dataclass

from markupsafe import Markup

from cellpk.model.blocks import Block
from cellpk.model.latex import block_formulas

_WORD = re.compile(
    r'(?:<mi mathvariant="normal">[^<]+</mi>|(?<=</mi>)<mn>\d+</mn>){2,}'
)
_UPRIGHT = re.compile(r"<mi>&#x000([46][0-9A-F]|[57][0-9A]);</mi>")
_OPEN = re.compile(r"\\left\b|\\begin\b|\{")
_CLOSE = re.compile(r"\\right\b|\\end\b|\}")
_TOKEN = re.compile(r"\\left\b|\\right\b|\\begin\b|\\end\b|[{}]| [-+] ")
_NOTE = re.compile(r"^[ ]*([^=#\n]+?)[ ]*=[^#\n]*#[ ]*(\S.*?)[ ]*$", re.MULTILINE)


@dataclass(frozen=True)
class Equation:
    """One line of the equations of a model.

    Parameters
    ----------
    left : Markup
        Left side with its sign of equality.
    right : tuple of Markup
        Terms of the right side: a line may break between them.
    note : str
        What the file says of it.
    """

    left: Markup
    right: tuple[Markup, ...]
    note: str = ""


def mathml(latex: str) -> Markup:
    r"""Return LaTeX as MathML in one line of text.

    Parameters
    ----------
    latex : str
        A formula, as :mod:`cellpk.model.latex` writes it.

    Examples
    --------
    >>> mathml(r"\mathrm{foldx}")[-40:]
    Markup('mrow><mi>foldx</mi></mrow></mrow></math>')
    """
    from latex2mathml.converter import convert

    text = convert(latex)
    text = re.sub(r"<math [^>]*>", '<math displaystyle="true">', text, count=1)
    # The library leaves one upright letter, as of dt, slanted.
    text = _UPRIGHT.sub(
        lambda mi: f'<mi mathvariant="normal">{chr(int(mi[1], 16))}</mi>', text
    )
    text = _WORD.sub(lambda run: f"<mi>{_letters(run[0])}</mi>", text)
    text = text.replace("&#x000A0;</mtext>", "&#x000A0;&#x000A0;</mtext>")
    text = text.replace('fence="true"', 'fence="true" lspace="0" rspace="0"')
    # A sign at the start of a term joins it to the one before.
    if re.match(r"\s*[-+] ", latex):
        text = text.replace("<mo>", '<mo form="infix">', 1)
    return Markup(text)


def equations(block: Block) -> tuple[Equation, ...]:
    """Return the equations of a block, each with what its file says of it.

    Parameters
    ----------
    block : Block
        Rates, or the closed form.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> lines = equations(stein.equations.rates)
    >>> len(lines), lines[0].note
    (6, 'expansion rate')
    """
    notes = {_packed(left): note for left, note in _NOTE.findall(block.text)}
    names = [
        *block.lines,
        *(f"{name}(0)" for name in block.starts),
        *(f"d{name}/dt" for name in block.rates),
    ]
    return tuple(
        _equation(formula, notes.get(name, ""))
        for name, formula in zip(names, block_formulas(block), strict=True)
    )


def terms(latex: str) -> list[str]:
    r"""Return the terms of a sum, each with the sign that joins it to the one before.

    Examples
    --------
    >>> terms(r"a + \left(b - c\right) \, d - e")
    ['a', '+ \\left(b - c\\right) \\, d', '- e']
    """
    depth, start, found = 0, 0, []
    for token in _TOKEN.finditer(latex):
        if _OPEN.fullmatch(token[0]):
            depth += 1
        elif _CLOSE.fullmatch(token[0]):
            depth -= 1
        elif depth == 0:
            found.append(latex[start : token.start()])
            start = token.start() + 1
    return [*found, latex[start:]]


def _equation(formula: str, note: str) -> Equation:
    left, _, right = formula.partition(" = ")
    pieces = tuple(mathml(term) for term in terms(right))
    return Equation(mathml(f"{left} ="), pieces, note)


def _letters(run: str) -> str:
    return re.sub(r"<[^>]*>", "", run)


def _packed(left: str) -> str:
    return left.replace(" ", "")
