from decimal import Decimal, localcontext

import numpy as np
import pytest

from cellpk.errors import DataError
from cellpk.kinetics.curves import area_under
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.segments import pick


@pytest.fixture
def four():
    """Profiles of three, no, one and two samples."""
    return Profiles.stacked(
        times=np.array([-1.0, 7, 14, 10, 7, 21]),
        levels=np.array([0.0, 50, 20, 0, np.inf, 8]),
        bounds=np.array([0, 3, 3, 4, 6]),
    )


def test_totals_and_highest_values_leave_empty_profiles_alone(four):
    assert four.counts.tolist() == [3, 0, 1, 2]
    assert four.total(four.times).tolist() == [20, 0, 10, 28]
    assert four.highest(four.levels).tolist() == [50, -np.inf, 0, np.inf]


def test_first_and_last_sample_of_a_kind_are_found_per_profile(four):
    assert four.first(four.quantified).tolist() == [1, -1, -1, 4]
    assert four.last(four.quantified).tolist() == [2, -1, -1, 5]
    assert pick(four.times, four.last(four.after)).tolist()[2:] == [10, 21]


def test_samples_can_be_dropped_without_moving_others_between_profiles(four):
    kept = four.keep(four.quantified)
    assert kept.counts.tolist() == [2, 0, 0, 2]
    assert kept.levels.tolist() == [50, 20, np.inf, 8]


def test_no_profile_at_all_is_no_error():
    none = Profiles.stacked([], [], [0])
    assert len(none) == 0
    assert len(none.curve) == len(none.decline.rate) == len(none.top) == 0


@pytest.mark.parametrize(
    ("times", "levels", "start"),
    [([7], [50], 0), ([-3, 7], [9, 50], 9), ([-3, 0, 7], [9, 4, 50], 4)],
    ids=["no earlier sample", "a sample before", "a sample at time 0"],
)
def test_the_last_level_up_to_time_0_stands_at_time_0(times, levels, start):
    curve = Profiles.one(times, levels).curve
    assert curve.times.tolist() == [0, 7]
    assert curve.levels.tolist() == [start, 50]


def test_a_segment_that_is_cut_keeps_its_own_law():
    curve = Profiles.one([0, 10, 26, 34], [0, 100, 100, 25]).curve
    rise, flat, fall = 500.0, 1600.0, 75 / (np.log(4) / 8)
    assert area_under(curve, 0, 34)[0] == pytest.approx(rise + flat + fall, rel=1e-14)
    assert area_under(curve, 5, 10)[0] == pytest.approx(375, rel=1e-14)
    at_28 = 100 * 4**-0.25
    assert area_under(curve, 26, 28)[0] == pytest.approx(
        (100 - at_28) / (np.log(4) / 8)
    )


@pytest.mark.parametrize("ratio", [1 - 1e-15, 1 - 1e-9, 0.5, 1e-9])
def test_log_areas_keep_their_digits_however_flat_or_steep_the_fall(ratio):
    with localcontext(prec=50):
        high, low = Decimal(100), Decimal(100.0 * ratio)
        exact = float(10 * (high - low) / (high / low).ln())
    found = area_under(Profiles.one([0, 10], [100, 100.0 * ratio]).curve, 0, 10)[0]
    assert found == pytest.approx(exact, rel=1e-14)


def test_two_samples_at_one_time_add_no_area():
    curve = Profiles.one([0, 10, 10, 20], [0, 100, 60, 60]).curve
    assert area_under(curve, 0, 20)[0] == 500 + 600


@pytest.mark.parametrize(
    ("times", "levels", "found"),
    [
        ([1, 2], [3], "shape"),
        ([2, 1], [3, 3], "1.0"),
        ([1, np.nan], [3, 3], "nan"),
        ([1, 2], [3, -4], "-4.0"),
    ],
)
def test_what_cannot_be_one_patients_profile_is_refused(times, levels, found):
    with pytest.raises(DataError, match=found):
        Profiles.one(times, levels)
