"""Parameters that are held or follow from others: values and slopes."""

import numpy as np
import pytest

import cellpk as ck
from cellpk.fit.ties import Ties
from cellpk.model.expression import parse

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
TIES = Ties(
    STEIN,
    held={"fb": 0.02},
    tied={"beta": parse("alpha/(3 + tmax)"), "tmax": parse("min(20, 9*foldx**0.01)")},
)


def test_what_follows_is_what_the_expressions_say():
    theta = np.log([[3900.0, 24000.0, 0.16], [10.0, 1e5, 0.3]])
    natural = STEIN.natural(TIES.full(theta))
    tmax = 9 * np.array([3900.0, 10.0]) ** 0.01
    np.testing.assert_allclose(natural["tmax"], tmax)
    np.testing.assert_allclose(natural["beta"], np.array([0.16, 0.3]) / (3 + tmax))
    np.testing.assert_allclose(natural["fb"], 0.02)


def test_slopes_are_those_of_differences():
    theta, step = np.log([3900.0, 24000.0, 0.16]), 1e-6
    slopes = TIES.slopes(theta)
    for k in range(3):
        away = step * np.eye(3)[k]
        expected = (TIES.full(theta + away) - TIES.full(theta - away)) / (2 * step)
        np.testing.assert_allclose(slopes[:, k], expected, atol=1e-8)


def test_without_ties_all_is_as_it_was():
    theta = np.random.default_rng(1).normal(size=(4, 3, 6))
    np.testing.assert_array_equal(Ties(STEIN).full(theta), theta)
    assert Ties(STEIN).names == STEIN.free


def test_an_impossible_value_is_not_a_number():
    ties = Ties(STEIN, tied={"beta": parse("alpha - 1")})
    with np.errstate(invalid="ignore"):
        assert np.isnan(ties.full(np.log([3900.0, 9.3, 24000.0, 0.16, 0.01]))[-1])


@pytest.mark.parametrize("name", ["tmax", "fb"])
def test_what_is_tied_is_not_estimated(name):
    assert name not in TIES.names
