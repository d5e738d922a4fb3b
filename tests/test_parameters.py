"""Scales, spreads, and the way between natural and transformed values."""

import numpy as np
import pytest

from cellpk import ModelError
from cellpk.model.parameters import SCALES, ParameterSpace, read_parameter

ROWS = {
    "cmax": {"value": 2000, "unit": "copies/ug", "iiv_sd": 0.5},
    "fb": {"value": 0.2, "unit": "1", "iiv_var": 0.49, "scale": "logit"},
    "shift": {"value": -1, "unit": "day", "iiv_sd": 2, "scale": "identity"},
    "w": {"value": 0.5, "unit": "day", "fixed": True},
    "tmax": {"value": 9, "unit": "day", "iiv_cv": 0.4},
}


@pytest.fixture
def space():
    rows = {
        name: read_parameter(name, row, where="m.toml") for name, row in ROWS.items()
    }
    return ParameterSpace("m", rows)


def test_free_parameters_keep_the_order_of_the_file(space):
    assert space.free == ("cmax", "fb", "shift", "tmax")


def test_spread_is_a_standard_deviation_whatever_the_file_states(space):
    assert space.spread == pytest.approx([0.5, 0.7, 2, np.sqrt(np.log(1.16))])
    assert space.parameters["tmax"].spread_form == "iiv_cv"


def test_typical_values_are_transformed(space):
    expected = [np.log(2000), np.log(0.2 / 0.8), -1, np.log(9)]
    assert space.typical == pytest.approx(expected)


def test_there_and_back_again(space):
    values = {"cmax": [10.0, 1e6], "fb": [0.01, 0.99], "shift": [-5.0, 5.0]}
    back = space.natural(space.theta(values))
    for name, numbers in values.items():
        assert back[name] == pytest.approx(numbers)
    assert back["tmax"] == pytest.approx([9, 9])
    assert back["w"] == 0.5


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("value", [0.01, 0.5, 0.97])
def test_the_slope_of_a_scale_is_its_derivative(name, value):
    scale, step = SCALES[name], 1e-6
    theta = scale.forward(value)
    expected = (scale.back(theta + step) - scale.back(theta - step)) / (2 * step)
    assert scale.slope(np.asarray(value)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"iiv_sd": None}, "nothing"),
        ({"iiv_var": 0.1}, r"\['iiv_sd', 'iiv_var'\]"),
        ({"fixed": True}, "and fixed"),
        ({"iiv_sd": -1}, "iiv_sd is -1"),
        ({"iiv_sd": 0}, "iiv_sd is 0"),
        ({"value": 0}, "value 0.0 is not possible on the log scale"),
        ({"value": 2, "scale": "logit"}, "value 2.0 is not possible on the logit"),
        ({"value": float("inf"), "scale": "identity"}, "value inf is not possible"),
        ({"scale": "ln"}, "scale 'ln' is not known"),
        ({"iiv_sd": None, "iiv_cv": 1, "scale": "identity"}, "iiv_cv = 1"),
    ],
)
def test_an_impossible_row_is_an_error(change, found):
    row = {"value": 3, "unit": "1", "iiv_sd": 0.5, **change}
    row = {key: value for key, value in row.items() if value is not None}
    with pytest.raises(ModelError, match=found) as caught:
        read_parameter("x", row, where="m.toml, [parameters] x, line 9")
    assert "line 9" in caught.value.where


def test_unknown_names_and_impossible_values_are_refused(space):
    with pytest.raises(ModelError, match="Did you mean 'cmax'"):
        space.theta({"cmx": 3})
    with pytest.raises(ModelError, match="'w' is not such a parameter"):
        space.theta({"w": 3})
    with pytest.raises(ModelError, match=r"cmax = -1.0 is not possible"):
        space.with_values(cmax=-1)
    with pytest.raises(ModelError, match=r"theta has shape \(3,\)"):
        space.natural([1, 2, 3])


def test_changed_values_leave_the_space_as_it_was(space):
    changed = space.with_values(cmax=5, w=1)
    assert changed.natural(changed.typical)["cmax"] == pytest.approx(5)
    assert changed.parameters["w"].value == 1
    assert space.parameters["cmax"].value == 2000
