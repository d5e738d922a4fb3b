"""The walk along a tree, whatever it is evaluated to: numbers with gradients, tensors.

Names are looked up among those given, then among the named lines, which are worked out
when first asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from cellpk.model.expression import (
    Binary,
    Call,
    Choice,
    Integral,
    Name,
    Negative,
    Node,
    Number,
)


class Lookup[T](ABC):
    """Values of names: those given, and named lines worked out when first asked for.

    Parameters
    ----------
    given : mapping of str to T
        Parameters, ``t``, and whatever else is known.
    lines : mapping of str to Node
        Named right-hand sides.
    """

    rules: ClassVar[Mapping[str, Callable[..., Any]]]
    """What operators, functions and ``negative``, the minus sign, do with values."""

    def __init__(self, given: Mapping[str, T], lines: Mapping[str, Node]) -> None:
        self._known = dict(given)
        self._lines = lines

    def __getitem__(self, name: str) -> T:
        if name not in self._known:
            self._known[name] = self._found(name)
        return self._known[name]

    def evaluate(self, node: Node) -> T:
        """Return the value of a tree in this scope."""
        match node:
            case Number(value):
                result = self._number(value)
            case Name(name):
                result = self[name]
            case Negative(operand):
                result = self._call("negative", (operand,))
            case Binary(operator, left, right):
                result = self._call(operator, (left, right))
            case Call(function, arguments):
                result = self._call(function, arguments)
            case Choice():
                result = self._choice(node)
            case Integral():
                result = self._integral(node)
        return result

    def _found(self, name: str) -> T:
        return self.evaluate(self._lines[name])

    def _call(self, rule: str, arguments: tuple[Node, ...]) -> T:
        return self.rules[rule](*map(self.evaluate, arguments))

    @staticmethod
    @abstractmethod
    def _number(value: float) -> T: ...

    @abstractmethod
    def _choice(self, node: Choice) -> T: ...

    @abstractmethod
    def _integral(self, node: Integral) -> T: ...
