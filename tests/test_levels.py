"""Levels are finite, or there is a reason."""

import numpy as np
import pytest

import cellpk as ck
from cellpk import ModelError
from cellpk.model.levels import finite_levels

SMOOTH = ck.load_model("stein_2019_smooth_peak")


def test_a_patient_without_a_number_has_a_reason_and_the_others_keep_theirs():
    gradient = np.ones((2, 1, 3))
    levels = finite_levels(np.array([[1.0], [np.inf]]), gradient)
    assert levels.failed.tolist() == [False, True]
    assert levels.log_level[0] == [1.0]
    assert np.isfinite(levels.log_level).all()
    assert not levels.gradient[1].any()


def test_a_model_says_which_patient_cannot_be_calculated():
    far = SMOOTH.typical + 10 * np.diag(SMOOTH.spread)
    theta = np.vstack([SMOOTH.typical, SMOOTH.typical + 10 * SMOOTH.spread, far])
    levels = SMOOTH.solve(theta, [1, 28])
    assert np.isfinite(levels.log_level).all()
    assert not levels.failed[0]
    if levels.failed.any():
        with pytest.raises(ModelError, match="of patient"):
            SMOOTH.log_level(theta, [1, 28])
