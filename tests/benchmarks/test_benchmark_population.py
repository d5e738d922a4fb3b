"""The benchmark of population fits runs, and its peer is the same model and method."""

import numpy as np
import pytest
from plain_laplace import Trial, laplace_em, stein_curve
from population import DAYS, STEIN, contest, made, plain

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.population.chains import Steps


def test_the_plain_likelihood_is_that_of_the_package():
    model, study = made(STEIN, 5)
    trial, (beta, _, sd) = plain(model, study)
    data = fit_data(model, study)
    away = 0.3 * np.random.default_rng(1).standard_normal((5, beta.size))
    levels = data.levels(beta + away)
    assert np.isnan(trial.log_level).any()
    assert data.log_likelihood(levels, data.errors) == pytest.approx(
        [trial.log_likelihood(i, beta + away[i], sd) for i in range(5)], rel=1e-9
    )


def test_the_plain_fit_finds_the_maximum_of_a_linear_model():
    """Of lines whose slopes and heights vary, against the exact moments."""
    rng = np.random.default_rng(2)
    days = np.array([0.0, 1, 2, 4])
    theta = np.array([2.0, -1.0]) + rng.standard_normal((60, 2)) * [1.0, 0.5]
    lines = theta[:, :1] + theta[:, 1:] * days
    level = lines + 0.3 * rng.standard_normal(lines.shape)
    trial = Trial(days, level, -50.0, lambda x, t: x[0] + x[1] * t)
    start = np.zeros(2), np.ones(2), 1.0
    beta, spread, sd, _ = laplace_em(trial, start, sweeps=15)
    design = np.stack([np.ones_like(days), days], axis=1)
    each, squares, *_ = np.linalg.lstsq(design, level.T)
    assert beta == pytest.approx(each.mean(1), abs=0.02)
    assert spread == pytest.approx(theta.std(0), rel=0.15)
    assert sd == pytest.approx(np.sqrt(squares.mean() / 2), rel=0.03)


def test_the_plain_curve_is_stein():
    model = ck.load_model(STEIN)
    days = np.array(DAYS, float)
    found = stein_curve(model.typical, days)
    assert found == pytest.approx(np.log(model.curve(days)), rel=1e-12)


@pytest.mark.slow
def test_every_way_is_timed():
    table = contest(6, steps=Steps(1, 5, 5, draws=50), sweeps=1)
    assert (table[["s", "cpu_s"]].to_numpy() > 0).all()
    assert np.isfinite(table["deviance"]).all()
    assert table["ratio"][0] == 1
