"""Fits of numbers far from 1: parameters on their own scale, errors of levels."""

import numpy as np
import pandas as pd
import pytest
from made_models import fall

import cellpk as ck
from cellpk.fit.population.chains import Steps

STEPS = Steps(search=120, average=60, draws=400)
LOGNORMAL = 'error = "lognormal", sd = 0.3'


def simulated(folder, error=LOGNORMAL, *, seed=1):
    """The model and a trial of 40 patients."""
    model = fall(
        folder,
        peak='value = 1e5, iiv_sd = 2e4, scale = "identity"',
        rate='value = 0.2, iiv_sd = 0.04, scale = "identity"',
        error=error,
    )
    design = ck.Design([0.5, 1, 2, 4, 7, 10, 14], lloq=10.0)
    return model, model.simulate(40, design=design, seed=seed).study()


def fitted(folder, error, **asked):
    """The fit of a trial."""
    return ck.fit_population(*simulated(folder, error), steps=STEPS, **asked)


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


def test_what_is_of_a_parameter_on_its_own_scale_is_in_its_unit(tmp_path):
    model, study = simulated(tmp_path)
    who = study.patients["patient"]
    given = pd.DataFrame({"patient": who, "lot": ["A", "B", "C", "D"] * 10})
    known = ck.Study.from_frames(
        study.samples[["patient", "time", "assay", "level", "unit", "lloq", "state"]],
        patients=pd.DataFrame({"patient": who, "age": np.arange(40.0)}),
        infusions=given.assign(time=0.0, dose=1e8, unit="cells"),
    )
    steps = Steps(starts=1, search=10, average=5, draws=50)
    fit = ck.fit_population(
        model, known, covariates={"rate": ["age"]}, lots=["peak"], steps=steps
    )
    units = fit.table.set_index("parameter")["unit"]
    assert units["age on rate"] == "1/day"
    assert units["peak between lots"] == "copies/ug"
    assert units["qpcr sd"] == "1"
    shown = ck.compare({"one": fit, "same": fit}).parameters
    spread = shown[shown["kind"] == "spread between patients"].set_index("parameter")
    assert spread["unit"].to_dict() == {"peak": "copies/ug", "rate": "1/day"}
