"""Patients in groups: by a column, by several, or as the user says."""

import pandas as pd
import pytest

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.grouping import grouping


@pytest.fixture(scope="module")
def study():
    patients = pd.DataFrame({"patient": list("abcdef")})
    patients["dose"] = [10, 2, 2, 10, 2, None]
    patients["sex"] = ["F", "F", "M", "M", "M", "F"]
    patients["age"] = [40, 50, 60, 70, 80, 90]
    samples = patients[["patient"]].assign(time=7.0, level=9.0, assay="flow")
    return ck.Study.from_frames(samples, patients=patients)


def test_columns_can_be_crossed(study):
    groups = grouping(study, ["dose", "sex"])
    assert groups.names == ("2, F", "2, M", "10, F", "10, M")
    assert groups.sizes == {"2, F": 1, "2, M": 2, "10, F": 1, "10, M": 1}
    assert groups.ungrouped == ("f",)
    assert (groups.by, groups.label) == ("dose_and_sex", "Dose, sex")


def test_one_column_in_a_list_is_the_column(study):
    assert grouping(study, ["sex"]).names == grouping(study, "sex").names
    assert grouping(study, []).names == ("All patients",)


def test_a_cut_of_a_covariate_keeps_its_order(study):
    age = study.patients.set_index("patient")["age"]
    cut = pd.qcut(age, 2, labels=["younger", "older"]).rename("Age group")
    groups = grouping(study, cut)
    assert groups.names == ("younger", "older")
    assert groups.of["a"] == "younger"
    assert (groups.by, groups.label) == ("age_group", "Age group")
    table = ck.tables.kinetics(ck.nca(study), study, by=cut)
    assert table.name == "kinetics_flow_by_age_group"
    sizes = table.frame.query("metric == 'cmax'").set_index("group")["n"]
    assert sizes["Total"] == 0  # one sample each is not evaluable


def test_a_mapping_says_the_group_of_whom_it_names(study):
    groups = grouping(study, {"a": "early", "b": "late"})
    assert groups.names == ("early", "late")
    assert len(groups.ungrouped) == 4


def test_groups_of_strangers_and_of_patients_twice_are_refused(study):
    with pytest.raises(ck.DataError, match="whom the study does not have"):
        grouping(study, {"a": "early", "z": "late"})
    with pytest.raises(ck.DataError, match="a patient has two groups"):
        grouping(study, pd.Series(["x", "y"], index=["a", "a"]))


def test_what_is_no_grouping_is_refused(study):
    for wrong in (3, ["dose_level", 3]):
        with pytest.raises(DataError, match="nothing to group the patients by"):
            grouping(study, wrong)


def test_a_long_label_is_left_out_of_the_titles_of_groups(study):
    cut = pd.qcut(study.patients.set_index("patient")["age"], 2)
    named = grouping(study, cut.rename("age at the day of infusion, years"))
    assert named.title(named.names[0]) == named.names[0]
    assert grouping(study, "sex").title("F") == "Sex: F"
