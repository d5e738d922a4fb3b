"""The PyTensor graph of a model gives its levels and its gradients, and never NaN."""

from types import SimpleNamespace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import NullTypeGradError

import cellpk as ck
from cellpk import ModelError
from cellpk.model.compile.graph import LogLevel, graph
from cellpk.model.levels import SMALLEST, Levels
from cellpk.model.library import folder

STEIN, SMOOTH = "stein_2019_tisagenlecleucel", "stein_2019_smooth_peak"
TIMES = np.array([0.0, 1.0, 9.29, 9.3, 9.31, 28.0, 90.0])

LANGUAGE = """\
title = "Every function once"
source = "Made up"
time = "day"
equations = '''
X(0) = top
dX/dt = 0
'''
solution = '''
tau = t - lag
early = top*(expit(tau/width) + share)
late = top*sqrt(max(tau, 0)/width + share) + top*0**power*share
area = integral(top/width*exp(-softplus(s/width)), s, lag, t + lag)
X = early + min(late, top*(t/width + share)**power) if tau < 5*width else late + area
'''
[parameters]
top = { value = 100, unit = "cells/uL", iiv_sd = 0.5 }
share = { value = 0.2, unit = "1", iiv_sd = 0.5, scale = "logit" }
lag = { value = 2, unit = "day", iiv_sd = 0.5, scale = "identity" }
power = { value = 1.5, unit = "1", iiv_sd = 0.2 }
width = { value = 1.5, unit = "day", fixed = true }

[observed]
flow = { is = "X", unit = "cells/uL", error = "lognormal", sd = 0.4 }
scaled = { is = "X*share", unit = "cells/uL", error = "lognormal", sd = 0.4 }
"""

LEAKS = LANGUAGE.split("solution", maxsplit=1)[0] + (
    """\
solution = '''
tau = t - lag
X = top*sqrt(tau/width) if tau > 0 else top*share**power*0
'''
"""
    + LANGUAGE[LANGUAGE.index("[parameters]") :]
)


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "m.toml"
        path.write_text(text, encoding="utf-8")
        return ck.load_model(path)

    return load


def cloud(model, *, size=40, width=1.0):
    """Patients about the typical one, so many published spreads away."""
    normal = np.random.default_rng(7).normal(size=(size, model.typical.size))
    return model.typical + width * model.spread * normal


def evaluated(make, theta, *, mode="FAST_COMPILE"):
    """Log level and its gradient by theta, from a graph of a matrix of patients."""
    rows, weights = pt.dmatrix("theta"), pt.dvector("weights")
    level = make(rows)
    slopes = pytensor.grad((level * weights).sum(), rows)
    function = pytensor.function([rows, weights], [level, slopes], mode=mode)
    found = [function(theta, one)[1] for one in np.eye(TIMES.size)]
    return function(theta, np.zeros(TIMES.size))[0], np.stack(found, axis=1)


def check(model, theta, *, mode="FAST_COMPILE", **settings):
    level, slopes = evaluated(
        lambda rows: graph(model, rows, TIMES, **settings), theta, mode=mode
    )
    expected, gradient = model.log_level_gradient(theta, TIMES, **settings)
    np.testing.assert_allclose(level, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [STEIN, SMOOTH])
def test_levels_and_gradients_are_those_of_the_model(name):
    model = ck.load_model(name)
    check(model, cloud(model))


def test_covariates_of_patients_are_taken_in():
    model = ck.load_model("stein_2019_comedication")
    days = np.where(np.arange(40) % 2, np.inf, 5.7)
    inputs = model.inputs(covariates={"toci_day": days})
    check(model, cloud(model), inputs=inputs)


def test_both_sides_of_a_switch_and_the_switch_itself_agree():
    model = ck.load_model(STEIN)
    before, after = TIMES < 9.3, TIMES > 9.3
    _, slopes = evaluated(lambda rows: graph(model, rows, TIMES), model.typical[None])
    alpha, foldx = model.free.index("alpha"), model.free.index("foldx")
    assert (slopes[0, before, alpha] == 0).all()
    assert (slopes[0, after, alpha] < 0).all()
    assert (slopes[0, before, foldx] < 0).all()
    check(model, model.typical[None])


def test_parameters_far_away_give_finite_levels_and_gradients():
    model = ck.load_model(STEIN)
    far = cloud(model, size=300, width=100.0)
    check(model, far)
    level, slopes = evaluated(lambda rows: graph(model, rows, TIMES), far)
    assert np.isfinite(level).all()
    assert np.isfinite(slopes).all()


def test_where_the_closed_form_breaks_down_the_level_is_the_smallest():
    model = ck.load_model(SMOOTH)
    far = cloud(model, size=300, width=30.0)
    level, slopes = evaluated(lambda rows: graph(model, rows, TIMES), far)
    assert np.isfinite(level).all()
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("observed", ["flow", "scaled"])
def test_every_function_of_the_language_is_translated(load, observed):
    model = load(LANGUAGE)
    check(model, cloud(model), observed=observed)


def test_what_a_branch_not_taken_holds_does_not_leak(load):
    model = load(LEAKS)
    level, slopes = evaluated(
        lambda rows: graph(model, rows, TIMES), model.typical[None]
    )
    # before the lag the square root is of a negative number, and the level is 0
    assert level[0, 0] == np.log(SMALLEST)
    assert (slopes[0, 0] == 0).all()
    # after it, log X = log top + log(t - lag)/2 + ...
    expected = np.zeros((3, 4))
    expected[:, 0], expected[:, 2] = 1, -0.5 / (TIMES[-3:] - 2)
    np.testing.assert_allclose(slopes[0, -3:], expected, rtol=1e-12, atol=1e-15)


def test_one_patient_and_fixed_changes_are_possible():
    model = ck.load_model(SMOOTH).with_values(w=0.25)
    theta = pt.dvector("theta")
    level = graph(model, theta, TIMES).eval({theta: model.typical}, mode="FAST_COMPILE")
    np.testing.assert_allclose(level, model.log_level(model.typical, TIMES), rtol=1e-12)


def test_theta_must_have_the_parameters_of_the_model():
    model = ck.load_model(STEIN)
    with pytest.raises(ModelError, match=r"theta has shape \(5,\).*foldx, tmax"):
        graph(model, pt.tensor("theta", shape=(5,)), TIMES)
    with pytest.raises(ModelError, match=r"theta has shape \(6,\) and times have"):
        graph(model, pt.tensor("theta", shape=(6,)), TIMES[None])
    with pytest.raises(ModelError, match="'flow' is not observed"):
        graph(model, pt.dvector(), TIMES, observed="flow")
    with pytest.raises(ModelError, match="none of them negative"):
        graph(model, pt.dvector(), [-1])


def operation(solver, model):
    return LogLevel(solver, TIMES, assay="qpcr", inputs=model.inputs())


def test_the_operation_gives_level_and_gradient_of_one_pass():
    model = ck.load_model(STEIN)
    calls = []

    def solve(*arguments, **settings):
        calls.append(settings)
        return model.solve(*arguments, **settings)

    theta = cloud(model)
    op = operation(SimpleNamespace(solve=solve), model)
    rows = pt.dmatrix("theta")
    level = op(rows)[0]
    slopes = pytensor.grad((level * TIMES).sum(), rows)
    found = pytensor.function([rows], [level, slopes], mode="FAST_COMPILE")(theta)
    expected, gradient = model.log_level_gradient(theta, TIMES)
    np.testing.assert_array_equal(found[0], expected)
    weighted = (gradient * TIMES[:, None]).sum(axis=1)
    np.testing.assert_allclose(found[1], weighted, rtol=1e-12)
    assert len(calls) == 1
    assert calls[0]["gradient"] is True


def test_a_patient_whom_the_solver_cannot_calculate_has_no_gradient():
    model = ck.load_model(STEIN)
    failed = Levels(
        np.full((1, 7), np.log(SMALLEST)), np.zeros((1, 7, 6)), ("it failed",)
    )
    op = operation(SimpleNamespace(solve=lambda *_, **__: failed), model)
    level, slopes = evaluated(lambda rows: op(rows)[0], model.typical[None])
    assert (level == np.log(SMALLEST)).all()
    assert (slopes == 0).all()


def test_the_operation_has_no_second_derivative():
    model = ck.load_model(STEIN)
    rows = pt.dmatrix("theta")
    first = pytensor.grad(operation(model, model)(rows)[0].sum(), rows)
    with pytest.raises(NullTypeGradError, match="no second derivative"):
        pytensor.grad(first.sum(), rows)


@pytest.mark.slow
def test_stein_without_its_closed_form_gives_the_same_from_the_solver(load):
    closed = ck.load_model(STEIN)
    text = (folder() / f"{STEIN}.toml").read_text("utf-8")
    before, _, rest = text.partition("solution = '''")
    solved = load(before + rest.partition("'''")[2])
    assert not solved.equations.closed
    theta = cloud(closed, size=5)
    check(solved, theta)
    level, slopes = evaluated(lambda rows: graph(solved, rows, TIMES), theta)
    expected, gradient = closed.log_level_gradient(theta, TIMES)
    np.testing.assert_allclose(level, expected, atol=1e-6)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [STEIN, SMOOTH])
def test_the_mode_in_which_samplers_run_agrees(name):
    model = ck.load_model(name)
    check(model, cloud(model), mode=None)


@pytest.mark.slow
def test_the_operation_runs_in_the_mode_of_samplers():
    model = ck.load_model(STEIN)
    theta = cloud(model)
    op = operation(model, model)
    level, slopes = evaluated(lambda rows: op(rows)[0], theta, mode=None)
    expected, gradient = model.log_level_gradient(theta, TIMES)
    np.testing.assert_allclose(level, expected, rtol=1e-12)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-12)
