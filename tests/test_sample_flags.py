"""Columns of 1 and 0 beside the level: what they say, and what contradicts them."""

import itertools

import numpy as np
import pandas as pd
import pytest

from cellpk import DataError, Study, read_study
from cellpk.study.sample_flags import FLAGS, with_flags

SETTINGS = {"study": {"id": "A", "infusion_day": 0}}
LIMITS = {"lloq": 50, "llod": 10, "uloq": 500}


def study_of(level, **columns):
    row = {"patient": "1", "time": 7, "assay": "qpcr", "level": level, **columns}
    return Study.from_frames(pd.DataFrame([row], dtype=object), settings=SETTINGS)


def only(level, **columns):
    return study_of(level, **columns).samples.iloc[0]


@pytest.mark.parametrize(
    ("level", "flags", "state", "number"),
    [
        # The level column holds the limit, 0 or nothing.
        (50, {"blq": 1}, "below", None),
        (0, {"blq": 1}, "below", None),
        ("", {"blq": 1}, "below", None),
        ("", {"detected": 0}, "below", None),
        (10, {"detected": 0}, "below", None),
        (500, {"alq": 1}, "above", None),
        ("", {"alq": 1}, "above", None),
        ("", {"blq": 1, "detected": 1}, "detected", None),
        (50, {"blq": 1, "detected": 1}, "detected", None),
        (0, {"blq": 1, "detected": 1}, "detected", None),
        ("<50", {"blq": 1, "detected": 1}, "detected", None),
        # It holds what the instrument read.
        (30, {"blq": 1}, "detected", 30),
        (3, {"blq": 1}, "below", None),
        (600, {"alq": 1}, "above", None),
        (80, {"blq": 0, "alq": 0, "detected": 1}, "quantified", 80),
        # It holds a text that agrees.
        ("BLQ", {"blq": 1}, "below", None),
        ("ND", {"blq": "Y", "detected": "N"}, "below", None),
        (">500", {"alq": "yes"}, "above", None),
        # A flag that says nothing.
        (80, {"blq": ""}, "quantified", 80),
        ("", {"blq": "", "alq": 0}, "missing", None),
        ("", {"blq": 0}, "missing", None),
    ],
)
def test_flags_say_what_the_level_alone_does_not(level, flags, state, number):
    sample = only(level, **LIMITS, **flags)
    assert sample["state"] == state
    np.testing.assert_equal(sample["level"], np.nan if number is None else number)
    assert sample["lloq"] == 50


@pytest.mark.parametrize(
    ("level", "flags", "said"),
    [
        (30, {"blq": 0}, "'blq' is 0, but the sample is detected"),
        (3, {"blq": 0}, "'blq' is 0, but the sample is below"),
        ("<50", {"blq": 0}, "'blq' is 0, but the sample is below"),
        (80, {"blq": 1}, "'blq' is 1, but the sample is quantified"),
        (600, {"blq": 1}, "'blq' is 1, but the sample is above"),
        (600, {"alq": 0}, "'alq' is 0, but the sample is above"),
        (80, {"alq": 1}, "'alq' is 1, but the sample is quantified"),
        ("BLQ", {"alq": 1}, "'alq' is 1, but the sample is below"),
        (80, {"detected": 0}, "'detected' is 0, but the sample is quantified"),
        (30, {"detected": 0}, "'detected' is 0, but the sample is detected"),
        (3, {"detected": 1}, "'detected' is 1, but the sample is below"),
        ("TND", {"detected": 1}, "'detected' is 1, but the text says that nothing was"),
        (80, {"state": "below", "blq": 0}, "'blq' is 0, but the sample is below"),
        ("", {"blq": 0, "detected": 1}, "'blq' is 0, but the sample is detected"),
        (80, {"blq": "maybe"}, "'blq' is not a flag"),
    ],
)
def test_flags_that_contradict_the_level_are_refused(level, flags, said):
    with pytest.raises(DataError) as caught:
        study_of(level, **LIMITS, **flags)
    (problem,) = caught.value.problems
    assert said in problem.what
    assert (problem.row, problem.patient) == (2, "1")


def test_without_a_limit_a_flag_guesses_none():
    sample = only(50, blq=1)
    assert sample["state"] == "below"
    assert np.isnan(sample["lloq"])
    assert "unknown_limits" in study_of(50, blq=1).problems["rule"].tolist()


def test_a_zero_that_is_flagged_needs_no_limit():
    assert only(0, blq=1)["state"] == "below"
    with pytest.raises(DataError, match="the level is 0 and no limit"):
        study_of(0, blq=0)


def test_a_file_may_call_its_flags_otherwise(tmp_path):
    (tmp_path / "levels.csv").write_text(
        "patient,time,level,assay,lloq,BLQFL\n1,7,50,qpcr,50,Y\n1,8,80,qpcr,50,N\n"
    )
    (tmp_path / "study.toml").write_text(
        '[study]\nid="A"\ninfusion_day=0\n[[samples]]\nfile="levels.csv"\n'
        'columns={blq="BLQFL"}\n'
    )
    assert read_study(tmp_path).samples["state"].tolist() == ["below", "quantified"]


def test_a_state_after_flags_is_the_same_when_flags_are_read_again():
    """Every combination of level and flags: reading twice changes nothing more."""
    levels = [np.nan, 0.0, 3.0, 10.0, 30.0, 50.0, 80.0, 500.0, 600.0]
    states = ["quantified", "below", "detected", "above", "missing"]
    values = [np.nan, 0.0, 1.0]
    rows = list(itertools.product(levels, states, values, values, values))
    level, state, *flags = (
        np.array(column, dtype=object) for column in zip(*rows, strict=True)
    )
    flags = {name: f.astype(float) for name, f in zip(FLAGS, flags, strict=True)}
    limits = {name: np.full(len(rows), float(x)) for name, x in LIMITS.items()}
    once, number, _ = with_flags(state, level.astype(float), flags, limits=limits)
    again, same, _ = with_flags(once, number, flags, limits=limits)
    assert (once == again).all()
    np.testing.assert_array_equal(number, same)
    quantified = once == "quantified"
    assert (state[quantified] == "quantified").all()
