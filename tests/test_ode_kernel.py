"""Models solved step by step: closed forms, matrix exponentials, SciPy."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import cellpk as ck
from cellpk.errors import ModelError
from cellpk.model.compile.kernel import compile_model
from cellpk.model.compile.ode_kernel import ode_kernel

FILE = """
title = "Two kinds of cells, re-infused"
source = "made for this test"
time = "day"
equations = '''
grows = rho*drug if t < toci_day else 0*rho
E(0)  = 0
M(0)  = 0
dE/dt = (grows - alpha)*E
dM/dt = k*E - beta*M
'''
[parameters]
rho   = { value = 1.2,  unit = "1/day", iiv_sd = 0.3 }
alpha = { value = 0.5,  unit = "1/day", iiv_sd = 0.3 }
k     = { value = 0.1,  unit = "1/day", iiv_sd = 0.3 }
beta  = { value = 0.05, unit = "1/day", fixed = true }
wait  = { value = 0.5,  unit = "day",   iiv_sd = 0.3 }
part  = { value = 0.4,  unit = "1", scale = "logit", iiv_sd = 0.5 }
[covariates]
toci_day = { value = 7, unit = "day" }
drug     = { value = 1, unit = "1", steps = true }
[infusions]
adds  = { E = "part*cells" }
days  = [0, 30]
cells = [2, 3]
lag   = "wait"
unit  = "cells"
[observed]
qpcr = { is = "E + M", unit = "cells", error = "lognormal", sd = 0.5 }
flow = { is = "M",     unit = "cells", error = "lognormal", sd = 0.5 }
"""
DAYS = np.array([1.0, 3, 6, 7, 8, 14, 30, 30.4, 31, 60, 100])
STEPS = {"drug": {4: 0.5, 5: 1.0}}


def exact(values, days, toci_day=7.0):
    """Both kinds of cells by matrix exponentials between the events."""
    rho, alpha, k, wait, part = values
    events = [(0 + wait, 2.0, None), (30 + wait, 3.0, None)]
    for day, factor in ((4.0, 0.5), (5.0, 1.0), (toci_day, 0.0)):
        events.append((day, 0.0, factor * (day < toci_day)))
    found = []
    for day in days:
        x, now, grows = np.zeros(2), 0.0, 1.0
        for stop, cells, grown in [*sorted(events, key=lambda e: e[0]), (day, 0, 1)]:
            a = np.array([[grows * rho - alpha, 0], [k, -0.05]])
            end = min(stop, day)
            x, now = expm(a * (end - now)) @ x, end
            x[0] += part * cells * (stop < day)
            grows = grows if grown is None else grown
        found.append(x)
    return np.array(found)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="session")
def model(folder):
    path = folder / "reinfused.toml"
    path.write_text(FILE, encoding="utf-8")
    return ck.load_model(path)


@pytest.fixture(scope="session")
def kernel(model, folder):
    """Compiled once for all tests, in a folder of this run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLPK_CACHE", str(folder))
        kernel = compile_model(model)
        kernel.compile()
    return kernel


def natural(model, theta):
    return np.array([model.natural(theta)[name] for name in model.free])


@pytest.mark.parametrize(("assay", "share"), [("qpcr", [1, 1]), ("flow", [0, 1])])
def test_levels_and_gradients_equal_the_exact_ones(model, kernel, assay, share):
    def level(theta):
        return np.log(exact(natural(model, theta), DAYS) @ share)

    found = kernel.solve(
        model.typical,
        DAYS,
        observed=assay,
        inputs=model.inputs(covariates=STEPS),
        gradient=True,
    )
    np.testing.assert_allclose(found.log_level, level(model.typical), atol=1e-6)
    for j, h in enumerate(1e-5 * np.eye(len(model.free))):
        slope = (level(model.typical + h) - level(model.typical - h)) / 2e-5
        np.testing.assert_allclose(found.gradient[:, j], slope, rtol=1e-5, atol=1e-5)


def test_covariates_and_times_can_differ_between_patients(model, kernel):
    inputs = model.inputs(covariates=STEPS | {"toci_day": [6.5, np.inf, 2.0]})
    times = np.array([[1.0, 9, 12], [3, 8, 13], [5, 12, 4]])
    found = kernel.solve(model.typical, times, inputs=inputs)
    values = natural(model, model.typical)
    for i, day in enumerate((6.5, np.inf, 2.0)):
        expected = np.log(exact(values, times[i], toci_day=day).sum(axis=1))
        np.testing.assert_allclose(found.log_level[i], expected, atol=1e-6)
    assert found.reasons == (None, None, None)


def test_states_come_in_the_order_of_the_file(model, kernel):
    found = kernel.states(model.typical, DAYS, inputs=model.inputs(covariates=STEPS))
    expected = exact(natural(model, model.typical), DAYS)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_shapes_follow_theta_and_times(model, kernel):
    theta = np.broadcast_to(model.typical, (3, 2, 5))
    found = kernel.solve(theta, [1, 2, 3], gradient=True)
    assert found.log_level.shape == (3, 2, 3)
    assert found.gradient.shape == (3, 2, 3, 5)
    assert kernel.states(theta, [1, 2, 3]).shape == (3, 2, 3, 2)
    assert kernel.solve(theta[:0], [1]).log_level.shape == (0, 2, 1)
    assert kernel.solve(model.typical, []).log_level.shape == (0,)


def test_bits_depend_neither_on_threads_nor_on_the_gradient(model, kernel):
    rng = np.random.default_rng(20260302)
    theta = model.typical + 0.3 * rng.normal(size=(100, 5))
    one = kernel.solve(theta, DAYS, gradient=True, threads=1)
    two = kernel.solve(theta, DAYS, gradient=True, threads=2)
    alone = kernel.solve(theta, DAYS)
    np.testing.assert_array_equal(one.gradient, two.gradient)
    np.testing.assert_array_equal(one.log_level, two.log_level)
    np.testing.assert_array_equal(one.log_level, alone.log_level)


def test_a_patient_who_cannot_be_calculated_has_a_reason_and_harms_none(model, kernel):
    theta = np.tile(model.typical, (3, 1))
    theta[1, 0] = np.log(1e5)
    found = kernel.solve(theta, DAYS, gradient=True)
    assert found.reasons[0] is None
    assert "on day 0.5" in found.reasons[1]
    assert found.failed.tolist() == [False, True, False]
    assert (found.log_level[1] == np.log(1e-300)).all()
    assert not found.gradient[1].any()
    np.testing.assert_array_equal(found.log_level[0], found.log_level[2])
    with pytest.raises(ModelError, match=r"patient 2 cannot be calculated: .* on day"):
        kernel.states(theta, DAYS)


def test_a_wider_tolerance_takes_fewer_digits(model, kernel):
    inputs = model.inputs(covariates=STEPS)
    expected = np.log(exact(natural(model, model.typical), DAYS).sum(axis=1))
    for tolerance in (1e-4, 1e-6, 1e-9):
        found = kernel.solve(model.typical, DAYS, inputs=inputs, tolerance=tolerance)
        assert np.abs(found.log_level - expected).max() < 20 * tolerance


def test_what_takes_time_is_announced(model, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CELLPK_CACHE", str(tmp_path))
    told = []
    kernel = ode_kernel(model)
    kernel._announce(told.append)
    assert told == ["compiling reinfused, once, about 9 s"]


@pytest.mark.slow
def test_a_closed_form_equals_the_solver(folder, monkeypatch):
    """Stein et al. 2019, with the switch and its sensitivity, for 100 patients."""
    monkeypatch.setenv("CELLPK_CACHE", str(folder))
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    rng = np.random.default_rng(20260303)
    theta = stein.typical + stein.spread * rng.normal(size=(100, 6))
    times = [0, 1, 3, 7, 14, 28, 90, 360]
    found = ode_kernel(stein).solve(theta, times, gradient=True)
    closed = stein.solve(theta, times, gradient=True)
    np.testing.assert_allclose(found.log_level, closed.log_level, atol=1e-6)
    np.testing.assert_allclose(found.gradient, closed.gradient, rtol=1e-4, atol=1e-5)


START = """
import numba, time
begin = time.process_time()
import cellpk as ck
model = ck.load_model({path!r})
print(model.kernel.solve(model.typical, [7, 28], gradient=True).gradient.tolist())
print(time.process_time() - begin)
"""


@pytest.mark.slow
def test_a_second_start_takes_less_than_a_second_and_a_half(
    model, kernel, folder, monkeypatch
):
    monkeypatch.setenv("CELLPK_CACHE", str(folder))
    script = START.format(path=str(folder / "reinfused.toml"))
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    here = kernel.solve(model.typical, [7, 28], gradient=True).gradient
    assert out[0] == str(here.tolist())
    assert float(out[1]) < 1.5


@pytest.mark.slow
def test_eight_states_with_cytokines_equal_scipy(folder, monkeypatch):
    """Hardiansyah & Ng 2019, patient UPN1, against Radau at 1e-11."""
    monkeypatch.setenv("CELLPK_CACHE", str(folder))
    model = ck.load_model("hardiansyah_2019_cll_upn1")
    days = [0.5, 3, 7, 28, 180]
    found = ode_kernel(model).states(model.typical, days)
    values = {name: float(x) for name, x in model.natural(model.typical).items()}
    values |= {name: row.value for name, row in model.covariates.items()}
    x, now = model.equations.starts(values), 0.0
    schedule = dict(zip(model.infusions.days, model.infusions.cells, strict=True))
    for day in sorted({*days, *schedule}):
        if day > now:
            x = solve_ivp(
                lambda t, y: model.equations.slopes(t, y, values),
                (now, day),
                x,
                method="Radau",
                rtol=1e-11,
                atol=1e-20,
            ).y[:, -1]
            now = day
        if day in days:
            truth = found[days.index(day)]
            np.testing.assert_allclose(np.log(truth / x), 0, atol=1e-6)
        if day in schedule:
            x[model.equations.states.index("E")] += 1e-9 * schedule[day]
