"""Stein et al. 2019, doi:10.1002/psp4.12388: printed numbers and what follows from it.

Printed: Table 1 and the half-lives of the text, as transcribed by nlmixr2lib. The rest
was computed from those typical values, independently of this package.
"""

from math import erfc, expm1, log, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq

import cellpk as ck

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
VARIANCES = ck.load_model("stein_2019_tisagenlecleucel_var")


def test_typical_values_and_residual_error_are_those_of_table_1():
    values = {name: row.value for name, row in STEIN.parameters.items()}
    assert values == {
        "foldx": 3900,
        "tmax": 9.3,
        "cmax": 24000,
        "alpha": 0.16,
        "fb": 0.0079,
        "beta": 0.0032,
    }
    assert STEIN.observed["qpcr"].sd == 0.56
    assert STEIN.observed["qpcr"].error == "lognormal"


def test_the_two_files_read_one_table():
    printed = [2.4, 0.38, 0.65, 0.91, 0.8, 0.86]
    assert STEIN.spread.tolist() == printed
    assert (VARIANCES.spread**2).tolist() == pytest.approx(printed)
    assert STEIN.typical.tolist() == VARIANCES.typical.tolist()
    assert {row.spread_form for row in VARIANCES.parameters.values()} == {"iiv_var"}


@pytest.mark.parametrize(
    ("name", "printed", "digits"),
    [("doubling_time", 0.78, 2), ("half_life_1", 4.3, 1)],
)
def test_printed_times_come_back_as_rounded(name, printed, digits):
    value = STEIN.quantities(STEIN.typical)[name][0]
    assert round(float(value), digits) == printed


def test_printed_terminal_half_life_comes_back_to_two_figures():
    value = STEIN.quantities(STEIN.typical)["half_life_2"][0]
    assert round(float(value), -1) == 220


def test_rates_follow_from_the_table():
    values = STEIN.natural(STEIN.typical)
    rise = STEIN.equations.slopes(1.0, [1.0, 0.0], values)
    fall = STEIN.equations.slopes(20.0, [1.0, 0.0], values)
    assert rise[0] == pytest.approx(0.889111, abs=5e-7)
    assert fall[1] == pytest.approx(0.00123872, abs=5e-9)
    assert STEIN.equations.starts(values)[0] == pytest.approx(6.153846, abs=5e-7)


def test_half_lives_and_area():
    computed = STEIN.quantities(STEIN.typical)
    assert computed["half_life_1"][0] == pytest.approx(4.332, abs=5e-4)
    assert computed["half_life_2"][0] == pytest.approx(216.6, abs=0.05)
    assert computed["auc_0_28"][0] == pytest.approx(171_774.3, abs=0.05)


def test_levels_of_the_typical_patient():
    levels = STEIN.curve([28, 90, 180, 365])
    assert levels == pytest.approx([1373.56, 146.51, 109.80, 60.745], abs=5e-3)


def test_both_exponentials_are_equal_at_day_40():
    # the terms in (1 - fb) and fb, not the states E and M, which meet at day 40.22
    alone = STEIN.curve([40.12], fb=1e-300)[0] * (1 - 0.0079)
    assert alone == pytest.approx(STEIN.curve([40.12])[0] / 2, rel=1e-3)


def crossing(level, start, stop):
    return brentq(lambda t: STEIN.curve([t])[0] - level, start, stop)


@pytest.mark.parametrize(
    ("limit", "day"), [(10, 929), (25, 642), (50, 426), (100, 209)]
)
def test_last_day_above_a_limit(limit, day):
    assert round(crossing(limit, 10, 3000)) == day


@pytest.mark.parametrize(("limit", "day"), [(50, 2.36), (100, 3.14)])
def test_first_day_above_a_limit(limit, day):
    assert round(crossing(limit, 0, 9), 2) == day


@pytest.mark.parametrize(
    ("model", "variation", "late"),
    [(STEIN, 72.5, 0.2), (VARIANCES, 95.7, 3.6)],
)
def test_what_each_reading_of_the_spread_implies(model, variation, late):
    spread = dict(zip(model.free, model.spread, strict=True))
    score = log(28 / model.parameters["tmax"].value) / spread["tmax"]
    assert 100 * sqrt(expm1(spread["cmax"] ** 2)) == pytest.approx(variation, abs=0.05)
    # the sheet's share comes from 200 000 draws
    assert 50 * erfc(score / sqrt(2)) == pytest.approx(late, abs=0.15)


@pytest.mark.parametrize(
    ("model", "low", "middle", "high", "mean"),
    [
        (STEIN, 40_900, 168_200, 632_400, 165_500),
        (VARIANCES, 26_100, 155_700, 764_000, 149_200),
    ],
)
def test_area_over_patients(model, low, middle, high, mean):
    rng = np.random.default_rng(1)
    theta = model.typical + model.spread * rng.normal(size=(20_000, 6))
    areas = np.concatenate(
        [model.quantities(part)["auc_0_28"][0] for part in np.split(theta, 20)]
    )
    found = np.quantile(areas, [0.05, 0.5, 0.95])
    assert found == pytest.approx([low, middle, high], rel=0.04)
    assert np.exp(np.log(areas).mean()) == pytest.approx(mean, rel=0.03)
