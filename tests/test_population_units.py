"""Fits whose numbers are far from 1: parameters on their own scale, errors of levels."""

import numpy as np
import pytest

import cellpk as ck
from cellpk.fit.population.chains import Steps

STEPS = Steps(search=120, average=60, draws=400)
LOGNORMAL = 'error = "lognormal", sd = 0.3'

FALL = """
title = "A fall"
source = "ours"
time = "day"
equations = '''
dE/dt = -rate*E
E(0) = peak
'''
solution = '''
E = peak*exp(-rate*t)
'''
[parameters]
peak = { value = 1e5, unit = "copies/ug", iiv_sd = 2e4, scale = "identity" }
rate = { value = 0.2, unit = "1/day", iiv_sd = 0.04, scale = "identity" }
[observed]
qpcr = { is = "E", unit = "copies/ug", ERROR }
"""


def fitted(folder, error, *, seed=1, **asked):
    """A trial of 40 patients, and its fit."""
    path = folder / "fall.toml"
    path.write_text(FALL.replace("ERROR", error), encoding="utf-8")
    model = ck.load_model(path)
    design = ck.Design([0.5, 1, 2, 4, 7, 10, 14], lloq=10.0)
    study = model.simulate(40, design=design, seed=seed).study()
    return ck.fit_population(model, study, steps=STEPS, **asked)


@pytest.mark.parametrize("method", ["saem", "laplace"])
def test_parameters_on_their_own_scale_come_back(tmp_path, method):
    fit = fitted(tmp_path, LOGNORMAL, method=method)
    assert fit.converged, fit.doubts
    rows = fit.table.set_index("parameter")
    for name, value, spread in (("peak", 1e5, 2e4), ("rate", 0.2, 0.04)):
        row = rows.loc[name]
        assert row["low"] < value < row["high"]
        error = row["iiv_rse"] / 100
        assert abs(np.log(row["iiv_sd"] / spread)) < 3 * error
        assert error < 0.4


@pytest.mark.parametrize(
    ("error", "truth"),
    [
        ('error = "normal", sd = 5000', {"qpcr sd": 5000}),
        (
            'error = "combined", additive = 3000, proportional = 0.1',
            {"qpcr additive": 3000, "qpcr proportional": 0.1},
        ),
    ],
    ids=["normal", "combined"],
)
def test_errors_in_the_unit_of_the_level_come_back(tmp_path, error, truth):
    fit = fitted(tmp_path, error)
    assert fit.converged, fit.doubts
    rows = fit.table.set_index("parameter")
    for name, value in truth.items():
        assert rows.loc[name, "low"] < value < rows.loc[name, "high"]
        assert rows.loc[name, "rse"] < 30
