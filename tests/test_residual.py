"""Residual error: what an instrument reads of a level, against its distribution."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import cellpk as ck
from cellpk.model.residual import read_levels, with_residual

N = 100_000
DAYS = np.array([7.0])


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def axicel():
    return ck.load_model("mueller_schoell_2021_axicel")


@pytest.fixture
def qpcr(stein):
    return stein.observed["qpcr"]


def _read(row, level=1000.0, **how):
    return read_levels(np.full((N, 1), level), replace(row, **how), DAYS, seed=1)[:, 0]


def test_a_lognormal_error_is_normal_on_the_log_scale(qpcr):
    z = np.log(_read(qpcr, sd=0.3) / 1000) / 0.3
    assert stats.kstest(z, "norm").pvalue > 1e-4
    assert z.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * N))


def test_a_proportional_error_grows_with_the_level(qpcr):
    for level in (10.0, 1e6):
        z = (_read(qpcr, level, error="proportional", sd=0.2) / level - 1) / 0.2
        assert stats.kstest(z, "norm").pvalue > 1e-4


def test_a_normal_error_is_in_the_unit_of_the_level(qpcr):
    z = (_read(qpcr, error="normal", sd=25.0) - 1000) / 25
    assert stats.kstest(z, "norm").pvalue > 1e-4


def test_the_error_of_student_is_his_t_on_the_log_scale(qpcr):
    t = np.log(_read(qpcr, error="student", sd=0.3, df=4.0) / 1000) / 0.3
    assert stats.kstest(t, stats.t(4).cdf).pvalue > 1e-4
    assert stats.kstest(t, "norm").pvalue < 1e-4


def test_days_and_assays_have_errors_of_their_own(qpcr):
    level = np.full((N, 2), 1000.0)
    days = np.array([7.0, 14.0])
    both = np.log(read_levels(level, qpcr, days, seed=1))
    other = np.log(read_levels(level, replace(qpcr, name="flow"), days, seed=1))
    together = np.corrcoef(np.column_stack([both, other]).T)
    strays = together[np.triu_indices(4, 1)] * np.sqrt(N)
    assert (np.abs(strays) < 4.5).all()


def test_what_is_missing_stays_missing(qpcr):
    assert np.isnan(read_levels(np.array([[np.nan]]), qpcr, DAYS, seed=1)).all()


def test_a_given_error_replaces_the_published_one(qpcr, stein):
    assert with_residual(qpcr, None, model=stein).sd == 0.56
    assert with_residual(qpcr, {"qpcr": 0}, model=stein).sd == 0


def test_an_error_of_which_nothing_is_published_must_be_given(axicel):
    flow = axicel.observed["flow"]
    with pytest.raises(ck.ModelError, match="error of flow is not published") as error:
        with_residual(flow, None, model=axicel)
    assert "residual={'flow': 0.5}" in str(error.value)
    given = with_residual(flow, {"flow": 0.4}, model=axicel)
    assert (given.error, given.sd) == ("lognormal", 0.4)


@pytest.mark.parametrize("sd", [-0.1, np.inf, np.nan])
def test_an_impossible_error_is_refused(qpcr, stein, sd):
    with pytest.raises(ck.ModelError, match=f"error of qpcr is {sd}"):
        with_residual(qpcr, {"qpcr": sd}, model=stein)


def test_an_error_of_an_assay_that_is_not_there_is_refused(qpcr, stein):
    with pytest.raises(ck.ModelError, match=r"'qpc'.*Did you mean 'qpcr'"):
        with_residual(qpcr, {"qpc": 0.3}, model=stein)
