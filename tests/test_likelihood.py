"""The censored likelihood against scipy.stats in log space, and against differences."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from cellpk.fit.likelihood import (
    Evidence,
    best_log_likelihood,
    evidence,
    log_likelihood,
    residuals,
)

INF = np.inf


def one(low, high):
    return Evidence(np.array([low], float), np.array([high], float))


def reference(mu, low, high, sd):
    """Independent: scipy.stats.norm, in log space, on the better side."""
    if low == high:
        return norm.logpdf(low, mu, sd)
    if np.isinf(low):
        return norm.logcdf(high, mu, sd)
    if np.isinf(high):
        return norm.logsf(low, mu, sd)
    if mu < 0.5 * (low + high):
        a, b = norm.logsf(low, mu, sd), norm.logsf(high, mu, sd)
    else:
        a, b = norm.logcdf(high, mu, sd), norm.logcdf(low, mu, sd)
    return a + np.log1p(-np.exp(b - a))


SAMPLES = {
    "quantified": (1.2, 1.2),
    "below": (-INF, 1.2),
    "detected": (0.4, 1.2),
    "above": (1.2, INF),
}


@pytest.mark.parametrize(("low", "high"), SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("sd", [0.1, 0.56, 2.0])
@pytest.mark.parametrize("mu", [-30.0, -3.0, 0.3, 0.79, 1.2, 4.0, 30.0])
def test_log_likelihood_equals_scipy_far_into_both_tails(mu, low, high, sd):
    said = one(low, high)
    found = log_likelihood([mu], said, sd)[0]
    assert found == pytest.approx(reference(mu, low, high, sd), rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("low", "high"), SAMPLES.values(), ids=SAMPLES)
def test_half_the_sum_of_squares_is_the_loss_of_log_likelihood(low, high):
    said = one(low, high)
    mus = np.linspace(-5, 6, 23)[:, None]
    r, _ = residuals(mus, said, 0.5)
    expected = np.array([reference(mu, low, high, 0.5) for mu in mus[:, 0]])
    best = best_log_likelihood(said, 0.5)[0]
    assert r[:, 0] ** 2 / 2 == pytest.approx(best - expected, rel=1e-8, abs=1e-12)
    assert best >= expected.max() - 1e-12


@pytest.mark.parametrize(("low", "high"), SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("sd", [0.1, 0.56, 2.0])
@pytest.mark.parametrize("mu", [-20.0, -1.0, 0.3, 0.7999, 0.8, 1.2, 3.0, 20.0])
def test_slope_equals_differences(mu, low, high, sd):
    said = one(low, high)
    step = 1e-5
    up, down = (residuals([mu + s], said, sd)[0][0] for s in (step, -step))
    slope = residuals([mu], said, sd)[1][0]
    assert slope == pytest.approx((up - down) / (2 * step), rel=2e-5, abs=1e-9)


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
    r, slope = residuals(mus, one(low, high), sd)
    assert np.isfinite(r).all()
    assert np.isfinite(slope).all()
    assert (slope >= 0).all()
    assert r[1, 0] >= r[0, 0]


def test_a_sample_far_below_its_limit_costs_nothing_and_pulls_nothing():
    r, slope = residuals([-40.0], one(-INF, 1.0), 0.5)
    assert (r[0], slope[0]) == (0.0, 0.0)


def test_probabilities_over_all_states_add_up_to_one():
    mu, sd, llod, lloq, uloq = 1.0, 0.7, 0.2, 0.8, 2.5
    ranges = [(-INF, llod), (llod, lloq), (uloq, INF)]
    mass = sum(np.exp(log_likelihood([mu], one(*ends), sd)[0]) for ends in ranges)
    seen, _ = quad(lambda y: np.exp(log_likelihood([mu], one(y, y), sd)[0]), lloq, uloq)
    assert mass + seen == pytest.approx(1.0, abs=1e-9)


def test_a_narrow_range_tends_to_the_density():
    width = 1e-4
    said = one(0.5, 0.5 + width)
    density = log_likelihood([1.0], said, 0.56)[0] - np.log(width)
    expected = norm.logpdf(0.5 + width / 2, 1.0, 0.56)
    assert density == pytest.approx(expected, abs=1e-6)


def test_curves_are_taken_in_batches_with_a_residual_sd_each():
    said = Evidence(np.array([2.0, -INF, 0.1]), np.array([2.0, 1.5, 0.9]))
    mus = np.random.default_rng(1).normal(1, 1, (5, 3))
    sds = np.array([0.2, 0.4, 0.6, 0.8, 1.0])[:, None]
    r, slope = residuals(mus, said, sds)
    for mu, sd, row, rise in zip(mus, sds[:, 0], r, slope, strict=True):
        alone = residuals(mu, said, sd)
        assert np.array_equal(alone[0], row)
        assert np.array_equal(alone[1], rise)


ROWS = pd.DataFrame(
    {
        "state": ["quantified", "detected", "detected", "below", "above", "missing"],
        "level": [100.0, 7.0, np.nan, np.nan, np.nan, np.nan],
        "llod": [2.0, 5.0, np.nan, 5.0, 5.0, 5.0],
        "lloq": [10.0, 10.0, 10.0, 10.0, 10.0, 10.0],
        "uloq": [1e5, 1e5, 1e5, 1e5, 1e5, 1e5],
    },
    index=[3, 4, 5, 8, 9, 10],
)


def test_each_state_says_its_range_of_the_log_level():
    said, left_out = evidence(ROWS)
    low, high = np.exp(said.low), np.exp(said.high)
    assert low == pytest.approx([100, 5, 0, 0, 1e5])
    assert high == pytest.approx([100, 10, 10, 10, INF])
    assert list(left_out) == ["", "", "", "", "", "missing"]
    assert list(left_out.index) == list(ROWS.index)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("below", "below a limit that is not known: no information"),
        ("detected", "below a limit that is not known: no information"),
        ("above", "above a limit that is not known: no information"),
        ("quantified", "no positive level"),
        ("missing", "missing"),
    ],
)
def test_a_sample_that_says_nothing_is_left_out_with_its_reason(state, reason):
    row = pd.DataFrame({"state": [state], "level": np.nan, "llod": np.nan})
    said, left_out = evidence(row.assign(lloq=np.nan, uloq=np.nan))
    assert said.low.size == 0
    assert list(left_out) == [reason]
