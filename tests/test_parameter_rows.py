"""A row states value and spread once; correlations are possible together."""

import numpy as np
import pytest

from cellpk import ModelError
from cellpk.model.parameter_rows import read_correlations, read_parameter, spread
from cellpk.model.parameters import Parameter

WHERE = "m.toml, [parameters] x, line 9"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"iiv_sd": None}, "stated by nothing"),
        ({"iiv_var": 0.1}, "stated by iiv_sd and iiv_var"),
        ({"fixed": True}, "stated by iiv_sd and fixed"),
        ({"iiv": "unpublished"}, "stated by iiv_sd and iiv"),
        ({"iiv_sd": None, "iiv": "unpublishd"}, "iiv 'unpublishd' is not known"),
        ({"iiv_sd": -1}, "iiv_sd is -1"),
        ({"iiv_sd": 0}, "iiv_sd is 0"),
        ({"iiv_sd": float("inf")}, "iiv_sd is inf"),
        ({"prior_sd": 0}, "prior_sd is 0"),
        ({"prior_sd": float("nan")}, "prior_sd is nan"),
        ({"value": 0}, "value 0.0 is not possible on the log scale"),
        ({"value": 2, "scale": "logit"}, "value 2.0 is not possible on the logit"),
        ({"value": float("inf"), "scale": "identity"}, "value inf is not possible"),
        ({"value": None}, "'value' is missing"),
        ({"value": None, "unpublished": False}, "'value' is missing"),
        ({"unpublished": True}, "value = 3 is stated, and that it is unpublished"),
        ({"scale": "ln"}, "scale 'ln' is not known"),
        ({"iiv_sd": None, "iiv_cv": 1, "scale": "identity"}, "iiv_cv = 1"),
    ],
)
def test_an_impossible_row_is_an_error(change, found):
    row = {"value": 3, "unit": "1", "iiv_sd": 0.5, **change}
    row = {key: value for key, value in row.items() if value is not None}
    with pytest.raises(ModelError) as caught:
        read_parameter("x", row, where=WHERE)
    assert found in caught.value.found
    assert caught.value.where == WHERE
    assert caught.value.todo


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"iiv_sd": 0.5}, (0.5, "iiv_sd")),
        ({"iiv_var": 0.49}, (0.7, "iiv_var")),
        ({"iiv_cv": 0.4}, (np.sqrt(np.log(1.16)), "iiv_cv")),
        ({"fixed": True}, (0.0, "")),
        ({"fixed": False, "iiv_sd": 0.5}, (0.5, "iiv_sd")),
        ({"iiv": "unpublished"}, (None, "")),
    ],
)
def test_a_spread_is_a_standard_deviation_or_nothing(row, expected):
    sd, form = spread(row, where="")
    assert sd == (None if expected[0] is None else pytest.approx(expected[0]))
    assert form == expected[1]


def test_a_row_keeps_what_is_known_and_what_is_not():
    row = {"unpublished": True, "unit": "day", "iiv": "unpublished", "prior_sd": 0.2}
    found = read_parameter("x", row | {"source": "A", "iiv_source": "B"}, where="")
    assert (found.value, found.iiv_sd, found.prior_sd) == (None, None, 0.2)
    assert (found.source, found.iiv_source, found.fixed) == ("A", "B", False)
    assert np.isnan(found.transformed)


def test_a_spread_has_the_source_of_the_value_unless_it_has_its_own():
    row = {"value": 1, "iiv_sd": 1, "source": "A"}
    assert read_parameter("x", row, where="").iiv_source == "A"
    row = {"value": 1, "fixed": True, "source": "A"}
    assert read_parameter("x", row, where="").iiv_source == ""


def place(pair):
    return f"m.toml, {'.'.join(pair)}"


PARAMETERS = {
    "a": Parameter("a", 1.0, iiv_sd=0.5),
    "b": Parameter("b", 1.0, iiv_sd=None),
    "c": Parameter("c", 1.0, iiv_sd=0.5),
    "w": Parameter("w", 1.0, fixed=True),
}


def correlations(**rows):
    pairs = {tuple(key.split("_")): {"value": value} for key, value in rows.items()}
    return read_correlations(pairs, PARAMETERS, place)


@pytest.mark.parametrize(
    ("rows", "where", "found"),
    [
        ({"a_d": 0.3}, "a.d", "'d' is not a parameter"),
        ({"w_a": 0.3}, "w.a", "'w' is fixed and has no spread"),
        ({"a_a": 0.3}, "a.a", "'a' is correlated with itself"),
        ({"a_b": 1}, "a.b", "the correlation of a and b is 1"),
        ({"a_b": float("nan")}, "a.b", "the correlation of a and b is nan"),
        (
            {"a_b": 0.9, "b_c": 0.9, "c_a": -0.9},
            "a.c",
            "the correlations of a, b, c are impossible together",
        ),
    ],
)
def test_an_impossible_correlation_is_an_error(rows, where, found):
    with pytest.raises(ModelError) as caught:
        correlations(**rows)
    assert found in caught.value.found
    assert caught.value.where == f"m.toml, {where}"


def test_correlations_that_are_just_possible_are_taken():
    # three equal ones fit together above -1/2
    values, _ = correlations(a_b=-0.49, c_b=-0.49, c_a=-0.49)
    assert values == {("a", "b"): -0.49, ("b", "c"): -0.49, ("a", "c"): -0.49}
    # 0.9 and 0.9 need a third of at least 2*0.81 - 1
    assert correlations(a_b=0.9, b_c=0.9, c_a=0.63)[0]["a", "c"] == 0.63
    with pytest.raises(ModelError, match=r"smallest eigenvalue -0\.02"):
        correlations(a_b=-0.51, c_b=-0.51, c_a=-0.51)


def test_a_correlation_keeps_its_source():
    rows = {("c", "a"): {"value": 0.3, "source": "Somebody 2020"}}
    assert read_correlations(rows, PARAMETERS, place) == (
        {("a", "c"): 0.3},
        {("a", "c"): "Somebody 2020"},
    )
