"""Generated modules: what stands in them, and nothing that is not used."""

import ast

import numpy as np
import pytest

from cellpk.model.compile.module_text import NODES, function, module_text


def test_a_module_is_python_and_imports_what_it_is_told():
    text = module_text(
        [function("f", "x", "    y = math.exp(x)", end="return y")],
        imports=["from cellpk.model import levels"],
    )
    kinds = [type(node).__name__ for node in ast.parse(text).body]
    assert kinds == ["Import", "Import", "ImportFrom", "ImportFrom", "FunctionDef"]


def test_points_of_integration_are_written_where_they_are_used():
    assert "PLACES" not in module_text([function("f", "x", "", end="return x")])
    text = module_text([function("f", "k", "", end="return PLACES[k]*WEIGHTS[k]")])
    values = {
        node.targets[0].id: ast.literal_eval(node.value.args[0])
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
    }
    assert len(values["PLACES"]) == NODES
    # the rule is exact for x**5 on the interval from 0 to 1
    found = np.dot(np.power(values["PLACES"], 5), values["WEIGHTS"])
    assert found == pytest.approx(1 / 6, rel=1e-14)
