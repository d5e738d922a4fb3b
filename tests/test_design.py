"""A design: what it takes, and what it refuses."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import cellpk as ck


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def idecel():
    return ck.load_model("singh_2021_idecel")


def test_days_are_put_in_order():
    assert ck.Design([28, 0, 7]).days == (0.0, 7.0, 28.0)
    assert ck.Design(np.arange(3)).days == (0.0, 1.0, 2.0)


@pytest.mark.parametrize("days", [[], [-1, 7], [7, 7], [7, np.nan], [np.inf], 7, ["x"]])
def test_impossible_days_are_refused_with_their_values(days):
    with pytest.raises(ck.ModelError, match="the days of every assay are"):
        ck.Design(days)


def test_days_of_one_assay_are_refused_by_its_name():
    with pytest.raises(ck.ModelError, match="the days of flow are"):
        ck.Design({"qpcr": [7], "flow": []})


@pytest.mark.parametrize("name", ["lloq", "llod", "uloq"])
@pytest.mark.parametrize("value", [0, -5, np.inf, "x", {"qpcr": -1}])
def test_a_limit_is_a_positive_number(name, value):
    with pytest.raises(ck.ModelError, match=name):
        ck.Design([7], **{name: value})


@pytest.mark.parametrize("name", ["dropout", "jitter"])
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "x", None])
def test_dropout_and_jitter_are_not_negative(name, value):
    with pytest.raises(ck.ModelError, match=name):
        ck.Design([7], **{name: value})


def test_limits_stand_in_order(stein):
    with pytest.raises(ck.ModelError, match="llod of qpcr is 60 and lloq is 50"):
        ck.Design([7], lloq=50, llod=60).planned(stein)
    with pytest.raises(ck.ModelError, match="llod of qpcr is 60 and lloq is nan"):
        ck.Design([7], llod=60).planned(stein)
    with pytest.raises(ck.ModelError, match="lloq of qpcr is 50 and uloq is 40"):
        ck.Design([7], lloq=50, uloq=40).planned(stein)


def test_without_names_all_assays_of_the_model_are_measured(idecel):
    plans = ck.Design([7, 14]).planned(idecel)
    assert [plan.row.name for plan in plans] == list(idecel.observed)
    assert all(plan.days.tolist() == [7, 14] for plan in plans)
    assert all(np.isnan(plan.limits["lloq"]) for plan in plans)


def test_each_assay_can_have_its_own_days_and_limits(idecel):
    days, lloq = {"flow": [14], "qpcr": [7, 14]}, {"flow": 1, "qpcr": 50}
    flow, qpcr = ck.Design(days, lloq=lloq, uloq={"flow": 900}).planned(idecel)
    assert (flow.row.name, flow.days.tolist()) == ("flow", [14])
    assert (flow.limits["lloq"], flow.limits["uloq"]) == (1, 900)
    assert (qpcr.row.name, qpcr.days.tolist()) == ("qpcr", [7, 14])
    assert qpcr.limits["lloq"] == 50
    assert np.isnan(qpcr.limits["uloq"])


def test_named_assays_are_chosen_once_and_in_the_order_named(idecel):
    plans = ck.Design([7], assays=["flow", "qpcr", "flow"]).planned(idecel)
    assert [plan.row.name for plan in plans] == ["flow", "qpcr"]
    assert [p.row.name for p in ck.Design([7], assays="flow").planned(idecel)] == [
        "flow"
    ]


def test_an_assay_that_the_model_does_not_observe_is_refused(stein):
    for design in (
        ck.Design({"qpcrr": [7]}),
        ck.Design([7], assays=["qpcrr"]),
        ck.Design([7], lloq={"qpcrr": 50}),
    ):
        with pytest.raises(ck.ModelError, match="Did you mean 'qpcr'"):
            design.planned(stein)


def test_an_assay_without_days_is_refused(idecel):
    with pytest.raises(ck.ModelError, match="'flow' has no days"):
        ck.Design({"qpcr": [7]}, assays=["flow"]).planned(idecel)


def test_one_limit_does_not_serve_assays_in_different_units(idecel):
    with pytest.raises(ck.ModelError, match="lloq = 50 is given once") as error:
        ck.Design([7], assays=["qpcr", "flow"], lloq=50).planned(idecel)
    assert "cells/uL, copies/ug" in str(error.value)
    assert "lloq={'qpcr': 50}" in str(error.value)


def test_nothing_changes_a_design():
    with pytest.raises(FrozenInstanceError):
        ck.Design([7]).jitter = 1.0
