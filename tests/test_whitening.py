"""Patients as standard normal numbers: the density, its slopes, and how round it is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import cellpk as ck
from cellpk.fit.bayes.algebra import forward
from cellpk.fit.bayes.evaluation import Evaluation, general, quick
from cellpk.fit.bayes.lognormal import lognormal
from cellpk.fit.bayes.whitening import Whitening, normal_evidence, whitening
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


def _case(data, varies, seed=1):
    """A whitening of no particular shape, and a place at which to look."""
    rng = np.random.default_rng(seed)
    patients, size = len(data.patients), int(varies.sum())
    typical, spread = data.model.typical, data.model.spread
    precision = _precisions(rng, patients, size)
    pull = (precision @ typical[varies][:, None])[..., 0]
    made = Whitening(pull + rng.normal(size=pull.shape), precision, varies)
    z = 0.5 * rng.normal(size=pull.shape)
    mean = typical + 0.1 * rng.normal(size=(patients, typical.size))
    tilt = 0.2 * rng.normal(size=(size, size))
    between = np.diag(spread[varies] ** -2.0) + np.matmul(tilt, tilt.T)
    return made, (z, mean, between)


@pytest.fixture(scope="module")
def data():
    return fit_data(STEIN, ck.simulate_study(seed=1), assays="qpcr")


def test_the_way_to_the_parameters_is_that_of_linear_algebra(data):
    made, (z, mean, between) = _case(data, np.ones(6, bool))
    found = made.forward(z, mean, between)
    for i in range(len(z)):
        whole = made.precision[i] + between
        root = np.linalg.cholesky(whole)
        middle = np.linalg.solve(whole, made.pull[i] + between @ mean[i])
        assert found[i] == pytest.approx(middle + np.linalg.solve(root.T, z[i]))


def test_a_normal_observation_leaves_standard_normal_numbers():
    """Where b and H are the truth, the density of z is standard normal, exactly."""
    rng = np.random.default_rng(3)
    precision, between = _precisions(rng, 1, 3), _precisions(rng, 1, 3)[0]
    pull, mean = rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
    logs = []
    for z in (np.zeros((1, 3)), rng.normal(size=(1, 3))):
        theta, _, _, value = forward(z, mean, between, pull=pull, precision=precision)
        samples = pull[0] @ theta[0] - 0.5 * theta[0] @ precision[0] @ theta[0]
        logs.append(samples + value[0] + 0.5 * (z**2).sum())
    assert logs[0] == pytest.approx(logs[1])


def test_what_is_added_is_the_density_of_parameters_in_terms_of_z(data):
    made, (z, mean, between) = _case(data, np.ones(6, bool))
    found = Evaluation.of(data, JointErrors.of(data), made)(
        z, mean, between, np.log([0.5])
    )
    errors = [ResidualError("lognormal", {"sd": 0.5})]
    samples = data.log_likelihood(data.levels(found.theta), errors).sum()
    away = found.theta - mean
    prior = -0.5 * np.einsum("ia,ab,ib->", away, between, away)
    sizes = [np.linalg.slogdet(x + between)[1] for x in made.precision]
    expected = samples + prior - 0.5 * sum(sizes)
    assert found.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("odds", [-np.inf, -1.0])
@pytest.mark.parametrize("held", [(), (2, 5)])
def test_slopes_equal_differences(data, odds, held):
    varies = ~np.isin(np.arange(6), held)
    made, (z, mean, between) = _case(data, varies)
    density = Evaluation.of(data, JointErrors.of(data), made)
    found = density(z, mean, between, np.log([0.5]), log_odds=odds)
    size = int(varies.sum())
    rows, columns = np.tril_indices(size)
    symmetric = np.where(rows == columns, 1.0, 2.0) * found.by_between[rows, columns]
    slopes = [found.by_z.ravel(), found.by_mean.ravel(), symmetric, found.by_errors]
    cuts = np.cumsum([x.size for x in slopes])

    def at(place):
        numbers, means, corner, rest = np.split(place, cuts[:3])
        matrix = np.zeros((size, size))
        matrix[rows, columns] = matrix[columns, rows] = corner
        return density(
            numbers.reshape(z.shape),
            means.reshape(mean.shape),
            matrix,
            rest[:1],
            log_odds=rest[1],
        ).value

    here = [z.ravel(), mean.ravel(), between[rows, columns], np.log([0.5]), [odds]]
    place, known = np.concatenate(here), np.concatenate([*slopes, [found.by_log_odds]])
    for i in np.random.default_rng(5).permutation(place.size)[:60]:
        _agree(at, place, i, known[i])
    for i in range(cuts[1], place.size - int(np.isinf(odds))):
        _agree(at, place, i, known[i])


def _agree(at, place, i, slope):
    step = np.zeros(place.size)
    step[i] = 1e-5
    slope_found = (at(place + step) - at(place - step)) / 2e-5
    assert slope_found == pytest.approx(slope, rel=2e-4, abs=2e-4)


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
    made, (z, mean, between) = _case(data, np.ones(6, bool))
    found = Evaluation.of(data, other, made)(z, mean, between, parts[0].logs)
    assert np.isfinite(found.value)
    assert found.by_errors.shape == (2,)


def test_the_normal_tails_are_those_of_scipy():
    x = np.array([-200.0, -31.0, -29.0, -5.0, 0.0, 4.0, 6.0, 40.0])
    low, level = np.full((x.size, 1), -np.inf), np.zeros((x.size, 1))
    slopes = np.ones((x.size, 1, 1))
    value, score, _ = lognormal(level, slopes, low=low, high=x[:, None], sd=1.0)
    assert value == pytest.approx(norm.logcdf(x), rel=1e-10)
    assert score[:, 0] == pytest.approx(-np.exp(norm.logpdf(x) - norm.logcdf(x)))


def test_a_place_that_cannot_be_calculated_has_no_density(data):
    made, (z, mean, between) = _case(data, np.ones(6, bool))
    density = Evaluation.of(data, JointErrors.of(data), made)
    for found in (
        density(z, mean, -1e9 * between, np.log([0.5])),
        density(z, mean, between, np.array([1e4])),
        density(1e300 * z, mean, between, np.log([0.5])),
    ):
        assert found.value == -np.inf
        assert not found.by_z.any()
        assert not found.by_between.any()


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
    middle = made.forward(np.zeros(mean.shape), mean, between)
    weights, _ = found.expected(layout.state)
    theta = np.einsum("dn,dnp->np", weights, found.theta)
    sd = np.sqrt(np.diag(layout.state.omega))
    assert (middle / sd) == pytest.approx(theta / sd, abs=0.02)
    spread = np.linalg.inv(made.precision + between)
    whole = known.covariance
    ratio = np.diagonal(spread, axis1=1, axis2=2) / np.diagonal(whole, axis1=1, axis2=2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
