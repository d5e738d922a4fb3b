"""The censored likelihood of each kind of residual error, against scipy.stats."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

import cellpk as ck
from cellpk.fit.likelihood import Evidence
from cellpk.fit.residual_error import (
    ResidualError,
    error_of,
    gradients,
    level_scale,
    log_likelihood,
)

ERRORS = {
    "lognormal": ResidualError("lognormal", {"sd": 0.4}),
    "student": ResidualError("student", {"sd": 0.4}, df=4.0),
    "normal": ResidualError("normal", {"sd": 12.0}),
    "proportional": ResidualError("proportional", {"sd": 0.3}),
    "combined": ResidualError("combined", {"additive": 12.0, "proportional": 0.3}),
}
EVERY = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
INF = np.inf
SAID = Evidence(
    np.array([np.log(80.0), -INF, np.log(10.0), np.log(90.0), -INF, np.log(300.0)]),
    np.array([np.log(80.0), np.log(50.0), np.log(50.0), INF, INF, np.log(400.0)]),
)


def measured(error, mu):
    """What the instrument reads of a level, and whether it is the log that is read."""
    f, size = np.exp(mu), error.values
    if error.kind == "lognormal":
        return stats.norm(mu, size["sd"]), True
    if error.kind == "student":
        return stats.t(error.df, mu, size["sd"]), True
    scale = {
        "normal": lambda: size["sd"],
        "proportional": lambda: size["sd"] * f,
        "combined": lambda: np.sqrt(
            size["additive"] ** 2 + (size["proportional"] * f) ** 2
        ),
    }[error.kind]()
    return stats.norm(f, scale), False


def expected(error, mu, low, high):
    read, on_log = measured(error, mu)
    if low == high:
        density = read.pdf(low) if on_log else read.pdf(np.exp(low)) * np.exp(low)
        return np.log(density)
    if not on_log:
        low, high = -INF if low == -INF else np.exp(low), np.exp(high)
    if high == INF:
        return 0.0 if low == -INF else read.logsf(low)
    tails = max(read.cdf(high) - read.cdf(low), read.sf(low) - read.sf(high))
    return np.log(tails)


@EVERY
@pytest.mark.parametrize("mu", np.log([40.0, 60.0, 250.0]))
def test_densities_and_probabilities_are_those_of_scipy(error, mu):
    found = log_likelihood(np.full(6, mu), SAID, error)
    by_hand = [
        expected(error, mu, *ends) for ends in zip(SAID.low, SAID.high, strict=True)
    ]
    np.testing.assert_allclose(found, by_hand, rtol=1e-7, atol=1e-12)
    assert found[4] == 0.0


@EVERY
@pytest.mark.parametrize("mu", np.log([20.0, 300.0]))
def test_quantified_below_and_above_add_up_to_one(error, mu):
    lloq, uloq = np.log(50.0), np.log(500.0)

    def density(y):
        said = Evidence(np.array([y]), np.array([y]))
        return float(np.exp(log_likelihood([mu], said, error))[0])

    inside, _ = integrate.quad(density, lloq, uloq, epsabs=1e-11)
    ends = Evidence(np.array([-INF, uloq]), np.array([lloq, INF]))
    outside = np.exp(log_likelihood(np.full(2, mu), ends, error)).sum()
    assert inside + outside == pytest.approx(1, abs=1e-8)


@EVERY
def test_gradients_are_those_of_differences(error):
    mu, step = np.log([70.0, 70, 30, 70, 70, 340]), 1e-5

    def value(shift, logs):
        return log_likelihood(mu + shift, SAID, error.with_logs(logs))

    by_level, by_error = gradients(mu, SAID, error)
    slope = (value(step, error.logs) - value(-step, error.logs)) / (2 * step)
    np.testing.assert_allclose(by_level, slope, rtol=1e-6, atol=1e-8)
    for i, move in enumerate(step * np.eye(error.logs.size)):
        slope = value(0, error.logs + move) - value(0, error.logs - move)
        np.testing.assert_allclose(
            by_error[:, i], slope / (2 * step), rtol=1e-6, atol=1e-8
        )


@EVERY
@pytest.mark.parametrize("mu", [-690.0, -50.0, 50.0, 690.0])
def test_far_off_curves_have_finite_slopes_that_point_home(error, mu):
    every = SAID.parts
    value = log_likelihood(np.full(6, mu), SAID, error)
    by_level, by_error = gradients(np.full(6, mu), SAID, error)
    assert np.isfinite(value).all()
    assert np.isfinite(by_level).all()
    assert np.isfinite(by_error).all()
    toward = -np.sign(mu)
    for name in ("quantified", "between"):
        assert (by_level[every[name].place] * toward >= -1).all()


def test_the_tail_of_a_normal_is_asymptotic():
    # log Phi(-x) = -x**2/2 - log(x sqrt(2 pi)) - 1/x**2 + ..., hazard x + 1/x - ...
    said, x = Evidence(np.array([-INF]), np.array([0.0])), 1e7
    error = ResidualError("lognormal", {"sd": 1.0})
    tail = -0.5 * x**2 - np.log(x * np.sqrt(2 * np.pi))
    assert log_likelihood([x], said, error)[0] == pytest.approx(tail, rel=1e-14)
    assert gradients([x], said, error)[0][0] == pytest.approx(-x, rel=1e-12)


def test_the_tail_of_student_is_a_power():
    # with one degree of freedom: arctan(1/x)/pi, which is 1/(pi x) far out
    said, x = Evidence(np.array([-INF]), np.array([0.0])), 1e99
    error = ResidualError("student", {"sd": 1.0}, df=1.0)
    assert log_likelihood([x], said, error)[0] == pytest.approx(-np.log(np.pi * x))
    far = ResidualError("student", {"sd": 1e-3}, df=80.0)
    exact = stats.t(80.0).logcdf(-1e4)
    assert log_likelihood([10.0], said, far)[0] == pytest.approx(exact, rel=1e-9)


def test_a_narrow_interval_far_out_is_a_density():
    ends = np.array([0.0]), np.array([1e-9])
    error = ResidualError("lognormal", {"sd": 0.01})
    value = log_likelihood([8.0], Evidence(*ends), error)[0]
    density = stats.norm(8.0, 0.01).logpdf(0.0) + np.log(1e-9)
    assert value == pytest.approx(density, rel=1e-6)
    assert gradients([8.0], Evidence(*ends), error)[0][0] == pytest.approx(
        -8.0 / 0.01**2, rel=1e-3
    )


def by_scipy(mu, low, high, sd):
    """In log space, on the better side."""
    if low == high:
        return stats.norm.logpdf(low, mu, sd)
    if np.isinf(low):
        return stats.norm.logcdf(high, mu, sd)
    if np.isinf(high):
        return stats.norm.logsf(low, mu, sd)
    tail = stats.norm.logsf if mu < 0.5 * (low + high) else stats.norm.logcdf
    near, far = sorted((tail(low, mu, sd), tail(high, mu, sd)))[::-1]
    return near + np.log1p(-np.exp(far - near))


@pytest.mark.parametrize(
    ("low", "high"), [(1.2, 1.2), (-np.inf, 1.2), (0.4, 1.2), (1.2, np.inf)]
)
@pytest.mark.parametrize("sd", [0.1, 0.56, 2.0])
def test_the_lognormal_equals_scipy_far_into_both_tails(low, high, sd):
    said = Evidence(np.array([low]), np.array([high]))
    error = ResidualError("lognormal", {"sd": sd})
    for mu in (-30.0, -3.0, 0.3, 0.79, 1.2, 4.0, 30.0):
        found = log_likelihood([mu], said, error)[0]
        expected = by_scipy(mu, low, high, sd)
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-300)


@EVERY
def test_leading_axes_and_rows_of_patients_change_nothing(error):
    mu = np.random.default_rng(1).normal(4.5, 0.5, (3, 2, 6))
    rows = Evidence(np.stack([SAID.low] * 2), np.stack([SAID.high] * 2))
    value, (slope, by_error) = (
        log_likelihood(mu, rows, error),
        gradients(mu, rows, error),
    )
    for i in np.ndindex(3, 2):
        np.testing.assert_array_equal(value[i], log_likelihood(mu[i], SAID, error))
        one, other = gradients(mu[i], SAID, error)
        np.testing.assert_array_equal(slope[i], one)
        np.testing.assert_array_equal(by_error[i], other)


@EVERY
def test_many_errors_are_evaluated_at_once(error):
    logs = error.logs + np.array([[0.0], [0.5], [-0.2]])
    mu = np.full(6, 4.0)
    found = log_likelihood(mu, SAID, error.with_logs(logs))
    one_by_one = [log_likelihood(mu, SAID, error.with_logs(x)) for x in logs]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-14)
    assert gradients(mu, SAID, error.with_logs(logs))[1].shape == (
        3,
        6,
        error.logs.size,
    )


def test_a_combined_error_without_one_part_is_the_other():
    mu, tiny = np.full(6, 4.2), 1e-12
    for kind, values in (
        ("normal", {"additive": 12.0, "proportional": tiny}),
        ("proportional", {"additive": tiny, "proportional": 0.3}),
    ):
        both = log_likelihood(mu, SAID, ResidualError("combined", values))
        np.testing.assert_allclose(both, log_likelihood(mu, SAID, ERRORS[kind]))


def test_the_scale_of_the_level_adds_a_constant():
    y = np.array([80.0, 120.0])
    said = Evidence(np.log(y), np.log(y))
    error = ERRORS["normal"]
    of_logs = -2 * log_likelihood(np.log([90.0, 90.0]), said, error).sum()
    of_levels = -2 * stats.norm(90.0, 12.0).logpdf(y).sum()
    assert of_logs + level_scale(said) == pytest.approx(of_levels)


def test_a_model_states_its_error():
    qpcr = ck.load_model("stein_2019_tisagenlecleucel").observed["qpcr"]
    assert error_of(qpcr).values == {"sd": 0.56}
    both = replace(qpcr, error="combined", sd=None, additive=5.0, proportional=0.2)
    assert error_of(both).values == {"additive": 5.0, "proportional": 0.2}
    t = error_of(replace(qpcr, error="student", df=4.0))
    assert (t.kind, t.df) == ("student", 4.0)
    with pytest.raises(ck.FitError, match="'qpcr' is 'unpublished'"):
        error_of(replace(qpcr, error="unpublished", sd=None))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("lognormall", {"sd": 1.0}), "Did you mean 'lognormal'"),
        (("combined", {"sd": 1.0}), "Give additive and proportional"),
        (("normal", {"sd": 0.0}), "sd of a normal residual error is 0.0"),
        (("student", {"sd": 1.0}), "df of a student residual error is None"),
    ],
)
def test_an_impossible_error_is_refused(given, said):
    with pytest.raises(ck.FitError, match=said):
        ResidualError(*given)


def test_each_patient_may_have_an_error_of_her_own():
    low = np.array([[1.0, 2.0, -np.inf], [1.5, -np.inf, 0.5]])
    said = Evidence(low, np.where(np.isinf(low), 0.3, low))
    mu = np.array([[1.2, 1.5, 0.1], [1.0, 0.2, 0.9]])
    logs = np.array([[-1.0], [0.5]])
    error = ResidualError("lognormal", {"sd": 1.0}).with_logs(logs)
    for i in range(2):
        alone = Evidence(said.low[i], said.high[i])
        own = ResidualError("lognormal", {"sd": float(np.exp(logs[i, 0]))})
        np.testing.assert_allclose(
            log_likelihood(mu, said, error)[i], log_likelihood(mu[i], alone, own)
        )
        for both, one in zip(
            gradients(mu, said, error), gradients(mu[i], alone, own), strict=True
        ):
            np.testing.assert_allclose(both[i], one)
    many = np.stack([mu, mu + 0.1])
    assert log_likelihood(many, said, error).shape == (2, 2, 3)
