"""Leaving one out: against closed forms, and against fits without her."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from linear_population import Sd, lines
from scipy.stats import norm

import cellpk as ck
from cellpk.fit.bayes.compare import compared, stacking
from cellpk.fit.bayes.loo import leave_one_out, standard_error, summed
from cellpk.fit.bayes.marginal import Integral, given_lots
from cellpk.fit.bayes.psis import good_k, left_out
from cellpk.fit.bayes.sensitivity import CONFLICT, NEITHER, STRONG, diagnosed, moved
from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.compare import compare
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure


def means(y, *, draws=4000, prior=10.0, seed=1):
    """Draw the mean of y ~ N(mean, 1) from its posterior; return log likelihoods."""
    precision = len(y) + prior**-2
    rng = np.random.default_rng(seed)
    mean = y.sum() / precision + rng.normal(size=(2, draws // 2)) / precision**0.5
    return mean, norm.logpdf(y, mean[..., None], 1.0)


@pytest.fixture(scope="module")
def y():
    return np.random.default_rng(4).normal(1.0, 1.0, 12)


def test_left_out_equals_the_closed_form(y):
    found = left_out(means(y)[1])
    precision = len(y) - 1 + 10.0**-2
    others = (y.sum() - y) / precision
    exact = norm.logpdf(y, others, np.sqrt(1 + 1 / precision))
    np.testing.assert_allclose(found.elpd, exact, atol=0.02)
    assert (found.k < good_k(4000)).all()
    together = norm.logpdf(
        y, y.sum() / (precision + 1), np.sqrt(1 + 1 / (precision + 1))
    )
    np.testing.assert_allclose(found.p, together - exact, atol=0.02)


def test_an_outlier_is_named_and_no_other(y):
    y = np.append(y, 14.0)
    frame = pd.DataFrame({"patient": [f"P{i}" for i in range(13)]})
    found = summed(means(y)[1], frame, "patient")
    row = found.table.iloc[0]
    assert (row["worst_k"] > row["limit_k"], row["patient"]) == (True, "P12")
    assert row["bad_k"] == 1
    assert found.each["sentence"].str.len().gt(0).tolist() == [False] * 12 + [True]
    assert repr(found).startswith("NOT RELIABLE for 1 of 13")
    assert row["se"] == pytest.approx(np.sqrt(13) * np.std(found.each["elpd"], ddof=1))


def test_what_does_not_depend_on_the_draws_is_exact(y):
    given = means(y)[1]
    given[..., 3] = -0.25 + 1e-13 * given[..., 3]
    found = left_out(given)
    assert found.elpd[3] == pytest.approx(-0.25, abs=1e-12)
    assert found.k[3] == -np.inf
    assert found.p[3] == pytest.approx(0.0, abs=1e-12)


def test_of_one_patient_no_standard_error_is_told():
    assert np.isnan(standard_error(np.array([-3.0])))


BETA, OMEGA = np.array([2.0, -1.0]), np.array([[1.0, 0.2], [0.2, 0.25]])
STATES = [
    State(BETA, OMEGA, Sd(0.5)),
    State(BETA + np.array([1.5, -0.8]), OMEGA / 4, Sd(0.8)),
    State(BETA, np.diag([1.0, 1e-4]), Sd(0.4)),  # hardly a difference left
    State(BETA, 9 * OMEGA, Sd(1.5)),
]


@pytest.mark.parametrize("state", STATES)
def test_the_marginal_likelihood_equals_the_closed_form_wherever_it_is_asked(state):
    data = lines(10)
    design = np.stack([np.ones_like(data.times), data.times], -1) / 0.5
    turned = np.swapaxes(design, -1, -2)
    pull = (turned @ (data.level / 0.5)[..., None])[..., 0]
    told = Whitening(pull, turned @ design, np.ones(2, bool))
    plain = Structure.without_covariates(("a", "b"), 10, full=True)
    found = Integral(Sampled(data, plain), told, 4000, (1, 2)).log_likelihood(state)
    exact = data.exact(state.beta, state.omega, state.errors.sd)
    np.testing.assert_allclose(found, exact, atol=0.1)  # Monte Carlo of 4000 draws


def test_the_class_without_cells_is_mixed_in():
    data = lines(6, limit=-50.0)
    hidden = type(data)(data.times, np.full_like(data.level, 9.0), data.below | True)
    told = Whitening(np.zeros((6, 2)), np.zeros((6, 2, 2)), np.ones(2, bool))
    plain = Structure.without_covariates(("a", "b"), 6, full=True)
    integral = Integral(Sampled(hidden, plain), told, 4000, (1, 2))
    curve = np.exp(integral.log_likelihood(State(BETA, OMEGA, Sd(0.5))))
    mixed = np.exp(integral.log_likelihood(State(BETA, OMEGA, Sd(0.5), never=0.3)))
    np.testing.assert_allclose(mixed, 0.7 * curve + 0.3, rtol=1e-12)


def test_structure_without_lots_is_left_as_it_is():
    plain = Structure.without_covariates(("a",), 2)
    assert given_lots(plain) is plain


def test_stacking_finds_the_mixture():
    each = np.log([[0.8] * 3 + [0.2], [0.2] * 3 + [0.8]])
    # 3 log(.2 + .6 p) + log(.8 - .6 p) is largest where 2.4 p = 2.2.
    np.testing.assert_allclose(stacking(each), [11 / 12, 1 / 12], atol=1e-3)
    np.testing.assert_allclose(stacking(each - 5000), [11 / 12, 1 / 12], atol=1e-3)


def test_the_wrong_fit_loses_by_its_pointwise_difference(y):
    frame = pd.DataFrame({"patient": [f"P{i}" for i in range(12)]})
    right = summed(means(y)[1], frame, "patient")
    wrong = summed(means(y, prior=0.02)[1], frame, "patient")
    table = compared({"wrong": wrong, "right": right}).set_index("fit")
    away = wrong.each["elpd"] - right.each["elpd"]
    assert table.loc["wrong", "difference"] == pytest.approx(away.sum())
    assert table.loc["wrong", "difference_se"] == pytest.approx(
        np.sqrt(12 * away.var(ddof=1))
    )
    assert table.loc["right", ["difference", "difference_se"]].tolist() == [0, 0]
    assert table.loc["right", "weight"] > 0.6


def test_sensitivity_follows_the_balance_of_prior_and_samples():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(2, 4000))

    def of(samples, prior, apart=0.0):
        """Samples of precision ``samples`` at ``apart``, a prior about 0."""
        total = samples + prior
        x = samples * apart / total + z / total**0.5
        numbers = {"x": x}
        by_prior = moved(numbers, -prior * x**2 / 2)
        by_samples = moved(numbers, -samples * (x - apart) ** 2 / 2)
        return diagnosed(by_prior, by_samples)["diagnosis"][0]

    assert of(samples=99.0, prior=1.0) == NEITHER
    assert of(samples=1.0, prior=99.0) == STRONG
    assert of(samples=50.0, prior=50.0, apart=1.0) == CONFLICT


def test_what_cannot_be_left_out_is_told():
    with pytest.raises(ck.FitError, match="per = 'visit'"):
        leave_one_out(SimpleNamespace(), "visit")


DAYS = [2, 4, 7, 10, 14, 21, 28, 60]
COLUMNS = ["patient", "time", "assay", "level", "unit", "lloq", "state"]


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def samples(stein):
    study = stein.simulate(6, design=ck.Design(DAYS), seed=1).study()
    return study.samples[COLUMNS]


def fitted(stein, samples, **asked):
    sampling = ck.Sampling(chains=2, draws=500, tune=400)
    study = ck.Study.from_frames(samples)
    return ck.fit_bayes(stein, study, sampling=sampling, **asked)


@pytest.fixture(scope="module")
def fit(stein, samples):
    return fitted(stein, samples)


@pytest.mark.slow
@pytest.mark.parametrize("patient", ["V0001", "V0005"])
def test_a_patient_left_out_is_predicted_as_by_a_fit_without_her(
    stein, samples, fit, patient
):
    without = fitted(stein, samples[samples["patient"] != patient])
    integral = Integral.of(fit, 1000)
    rows = np.linspace(0, 999, 400).astype(int)
    place = fit.patients.index(patient)
    given = [integral.log_likelihood(without.draws.state(i))[place] for i in rows]
    exact = np.log(np.mean(np.exp(given)))
    found = fit.loo().each.set_index("patient").loc[patient]
    assert found["k"] < 0.7
    assert found["elpd"] == pytest.approx(exact, abs=0.35)


@pytest.mark.slow
def test_fits_are_compared_patient_by_patient(stein, samples, fit):
    same = fitted(stein, samples, without_spread=["tmax", "cmax"])
    found = compare({"full": fit, "same in all": same})
    table = found.table.set_index("fit")
    assert table.loc["same in all", "difference"] < -2
    assert table.loc["full", "weight"] > 0.5
    assert found.each.shape == (6, 3)
    by_sample = compare({"full": fit, "same in all": same}, per="sample")
    assert len(by_sample.each) == 48
    fewer = fitted(stein, samples[samples["time"] < 60])
    with pytest.raises(ck.FitError, match="rest on different samples: 6 only in"):
        compare(fit, fewer)


@pytest.mark.slow
def test_samples_that_say_nothing_of_the_draws_do_not_stop_it(stein, samples):
    samples = samples.copy()
    gone = samples["patient"] == "V0001"
    samples.loc[gone, ["level", "state", "lloq"]] = [np.nan, "below", 50.0]
    fit = fitted(stein, samples)
    assert fit.shape.never
    found = fit.loo("sample")
    assert np.isfinite(found.each["elpd"]).all()
    assert np.isfinite(fit.loo().each["elpd"]).all()
    table = fit.sensitivity()
    assert "never expanded" in set(table["parameter"])
    assert np.isfinite(table[["prior", "likelihood"]]).all(axis=None)
