"""Importance sampling against densities whose quantiles are known."""

import numpy as np
import pytest
from scipy.stats import multivariate_t, norm

from cellpk.fit.posterior import FEW, KEPT, Component, sample

COVARIANCE = np.array([[2.0, 0.6], [0.6, 0.5]])


def rng(seed=1):
    return np.random.default_rng(seed)


def test_density_of_a_component_equals_scipy():
    component = Component(1.0, np.array([1.0, -2.0]), COVARIANCE, dof=4.0)
    points = rng().normal(size=(50, 2)) * 5
    expected = multivariate_t(component.mean, COVARIANCE, df=4).logpdf(points)
    assert component.log_pdf(points) == pytest.approx(expected, rel=1e-12)


def test_draws_of_a_component_have_its_moments():
    drawn = Component(1.0, np.array([1.0, -2.0]), COVARIANCE, dof=12.0).draw(
        200_000, rng()
    )
    assert drawn.mean(axis=0) == pytest.approx([1.0, -2.0], abs=0.02)
    assert np.cov(drawn.T) == pytest.approx(COVARIANCE * 12 / 10, abs=0.05)


def test_quantiles_of_a_normal_come_back_from_a_displaced_proposal():
    proposal = [Component(1.0, np.array([2.0, 2.0]), 4 * np.eye(2))]

    def density(x):
        return norm.logpdf(x[:, 0], 0, 1) + norm.logpdf(x[:, 1], 3, 0.2)

    drawn = [sample(density, proposal, rng(seed)) for seed in range(20)]
    assert all(one.points.shape == (KEPT, 2) for one in drawn)
    assert all(one.effective > 500 for one in drawn)
    ends = [np.quantile(one.points, [0.025, 0.975], axis=0) for one in drawn]
    low, high = np.mean(ends, axis=0)
    assert low == pytest.approx([-1.96, 3 - 0.392], abs=0.06)
    assert high == pytest.approx([1.96, 3 + 0.392], abs=0.06)


def test_two_modes_keep_their_shares():
    proposal = [
        Component(1.0, np.array([-4.0]), np.eye(1)),
        Component(1.0, np.array([4.0]), np.eye(1)),
    ]

    def density(x):
        return np.logaddexp(
            np.log(0.8) + norm.logpdf(x[:, 0], -4, 0.5),
            np.log(0.2) + norm.logpdf(x[:, 0], 4, 0.5),
        )

    drawn = sample(density, proposal, rng()).points
    assert (drawn < 0).mean() == pytest.approx(0.8, abs=0.03)


def test_a_proposal_that_misses_the_density_owns_up_to_few_draws():
    proposal = [Component(1.0, np.zeros(6), 1e-4 * np.eye(6), dof=50.0)]
    drawn = sample(lambda x: -0.5 * ((x - 5) ** 2).sum(-1), proposal, rng())
    assert drawn.effective < FEW


def test_one_seed_gives_one_answer():
    proposal = [Component(1.0, np.zeros(1), np.eye(1))]

    def drawn(seed):
        return sample(lambda x: -0.5 * x[:, 0] ** 2, proposal, rng(seed)).points

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


def test_a_density_that_no_draw_reaches_is_worth_none():
    far = Component(1.0, np.zeros(1), np.eye(1))
    drawn = sample(lambda x: np.full(len(x), -np.inf), [far], rng())
    assert drawn.effective == 0
    assert np.isnan(drawn.points).all()
