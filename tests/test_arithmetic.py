"""Codes of numbers: what is folded, what is written, what is written once."""

import pytest

from cellpk.model.compile.arithmetic import Arithmetic, Term, is_simple, literal


@pytest.fixture
def written():
    return []


@pytest.fixture
def write(written):
    def let(code):
        if code not in written:
            written.append(code)
        return f"v{written.index(code)}"

    return Arithmetic(let)


def test_numbers_are_worked_out_and_not_written(write, written):
    assert write.plus("2.0", "0.5") == "2.5"
    assert write.minus("2.0", "3.0") == "(-1.0)"
    assert write.times("(-2.0)", "3.0") == "(-6.0)"
    assert write.over("1.0", "4.0") == "0.25"
    assert written == []


def test_what_would_overflow_or_divide_by_zero_is_left_to_the_compiled_code(write):
    assert write.over("1.0", "0.0") == "v0"
    assert write.times("1e+200", "1e+200") == "v1"


def test_a_value_times_zero_is_not_zero_where_it_can_be_infinite(write, written):
    write.times("0.0", "x")
    assert written == ["0.0*x"]


@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_small_powers_are_products(write, written, power):
    write.raised("x", literal(power))
    assert not any("**" in code for code in written)


def test_a_derivative_that_is_always_zero_is_absent(write):
    x = Term("x", {"a": "1.0"})
    assert write.product(x, Term("0.0")).slopes == {}
    assert write.sum(Term("y"), Term("2.0")).slopes == {}
    assert set(write.sum(x, Term("y", {"b": "dy"})).slopes) == {"a", "b"}


@pytest.mark.parametrize(
    ("code", "simple"),
    [
        ("v12", True),
        ("1e-300", True),
        ("1e+300", True),
        ("(-0.5)", True),
        ("(-1e-05)", True),
        ("math.inf", True),
        ("p[0]", False),
        ("a + b", False),
        ("-v1", False),
    ],
)
def test_a_variable_or_a_number_can_stand_next_to_any_operator(code, simple):
    assert is_simple(code) is simple
