"""The density that is sampled: gradients, and the change of variables."""

from dataclasses import replace

import numpy as np
import pytest

import cellpk as ck
from cellpk.fit.bayes.density import PatientDensity
from cellpk.fit.bayes.whitening import Whitening, whitening
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.joint import JointData, JointErrors

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def _density(study, **asked):
    """Return a density with a whitening drawn by chance, and a point to look at."""
    sampled, first = prepared(STEIN, study, **asked)
    assert isinstance(sampled.data, JointData)
    assert isinstance(first.errors, JointErrors)
    data, varies = sampled.data.data, sampled.structure.varies
    rng = np.random.default_rng(1)
    number, size = len(data.patients), int(varies.sum())
    root = rng.normal(size=(number, size, size))
    precision = root @ np.swapaxes(root, -1, -2)
    pull = rng.normal(size=(number, size))
    made = PatientDensity(
        data, first.errors, varies, Whitening(pull, precision), bool(first.never)
    )
    means = sampled.structure.means(first.beta)
    means = means + 0.1 * rng.normal(size=means.shape)
    away = rng.normal(size=(size, size))
    omega = first.omega[np.ix_(varies, varies)]
    between = np.linalg.inv(omega) + 0.1 * away @ away.T
    # A centre of the whitening at what is expected, so that curves are possible.
    pull = (precision @ means[:, varies][..., None])[..., 0]
    made = replace(made, whitening=Whitening(pull, precision))
    z = 0.3 * rng.normal(size=(number, size))
    return made, (z, means, between, first.errors.logs + 0.1, -0.7)


STUDIES = {
    "never expanded": (lambda: ck.simulate_study(seed=1), {}),
    "two assays": (
        lambda: ck.simulate_study(seed=1),
        {"assays": {"qpcr": "qpcr"}},
    ),
    "one without spread": (
        lambda: ck.simulate_study(seed=1),
        {"without_spread": ["beta"]},
    ),
}


@pytest.mark.parametrize("name", STUDIES)
def test_gradients_are_differences(name):
    study, asked = STUDIES[name]
    density, point = _density(study(), **asked)
    found, step = density.at(*point), 1e-6
    rng = np.random.default_rng(2)
    for place, by in enumerate(found[1:]):
        for _ in range(4):
            away = rng.normal(size=np.shape(by))
            if place == 2:
                away = away + away.T  # a precision stays symmetric
            ends = []
            for sign in (1, -1):
                moved = list(point)
                moved[place] = point[place] + sign * step * away
                ends.append(density.at(*moved).value)
            slope = float(np.sum(by * away))
            numeric = (ends[0] - ends[1]) / (2 * step)
            assert slope == pytest.approx(numeric, rel=2e-5, abs=2e-4)


def test_whitened_density_is_that_of_parameters():
    """By change of variables: likelihood times normal density times the Jacobian."""
    density, (z, mean, between, errors, odds) = _density(ck.simulate_study(seed=1))
    value = density.at(z, mean, between, errors, odds).value
    theta = density.whitening.theta(z, mean, between)
    parts = density.errors.with_logs(errors).parts
    curve = density.data.log_likelihood(density.data.levels(theta), parts)
    nothing, _ = density.data.no_cells(parts)
    share = 1 / (1 + np.exp(-odds))
    likelihood = np.log((1 - share) * np.exp(curve) + share * np.exp(nothing))
    away = theta - mean
    prior = -0.5 * np.einsum("ip,pq,iq->i", away, between, away)
    jacobian = []
    for i in range(len(z)):
        columns = []
        for k in range(z.shape[1]):
            up = z.copy()
            up[i, k] += 1.0
            columns.append((density.whitening.theta(up, mean, between) - theta)[i])
        jacobian.append(np.log(abs(np.linalg.det(np.array(columns)))))
    assert value == pytest.approx(np.sum(likelihood + prior + jacobian), rel=1e-10)


def test_impossible_parameters_have_no_density():
    density, (z, mean, between, errors, odds) = _density(ck.simulate_study(seed=1))
    found = density.at(z, mean + 1e4, between, errors, odds)
    assert found.value == -np.inf
    assert not found.z.any()


def test_whitening_is_exact_for_a_normal_likelihood():
    """z is standard normal whatever the population is."""
    rng = np.random.default_rng(3)
    precision, between = np.diag([4.0, 0.5]), np.array([[2.0, 0.3], [0.3, 1.0]])
    measured, expected = np.array([1.0, -1.0]), np.array([0.2, 0.4])
    total = precision + between
    mean = np.linalg.solve(total, precision @ measured + between @ expected)
    made = whitening(
        mean[None],
        np.linalg.inv(total)[None],
        expected=expected[None],
        between=between,
        told=np.array([True]),
    )
    other, moved = np.array([[0.3, 0.0], [0.0, 3.0]]), np.array([2.0, -2.0])
    total = precision + other
    centre = np.linalg.solve(total, precision @ measured + other @ moved)
    z = rng.normal(size=(4000, 1, 2))
    theta = np.array([made.theta(one, moved[None], other)[0] for one in z])
    assert theta.mean(0) == pytest.approx(centre, abs=0.06)
    assert np.cov(theta.T) == pytest.approx(np.linalg.inv(total), abs=0.06)
