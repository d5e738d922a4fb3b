"""Population fits of models with known truth: estimates, classes, covariates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.population.chains import Steps

DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]
QUICK = Steps(starts=1, search=150, average=80, draws=600)


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def simulated(stein):
    return stein.simulate(90, design=ck.Design(DAYS, lloq=50.0), seed=3)


@pytest.fixture(scope="module")
def fit(stein, simulated):
    return ck.fit_population(stein, simulated.study(), steps=Steps(search=150))


def on_scale(stein, fit):
    """Estimates, standard errors and truth of Stein's parameters, on the log scale."""
    rows = fit.table.set_index("parameter").loc[list(stein.free)]
    away = (np.log(rows["value"]) - stein.typical) / (rows["rse"] / 100)
    spread = np.log(rows["iiv_sd"] / stein.spread) / (rows["iiv_rse"] / 100)
    return away, spread


def test_typical_values_and_spread_come_back(stein, fit):
    """Of 12 numbers about 1 lies beyond 2 standard errors, and none beyond 3.5."""
    away = np.concatenate(on_scale(stein, fit))
    assert np.abs(away).max() < 3.5
    assert (np.abs(away) > 2).sum() <= 2
    error = fit.table.set_index("parameter").loc["qpcr sd"]
    off = np.log(error["value"] / stein.observed["qpcr"].sd) / (error["rse"] / 100)
    assert abs(off) < 3


def test_what_it_says_of_itself(fit):
    assert fit.converged, fit.doubts
    assert "90 patients, 1080 samples (201 of them by limits only)" in repr(fit)
    assert repr(fit).endswith("converged")
    assert fit.criteria["parameters"] == 13
    aic = fit.criteria["deviance"] + 26
    assert fit.criteria["aic"] == pytest.approx(aic)
    assert len(fit.individuals) == 90
    assert set(fit.trace["run"]) == {1, 2}


def test_convergence_is_claimed_only_where_starts_and_the_trace_say_so(stein):
    design = ck.Design(DAYS, lloq=50.0)
    study = stein.simulate(60, design=design, seed=3).study()
    once = ck.fit_population(stein, study, steps=QUICK)
    assert once.doubts == (
        "one start only: nothing says that another one ends at the same place",
    )
    hasty = Steps(search=3, average=20, draws=600)
    (said,) = ck.fit_population(stein, study, steps=hasty).doubts
    assert said.startswith("SAEM was still drifting while it averaged, by ")


def test_derived_quantities_follow_from_typical_values(fit):
    alpha = fit.table.set_index("parameter").loc["alpha"]
    derived = fit.derived.set_index("quantity")
    half_life, area = derived.loc["half_life_1"], derived.loc["auc_0_28"]
    for mine, theirs in (("value", "value"), ("low", "high"), ("high", "low")):
        assert half_life[mine] == pytest.approx(np.log(2) / alpha[theirs])
    assert area["low"] < 171_774 < area["high"]
    assert area["unit"] == "day*copies/ug"


def test_intervals_reach_as_far_as_students_t(fit):
    """90 patients, 6 parameters that vary: t of 84 degrees of freedom, from a table."""
    rows = fit.table.set_index("parameter").loc[["cmax", "qpcr sd"]]
    reach = np.log(rows["high"] / rows["value"]) / (rows["rse"] / 100)
    assert reach.to_numpy() == pytest.approx([1.98861, 1.98861], abs=1e-4)


def test_patients_are_near_their_true_parameters(stein, simulated, fit):
    drawn = simulated.parameters.set_index("patient")
    found = fit.individuals.set_index("patient")
    away = np.log(found["cmax"] / drawn["cmax"]) / found["cmax_sd"]
    assert np.abs(away).mean() < 1.2
    assert (np.abs(away) < 1.96).mean() > 0.88
    shrinkage = fit.table.set_index("parameter")["shrinkage"].dropna()
    assert shrinkage.between(-5, 60).all()


def test_the_spread_is_stated_as_sd_variance_and_cv(fit):
    row = fit.table.set_index("parameter").loc["cmax"]
    assert row["iiv_var"] == pytest.approx(row["iiv_sd"] ** 2)
    expected = 100 * np.sqrt(np.exp(row["iiv_sd"] ** 2) - 1)
    assert row["iiv_cv"] == pytest.approx(expected)


def test_what_is_not_told_has_neither_a_value_nor_a_spread(fit):
    estimates = replace(fit.estimates, untold=(5,))
    table = replace(fit, estimates=estimates).table.set_index("parameter")
    numbers = ["value", "rse", "iiv_sd", "iiv_var", "iiv_cv", "iiv_rse", "shrinkage"]
    assert table.loc["beta", numbers].isna().all()
    pd.testing.assert_frame_equal(
        table.drop(index="beta"), fit.table.set_index("parameter").drop(index="beta")
    )


def test_a_covariate_that_acts_is_found_and_one_that_does_not_is_near_zero(stein):
    rng = np.random.default_rng(1)
    virtual = stein.simulate(60, design=ck.Design(DAYS, lloq=50.0), seed=5)
    study = virtual.study()
    patients = study.patients[["patient"]].copy()
    patients["burden"] = np.exp(rng.normal(0, 0.7, 60))
    patients["sex"] = np.where(rng.random(60) < 0.5, "F", "M")
    effect = 0.8 * np.log(patients.set_index("patient")["burden"])
    samples = study.samples.copy()
    times = np.exp(samples["patient"].map(effect))
    samples["level"] = samples["level"] * times
    moved = ck.Study.from_frames(
        samples[["patient", "time", "assay", "level", "unit", "lloq", "state"]],
        patients=patients,
    )
    covariates = {"cmax": ["log burden", "sex"]}
    fit = ck.fit_population(stein, moved, covariates=covariates, steps=QUICK)
    rows = fit.table[fit.table["kind"] == "covariate effect"].set_index("parameter")
    burden = rows.loc["log burden on cmax"]
    assert burden["low"] < 0.8 < burden["high"]
    assert burden["low"] > 0.3
    (sex,) = [name for name in rows.index if name.startswith("sex")]
    assert rows.loc[sex, "low"] < 0 < rows.loc[sex, "high"]


def test_patients_who_never_expanded_are_a_class_with_its_share(stein):
    virtual = stein.simulate(40, design=ck.Design(DAYS, lloq=50.0), seed=8)
    samples = virtual.study().samples
    never = samples["patient"].isin(sorted(set(samples["patient"]))[:10])
    samples = samples.assign(
        level=samples["level"].mask(never), state=samples["state"].mask(never, "below")
    )
    columns = ["patient", "time", "assay", "level", "unit", "lloq", "state"]
    study = ck.Study.from_frames(samples[columns].assign(lloq=50.0))
    fit = ck.fit_population(stein, study, steps=QUICK)
    share = fit.table.set_index("parameter").loc["never_expanded"]
    assert share["low"] < 0.25 < share["high"]
    assert fit.individuals["expanded"].lt(0.05).sum() == 10
    assert np.abs(np.concatenate(on_scale(stein, fit))).max() < 4


def test_the_same_seed_gives_the_same_table_and_another_one_nearly(stein):
    study = stein.simulate(12, design=ck.Design(DAYS, lloq=50.0), seed=2).study()
    one, same, other = (
        ck.fit_population(stein, study, steps=QUICK, seed=seed) for seed in (2, 2, 3)
    )
    pd.testing.assert_frame_equal(one.table, same.table, check_exact=True)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=2)


def test_two_assays_of_one_patient_have_an_error_each(tmp_path):
    text = TWO_ASSAYS
    (tmp_path / "two.toml").write_text(text, encoding="utf-8")
    model = ck.load_model(tmp_path / "two.toml")
    design = ck.Design(
        {"qpcr": [1, 3, 7, 14, 28], "flow": [2, 5, 10, 21]},
        lloq={"qpcr": 50.0, "flow": 1.0},
    )
    study = model.simulate(40, design=design, seed=4).study()
    fit = ck.fit_population(model, study, assays=["qpcr", "flow"], steps=QUICK)
    rows = fit.table.set_index("parameter")
    truth = {"peak": 5000, "rate": 0.15, "scale": 60}
    for name, value in truth.items():
        off = np.log(rows.loc[name, "value"] / value) / (rows.loc[name, "rse"] / 100)
        assert abs(off) < 3.5, name
    errors = rows[rows["kind"] == "residual error"]["value"]
    assert errors["qpcr sd"] == pytest.approx(0.3, rel=0.2)
    assert errors["flow sd"] == pytest.approx(0.6, rel=0.2)


TWO_ASSAYS = """
title = "A fall seen by two assays"
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
peak = { value = 5000, unit = "copies/ug", iiv_sd = 0.8 }
rate = { value = 0.15, unit = "1/day", iiv_sd = 0.3 }
scale = { value = 60, unit = "copies*uL/ug/cells", iiv_sd = 0.2 }
[observed]
qpcr = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.3 }
flow = { is = "E/scale", unit = "cells/uL", error = "lognormal", sd = 0.6 }
"""


def test_a_covariate_that_is_not_known_of_all_is_refused(stein, simulated):
    study = simulated.study()
    patients = study.patients[["patient"]].assign(age=[None, *range(40, 129)])
    columns = ["patient", "time", "assay", "level", "unit", "lloq", "state"]
    aged = ck.Study.from_frames(study.samples[columns], patients=patients)
    with pytest.raises(ck.DataError, match=r"not known of 1 patients.*V0001"):
        ck.fit_population(stein, aged, covariates={"cmax": ["age"]})


def test_what_cannot_be_fitted_is_said(stein, simulated):
    study = simulated.study()
    with pytest.raises(ck.FitError, match="starts = 0"):
        ck.fit_population(stein, study, steps=Steps(starts=0))
    with pytest.raises(ck.DataError, match=r"no such parameter.*'cmax'"):
        ck.fit_population(stein, study, covariates={"cmx": ["age"]})
    with pytest.raises(ck.FitError, match="no parameter 'cmx'"):
        ck.fit_population(stein, study, correlations=[("cmx", "tmax")])


def test_draws_of_a_patient_hang_together_as_her_parameters_do(fit):
    """Draws of equal weight have the means and covariances of the weighted ones."""
    known = fit.posteriors
    sd = np.sqrt(np.diagonal(known.covariance, axis1=-2, axis2=-1))
    scaled = (known.draws - known.mean) / sd
    drawn = np.einsum("nip,niq->ipq", scaled, scaled) / len(scaled)
    expected = known.covariance / (sd[:, :, None] * sd[:, None, :])
    assert np.abs(expected - np.eye(6)).max() > 0.8  # some are closely related
    assert np.abs((drawn - expected).mean(0)).max() < 0.05
    assert np.abs(drawn - expected).std() < 0.12


def test_patients_who_never_expanded_do_not_shrink():
    """Of 18 patients 3 never had a level: they say nothing of the spread of peaks."""
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    fit = ck.fit_population(stein, ck.simulate_study(seed=1), steps=QUICK)
    rows = fit.table.set_index("parameter")
    seen = fit.individuals["expanded"] > 0.5
    assert (~seen).sum() == 3
    logs = np.log(fit.individuals.loc[seen, "cmax"])
    assert rows.loc["cmax", "shrinkage"] == pytest.approx(
        100 * (1 - logs.std(ddof=0) / rows.loc["cmax", "iiv_sd"]), abs=3
    )
