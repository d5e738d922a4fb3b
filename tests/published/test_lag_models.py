"""A lag before expansion, by SciPy and by hand: Ogasawara et al. 2021,
doi:10.1007/s40262-021-01039-5, and our variation of Stein et al. 2019."""

from math import exp, log

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.errors import ModelError
from cellpk.model.reproduce import reproduce

DAYS = np.array([0, 1, 3, 3.27, 4, 6, 8, 9.29, 9.3, 10, 14, 28, 90, 365])
GIVEN = {"c0": 20.0, "fb": 0.01}
PUBLISHED = {"lag": 3.27, "tmax": 9.29, "rho": log(2) / 0.755} | {
    "alpha": log(2) / 5.00,
    "beta": log(2) / 352,
}
STEIN = {"lag": 3, "tmax": 9.3, "rho": log(3900) / 9.3, "alpha": 0.16, "beta": 0.0032}


def solve(start, fb, *, lag, tmax, rho, alpha, beta):
    """Levels on DAYS from the differential equations, phase by phase."""
    onset = min(lag, tmax)
    rises = [(0, 0, 0, 0), (rho, 0, 0, 0), (-alpha, fb * (alpha - beta), 0, -beta)]
    states, levels = np.array([start, 0.0]), np.zeros(DAYS.size)
    for (first, last), (ee, me, em, mm) in zip(
        [(0, onset), (onset, tmax), (tmax, 365)], rises, strict=True
    ):
        matrix = np.array([[ee, em], [me, mm]])
        answer = solve_ivp(
            lambda _, y, a=matrix: a @ y,
            (first, max(last, first + 1e-12)),
            states,
            "LSODA",
            dense_output=True,
            rtol=1e-11,
            atol=1e-9,
        )
        inside = (first <= DAYS) & (last >= DAYS)
        levels[inside] = answer.sol(DAYS[inside]).sum(axis=0)
        states = answer.y[:, -1]
    return levels


@pytest.fixture(scope="module")
def lisocel():
    return ck.load_model("ogasawara_2021_lisocel")


@pytest.fixture(scope="module")
def lagged():
    return ck.load_model("stein_2019_lag")


def test_numbers_that_follow_from_the_abstract():
    assert round(log(2) / 0.755, 3) == 0.918
    assert round(2 ** ((9.29 - 3.27) / 0.755)) == 251
    assert round(log(2) / 5.00, 4) == 0.1386
    assert round(log(2) / 352, 5) == 0.00197


def test_the_abstract_is_all_that_is_stated(lisocel):
    values = {name: row.value for name, row in lisocel.parameters.items()}
    assert values == {
        "c0": None,
        "lag": 3.27,
        "doubling": 0.755,
        "tmax": 9.29,
        "half_life_1": 5.00,
        "half_life_2": 352,
        "fb": None,
    }
    assert {row.iiv_sd for row in lisocel.parameters.values()} == {None}
    assert lisocel.observed["qpcr"].sd is None


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("lag", 2.71, 3.97),
        ("doubling", 0.667, 0.821),
        ("tmax", 8.81, 9.70),
        ("half_life_1", 4.15, 5.90),
        ("half_life_2", 241, 647),
    ],
)
def test_prior_information_is_the_confidence_interval(lisocel, name, low, high):
    width = log(high / low) / 3.92
    assert lisocel.parameters[name].prior_sd == pytest.approx(width, abs=5e-4)


def test_lisocel_asks_for_what_is_not_published(lisocel):
    with pytest.raises(ModelError, match="c0"):
        lisocel.curve(DAYS)


def test_lisocel_works_once_start_and_memory_are_given(lisocel):
    expected = solve(20, 0.01, **PUBLISHED)
    np.testing.assert_allclose(lisocel.curve(DAYS, **GIVEN), expected, rtol=1e-7)
    assert expected.max() == pytest.approx(20 * 251.33, rel=1e-4)


def test_printed_numbers_come_back(lisocel, lagged):
    for model in (lisocel.with_values(**GIVEN), lagged):
        assert reproduce(model)["agrees"].all()


@pytest.mark.parametrize("lag", [0.5, 3, 8, 9.3, 12])
def test_stein_with_a_lag_follows_its_differential_equations(lagged, lag):
    start = 24000 * exp(-STEIN["rho"] * (9.3 - min(lag, 9.3)))
    expected = solve(start, 0.0079, **{**STEIN, "lag": lag})
    np.testing.assert_allclose(lagged.curve(DAYS, lag=lag), expected, rtol=1e-7)


def test_without_a_lag_it_is_stein(lagged):
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    np.testing.assert_allclose(
        lagged.curve(DAYS, lag=1e-12), stein.curve(DAYS), rtol=1e-9
    )


def test_the_variation_says_that_it_is_not_published(lagged):
    assert lagged.status == "unpublished"
    assert "unpublished" in lagged.title
    assert lagged.parameters["lag"].fixed
