"""What samples say of patients: their likelihood, and numbers that are round."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import cellpk as ck
from cellpk.fit.bayes.evaluation import Evaluation, general, quick
from cellpk.fit.bayes.lognormal import lognormal
from cellpk.fit.bayes.whitening import normal_evidence, whitening
from cellpk.fit.data import fit_data
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.state import Sampled
from cellpk.fit.residual_error import ResidualError

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def _precisions(rng, patients, size):
    roots = rng.normal(size=(patients, size, size))
    return np.matmul(roots, np.swapaxes(roots, -1, -2))


@pytest.fixture(scope="module")
def data():
    return fit_data(STEIN, ck.simulate_study(seed=1), assays="qpcr")


def test_the_quick_way_equals_the_general_one():
    days = [1, 5, 9, 14, 21, 28, 60]
    study = STEIN.simulate(15, design=ck.Design(days, lloq=300), seed=2).study()
    data = fit_data(STEIN, study)
    errors = JointErrors.of(data)
    theta = np.random.default_rng(1).normal(STEIN.typical, STEIN.spread, (15, 6))
    fast = quick(data, errors)
    assert fast is not None
    for one, other in zip(
        fast(theta, np.log([0.4])),
        general(data, errors)(theta, np.log([0.4])),
        strict=True,
    ):
        assert one == pytest.approx(other, rel=1e-10, abs=1e-10)


def test_errors_of_another_kind_go_the_general_way(data):
    errors = JointErrors.of(data)
    parts = (ResidualError("combined", {"additive": 5.0, "proportional": 0.4}),)
    other = replace(errors, parts=parts)
    assert quick(data, other) is None
    theta = np.tile(STEIN.typical, (len(data.patients), 1))
    found = Evaluation.of(data, other)(theta, parts[0].logs)
    assert np.isfinite(found.value)
    assert found.by_errors.shape == (2,)


def test_the_normal_tails_are_those_of_scipy():
    x = np.array([-200.0, -31.0, -29.0, -5.0, 0.0, 4.0, 6.0, 40.0])
    low, level = np.full((x.size, 1), -np.inf), np.zeros((x.size, 1))
    slopes = np.ones((x.size, 1, 1))
    value, score, _ = lognormal(level, slopes, low=low, high=x[:, None], sd=1.0)
    assert value == pytest.approx(norm.logcdf(x), rel=1e-10)
    assert score[:, 0] == pytest.approx(-np.exp(norm.logpdf(x) - norm.logcdf(x)))


def test_evidence_has_the_moments_that_were_asked_for():
    rng = np.random.default_rng(2)
    precision, pull = _precisions(rng, 4, 2), rng.normal(size=(4, 2))
    between = _precisions(rng, 30, 2) * 0.1 + np.eye(2)
    pulled = rng.normal(size=(30, 4, 2))
    inverse = np.linalg.inv(precision + between[:, None])
    centre = np.einsum("snij,snj->sni", inverse, pull + pulled)
    away = centre - centre.mean(0)
    spread = inverse.mean(0) + np.einsum("sni,snj->nij", away, away) / 30
    found = normal_evidence(centre.mean(0), spread, between=between, pulled=pulled)
    assert found[0] == pytest.approx(pull, rel=1e-3, abs=1e-3)
    assert found[1] == pytest.approx(precision, rel=1e-3, abs=1e-3)


def test_numbers_of_a_fitted_study_are_round():
    """Draws of the patients' parameters become numbers with mean 0 and variance 1."""
    days = [2, 5, 8, 11, 14, 21, 28, 60]
    study = STEIN.simulate(12, design=ck.Design(days, lloq=100), seed=4).study()
    quickly = Steps(starts=1, search=100, average=40, draws=300)
    fit = ck.fit_population(STEIN, study, steps=quickly)
    known, layout = fit.posteriors, fit.estimates.layout
    rng = np.random.default_rng(1)
    found = Importance(
        Sampled(JointData(fit.data), layout.structure),
        layout.state,
        moments=(known.mean, known.covariance),
        rng=rng,
    )
    narrow = 1e-6 * fit.estimates.covariance
    made = whitening(found, layout, narrow, rng=rng)
    between = np.linalg.inv(layout.state.omega)
    mean = layout.structure.means(layout.state.beta)
    pulled = made.pull + np.matmul(mean, between)
    middle = np.linalg.solve(made.precision + between, pulled[..., None])[..., 0]
    weights, _ = found.expected(layout.state)
    theta = np.einsum("dn,dnp->np", weights, found.theta)
    sd = np.sqrt(np.diag(layout.state.omega))
    assert (middle / sd) == pytest.approx(theta / sd, abs=0.02)
    spread = np.linalg.inv(made.precision + between)
    whole = known.covariance
    ratio = np.diagonal(spread, axis1=1, axis2=2) / np.diagonal(whole, axis1=1, axis2=2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
