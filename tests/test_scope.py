"""The walk along a tree, with plain numbers for values."""

import math
import operator
from typing import ClassVar

import pytest

from cellpk.model.expression import parse
from cellpk.model.scope import Lookup


class Plain(Lookup[float]):
    rules: ClassVar = {
        "negative": operator.neg,
        "+": operator.add,
        "*": operator.mul,
        "exp": math.exp,
    }
    _number = float

    def _choice(self, node):
        test = self.evaluate(node.left) < self.evaluate(node.right)
        return self.evaluate(node.yes if test else node.no)

    def _integral(self, node):
        raise NotImplementedError


def test_lines_are_worked_out_when_first_asked_for_and_once():
    scope = Plain({"a": 2.0}, {"b": parse("a*a + 1"), "lost": parse("unknown")})
    assert scope.evaluate(parse("-b*exp(0) if a < 3 else 7")) == -5
    assert scope["b"] == 5
    with pytest.raises(KeyError, match="unknown"):
        scope["lost"]
