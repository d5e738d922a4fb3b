import pandas as pd
import pytest

import cellpk as ck
from cellpk.outcomes.endpoints import (
    ENDPOINTS,
    endpoint_values,
    find_endpoint,
    missing_reason,
)
from cellpk.study.assessments import ASSESSMENTS


def study(records, patients="1234"):
    samples = pd.DataFrame(
        {"patient": list(patients), "time": 7.0, "level": 90.0, "assay": "flow"}
    )
    columns = ["patient", "endpoint", "value", "time"]
    outcomes = pd.DataFrame(records, columns=columns)
    return ck.Study.from_frames(samples=samples, outcomes=outcomes)


def recordable(kind):
    return vars(ASSESSMENTS[kind])["values"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_endpoint_reads_values_that_can_be_recorded(name):
    endpoint = ENDPOINTS[name]
    possible = recordable(endpoint.source_endpoint)
    assert endpoint.name == name
    assert set(endpoint.success) < set(possible)
    assert endpoint.rule.startswith(endpoint.label)


@pytest.mark.parametrize(
    ("name", "successes"),
    [
        ("response", {"sCR", "CR", "VGPR", "PR"}),
        ("complete_response", {"sCR", "CR"}),
        ("vgpr_or_better", {"sCR", "CR", "VGPR"}),
    ],
)
def test_responses_count_from_their_depth_up(name, successes):
    values = recordable("best_response")
    records = [(v, "best_response", v, None) for v in values]
    reached = endpoint_values(study(records, patients=values), name)
    assert set(reached.index[reached]) == successes
    assert reached.notna().all()


def test_a_patient_who_could_not_be_evaluated_is_no_responder():
    reached = endpoint_values(study([("1", "best_response", "NE", 28)]), "response")
    assert reached["1"] is False or not reached["1"]
    assert pd.notna(reached["1"])


def test_a_patient_without_a_record_is_unknown_and_not_a_failure():
    reached = endpoint_values(study([("1", "best_response", "CR", 28)]), "response")
    assert reached.isna().tolist() == [False, True, True, True]
    assert missing_reason("response") == "No best_response is recorded."


def test_the_worst_of_several_grades_counts():
    records = [("1", "crs_grade", "1", 3), ("1", "crs_grade", "3", 9)]
    records += [("2", "crs_grade", "1", 3), ("3", "crs_grade", "0", None)]
    grades = study(records)
    worst = {
        name: endpoint_values(grades, name) for name in ("crs_grade_2", "crs_grade_3")
    }
    for reached in worst.values():
        assert reached.tolist()[:3] == [True, False, False]
        assert pd.isna(reached["4"])


def test_negative_once_is_negative():
    records = [("1", "mrd", "positive", 28), ("1", "mrd", "negative", 60)]
    reached = endpoint_values(
        study([*records, ("2", "mrd", "positive", 28)]), "mrd_negative"
    )
    assert reached.tolist()[:2] == [True, False]


def test_all_patients_of_the_study_are_listed_in_order():
    reached = endpoint_values(study([("3", "dlt", "1", 5)]), "dlt")
    assert reached.index.tolist() == ["1", "2", "3", "4"]
    assert str(reached.dtype) == "boolean"


def test_an_unknown_endpoint_is_answered_with_the_nearest():
    with pytest.raises(ck.FitError, match=r"'respons' is not an endpoint.*'response'"):
        find_endpoint("respons")
