import dataclasses

import numpy as np
import pandas as pd
import pytest

from cellpk import DataError, Study
from cellpk.study.columns import COLUMNS, empty

SAMPLES = pd.DataFrame(
    {
        "patient": ["2", "1", "1", "1", "2"],
        "time": [7, 14, 7, 7, 7],
        "level": ["<50", "2e4", "310", "12.5", ""],
        "assay": ["qpcr", "qpcr", "qpcr", "il6", "flow"],
    }
)


@pytest.fixture
def study():
    return Study.from_frames(samples=SAMPLES)


@pytest.mark.parametrize("table", COLUMNS)
def test_tables_keep_the_contract_of_columns_and_types(study, table):
    kinds = {name: str(kind) for name, kind in getattr(study, table).dtypes.items()}
    assert kinds == dict(COLUMNS[table])
    assert list(empty(table).dtypes.astype(str)) == list(COLUMNS[table].values())


def test_samples_are_sorted_by_patient_assay_specimen_and_time(study):
    samples = study.samples
    assert samples["patient"].tolist() == ["1", "1", "1", "2", "2"]
    assert samples["assay"].tolist() == ["il6", "qpcr", "qpcr", "flow", "qpcr"]
    assert samples["row"].tolist() == [5, 4, 3, 6, 2]
    assert set(samples["file"]) == {"samples"}


def test_the_repr_tells_patients_samples_and_days(study):
    assert repr(study) == (
        "Study study: 2 patients, 3 qpcr samples (1 below), 0 flow samples, "
        "1 il6 samples, days 7 to 14"
    )
    assert "3 qpcr samples (1 below)" in study._repr_html_()


def test_html_escapes_what_the_files_say():
    settings = {"study": {"id": "A", "title": "<script>", "infusion_day": 0}}
    study = Study.from_frames(samples=SAMPLES, settings=settings)
    assert "<script>" not in study._repr_html_()


def test_assays_come_in_the_order_of_the_list_of_assays(study):
    assert study.assays == ("qpcr", "flow", "il6")
    assert study.kinetic_assays == ("qpcr", "flow")
    assert study.main_assay == "qpcr"
    assert study.unit("il6") == "pg/mL"


def test_the_main_assay_can_be_chosen_and_must_be_there():
    analysis = {"study": {"id": "A", "infusion_day": 0}, "analysis": {"assay": "flow"}}
    assert Study.from_frames(samples=SAMPLES, settings=analysis).main_assay == "flow"
    analysis["analysis"]["assay"] = "ddpcr"
    with pytest.raises(DataError, match=r"value 'ddpcr'(.|\n)*Did you mean 'qpcr'"):
        Study.from_frames(samples=SAMPLES, settings=analysis)


def test_every_delivered_row_is_used_missing_or_excluded():
    frame = pd.concat([SAMPLES, SAMPLES.iloc[[1]]], ignore_index=True)
    study = Study.from_frames(samples=frame.assign(lloq=100))
    counts = study.counts
    assert counts["samples"] == len(frame)
    assert counts["used"] + counts["missing"] + counts["excluded"] == len(frame)
    states = ("quantified", "detected", "below", "above")
    assert counts["used"] == sum(counts[state] for state in states)
    assert counts["excluded"] == (study.samples["reason"] != "").sum() == 1


def test_select_gives_the_usable_samples_of_one_assay(study):
    assert study.select("qpcr")["time"].tolist() == [7, 14, 7]
    assert study.select("flow").empty
    with pytest.raises(DataError, match="Did you mean 'qpcr'"):
        study.select("qpcrr")


def test_nobody_can_change_a_study(study):
    samples = study.samples
    samples.loc[0, "level"] = -1
    samples["new"] = 3
    assert study == Study.from_frames(samples=SAMPLES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.settings = None


def test_what_is_changed_in_the_users_frame_later_does_not_matter():
    frame = SAMPLES.copy()
    study = Study.from_frames(samples=frame)
    frame.loc[1, "level"] = "7"
    assert study == Study.from_frames(samples=SAMPLES)


def test_studies_are_equal_if_their_tables_are(study):
    again = Study.from_frames(samples=SAMPLES.iloc[::-1])
    assert again == study
    assert hash(again) == hash(study)
    assert study != Study.from_frames(samples=SAMPLES.assign(visit="x"))
    assert study != "study"


@pytest.mark.parametrize(
    ("day", "unit_times", "expected"),
    [(0, [-1, 0, 1, 8], [-1, 0, 1, 8]), (1, [-1, 1, 2, 8], [-1, 0, 1, 7])],
)
def test_days_count_from_the_infusion_whatever_it_is_called(day, unit_times, expected):
    frame = pd.DataFrame(
        {"patient": "1", "time": unit_times, "nominal_time": unit_times, "level": 3}
    )
    settings = {"study": {"id": "A", "infusion_day": day}}
    study = Study.from_frames(samples=frame.assign(assay="flow"), settings=settings)
    assert study.samples["time"].tolist() == expected
    assert study.samples["nominal_time"].tolist() == expected


@pytest.mark.parametrize("time", [0, 0.5])
def test_there_is_no_day_0_where_the_infusion_day_is_day_1(time):
    frame = pd.DataFrame({"patient": ["1"], "time": time, "level": 3, "assay": "flow"})
    settings = {"study": {"id": "A", "infusion_day": 1}}
    with pytest.raises(DataError, match="there is no day 0"):
        Study.from_frames(samples=frame, settings=settings)


def test_everything_impossible_in_all_frames_is_told_at_once():
    frame = SAMPLES.assign(level=["-1", "x", "3", "4", "5"])
    with pytest.raises(DataError) as caught:
        Study.from_frames(
            samples=frame,
            patients=pd.DataFrame({"patient": ["1", "1"]}),
            infusions=pd.DataFrame({"patient": ["1"], "dose": [-3]}),
            outcomes=pd.DataFrame({"patient": ["1"], "endpoint": "mrd", "value": "?"}),
        )
    files = [problem.file for problem in caught.value.problems]
    assert files == ["samples", "samples", "patients", "infusions", "outcomes"]
    assert "5 problems" in str(caught.value)


def test_a_study_without_samples_is_refused():
    with pytest.raises(DataError, match="no samples"):
        Study.from_frames(samples=SAMPLES.iloc[:0])


def test_columns_of_the_same_name_are_refused():
    frame = pd.concat([SAMPLES, SAMPLES[["level"]]], axis=1)
    with pytest.raises(DataError, match="the same name"):
        Study.from_frames(samples=frame)


def test_missing_columns_are_filled():
    sample = Study.from_frames(samples=SAMPLES).samples.iloc[0]
    assert sample["unit"] == "pg/mL"
    assert sample["visit"] == sample["specimen"] == sample["reason"] == ""
    assert np.isnan(sample["nominal_time"])
    assert not sample["excluded"]


def test_units_of_covariates_can_be_stated():
    settings = {"study": {"id": "A", "infusion_day": 0}, "units": {"blasts": "%"}}
    assert Study.from_frames(samples=SAMPLES, settings=settings).unit("blasts") == "%"
