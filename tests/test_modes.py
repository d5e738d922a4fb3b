"""The most probable parameters of many patients: against scipy, one by one."""

import numpy as np
import pytest
from scipy.optimize import minimize

import cellpk as ck
from cellpk.fit.curvature import curvature
from cellpk.fit.data import fit_data
from cellpk.fit.modes import Aim, descend
from cellpk.fit.residual_error import ResidualError, log_likelihood

DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]
STEIN = ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def aim():
    study = STEIN.simulate(12, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    data, sd = fit_data(STEIN, study), STEIN.spread
    mean = np.tile(STEIN.typical, (12, 1))
    bounds = {"low": mean - 6 * sd, "high": mean + 6 * sd}
    return Aim(data, data.errors, mean, np.diag(sd**-2), reach=sd, **bounds)


@pytest.fixture(scope="module")
def starts(aim):
    chance = np.random.default_rng(1)
    shape = (16, *aim.mean.shape)
    return aim.mean + aim.reach * chance.standard_normal(shape)


def test_the_best_ends_are_those_of_a_search_without_slopes(aim, starts):
    best = descend(aim, starts).sorted()
    for patient in (1, 2, 3):
        alone = aim.of(np.array([patient]))
        found = minimize(
            lambda x, alone=alone: alone.values(x[None])[0],
            best.theta[0, patient] + 0.05,
            method="Nelder-Mead",
            options={"maxfev": 8000, "maxiter": 8000, "xatol": 1e-8, "fatol": 1e-10},
        )
        assert best.value[0, patient] < found.fun + 1e-3


def test_patients_left_behind_end_where_they_would_alone(aim, starts):
    together = descend(aim, starts)
    for patient in range(12):
        row = np.array([patient])
        alone = descend(aim.of(row), starts[:, row])
        np.testing.assert_allclose(
            together.value[:, row], alone.value, rtol=1e-9, atol=1e-9
        )


def test_slopes_are_those_of_differences(aim):
    theta, step = aim.mean + 0.1 * aim.reach, 1e-6
    slope = aim.surroundings(theta).slope
    for i in range(theta.shape[-1]):
        away = step * np.eye(theta.shape[-1])[i]
        expected = (aim.values(theta + away) - aim.values(theta - away)) / (2 * step)
        np.testing.assert_allclose(slope[:, i], expected, rtol=1e-4, atol=1e-4)


def test_held_parameters_stay(aim, starts):
    held = np.zeros(starts.shape, bool)
    held[..., 0] = True
    ends = descend(aim, starts, held=held)
    low, high = aim.low[:, 0], aim.high[:, 0]
    np.testing.assert_array_equal(
        ends.theta[..., 0], np.clip(starts[..., 0], low, high)
    )


@pytest.mark.parametrize(
    "error",
    [
        ResidualError("lognormal", {"sd": 0.5}),
        ResidualError("student", {"sd": 0.5}, df=4),
        ResidualError("combined", {"additive": 3.0, "proportional": 0.3}),
    ],
)
def test_curvatures_are_second_differences(aim, error):
    said = aim.data.series[0].said
    mu = aim.data.levels(aim.mean)[0].log_level
    step = 1e-3
    around = [log_likelihood(mu + k * step, said, error) for k in (-1, 0, 1)]
    expected = -(around[0] - 2 * around[1] + around[2]) / step**2
    np.testing.assert_allclose(
        curvature(mu, said, error), expected, rtol=1e-3, atol=1e-3
    )
