import pandas as pd
import pytest

from cellpk import Study
from cellpk.study.checks import CHECKS

PATIENTS = pd.DataFrame({"patient": ["1", "2"], "age": [50, 60]})


def samples(*rows, **constant):
    """Make samples of rows (patient, time, level)."""
    frame = pd.DataFrame(rows, columns=["patient", "time", "level"])
    return frame.assign(assay="flow").assign(**constant)


QUIET = samples(("1", 7, 30), ("1", 14, 3), ("2", 7, 200))


def doubts(frame=QUIET, **frames):
    return Study.from_frames(samples=frame, **frames).problems


def test_a_study_in_order_has_no_problems():
    infusions = pd.DataFrame({"patient": ["1", "2"], "time": 0.0})
    assert doubts(patients=PATIENTS, infusions=infusions).empty


def test_every_check_says_in_one_sentence_what_it_looks_for():
    for check in CHECKS:
        assert check.__doc__.startswith("Find ")
        assert check.__doc__.count(".") == 1


@pytest.mark.parametrize(
    ("frame", "severity", "what"),
    [
        (
            samples(("1", 7, "ND"), ("1", 8, "ND"), ("2", 7, 3)),
            "warning",
            "2 samples of flow are reported as 'ND' with no limit stated: "
            "read as below",
        ),
        (
            samples(("1", 7, 3), ("2", 7, 30), lloq=5),
            "note",
            "1 sample of flow is reported as a number beyond a limit: read as below",
        ),
        (
            samples(("1", 7, 30), ("2", 7, 3), lloq=5, state="quantified"),
            "warning",
            "1 sample of flow is called quantified but beyond a limit",
        ),
        (
            samples(("1", -3, "ND"), ("1", -1, "ND"), ("2", 7, 30), lloq=5),
            "note",
            "2 samples of flow stand before the infusion",
        ),
        (
            samples(("1", 0, 30), ("2", 7, 30)),
            "warning",
            "flow is positive at or before the infusion",
        ),
        (
            samples(("1", 7, 30), ("2", 7, 30), excluded=["", "1"], reason="clotted"),
            "warning",
            "1 sample of flow is excluded: clotted",
        ),
        (
            samples(("1", 7, ""), ("1", 9, 3), ("2", 7, 30)),
            "note",
            "1 sample of flow without a result",
        ),
        (
            samples(("1", 19, 3), ("2", 21, 30), nominal_time=[7, 21]),
            "warning",
            "the flow sample of visit day 7 was taken on day 19",
        ),
        (
            samples(("1", 7, 3), ("2", 7, 3)).assign(assay="il6"),
            "warning",
            "study 'study' has no assay of CAR-T cells or transgene",
        ),
        (
            pd.concat([QUIET, samples(("3", 7, 5))]),
            "warning",
            "the patients table does not list this patient, or lists nothing else",
        ),
        (
            pd.concat([samples(("1", 7, 5)), samples(("2", 7, 5), assay="il6")]),
            "warning",
            "no usable sample of the main assay, flow",
        ),
        (samples(("1", 7, 5)), "warning", "no usable sample"),
    ],
)
def test_doubtful_samples_are_told(frame, severity, what):
    found = doubts(frame, patients=PATIENTS)
    told = found[found["what"] == what]
    assert len(told) == 1
    assert told["severity"].tolist() == [severity]
    assert (told["todo"] != "").all()


@pytest.mark.parametrize(
    ("frames", "what"),
    [
        (
            {"infusions": {"patient": ["1", "2"], "time": [0, 1]}},
            "the first infusion is not at time 0",
        ),
        (
            {"infusions": {"patient": ["1"], "time": [0]}},
            "no infusion is listed for 1 patient: 2",
        ),
        (
            {"comedication": {"patient": ["1", "2"], "drug": "anakinra"}},
            "anakinra was given to 2 patients at a time that is not known",
        ),
        (
            {
                "outcomes": {
                    "patient": ["1", "2"],
                    "endpoint": "crs_grade",
                    "value": 1,
                    "time": [-2, 3],
                }
            },
            "'crs_grade' was assessed before the infusion",
        ),
        (
            {"outcomes": {"patient": ["1"], "endpoint": "mrd", "value": "negative"}},
            "'mrd' is missing for 1 of 2 patients: 2",
        ),
    ],
)
def test_doubtful_clinical_data_are_told(frames, what):
    frames = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    assert doubts(**frames)["what"].tolist() == [what]


def test_events_that_may_never_come_are_not_missing():
    rows = {"patient": ["1"], "endpoint": "death", "value": "1", "time": [90]}
    assert doubts(outcomes=pd.DataFrame(rows)).empty


def test_a_late_sample_is_no_doubt_while_it_is_nearest_to_its_own_visit():
    frame = samples(("1", 33, 3), ("2", 60, 30), nominal_time=[28, 60])
    assert doubts(frame).empty


def test_one_sample_is_told_with_its_place_and_many_with_their_file():
    one = doubts(samples(("1", 7, 30), ("1", 9, "ND"), ("2", 7, 3))).iloc[0]
    assert (one["row"], one["patient"], one["value"]) == (3, "1", "ND")
    many = doubts(samples(("1", 7, "ND"), ("1", 9, "ND"), ("2", 7, 3))).iloc[0]
    assert (many["file"], many["patient"]) == ("samples", "")
    assert pd.isna(many["row"])


def test_warnings_come_before_notes():
    found = doubts(samples(("1", -1, "ND"), ("2", 7, "")), patients=PATIENTS)
    assert found["severity"].tolist() == sorted(found["severity"], reverse=True)
    assert set(found["severity"]) == {"warning", "note"}
