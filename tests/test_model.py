"""Levels, gradients, quantities and the text of a model."""

import pickle

import numpy as np
import pytest

import cellpk as ck
from cellpk import ModelError

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def write(folder, text):
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return ck.load_model(path)


def test_shapes_follow_theta_and_times():
    theta = np.broadcast_to(STEIN.typical, (4, 3, 6))
    level, gradient = STEIN.log_level_gradient(theta, [1, 2])
    assert level.shape == (4, 3, 2)
    assert gradient.shape == (4, 3, 2, 6)
    assert STEIN.log_level(STEIN.typical, []).shape == (0,)
    assert STEIN.switch_times(theta).shape == (4, 3, 1)
    value, slope = STEIN.quantities(theta)["half_life_2"]
    assert (value.shape, slope.shape) == ((4, 3), (4, 3, 6))


def test_a_batch_equals_its_patients_one_by_one():
    theta = STEIN.typical + np.random.default_rng(1).normal(size=(5, 6))
    times = np.array([0, 7, 14, 28.0])
    level, gradient = STEIN.log_level_gradient(theta, times)
    for i, one in enumerate(theta):
        alone = STEIN.log_level_gradient(one, times)
        assert np.array_equal(alone[0], level[i])
        assert np.array_equal(alone[1], gradient[i])


def test_quantities_alone_equal_those_with_gradients():
    theta = STEIN.typical + np.random.default_rng(2).normal(size=(5, 6))
    alone = STEIN.quantity_values(theta)
    for name, (value, _) in STEIN.quantities(theta).items():
        assert np.array_equal(alone[name], value)


def test_the_gradient_of_a_switch_time_is_that_of_both_sides():
    index = STEIN.free.index("tmax")
    _, gradient = STEIN.log_level_gradient(STEIN.typical, [5, 20])
    # by hand, by log tmax: log y is log(foldx) t/tmax + ... before the peak
    assert gradient[0, index] == pytest.approx(-np.log(3900) * 5 / 9.3)
    memory = 0.0079 * np.exp(-0.0032 * 10.7)
    effector = (1 - 0.0079) * np.exp(-0.16 * 10.7)
    slope = 9.3 * (0.16 * effector + 0.0032 * memory) / (effector + memory)
    assert gradient[1, index] == pytest.approx(slope)


def test_a_level_that_vanishes_is_held_with_no_gradient():
    theta = STEIN.theta({"alpha": 50, "beta": 50})
    level, gradient = STEIN.log_level_gradient(theta, [28])
    assert level == pytest.approx([np.log(1e-300)])
    assert not gradient.any()


def test_a_curve_is_that_of_the_changed_typical_patient():
    times = [3, 9.3, 28]
    doubled = STEIN.curve(times, cmax=48_000)
    assert doubled == pytest.approx(2 * STEIN.curve(times))
    with pytest.raises(ModelError, match="Did you mean 'cmax'"):
        STEIN.curve(times, cmx=48_000)
    with pytest.raises(ModelError, match="'flow' is not observed"):
        STEIN.curve(times, observed="flow")


@pytest.mark.parametrize("times", [[-1, 2], 3, [np.nan], [np.inf]])
def test_times_that_cannot_be_are_refused(times):
    with pytest.raises(ModelError, match="times are"):
        STEIN.log_level(STEIN.typical, times)


def test_units_of_quantities():
    assert STEIN.quantity_units == {
        "doubling_time": "day",
        "half_life_1": "day",
        "half_life_2": "day",
        "auc_0_28": "day*copies/ug",
    }


def test_a_model_survives_the_way_to_another_process():
    again = pickle.loads(pickle.dumps(STEIN))
    assert np.array_equal(again.curve([5, 10]), STEIN.curve([5, 10]))


def test_a_model_without_a_closed_form_is_solved(tmp_path):
    model = write(
        tmp_path,
        """
        title = "Growth"
        source = "own"
        time = "day"
        equations = '''
        E(0) = start
        dE/dt = r*E*(1 - E/full)
        '''
        [parameters]
        start = { value = 10, unit = "cells/uL", iiv_sd = 1 }
        r = { value = 0.5, unit = "1/day", iiv_sd = 1 }
        full = { value = 1000, unit = "cells/uL", fixed = true }
        [observed]
        flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }
        """,
    )
    values = model.natural(model.typical)
    assert model.equations.slopes(0, [500], values) == pytest.approx([125])
    grown = 10 * np.exp(0.5 * 7)
    expected = 1000 * grown / (990 + grown)  # the logistic curve
    assert model.curve([7]) == pytest.approx([expected], rel=1e-7)


def test_what_does_not_move_still_has_its_shape(tmp_path):
    model = write(
        tmp_path,
        """
        title = "Constant with a dip on day 7"
        source = "own"
        time = "day"
        equations = '''
        E(0) = start
        dE/dt = 0
        '''
        solution = "E = start if t < dip else start/2"
        [parameters]
        start = { value = 10, unit = "cells/uL", iiv_sd = 1 }
        dip = { value = 7, unit = "day", fixed = true }
        [observed]
        flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }
        seven = { is = "7", unit = "1", error = "lognormal", sd = 0.3 }
        [derived]
        two = { is = "2", unit = "1" }
        """,
    )
    theta = np.tile(model.typical, (3, 1))
    assert model.switch_times(theta).tolist() == [[7.0]] * 3
    found = model.quantities(theta)
    assert found["two"][0].tolist() == [2, 2, 2]
    assert not found["two"][1].any()
    assert found["auc_0_28"][0] == pytest.approx([70 + 105] * 3)
    level, gradient = model.log_level_gradient(theta, [1, 2], observed="seven")
    assert np.exp(level) == pytest.approx(np.full((3, 2), 7.0))
    assert gradient.shape == (3, 2, 1)
    assert not gradient.any()


def test_text_of_a_model_holds_equations_parameters_and_source():
    text = repr(ck.load_model("stein_2019_tisagenlecleucel_var"))
    assert "doi:10.1002/psp4.12388" in text
    assert "  dE/dt = rho*E if t < tmax else -alpha*E" in text
    assert "cmax       24000   copies/ug  SD 0.8062 (stated as iiv_var)" in text
    assert "doubling_time = log(2)/rho, day, printed as 0.78" in text
