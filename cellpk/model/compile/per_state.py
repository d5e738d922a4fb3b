"""The rate of a state per state: what remains of ``dX/dt`` when divided by X.

A state on the log scale, ``z = log X``, changes by ``dX/dt / X``. Where X is a factor
of a term it is taken out of the text, so that nothing is divided by a number that can
be as small as 1e-260; the rest is multiplied by ``1/X``, a name that the code binds to
``exp(-z)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Name,
    Negative,
    Node,
    Number,
)
from cellpk.model.switches import ONE, ZERO


def inverse(state: str) -> Name:
    """Return the name of 1/X, which no model file can use.

    Examples
    --------
    >>> print(inverse("E"))
    1/E
    """
    return Name(f"1/{state}")


def per_state(node: Node, state: str, lines: Mapping[str, Node] | None = None) -> Node:
    """Return a rate divided by the state.

    Parameters
    ----------
    node : Node
        Right side of ``dX/dt``.
    state : str
        X, taken as positive.
    lines : mapping of str to Node
        Named lines; one that holds X as a factor is written out.

    Returns
    -------
    Node
        Sums and branches are divided part by part; a part with the factor X loses it;
        every other part is multiplied by ``inverse(state)``.

    Examples
    --------
    >>> from cellpk.model.expression import parse
    >>> print(per_state(parse("rho*E*(1 - E/K) - alpha*E + k*M"), "E"))
    rho*(1 - E/K) - alpha + k*M*1/E
    """
    return _Division(state, lines or {}).apart(node)


class _NoFactorError(Exception):
    """X is not a factor."""


@dataclass(frozen=True)
class _Division:
    """By one state."""

    state: str
    lines: Mapping[str, Node]

    def apart(self, node: Node) -> Node:
        """Divide part by part, with 1/X where nothing better is found."""
        if self.divides(node):
            return self.without(node)
        match node:
            case Binary("+" | "-" as sign, left, right):
                return _joined(sign, self.apart(left), self.apart(right))
            case Negative(operand):
                return Negative(self.apart(operand))
            case Choice(yes, left, sign, right, no):
                return Choice(self.apart(yes), left, sign, right, self.apart(no))
            case Name(name) if name in self.lines and self.helps(self.lines[name]):
                return self.apart(self.lines[name])
        return Binary("*", node, inverse(self.state))

    def helps(self, node: Node) -> bool:
        """Whether some part of a sum or of a branch holds the factor X."""
        if self.divides(node):
            return self.without(node) != ZERO
        match node:
            case Binary("+" | "-", left, right):
                return self.helps(left) or self.helps(right)
            case Negative(operand):
                return self.helps(operand)
            case Choice(yes, _, _, _, no):
                return self.helps(yes) or self.helps(no)
            case Name(name) if name in self.lines:
                return self.helps(self.lines[name])
        return False

    def divides(self, node: Node) -> bool:
        """Whether X is a factor of ``node``."""
        try:
            self.without(node)
        except _NoFactorError:
            return False
        return True

    def without(self, node: Node) -> Node:
        """Return ``node`` with one factor X less; raise where it has none."""
        match node:
            case Number(0.0):
                rest = ZERO
            case Name(name):
                rest = self.name(name)
            case Negative(operand):
                rest = Negative(self.without(operand))
            case Binary():
                rest = self.binary(node)
            case Choice(yes, left, sign, right, no):
                rest = Choice(self.without(yes), left, sign, right, self.without(no))
            case Call("min" | "max" as function, arguments):
                rest = Call(function, tuple(map(self.without, arguments)))
            case _:
                raise _NoFactorError
        return rest

    def name(self, name: str) -> Node:
        """Of the state, 1; of a named line, what its text gives."""
        if name == self.state:
            return ONE
        if name not in self.lines:
            raise _NoFactorError
        return self.without(self.lines[name])

    def binary(self, node: Binary) -> Node:
        """Of a sum, both sides; of a product, one; of a ratio, the left one."""
        left, right = node.left, node.right
        if node.operator in "+-":
            return _joined(node.operator, self.without(left), self.without(right))
        if node.operator == "**":
            return self.power(left, right)
        try:
            return _scaled(node.operator, self.without(left), right)
        except _NoFactorError:
            if node.operator == "/":
                raise
            return _scaled("*", left, self.without(right))

    def power(self, base: Node, exponent: Node) -> Node:
        """X**n becomes X**(n - 1)."""
        if base != Name(self.state):
            raise _NoFactorError
        if isinstance(exponent, Number):
            return Binary("**", base, Number(exponent.value - 1))
        return Binary("**", base, Binary("-", exponent, ONE))


def _joined(sign: str, left: Node, right: Node) -> Node:
    if right == ZERO:
        return left
    if left == ZERO:
        return right if sign == "+" else Negative(right)
    return Binary(sign, left, right)


def _scaled(operator: str, left: Node, right: Node) -> Node:
    if operator == "*" and ONE in (left, right):
        return right if left == ONE else left
    return ZERO if left == ZERO else Binary(operator, left, right)
