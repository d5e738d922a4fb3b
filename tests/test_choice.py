"""Models weighed patient by patient: against scipy, by hand, and against truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

import cellpk as ck

FALL = """
title = "A fall of {n} phase(s)"
source = "ours"
time = "day"
equations = "level = {level}"
[parameters]
peak = {{ value = 5000, unit = "copies/ug", iiv_sd = 0.8 }}
fast = {{ value = 0.2, unit = "1/day", iiv_sd = 0.4 }}
{more}
[observed]
qpcr = {{ is = "level", unit = "copies/ug", error = "lognormal", sd = 0.3 }}
"""
MORE = """
share = { value = 0.02, unit = "1", iiv_sd = 0.5 }
slow = { value = 0.01, unit = "1/day", iiv_sd = 0.4 }
"""
DAYS = [1, 2, 4, 6, 8, 10, 13, 16, 20, 24, 28, 35, 42, 50, 60, 75, 90, 120]


def written(folder, n, level, more=""):
    path = folder / f"phases_{n}.toml"
    path.write_text(FALL.format(n=n, level=level, more=more), encoding="utf-8")
    return ck.load_model(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    two = "peak*((1 - share)*exp(-fast*t) + share*exp(-slow*t))"
    return [
        written(folder, 1, "peak*exp(-fast*t)"),
        written(folder, 2, two, MORE),
    ]


def chosen(models, truth, *, lloq=0.5, seed=1, patients=40):
    design = ck.Design(DAYS, lloq=lloq)
    study = models[truth].simulate(patients, design=design, seed=seed).study()
    return study, ck.choose_model(models, study)


@pytest.fixture(scope="module")
def of_two(models):
    return chosen(models, 1)


def test_two_phases_are_found_in_those_who_have_two(of_two):
    _, choice = of_two
    best = choice.summary.set_index("model")["best"]
    assert best["phases_2"] >= 38
    assert best.sum() == choice.table["patient"].nunique() == 40


def test_a_phase_that_is_not_there_is_seldom_found(models):
    """Of 18 samples: AICc asks 8.5 of -2 log L for two more parameters."""
    _, choice = chosen(models, 0, lloq=1e-9)
    assert choice.summary.set_index("model").loc["phases_2", "best"] <= 8


def test_the_deviance_is_that_of_a_search_by_scipy(of_two):
    study, choice = of_two
    table = choice.table[choice.table["model"] == "phases_1"].set_index("patient")
    for patient in table.index[:4]:
        own = study.samples[study.samples["patient"] == patient]
        time, below = own["time"].to_numpy(), own["state"].eq("below").to_numpy()
        log_level = np.log(own["level"].to_numpy(float))
        log_limit = np.log(own["lloq"].to_numpy(float))

        def deviance(x, time=time, below=below, y=log_level, limit=log_limit):
            mu, sd = x[0] - np.exp(x[1]) * time, np.exp(x[2])
            seen = norm.logpdf(y[~below], mu[~below], sd).sum()
            return -2 * (seen + norm.logcdf(limit[below], mu[below], sd).sum())

        starts = [[8.5, -1.6, -0.5], [7, -2.5, 0.5], [9, -1, 0]]
        options = {"maxfev": 5000, "xatol": 1e-9, "fatol": 1e-9}
        found = min(
            minimize(deviance, x, method="Nelder-Mead", options=options).fun
            for x in starts
        )
        assert table.loc[patient, "deviance"] == pytest.approx(found, abs=1e-4)


def test_criteria_and_weights_are_those_of_the_formulas(of_two):
    _, choice = of_two
    table = choice.table
    n, k = table["n_samples"], table["n_parameters"]
    assert set(k) == {3, 5}
    expected = table["deviance"] + 2 * k * n / (n - k - 1)
    pd.testing.assert_series_equal(table["aicc"], expected, check_names=False)
    bic = table["deviance"] + k * np.log(n)
    pd.testing.assert_series_equal(table["bic"], bic, check_names=False)
    sums = table.groupby("patient")["weight"].sum()
    np.testing.assert_allclose(sums, 1)
    first = table[table["patient"] == table["patient"].iloc[0]]
    ratio = np.exp(-0.5 * np.diff(first["aicc"].to_numpy()))
    weights = first["weight"].to_numpy()
    assert weights[1] / weights[0] == pytest.approx(ratio[0])


def test_too_few_samples_are_a_row_with_a_reason(models):
    samples = {"patient": "A", "time": [7, 14, 28, 60], "level": [900, 300, 80, 4]}
    samples = pd.DataFrame(samples).assign(assay="qpcr", unit="copies/ug", lloq=1.0)
    patients = pd.DataFrame({"patient": ["A", "B"]})
    study = ck.Study.from_frames(samples, patients=patients)
    choice = ck.choose_model(models, study)
    table = choice.table.set_index(["patient", "model"])
    assert table[["aicc", "weight"]].isna().all(axis=None)
    reason = table.loc[("A", "phases_2"), "reason"]
    assert reason == "4 quantified samples are fewer than 7, of 5 parameters"
    assert "no sample" in table.loc[("B", "phases_1"), "reason"]
    assert "0 with enough samples" in repr(choice)


def test_what_makes_no_sense_is_refused(models):
    study = models[0].simulate(2, design=ck.Design(DAYS), seed=1).study()
    with pytest.raises(ck.FitError, match="models = phases_1"):
        ck.choose_model(models[:1], study)
    with pytest.raises(ck.FitError, match="the same name"):
        ck.choose_model([models[0], models[0]], study)
    with pytest.raises(ck.FitError, match="criterion = 'aic'"):
        ck.choose_model(models, study, criterion="aic")
