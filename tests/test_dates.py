from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpk.study.dates import (
    days_between,
    read_dates,
    read_durations,
    write_dates,
    write_durations,
)


def dates(*texts):
    return read_dates(pd.Series(texts, dtype="str"))


@pytest.mark.parametrize(
    ("text", "known", "clock", "partial", "wrong"),
    [
        ("2014-01-02", True, False, False, False),
        ("2014-01-02T08:30", True, True, False, False),
        ("2014-01-02T08:30:15.25", True, True, False, False),
        ("2014-01-02T08:30+08:00", True, True, False, False),
        ("2014-01-02T08:30:15Z", True, True, False, False),
        ("2014-01-02T08", True, False, False, False),
        ("2014", False, False, True, False),
        ("2014-01", False, False, True, False),
        ("2014---02", False, False, True, False),
        ("--01-02", False, False, True, False),
        ("2014-01-02/2014-01-05", False, False, True, False),
        ("", False, False, False, False),
        ("NA", False, False, False, False),
        ("2014-02-30", False, False, False, True),
        ("02JAN2014", False, False, False, True),
        ("2014-01-02T25:00", True, False, False, True),
        ("14-01-02", False, False, False, True),
        ("2014/01/02", False, False, False, True),
    ],
)
def test_what_is_known_of_a_date(text, known, clock, partial, wrong):
    read = dates(text)
    found = (read.known, read.has_clock, read.partial, read.wrong)
    assert [bool(mask[0]) for mask in found] == [known, clock, partial, wrong]


def test_days_count_elapsed_time_where_both_clocks_are_known():
    moments = dates("2014-01-03T12:00", "2014-01-03T12:00", "2014-01-01", "2014-01")
    start = dates("2014-01-02T06:00", "2014-01-02", "2014-01-02T06:00", "2014-01-02")
    days, whole = days_between(moments, start)
    np.testing.assert_array_equal(days, [1.25, 1.0, -1.0, np.nan])
    assert whole.tolist() == [False, True, True, False]


def test_leap_days_and_summer_time_do_not_matter():
    days, _ = days_between(
        dates("2020-03-01T00:00", "2021-03-29T00:00"),
        dates("2020-02-28T00:00", "2021-03-27T00:00"),
    )
    assert days.tolist() == [2.0, 2.0]


@given(st.floats(-36_000, 36_000))
def test_days_survive_writing_as_dates_to_nine_digits(days):
    said = np.round(days, 9)
    text = write_dates(pd.Series([said]), "2000-01-01")
    read, whole = days_between(read_dates(text), dates("2000-01-01T00:00"))
    assert np.round(read[0], 9) == said
    assert not whole[0]


@given(st.integers(-(10**15), 10**15))
def test_written_dates_are_those_of_the_standard_library(microseconds):
    expected = datetime(2000, 1, 1) + timedelta(microseconds=microseconds)
    text = write_dates(pd.Series([microseconds / 86_400e6]), "2000-01-01")[0]
    assert abs(datetime.fromisoformat(text) - expected) <= timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("PT8H", 1 / 3),
        ("-PT30M", -1 / 48),
        ("P2W", 14),
        ("P1DT12H", 1.5),
        ("PT0H", 0),
        ("PT0.5S", 0.5 / 86_400),
        ("P7D", 7),
    ],
)
def test_durations_are_read_in_days(text, days):
    read, wrong = read_durations(pd.Series([text]))
    assert read[0] == pytest.approx(days, abs=1e-15)
    assert not wrong[0]


@pytest.mark.parametrize("text", ["P1M", "P1Y", "8H", "PT", "P", "1.5", "PT8"])
def test_what_has_no_fixed_length_is_no_duration(text):
    read, wrong = read_durations(pd.Series([text]))
    assert np.isnan(read[0])
    assert wrong[0]


@given(st.floats(-36_000, 36_000))
def test_durations_survive_writing_to_nine_digits(days):
    said = np.round(days, 9)
    read, wrong = read_durations(write_durations(pd.Series([said])))
    assert np.round(read[0], 9) == said
    assert not wrong[0]


def test_clocks_are_filled_where_they_are_not_known():
    some = dates("2014-01-02", "2014-01-02T09:30", "2014-01")
    filled = some.with_clock("08:00")
    assert filled.has_clock.tolist() == [True, True, False]
    other = dates("2014-01-02T07:00", "2014-01-02T07:00", "2014-01-05T07:00")
    hours = some.with_clock(other).clock / np.timedelta64(1, "h")
    np.testing.assert_array_equal(hours, [7.0, 9.5, np.nan])


def test_no_place_has_no_date():
    some = dates("2014-01-02T09:30")
    assert some.at(np.array([-1, 0])).known.tolist() == [False, True]
    assert dates().at(np.array([-1])).known.tolist() == [False]


def test_times_of_a_study_are_whole_seconds_where_they_can_be():
    # A study keeps an hour as 0.041666667 day, which is 29 microseconds more.
    days = pd.Series([round(n / 86_400, 9) for n in (3600, -3599, 1, 86_399)])
    assert write_dates(days, "2000-01-02").tolist() == [
        "2000-01-02T01:00:00",
        "2000-01-01T23:00:01",
        "2000-01-02T00:00:01",
        "2000-01-02T23:59:59",
    ]
    assert write_durations(days).tolist() == [
        "PT1H",
        "-PT59M59S",
        "PT1S",
        "PT23H59M59S",
    ]
