"""Covariates and infusions of patients in a fit, against the model's own course."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.histories import read_histories

TEXT = """
title = "Infused cells that die faster under chemotherapy"
source = "made for the tests"
time = "day"
equations = '''
E(0) = 0
dE/dt = -(alpha + kill*chemo)*E*(weight/kg70)
'''
[parameters]
alpha = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
kill = { value = 0.2, unit = "1/day", iiv_sd = 0.3 }
volume = { value = 5e6, unit = "uL", fixed = true }
kg70 = { value = 70, unit = "kg", fixed = true }
[covariates]
weight = { value = 70, unit = "kg" }
[covariates.chemo]
value = 0
unit = "1"
steps = true
levels = [0, 1]
label = "Cyclophosphamide"
[infusions]
adds = { E = "cells/volume" }
days = [0]
cells = [1e8]
unit = "cells"
[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.4 }
"""
DAYS = [1.0, 5, 12, 20]
WEIGHTS = {"A": 50.0, "B": 70.0, "C": 90.0}
INFUSIONS = {
    "A": [(0.0, 1e8)],
    "B": [(0.0, 1e8)],
    "C": [(0.0, 1e8), (10.0, 3e8)],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "infused.toml"
    path.write_text(TEXT, encoding="utf-8")
    return ck.load_model(path)


def make(**changes):
    rows = [(name, day, 10.0) for name in WEIGHTS for day in DAYS]
    samples = pd.DataFrame(rows, columns=["patient", "time", "level"])
    infusions = [(n, day, x) for n, own in INFUSIONS.items() for day, x in own]
    frames = {
        "patients": pd.DataFrame(WEIGHTS.items(), columns=["patient", "weight"]),
        "infusions": pd.DataFrame(
            infusions, columns=["patient", "time", "dose"]
        ).assign(unit="cells"),
        "comedication": pd.DataFrame(
            {"patient": ["B"], "drug": ["Cyclophosphamide"], "time": [4], "end_time": 9}
        ),
    }
    return ck.Study.from_frames(samples.assign(assay="flow"), **(frames | changes))


def test_each_patient_has_the_course_of_the_model(model):
    data = fit_data(model, make())
    assert [group.rows.tolist() for group in data.groups] == [[0], [1], [2]]
    theta = model.typical + np.array([[0.1, 0], [0, 0.2], [-0.3, 0.0]])
    levels = data.levels(np.stack([theta, theta + 0.1]), gradient=True, tolerance=1e-9)
    chemo = {"B": {4.0: 1.0, 9.0: 0.0}}
    for i, name in enumerate(WEIGHTS):
        inputs = model.inputs(
            covariates={"weight": WEIGHTS[name], "chemo": chemo.get(name, {})},
            infusions=INFUSIONS[name],
        )
        level, gradient = model.log_level_gradient(theta[i], DAYS, inputs=inputs)
        np.testing.assert_allclose(levels[0].log_level[0, i], level, rtol=1e-6)
        np.testing.assert_allclose(levels[0].gradient[0, i], gradient, atol=1e-5)
    assert levels[0].failed.shape == (2, 3)


def test_samples_after_a_reinfusion_count_where_the_model_takes_it(model):
    assert set(fit_data(model, make()).samples["left_out"]) == {""}


def test_doses_are_converted_to_the_unit_of_the_model(model):
    table = make().infusions
    in_millions = table.assign(dose=table["dose"] / 1e6, unit="10^6 cells")
    found = read_histories(model, make(infusions=in_millions), list("ABC"))
    assert found.infusions == tuple(tuple(own) for own in INFUSIONS.values())


def test_all_that_is_missing_is_named_at_once(model):
    weights = pd.DataFrame({"patient": list("ABC"), "weight": [50.0, None, None]})
    infusions = make().infusions.iloc[1:]
    with pytest.raises(ck.DataError) as error:
        fit_data(model, make(patients=weights, infusions=infusions))
    said = str(error.value)
    assert "weight: there is no number for 2 patients: B, C" in said
    assert "the dose is not known of 1 patient: A" in said


def test_doses_per_weight_and_covariates_without_a_column_are_refused(model):
    patients = make().patients.drop(columns="weight")
    infusions = make().infusions.assign(unit="cells/kg")
    with pytest.raises(ck.DataError) as error:
        fit_data(model, make(patients=patients, infusions=infusions))
    assert "doses are in 'cells/kg', and infused takes cells" in str(error.value)
    assert "infused asks for weight" in str(error.value)


def test_a_day_of_comedication_is_its_first_and_may_never_come():
    model = ck.load_model("stein_2019_comedication")
    study = ck.simulate_study(seed=1)
    drugs = study.comedication
    data = fit_data(model, study, assays="qpcr")
    (group,) = data.groups
    for name, word in (("toci_day", "tocilizumab"), ("steroid_day", "corticosteroid")):
        first = drugs.loc[drugs["drug"] == word].groupby("patient")["time"].min()
        expected = [first.get(patient, np.inf) for patient in data.patients]
        np.testing.assert_array_equal(group.inputs.fixed()[name], expected)


def test_the_drug_of_a_covariate_can_be_named():
    model, study = ck.load_model("stein_2019_comedication"), ck.simulate_study(seed=1)
    drugs = {"toci_day": "corticosteroid"}
    found = read_histories(model, study, ["S01", "S09"], comedication=drugs)
    assert found.fixed["toci_day"].tolist() == [np.inf, 10.0]
    with pytest.raises(ck.DataError, match=r"'toci' is not a covariate"):
        read_histories(model, study, ["S01"], comedication={"toci": "x"})


def test_a_simulated_study_brings_its_covariates_and_doses_back(model):
    design = ck.Design([3, 9, 30], lloq=0.1, infusions=[(0, 1e8), (5, 2e8)])
    weights = np.array([50.0, 60.0, 90.0])
    virtual = model.simulate(3, design=design, seed=1, covariates={"weight": weights})
    data = fit_data(model, virtual.study(), comedication={"chemo": []})
    (group,) = data.groups
    np.testing.assert_array_equal(group.inputs.fixed()["weight"], weights)
    np.testing.assert_array_equal(group.inputs.cells, [1e8, 2e8])
