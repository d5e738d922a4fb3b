import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpk.study import parsing
from cellpk.study.columns import STATES


def test_numbers_come_back_to_the_last_bit():
    values = [0.1, 1 / 3, 1e-300, 5e22, 123456789.123456789]
    text = pd.Series([repr(value) for value in values])
    assert parsing.numbers(text).tolist() == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_any_column_of_floats_survives_as_text(values):
    text = parsing.as_text(pd.DataFrame({"level": values}))["level"]
    assert parsing.numbers(text).tolist() == values


@pytest.mark.parametrize("text", ["inf", "-inf", "1e999", "1,5", "0x10", "1_000", "٣x"])
def test_what_is_no_finite_number_is_nan(text):
    assert np.isnan(parsing.numbers(pd.Series([text]))).all()


def test_a_point_is_no_number_where_the_comma_is_the_decimal_sign():
    read = parsing.numbers(pd.Series(["1,5", "1.500", "1.500,0"]), decimal=",")
    assert read[0] == 1.5
    assert np.isnan(read[1:]).all()


@pytest.mark.parametrize(
    ("text", "state", "bound"),
    [
        ("<50", "below", 50),
        ("< 50.0", "below", 50),
        ("≤50", "below", 50),
        (">1e6", "above", 1e6),
        ("BLQ", "below", np.nan),
        ("<LLOQ", "below", np.nan),
        ("ND", "below", np.nan),
        ("not detected", "below", np.nan),
        ("Not Quantifiable", "below", np.nan),
        ("detected", "detected", np.nan),
        (">ULOQ", "above", np.nan),
        ("", "missing", np.nan),
        ("NaN", "missing", np.nan),
        ("not done", "missing", np.nan),
        ("310", "quantified", np.nan),
        ("many", "", np.nan),
        ("<many", "", np.nan),
    ],
)
def test_texts_in_place_of_a_level_become_states(text, state, bound):
    read = parsing.levels(pd.Series([text])).iloc[0]
    assert read["state"] == state
    np.testing.assert_equal(read["bound"], float(bound))


def test_limits_in_texts_follow_the_decimal_sign():
    read = parsing.levels(pd.Series(["<0,5", "<0.5"]), decimal=",")
    assert read["bound"].tolist()[0] == 0.5
    assert read["state"].tolist() == ["below", ""]


def test_every_word_stands_for_a_state_and_none_for_two():
    words = [word for group in parsing.WORDS.values() for word in group]
    assert set(parsing.WORDS) <= set(STATES)
    assert len(words) == len(set(words))


def test_cells_become_the_text_that_a_csv_file_would_hold():
    frame = pd.DataFrame(
        {
            "patient": [7.0, 8.0],
            "level": [0.5, None],
            "flag": [True, False],
            "text": [" a \n b ", None],
            "mixed": [1, "<5"],
        }
    )
    text = parsing.as_text(frame)
    assert text["patient"].tolist() == ["7", "8"]
    assert text["level"].tolist() == ["0.5", ""]
    assert parsing.flags(text["flag"]).tolist() == [1, 0]
    assert text["text"].tolist() == ["a b", ""]
    assert text["mixed"].tolist() == ["1", "<5"]
