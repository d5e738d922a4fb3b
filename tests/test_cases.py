"""Who expanded, who never did, and of whom too little is known."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.cases import classify

LIMIT = 50.0


def study(samples, **tables):
    frame = pd.DataFrame(samples, columns=["patient", "time", "level"])
    frame = frame.assign(assay="qpcr", lloq=LIMIT)
    frame["level"] = frame["level"].map(
        lambda x: f"<{LIMIT:g}" if x < LIMIT else f"{x}"
    )
    return ck.Study.from_frames(frame, **tables)


def only(samples, **tables):
    (case,) = classify(study(samples, **tables), "qpcr")
    return case


def rows(levels, patient="A"):
    return [(patient, time, level) for time, level in levels.items()]


def test_two_quantified_samples_make_an_expanded_patient():
    case = only(rows({7: 0, 14: 500, 28: 80}))
    assert (case.status, case.reason) == ("expanded", "")
    assert list(case.times) == [7, 14, 28]


def test_all_below_in_the_window_of_expansion_is_never_expanded():
    case = only(rows({2: 0, 9: 0, 28: 0}))
    assert case.status == "never_expanded"
    assert "3 samples after infusion (days 2, 9, 28), all below" in case.reason
    assert "between day 7 and day 21" in case.reason


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ({3: 0, 28: 0}, "none was taken between day 7 and day 21"),
        ({7: 0, 13: 700}, "1 quantified sample (day 13): one point"),
        ({-3: 900, 0: 900}, "No sample after infusion."),
    ],
)
def test_too_little_is_said_in_a_sentence(levels, reason):
    case = only(rows(levels))
    assert case.status == "not_evaluable"
    assert reason in case.reason


def test_a_patient_without_samples_of_the_assay_is_a_case_too():
    patients = pd.DataFrame({"patient": ["A", "B"]})
    with_b = study(rows({7: 100, 14: 900}), patients=patients)
    _, missing = classify(with_b, "qpcr")
    assert (missing.patient, missing.status) == ("B", "not_evaluable")
    assert missing.reason == "No sample of this assay."
    assert missing.times.size == 0


def test_samples_until_infusion_are_not_used():
    case = only(rows({-5: 0, 0: 90, 7: 100, 14: 900}))
    assert list(case.times) == [7, 14]
    left_out = case.samples.set_index("time")["left_out"]
    assert left_out[0.0] == left_out[-5.0] == "not after infusion"


def test_samples_after_a_second_infusion_are_not_used():
    infusions = pd.DataFrame(
        {"patient": "A", "time": [0, 20], "dose": 1e8, "unit": "cells"}
    )
    case = only(rows({7: 100, 14: 900, 28: 4000}), infusions=infusions)
    assert list(case.times) == [7, 14]
    assert "later infusion" in case.samples["left_out"].iloc[-1]


def test_specimens_are_not_pooled():
    frame = pd.DataFrame(
        rows({7: 100, 14: 900, 21: 300}) + rows({15: 9e5}),
        columns=["patient", "time", "level"],
    )
    frame = frame.assign(assay="qpcr", specimen=["blood"] * 3 + ["marrow"], lloq=50)
    (case,) = classify(ck.Study.from_frames(frame), "qpcr")
    assert list(case.times) == [7, 14, 21]
    assert len(case.after_infusion) == 3


def test_below_an_unknown_limit_counts_for_the_class_but_not_for_the_fit():
    settings = {
        "study": {"id": "T", "infusion_day": 0},
        "limits": {"flow": {"zero": "below"}},
    }
    frame = pd.DataFrame(
        {
            "patient": list("AAAABB"),
            "time": [7, 14, 21, 28, 14, 21],
            "level": [0, 30, 20, 10, 0, 0],
            "assay": "flow",
        }
    )
    some, none = classify(ck.Study.from_frames(frame, settings=settings), "flow")
    assert some.status == "expanded"
    assert list(some.times) == [14, 21, 28]
    assert some.count("below") == 1
    assert none.status == "never_expanded"


def test_an_unknown_limit_is_never_replaced_by_a_number():
    said = only(rows({7: 0, 14: 500, 28: 80})).said
    assert np.isneginf(said.low[0])
    assert said.high[0] == pytest.approx(np.log(LIMIT))
