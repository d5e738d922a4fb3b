"""Numbers that carry their gradient, and the trees of a model evaluated with them.

The language has nine functions and five operators; their derivatives are written here
once and the chain rule runs along the tree, branch by branch. A symbolic algebra
system is not needed for that: it would cost three seconds on every start and has to be
kept from expanding nested branches, which is where it hangs.

A quantity has ``value`` of shape (...) and ``gradient`` of shape (..., p), the last
axis being the parameters, or ``None`` where it depends on no parameter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cellpk.model.expression import (
    Choice,
    Integral,
)
from cellpk.model.scope import Lookup


@dataclass(frozen=True, eq=False)
class Quantity:
    """A value, shape (...), and its gradient, shape (..., p), or None for constants.

    Examples
    --------
    >>> x = Quantity(np.array(3.0), np.array([1.0]))
    >>> (x * x).gradient
    array([6.])
    """

    value: np.ndarray
    gradient: np.ndarray | None = None

    def along(self, slope: np.ndarray) -> np.ndarray | None:
        """Return the gradient of a function that has this slope: the chain rule."""
        return None if self.gradient is None else slope[..., None] * self.gradient

    def widened(self) -> "Quantity":
        """Return the same quantity with one more axis, along which it is constant."""
        gradient = self.gradient
        wide = None if gradient is None else gradient[..., None, :]
        return Quantity(self.value[..., None], wide)

    def summed(self) -> "Quantity":
        """Return the sum along the last axis of the value."""
        gradient = self.gradient
        total = None if gradient is None else gradient.sum(axis=-2)
        return Quantity(self.value.sum(axis=-1), total)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.value, None if self.gradient is None else -self.gradient)

    def __add__(self, other: "Quantity") -> "Quantity":
        gradient = _added(self.gradient, other.gradient)
        return Quantity(self.value + other.value, gradient)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return self + (-other)

    def __mul__(self, other: "Quantity") -> "Quantity":
        gradient = _added(self.along(other.value), other.along(self.value))
        return Quantity(self.value * other.value, gradient)

    def __truediv__(self, other: "Quantity") -> "Quantity":
        ratio = self.value / other.value
        inverse = np.divide(1.0, other.value)
        gradient = _added(self.along(inverse), other.along(-ratio * inverse))
        return Quantity(ratio, gradient)

    def __pow__(self, other: "Quantity") -> "Quantity":
        base, power = self.value, other.value
        result = np.power(base, power)
        gradient = self.along(power * np.power(base, power - 1))
        if other.gradient is not None:
            # 0**b is 0 whatever b > 0, though log(0) is not finite
            logs = np.log(np.where(base > 0, base, 1.0))
            gradient = _added(gradient, other.along(result * logs))
        return Quantity(result, gradient)


def constant(value: Any) -> Quantity:
    """Return a quantity that depends on no parameter.

    Examples
    --------
    >>> constant(2.0).gradient is None
    True
    """
    return Quantity(np.asarray(value, dtype=float))


def _added(one: np.ndarray | None, two: np.ndarray | None) -> np.ndarray | None:
    if one is None or two is None:
        return two if one is None else one
    return one + two


def chosen(test: np.ndarray, yes: Quantity, no: Quantity) -> Quantity:
    """Return ``yes`` where ``test`` holds, else ``no``: the value and the gradient.

    What the branch not taken holds (infinite, not a number) does not leak through.

    Examples
    --------
    >>> chosen(np.array([True, False]), constant(1.0), constant(np.nan)).value
    array([ 1., nan])
    """
    value = np.where(test, yes.value, no.value)
    if yes.gradient is None and no.gradient is None:
        return Quantity(value)
    gradients = (0.0 if x.gradient is None else x.gradient for x in (yes, no))
    return Quantity(value, np.where(test[..., None], *gradients))


def _exp(x: Quantity) -> Quantity:
    value = np.exp(x.value)
    return Quantity(value, x.along(value))


def _log(x: Quantity) -> Quantity:
    return Quantity(np.log(x.value), x.along(np.divide(1.0, x.value)))


def _sqrt(x: Quantity) -> Quantity:
    value = np.sqrt(x.value)
    return Quantity(value, x.along(np.divide(0.5, value)))


def _logistic(x: np.ndarray) -> np.ndarray:
    """Right to the last digit at both ends, where 1/(1+exp(-x)) is not."""
    return np.exp(-np.logaddexp(0.0, -x))


def _expit(x: Quantity) -> Quantity:
    value = _logistic(x.value)
    return Quantity(value, x.along(value * _logistic(-x.value)))


def _softplus(x: Quantity) -> Quantity:
    return Quantity(np.logaddexp(0.0, x.value), x.along(_logistic(x.value)))


_RULES: Mapping[str, Callable[..., Quantity]] = {
    "negative": Quantity.__neg__,
    "+": Quantity.__add__,
    "-": Quantity.__sub__,
    "*": Quantity.__mul__,
    "/": Quantity.__truediv__,
    "**": Quantity.__pow__,
    "exp": _exp,
    "log": _log,
    "sqrt": _sqrt,
    "expit": _expit,
    "softplus": _softplus,
    "min": lambda a, b: chosen(a.value <= b.value, a, b),
    "max": lambda a, b: chosen(a.value >= b.value, a, b),
}

_TESTS: Mapping[str, Callable[..., Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class Scope(Lookup[Quantity]):
    """Values and gradients of names and trees.

    Parameters
    ----------
    given : mapping of str to Quantity
        Parameters, ``t``, and whatever else is known.
    lines : mapping of str to Node
        Named right-hand sides.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> scope = Scope({"tmax": constant(9.3)}, {"rho": parse("log(3900)/tmax")})
    >>> scope["rho"].value.round(6)
    np.float64(0.889111)
    """

    rules = _RULES
    _number = staticmethod(constant)

    def _choice(self, node: Choice) -> Quantity:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        test = np.asarray(_TESTS[node.sign](left.value, right.value))
        return chosen(test, self.evaluate(node.yes), self.evaluate(node.no))

    def _integral(self, node: Integral) -> Quantity:
        """Gauss-Legendre; the nodes move with the limits, and so does the gradient."""
        start, stop = self.evaluate(node.lower), self.evaluate(node.upper)
        nodes, weights = spread_nodes(start, stop)
        inner = _Inner(self, node.variable, nodes)
        return (inner.evaluate(node.body) * weights).summed()


class _Inner(Scope):
    """The scope inside an integral: one more axis, that of the nodes."""

    def __init__(self, outer: Scope, variable: str, nodes: Quantity) -> None:
        super().__init__({variable: nodes}, {})
        self._outer = outer

    def _found(self, name: str) -> Quantity:
        return self._outer[name].widened()


def spread_nodes(
    start: Quantity, stop: Quantity, *, count: int = 64
) -> tuple[Quantity, Quantity]:
    """Return Gauss-Legendre nodes and weights between two limits, on a new last axis.

    Examples
    --------
    >>> nodes, weights = spread_nodes(constant(0.0), constant(2.0))
    >>> float((nodes * nodes * weights).summed().value.round(9))
    2.666666667
    """
    places, weights = _rule(count)
    start, width = start.widened(), (stop - start).widened()
    return start + width * places, width * weights


@cache
def _rule(count: int) -> tuple[Quantity, Quantity]:
    """Places and weights on the interval from 0 to 1."""
    places, weights = np.polynomial.legendre.leggauss(count)
    return constant((places + 1) / 2), constant(weights / 2)
