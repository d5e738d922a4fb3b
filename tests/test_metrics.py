from math import exp, inf, isnan, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_metrics import plain_metrics

from cellpk.kinetics import metrics as m
from cellpk.kinetics.metrics import METRICS, REASONS, defined
from cellpk.kinetics.profiles import Profiles
from cellpk.study.metric_rules import Rules

TIMES = [0, 3, 7, 10, 14, 21, 28, 60, 90]
LEVELS = [0, 20, 400, 1000, 500, 80, 60, 40, 10]


def reason(name, times, levels, **options):
    return METRICS[name].compute(Profiles.one(times, levels, **options)).reason[0]


def test_a_hand_worked_patient():
    """Limit 50: days 3, 60 and 90 are below it."""
    assert m.cmax(TIMES, LEVELS, lloq=50) == 1000
    assert m.tmax(TIMES, LEVELS, lloq=50) == 10
    assert m.c_last(TIMES, LEVELS, lloq=50) == 60
    assert m.t_last(TIMES, LEVELS, lloq=50) == 28
    rise = 4 * 400 / 2 + 3 * (400 + 1000) / 2
    fall = 4 * 500 / log(2) + 7 * 420 / log(500 / 80) + 7 * 20 / log(80 / 60)
    assert m.auc_last(TIMES, LEVELS, lloq=50) == pytest.approx(rise + fall, rel=1e-14)
    assert m.auc_0_28(TIMES, LEVELS, lloq=50) == pytest.approx(rise + fall, rel=1e-14)


def test_a_level_below_the_limit_between_quantifiable_ones_counts_as_zero():
    hole = m.auc([7, 14, 21], [100, 0, 100], end=21)
    assert hole == 7 * 50 + 7 * 50 + 7 * 50


def test_the_first_level_below_the_limit_at_the_end_is_zero_and_auc_last_ends_before():
    times, levels = [10, 20, 24, 28, 60], [80, 80, 0, 0, 0]
    assert m.auc_last(times, levels) == 400 + 800
    assert m.auc_0_28(times, levels) == 400 + 800 + 160


def test_an_area_ends_at_exactly_its_last_day():
    assert m.auc_0_28([14, 42], [100, 100]) == 700 + 1400
    assert m.auc([14, 42], [100, 100], 7, end=14) == 7 * 75
    assert isnan(m.auc([14, 42], [100, 100], end=43))


@pytest.mark.parametrize("rate", [0.003, 0.16, 1.1])
@pytest.mark.parametrize("end", [22.5, 28, 60])
def test_an_exponential_decline_gives_its_closed_forms(rate, end):
    times = np.array([0, 0.5, 1.7, 3, 7.1, 9.99, 14.2, 20, end])
    levels = 24_000 * np.exp(-rate * times)
    exact = 24_000 / rate * -np.expm1(-rate * 28)
    ready = {"lambda_z_span": 0.0}  # the slow decline halves too late for the default
    assert m.half_life(times, levels, **ready) == pytest.approx(
        log(2) / rate, rel=1e-12
    )
    assert m.lambda_z_r2adj(times, levels, **ready) == pytest.approx(1, abs=1e-12)
    assert m.auc_0_28(times, levels, **ready) == pytest.approx(exact, rel=1e-12)
    part = 24_000 / rate * (exp(-rate * 2) - exp(-rate * 18))
    assert m.auc(times, levels, 2, end=18) == pytest.approx(part, rel=1e-12)


def test_a_densely_sampled_typical_patient_of_stein_2019_has_the_area_of_the_model():
    foldx, tmax, cmax, alpha, fb, beta = 3900, 9.3, 24_000, 0.16, 0.0079, 0.0032
    times = np.linspace(0, 28, 5601)
    tau = np.maximum(times - tmax, 0)
    fall = (1 - fb) * np.exp(-alpha * tau) + fb * np.exp(-beta * tau)
    rise = np.exp(log(foldx) / tmax * np.minimum(times - tmax, 0))
    levels = cmax * rise * fall
    assert m.auc_0_28(times, levels) == pytest.approx(171_774.3, rel=2e-6)
    assert m.cmax(times, levels) == pytest.approx(cmax, rel=1e-12)
    assert m.tmax(times, levels) == pytest.approx(tmax)
    assert m.c_last(times, levels) == pytest.approx(1373.56, abs=0.005)


def test_three_levels_that_halve_span_two_half_lives_whatever_their_rounding():
    for unit in (0.1, 0.3, 1 / 7, 7.0):
        levels = np.array([16, 8, 4, 2]) * 0.3
        assert m.half_life(np.arange(1, 5) * unit, levels) == pytest.approx(unit)


def test_within_the_tolerance_the_regression_with_most_levels_is_used():
    times = np.arange(5.0, 30, 5)
    nearly = np.exp(-0.2 * times + [0.3, 0.02, 0, 0, 0])
    assert m.lambda_z_points(times, nearly) == 4
    assert m.lambda_z_points(times, nearly, lambda_z_tolerance=0.0) == 3
    assert m.lambda_z_start(times, nearly) == 10
    assert m.lambda_z_end(times, nearly) == 25


def test_the_peak_is_not_a_point_of_the_terminal_slope():
    times, levels = [10, 20, 30], [400, 100, 25]
    assert reason("half_life", times, levels) == "few_points"


def test_levels_up_to_one_above_the_limit_are_not_of_the_terminal_slope():
    times, levels = [7, 10, 14, 21, 28, 35], [inf, 9, inf, 80, 40, 10]
    assert m.lambda_z_start(times, levels) == 21


def test_a_window_decides_which_peak_is_cmax():
    times, levels = [7, 14, 28, 89, 120], [900, 500, 100, 950, 5000]
    assert (m.cmax(times, levels), m.tmax(times, levels)) == (950, 89)
    assert m.cmax(times, levels, cmax_window=(0, 60)) == 900
    assert m.cmax(times, levels, cmax_window=(0, 365)) == 5000


def test_a_sample_at_time_0_or_before_cannot_be_the_peak():
    assert m.cmax([-1, 0, 7, 14], [900, 800, 20, 30]) == 30


def test_one_level_above_the_upper_limit_hides_cmax_but_not_tmax():
    times = [7, 10, 14, 21, 28]
    assert m.tmax(times, [90, inf, 80, 40, 20]) == 10
    assert reason("cmax", times, [90, inf, 80, 40, 20]) == "above_upper_limit"
    assert reason("tmax", times, [90, inf, inf, 40, 20]) == "above_upper_limit"


def test_a_patient_who_never_expands_has_numbers_where_they_have_a_meaning():
    times, levels = [0, 7, 14, 21, 25], [0, 0, 0, 0, 0]
    assert m.cmax(times, levels) == 0
    assert m.auc_0_28(times, levels) == 0
    for name in ("tmax", "c_last", "t_last", "auc_last", "lambda_z", "half_life"):
        assert reason(name, times, levels) == "no_quantifiable"


def test_times_in_hours_need_only_the_length_of_a_day():
    hours, levels = np.array(TIMES) * 24, LEVELS
    in_days = m.auc_0_28(TIMES, levels)
    assert m.auc_0_28(hours, levels, day=24) == pytest.approx(in_days * 24)


def test_limits_may_differ_between_samples():
    assert m.cmax([7, 14, 21], [40, 60, 20], lloq=[30, 80, 10]) == 40


REASON_CASES = {
    "no_sample": ("cmax", [], []),
    "no_sample_after_infusion": ("cmax", [-1, 0], [0, 4]),
    "no_sample_in_window": ("cmax", [120], [4]),
    "no_quantifiable": ("t_last", [7, 14], [0, 0]),
    "no_quantifiable_in_window": ("tmax", [7, 120], [0, 4]),
    "above_upper_limit": ("auc_0_28", [7, 14, 28], [10, inf, 8]),
    "ends_early": ("auc_0_28", [7, 14, 21], [10, 20, 8]),
    "no_lambda_z": ("auc_0_28", [7, 14, 22], [10, 20, 8]),
    "few_points": ("half_life", [7, 14, 22, 28], [30, 20, 0, 8]),
    "not_falling": ("half_life", [7, 14, 21, 28, 35], [90, 5, 10, 20, 40]),
    "poor_fit": ("half_life", [7, 14, 21, 28, 35], [90, 50, 2, 60, 3]),
    "short_span": ("half_life", [7, 14, 21, 28, 35], [90, 50, 45, 40, 36]),
    "no_sample_before_peak": ("fold_expansion", [7, 14], [90, 50]),
    "low_not_quantified": ("fold_expansion", [3, 7, 14], [0, 90, 50]),
    "still_quantifiable": ("t_bql", [7, 14], [90, 50]),
    "no_second_peak": ("second_peak", [7, 14, 28], [90, 50, 60]),
    "few_rising_points": ("doubling_time", [3, 7, 14], [5, 90, 50]),
    "not_rising": ("doubling_time", [1, 2, 7, 7, 7], [5, 5, 5.1, 1, 1]),
    "no_level_given": ("time_above", [7, 14], [90, 50]),
    "no_start": ("auc_last", [7, 14], [90, 50], {"at_zero": "missing"}),
}


@pytest.mark.parametrize("code", REASON_CASES)
def test_what_cannot_be_calculated_says_why(code):
    name, times, levels, *options = REASON_CASES[code]
    assert reason(name, times, levels, **(options[0] if options else {})) == code


def test_every_reason_of_the_vocabulary_has_a_case():
    """Of other series: test_nca; of Tobit: test_slopes; of errors: test_assay_error."""
    elsewhere = {"not_a_cell_series", "no_censored_fit", "lost_in_error"}
    assert {*REASON_CASES, *elsewhere} == set(REASONS)


days = st.one_of(
    st.integers(-7, 60).map(float),
    st.floats(0.01, 400).map(lambda day: round(day, 2)),
)
scatter = st.tuples(days, st.one_of(st.just(0.0), st.floats(-2, 6)), st.just(0.0))
decline = st.tuples(days, st.floats(4.8, 5.2), st.floats(0.02, 0.03))
samples = st.one_of(st.lists(scatter, max_size=14), st.lists(decline, max_size=14))


def level(day, power, rate):
    return round(10 ** (power - rate * day), 3) if power else 0.0


profile = samples.map(lambda each: sorted((t, level(t, p, r)) for t, p, r in each))


@settings(max_examples=300, deadline=None)
@given(st.lists(profile, min_size=1, max_size=6))
def test_all_patients_at_once_agree_with_plain_loops(drawn):
    flat = np.array([sample for one in drawn for sample in one]).reshape(-1, 2)
    bounds = np.cumsum([0, *map(len, drawn)])
    profiles = Profiles.stacked(flat[:, 0], flat[:, 1], bounds)
    expected = [plain_metrics(*zip(*one, strict=True)) if one else {} for one in drawn]
    for name in defined(Rules()):
        plain = np.array([each.get(name, np.nan) for each in expected])
        found = METRICS[name].compute(profiles).value
        np.testing.assert_allclose(found, plain, rtol=1e-10, atol=1e-12, err_msg=name)
