"""What the metrics say of profiles that rules seldom think of; all worked by hand."""

from math import log

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.errors import DataError
from cellpk.kinetics.metrics import REASONS

NAN = float("nan")


def study(times, levels, *, infusions=None, outcomes=None, **constant):
    """Make a study of patient A; flow with limit 5 unless said."""
    samples = pd.DataFrame({"time": times, "level": levels})
    samples = samples.assign(patient="A", assay="flow", lloq=5.0)
    frames = {"samples": samples.assign(**constant)}
    if infusions is not None:
        infused = pd.DataFrame({"time": infusions})
        frames["infusions"] = infused.assign(patient="A", dose=1e8, unit="cells")
    if outcomes is not None:
        frames["outcomes"] = pd.DataFrame(outcomes)
    return ck.Study.from_frames(**frames)


def analysed(*args, rules=None, **frames):
    """Return the row of patient A, and the reasons."""
    metrics = ck.nca(study(*args, **frames), **(rules or {}))
    return metrics.table.iloc[0], metrics.reasons.iloc[0]


def falling(first, second, days):
    """Return the area where a level falls exponentially."""
    return (first - second) / log(first / second) * days


# Ties ------------------------------------------------------------------------------


def test_of_two_equal_peaks_the_first_is_tmax():
    row, _ = analysed([7, 14, 21, 28, 35], [80, 80, 40, 20, 10])
    assert (row["cmax"], row["tmax"]) == (80, 7)
    # The slope begins after the first peak: of ln 80, ln 40, ln 20, ln 10 the line
    # through the last three and the one through all four fit alike.
    assert row["lambda_z_points"] == 4
    assert row["lambda_z"] == pytest.approx(log(2) / 7)


def test_equal_neighbours_have_a_rectangle_between_them_under_every_rule():
    for rule in ("linear", "linear_up_log_down", "linear_log"):
        row, _ = analysed([0, 7, 14], ["<5", 80, 80], rules={"auc_rule": rule})
        assert row["auc_last"] == 7 * 80 / 2 + 7 * 80


def test_a_flat_end_has_no_terminal_slope():
    row, reasons = analysed([7, 14, 21, 28], [80, 80, 80, 80])
    assert np.isnan(row["lambda_z"])
    assert reasons["lambda_z"] == "not_falling"
    assert row["auc_last"] == 7 * 80 / 2 + 21 * 80


def test_equal_levels_at_the_end_are_no_fit_but_may_be_part_of_one():
    times, levels = [7, 14, 21, 28, 35], [90, 80, 40, 40, 40]
    rules = {"lambda_z_r2adj": "any", "lambda_z_span": 0}
    row, _ = analysed(times, levels, rules=rules)
    # Least squares by hand: x -1.5..1.5 weeks about 24.5 d, ln 80 above three ln 40.
    assert row["lambda_z"] == pytest.approx(1.5 * log(2) / 5 / 7)
    assert row["lambda_z_points"] == 4
    _, reasons = analysed(times, levels)
    assert reasons["lambda_z"] == "poor_fit"


# Missing levels --------------------------------------------------------------------


def test_a_missing_level_is_as_if_the_sample_had_not_been_taken():
    with_gap, _ = analysed([7, 14, 28], [80, NAN, 40])
    without, _ = analysed([7, 28], [80, 40])
    counted = ["n_samples", "cmax", "tmax", "auc_last", "auc_all", "auc_0_28"]
    assert with_gap[counted].tolist() == without[counted].tolist()
    assert with_gap["auc_last"] == pytest.approx(280 + falling(80, 40, 21))


def test_a_patient_with_missing_levels_only_has_no_sample():
    row, reasons = analysed([7, 14], [NAN, NAN])
    told = [name for name in reasons.index if reasons[name] in REASONS]
    assert {"cmax", "auc_last", "auc_0_28", "lambda_z", "t_bql"} <= set(told)
    assert set(reasons[told]) <= {"no_sample", "no_level_given"}
    assert row[told].isna().all()


# Nothing quantifiable --------------------------------------------------------------


def test_all_below_has_a_cmax_of_0_and_areas_to_a_day_of_0():
    row, reasons = analysed([0, 7, 14, 28], ["<5"] * 4)
    assert row[["cmax", "auc_0_7", "auc_0_28"]].tolist() == [0, 0, 0]
    unknown = ["tmax", "c_last", "t_last", "t_bql", "auc_last", "auc_all", "lambda_z"]
    assert row[unknown].isna().all()
    assert set(reasons[unknown]) == {"no_quantifiable"}
    assert row["n_below"] == 4


@pytest.mark.parametrize("convention", ["pknca", "winnonlin"])
def test_all_below_has_an_auclast_of_0_where_other_programs_say_so(convention):
    row, reasons = analysed(
        [0, 7, 14, 28],
        ["<5"] * 4,
        rules={"convention": convention, "infinity": True},
    )
    assert row[["cmax", "auc_last", "auc_all"]].tolist() == [0, 0, 0]
    assert reasons["tmax"] == reasons["lambda_z"] == "no_quantifiable"
    assert np.isnan(row["auc_inf_obs"])


# One and two samples ---------------------------------------------------------------


def test_one_sample_is_peak_and_last_and_its_area_is_a_triangle():
    row, reasons = analysed([14], [80])
    expected = {"cmax": 80, "tmax": 14, "c_last": 80, "t_last": 14, "auc_last": 560}
    assert row[list(expected)].to_dict() == expected
    assert row["t_last_censored"] == 1
    assert reasons[["lambda_z", "expansion_rate", "t_bql", "auc_0_28"]].tolist() == [
        "few_points",
        "no_sample_before_peak",
        "still_quantifiable",
        "ends_early",
    ]


def test_two_samples_have_areas_and_no_slope():
    row, reasons = analysed([7, 14], [80, 40])
    assert row["auc_last"] == pytest.approx(280 + falling(80, 40, 7))
    assert row["auc_0_14"] == row["auc_last"]
    assert row["auc_0_7"] == 280
    assert reasons["lambda_z"] == "few_points"


def test_two_samples_chosen_by_hand_make_a_slope():
    by_hand = {"lambda_z_times": {"flow": {"A": [14, 21]}}}
    row, _ = analysed([7, 14, 21], [80, 40, 20], rules=by_hand)
    assert row["lambda_z"] == pytest.approx(log(2) / 7)
    assert row["lambda_z_points"] == 2
    assert "by_hand" in row["notes"].split()


def test_the_only_sample_is_below_the_limit():
    row, reasons = analysed([14], ["<5"])
    assert row["cmax"] == 0
    assert row["present_d28"] != 0  # not sampled then: missing is not negative
    assert reasons["present_d28"] == "no_sample_in_window"
    assert reasons["auc_0_28"] == "ends_early"


# No sample at time 0 ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_zero", "level"), [("zero", 0), ("extrapolated", 160), ("measured", 40)]
)
def test_the_level_at_time_0_is_assumed_or_measured(at_zero, level):
    times, levels = [7, 14, 21], [80, 40, 20]
    if at_zero == "measured":
        times, levels = [0, *times], [level, *levels]
    rules = {"auc_rule": "linear"}
    if at_zero != "measured":
        rules["at_zero"] = at_zero
    row, _ = analysed(times, levels, rules=rules)
    assert row["auc_last"] == pytest.approx((level + 80) / 2 * 7 + 60 * 7 + 30 * 7)


def test_back_along_the_first_two_only_where_they_fall():
    rules = {"at_zero": "extrapolated", "auc_rule": "linear"}
    rising, _ = analysed([7, 14], [40, 80], rules=rules)
    assert rising["auc_last"] == pytest.approx(40 * 7 + 60 * 7)  # the first level
    lost, _ = analysed([7, 14], [40, "<5"], rules=rules)
    assert lost["auc_all"] == pytest.approx(40 * 7 + 20 * 7)


def test_unknown_at_time_0_leaves_no_area_from_there():
    rules = {"at_zero": "missing", "areas": [(7, 21)]}
    row, reasons = analysed([7, 14, 21], [80, 40, 20], rules=rules)
    assert set(reasons[["auc_last", "auc_all", "auc_0_14", "mrt_last"]]) == {"no_start"}
    assert row["cmax"] == 80
    assert row["auc_7_21"] == pytest.approx(falling(80, 40, 7) + falling(40, 20, 7))


# Samples before the infusion -------------------------------------------------------


def test_below_the_limit_before_the_infusion_is_0_at_the_infusion():
    row, _ = analysed([-1, 7, 28], ["<5", 80, 20], rules={"at_zero": "missing"})
    assert row["auc_last"] == pytest.approx(280 + falling(80, 20, 21))
    assert row["notes"] == ""


def test_quantifiable_before_the_infusion_is_kept_and_told():
    row, _ = analysed([-1, 7, 28], [6, 200, 50])
    assert row["notes"] == "before_infusion"
    assert row["auc_last"] == pytest.approx((6 + 200) / 2 * 7 + falling(200, 50, 21))
    assert row["tmax"] == 7


def test_high_before_the_infusion_is_never_the_peak_and_spoils_the_metrics():
    row, _ = analysed([-1, 7, 14, 28], [500, 80, 40, 20])
    assert row["notes"].split() == ["before_infusion", "before_infusion_high"]
    assert (row["cmax"], row["tmax"]) == (80, 7)
    assert not row["cmax_evaluable"]
    assert not row["auc_0_28_evaluable"]


def test_the_last_of_several_before_the_infusion_stands_at_time_0():
    row, _ = analysed([-5, -1, 7, 28], [50, "<5", 80, 20])
    assert row["auc_last"] == pytest.approx(280 + falling(80, 20, 21))


def test_samples_before_the_infusion_only_tell_nothing_of_it():
    row, reasons = analysed([-5, -1], [50, 60])
    names = ["cmax", "tmax", "t_last", "auc_last", "auc_0_28", "lambda_z"]
    assert set(reasons[names]) == {"no_sample_after_infusion"}
    assert "before_infusion" in row["notes"].split()


# Re-infusion, death ----------------------------------------------------------------

TWICE = ([7, 14, 28, 60, 90], [80, 40, 20, 90, 30])


def test_samples_after_a_reinfusion_are_cut_off():
    row, _ = analysed(*TWICE, infusions=[0, 45])
    assert row[["cmax", "t_last", "n_samples"]].tolist() == [80, 28, 3]
    assert "reinfusion" in row["notes"].split()
    assert row["auc_last"] == pytest.approx(
        280 + falling(80, 40, 7) + falling(40, 20, 14)
    )


def test_samples_after_a_reinfusion_may_be_kept():
    row, _ = analysed(*TWICE, infusions=[0, 45], rules={"reinfusion": "keep"})
    assert row[["cmax", "tmax", "t_last", "n_samples"]].tolist() == [90, 60, 90, 5]
    assert row["auc_last"] == pytest.approx(
        280 + falling(80, 40, 7) + falling(40, 20, 14) + 55 * 32 + falling(90, 30, 30)
    )


def test_a_dose_in_parts_is_no_reinfusion():
    row, _ = analysed(*TWICE, infusions=[0, 2])
    assert "reinfusion" not in row["notes"].split()
    assert row["n_samples"] == 5


def test_a_patient_who_died_before_day_7_stays_in_with_what_was_sampled():
    death = {"patient": ["A"], "endpoint": ["death"], "value": ["1"], "time": [6.0]}
    row, reasons = analysed([1, 3, 5], [10, 20, 40], outcomes=death)
    assert "died_early" in row["notes"].split()
    assert row[["cmax", "tmax", "t_last"]].tolist() == [40, 5, 5]
    assert row["auc_last"] == 5 + 30 + 60
    assert reasons[["auc_0_7", "auc_0_28", "lambda_z"]].tolist() == [
        "ends_early",
        "ends_early",
        "few_points",
    ]
    assert row["t_last_censored"] == 1
    assert np.isnan(row["present_d28"])


# Two samples at one time -----------------------------------------------------------


def test_two_levels_of_one_sample_are_refused():
    with pytest.raises(DataError, match="another level of the same sample"):
        study([7, 14, 14, 28], [80, 40, 60, 20])


def test_plain_arrays_may_jump_at_a_time():
    metrics, times = ck.kinetics.metrics, [7, 14, 14, 28]
    area = metrics.auc_last(times, [80, 40, 60, 20], auc_rule="linear")
    assert area == 280 + 60 * 7 + 40 * 14
    assert metrics.tmax(times, [60, 40, 80, 20]) == 14
    slope = metrics.lambda_z([7, 14, 14, 21], [99, 40, 10, 5], lambda_z_r2adj="any")
    # ln 40 and ln 10 stand for ln 20 on day 14.
    assert slope == pytest.approx(log(20 / 5) / 7, rel=1e-12)


# Above the upper limit -------------------------------------------------------------


def test_a_peak_above_the_upper_limit_hides_cmax_and_areas_but_not_tmax():
    row, reasons = analysed([7, 14, 21, 28, 35], [80, ">1000", 400, 100, 25])
    hidden = ["cmax", "auc_last", "auc_all", "auc_0_28", "mrt_last", "fold_expansion"]
    assert set(reasons[hidden]) == {"above_upper_limit"}
    assert row[hidden].isna().all()
    assert (row["tmax"], row["c_last"], row["t_last"]) == (14, 25, 35)
    assert row["lambda_z"] == pytest.approx(log(4) / 7)  # after it: 400, 100, 25
    assert row["auc_0_7"] == 280


def test_several_levels_above_the_upper_limit_hide_tmax_too():
    _, reasons = analysed([7, 14, 21], [">1000", ">1000", 80])
    assert reasons["tmax"] == "above_upper_limit"


def test_a_last_level_above_the_upper_limit_is_a_tlast_without_a_clast():
    row, reasons = analysed([7, 14], [80, ">1000"])
    assert row["t_last"] == 14
    assert reasons["c_last"] == "above_upper_limit"
    assert row["t_last_censored"] == 1


def test_all_levels_above_the_upper_limit_have_no_swing():
    _, reasons = analysed([7, 14], [">1000", ">1000"])
    assert reasons["swing"] == "above_upper_limit"


@pytest.mark.parametrize("at_zero", ["zero", "extrapolated", "missing"])
def test_above_the_upper_limit_at_time_0_is_the_reason_whatever_is_assumed(at_zero):
    rules = {"at_zero": at_zero, "above": {"flow": 50}}
    _, reasons = analysed([0, 7, 14], [">1000", 80, 40], rules=rules)
    assert set(reasons[["auc_last", "time_above"]]) == {"above_upper_limit"}


def test_back_from_a_first_level_above_the_upper_limit_hides_areas():
    rules = {"at_zero": "extrapolated"}
    _, reasons = analysed([7, 14, 21], [">1000", 80, 40], rules=rules)
    assert reasons["auc_last"] == "above_upper_limit"


# Before the infusion and outside the Cmax window -------------------------------------


@pytest.mark.parametrize("baseline", ["last", "at_zero"])
def test_only_the_sample_at_the_infusion_tells_first_from_middle(baseline):
    rules = {"below": "pknca", "at_zero": "missing", "baseline": baseline}
    rules |= {"auc_rule": "linear"}
    row, _ = analysed([-3, 0, 1, 7], [8, "<5", "<5", 100], rules=rules)
    assert row["auc_0_7"] == 100 / 2 * 6


def test_a_window_with_levels_below_the_limit_has_no_peak_and_no_swing():
    rules = {"cmax_window": (2, 20)}
    row, reasons = analysed([1, 4, 14], [116, "<5", "<5"], rules=rules)
    peak = ["tmax", "second_peak", "rebounds", "swing", "expansion_rate"]
    assert set(reasons[peak]) == {"no_quantifiable_in_window"}
    assert (row["cmax"], row["t_last"]) == (0, 1)


def test_without_a_sample_in_the_window_nothing_is_logarithmic_and_no_slope():
    rules = {"cmax_window": (2, 20), "auc_rule": "linear_log", "lambda_z_span": 0}
    times, levels = [0, 28, 31, 34], [8, 336, 168, 84]
    row, reasons = analysed(times, levels, rules=rules)
    assert row["auc_0_28"] == (8 + 336) / 2 * 28
    assert row["auc_last"] == (8 + 336) / 2 * 28 + 504 / 2 * 3 + 252 / 2 * 3
    assert reasons["lambda_z"] == "few_points"
    _, reasons = analysed(times, [">1000", *levels[1:]], rules=rules)
    assert reasons["lambda_z"] == "few_points"
