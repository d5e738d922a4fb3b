import tomllib

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpk import Study, read_study, write_study

FULL = {
    "samples": pd.DataFrame(
        {
            "patient": ["1", "1", "1", "1", "2", "2", "2"],
            "time": [-0.25, 7, 1 / 3, 14, 7, 7, 21],
            "nominal_time": [0, 7, 0, 14, 7, 7, 35],
            "visit": ["screening", "D7", "D0", "D14", "D7", "D7", "M1, late"],
            "level": ["0", "31e2", "<50", "NA", "12", "12", "30"],
            "assay": ["qpcr", "qpcr", "qpcr", "qpcr", "il6", "il6", "qpcr"],
            "specimen": ["blood"] * 6 + ["marrow"],
            "llod": [None, 20, None, None, None, None, 20],
            "lloq": [None, 50, None, None, None, None, 50],
            "excluded": [0, 0, 0, 0, 0, 0, 1],
            "reason": ["", "", "", "", "", "", 'the tube "A"\nbroke'],
        }
    ),
    "patients": pd.DataFrame(
        {"patient": ["1", "2", "3"], "dose": [1, 2, 3], "burden": [0.1, None, 50]}
    ),
    "infusions": pd.DataFrame({"patient": ["1", "2"], "dose": 1e8, "unit": "cells"}),
    "comedication": pd.DataFrame(
        {"patient": ["1", "2"], "drug": "tocilizumab", "time": [3.5, None]}
    ),
    "outcomes": pd.DataFrame(
        {
            "patient": ["1", "2", "1"],
            "endpoint": ["best_response", "crs_grade", "crs_grade"],
            "value": ["CR", "2", "0"],
            "time": [28, 4.5, None],
        }
    ),
}
SETTINGS = {
    "study": {"id": "Ä-1\t\x7f", "title": 'a "title"\\', "infusion_day": 0},
    "analysis": {"exposures": ["cmax", "auc_0_28"], "seed": 7},
    "limits": {
        "qpcr": {"zero": "below", "assumed_lloq": 10.0, "why": "an old habit"},
    },
    "units": {"burden": "%"},
}


def test_a_study_that_is_written_and_read_is_the_same(tmp_path):
    study = Study.from_frames(**FULL, settings=SETTINGS)
    assert len(study.problems) > 8
    again = read_study(write_study(study, tmp_path / "new" / "folder"))
    pd.testing.assert_frame_equal(
        again.problems.drop(columns=["file", "row"]),
        study.problems.drop(columns=["file", "row"]),
    )
    assert again == study
    for name in ("study", "analysis", "limits", "units"):
        assert getattr(again.settings, name) == getattr(study.settings, name)


def test_writing_is_the_same_byte_for_byte(tmp_path):
    study = Study.from_frames(**FULL, settings=SETTINGS)
    write_study(study, tmp_path / "a")
    write_study(read_study(tmp_path / "a"), tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes()


def test_what_is_written_counts_from_the_infusion(tmp_path):
    frame = pd.DataFrame({"patient": ["1"], "time": [1], "level": 3, "assay": "flow"})
    day_1 = {"study": {"id": "A", "infusion_day": 1}}
    study = Study.from_frames(samples=frame, settings=day_1)
    path = write_study(study, tmp_path)
    assert tomllib.loads(path.read_text("utf-8"))["study"]["infusion_day"] == 0
    assert read_study(path) == study


@settings(max_examples=10, deadline=None)
@given(
    levels=st.lists(
        st.one_of(
            st.floats(0, 1e12),
            st.sampled_from(["BLQ", "ND", "<3", ">1e13", "", "detected"]),
        ),
        min_size=1,
        max_size=8,
    ),
    word=st.text(st.characters(codec="utf-8"), max_size=8),
    lloq=st.floats(1e-6, 1e6),
)
def test_any_study_survives_writing_and_reading(tmp_path_factory, levels, word, lloq):
    frame = pd.DataFrame(
        {
            "patient": "p" + word,
            "time": np.arange(len(levels)) / 7,
            "level": pd.Series(levels, dtype=object),
            "assay": "flow",
            "visit": word,
        }
    )
    limits = {"limits": {"flow": {"zero": "below", "uloq": 1e13}}}
    said = {"study": {"id": "A", "title": word, "infusion_day": 0}, **limits}
    number = frame["level"].map(lambda level: not isinstance(level, str))
    frame["lloq"] = pd.Series(lloq, index=frame.index).where(number)
    study = Study.from_frames(samples=frame, settings=said)
    folder = tmp_path_factory.mktemp("study")
    assert read_study(write_study(study, folder)) == study
