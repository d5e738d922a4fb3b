"""The state of a level beside its limits."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.study.columns import STATES
from cellpk.study.limits import states

LIMITS = {"lloq": 50.0, "llod": 10.0, "uloq": 500.0}


@pytest.mark.parametrize(
    ("level", "state"),
    [
        (500.1, "above"),
        (500.0, "quantified"),
        (50.0, "quantified"),
        (49.9, "detected"),
        (10.0, "detected"),
        (9.9, "below"),
        (0.0, "below"),
        (-3.0, "below"),
        (np.nan, "missing"),
    ],
)
def test_a_level_at_a_limit_is_on_its_upper_side(level, state):
    assert states([level], **LIMITS).tolist() == [state]
    assert state in STATES


def test_without_a_limit_of_detection_nothing_is_called_detected():
    assert states([49.0, 51.0], lloq=50).tolist() == ["below", "quantified"]


def test_without_limits_nothing_but_zero_is_below():
    assert states([1e-9, 1e12, 0.0]).tolist() == ["quantified", "quantified", "below"]


def test_limits_can_differ_from_sample_to_sample():
    found = states([[5.0, 5.0]], lloq=[[4.0, 6.0]], uloq=np.array([4.5, np.nan]))
    assert found.tolist() == [["above", "below"]]


def test_reading_a_study_gives_the_same_states():
    levels = [500.1, 500, 50, 49.9, 10, 9.9]
    samples = pd.DataFrame({"patient": 1, "time": range(1, 7), "level": levels})
    study = ck.Study.from_frames(samples.assign(assay="qpcr", **LIMITS))
    assert study.samples["state"].tolist() == states(levels, **LIMITS).tolist()
