"""Written statements give the values and derivatives of the tree they come from.

They are run by Python itself here, whose arithmetic raises where numba's would go on
with infinities: so a branch that is not taken is seen not to run.
"""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from cellpk.model.compile.module_text import JIT, function, module_text
from cellpk.model.compile.source import Writer
from cellpk.model.expression import parse
from cellpk.model.sensitivity import Quantity, Scope, constant
from cellpk.model.switches import Clock

VALUES = (0.7, 1.9)
LINES = {
    "tau": parse("t - b"),
    "rho": parse("log(a)/b"),
    "late": parse("exp(-a*tau) if t > b else rho"),
    "both": parse("late + rho if tau < a else late - rho"),
}


@pytest.fixture
def run(tmp_path):
    """Return a function from the text of a tree to its value and derivatives."""

    def work(text, values=VALUES, time=3.0):
        writer = Writer(lines=LINES)
        for i, name in enumerate("ab"):
            writer.bind(name, f"p[{i}]", {name: "1.0"})
        writer.bind("t", "t")
        term = writer.evaluate(parse(text))
        end = f"return {term.code}, [{term.slope('a')}, {term.slope('b')}]"
        found = imported(tmp_path, function("f", "t, p", writer.text, end=end))
        return found.f(time, values)

    return work


def imported(folder, text):
    """Run by Python alone what is written for numba."""
    path = folder / "written.py"
    path.write_text(module_text([text]).replace(JIT, ""), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def expected(text, values=VALUES, time=3.0):
    given = {
        name: Quantity(np.asarray(value), np.eye(2)[i])
        for i, (name, value) in enumerate(zip("ab", values, strict=True))
    }
    with np.errstate(all="ignore"):
        found = Scope({**given, "t": constant(time)}, LINES).evaluate(parse(text))
    return found.value, np.zeros(2) if found.gradient is None else found.gradient


TEXTS = [
    "a + b*t",
    "a - b",
    "a*b/(a + 2)",
    "-a/b",
    "a**b",
    "a**3 + 2**b + a**1 + b**(-2) + a**0.25",
    "exp(-a*b)",
    "log(a + b)",
    "sqrt(a*b)",
    "expit(a - b) + expit(b - a)",
    "softplus((a - b)*4) + softplus(b - a)",
    "min(a, b) + 2*max(a*3, b)",
    "a**2 if t < b else b**2",
    "a if t > b else b",
    "both*late + rho",
    "(a if a < b else t) if t <= 3 else 7",
    "2*t + exp(3) - 1e-5*0",
    "integral(exp(-a*s)*b, s, a, b*t)",
    "integral(s*integral(a*r, r, 0, s), s, 0, b)",
    "integral(a*s, s, 0, b) + integral(b*s, s, 0, a)",
    "integral(integral(a*s, s, 0, s + 0*b) if s < a else rho, s, 0, b)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_values_and_derivatives_equal_those_of_the_tree(run, text):
    value, slopes = run(text)
    assert value == pytest.approx(expected(text)[0], rel=1e-14)
    assert slopes == pytest.approx(expected(text)[1], rel=1e-13, abs=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "a if t < 10 else exp(1e5*b)",
        "a if t < 10 else log(-b)",
        "a if t < 10 else b/(t - 3)",
        "exp(1e5*b) if t > 10 else a",
        "max(a, -b) if t < 10 else min(exp(1e5*b), log(-b))",
    ],
)
def test_the_branch_not_taken_is_not_worked_out(run, text):
    assert run(text) == (0.7, [1.0, 0.0])


@pytest.mark.parametrize(
    ("text", "value", "slope"),
    [
        ("expit(-800*a)", np.exp(-560), -800 * np.exp(-560)),
        ("expit(800*a)", 1.0, 800 * np.exp(-560)),
        ("softplus(800*a)", 560.0, 800.0),
        ("softplus(-800*a)", np.exp(-560), -800 * np.exp(-560)),
        ("(a - a)**b", 0.0, 0.0),
    ],
)
def test_functions_hold_at_their_ends(run, text, value, slope):
    found = run(text)
    assert found[0] == pytest.approx(value, rel=1e-12, abs=0)
    assert found[1] == pytest.approx([slope, 0], rel=1e-12, abs=0)


def test_the_same_code_is_written_once():
    writer = Writer(lines={})
    writer.bind("a", "p[0]", {"a": "1.0"})
    writer.evaluate(parse("exp(-a*2) + 3*exp(-a*2) + a"))
    assert writer.text.count("math.exp") == 1
    assert writer.text.count("p[0]") == 1


def test_what_both_branches_need_is_written_before_them():
    writer = Writer(lines=LINES)
    for name in "abt":
        writer.bind(name, name)
    writer.evaluate(parse("both"))
    before, _, _ = writer.text.partition("if v")
    assert "math.log(a)" in before
    assert writer.text.count("math.log(a)") == 1


def test_lines_used_in_many_branches_are_not_written_again_and_again():
    lines = {"x0": parse("exp(t)")}
    for i in range(20):
        lines[f"x{i + 1}"] = parse(f"(x{i} if t < a else 0) + (x{i} if t < b else 1)")
    writer = Writer(lines=lines)
    for name in "abt":
        writer.bind(name, name)
    writer.evaluate(parse("x20"))
    assert writer.text.count("# x10 =") < 20


def test_what_does_not_move_with_time_is_hoisted_out_of_branches_and_integrals():
    writer = Writer(lines=LINES)
    for name in "ab":
        writer.bind(name, name)
    text = "exp(-a*b)*t if t < b else integral(log(a*b)*s*t, s, 0, sqrt(b))"
    writer.hoist([parse(text)], Clock(LINES, frozenset("ab")).free)
    assert "if" not in writer.text
    for once in ("exp", "log", "sqrt"):
        assert f"math.{once}" in writer.text


def test_branches_on_lines_in_time_are_decided_at_the_side(tmp_path):
    """At t = b itself the segment before and the one after see their own branch."""
    text = "(t*a if 2*tau < a*0 else 7 - tau) + max(tau, 0) + (1 if a < b else 2)"
    writer = Writer(lines=LINES, clock=Clock(LINES, frozenset("ab")), side="side")
    for name in ("a", "b", "t"):
        writer.bind(name, name)
    term = writer.evaluate(parse(text))
    module = imported(
        tmp_path,
        function("f", "t, side, a, b", writer.text, end=f"return {term.code}"),
    )
    assert module.f(1.9, 1.8, 0.7, 1.9) == pytest.approx(1.9 * 0.7 + 1)
    assert module.f(1.9, 2.0, 0.7, 1.9) == pytest.approx(7 + 0 + 1)
    assert module.f(1.8, 2.0, 0.7, 1.9) == pytest.approx(7.1 - 0.1 + 1)


def test_a_comparison_of_states_is_decided_as_it_stands(tmp_path):
    writer = Writer(lines={}, clock=Clock({}, frozenset("a")))
    for name in ("a", "E", "M"):
        writer.bind(name, name)
    term = writer.evaluate(parse("min(E, M*a)"))
    module = imported(
        tmp_path, function("f", "a, E, M", writer.text, end=f"return {term.code}")
    )
    assert module.f(2.0, 3.0, 1.0) == 2.0


def test_states_on_the_log_scale_differentiate_by_their_logarithm(tmp_path):
    writer = Writer(lines={})
    writer.write("x = math.exp(z)")
    writer.bind("E", "x", {"E": "x"})
    term = writer.evaluate(parse("E**2 + 3*E"))
    end = f"return {term.code}, {term.slope('E')}"
    found = imported(tmp_path, function("f", "z", writer.text, end=end)).f(0.5)
    x = np.exp(0.5)
    assert found == pytest.approx((x**2 + 3 * x, 2 * x**2 + 3 * x), rel=1e-14)


def test_the_text_does_not_depend_on_the_order_of_sets():
    script = (
        "import cellpk as ck\n"
        "from cellpk.model.compile.source import Writer\n"
        "model = ck.load_model('stein_2019_smooth_peak')\n"
        "w = Writer(lines=model.equations.lines)\n"
        "[w.bind(n, n, {n: '1.0'}) for n in (*model.parameters, 't')]\n"
        "w.evaluate(model.observed['qpcr'].expression)\n"
        "print(w.text)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 1000
