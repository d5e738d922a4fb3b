"""A rate divided by its state equals the ratio of numbers, without dividing by it."""

import numpy as np
import pytest

from cellpk.model.compile.per_state import inverse, per_state
from cellpk.model.expression import names, parse
from cellpk.model.sensitivity import Scope, constant

LINES = {
    "growth": parse("a*E*(1 - E/b)"),
    "flux": parse("k*E + a"),
    "steady": parse("a*b"),
}
VALUES = {"E": 0.37, "M": 2.1, "a": 0.7, "b": 1.9, "k": 3.3, "t": 4.0, "n": 2.5}

NO_DIVISION = [
    "k*E if t < a else -b*E",
    "-a*E",
    "a*E/(b + E)*k",
    "M*E*a - E",
    "a*E**n/(b**n + E**n)",
    "E**2",
    "max(a*E, b*E)",
    "max(t - a, 0)*E",
    "growth - k*E",
    "M*growth",
    "0 if t < a else E",
    "-k*log((M + E)/b)*E",
]
WITH_DIVISION = ["k*M - a*E", "flux", "a/E", "steady", "M if t < a else E", "exp(E)"]


def value(node):
    given = {name: constant(number) for name, number in VALUES.items()}
    given["1/E"] = constant(1 / VALUES["E"])
    return float(Scope(given, LINES).evaluate(node).value)


@pytest.mark.parametrize("text", NO_DIVISION + WITH_DIVISION)
def test_the_value_is_the_ratio(text):
    found = value(per_state(parse(text), "E", LINES))
    assert found == pytest.approx(value(parse(text)) / VALUES["E"], rel=1e-14)


@pytest.mark.parametrize("text", NO_DIVISION)
def test_a_factor_is_taken_out_and_nothing_is_divided(text):
    assert "1/E" not in names(per_state(parse(text), "E", LINES))


@pytest.mark.parametrize("text", NO_DIVISION)
def test_what_has_the_factor_stays_finite_where_the_state_is_tiny(text):
    given = {name: constant(number) for name, number in VALUES.items()}
    given["E"] = constant(1e-300)
    assert np.isfinite(
        Scope(given, LINES).evaluate(per_state(parse(text), "E", LINES)).value
    )


def test_only_the_terms_without_the_factor_are_multiplied_by_the_inverse():
    found = per_state(parse("k*M - beta*E"), "E")
    assert str(found) == "k*M*1/E - beta"
    assert inverse("E").name in names(found)


def test_a_line_without_the_factor_stays_a_line():
    assert names(per_state(parse("steady"), "E", LINES)) == ("steady", "1/E")


def test_long_products_take_no_time():
    product = "*".join("abcdfghijklmnopqrs" * 3)
    assert per_state(parse(f"{product}*E"), "E") == parse(product)
