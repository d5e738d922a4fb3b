"""Hierarchical fits: against independent posteriors, of any number of patients."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_models import fall
from scipy import stats

import cellpk as ck
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.sampling import Sampling, sample_chains

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
SHORT = Sampling(chains=2, draws=300, tune=300, accept=0.95)


@pytest.fixture(scope="module")
def one_patient(tmp_path_factory):
    """A fall of one patient, of known residual error, and its fit."""
    model = fall(
        tmp_path_factory.mktemp("model"),
        peak="value = 5000, iiv_sd = 0.8",
        rate='value = 0.15, iiv_sd = 0.05, scale = "identity"',
        error='error = "lognormal", sd = 0.3',
    )
    days = np.array([1.0, 4, 8, 16])
    levels = [6000.0, 3000, 2500, 400]
    samples = pd.DataFrame({"patient": "A", "time": days, "level": levels})
    samples = samples.assign(assay="qpcr", unit="copies/ug", lloq=500.0)
    study = ck.Study.from_frames(samples)
    fit = ck.fit_bayes(model, study, sampling=SHORT, seed=3)
    return model, fit


def _by_weights(fit, number=400_000):
    """Draw everything from the prior, and weigh it by the likelihood, typed anew."""
    rng, prior = np.random.default_rng(1), fit.priors.numbers
    location = prior.centre + prior.sd * rng.normal(size=(number, 2))
    spread = prior.spread * np.abs(rng.normal(size=(number, 2)))
    error = prior.error[0] * np.abs(rng.normal(size=number))
    theta = location + spread * rng.normal(size=(number, 2))
    log_level = theta[:, :1] - theta[:, 1:] * np.array([1.0, 4, 8, 16])
    seen = np.log([6000.0, 3000, 2500])
    logs = stats.norm.logpdf(seen, log_level[:, :3], error[:, None]).sum(1)
    logs += stats.norm.logcdf((np.log(500.0) - log_level[:, 3]) / error)
    weights = np.exp(logs - logs.max())
    return theta, location, spread, error, weights / weights.sum()


def test_one_patient_as_by_weighted_draws_of_the_prior(one_patient):
    """One patient: the priors' draws, weighted by the likelihood, are a reference."""
    _, fit = one_patient
    theta, location, spread, error, weights = _by_weights(fit)
    assert 1 / np.square(weights).sum() > 2000
    for name, own, reference in (
        ("theta", fit.theta[:, 0], theta),
        ("location", fit.drawn("location"), location),
        ("spread", fit.drawn("spread"), spread),
        ("error", fit.drawn("error"), error[:, None]),
    ):
        mean = weights @ reference
        sd = np.sqrt(weights @ np.square(reference - mean))
        assert own.mean(0) == pytest.approx(mean, abs=0.2 * sd.max()), name
        assert np.abs(own.mean(0) - mean).max() < 0.2 * sd.max(), name
        assert own.std(0) == pytest.approx(sd, rel=0.2), name


def test_draws_have_named_dimensions(one_patient):
    _, fit = one_patient
    tree = fit.tree
    assert tree["posterior"]["individual"].dims == (
        *("chain", "draw", "patient", "parameter"),
    )
    assert tree["log_likelihood"]["qpcr"].sizes["qpcr_sample"] == 4
    natural = np.exp(fit.theta[:, 0, 0])
    assert fit.drawn("individual")[:, 0, 0] == pytest.approx(natural)


def test_an_interrupted_run_keeps_its_chains(one_patient, tmp_path):
    """A chain that is there is not sampled again; the others are as they were."""
    model, fit = one_patient
    kept = Sampling(chains=2, draws=300, tune=300, accept=0.95, keep=str(tmp_path))
    first = ck.fit_bayes(model, fit.study, sampling=kept, seed=3)
    assert np.array_equal(first.theta, fit.theta)
    (tmp_path / "chain-0.95-1.npz").unlink()
    written = (tmp_path / "chain-0.95-0.npz").stat().st_mtime_ns
    again = ck.fit_bayes(model, fit.study, sampling=kept, seed=3)
    assert np.array_equal(again.theta, fit.theta)
    assert (tmp_path / "chain-0.95-0.npz").stat().st_mtime_ns == written
    with pytest.raises(ck.FitError, match="another fit"):
        ck.fit_bayes(model, fit.study, sampling=kept, seed=4)


class StoppedError(Exception):
    """Raised from within, to stop a run."""


@pytest.mark.slow
def test_what_stops_a_run_leaves_whole_chains_only(one_patient, tmp_path):
    model, fit = one_patient
    alone = Sampling(chains=2, draws=20, tune=50, accept=0.95, cores=1)
    kept = replace(alone, keep=str(tmp_path))

    def stop(done, total, text):
        if "1 of 2 chains" in text:
            raise StoppedError

    with pytest.raises(StoppedError):
        ck.fit_bayes(model, fit.study, sampling=kept, seed=3, progress=stop)
    assert [path.name for path in tmp_path.glob("*.npz")] == ["chain-0.95-0.npz"]
    whole = ck.fit_bayes(model, fit.study, sampling=kept, seed=3)
    apart = ck.fit_bayes(model, fit.study, sampling=alone, seed=3)
    assert np.array_equal(whole.theta, apart.theta)


@pytest.mark.slow
def test_robust_residuals_resist_an_outlier(one_patient):
    model, fit = one_patient
    samples = fit.study.samples[["patient", "time", "level", "assay", "unit", "lloq"]]
    odd = samples.assign(level=np.where(samples["time"] == 4, 3e5, samples["level"]))
    study = ck.Study.from_frames(odd)
    peaks = {
        tails: np.median(
            ck.fit_bayes(
                model, study, sampling=SHORT, priors=Priors(tails=tails)
            ).theta[:, 0, 0]
        )
        for tails in (None, 2.0)
    }
    true = np.median(fit.theta[:, 0, 0])
    assert abs(peaks[2.0] - true) < abs(peaks[None] - true) / 2


@pytest.mark.parametrize(
    "wrong", [{"draws": 1}, {"accept": 1.0}, {"chains": 0}, {"tune": "500"}]
)
def test_impossible_lengths_are_refused(wrong):
    with pytest.raises(ck.FitError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_chains_that_diverge_are_sampled_anew_with_smaller_steps(monkeypatch):
    """As long as a draw diverges, up to the last share of accepted proposals."""
    from cellpk.fit.bayes import fit as door

    tried = []

    def pretend(compiled, sampling, **rest):
        tried.append(sampling.accept)
        return [{"diverging": np.array([len(tried) < 3])}]

    monkeypatch.setattr(door, "sample_chains", pretend)
    study = STEIN.simulate(50, design=ck.Design([7, 28]), seed=1).study()
    question = door.question_of(STEIN, study)
    begun = SimpleNamespace(density=None)
    compiled = SimpleNamespace(patients=SimpleNamespace(), sampler=None)
    asked = {"seed": 1, "compiled": compiled}
    _, used = door.sampled_chains(question, begun, Sampling(), **asked)
    assert tried == [0.8, 0.95, 0.99]
    assert used.accept == 0.99


def test_groups_that_overlap_are_refused():
    study = ck.simulate_study(seed=1)
    pairs = [("cmax", "fb"), ("fb", "beta")]
    with pytest.raises(ck.FitError, match=r"share 'fb'.*one group"):
        ck.fit_bayes(STEIN, study, correlations=pairs)


def test_no_chain_is_kept_in_the_place_of_a_file():
    with pytest.raises(ck.FitError, match="it is a file"):
        Sampling(keep=__file__)


@pytest.mark.parametrize(
    ("wrong", "todo"),
    [
        ({"priors": "weak"}, r"cellpk.Priors\(kind="),
        ({"sampling": 500}, r"cellpk.Sampling\(draws=500\)"),
        ({"covariates": "age"}, r"\{'cmax': \['age'\]\}"),
        ({"without_spread": "beta"}, r"a list: \['beta'\]"),
        ({"lots": "cmax"}, r"a list: \['cmax'\]"),
    ],
)
def test_arguments_of_another_kind_are_refused_with_the_right_one(wrong, todo):
    with pytest.raises(ck.CellpkError, match=todo):
        ck.fit_bayes(STEIN, ck.simulate_study(seed=1), **wrong)


@pytest.mark.parametrize("fit", [ck.fit_bayes, ck.fit_population])
def test_what_is_no_model_or_no_study_is_refused(fit):
    study = ck.simulate_study(seed=1)
    for model, given in ((study, STEIN), (STEIN, study.samples)):
        with pytest.raises(ck.DataError, match=r"Give what (load_model|read_study)"):
            fit(model, given)


def test_no_chain_runs_on_after_an_error():
    """What is running is stopped where finishing a chain fails."""

    def fail(chain):
        raise StoppedError

    import nutpie
    import pymc as pm

    with pm.Model() as model:
        pm.Normal("a")
    compiled = nutpie.compile_pymc_model(model, backend="numba")
    with pytest.raises(StoppedError):
        sample_chains(
            compiled,
            Sampling(chains=2, draws=20, tune=50, accept=0.8),
            seed=1,
            question="",
            finish=fail,
        )
