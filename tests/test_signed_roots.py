"""Squares of signed roots add up to -2 log L, whatever the error and the limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from cellpk.fit.likelihood import Evidence
from cellpk.fit.residual_error import ResidualError, log_likelihood
from cellpk.fit.signed_roots import best_log_level, signed_roots

INF = np.inf
ERRORS = {
    "lognormal": ResidualError("lognormal", {"sd": 0.5}),
    "student": ResidualError("student", {"sd": 0.4}, df=4),
    "normal": ResidualError("normal", {"sd": 2.0}),
    "proportional": ResidualError("proportional", {"sd": 0.4}),
    "combined": ResidualError("combined", {"additive": 1.0, "proportional": 0.3}),
}
SAMPLES = {
    "quantified": (1.2, 1.2),
    "below": (-INF, 1.2),
    "detected": (0.4, 1.2),
    "above": (1.2, INF),
}
MUS = np.array([-3.0, 0.3, 0.79, 0.8001, 1.2, 1.9, 4.0])


def one(low, high):
    return Evidence(np.array([low], float), np.array([high], float))


@pytest.mark.parametrize(("low", "high"), SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_half_the_square_is_the_loss_against_the_best_curve(error, low, high):
    said = one(low, high)

    def loss(mu):
        return -log_likelihood([mu], said, error)[0]

    ends = {"bounds": (-60, 60), "method": "bounded", "options": {"xatol": 1e-10}}
    places = [minimize_scalar(loss, **ends).fun, loss(-60.0), loss(60.0)]
    grid = [loss(mu) for mu in np.linspace(-3, 5, 4001)]
    least = min(*places, *grid)
    r, _ = signed_roots(MUS[:, None], said, error)
    expected = np.array([loss(mu) for mu in MUS]) - least
    np.testing.assert_allclose(r[:, 0] ** 2 / 2, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("low", "high"), SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_slopes_are_those_of_differences(error, low, high):
    said, step = one(low, high), 1e-5
    up, down = (signed_roots(MUS[:, None] + s, said, error)[0] for s in (step, -step))
    slope = signed_roots(MUS[:, None], said, error)[1]
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=2e-4, atol=1e-5)


def test_a_quantified_level_gives_its_distance_in_standard_deviations():
    r, slope = signed_roots([[0.2], [1.2], [3.2]], one(1.2, 1.2), ERRORS["lognormal"])
    np.testing.assert_allclose(r[:, 0], [-2, 0, 4], atol=1e-12)
    np.testing.assert_allclose(slope, 2.0)


def test_a_limit_gives_the_root_of_its_probability():
    r, _ = signed_roots([[0.7], [2.2]], one(-INF, 1.2), ERRORS["lognormal"])
    expected = np.sqrt(-2 * norm.logcdf([1.0, -2.0]))
    np.testing.assert_allclose(r[:, 0], expected, rtol=1e-12)


def test_the_best_curve_of_a_proportional_error_lies_below_the_level():
    """By hand: u = y/f solves (u - 1) u = sd^2, since the density has 1/f."""
    best = best_log_level(one(1.2, 1.2), ERRORS["proportional"])
    u = (1 + np.sqrt(1 + 4 * 0.4**2)) / 2
    assert best[0] == pytest.approx(1.2 - np.log(u), abs=1e-9)


@given(
    st.floats(-500, 500),
    st.floats(-8, 12),
    st.one_of(st.just(INF), st.floats(0.01, 6)),
    st.booleans(),
    st.floats(0.05, 5),
)
def test_residuals_are_finite_and_rise_with_the_curve_everywhere(
    mu, end, width, upwards, sd
):
    low, high = (end, end + width) if upwards else (end - width, end)
    mus = np.array([[mu], [mu + 1.0]])
    r, slope = signed_roots(mus, one(low, high), ResidualError("lognormal", {"sd": sd}))
    assert np.isfinite(r).all()
    assert np.isfinite(slope).all()
    assert (slope >= 0).all()
    assert r[1, 0] >= r[0, 0]


def test_patients_may_differ_in_their_error():
    said = Evidence(np.array([[2.0, -INF], [2.0, 1.0]]), np.array([[2.0, 1.5]] * 2))
    error = ResidualError("lognormal", {"sd": np.array([[0.5], [1.0]])})
    r, _ = signed_roots(np.full((2, 2), 2.5), said, error)
    for i, sd in enumerate((0.5, 1.0)):
        alone = Evidence(said.low[i], said.high[i])
        own = ResidualError("lognormal", {"sd": sd})
        np.testing.assert_array_equal(r[i], signed_roots([2.5, 2.5], alone, own)[0])
