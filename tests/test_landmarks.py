"""Peak and last time above a limit of many curves, against what is known of them."""

import numpy as np
import pytest
from made_models import EXPLOSION
from scipy.optimize import brentq

import cellpk as ck
from cellpk.model.landmarks import landmarks

STEIN = ck.load_model("stein_2019_tisagenlecleucel")

DRIP = """
title  = "Cells that are lost at a constant rate"
source = "Made for tests"
time   = "day"
equations = '''
E(0)  = 0
dE/dt = -k*E
'''
[parameters]
k     = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
share = { value = 0.5, unit = "1/uL", iiv_sd = 0.3 }
[infusions]
adds  = { E = "cells*share" }
days  = [0]
cells = [100]
unit  = "cells"
[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }
"""


def drawn(model, number, *, seed=1, times=1.0):
    rng = np.random.default_rng(seed)
    away = rng.standard_normal((number, len(model.free)))
    return model.typical + times * model.spread * away


def test_the_peak_of_stein_is_cmax_at_tmax():
    theta = drawn(STEIN, 500)
    foldx, tmax, cmax, alpha, fb, beta = np.exp(theta).T
    rises = (foldx > 1) & (tmax < 60) & (beta < alpha) & (fb < 1)
    assert rises.sum() > 300
    found = landmarks(STEIN, theta, 60.0)
    assert np.allclose(found.cmax[rises], cmax[rises], rtol=1e-6)
    assert np.allclose(found.tmax[rises], tmax[rises], atol=1e-6)
    assert found.tlast is None


def test_a_horizon_before_the_peak_ends_at_its_last_level():
    found = landmarks(STEIN, STEIN.typical, 5.0, limit=1.0)
    assert float(found.tmax) == 5.0
    assert float(found.cmax) == pytest.approx(STEIN.curve([5.0])[0])
    assert bool(found.beyond)
    assert float(found.tlast) == 5.0


def test_the_last_time_above_a_limit_is_where_the_curve_crosses_it():
    theta = drawn(STEIN, 40, seed=2)
    limit, until = 200.0, 400.0
    found = landmarks(STEIN, theta, until, limit=limit)
    for i, own in enumerate(theta):

        def away(day, own=own):
            return float(STEIN.log_level(own, [day])[0] - np.log(limit))

        tmax = float(np.exp(own[1]))
        if away(tmax) <= 0:
            assert found.tlast[i] == 0
        elif away(until) > 0:
            assert found.beyond[i]
            assert found.tlast[i] == until
        else:
            crossed = brentq(away, tmax, until)
            assert found.tlast[i] == pytest.approx(crossed, abs=1e-3)


@pytest.mark.parametrize("name", ["stein_2019_smooth_peak", "kimmel_2021_axicel"])
def test_other_peaks_are_those_of_a_fine_grid(name):
    model = ck.load_model(name)
    theta, days = model.typical, np.arange(0.0, 60.0, 0.002)
    levels = np.exp(model.log_level(theta, days))
    found = landmarks(model, theta, 60.0, tolerance=1e-8)
    assert float(found.cmax) == pytest.approx(levels.max(), rel=1e-4)
    assert float(found.tmax) == pytest.approx(days[levels.argmax()], abs=0.02)


def test_printed_peaks_of_the_library_come_back():
    model = ck.load_model("kimmel_2021_axicel")
    found = landmarks(model, model.typical, 28.0, observed="car")
    assert f"{float(found.cmax):.3e}" == "1.511e+10"
    assert f"{float(found.tmax):.1f}" == "7.0"


def test_a_second_infusion_on_a_day_of_no_grid_is_seen(made_model):
    model = made_model(DRIP)
    schedule = [(0, 100.0), (7.3, 500.0)]
    inputs = model.inputs(infusions=schedule)
    theta = drawn(model, 5, seed=3)
    k, share = np.exp(theta).T
    found = landmarks(model, theta, 200.0, limit=1.0, inputs=inputs, tolerance=1e-8)
    peak = share * (100 * np.exp(-7.3 * k) + 500)
    assert np.allclose(found.cmax, peak, rtol=1e-5)
    assert np.allclose(found.tmax, 7.3, atol=1e-6)
    assert np.allclose(found.tlast, 7.3 + np.log(peak) / k, atol=1e-3)


def test_a_curve_without_end_is_none(made_model):
    model = made_model(EXPLOSION)
    found = landmarks(model, model.theta({"r": [0.01, 1.0]}), 50.0, limit=1.0)
    assert np.isfinite(found.cmax[0])
    assert np.isnan([found.cmax[1], found.tmax[1], found.tlast[1]]).all()
    assert not found.beyond[1]


def test_covariates_differ_between_patients():
    model = ck.load_model("stein_2019_comedication")
    days = np.array([2.0, 6.0, np.inf])
    theta = np.tile(model.typical, (4, 3, 1)) + np.arange(4)[:, None, None] * 0.02
    found = landmarks(
        model,
        theta,
        60.0,
        limit=50.0,
        inputs=model.inputs(covariates={"toci_day": days}),
    )
    for i, day in enumerate(days):
        own = model.inputs(covariates={"toci_day": day})
        alone = landmarks(model, theta[:, i], 60.0, limit=50.0, inputs=own)
        assert np.array_equal(found.cmax[:, i], alone.cmax)
        assert np.array_equal(found.tlast[:, i], alone.tlast)
    assert len(set(found.cmax[0].round(3))) > 1
