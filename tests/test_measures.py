"""Units are read by pint, from a registry in which what is counted is a unit."""

import subprocess
import sys

import pytest

from cellpk import ModelError
from cellpk.model.measures import read_measure


@pytest.mark.parametrize(
    ("unit", "same"),
    [
        ("mg/L", "ug/mL"),
        ("g/dL", "10 g/L"),
        ("1/M/s", "86400 L/mol/day"),
        ("cells/uL", "1e6 cells/L"),
        ("copies/ug", "1e9 copies/kg"),
        ("1e9 cells", "1000000000 cell"),
        ("kDa", "kg/mol"),
        ("complexes/cell", "complexes/cells"),
        ("week", "7 day"),
        ("%", "0.01"),
        ("kg**0.75", "1/kg**-0.75"),
        ("nM", "1e-9 mol/L"),
        ("1/day", "/day"),
    ],
)
def test_two_spellings_of_a_unit_are_the_same(unit, same):
    assert read_measure(unit).same(read_measure(same))


@pytest.mark.parametrize(
    ("unit", "other", "ratio"),
    [
        ("cells/uL", "cells/L", 1e6),
        ("hour", "day", 1 / 24),
        ("pg/mL", "ng/mL", 1e-3),
        ("1e9 cells", "cells", 1e9),
        ("cells", "copies", None),
        ("cells", "1", None),
        ("mol", "molecules", None),
        ("IU", "U", None),
        ("U/L", "mg/L", None),
    ],
)
def test_sizes_of_units_are_compared_and_kinds_told_apart(unit, other, ratio):
    expected = None if ratio is None else pytest.approx(ratio, rel=1e-12)
    assert read_measure(unit).ratio(read_measure(other)) == expected


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("copie/ug", "'copie' is not a unit known here. Did you mean 'copies'"),
        ("cells/ul", "'ul' is not a unit known here. Did you mean 'uL'"),
        ("Ug", "Did you mean 'ug'"),
        ("nan", "'nan' is not a unit known here"),
        ("INF", "'INF' is not a unit known here"),
        ("copies//ug", "unit 'copies//ug' cannot be read. Write it like"),
        ("copies/", "unit 'copies/' cannot be read"),
        ("copiess/ug", "'copiess' is not a unit known here"),
        ("kday", "'kday' is not a unit known here. Did you mean 'day'"),
        ("", "unit '' cannot be read.*'1' where there is none"),
        ("0", "unit '0' cannot be read"),
        ("10*9/L", r"unit '10\*9/L' cannot be read"),
        ("__import__('os')", "cannot be read"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_nearest_known_one(unit, message):
    with pytest.raises(ModelError, match=message):
        read_measure(unit)


def test_the_place_stands_in_the_message():
    with pytest.raises(ModelError, match=r"^m.toml, line 3: 'dayz' is not a unit"):
        read_measure("dayz", where="m.toml, line 3")


@pytest.mark.parametrize(
    "text", ["1", "1/day", "copies/ug/day", "1e9 cells", "1e9/L", "kg**0.75", "1e-9"]
)
def test_a_unit_is_printed_as_it_was_written(text):
    assert str(read_measure(text)) == text


def test_a_rate_ends_with_its_day():
    rate = read_measure("1/day") * read_measure("cells/uL")
    assert str(rate) == "cells/uL/day"


def test_products_powers_and_ratios_of_units_are_units():
    rate = read_measure("copies/ug") / read_measure("day")
    assert str(rate) == "copies/ug/day"
    assert (rate * read_measure("day")).same(read_measure("copies/ug"))
    assert (read_measure("4 L**2") ** 0.5).same(read_measure("2 L"))


def test_a_tenth_thrice_is_three_tenths():
    tenth = read_measure("kg") ** 0.1
    assert (tenth * tenth * tenth).same(read_measure("kg") ** 0.3)


def test_pint_is_not_loaded_before_a_unit_is_read():
    script = "import sys, cellpk.model.measures; print('pint' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
