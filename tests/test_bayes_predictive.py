"""What a hierarchical fit predicts, and checks of data and priors against it."""

from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_population import DAYS, made_fit
from patients_bayes import drawn_patients, made_bayes
from scipy import stats

import cellpk as ck
from cellpk.fit.bayes.fit import fit_bayes
from cellpk.fit.bayes.predictive import (
    evenly,
    posterior_trials,
    prior_trials,
    reported_logs,
)
from cellpk.fit.bayes.predictive_checks import posterior_check, prior_check
from cellpk.fit.bayes.sampling import Sampling
from cellpk.fit.diagnostics.etas import etas, sampled_etas
from cellpk.fit.diagnostics.npde import npde
from cellpk.fit.diagnostics.trials import Trials, simulate_trials
from cellpk.fit.diagnostics.vpc import vpc
from cellpk.fit.population.draws import PopulationDraws
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.state import State
from cellpk.fit.residual_error import ResidualError


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def data(stein):
    """Parameters of twenty patients, and their study."""
    return drawn_patients(stein, 20, DAYS, lloq=50.0)


@pytest.fixture(scope="module")
def sure(stein, data):
    """A fit whose draws are all the truth."""
    return made_bayes(stein, data[1], data[0])


@pytest.fixture(scope="module")
def unsure(stein, data):
    """A fit whose draws of the population lie about the truth."""
    fit = made_bayes(stein, data[1], data[0], unsure=0.3)
    failed = {"passed": [False], "sentence": ["R-hat of beta is 1.02"]}
    vars(fit)["checks"] = pd.DataFrame(failed)
    return fit


def test_errors_of_many_draws_are_those_of_each(stein):
    parts = (
        ResidualError("combined", {"additive": 5.0, "proportional": 0.2}),
        ResidualError("lognormal", {"sd": 0.5}),
    )
    form = JointErrors(parts, ("flow", "qpcr"), (300.0, 1e5))
    beta, omega, none = np.zeros((4, 1)), np.ones((4, 1, 1)), np.zeros(4)
    logs = np.random.default_rng(1).normal(size=(4, 3))
    draws = PopulationDraws(beta, omega, logs, none, np.zeros((4, 0)), form)
    for place, wide in enumerate(draws.parts):
        each = np.array([state.errors.parts[place].logs for state in draws])
        assert wide.logs.shape == (len(wide.names), 4, 1, 1)
        found = wide.logs[..., 0, 0].T
        assert found == pytest.approx(each, rel=1e-12)
    same = PopulationDraws.of(State(beta[0], omega[0], form), 4)
    assert same.parts is form.parts


def test_roots_of_draws_are_zero_where_patients_do_not_differ():
    omega = np.array([[[4.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]])
    none = np.zeros((1, 0))
    draws = PopulationDraws(np.zeros((1, 3)), omega, none, np.zeros(1), none, None)
    (root,) = draws.roots(np.array([True, False, True]))
    assert root @ root.T == pytest.approx(omega[0])
    assert not root[1].any()
    assert not root[:, 1].any()


@pytest.mark.parametrize(
    "asked", [{}, {"covariates": {"cmax": ["age"]}, "lots": ["cmax"]}]
)
def test_trials_of_one_point_are_those_of_the_population_there(stein, asked):
    study = ck.simulate_study(seed=1)
    there = made_fit(
        stein,
        study,
        change=lambda state: replace(state, lot_sd=0.5 + 0 * state.lot_sd),
        settle=9,
        **asked,
    )
    theta = np.tile(stein.typical, (18, 1))
    point = made_bayes(stein, study, theta, never=0.1, **asked)
    (one,), (other,) = (simulate_trials(fit, 40, seed=3) for fit in (there, point))
    assert other.readings == pytest.approx(one.readings, rel=1e-9)
    assert (one.readings == 0).any()
    pd.testing.assert_frame_equal(one.rows, other.rows)


def test_bands_hold_what_is_not_known_of_the_population(sure, unsure):
    """Wider by far than those of the same fit taken for certain."""

    def width(fit):
        rows = vpc(fit, replicates=300).percentiles
        rows = rows[rows["percentile"] == 50.0]
        ends = rows[["low", "high"]].clip(lower=25.0)
        return np.log(ends["high"] / ends["low"]).to_numpy()

    wider = width(unsure) - width(sure)
    assert wider.mean() > 0.2
    assert (wider > 0).mean() > 0.8


def test_each_trial_is_of_one_draw_of_the_population(stein, data):
    """Trials of ten thousand patients would differ by the draws alone: by 0.8."""
    fit = made_bayes(stein, data[1], data[0], unsure=0.8)
    (trials,) = simulate_trials(fit, 400, seed=1)
    at = trials.rows["time"].eq(10.0).to_numpy()
    middle = np.log(trials.readings[:, at]).mean(1)
    (fixed,) = simulate_trials(made_bayes(stein, data[1], data[0]), 400, seed=1)
    apart = np.log(fixed.readings[:, at]).mean(1)
    assert middle.std() > 2 * apart.std()


def test_draws_of_patients_deviate_from_their_own_population(unsure):
    drawn, spread = unsure.deviations(50)
    rows = unsure._kept[:50]
    population = unsure.draws.take(rows)
    first = unsure.theta[rows[0]] - population.beta[0]
    assert drawn[0] == pytest.approx(first)
    assert spread[0] ** 2 == pytest.approx(np.diag(population.omega[0]))
    table = sampled_etas(unsure, draws=50)
    assert table["scaled"].to_numpy() == pytest.approx(
        (drawn / spread[:, None]).ravel()
    )
    mean = etas(unsure).pivot_table(index="patient", columns="parameter", values="eta")
    away = unsure.theta[0] - unsure.draws.beta.mean(0)
    assert mean[list(unsure.model.free)].to_numpy() == pytest.approx(away)


def test_the_same_patients_are_read_about_their_own_curves(stein, data, sure):
    (read,) = posterior_trials(sure, evenly(200, None), seed=1)
    natural = stein.natural(data[0])
    for i in (0, 7):
        own = {name: float(natural[name][i]) for name in stein.free}
        curve = np.asarray(stein.curve(DAYS, **own), float)
        away = np.log(read.readings[:, read.patient == i] / curve) / 0.56
        assert stats.kstest(away.ravel(), "norm").pvalue > 0.001


def test_patients_who_never_expanded_are_read_as_nothing(stein):
    study = ck.simulate_study(seed=1)
    theta = np.tile(stein.typical, (18, 1))
    fit = made_bayes(stein, study, theta, never=0.2, draws=200)
    (read,) = posterior_trials(fit, evenly(400, None), seed=1)
    nothing = [(read.readings[:, read.patient == i] == 0).all(1) for i in range(18)]
    expected = 1 - fit.drawn("expanded").mean(0)
    assert np.mean(nothing, axis=1) == pytest.approx(expected, abs=0.08)
    assert expected.max() > 0.9
    assert expected.min() == 0


def test_trials_of_the_prior_are_those_of_a_simulation_by_hand(stein, data):
    """One patient of each prior draw, on two days: by NumPy and the model's curve."""
    fit = made_bayes(stein, data[1], data[0], draws=20)
    kept, (trials,) = prior_trials(fit, evenly(500, None), seed=1)
    assert len(kept) == 500
    rng = np.random.default_rng(5)
    names = ("location", "spread", "error")
    prior = {name: fit.drawn(name, "prior")[:500] for name in names}
    theta = prior["location"] + prior["spread"] * rng.standard_normal((500, 6))
    natural = stein.natural(theta)
    own = [{name: float(natural[name][i]) for name in stein.free} for i in range(500)]
    curves = np.log([stein.curve([7.0, 90.0], **each) for each in own])
    made = curves + prior["error"] * rng.standard_normal((500, 2))
    for day, theirs in zip((7.0, 90.0), made.T, strict=True):
        at = np.flatnonzero(trials.rows["time"].eq(day) & (trials.patient == 3))[0]
        mine = np.log(trials.readings[:, at])
        assert stats.ks_2samp(mine, theirs).pvalue > 0.001


@pytest.mark.parametrize("llod", [None, 20.0])
def test_readings_are_reported_as_the_data_of_the_fit_are(stein, llod):
    """The samples themselves, read a little below and above their limits."""
    design = ck.Design(DAYS, lloq=50.0, llod=llod, uloq=2e4)
    study = stein.simulate(20, design=design, seed=2).study()
    theta = np.tile(stein.typical, (20, 1))
    fit = made_bayes(stein, study, theta, draws=20)
    (trials,) = simulate_trials(fit, 1, seed=1)
    state = trials.rows["state"]
    seen = {"below": 1.0, "detected": 30.0, "above": 3e4}
    level = trials.rows["level"].where(state == "quantified", state.map(seen))
    again = Trials(trials.rows, trials.patient, level.to_numpy()[None])
    detected = {"detected"} if llod else set()
    assert set(state) == {"quantified", "below", "above"} | detected
    observed = np.asarray(fit.tree["observed_data/qpcr"])
    assert reported_logs(again)[0] == pytest.approx(observed)


def test_p_is_uniform_where_model_and_parameters_are_true(stein):
    """With the true parameters in every draw nothing is fitted to the data."""
    found = []
    for seed in range(30):
        theta, study = drawn_patients(stein, 6, DAYS, lloq=50.0, seed=seed)
        fit = made_bayes(stein, study, theta, draws=100)
        table = posterior_check(fit, seed=seed)
        found.append(table.groupby("statistic")["p"].last())
    every = pd.DataFrame(found)
    for name in ("median level", "largest level"):
        assert stats.kstest(every[name], "uniform").pvalue > 0.005


def test_statistics_are_those_of_the_samples(data, sure):
    samples, table = data[1].samples, sure.posterior_check
    below = samples["state"] == "below"
    shares = table[table["statistic"] == "share below the limit"].set_index("day")
    assert shares["observed"].iloc[0] == below.mean()
    by_day = below.groupby(samples["time"]).mean()
    assert (shares["observed"].iloc[1:] == by_day).all()
    levels = samples["level"].fillna(0.0)
    rows = table.set_index("statistic")
    assert rows.loc["largest level", "observed"] == levels.max()
    middle = np.percentile(levels, 50, method="inverted_cdf")
    assert rows.loc["median level", "observed"] == middle
    assert (table["low"] <= table["median"]).all()
    assert table["p"].between(0, 1).all()


def test_a_wrong_fit_is_told_by_its_replicates(stein, data):
    low = data[0] - np.array([1.5, 0, 1.5, 0, 0, 0])
    table = posterior_check(made_bayes(stein, data[1], low))
    told = table.set_index("statistic").loc["largest level"]
    assert told["p"] < 0.01
    assert not told["passed"]
    assert "higher than in most replicates (90% of them" in told["sentence"]
    share = table[table["statistic"] == "share below the limit"].iloc[0]
    assert share["p"] > 0.95
    assert share["sentence"].startswith("qpcr: share below the limit 18%, lower than")


def test_data_that_no_prior_allows_are_told(stein, data, sure):
    allowed = prior_check(sure)
    assert allowed["passed"].all()
    assert set(allowed["trials"]) == {500}
    theta, study = drawn_patients(stein, 20, DAYS, lloq=50.0, times=1e6)
    table = prior_check(made_bayes(stein, study, theta, draws=20))
    told = table.set_index("statistic").loc["median level"]
    assert told["percentile"] > 99
    assert not told["passed"]
    assert "outside what the priors allow (of trials 98% of them" in told["sentence"]


def test_the_same_seed_gives_the_same_checks(sure):
    pd.testing.assert_frame_equal(posterior_check(sure), posterior_check(sure))
    pd.testing.assert_frame_equal(prior_check(sure), prior_check(sure))
    other = posterior_check(sure, seed=2)
    assert (other["median"] != posterior_check(sure)["median"]).any()
    with pytest.raises(ck.FitError, match="draws = 0"):
        prior_check(sure, draws=0)


def test_predictions_are_groups_that_arviz_draws(sure, unsure, tmp_path):
    more = sure.with_predictions(draws=60)
    assert "posterior_predictive" not in sure.tree
    known = more.tree["posterior_predictive/qpcr"]
    assert known.dims == ("chain", "draw", "qpcr_sample")
    assert known.shape == (2, 30, 240)
    assert known["draw"].to_numpy()[[0, -1]].tolist() == [0, 99]
    assert more.tree["prior_predictive/qpcr"].shape == (1, 60, 240)
    for group in ("posterior_predictive", "prior_predictive"):
        az.plot_ppc_dist(more.tree, group=group, num_samples=20, backend="none")
    az.plot_ppc_pit(more.tree, backend="none")
    az.plot_ppc_tstat(more.tree, backend="none")
    az.plot_loo_pit(unsure.with_predictions(None).tree, backend="none")
    more.tree.to_netcdf(tmp_path / "draws.nc")
    back = xr.open_datatree(tmp_path / "draws.nc")
    assert back["posterior_predictive/qpcr"].equals(known)


def test_diagnostics_of_the_true_fit_are_as_they_should_be(sure):
    found = npde(sure, replicates=300)
    assert found.tests.loc[0, "p_all"] > 0.005
    rows = vpc(sure, replicates=200).percentiles
    assert rows["observed"].between(rows["low"], rows["high"]).mean() > 0.75


def test_figures_are_drawn_and_say_what_they_are_of(unsure):
    quick = {"vpc": {"replicates": 60}, "npde": {"replicates": 120}}
    for name in ("vpc", "npde", "gof", "etas", "fits"):
        drawing = ck.figures.FIGURES[name](unsure, **quick.get(name, {}))
        assert "hierarchical Bayes fit of stein" in drawing.source
        assert any("R-hat of beta is 1.02" in line for line in drawing.footnotes)
        if name == "vpc":
            assert "each of another draw of the posterior" in drawing.caption
            assert drawing.figure.axes[1].get_ylabel() == "Below the\nLLOQ (%)"


@pytest.mark.slow
def test_a_sampled_fit_of_the_true_model_predicts_its_data(stein, data):
    sampling = Sampling(chains=2, draws=150, tune=200)
    fit = fit_bayes(stein, data[1], sampling=sampling).with_predictions(draws=50)
    az.plot_ppc_dist(fit.tree, num_samples=20, backend="none")
    assert fit.posterior_check["passed"].mean() > 0.8
    assert fit.prior_check["passed"].all()
    assert npde(fit, replicates=300).tests.loc[0, "p_all"] > 0.005
    rows = vpc(fit, replicates=200).percentiles
    assert rows["observed"].between(rows["low"], rows["high"]).mean() > 0.75
