import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpk.study import parsing
from cellpk.study.columns import STATES
from cellpk.study.level_texts import NOT_DETECTED, WORDS, why_not
from cellpk.study.units import factor


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


NAN = float("nan")
TEXTS = [
    ("<50", "below", 50),
    ("< 50.0", "below", 50),
    ("<=50", "below", 50),
    ("≤50", "below", 50),
    ("＜50", "below", 50),
    ("<1.2E3", "below", 1200),
    ("BLQ (<50)", "below", 50),
    ("<50 BLQ", "below", 50),
    ("ND (<10)", "below", 10),
    ("BLQ", "below", NAN),
    ("<LLOQ", "below", NAN),
    ("<BLQ", "below", NAN),
    ("BQL", "below", NAN),
    ("BLOQ", "below", NAN),
    ("<LOD", "below", NAN),
    ("ND", "below", NAN),
    ("n.d.", "below", NAN),
    ("TND", "below", NAN),
    ("Target Not Detected", "below", NAN),
    ("not-detected", "below", NAN),
    ("NEG", "below", NAN),
    ("未检出", "below", NAN),
    ("低于检测下限", "below", NAN),
    ("低于定量下限", "below", NAN),
    ("阴性", "below", NAN),
    ("Not Quantifiable", "below", NAN),
    ("detected", "detected", NAN),
    ("POS", "detected", NAN),
    ("阳性", "detected", NAN),
    ("Detected <50", "detected", 50),
    ("<50 (detected)", "detected", 50),
    ("Positive, < 50", "detected", 50),
    ("detected, not quantifiable", "detected", NAN),
    (">1e6", "above", 1e6),
    (">=400", "above", 400),
    (">400 (ALQ)", "above", 400),
    (">ULOQ", "above", NAN),
    ("高于定量上限", "above", NAN),
    ("", "missing", NAN),
    ("NaN", "missing", NAN),
    ("n.a.", "missing", NAN),
    ("not done", "missing", NAN),
    ("QNS", "missing", NAN),
    ("未采集", "missing", NAN),
    ("310", "quantified", NAN),
    ("1.2E3", "quantified", NAN),
]
UNKNOWN = [
    *("many", "<many", "50*", "~50", "50?", "50±3", "50..", "<50x", "1_000", "0x10"),
    *("7/3", "01/02/2020", "12h", "5-10", "<5-10", ">50(BLQ)", "<50(ALQ)"),
    *("<", "<<", "--", "<1e999", "inf", "1.2.3"),
]


@pytest.mark.parametrize(("text", "state", "bound"), TEXTS)
def test_texts_in_place_of_a_level_become_states(text, state, bound):
    read = parsing.levels(pd.Series([text])).iloc[0]
    assert read["state"] == state
    np.testing.assert_equal(read["bound"], float(bound))


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_not_sure_is_not_known(text):
    read = parsing.levels(pd.Series([text], dtype="str")).iloc[0]
    assert read["state"] == ""
    assert np.isnan(read["level"])
    assert np.isnan(read["bound"])


@pytest.mark.parametrize(
    ("text", "state", "number", "unit"),
    [
        ("<50 copies/ug", "below", 50, "copies/ug"),
        ("<50copies/µg DNA", "below", 50, "copies/μg dna"),
        ("310 copies/ug", "quantified", 310, "copies/ug"),
        ("5.2%", "quantified", 5.2, "%"),
        ("5.2 %", "quantified", 5.2, "%"),
        ("<0.1 %", "below", 0.1, "%"),
        ("0.3 10^9/L", "quantified", 0.3, "10^9/l"),
        ("<50 copies/ug (detected)", "detected", 50, "copies/ug"),
    ],
)
def test_a_text_may_state_its_unit(text, state, number, unit):
    read = parsing.levels(pd.Series([text])).iloc[0]
    column = "level" if state == "quantified" else "bound"
    assert (read["state"], read[column]) == (state, number)
    assert read["unit"].replace("μ", "µ") == unit.replace("μ", "µ")


def test_a_power_of_ten_needs_a_space_before_it():
    read = parsing.levels(pd.Series(["0.310^9/L", "0.3 10^9/L"]))
    assert read["unit"].tolist() == ["^9/l", "10^9/l"]
    assert read["level"].tolist() == [0.31, 0.3]
    assert factor("^9/l", "cells/uL") is None


@given(st.text(max_size=12))
def test_any_text_is_read_without_failing(text):
    read = parsing.levels(pd.Series([text], dtype="str")).iloc[0]
    assert read["state"] in {*STATES, ""}
    assert np.isfinite(read["level"]) == (read["state"] == "quantified")
    assert why_not(text)[1]


@given(st.sampled_from(TEXTS), st.sampled_from(["", " ", "  "]), st.booleans())
def test_case_and_spaces_change_nothing(case, space, upper):
    text, state, _ = case
    text = space + (text.upper() if upper else text.lower()) + space
    cells = parsing.as_text(pd.DataFrame({"level": [text]}))["level"]
    assert parsing.levels(cells)["state"].tolist() == [state]


def test_each_text_is_read_wherever_it_stands():
    texts = pd.Series([text for text, _, _ in TEXTS] * 3)
    read = parsing.levels(texts)
    assert read["state"].tolist() == [state for _, state, _ in TEXTS] * 3
    np.testing.assert_array_equal(read["bound"], [bound for *_, bound in TEXTS] * 3)


def test_limits_in_texts_follow_the_decimal_sign():
    read = parsing.levels(pd.Series(["<0,5", "<0.5"]), decimal=",")
    assert read["bound"].tolist()[0] == 0.5
    assert read["state"].tolist() == ["below", ""]


@pytest.mark.parametrize(
    ("text", "decimal", "why"),
    [
        ("1,234", ".", "a thousands separator or a decimal comma"),
        ("<1,234", ".", "a thousands separator or a decimal comma"),
        ("1,234.5", ".", "a thousands separator"),
        ("1,234,567", ".", "a thousands separator"),
        ("1 234", ".", "a thousands separator"),
        ("1'234", ".", "a thousands separator"),
        ("1.234", ",", "a thousands separator"),
        ("1.234,5", ",", "a thousands separator"),
        ("12,5", ".", "a decimal comma"),
        ("1,23", ".", "a decimal comma"),
        ("many", ".", ""),
        ("1,2,3", ".", ""),
    ],
)
def test_numbers_with_separators_are_refused_in_words(text, decimal, why):
    assert parsing.levels(pd.Series([text]), decimal=decimal)["state"][0] == ""
    what, todo = why_not(text, decimal=decimal)
    assert what.partition(": it has ")[2] == why
    assert todo


def test_every_word_stands_for_a_state_and_none_for_two():
    words = [word for group in WORDS.values() for word in group]
    assert set(WORDS) <= set(STATES)
    assert len(words) == len(set(words))
    assert all(word == word.casefold().replace(" ", "") for word in words)
    assert set(NOT_DETECTED) <= set(WORDS["below"])


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
