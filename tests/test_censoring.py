import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm, truncnorm

from cellpk.outcomes.censoring import NODES, censored_normal, normal_nodes


def one(mean, sd, low=-np.inf, high=np.inf):
    ends = {"low": np.array([low]), "high": np.array([high])}
    x, weight = normal_nodes(np.array([mean]), np.array([sd]), **ends)
    return x[0], weight[0]


@given(
    mean=st.floats(-4, 4),
    sd=st.floats(0.1, 3),
    limit=st.floats(-3, 3),
    above=st.booleans(),
)
def test_nodes_have_the_moments_of_the_truncated_normal(mean, sd, limit, above):
    assume(abs(limit - mean) < 6 * sd)
    ends = (limit, np.inf) if above else (-np.inf, limit)
    law = truncnorm(*[(end - mean) / sd for end in ends], loc=mean, scale=sd)
    x, weight = one(mean, sd, *ends)
    assert (x >= ends[0]).all()
    assert (x <= ends[1]).all()
    assert x @ weight == pytest.approx(law.mean(), abs=2e-4 * sd)
    assert (x - x @ weight) ** 2 @ weight == pytest.approx(law.var(), rel=5e-3)


@pytest.mark.parametrize("slope", [-6.0, 0.5, 2.0, 8.0])
@pytest.mark.parametrize("intercept", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize(("sd", "limit"), [(1.0, -1.0), (0.5, 0.3), (2.0, -1.0)])
def test_the_likelihood_below_a_limit_is_exact_to_2e_5(slope, intercept, sd, limit):
    points = np.linspace(-12 * sd, limit, 200_001)
    density = norm.pdf(points, 0, sd) / norm.cdf(limit, 0, sd)
    exact = np.trapezoid(expit(intercept + slope * points) * density, points)
    x, weight = one(0.0, sd, -np.inf, limit)
    assert np.log(expit(intercept + slope * x) @ weight) == pytest.approx(
        np.log(exact), abs=2e-5
    )


def test_a_known_value_is_its_own_node():
    x, weight = one(1.7, 0.0)
    assert np.array_equal(x, np.full(NODES, 1.7))
    assert weight.sum() == pytest.approx(1.0)


def test_without_ranges_mean_and_sd_are_those_of_the_values():
    values = np.array([1.0, 2.0, 2.5, 4.0])
    mean, sd = censored_normal(values, np.empty((0, 2)))
    assert (mean, sd) == (values.mean(), pytest.approx(values.std()))


def test_the_estimate_maximises_the_censored_likelihood():
    rng = np.random.default_rng(3)
    drawn = rng.normal(2.0, 0.8, 40)
    exact, count = drawn[drawn > 1.4], int((drawn <= 1.4).sum())
    mean, sd = censored_normal(exact, [[-np.inf, 1.4]] * count)

    def likelihood(m, s):
        return norm.logpdf(exact, m, s).sum() + count * norm.logcdf(1.4, m, s)

    best = likelihood(mean, sd)
    for step in (-1e-2, 1e-2):
        assert likelihood(mean + step, sd) < best
        assert likelihood(mean, sd + step) < best


def test_censored_estimates_recover_the_truth_where_half_the_limit_does_not():
    rng = np.random.default_rng(5)
    drawn = rng.normal(2.0, 0.8, 20_000)
    exact = drawn[drawn > 1.7]
    ranges = [[-np.inf, 1.7]] * (len(drawn) - len(exact))
    mean, sd = censored_normal(exact, ranges)
    assert (mean, sd) == (pytest.approx(2.0, abs=0.03), pytest.approx(0.8, abs=0.03))
    replaced = np.where(drawn > 1.7, drawn, 1.7 + np.log10(0.5))
    assert replaced.std() < 0.7


def test_intervals_and_values_above_a_limit_count_too():
    rng = np.random.default_rng(8)
    drawn = rng.normal(2.0, 0.8, 5_000)
    exact = drawn[(drawn > 1.5) & (drawn < 2.9)]
    ranges = [[1.2, 1.5]] * int(((drawn > 1.2) & (drawn <= 1.5)).sum())
    ranges += [[-np.inf, 1.2]] * int((drawn <= 1.2).sum())
    ranges += [[2.9, np.inf]] * int((drawn >= 2.9).sum())
    mean, sd = censored_normal(exact, ranges)
    assert (mean, sd) == (pytest.approx(2.0, abs=0.03), pytest.approx(0.8, abs=0.03))


def test_one_value_and_some_below_the_limit_give_a_believable_spread():
    mean, sd = censored_normal([3.0], [[-np.inf, 1.7]] * 4)
    assert np.isfinite(mean)
    assert 0.1 <= sd <= 3.0
