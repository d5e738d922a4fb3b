"""Text becomes a tree, or an error that names the token; nothing is run."""

import pytest

from cellpk import ModelError
from cellpk.model.expression import Integral, names, parse


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c)",
        "a/(b*c)",
        "a*b/c",
        "(a + b)*c",
        "-a**2",
        "(-a)**2",
        "a**(b**c)",
        "(a**b)**c",
        "-(a + b)",
        "a - -b",
        "1 if t < a else 2 if t <= b else exp(-t)",
        "(1 if t > a else 0)*b",
        "(1 if t > a else 2) if b < c else 3",
        "max(a, min(b, 1e-14))",
        "integral(s**2, s, 0, t)",
    ],
)
def test_what_is_printed_reads_as_the_same(text):
    node = parse(text)
    assert parse(str(node)) == node


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("__import__('os').system('ls')", "__import__"),
        ("a.b", "a.b"),
        ("a[0]", "a[0]"),
        ("lambda: 1", "lambda: 1"),
        ("[1, 2]", "[1, 2]"),
        ("exp(x for x in y)", "x for x in y"),
        ("1 + 'text'", "'text'"),
        ("a if t < b < c else d", "t < b < c"),
        ("a if t == b else d", "t == b"),
        ("a if b else c", "a if b else c"),
        ("True", "True"),
        ("2j", "2j"),
        ("a // b", "a // b"),
        ("exp + 1", "exp"),
        ("a +", "a +"),
        ("a + + * b", "at '*'"),
        ("a ^ b", "a ^ b"),
        ("a && b", "at '&'"),
        ("2 rho", "at 'rho'"),
        ("a*(2 + b rho)", "at 'rho'"),
        ("a*(b (c))", "'b' is not a function"),
        ("1e999", "1e999"),
        ("1" + "0" * 400, "10000"),
        ("a \u2212 b", "at '\u2212'"),
        ("a if t < 1", "a if t < 1"),
        ("", "''"),
        ("exp(a, b)", "exp(a, b)"),
        ("min(a)", "min(a)"),
        ("exp(x=1)", "exp(x=1)"),
        ("integral(a, 2, 0, 1)", "integral(a, 2, 0, 1)"),
        ("(a := 3)", "a := 3"),
    ],
)
def test_what_is_foreign_is_an_error_that_names_the_token(text, token):
    with pytest.raises(ModelError) as caught:
        parse(text, where="m.toml, equations, line 3")
    assert token in caught.value.found
    assert caught.value.where == "m.toml, equations, line 3"
    assert caught.value.todo


def test_an_unknown_function_offers_the_nearest():
    with pytest.raises(ModelError, match="Did you mean 'sqrt'"):
        parse("sqr(a)")


def test_the_variable_of_an_integral_is_not_needed_from_outside():
    node = parse("integral(exp(-k*s), s, 0, t) + a")
    assert names(node) == ("k", "t", "a")
    assert any(isinstance(child, Integral) for child in (node.left,))


@pytest.mark.parametrize(
    ("text", "todo"),
    [
        ("a ^ b", r"Write \*\* for a power."),
        ("1 if a < b and c < d else 2", "nest"),
        ("1 if not a else 2", "Compare two things"),
        ("log + 1", r"Write log\(...\)."),
    ],
)
def test_a_usual_slip_has_its_own_advice(text, todo):
    with pytest.raises(ModelError, match=todo):
        parse(text)


def test_an_error_in_a_long_text_names_the_line():
    with pytest.raises(ModelError) as caught:
        parse("(a +\n b +\n c.d)", where=lambda n: f"line {n + 1}")
    assert (caught.value.where, caught.value.found) == (
        "line 3",
        "'c.d' cannot be read",
    )


def test_a_text_of_endless_depth_is_refused():
    with pytest.raises(ModelError, match="cannot be read"):
        parse("(" * 5000 + "1" + ")" * 5000)
