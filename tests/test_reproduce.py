"""Printed numbers beside computed ones."""

import numpy as np
import pytest

import cellpk as ck
from cellpk import ModelError
from cellpk.model.reproduce import agrees, half_unit

STEIN = ck.load_model("stein_2019_tisagenlecleucel")

TEXT = """
title = "A bump"
source = "own"
time = "day"
equations = '''
x = t/day
E(0) = high
dE/dt = high*(2 - x)/day
'''
solution = '''
days = t/day
E = high*(1 + 2*days - days**2/2)
'''
[parameters]
high = { value = 10, unit = "cells/uL", iiv_sd = 1 }
day = { value = 1, unit = "day", fixed = true }
[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }
[printed]
"""


def bump(tmp_path, rows):
    path = tmp_path / "bump.toml"
    path.write_text(TEXT + rows, encoding="utf-8")
    return ck.load_model(path).reproduce().set_index("name")["computed"]


@pytest.mark.parametrize(
    ("text", "half"),
    [("0.78", 0.005), ("2.2e2", 5), ("12.0", 0.05), ("-92.5", 0.05), ("1.511e10", 5e6)],
)
def test_half_a_unit_of_the_last_place(text, half):
    assert half_unit(text) == pytest.approx(half)


@pytest.mark.parametrize("text", ["", "nan", "about 3", "inf"])
def test_what_is_no_printed_number_is_refused(text):
    with pytest.raises(ModelError, match="is not a printed number"):
        half_unit(text)


def test_a_number_agrees_where_it_rounds_to_what_is_printed():
    assert agrees("4.3", 4.3499)
    assert agrees("4.3", 4.25)
    assert not agrees("4.3", 4.3501)


def test_measures_of_a_parabola_are_those_of_the_formula(tmp_path):
    # E = 10 (1 + 2 t - t^2/2): top 30 at day 2, 10 at days 0 and 4
    common = 'of = "flow", until = 4, printed = "1", unit'
    plain = 'of = "flow", printed = "1", unit'
    found = bump(
        tmp_path,
        f"""
        a = {{ what = "peak", {common} = "cells/uL" }}
        b = {{ what = "peak_time", {common} = "day" }}
        c = {{ what = "nadir", {common} = "cells/uL" }}
        d = {{ what = "area", {common} = "cells/uL*day" }}
        e = {{ what = "first_above", above = 25, {common} = "day" }}
        f = {{ what = "last_above", above = 25, {common} = "day" }}
        g = {{ what = "level", at = 1, {plain} = "cells/uL", given = {{ high = 20 }} }}
        h = {{ what = "nadir_time", from = 1, {common} = "day" }}
        """,
    )
    assert found["a"] == pytest.approx(30)
    assert found["b"] == pytest.approx(2, abs=1e-4)
    assert found["c"] == pytest.approx(10)
    assert found["d"] == pytest.approx(10 * (4 + 16 - 64 / 6))
    assert found["e"] == pytest.approx(2 - 1, abs=1e-4)
    assert found["f"] == pytest.approx(2 + 1, abs=1e-4)
    assert found["g"] == pytest.approx(50)
    assert found["h"] == pytest.approx(4, abs=1e-4)


def test_a_limit_that_is_never_passed_has_no_day(tmp_path):
    row = 'of = "E", above = 99, printed = "1", unit = "day"'
    assert np.isnan(bump(tmp_path, f'a = {{ what = "first_above", {row} }}')["a"])


def test_derived_quantities_come_first_and_carry_their_sources():
    found = STEIN.reproduce()
    assert found["name"].tolist()[:2] == ["doubling_time", "half_life_1"]
    assert found["agrees"].all()
    assert found["source"].str.len().gt(20).all()


def test_a_number_that_needs_an_unpublished_parameter_says_so():
    liso = ck.load_model("ogasawara_2021_lisocel")
    with pytest.raises(ModelError, match="no value is published: c0, fb"):
        liso.curve([7])
    assert liso.reproduce()["agrees"].all()
