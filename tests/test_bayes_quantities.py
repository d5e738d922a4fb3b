"""Posterior of peak, exposure, half-lives and persistence, against closed forms."""

import numpy as np
import pandas as pd
import pytest
from made_bayes import known, made_bayes
from scipy import stats
from scipy.integrate import quad
from test_landmarks import DRIP

import cellpk as ck
from cellpk.errors import FitError
from cellpk.fit.bayes.fit import fit_bayes
from cellpk.fit.bayes.quantities import quantiles, quantity_draws
from cellpk.fit.bayes.sampling import Sampling

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
DESIGN = ck.Design([4, 7, 10, 14, 28, 60], lloq=50)
CMAX = STEIN.free.index("cmax")


@pytest.fixture(scope="module")
def study():
    return STEIN.simulate(4, design=DESIGN, seed=2).study()


@pytest.fixture(scope="module")
def mixed():
    """A study of which three of 18 patients were never quantified."""
    return ck.simulate_study(seed=1)


def spread_of_cmax(sd, *, share=None, draws=2000):
    """A change: typical values as in the file, spread of cmax only."""
    spread = np.full((draws, 6), 1e-6)
    spread[:, CMAX] = sd
    own = {} if share is None else {"never_expanded": np.full(draws, share)}
    own["correlation"] = np.tile(np.eye(6), (draws, 1, 1))
    return {"draws": draws, "change": known(STEIN, spread=spread, **own)}


def row(table, quantity, patient=None):
    own = table[table["quantity"] == quantity]
    own = own if patient is None else own[own["patient"] == patient]
    assert len(own) == 1
    return own.iloc[0]


def test_the_typical_patient_has_the_quantities_of_the_model(study):
    fit = made_bayes(STEIN, study, **spread_of_cmax(0.7, draws=50))
    table = fit.quantities("typical", until=90, limit=100)
    natural = STEIN.natural(STEIN.typical)
    area = quad(lambda t: STEIN.curve([t])[0], 0, 28, points=[9.3], limit=200)[0]
    expected = {
        "cmax": natural["cmax"],
        "tmax": natural["tmax"],
        "auc_0_28": area,
        "doubling_time": np.log(2) * natural["tmax"] / np.log(natural["foldx"]),
        "half_life_1": np.log(2) / natural["alpha"],
        "half_life_2": np.log(2) / natural["beta"],
    }
    for quantity, value in expected.items():
        assert row(table, quantity)["value"] == pytest.approx(value, rel=1e-4)
    last = row(table, "tlast")
    assert (last["value"], last["censored"]) == (90.0, 1.0)
    assert last["remark"] == (
        "in 100.0% of the draws above 100 copies/ug at the horizon, day 90, which "
        "stands for what is later"
    )
    assert row(table, "auc_0_28")["unit"] == "day*copies/ug"
    later = row(fit.quantities("typical", until=400, limit=100), "tlast")
    assert later["censored"] == 0
    assert STEIN.curve([later["value"]])[0] == pytest.approx(100, rel=1e-3)


def test_each_draw_has_the_area_of_the_model(study):
    fit = made_bayes(STEIN, study, draws=50)
    found = quantity_draws(fit, limit=50)
    area = found.draws[..., found.names.index("auc_0_28")]
    own = STEIN.quantities(fit.theta)["auc_0_28"][0]
    assert np.allclose(area.reshape(own.shape), own, rtol=1e-8)
    assert found.draws.shape == (2, 50, 4, len(found.names))
    assert found.table["patient"].tolist()[:: len(found.names)] == list(fit.patients)


def test_a_new_patient_is_drawn_from_the_population(study):
    sd = 0.7
    fit = made_bayes(STEIN, study, **spread_of_cmax(sd))
    found = row(fit.quantities("new"), "cmax")
    typical = STEIN.natural(STEIN.typical)["cmax"]
    ends = typical * np.exp(sd * stats.norm.ppf([0.5, 0.05, 0.95]))
    # Of 4,000 draws the 95th percentile is known to 3.4 % of an SD.
    assert np.allclose(
        np.log(found[["value", "low", "high"]].to_numpy(float)), np.log(ends), atol=0.09
    )
    assert found["expanded"] == 1
    assert found["r_hat"] < 1.01
    assert found["ess_bulk"] > 2500


def test_who_never_expands_has_no_peak_and_no_half_life(mixed):
    sd, share = 0.7, 0.3
    fit = made_bayes(STEIN, mixed, **spread_of_cmax(sd, share=share))
    table = fit.quantities("new")
    assert row(table, "cmax")["expanded"] == pytest.approx(1 - share, abs=0.03)
    typical = STEIN.natural(STEIN.typical)
    # A mixture: 0 in a share of the draws, else log-normal.
    middle = typical["cmax"] * np.exp(sd * stats.norm.ppf((0.5 - share) / (1 - share)))
    peak = row(table, "cmax")
    assert np.log(peak["value"] / middle) == pytest.approx(0, abs=0.1)
    assert (peak["low"], row(table, "auc_0_28")["low"]) == (0.0, 0.0)
    assert row(table, "tlast")["low"] == 0
    half_life = row(table, "half_life_1")
    assert half_life["low"] == pytest.approx(np.log(2) / typical["alpha"], rel=1e-3)
    draws = quantity_draws(fit, "new")
    gone = ~draws.curves.expanded
    assert (draws.draws[gone][:, draws.names.index("cmax")] == 0).all()
    assert np.isnan(draws.draws[gone][:, draws.names.index("tmax")]).all()


def test_patients_expand_in_as_many_draws_as_is_probable(mixed):
    fit = made_bayes(STEIN, mixed, draws=2000)
    chance = fit.drawn("expanded")
    below = fit.data.all_below
    table = fit.quantities()
    expanded = table[table["quantity"] == "cmax"]["expanded"].to_numpy()
    assert (expanded[~below] == 1).all()
    assert (expanded[below] < 1).all()
    sd = np.sqrt((chance * (1 - chance)).mean(0) / len(chance))
    assert (np.abs(expanded - chance.mean(0)) <= 4 * sd).all()


def test_lots_add_to_what_a_new_patient_may_be(mixed):
    between = np.full((2000, 1), 0.6)
    made = spread_of_cmax(0.8, share=1e-6)
    made["change"] = known(
        STEIN,
        spread=np.where(np.arange(6) == CMAX, 0.8, 1e-6) * np.ones((2000, 1)),
        never_expanded=np.full(2000, 1e-6),
        lot_spread=between,
    )
    fit = made_bayes(STEIN, mixed, lots=["cmax"], **made)
    found = row(fit.quantities("new"), "cmax")
    typical = STEIN.natural(STEIN.typical)["cmax"]
    reach = np.log(found["high"] / typical)
    assert reach == pytest.approx(1.0 * stats.norm.ppf(0.95), abs=0.1)


def test_persistence_is_the_share_above_the_limit(mixed):
    sd, share, limit = 0.7, 0.25, 500.0
    fit = made_bayes(STEIN, mixed, **spread_of_cmax(sd, share=share))
    table = fit.persistence([28, 60], limit=limit)
    assert table["visit"].unique().tolist() == ["day 28", "day 60"]
    levels = STEIN.curve([28.0, 60.0])
    expected = (1 - share) * stats.norm.cdf(np.log(levels / limit) / sd)
    new = table[table["patient"] == "new patient"]
    # 100,000 new patients: the mean is known to 0.2 %. Each population has 200 of
    # them, which is all that its interval rests on here.
    assert np.allclose(new["probability"], expected, atol=0.01)
    error = stats.norm.ppf(0.95) * np.sqrt(expected * (1 - expected) / 200)
    assert np.allclose(new["high"] - new["low"], 2 * error, rtol=0.15)
    theta, drawn = fit.theta, fit.drawn("expanded")
    above = np.exp(STEIN.log_level(theta, [28.0, 60.0])) > limit
    patients = table[~table["patient"].isin(["all patients", "new patient"])]
    given = (above * drawn[..., None]).mean(0)
    found = patients["probability"].to_numpy().reshape(-1, 2)
    assert np.allclose(found, given, atol=0.04)
    everybody = table[table["patient"] == "all patients"]["probability"]
    assert np.allclose(everybody, found.mean(0))
    assert patients["low"].isna().all()


def test_visits_of_the_study_are_looked_at_where_none_are_given(mixed):
    fit = made_bayes(STEIN, mixed, draws=30)
    table = fit.persistence()
    last = max(one.times[one.known].max() for one in fit.data.series)
    visits = mixed.settings.metrics.visits
    asked = [name for name, (day, _) in visits.items() if day <= last]
    assert table["visit"].unique().tolist() == asked
    assert (table["limit"] == 50).all()
    named = fit.persistence({"late": 60, "early": 28})
    assert named["visit"].tolist()[:2] == ["early", "late"]


def infused(made_model, unit="cells", **columns):
    """A study of patients with one infusion of 100 cells or two."""
    model = made_model(DRIP)
    rows = [(p, day, 20.0) for p in "ABC" for day in (1.0, 5.0, 12.0, 20.0)]
    samples = pd.DataFrame(rows, columns=["patient", "time", "level"])
    size = 1.0 if unit == "cells" else 1e-6
    doses = [("A", 0.0, 100.0), ("B", 0.0, 100.0), ("C", 0.0, 100.0), ("C", 9.0, 300.0)]
    infusions = pd.DataFrame(doses, columns=["patient", "time", "dose"])
    infusions["dose"] *= size
    patients = pd.DataFrame({"patient": list("ABC"), **columns})
    study = ck.Study.from_frames(
        samples.assign(assay="flow", lloq=1.0),
        patients=patients,
        infusions=infusions.assign(unit=unit),
    )
    return model, study


@pytest.mark.parametrize("unit", ["cells", "1e6 cells"])
def test_a_new_dose_is_infused(made_model, unit):
    model, study = infused(made_model, unit)
    fit = made_bayes(model, study, draws=30, change=known(model, sd=1e-9))
    k, share = np.exp(model.typical)
    dose = 400.0 if unit == "cells" else 400e-6
    table = fit.quantities("typical", dose=dose, limit=1.0, until=100)
    assert row(table, "cmax")["value"] == pytest.approx(share * 400, rel=1e-4)
    area = share * 400 / k * -np.expm1(-28 * k)
    assert row(table, "auc_0_28")["value"] == pytest.approx(area, rel=1e-4)
    last = np.log(share * 400) / k
    assert row(table, "tlast")["value"] == pytest.approx(last, rel=1e-3)
    # Each patient keeps her days: C is infused twice.
    draws = quantity_draws(fit, dose=dose)
    own = np.exp(draws.curves.theta[..., 2, :])
    twice = own[..., 1] * 400 * (1 + np.exp(-9 * own[..., 0]))
    assert np.allclose(draws.draws[..., 2, 0], twice, rtol=1e-3)


def test_a_new_dose_acts_by_the_covariate_of_the_fit(study):
    patients = study.patients.assign(dose=[50.0, 100.0, 100.0, 400.0])
    given = ck.Study.from_frames(study.samples, patients=patients)
    fit = made_bayes(STEIN, given, draws=60, covariates={"cmax": ["log dose"]})
    typical, effect = fit.drawn("location")[:, [CMAX, 6]].T
    draws = quantity_draws(fit, "typical", dose=300.0)
    peak = np.log(draws.curves.theta[..., 0, CMAX]).ravel()
    assert np.allclose(np.exp(peak), typical + effect * np.log(300 / 100))
    moved = quantity_draws(fit, dose=300.0).curves.theta[..., CMAX]
    away = (moved.reshape(-1, 4) - fit.theta[..., CMAX]) / effect[:, None]
    assert np.allclose(away, np.log(300 / np.array([50, 100, 100, 400.0])))
    categories = given.patients.assign(dose=["low", "high", "high", "low"])
    other = ck.Study.from_frames(
        given.samples, patients=categories.assign(dose=list("abbc"))
    )
    fit = made_bayes(STEIN, other, draws=20, covariates={"cmax": ["dose"]})
    with pytest.raises(FitError, match="by category"):
        fit.quantities("new", dose=2.0)


def test_a_dose_that_nothing_knows_is_refused(study, made_model):
    fit = made_bayes(STEIN, study, draws=20)
    with pytest.raises(FitError, match="300, and the model knows no dose"):
        fit.quantities("new", dose=300)
    model, infusions = infused(made_model, dose=[10.0, 20.0, 40.0])
    both = made_bayes(model, infusions, draws=20, covariates={"k": ["dose"]})
    with pytest.raises(FitError, match="the fit as the covariate dose"):
        both.quantities("new", dose=300)
    with pytest.raises(FitError, match="dose = -1"):
        both.quantities("new", dose=-1)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"of": "all"}, "'all'"),
        ({"limit": 0}, "limit = 0"),
        ({"until": -3}, "until = -3"),
        ({"assay": "flow"}, "'flow'"),
    ],
)
def test_what_is_not_possible_is_named(study, asked, found):
    fit = made_bayes(STEIN, study, draws=20)
    with pytest.raises(FitError, match=found):
        fit.quantities(**asked)


def test_draws_without_a_curve_are_left_out_and_counted(study):
    def change(chain):
        location = np.tile(STEIN.typical, (len(chain["location"]), 1))
        location[:5, 1] = np.nan
        return chain | {"location": location}

    fit = made_bayes(STEIN, study, draws=50, change=change)
    found = row(fit.quantities("typical"), "cmax")
    assert found["value"] == pytest.approx(np.exp(STEIN.typical[CMAX]))
    assert found["remark"] == "in 10.0% of the draws no number: these are left out"
    assert np.isnan(found["r_hat"])


def test_visits_that_are_not_possible_are_named(study):
    fit = made_bayes(STEIN, study, draws=20)
    with pytest.raises(FitError, match="visit on day -1"):
        fit.persistence([-1])
    with pytest.raises(FitError, match="no visit"):
        fit.persistence([])


def test_without_a_limit_there_is_no_last_time(study):
    samples = study.samples.assign(lloq=np.nan)
    samples = samples[samples["state"] == "quantified"]
    fit = made_bayes(STEIN, ck.Study.from_frames(samples), draws=20)
    assert "tlast" not in set(fit.quantities()["quantity"])
    assert fit.quantities()["censored"].isna().all()
    with pytest.raises(FitError, match="no LLOQ"):
        fit.persistence([28])


def test_quantiles_leave_out_what_is_none():
    rng = np.random.default_rng(5)
    drawn = rng.standard_normal((101, 7, 3))
    drawn[rng.random(drawn.shape) < 0.4] = np.nan
    found = quantiles(drawn, (0.5, 0.05, 0.95))
    assert np.allclose(found, np.nanquantile(drawn, [0.5, 0.05, 0.95], axis=0))


def test_the_same_fit_gives_the_same_bytes(mixed):
    tables = []
    for _ in range(2):
        fit = made_bayes(STEIN, mixed, draws=30)
        tables.append(fit.quantities("new").to_csv() + fit.persistence().to_csv())
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_sampled_fit_tells_peak_and_area_of_simulated_patients():
    virtual = STEIN.simulate(12, design=DESIGN, seed=3)
    sampling = Sampling(chains=2, draws=300, tune=300)
    fit = fit_bayes(STEIN, virtual.study(), sampling=sampling)
    own = virtual.parameters.set_index("patient").loc[list(fit.patients)]
    theta = STEIN.theta({name: own[name].to_numpy() for name in STEIN.free})
    true = {"cmax": own["cmax"], "auc_0_28": STEIN.quantities(theta)["auc_0_28"][0]}
    table = fit.quantities()
    for quantity, values in true.items():
        found = table[table["quantity"] == quantity]
        held = (found["low"] < np.array(values)) & (found["high"] > np.array(values))
        # Of 12 intervals that hold with 90 %, fewer than 8 do once in 200 times.
        assert held.sum() >= 8
        assert found["r_hat"].max() < 1.03
        assert found["ess_tail"].min() > 100
    typical = fit.quantities("typical", until=90).set_index("quantity")
    assert typical.loc["cmax", "low"] < 24000 < typical.loc["cmax", "high"]
    told = fit.table.set_index(["parameter", "kind"])
    # Twelve patients tell the peak; nobody tells how the last decline differs.
    assert told.loc[("cmax", "typical value"), "contraction"] > 0.6
    assert told.loc[("beta", "spread"), "contraction"] < 0.6
