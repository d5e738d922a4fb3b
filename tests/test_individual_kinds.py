"""Individual fits of every kind of data: against closed forms and against scipy."""

import numpy as np
import pandas as pd
import pytest
from made_models import DECLINE
from scipy import stats
from scipy.optimize import minimize

import cellpk as ck

DAYS = np.array([1.0, 4.0, 9.0, 15.0, 22.0])
LEVELS = np.array([700.0, 900.0, 250.0, 260.0, 90.0])


def one_study(levels=LEVELS, *, assay="qpcr", high=1.0, lloq=10.0):
    samples = pd.DataFrame({"patient": "A", "time": DAYS, "level": levels})
    state = np.where(samples["level"] < lloq, "below", "quantified")
    samples.loc[samples["level"] < lloq, "level"] = np.nan
    samples = samples.assign(assay=assay, unit="copies/ug", lloq=lloq, state=state)
    patients = pd.DataFrame({"patient": ["A"], "high": [high]})
    return ck.Study.from_frames(samples, patients=patients)


@pytest.mark.parametrize("high", [1.0, 0.0])
def test_a_linear_model_has_the_posterior_of_the_textbook(made_model, high):
    """Normal prior with correlation 0.6, normal error: all in closed form."""
    model = made_model()
    fits = ck.fit_individuals(model, one_study(high=high), draws=20_000)
    mean = np.array([np.log(1000) + (0 if high else -np.log(10)), 0.1])
    prior = np.array([[0.25, 0.6 * 0.5 * 0.02], [0.6 * 0.5 * 0.02, 0.02**2]])
    design = np.stack([np.ones(5), -DAYS], axis=1)
    precision = np.linalg.inv(prior) + design.T @ design / 0.4**2
    pull = np.linalg.inv(prior) @ mean + design.T @ np.log(LEVELS) / 0.4**2
    covariance = np.linalg.inv(precision)
    expected, sd = covariance @ pull, np.sqrt(np.diag(covariance))
    row = fits.table.iloc[0]
    shift = 0 if high else np.log(10)
    assert np.log(row["c0"]) == pytest.approx(expected[0] + shift, abs=1e-5)
    assert row["k"] == pytest.approx(expected[1], abs=1e-6)
    long = fits.long.set_index("quantity")
    z = stats.norm.ppf([0.025, 0.975])
    delta = long.loc["k", ["delta_low", "delta_high"]].to_numpy(float)
    np.testing.assert_allclose(delta, expected[1] + z * sd[1], rtol=1e-4)
    drawn = long.loc["k", ["low", "high"]].to_numpy(float)
    np.testing.assert_allclose(drawn, expected[1] + z * sd[1], atol=0.05 * sd[1])
    told = 1 - sd**2 / np.diag(prior)
    np.testing.assert_allclose(long.loc[["c0", "k"], "information"], told, atol=0.03)


KINDS = {
    "lognormal": 'error = "lognormal", sd = 0.4',
    "student": 'error = "student", sd = 0.4, df = 4',
    "normal": 'error = "normal", sd = 60',
    "proportional": 'error = "proportional", sd = 0.3',
    "combined": 'error = "combined", additive = 30, proportional = 0.2',
}


def density(kind, y, f, *, below):
    """Log density of the level y about the curve f, or probability to be below y."""
    if kind in ("lognormal", "student"):
        bell = stats.norm if kind == "lognormal" else stats.t(4)
        z = (np.log(y) - np.log(f)) / 0.4
        return bell.logcdf(z) if below else bell.logpdf(z)
    sd = {"normal": 60.0, "proportional": 0.3 * f, "combined": np.hypot(30, 0.2 * f)}
    each = stats.norm(f, sd[kind])
    return each.logcdf(y) if below else each.logpdf(y)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_is_fitted_as_scipy_fits_it(made_model, kind):
    text = DECLINE.replace('error = "lognormal", sd = 0.4', KINDS[kind])
    model = made_model(text.replace("[correlations]\nc0.k = 0.6\n", ""))
    levels, lloq = np.append(LEVELS[:-1], 5.0), 10.0
    fits = ck.fit_individuals(model, one_study(levels, lloq=lloq))

    def loss(x):
        curve = np.exp(x[0] - x[1] * DAYS)
        pull = ((x - [np.log(1000), 0.1]) / [0.5, 0.02]) ** 2
        seen = density(kind, LEVELS[:-1], curve[:-1], below=False).sum()
        return 0.5 * pull.sum() - seen - density(kind, lloq, curve[-1], below=True)

    options = {"xatol": 1e-10, "fatol": 1e-12, "maxfev": 4000}
    found = minimize(loss, [6.5, 0.1], method="Nelder-Mead", options=options)
    row = fits.table.iloc[0]
    assert np.log(row["c0"]) == pytest.approx(found.x[0], abs=1e-4)
    assert row["k"] == pytest.approx(found.x[1], abs=1e-5)
    assert row["converged"], row["sentence"]
    result = fits.results["A"]
    assert np.log(result.params["c0"].value) == pytest.approx(found.x[0], abs=1e-3)


BOTH = DECLINE.replace(
    "[correlations]",
    'copies = { value = 100, unit = "copies*uL/ug/cells", iiv_sd = 1 }\n[correlations]',
).replace(
    'ddpcr = { is = "E", unit = "copies/ug", error = "normal", sd = 20 }',
    'flow = { is = "E/copies", unit = "cells/uL", error = "normal", sd = 0.5 }',
)


def test_two_assays_are_fitted_jointly_each_with_its_error_and_limit(made_model):
    model = made_model(BOTH)
    flow = LEVELS / 40 * np.exp([0.05, -0.04, 0.02, 0.03, 0.0])
    frames = [
        one_study().samples[["patient", "time", "level", "assay", "unit", "lloq"]],
        pd.DataFrame({"patient": "A", "time": DAYS + 0.5, "level": flow}).assign(
            assay="flow", unit="cells/uL", lloq=1.0
        ),
    ]
    patients = pd.DataFrame({"patient": ["A"], "high": [1.0]})
    study = ck.Study.from_frames(pd.concat(frames), patients=patients)
    fits = ck.fit_individuals(model, study, assays=["qpcr", "flow"])
    row = fits.table.iloc[0]
    assert (row["assay"], row["n_samples"]) == ("qpcr and flow", 10)

    def loss(x):
        qpcr = np.exp(x[0] - x[1] * DAYS)
        cells = np.exp(x[0] - x[1] * (DAYS + 0.5) - x[2])
        away = np.array([x[0] - np.log(1000), x[1] - 0.1])
        joint = np.array([[0.25, 0.006], [0.006, 0.0004]])
        pull = away @ np.linalg.solve(joint, away) + (x[2] - np.log(100)) ** 2
        seen = stats.norm.logpdf(np.log(LEVELS), np.log(qpcr), 0.4).sum()
        return 0.5 * pull - seen - stats.norm.logpdf(flow, cells, 0.5).sum()

    options = {"xatol": 1e-10, "fatol": 1e-12, "maxfev": 9000}
    found = minimize(loss, [6.5, 0.1, 3.7], method="Nelder-Mead", options=options)
    natural = np.exp(found.x[[0, 2]])
    assert row[["c0", "copies"]].to_list() == pytest.approx(natural, rel=1e-3)
    assert row["k"] == pytest.approx(found.x[1], rel=1e-3)
    assert set(fits.results["A"].params) >= {"qpcr_sd", "flow_sd", "copies"}
    assert fits.samples["predicted"].notna().sum() == 10


BY_CELL = """
variant_of = "stein_2019_tisagenlecleucel"
title = "Copies and cells"
note = "Made for tests"
[parameters]
scale = { value = 0.01, unit = "cells*ug/uL/copies", fixed = true }
[observed]
flow = { is = "(E+M)*scale", unit = "cells/uL", error = "lognormal", sd = 0.5 }
"""


@pytest.mark.parametrize("assays", [["qpcr", "flow"], ["flow", "qpcr"], "flow"])
def test_areas_are_in_the_unit_of_the_level_they_are_of(made_model, assays):
    """Of the model's first level, whichever assay is fitted first."""
    model, days = made_model(BY_CELL), np.array([4.0, 9, 14, 21, 28])
    level = model.curve(days, observed="qpcr")
    frames = [
        pd.DataFrame({"patient": "A", "time": days, "level": level * size}).assign(
            assay=name, unit=unit, lloq=1e-3
        )
        for name, unit, size in (("qpcr", "copies/ug", 1), ("flow", "cells/uL", 0.01))
    ]
    study = ck.Study.from_frames(pd.concat(frames))
    fits = ck.fit_individuals(model, study, assays=assays, starts=2, draws=0)
    assert fits.units["auc_0_28"] == "day*copies/ug"
    area = fits.long.set_index("quantity").loc["auc_0_28"]
    assert area["unit"] == "day*copies/ug"
    assert area["value"] == pytest.approx(171774, rel=0.3)


DOSED = """
title  = "Infused cells that a drug kills"
source = "Made for tests"
time   = "day"
equations = '''
E(0)  = 0
dE/dt = -(k + kill)*E if drug > 0.5 else -k*E
'''
[parameters]
share = { value = 0.5, unit = "copies/ug/cells", iiv_sd = 0.7 }
k     = { value = 0.1, unit = "1/day", iiv_sd = 0.4 }
kill  = { value = 0.2, unit = "1/day", iiv_sd = 0.7 }
[covariates]
drug = { value = 0, unit = "1", steps = true, levels = [0, 1], label = "Dasatinib" }
[infusions]
adds  = { E = "cells*share" }
days  = [0]
cells = [1000]
unit  = "cells"
[observed]
qpcr = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.1 }
"""


def test_further_infusions_and_a_drug_over_some_days_are_in_the_curve(made_model):
    """Two patients with days of their own; the curve is written down by hand."""
    days = np.array([1.0, 3, 6, 9, 12, 15, 18, 22, 28])
    true = {"share": 0.8, "k": 0.12, "kill": 0.3}
    given = {"A": (10.0, (4.0, 8.0)), "B": (16.0, (17.0, 24.0))}

    def level(second, drug):
        def left(since, until):
            on = np.clip(
                np.minimum(until, drug[1]) - np.maximum(since, drug[0]), 0, None
            )
            return np.exp(-true["k"] * (until - since) - true["kill"] * on)

        first = 1000 * true["share"] * left(0.0, days)
        late = days > second
        return first + np.where(late, 2000 * true["share"] * left(second, days), 0.0)

    samples = pd.concat(
        pd.DataFrame({"patient": name, "time": days, "level": level(*when)})
        for name, when in given.items()
    ).assign(assay="qpcr", unit="copies/ug", lloq=0.01)
    infusions = pd.DataFrame(
        [(n, t, x, "cells") for n, (s, _) in given.items()
         for t, x in ((0.0, 1000.0), (s, 2000.0))],
        columns=["patient", "time", "dose", "unit"],
    )  # fmt: skip
    drug = pd.DataFrame(
        [(n, a, b, "dasatinib") for n, (_, (a, b)) in given.items()],
        columns=["patient", "time", "end_time", "drug"],
    )
    study = ck.Study.from_frames(samples, infusions=infusions, comedication=drug)
    fits = ck.fit_individuals(made_model(DOSED), study, starts=4, draws=200)
    for name, value in true.items():
        np.testing.assert_allclose(fits.table[name], value, rtol=0.04)
    for name, (second, _) in given.items():
        curve = fits.curve(name, [second - 0.01, second + 0.01])["level"]
        assert curve[1] - curve[0] == pytest.approx(2000 * true["share"], rel=0.05)


def test_a_run_of_90_with_10_odd_patients_ends_with_80_fits_and_10_sentences(
    made_model,
):
    model = made_model()
    design = ck.Design([1, 4, 9, 15, 22, 30], lloq=10.0)
    whole = model.simulate(90, design=design, seed=5).study()
    kept = ["patient", "time", "level", "assay", "unit", "lloq", "state"]
    samples = whole.samples.query("assay == 'qpcr'")[kept].reset_index(drop=True)
    names = sorted(samples["patient"].unique())
    patients = whole.patients[["patient", "high"]].astype({"high": float})

    def own(i):
        return samples["patient"] == names[i]

    for i in (0, 1, 2):  # nothing is ever seen
        samples.loc[own(i), ["level", "state"]] = [np.nan, "below"]
    for i in (3, 4):  # all before the infusion
        samples.loc[own(i), "time"] -= 100
    for i in (5, 6):  # one sample
        samples = samples[~own(i) | (samples["time"] == 4)]
    patients.loc[patients["patient"].isin(names[7:9]), "high"] = np.nan
    samples.loc[own(9), ["level", "state"]] = [np.nan, "missing"]
    study = ck.Study.from_frames(samples, patients=patients)
    fits = ck.fit_individuals(model, study, draws=0)
    odd = fits.table[fits.table["method"] == "none"]
    assert odd["patient"].to_list() == names[:10]
    assert fits.table["converged"].sum() == len(fits.results) == 80
    assert fits.failed["reason"].str.len().gt(15).all()
    said = fits.failed.set_index("patient")["reason"]
    assert said[names[0]].startswith("6 samples, all below the limit: the cells never")
    assert "not after infusion" in said[names[3]]
    assert said[names[5]] == "1 quantified sample cannot hold a curve."
    assert "high: there is no number for" in said[names[7]]
    assert "6 missing" in said[names[9]]
