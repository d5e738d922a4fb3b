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
    assert table.loc[("B", "phases_1"), "reason"] == "No sample of this assay."
    assert "0 with enough samples" in repr(choice)


def test_what_makes_no_sense_is_refused(models):
    study = models[0].simulate(2, design=ck.Design(DAYS), seed=1).study()
    with pytest.raises(ck.FitError, match="models = phases_1"):
        ck.choose_model(models[:1], study)
    with pytest.raises(ck.FitError, match="the same name"):
        ck.choose_model([models[0], models[0]], study)
    with pytest.raises(ck.FitError, match="criterion = 'aic'"):
        ck.choose_model(models, study, criterion="aic")


RISE = """
title = "A rise and a fall on the log scale"
source = "ours"
time = "day"
equations = "level = peak*exp(up*(t - top)) if t < top else peak*exp(-down*(t - top))"
[parameters]
peak = { value = 5000, unit = "copies/ug", iiv_sd = 0.8 }
top = { value = 12, unit = "day", iiv_sd = 0.4 }
up = { value = 0.5, unit = "1/day", iiv_sd = 0.5 }
down = { value = 0.1, unit = "1/day", iiv_sd = 0.5 }
[observed]
qpcr = { is = "level", unit = "copies/ug", error = "lognormal", sd = 0.3 }
"""


def test_the_deviance_of_a_curve_with_a_corner_is_that_of_regressions(models, tmp_path):
    """With the day of the top held, log levels are linear: all days are tried."""
    (tmp_path / "rise.toml").write_text(RISE, encoding="utf-8")
    rise = ck.load_model(tmp_path / "rise.toml")
    study = rise.simulate(30, design=ck.Design(DAYS), seed=3).study()
    choice = ck.choose_model({"rise": rise, "fall": models[0]}, study)
    table = choice.table[choice.table["model"] == "rise"].set_index("patient")
    days = np.array(DAYS, float)
    tops = np.concatenate([days, np.linspace(1, 60, 8000)])
    before = np.minimum(days - tops[:, None], 0)
    after = np.maximum(days - tops[:, None], 0)
    design = np.stack([np.ones_like(before), before, after], axis=-1)
    off = []
    for patient, own in study.samples.groupby("patient"):
        y = np.log(own["level"].to_numpy(float))
        found = np.linalg.pinv(design) @ y
        possible = (found[:, 1] > 0) & (found[:, 2] < 0)
        left = y - (design @ found[..., None])[..., 0]
        least = np.square(left).sum(-1)[possible].min()
        expected = len(y) * (np.log(2 * np.pi * least / len(y)) + 1)
        off.append(table.loc[patient, "deviance"] - expected)
    # Of one patient another top, four SDs from the typical day, is better still.
    assert min(off) > -1e-3
    assert sorted(off)[-2] < 5e-3


def test_a_maximum_at_a_bound_is_told(models, tmp_path):
    text = FALL.format(n=9, level="peak*exp(-fast*t)", more="")
    text = text.replace("iiv_sd = 0.4", "iiv_sd = 0.05")
    (tmp_path / "narrow.toml").write_text(text, encoding="utf-8")
    narrow = ck.load_model(tmp_path / "narrow.toml")
    design = ck.Design(DAYS, lloq=1e-20)
    fast = models[0].with_values(fast=0.4)
    study = fast.simulate(5, design=design, seed=1).study()
    table = ck.choose_model({"narrow": narrow, "wide": models[0]}, study).table
    told = table["doubts"].str.contains("fast stands at its bound")
    assert told[table["model"] == "narrow"].any()
    assert not told[table["model"] == "wide"].any()


def test_one_patient_of_whom_something_is_missing_is_a_row_with_the_reason():
    study = ck.simulate_study(seed=1)
    given = study.comedication[["patient", "drug", "time"]]
    unknown = given.assign(time=given["time"].mask(given["patient"] == "S01"))
    columns = ["patient", "time", "assay", "level", "unit", "lloq", "state"]
    samples, patients = study.samples[columns], study.patients[["patient"]]
    study = ck.Study.from_frames(samples, patients=patients, comedication=unknown)
    names = ("stein_2019_comedication", "stein_2019_tisagenlecleucel")
    choice = ck.choose_model([ck.load_model(name) for name in names], study, starts=4)
    table = choice.table.set_index(["patient", "model"])
    assert len(table) == 36
    reason = table.loc[("S01", names[0]), "reason"]
    assert reason.startswith("toci_day: the day is not known of 1 patient")
    assert "toci_day" not in table.loc[("S01", names[1]), "reason"]


BOTH = """
flow = {{ is = "level/scale", unit = "cells/uL", error = "lognormal", sd = 0.6 }}
"""


def test_two_assays_are_weighed_together_each_with_its_error(tmp_path):
    text = (FALL + BOTH).format(n=1, level="peak*exp(-fast*t)", more="")
    text = text.replace("[observed]", SCALE + "[observed]")
    (tmp_path / "both.toml").write_text(text, encoding="utf-8")
    both = ck.load_model(tmp_path / "both.toml")
    design = ck.Design({"qpcr": DAYS, "flow": [3, 7, 14, 21]})
    study = both.simulate(3, design=design, seed=4).study()
    models = {"one": both, "same": both}
    table = ck.choose_model(models, study, assays=["qpcr", "flow"]).table
    row = table.iloc[0]
    assert (row["n_samples"], row["n_parameters"]) == (22, 5)
    own = study.samples[study.samples["patient"] == row["patient"]]
    time, y = own["time"].to_numpy(float), np.log(own["level"].to_numpy(float))
    flow = own["assay"].eq("flow").to_numpy()

    def deviance(x):
        mu = x[0] - np.exp(x[1]) * time - np.where(flow, x[2], 0)
        return -2 * norm.logpdf(y, mu, np.exp(np.where(flow, x[4], x[3]))).sum()

    options = {"maxfev": 20000, "maxiter": 20000, "xatol": 1e-9, "fatol": 1e-9}
    begin = [8.5, -1.6, 4, -1, -0.5]
    found = minimize(deviance, begin, method="Nelder-Mead", options=options)
    assert row["deviance"] == pytest.approx(found.fun, abs=1e-3)


SCALE = """
scale = { value = 60, unit = "copies*uL/ug/cells", iiv_sd = 0.5 }
"""
