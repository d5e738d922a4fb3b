import pandas as pd
import pytest

import cellpk as ck
from cellpk.outcomes import cautions
from cellpk.outcomes.endpoints import ENDPOINTS

CRS, RESPONSE = ENDPOINTS["crs_grade_2"], ENDPOINTS["response"]
MIXED = [False, True, False, True]


def data(levels, events, censored=()):
    level = pd.Series(levels, dtype=float)
    frame = pd.DataFrame({"exposure": level, "low": level, "high": level})
    for row in censored:
        frame.loc[row, ["exposure", "low"]] = [None, 0.0]
    return frame.assign(event=events)


def study(outcomes):
    samples = pd.DataFrame(
        {
            "patient": ["1", "1", "2", "2", "3", "3"],
            "time": [7.0, 14.0] * 3,
            "level": [9.0, 90.0, 90.0, 9.0, 9.0, 90.0],
            "assay": "flow",
        }
    )
    columns = ["patient", "endpoint", "value", "time"]
    frame = pd.DataFrame(outcomes, columns=columns)
    return ck.Study.from_frames(samples=samples, outcomes=frame)


def order(outcomes, endpoint=CRS):
    one = study(outcomes)
    return cautions.of_order(ck.nca(one), one, endpoint, assay="flow")


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([True, True, True], "All 3 patients have the event"),
        ([False, False, False], "None of 3 patients has the event"),
        ([False, True, True], "Exposure separates patients"),
        ([True, True, False], "Exposure separates patients"),
    ],
)
def test_one_class_and_separation_are_said_first(events, said):
    first, *_ = cautions.of_information(data([1, 2, 3], events), 0.9)
    assert first.startswith(said)


def test_ordinary_data_need_no_sentence():
    assert cautions.of_information(data([1, 2, 3, 4], MIXED), 0.9) == ()


def test_a_censored_patient_whose_range_reaches_over_another_does_not_separate():
    events = [False, True, True]
    assert cautions.separated(data([5, 10, 20], events, censored=[0]))
    assert not cautions.separated(data([50, 10, 20], events, censored=[0]))


@pytest.mark.parametrize(("contraction", "said"), [(0.29, True), (0.31, False)])
def test_data_that_do_not_inform_the_slope_are_called_so(contraction, said):
    sentences = cautions.of_information(data([1, 2, 3, 4], MIXED), contraction)
    assert any("do not inform the slope" in s for s in sentences) is said


def test_onsets_before_the_peak_are_counted():
    outcomes = [("1", "crs_grade", "2", 5.0), ("2", "crs_grade", "1", 9.0)]
    outcomes += [("3", "crs_grade", "0", None)]
    assert "before Tmax in 1 of 2 patients" in order(outcomes)[0]


def test_the_first_of_several_episodes_is_the_onset():
    outcomes = [("1", "crs_grade", "1", 5.0), ("1", "crs_grade", "2", 20.0)]
    assert "before Tmax in 1 of 1 patients" in order(outcomes)[0]


def test_without_days_of_onset_an_association_is_all_there_is():
    assert "days of onset are not known" in order([("1", "crs_grade", "2", None)])[0]


def test_a_response_needs_no_order_in_time():
    assert order([("1", "best_response", "CR", 28.0)], endpoint=RESPONSE) == ()


def test_patients_not_evaluable_for_response_are_counted():
    outcomes = [("1", "best_response", "NE", 28.0), ("2", "best_response", "CR", 28.0)]
    one = study(outcomes)
    said = cautions.of_missing_assessments(one, RESPONSE, ["1", "2"])
    assert said == ("1 with best response NE (not evaluable) count as without it.",)
    assert cautions.of_missing_assessments(one, RESPONSE, ["2"]) == ()
    assert cautions.of_missing_assessments(one, CRS, ["1", "2"]) == ()


def test_what_became_of_patients_without_exposure_is_said():
    one = study(
        [("1", "best_response", "PD", 28.0), ("2", "best_response", "CR", 28.0)]
    )
    (said,) = cautions.of_left_out(one, RESPONSE, ["1", "2", "3"])
    assert "2 patients with a known outcome, 1 of them with the event" in said
    assert cautions.of_left_out(one, RESPONSE, ["3"]) == ()
