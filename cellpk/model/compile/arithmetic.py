"""Arithmetic on the code of numbers: each result is a variable of its own, once.

A :class:`Term` is a number in generated code together with its derivatives along seeds.
Only derivatives that can differ from zero are written. What was written before, letter
for letter, is used again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite

Let = Callable[[str], str]
"""Writes an expression as a statement and returns the variable that holds it."""

Slopes = Mapping[str, str]
"""Derivatives by seed: variables or numbers, those that are not always zero."""

_SIMPLE = re.compile(r"[A-Za-z_]\w*|\d[\w.]*(e[+-]?\d+)?|\(-[\w.+-]+\)|math\.inf")


@dataclass(frozen=True)
class Term:
    """A number in generated code.

    Parameters
    ----------
    code : str
        A variable or a number: it can stand next to any operator.
    slopes : mapping of str to str
        The code of its derivatives by seed; absent where it is always zero.

    Examples
    --------
    >>> Term("v1", {"tmax": "v2"}).slope("tmax"), Term("v1").slope("tmax")
    ('v2', '0.0')
    """

    code: str
    slopes: Slopes = field(default_factory=dict)

    def slope(self, seed: str) -> str:
        """Return the code of the derivative by one seed, ``0.0`` where it has none."""
        return self.slopes.get(seed, "0.0")


def literal(value: float) -> str:
    """Return a number as code that can stand next to any operator.

    Examples
    --------
    >>> literal(2), literal(-0.5), literal(float("inf"))
    ('2.0', '(-0.5)', 'math.inf')
    """
    if not isfinite(value):
        return "math.inf" if value == inf else "(-math.inf)"
    return repr(float(value)) if value >= 0 else f"({float(value)!r})"


def is_simple(code: str) -> bool:
    """Whether code is a variable or a number.

    Examples
    --------
    >>> is_simple("v1"), is_simple("(-2.0)"), is_simple("p[3]")
    (True, True, False)
    """
    return _SIMPLE.fullmatch(code) is not None


def _number(code: str) -> float | None:
    """Value of a literal; nothing for a variable."""
    if not (code[0].isdigit() or code.startswith("(-")):
        return None
    value = float(code.strip("()").replace("math.", ""))
    return value if isfinite(value) else None


@dataclass(frozen=True)
class Arithmetic:
    """Sums, products and functions of codes and terms.

    Parameters
    ----------
    let : callable
        Writes an expression as a statement and returns the variable that holds it.

    Examples
    --------
    >>> written = []
    >>> def let(code):
    ...     written.append(code)
    ...     return f"v{len(written)}"
    >>> x = Term("x", {"a": "1.0"})
    >>> Arithmetic(let).product(x, x)
    Term(code='v1', slopes={'a': 'v2'})
    >>> written
    ['x*x', 'x + x']
    """

    let: Let

    def plus(self, a: str, b: str) -> str:
        """Code of a + b."""
        if "0.0" in (a, b):
            return b if a == "0.0" else a
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            return literal(x + y)
        return self.let(f"{a} + {b}")

    def minus(self, a: str, b: str) -> str:
        """Code of a - b."""
        if b == "0.0":
            return a
        if a == "0.0":
            return self.negative(b)
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            return literal(x - y)
        return self.let(f"{a} - {b}")

    def negative(self, a: str) -> str:
        """Code of -a."""
        x = _number(a)
        return self.let(f"-{a}") if x is None else literal(-x)

    def times(self, a: str, b: str) -> str:
        """Code of a * b."""
        for one, other in ((a, b), (b, a)):
            if one == "1.0":
                return other
            if one == "(-1.0)":
                return self.negative(other)
        x, y = _number(a), _number(b)
        if x is not None and y is not None and isfinite(x * y):
            return literal(x * y)
        return self.let(f"{a}*{b}")

    def over(self, a: str, b: str) -> str:
        """Code of a / b."""
        x, y = _number(a), _number(b)
        if b == "1.0":
            return a
        if x is not None and y and isfinite(x / y):
            return literal(x / y)
        return self.let(f"{a}/{b}")

    def raised(self, a: str, b: str) -> str:
        """Code of a ** b; small whole powers are products."""
        if b == "0.0":
            return "1.0"
        if b in ("1.0", "2.0", "3.0", "4.0"):
            square = self.times(a, a) if b != "1.0" else ""
            return {
                "1.0": lambda: a,
                "2.0": lambda: square,
                "3.0": lambda: self.times(square, a),
                "4.0": lambda: self.times(square, square),
            }[b]()
        return self.let(f"{a}**{b}")

    def call(self, function: str, a: str) -> str:
        """Code of a function of Python's ``math``."""
        return self.let(f"math.{function}({a})")

    def scaled(self, factor: str, slopes: Slopes) -> dict[str, str]:
        """Multiply derivatives by a factor: the chain rule."""
        if factor == "0.0":
            return {}
        return {seed: self.times(factor, code) for seed, code in slopes.items()}

    def added(self, one: Slopes, two: Slopes) -> dict[str, str]:
        """Sum derivatives, seed by seed."""
        both = {**one, **two}
        summed = {
            seed: self.plus(one.get(seed, "0.0"), two.get(seed, "0.0")) for seed in both
        }
        return {seed: code for seed, code in summed.items() if code != "0.0"}

    def opposite(self, x: Term) -> Term:
        """Term of -x."""
        slopes = {seed: self.negative(code) for seed, code in x.slopes.items()}
        return Term(self.negative(x.code), slopes)

    def sum(self, x: Term, y: Term) -> Term:
        """Term of x + y."""
        return Term(self.plus(x.code, y.code), self.added(x.slopes, y.slopes))

    def difference(self, x: Term, y: Term) -> Term:
        """Term of x - y."""
        slopes = {
            seed: self.minus(x.slope(seed), y.slope(seed))
            for seed in {**x.slopes, **y.slopes}
        }
        return Term(self.minus(x.code, y.code), slopes)

    def product(self, x: Term, y: Term) -> Term:
        """Term of x * y."""
        value = self.times(x.code, y.code)
        left, right = self.scaled(y.code, x.slopes), self.scaled(x.code, y.slopes)
        return Term(value, self.added(left, right))

    def ratio(self, x: Term, y: Term) -> Term:
        """Term of x / y."""
        value = self.over(x.code, y.code)
        if not x.slopes and not y.slopes:
            return Term(value)
        inverse = self.over("1.0", y.code)
        slopes = self.scaled(inverse, x.slopes)
        if y.slopes:
            fall = self.negative(self.times(value, inverse))
            slopes = self.added(slopes, self.scaled(fall, y.slopes))
        return Term(value, slopes)

    def power(self, x: Term, y: Term) -> Term:
        """Term of x ** y; by y, the derivative of 0 ** y is 0."""
        value = self.raised(x.code, y.code)
        slopes: dict[str, str] = {}
        if x.slopes:
            lower = self.raised(x.code, self.minus(y.code, "1.0"))
            slopes = self.scaled(self.times(y.code, lower), x.slopes)
        if y.slopes:
            log = self.let(f"math.log({x.code}) if {x.code} > 0.0 else 0.0")
            slopes = self.added(slopes, self.scaled(self.times(value, log), y.slopes))
        return Term(value, slopes)

    def function(self, name: str, x: Term) -> Term:
        """Term of one of the functions of one argument of the model language."""
        value, slope = _FUNCTIONS[name](self, x.code)
        return Term(value, self.scaled(slope(), x.slopes) if x.slopes else {})


Written = tuple[str, Callable[[], str]]
"""The code of a value, and what writes the code of its derivative when needed."""


def _exp(write: Arithmetic, x: str) -> Written:
    value = write.call("exp", x)
    return value, lambda: value


def _log(write: Arithmetic, x: str) -> Written:
    return write.call("log", x), lambda: write.over("1.0", x)


def _sqrt(write: Arithmetic, x: str) -> Written:
    value = write.call("sqrt", x)
    return value, lambda: write.over("0.5", value)


def _tail(write: Arithmetic, x: str) -> str:
    """exp(-|x|), which neither overflows nor loses digits at either end."""
    return write.call("exp", write.negative(write.call("fabs", x)))


def _logistic(write: Arithmetic, x: str) -> str:
    tail = _tail(write, x)
    near = write.over("1.0", write.plus("1.0", tail))
    return write.let(f"{near} if {x} >= 0.0 else {write.times(tail, near)}")


def _expit(write: Arithmetic, x: str) -> Written:
    def slope() -> str:
        tail = _tail(write, x)
        near = write.over("1.0", write.plus("1.0", tail))
        return write.times(write.times(tail, near), near)

    return _logistic(write, x), slope


def _softplus(write: Arithmetic, x: str) -> Written:
    rest = write.call("log1p", _tail(write, x))
    value = write.let(f"{x} + {rest} if {x} > 0.0 else {rest}")
    return value, lambda: _logistic(write, x)


_FUNCTIONS: Mapping[str, Callable[[Arithmetic, str], Written]] = {
    "exp": _exp,
    "log": _log,
    "sqrt": _sqrt,
    "expit": _expit,
    "softplus": _softplus,
}
