"""What happened to a patient is checked against the model."""

import numpy as np
import pytest
from model_text import CLOSED, FULL, load

from cellpk import ModelError
from cellpk.model.inputs import read_inputs


@pytest.fixture
def model(tmp_path):
    return load(tmp_path, FULL)


def test_where_nothing_is_said_the_patient_is_typical(model):
    inputs = read_inputs(model)
    assert inputs.fixed() == {"weight": 70}
    days, values = inputs.steps["toci"]
    assert days.size == values.size == 0
    assert inputs.days.tolist() == [0, 30]
    assert inputs.cells.tolist() == [1e8, 3e8]


def test_steps_and_infusions_come_in_the_order_of_days(model):
    inputs = read_inputs(
        model,
        covariates={"toci": {9: 0, 5.5: 1}, "weight": [60, 80]},
        infusions=[(14, 2e8), (0, 1e8)],
    )
    days, values = inputs.steps["toci"]
    assert (days.tolist(), values.tolist()) == ([5.5, 9], [1, 0])
    assert inputs.values["weight"].tolist() == [60, 80]
    assert inputs.days.tolist() == [0, 14]
    assert inputs.cells.tolist() == [1e8, 2e8]


def test_a_number_for_a_stepped_covariate_holds_from_day_0(model):
    days, values = read_inputs(model, covariates={"toci": 1}).steps["toci"]
    assert (days.tolist(), values.tolist()) == ([0], [1])


def test_a_patient_may_have_no_infusion(model):
    assert read_inputs(model, infusions=[]).days.size == 0


def test_an_infusion_and_covariates_can_be_arrays(model):
    inputs = read_inputs(model, infusions=np.array([[0, 1e8]]))
    assert inputs.cells.tolist() == [1e8]


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ({"weigth": 80}, "'weigth' is not a covariate.*Did you mean 'weight'"),
        (
            {"tmax": 8},
            r".* It is a parameter: give it as model.with_values\(tmax=...\)",
        ),
        ({"weight": "heavy"}, "weight is 'heavy'. Give numbers"),
        ({"weight": {0: 80}}, "weight is {0: 80}. Give numbers"),
        ({"weight": np.nan}, "weight = nan is not possible"),
        ({"weight": [70, np.inf]}, "weight = inf is not possible"),
        ({"toci": {0: 2}}, "toci = 2 is not possible. Give one of 0, 1"),
        ({"toci": {-1: 1}}, "toci changes on day -1"),
        ({"toci": {np.inf: 1}}, "toci changes on day inf"),
        ({"toci": {"day 3": 1}}, r"days of toci is \['day 3'\]. Give numbers"),
        ({"toci": [0, 1]}, r"toci is \[0, 1\]. It changes with time"),
    ],
)
def test_wrong_covariates_are_refused(model, covariates, message):
    with pytest.raises(ModelError, match=f"^m: {message}"):
        read_inputs(model, covariates=covariates)


@pytest.mark.parametrize(
    ("infusions", "message"),
    [
        ([(-1, 1e8)], "an infusion is on day -1"),
        ([(np.nan, 1e8)], "an infusion is on day nan"),
        ([(0, 0)], "an infusion has 0 cells"),
        ([(0, np.inf)], "an infusion has inf cells"),
        ([0, 30], r"the schedule of infusions is \[0, 30\]"),
        ([("now", 1e8)], "the schedule of infusions is .*Give numbers"),
        ([(0, 1e8), (1,)], "the schedule of infusions is .*Give numbers"),
    ],
)
def test_wrong_infusions_are_refused(model, infusions, message):
    with pytest.raises(ModelError, match=f"^m: {message}"):
        read_inputs(model, infusions=infusions)


def test_a_model_without_covariates_or_infusions_says_so(tmp_path):
    closed = load(tmp_path, CLOSED)
    with pytest.raises(ModelError, match=r"'weight' is not a covariate.* It has none"):
        read_inputs(closed, covariates={"weight": 80})
    with pytest.raises(ModelError, match=r"the model has no \[infusions\]"):
        read_inputs(closed, infusions=[])
    assert read_inputs(closed).days.size == 0


def test_a_day_may_never_come(tmp_path):
    row = ('weight = { value = 70, unit = "kg"', 'weight = { value = 5, unit = "day"')
    ratio = ("weight/kg70", "weight/tmax")
    unused = ('kg70 = { value = 70, unit = "kg", fixed = true }\n', "")
    model = load(tmp_path, FULL, row, ratio, unused)
    assert read_inputs(model, covariates={"weight": np.inf}).values["weight"] == np.inf
