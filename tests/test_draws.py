"""What chance decides of virtual patients, against what it was told."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import cellpk as ck
from cellpk.model.draws import (
    draw_covariates,
    draw_leaving,
    draw_patients,
    draw_visits,
    stream,
)

N = 100_000
SURE = 4.5
"""Standard errors: a right generator strays further once in 150,000 times."""


@pytest.fixture(scope="module")
def axicel():
    return ck.load_model("mueller_schoell_2021_axicel")


def test_streams_of_different_purposes_and_seeds_are_independent():
    purposes = [(1, "dropout"), (1, "dropout "), (2, "dropout"), (1, "visits, 7.0")]
    draws = np.array([stream(*purpose).standard_normal(N) for purpose in purposes])
    strays = np.corrcoef(draws)[np.triu_indices(4, 1)] * np.sqrt(N)
    assert (np.abs(strays) < SURE).all()


def test_a_stream_is_that_of_numpy_under_a_spawned_seed():
    """PCG64 with the purpose as the key under the seed, by NumPy's own words."""
    seeds = np.random.SeedSequence(7, spawn_key=(97, 98))
    expected = np.random.Generator(np.random.PCG64(seeds)).random(3)
    assert stream(7, "ab").random(3).tolist() == expected.tolist()


@pytest.mark.parametrize("correlated", [False, True])
def test_patients_have_the_mean_and_covariance_of_the_model(made_model, correlated):
    model = made_model() if correlated else ck.load_model("stein_2019_tisagenlecleucel")
    theta = draw_patients(model, N, seed=3)
    expected = model.covariance
    variance = np.diag(expected)
    stray = (theta.mean(axis=0) - model.typical) / np.sqrt(variance / N)
    assert (np.abs(stray) < SURE).all()
    error = np.sqrt((np.outer(variance, variance) + expected**2) / N)
    assert (np.abs(np.cov(theta.T) - expected) < SURE * error).all()
    if correlated:
        found = np.arctanh(np.corrcoef(theta.T)[0, 1])
        assert found == pytest.approx(np.arctanh(0.6), abs=SURE / np.sqrt(N - 3))


def test_patients_spread_normally(made_model):
    model = made_model()
    theta = draw_patients(model, N, seed=4)
    z = (theta - model.typical) / model.spread
    assert all(stats.kstest(column, "norm").pvalue > 1e-4 for column in z.T)


def test_more_patients_leave_the_first_as_they_are(made_model):
    few, many = (draw_patients(made_model(), n, seed=5) for n in (10, 1000))
    assert (few == many[:10]).all()


def test_the_class_of_a_mixture_is_drawn_with_its_probability(axicel):
    drawn = draw_covariates(axicel, N, None, seed=6)
    assert set(drawn) == {"reference", "asct"}
    for name, values in drawn.items():
        chance = axicel.covariates[name].probability
        error = np.sqrt(chance * (1 - chance) / N)
        assert set(values) == {0.0, 1.0}
        assert values.mean() == pytest.approx(chance, abs=SURE * error)


def test_a_given_covariate_is_not_drawn_and_changes_no_other(axicel):
    alone = draw_covariates(axicel, 100, None, seed=6)
    given = draw_covariates(axicel, 100, {"reference": 1}, seed=6)
    assert given["reference"] == 1
    assert (given["asct"] == alone["asct"]).all()


def test_covariates_come_from_a_frame_row_by_row(axicel):
    frame = pd.DataFrame({"cd4_cd8": [0.5, 2.0], "asct": [1, 0]}, index=[9, 3])
    found = draw_covariates(axicel, 2, frame, seed=1)
    assert found["cd4_cd8"].tolist() == [0.5, 2.0]
    assert found["asct"].tolist() == [1, 0]


def test_covariates_of_too_few_patients_are_refused(axicel):
    with pytest.raises(
        ck.ModelError, match=r"cd4_cd8 is given for shape \(2,\).*3 pat"
    ):
        draw_covariates(axicel, 3, {"cd4_cd8": [1, 2]}, seed=1)


def test_visits_stray_from_the_plan_as_told_and_not_before_the_infusion():
    times = draw_visits(np.array([0.02, 28.0]), N, jitter=0.5, seed=8)
    away = times[:, 1] - 28
    assert stats.kstest(away / 0.5, "norm").pvalue > 1e-4
    assert (times > 0).all()
    folded = stats.foldnorm(0.02 / 0.5, scale=0.5)
    assert stats.kstest(times[:, 0], folded.cdf).pvalue > 1e-4


def test_a_visit_does_not_depend_on_the_other_visits():
    one = draw_visits(np.array([28.0]), 10, jitter=1.0, seed=8)
    two = draw_visits(np.array([7.0, 28.0]), 10, jitter=1.0, seed=8)
    assert (one[:, 0] == two[:, 1]).all()


def test_the_time_of_leaving_is_exponential():
    leaving = draw_leaving(N, hazard=0.02, seed=9)
    assert stats.kstest(leaving, stats.expon(scale=50).cdf).pvalue > 1e-4
