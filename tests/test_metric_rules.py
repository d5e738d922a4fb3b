"""Rules of the metrics: how they are set, and that each changes what it says."""

import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.rules_in_words import in_words
from cellpk.study.config import settings_of
from cellpk.study.metric_rules import CONVENTIONS, Rules, rules_with

STUDY = {"id": "T", "infusion_day": 0}
ROWS = [("A", 2, "<5"), ("A", 7, 40), ("A", 10, "<5"), ("A", 14, 90), ("A", 21, 30)]
ROWS += [("A", 28, 20), ("A", 35, 9), ("A", 38, "<5")]


def study(rows=ROWS, **settings):
    frame = pd.DataFrame(rows, columns=["patient", "time", "level"]).assign(
        assay="flow"
    )
    return ck.Study.from_frames(frame, settings={"study": STUDY, **settings})


CHANGES = {
    "convention": {"convention": "pknca"},
    "auc_rule": {"auc_rule": "linear"},
    "below": {"below": {"middle": "half"}},
    "at_zero": {"at_zero": "missing"},
    "baseline": {"baseline": "at_zero"},
    "beyond": {"beyond": "last"},
    "auc_coverage": {"auc_coverage": 0.5},
    "infinity": {"infinity": True},
    "all_below": {"all_below": "zero"},
    "cmax_window": {"cmax_window": (0, 12)},
    "second_peak_fold": {"second_peak_fold": 9.5},
    "early_peak": {"early_peak": 15},
    "before_infusion_share": {"before_infusion_share": 0.5},
    "lambda_z_points": {"lambda_z_points": 4},
    "lambda_z_r2adj": {"lambda_z_r2adj": 0.9999},
    "lambda_z_span": {"lambda_z_span": 5},
    "lambda_z_tolerance": {"lambda_z_tolerance": 1.0},
    "lambda_z_among": {"lambda_z_among": "falling"},
    "lambda_z_peak": {"lambda_z_peak": True},
    "lambda_z_below": {"lambda_z_below": "censored"},
    "lambda_z_times": {"lambda_z_times": {"flow": {"A": [21, 28]}}},
    "lambda_z_without": {"lambda_z_without": {"flow": {"A": [28]}}},
    "expansion_points": {"expansion_points": 4},
    "expansion_r2adj": {"expansion_r2adj": 0.9999},
    "areas": {"areas": [(7, 28)]},
    "above": {"above": {"flow": 20}},
    "visits": {"visits": {"d14": (14, 3)}},
    "reinfusion": {"reinfusion": "keep"},
    "split_dose_days": {"split_dose_days": 30},
    "cut_at": {"cut_at": ["third_car"]},
}
LOOSE = {"lambda_z_r2adj": "any", "lambda_z_span": 0.5, "lambda_z_tolerance": 0}


def awkward():
    rows = [*ROWS, *(("B", t, "<5") for t in (7, 14, 21, 28))]
    rows += [("C", 14, 90), ("C", 15, 80), ("C", 17, 90.5)]
    rows += [("C", 21, 9), ("C", 28, 60), ("C", 36, 30), ("C", 50, 8)]
    rows += [("D", -3, 6), ("D", 2, 6), ("D", 4, 20), ("D", 7, 90), ("D", 16, 30)]
    rows += [("E", 7, 90), ("E", 14, 80), ("E", 21, 70), ("E", 28, 10), ("E", 30, 15)]
    rows += [("E", 36, 30), ("F", 7, 90), ("F", 14, 30), ("F", 21, 20), ("F", 28, 14)]
    rows += [("F", 35, 9), ("G", 7, 90), ("G", 14, 50), ("G", 21, 40), ("G", 28, 30)]
    samples = pd.DataFrame(rows, columns=["patient", "time", "level"])
    infusions = [(p, 0.0) for p in "ABCDEFG"] + [("F", 20.0)]
    given = pd.DataFrame({"patient": ["G"], "drug": ["Other CAR-T"], "time": [20.0]})
    return ck.Study.from_frames(
        samples.assign(assay="flow"),
        infusions=pd.DataFrame(infusions, columns=["patient", "time"]),
        comedication=given,
        settings={"study": STUDY, "metrics": LOOSE},
    )


@pytest.fixture(scope="module")
def several():
    return awkward()


def test_every_rule_has_a_case():
    assert set(CHANGES) == set(Rules.model_fields)


@pytest.mark.parametrize("rule", CHANGES)
def test_every_rule_changes_what_it_says(several, rule):
    before, after = ck.nca(several), ck.nca(several, **CHANGES[rule])
    assert not before.table.equals(after.table)


@pytest.mark.parametrize("rule", sorted(set(CHANGES) - {"areas", "visits", "above"}))
def test_every_rule_is_told_in_a_footnote(rule):
    changed = rules_with(Rules(), CHANGES[rule])
    assert in_words(changed) != in_words(Rules())


def test_rules_of_the_study_hold_until_others_are_given():
    data = study(metrics={"auc_rule": "linear", "infinity": True})
    metrics = ck.nca(data)
    assert "linear trapezoidal" in " ".join(metrics.rules)
    assert "auc_inf_obs" in metrics.table
    assert ck.nca(data, infinity=False).settings.auc_rule == "linear"
    assert ck.nca(data, convention="pknca").settings.auc_rule == "linear_up_log_down"


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_convention_is_said_and_read_back_as_it_was(convention):
    rules = Rules(convention=convention, infinity=True)
    resolved = settings_of({"study": STUDY, "metrics": rules}).resolved()
    assert settings_of(resolved).metrics == rules
    assert rules_with(rules, {}) == rules


def test_all_wrong_rules_are_named_at_once():
    wrong = {"auc_rul": "linear", "beyond": "never", "areas": [(28, 7)]}
    wrong |= {"below": {"middl": "zero"}, "visits": {"day 28": (28, 7)}}
    with pytest.raises(ck.DataError) as error:
        ck.nca(study(), **wrong)
    text = str(error.value)
    assert "Did you mean 'auc_rule'?" in text
    assert "Did you mean 'middle'?" in text
    assert "28 to 7 ends before it begins" in text
    assert "visit 'day 28' is no name" in text
    assert "column beyond, value 'never'" in text


def test_rules_that_name_what_the_study_has_not_are_refused_together():
    rules = {"above": {"flw": 20}, "lambda_z_without": {"flow": {"AA": [28]}}}
    with pytest.raises(ck.DataError) as error:
        ck.nca(study(), **rules)
    assert "column above, value 'flw'" in str(error.value)
    assert "column lambda_z_without, value 'AA'" in str(error.value)


def test_points_by_hand_must_be_quantified_samples():
    with pytest.raises(ck.DataError) as error:
        ck.nca(study(), lambda_z_times={"flow": {"A": [28, 29, 60]}})
    assert "2 problems" in str(error.value)
    assert "patient A, column lambda_z_times, value '29'" in str(error.value)
    assert "value '60'" in str(error.value)


def test_a_slope_by_hand_is_noted():
    row = ck.nca(study(), lambda_z_times={"flow": {"A": [21, 28]}}).table.iloc[0]
    assert row["notes"] == "by_hand"
    assert row[["lambda_z_start", "lambda_z_end"]].tolist() == [21, 28]


def test_below_may_be_a_number_of_the_unit():
    data = study([("A", 7, 40), ("A", 14, "<5"), ("A", 21, 40)])
    found = ck.nca(data, below={"middle": 4}, auc_rule="linear").table["auc_last"]
    assert found.tolist() == [7 * 20 + 7 * 22 + 7 * 22]


@pytest.mark.parametrize(
    ("wrong", "offer"),
    [
        ({"below": "pkna"}, "Did you mean 'pknca'?"),
        ({"below": {"first": "zer"}}, "Did you mean 'zero'?"),
        ({"cmax_window": "al"}, "Did you mean 'all'?"),
        ({"lambda_z_r2adj": "none"}, "Use one of: 'any'"),
    ],
)
def test_a_word_that_is_misspelled_has_the_nearest_one_offered(wrong, offer):
    with pytest.raises(ck.DataError) as error:
        rules_with(Rules(), wrong)
    assert next(iter(wrong)) in str(error.value)
    assert offer in str(error.value)


def test_a_sample_cannot_be_chosen_and_left_out():
    points = {"flow": {"A": [21, 28]}}
    with pytest.raises(ck.DataError, match="both name day 28 of patient 'A'"):
        ck.nca(
            study(), lambda_z_times=points, lambda_z_without={"flow": {"A": [28, 35]}}
        )


def test_a_visit_has_a_name():
    with pytest.raises(ck.DataError, match="no name of letters"):
        rules_with(Rules(), {"visits": {"": (28, 7)}})


def test_which_therapies_end_the_samples_is_told_as_it_is():
    assert "nor those after another cell therapy." in " ".join(in_words(Rules()))
    kept = " ".join(in_words(Rules(reinfusion="keep", cut_at=("allo_hsct",))))
    assert "used as all others; those after allo hsct are not." in kept
    none = " ".join(in_words(Rules(cut_at=())))
    assert "after the first are not used." in none
    assert "therapy" not in none
