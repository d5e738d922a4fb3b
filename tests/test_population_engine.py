"""SAEM and importance sampling where the likelihood has a formula, or is integrated."""

from dataclasses import replace

import numpy as np
import pytest
from linear_population import NAMES, Sd, lines
from scipy.optimize import minimize

from cellpk.fit.population.certainty import FLAT, concluded
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.polish import maximum
from cellpk.fit.population.saem import saem
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure

SHORT = Steps(search=150, average=100)


def structure(data, *, full=False, shared=()):
    plain = Structure.without_covariates(NAMES, len(data.patients), full=full)
    varies = np.array([name not in shared for name in NAMES])
    return replace(plain, correlated=plain.correlated & np.outer(varies, varies))


def start(never=0.0):
    return State(np.array([0.0, 0.0]), np.eye(2), Sd(1.0), never)


def fitted(data, *, full=False, never=0.0, seed=1, draws=2000, shared=()):
    made = Sampled(data, structure(data, full=full, shared=shared))
    course = saem(made, start(never), rng=np.random.default_rng(seed), steps=SHORT)
    best = maximum(made, course, rng=np.random.default_rng(seed), draws=draws)
    return course, best


def exact_maximum(data, layout):
    """The maximum of the exact likelihood, its value, and the standard errors."""

    def loss(vector):
        state = layout.state_at(vector)
        return -data.exact(state.beta, state.omega, state.errors.sd).sum()

    best = minimize(loss, layout.vector(), method="BFGS", options={"gtol": 1e-5}).x
    steps = 1e-3 * np.eye(best.size)
    curvature = [
        [
            sum(a * b * loss(best + a * u + b * v) for a in (1, -1) for b in (1, -1))
            / 4e-6
            for u in steps
        ]
        for v in steps
    ]
    return best, -loss(best), np.sqrt(np.diag(np.linalg.inv(curvature)))


@pytest.mark.parametrize("full", [False, True], ids=["variances", "correlated"])
def test_the_maximum_is_that_of_the_exact_likelihood(full):
    data = lines(40, rho=0.6 if full else 0.0)
    _, best = fitted(data, full=full)
    exact, highest, expected = exact_maximum(data, best.estimates.layout)
    errors = np.sqrt(np.diag(best.estimates.covariance))
    away = (best.estimates.layout.vector() - exact) / expected
    assert np.sqrt(np.mean(away**2)) < 0.1
    assert best.log_likelihood.sum() == pytest.approx(highest, abs=0.15)
    assert errors == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("shared", ["a", "b"])
def test_a_parameter_without_spread_is_estimated_as_by_the_exact_likelihood(shared):
    data = lines(40, b_sd=1e-9)
    course, best = fitted(data, shared=(shared,))
    layout = best.estimates.layout
    assert layout.vector().size == 4
    assert course.state.omega["ab".index(shared)].tolist() == [0, 0]
    exact, highest, expected = exact_maximum(data, layout)
    errors = best.estimates.standard_errors
    assert np.abs((layout.vector() - exact) / expected).max() < 0.15
    assert best.log_likelihood.sum() == pytest.approx(highest, abs=0.15)
    assert errors == pytest.approx(expected, rel=0.1)


def test_saem_alone_comes_near_it():
    data = lines(40)
    course, best = fitted(data)
    layout = Layout(structure(data), course.state)
    exact, _, errors = exact_maximum(data, best.estimates.layout)
    away = (layout.vector() - exact) / errors
    assert np.abs(away).max() < 0.5


def importance(data, state, *, full=False, draws=4000):
    made = Sampled(data, structure(data, full=full))
    moments = (
        np.tile(state.beta, (len(data.patients), 1)),
        np.tile(state.omega, (len(data.patients), 1, 1)),
    )
    rng = np.random.default_rng(3)
    return Importance(made, state, moments=moments, rng=rng, draws=draws)


def test_the_likelihood_by_importance_sampling_is_the_exact_one():
    data = lines(25, sd=0.7)
    state = State(np.array([1.8, -0.9]), np.diag([1.2, 0.3]), Sd(0.8))
    found = importance(data, state)
    exact = data.exact(state.beta, state.omega, 0.8)
    assert found.log_likelihood(state) == pytest.approx(exact, abs=0.3)
    off = found.log_likelihood(state).sum() - exact.sum()
    assert abs(off) < 4 * found.error(state)


def test_draws_that_miss_a_patient_are_drawn_anew():
    """Too narrow a first proposal at the wrong place: the likelihood comes yet."""
    data = lines(25, sd=0.3)
    state = State(np.array([1.8, -0.9]), np.diag([1.2, 0.3]), Sd(0.3))
    made = Sampled(data, structure(data))
    moments = np.tile([4.0, 1.0], (25, 1)), np.tile(0.01 * np.eye(2), (25, 1, 1))
    rng = np.random.default_rng(1)
    found = Importance(made, state, moments=moments, rng=rng, draws=1000)
    weights, _ = found.expected(state)
    assert (1 / np.square(weights).sum(0)).min() > 200
    exact = data.exact(state.beta, state.omega, 0.3)
    assert found.log_likelihood(state) == pytest.approx(exact, abs=0.2)


def test_slopes_are_those_of_the_sampled_likelihood():
    data = lines(12, limit=0.0, rho=0.5)
    omega = np.array([[1.1, 0.2], [0.2, 0.4]])
    state = State(np.array([1.8, -0.9]), omega, Sd(0.6), never=0.2)
    found = importance(data, state, full=True, draws=300)
    layout = Layout(structure(data, full=True), state)
    vector, step = layout.vector(), 1e-5
    numeric = [
        (
            found.log_likelihood(layout.state_at(vector + step * away)).sum()
            - found.log_likelihood(layout.state_at(vector - step * away)).sum()
        )
        / (2 * step)
        for away in np.eye(vector.size)
    ]
    assert found.slopes(layout.state_at(vector)).sum(0) == pytest.approx(
        numeric, abs=1e-6
    )


def test_slopes_by_a_parameter_without_spread_are_those_of_the_sampled_likelihood():
    data = lines(12, limit=0.0)
    state = State(np.array([1.8, -0.9]), np.diag([1.1, 0.0]), Sd(0.6), never=0.2)
    made = Sampled(data, structure(data, shared=("b",)))
    moments = np.tile(state.beta, (12, 1)), np.tile(np.diag([1.0, 0.0]), (12, 1, 1))
    chance = {"rng": np.random.default_rng(3), "draws": 300}
    found = Importance(made, state, moments=moments, **chance)
    layout = Layout(made.structure, state)
    vector, step = layout.vector(), 1e-5
    assert layout.names == ("a", "b", "the spread of a", "sd", "never expanded")
    numeric = [
        (
            found.log_likelihood(layout.state_at(vector + step * away)).sum()
            - found.log_likelihood(layout.state_at(vector - step * away)).sum()
        )
        / (2 * step)
        for away in np.eye(vector.size)
    ]
    assert found.slopes(layout.state_at(vector)).sum(0) == pytest.approx(
        numeric, abs=1e-6
    )


def test_a_vector_stands_for_the_estimates_it_was_made_of():
    data = lines(3)
    omega = np.array([[1.1, 0.2], [0.2, 0.4]])
    state = State(np.array([1.8, -0.9]), omega, Sd(0.6), never=0.2)
    layout = Layout(structure(data, full=True), state)
    back = layout.state_at(layout.vector())
    assert back.omega == pytest.approx(omega)
    assert (back.never, back.errors.sd) == pytest.approx((0.2, 0.6))


def test_levels_below_a_limit_bias_nothing_that_their_likelihood_holds():
    """Known truth: a N(2, 1), b N(-1, 0.25), residual 0.5; half of them below 1."""
    data = lines(400, limit=1.0, seed=5)
    assert 0.4 < data.below.mean() < 0.6
    _, best = fitted(data, draws=500)
    state, errors = best.state, np.sqrt(np.diag(best.estimates.covariance))
    truth = np.array([2, -1, 0, np.log(0.5), np.log(0.5)])
    assert np.abs((best.estimates.layout.vector() - truth) / errors).max() < 3
    assert errors.max() < 0.2
    assert state.never == 0


def test_patients_who_never_expand_are_a_class():
    data = lines(200, limit=-2.0, times=(0, 0.2, 0.4, 0.6), seed=7)
    never = np.arange(200) < 60
    below = data.below | never[:, None]
    level = np.where(below, -2.0, data.level)
    mixed = type(data)(data.times, level, below)
    _, best = fitted(mixed, never=0.1, draws=500)
    assert best.state.never == pytest.approx(0.3, abs=0.02)
    assert best.state.beta[0] == pytest.approx(2.0, abs=0.3)


def test_the_same_seed_gives_the_same_numbers():
    data = lines(10)
    one, other = (fitted(data, seed=4, draws=200)[1] for _ in range(2))
    assert (one.estimates.layout.vector() == other.estimates.layout.vector()).all()
    assert (one.log_likelihood == other.log_likelihood).all()


def test_pairs_that_contradict_one_another_give_a_covariance_yet():
    """Of three alike parameters two pairs are correlated, and the third is not."""
    rng = np.random.default_rng(1)
    alike = rng.normal(size=(50, 1)) + 0.01 * rng.normal(size=(50, 3))
    allowed = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1]], bool)
    plain = Structure.without_covariates(("a", "b", "c"), 50)
    paired = Structure(plain.names, plain.design, plain.coefficients, allowed)
    beta = alike.mean(0)
    raw = np.where(allowed, np.cov(alike.T, ddof=0), 0)
    assert np.linalg.eigvalsh(raw)[0] < 0
    omega = paired.omega(alike, alike.T @ alike, beta)
    assert np.linalg.eigvalsh(omega)[0] > 0
    assert (omega[~allowed] == 0).all()
    assert np.diag(omega) == pytest.approx(np.diag(raw))


def test_what_the_samples_do_not_tell_has_no_standard_error():
    _, best = fitted(lines(10), draws=200)
    told = best.estimates
    untold = replace(told, untold=(1,))
    assert np.isfinite(told.standard_errors[1])
    assert np.flatnonzero(np.isnan(untold.standard_errors)).tolist() == [1]
    assert "the samples do not tell" in untold.doubts[0]


def test_estimates_that_trade_off_for_nothing_are_as_unsure_as_that_makes_them():
    """Their sum is known as well as the others; along their difference all is flat."""
    state = State(np.array([1.8, -0.9]), np.diag([1.2, 0.3]), Sd(0.8))
    layout = Layout(structure(lines(5)), state)
    along = np.array([1.0, -1.0, 0.0, 0.0, 0.0]) / np.sqrt(2)
    bent = 100 * (np.eye(5) - np.outer(along, along)) - np.outer(along, along)
    found = concluded(layout, bent, 2.0 * along)
    assert [layout.names[i] for i in found.untold] in (["a"], ["b"])
    told = np.sqrt([0.005 + FLAT**2 / 2, 0.01, 0.01, 0.01])
    errors = found.standard_errors
    assert errors[np.isfinite(errors)] == pytest.approx(told)
    assert found.moved == pytest.approx(2.0 * FLAT / np.sqrt(5))


def test_curvature_is_told_next_to_a_correlation_of_one():
    data = lines(12, rho=0.5)
    corner = 0.9996 * np.sqrt(1.1 * 0.4)
    omega = np.array([[1.1, corner], [corner, 0.4]])
    state = State(np.array([1.8, -0.9]), omega, Sd(0.6))
    found = importance(data, state, full=True, draws=300)
    assert np.isfinite(found.information(state)).all()
