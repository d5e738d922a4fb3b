import numpy as np
import pytest
from export_readers import MLXTRAN

from cellpk.errors import ModelError
from cellpk.model.export.code import Code, Syntax
from cellpk.model.export.naming import Names
from cellpk.model.export.writing import (
    HELD,
    OPEN,
    Lowering,
    Printer,
    comment,
    wrapped,
)
from cellpk.model.expression import parse
from cellpk.model.sensitivity import Scope, constant

SYNTAX = Syntax("{} = {}", "if {} {} {}", "else", "end", {})
NAMES = ("a", "b", "c", "t", "y")
TEXTS = [
    "a - (b - c)",
    "a - b - c",
    "a/(b*c)",
    "a/b/c",
    "a*-b",
    "a - -b",
    "-a**2",
    "(-a)**2",
    "a**-b",
    "a**b**c",
    "(a**b)**c",
    "2**-1",
    "-(a + b)*c",
    "1e-14*a + 6.023e23*b",
    "a if t < b else c",
    "2*(a if t < b else c) + 1",
    "a if t < b else (b if t < c else c)",
    "(a if b > c else b) if t >= a else (c if b <= a else a)",
    "exp(a if t < b else c)",
    "min(a, max(b, c)) - min(t, a if b < c else c)",
    "expit(a - b) + softplus((t - a)/c)",
    "expit(1000*a) + expit(-1000*a) + softplus(-900*b) + softplus(900*b)",
    "sqrt(a) + log(b)*exp(-c*t)",
    "1 if (a if b < c else b) < (c if t < a else b) else 0",
]


def code(rules):
    names = Names(frozenset())
    for name in NAMES:
        names.add(name)
    lowering = Lowering(fresh=names.fresh, rules=rules, guard=700.0)
    return Code(names, Printer(names=names.of, number=repr), lowering, SYNTAX)


@pytest.mark.parametrize("rules", [HELD, OPEN], ids=["held", "open"])
@pytest.mark.parametrize("text", TEXTS)
def test_statements_have_the_value_of_the_tree(text, rules):
    node = parse(text)
    program = MLXTRAN.program(code(rules).line("y", node))
    rng = np.random.default_rng(1)
    for a, b, c, t in rng.uniform(0.1, 3, size=(20, 4)):
        values = {"a": a, "b": b, "c": c, "t": t}
        expected = Scope({k: constant(v) for k, v in values.items()}, {}).evaluate(node)
        for step in program:
            step(values)
        assert values["y"] == pytest.approx(float(expected.value), rel=1e-12, abs=1e-15)


def test_an_integral_cannot_be_written():
    with pytest.raises(ModelError, match=r"integral.*form='ode'"):
        code(HELD).line("y", parse("integral(a*s, s, 0, t)"))


def test_two_signs_never_stand_side_by_side():
    text = code(HELD).line("y", parse("a*-b + -c*a"))[0]
    assert text == "y = a*(-b) + (-c*a)"


def test_helping_variables_are_named_after_what_they_help():
    names = [
        x.split(" = ")[0].strip()
        for x in code(OPEN).line("y", parse("1 + expit(a - b)"))
    ]
    assert {x for x in names if x[0] == "y"} == {"y", "y_1", "y_2"}


def test_a_line_without_a_place_to_break_stays_whole():
    assert wrapped("A=B*C*D", width=3, ending="&", indent=" ") == ["A=B*C*D"]


def test_comments_are_ascii():
    assert comment(["naïve cells"], sign="# ") == ["# na?ve cells"]


def test_count_of_helping_variables_is_not_bounded():
    many = " + ".join(f"({i} if t < {i} else a)" for i in range(1, 30))
    lines = code(HELD).line("y", parse(many))
    assert sum(line.startswith("if ") for line in lines) == 29
