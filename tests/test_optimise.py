"""Least squares from many starts, on smooth curves and on curves with corners."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad, differential_evolution

import cellpk as ck
from cellpk.fit.likelihood import Evidence
from cellpk.fit.objective import Objective
from cellpk.fit.optimise import is_stationary, search
from cellpk.fit.prior import prior_of

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
PRIOR = prior_of(STEIN, [], observed="qpcr", unit="copies/ug")
TIMES = np.array([5.0, 8.0, 14.0, 21.0, 28.0])
CORNER = Evidence(  # hardly there on day 8, high on day 14: the peak is day 14 itself
    np.array([-np.inf, 5.0, 12.0, 10.0, 9.0]), np.array([4.6, 5.0, 12.0, 10.0, 9.0])
)
SMOOTH = Evidence(*np.tile(STEIN.log_level(STEIN.typical, TIMES) + 0.2, (2, 1)))


def objective(said, *, penalised=True):
    return Objective(STEIN, "qpcr", TIMES, said, PRIOR, sd=0.56, penalised=penalised)


def best(said, starts=16):
    return search(objective(said), PRIOR.draws(1024, seed=1), starts)


@pytest.mark.parametrize("said", [SMOOTH, CORNER], ids=["smooth", "corner"])
def test_the_search_finds_what_differential_evolution_finds(said):
    asked = objective(said)
    found = best(said)
    bounds = np.stack([PRIOR.centre - 4 * PRIOR.sd, PRIOR.centre + 4 * PRIOR.sd], 1)
    reference = differential_evolution(
        lambda x: asked.value(x.T),
        bounds,
        vectorized=True,
        updating="deferred",
        popsize=20,
        maxiter=400,
        tol=1e-10,
        seed=1,
        polish=False,
    )
    assert found.value <= reference.fun + 1e-4
    assert found.value == pytest.approx(asked.value(found.theta), abs=1e-9)


def test_the_best_fit_of_a_steep_rise_lies_in_the_corner_at_the_sample():
    found = best(CORNER)
    assert np.exp(found.theta[STEIN.free.index("tmax")]) == pytest.approx(14, abs=1e-4)
    assert found.reached >= 2


@pytest.mark.parametrize("said", [SMOOTH, CORNER], ids=["smooth", "corner"])
def test_minima_are_stationary_and_other_places_are_not(said):
    found = best(said)
    assert is_stationary(objective(said), found.theta)
    assert not is_stationary(objective(said), found.theta + 0.1 * PRIOR.sd)


@pytest.mark.parametrize("penalised", [True, False], ids=["map", "ml"])
@pytest.mark.parametrize("said", [SMOOTH, CORNER], ids=["smooth", "corner"])
def test_gradient_of_the_objective_equals_differences(said, penalised):
    asked = objective(said, penalised=penalised)

    def gradient(theta):
        r, jacobian = asked.residuals(theta)
        return 2 * jacobian.T @ r

    for place in PRIOR.draws(8, seed=5):
        size = np.linalg.norm(gradient(place))
        assert check_grad(asked.value, gradient, place) < 1e-5 * (1 + size)


def test_squares_of_residuals_add_up_to_minus_two_log_density():
    asked = objective(CORNER)
    places = PRIOR.draws(64, seed=2)
    squares = np.square(asked.residuals(places)[0]).sum(-1)
    assert asked.value(places) == pytest.approx(squares)
    loss = asked.log_density(places) + squares / 2
    assert loss == pytest.approx(loss[0])


def test_beyond_its_bounds_a_fit_has_no_density():
    asked = replace(objective(SMOOTH), penalised=False)
    inside = np.append(STEIN.typical, np.log(0.5))
    assert np.isfinite(asked.log_density(inside[None]))
    for at, step in ((0, 7 * PRIOR.sd[0]), (6, 6.0), (6, -6.0)):
        outside = inside.copy()
        outside[at] += step
        assert asked.log_density(outside[None]) == -np.inf
