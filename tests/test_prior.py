"""What is taken for known before any sample."""

import numpy as np
import pytest

import cellpk as ck
from cellpk.fit.prior import prior_of

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def test_in_the_models_own_unit_the_prior_is_the_models():
    prior = prior_of(STEIN, [5.0, 7.0], observed="qpcr", unit="copies/ug")
    assert np.array_equal(prior.centre, STEIN.typical)
    assert np.array_equal(prior.sd, STEIN.spread)
    assert prior.table["unit"].to_list() == [p.unit for p in STEIN.parameters.values()]
    assert all(text.startswith("Model: Stein") for text in prior.table["source"])


def test_levels_in_another_unit_are_centred_on_the_study_and_say_so():
    peaks = np.array([1.0, 100.0, 1000.0])
    prior = prior_of(STEIN, peaks, observed="qpcr", unit="cells/uL")
    at = STEIN.free.index("cmax")
    assert prior.centre[at] == pytest.approx(np.log(peaks).mean())
    assert prior.sd[at] == pytest.approx(np.log(peaks).std(ddof=1))
    row = prior.table.set_index("parameter").loc["cmax"]
    assert row["centre"] == pytest.approx(np.exp(np.log(peaks).mean()))
    assert row["unit"] == "cells/uL"
    assert "3 patients of this study" in row["source"]
    others = [i for i in range(len(STEIN.free)) if i != at]
    assert np.array_equal(prior.centre[others], STEIN.typical[others])


def test_a_study_with_like_peaks_does_not_narrow_the_models_spread():
    at = STEIN.free.index("cmax")
    for peaks in ([100.0], [99.0, 100.0, 101.0]):
        prior = prior_of(STEIN, peaks, observed="qpcr", unit="cells/uL")
        assert prior.sd[at] == STEIN.spread[at]
        assert "the model's SD" in prior.table["source"][at]


def test_draws_have_the_moments_of_the_prior_and_one_seed_gives_one_answer():
    prior = prior_of(STEIN, [], observed="qpcr", unit="copies/ug")
    drawn = prior.draws(1024, seed=3)
    assert prior.standardised(drawn).mean(axis=0) == pytest.approx(0, abs=0.01)
    assert prior.standardised(drawn).std(axis=0) == pytest.approx(1, abs=0.02)
    assert np.array_equal(drawn, prior.draws(1024, seed=3))
    assert not np.array_equal(drawn, prior.draws(1024, seed=4))
