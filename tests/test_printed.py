import numpy as np
import pytest

from cellpk.reporting import printed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (24041.3, "24,000"),
        (1234567.0, "1,230,000"),
        (999.5, "1,000"),
        (999.4, "999"),
        (99.95, "100"),
        (9.995, "9.99"),  # the nearest double lies below the tie
        (12.0, "12.0"),
        (0.0123456, "0.0123"),
        (-0.5, "-0.500"),
        (0.0, "0"),
        (np.inf, "∞"),
        (np.nan, "NC"),
    ],
)
def test_level_has_three_significant_figures(value, text):
    assert printed.level(value) == text


def test_time_and_share_have_one_decimal():
    assert printed.day(14.0) == "14.0"
    assert printed.percent(33.333) == "33.3"


def test_rounding_to_nothing_leaves_no_minus_sign():
    assert printed.fixed(-0.04) == "0.0"


def test_probability_is_never_printed_as_certain():
    assert printed.probability(1.0) == "> 0.999"
    assert printed.probability(0.0) == "< 0.001"
    assert printed.probability(0.9994) == "> 0.999"


def test_share_of_no_patients_is_no_number():
    assert printed.count_share(0, 0) == "0"


def test_individual_values_are_listed_in_order():
    assert printed.listed([900.0, 12.0], "level") == "12.0; 900"
    assert printed.listed([], "level") == "–"
