"""Scales, spreads, and the way between natural and transformed values."""

import numpy as np
import pytest

from cellpk import ModelError
from cellpk.model.parameter_rows import read_parameter
from cellpk.model.parameters import SCALES, ParameterSpace
from cellpk.model.rows import Covariate

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


GAPS = {
    "c0": {"unpublished": True, "unit": "copies/ug", "iiv": "unpublished"},
    "tmax": {"value": 9, "unit": "day", "iiv_sd": 0.4},
    "cap": {"unpublished": True, "unit": "cells", "fixed": True},
}


@pytest.fixture
def gaps():
    rows = {name: read_parameter(name, row, where="") for name, row in GAPS.items()}
    return ParameterSpace("m", rows)


def test_what_is_not_published_has_to_be_given(gaps):
    with pytest.raises(ModelError) as caught:
        _ = gaps.typical
    assert caught.value.found == "no value is published: c0"
    assert caught.value.todo == "Give it: model.with_values(c0=...), in copies/ug."
    with pytest.raises(ModelError, match="no value is published: cap"):
        gaps.natural([1.0, 2.0])
    full = gaps.with_values(c0=3, cap=1e9)
    assert full.typical == pytest.approx([np.log(3), np.log(9)])
    assert full.natural(full.typical)["cap"] == 1e9
    assert full.parameters["c0"].source == "given by hand"


def test_a_given_value_fills_the_gap_of_theta(gaps):
    assert gaps.theta({"c0": [2, 4]})[:, 0] == pytest.approx(np.log([2, 4]))
    with pytest.raises(ModelError, match="no value is published: c0"):
        gaps.theta({"tmax": 8})


def test_a_spread_that_is_not_published_has_to_be_given(gaps):
    with pytest.raises(ModelError) as caught:
        _ = gaps.spread
    assert caught.value.found == "the spread between patients is not published: c0"
    assert "model.with_spread(c0=0.5)" in caught.value.todo
    assert gaps.with_spread(c0=0.7).spread == pytest.approx([0.7, 0.4])
    with pytest.raises(ModelError, match="the spread between patients"):
        _ = gaps.covariance


def test_only_positive_spreads_of_free_parameters_are_taken(gaps):
    with pytest.raises(ModelError, match="the spread of c0 is 0"):
        gaps.with_spread(c0=0)
    with pytest.raises(ModelError, match=r"'cap' is not such a .* It is fixed"):
        gaps.with_spread(cap=1)
    with pytest.raises(ModelError, match="Did you mean 'tmax'"):
        gaps.with_spread(tmx=1)


def test_covariance_is_made_of_spreads_and_correlations(space):
    related = ParameterSpace(
        "m",
        space.parameters,
        correlations={("cmax", "tmax"): -0.5, ("fb", "shift"): 0.2},
    )
    expected = np.array(
        [[1, 0, 0, -0.5], [0, 1, 0.2, 0], [0, 0.2, 1, 0], [-0.5, 0, 0, 1]]
    )
    assert related.correlation.tolist() == expected.tolist()
    sd = np.array([0.5, 0.7, 2, np.sqrt(np.log(1.16))])
    assert related.covariance == pytest.approx(np.diag(sd) @ expected @ np.diag(sd))
    assert np.array_equal(space.correlation, np.eye(4))


def test_a_covariate_is_no_parameter_and_the_error_says_how_to_give_it(space):
    covariates = {"weight": Covariate("weight", 70.0, "kg")}
    known = ParameterSpace("m", space.parameters, covariates=covariates)
    with pytest.raises(ModelError, match=r"covariates=\{'weight': \.\.\.\}"):
        known.with_values(weight=80)


@pytest.mark.parametrize("name", SCALES)
def test_what_is_not_known_is_not_known_on_any_scale(name):
    """NumPy's logaddexp warns of NaN, and a warning is an error here."""
    assert np.isnan(SCALES[name].back(np.array([np.nan]))).all()
