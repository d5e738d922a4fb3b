"""Gradients along the tree equal differences; nothing leaks from a branch."""

import numpy as np
import pytest

from cellpk.model.expression import parse
from cellpk.model.sensitivity import Quantity, Scope, constant

VALUES = np.array([0.7, 1.9])


def evaluate(text, values=VALUES):
    given = {
        name: Quantity(np.asarray(value), np.eye(2)[i])
        for i, (name, value) in enumerate(zip("ab", values, strict=True))
    }
    with np.errstate(all="ignore"):
        return Scope({**given, "t": constant(3.0)}, {}).evaluate(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "a + b*t",
        "a - b",
        "a*b/(a + 2)",
        "-a/b",
        "a**b",
        "a**3 + 2**b",
        "exp(-a*b)",
        "log(a + b)",
        "sqrt(a*b)",
        "expit(a - b)",
        "softplus((a - b)*4)",
        "min(a, b) + 2*max(a*3, b)",
        "a**2 if t < b else b**2",
        "a if t > b else b",
        "integral(exp(-a*s)*b, s, a, b*t)",
        "integral(s*integral(a*r, r, 0, s), s, 0, b)",
    ],
)
def test_gradients_equal_differences(text):
    step = 1e-6
    expected = [
        (evaluate(text, VALUES + h).value - evaluate(text, VALUES - h).value) / step / 2
        for h in step * np.eye(2)
    ]
    assert evaluate(text).gradient == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_an_integral_of_an_exponential_is_exact():
    found = evaluate("integral(exp(-a*s), s, 0, t)").value
    assert found == pytest.approx((1 - np.exp(-2.1)) / 0.7, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "a if t < 10 else exp(1e5*b)",
        "a if t < 10 else log(-b)",
        "a if t < 10 else b/(t - 3)",
        "a if t < 10 else sqrt(t - 3)**(-b)",
    ],
)
def test_the_branch_not_taken_does_not_leak(text):
    found = evaluate(text)
    assert found.value == 0.7
    assert found.gradient.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("expit(-800*a)", np.exp(-560)),
        ("expit(800*a)", 1.0),
        ("softplus(800*a)", 560.0),
        ("softplus(-800*a)", np.exp(-560)),
        ("(a - a)**b", 0.0),
    ],
)
def test_functions_hold_at_their_ends(text, value):
    found = evaluate(text)
    assert found.value == pytest.approx(value, rel=1e-12, abs=0)
    assert np.isfinite(found.gradient).all()


def test_constants_carry_no_gradient():
    assert evaluate("2*t + exp(3)").gradient is None
