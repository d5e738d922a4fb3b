"""Derived quantities of solved models: areas and what moves them."""

import numpy as np
import pytest

import cellpk as ck

TEXT = """
title = "Late loss"
source = "own"
time = "day"
equations = '''
E(0) = 0
dE/dt = -alpha*E
'''
[parameters]
alpha = { value = 0.2, unit = "1/day", iiv_sd = 0.3 }
lag = { value = 3, unit = "day", iiv_sd = 0.3 }
[infusions]
adds = { E = "cells" }
days = [0, 10]
cells = [5, 2]
unit = "cells/uL"
lag = "lag"
[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }
[derived]
half_life = { is = "log(2)/alpha", unit = "day" }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "late.toml"
    path.write_text(TEXT, encoding="utf-8")
    return ck.load_model(path)


def area(alpha, lag):
    """Each infusion's cells are lost from its day plus the lag on."""
    times = np.array([28 - lag, 18 - lag])
    return float((np.array([5, 2]) / alpha * -np.expm1(-alpha * times)).sum())


def test_the_area_of_lagged_infusions_is_the_formula(model):
    found = model.quantities(model.typical)["auc_0_28"][0]
    assert float(found) == pytest.approx(area(0.2, 3.0), rel=1e-6)


def test_an_estimated_lag_moves_the_area(model):
    _, gradient = model.quantities(model.typical)["auc_0_28"]
    step = 1e-5
    expected = [
        (area(0.2 * np.exp(a), 3 * np.exp(b)) - area(0.2 * np.exp(-a), 3 * np.exp(-b)))
        / (2 * step)
        for a, b in ((step, 0), (0, step))
    ]
    assert gradient == pytest.approx(expected, rel=1e-5)


def test_values_alone_equal_those_with_gradients(model):
    theta = model.typical + np.array([[0.1, 0.2], [0, -0.3]])
    alone = model.quantity_values(theta)
    for name, (value, _) in model.quantities(theta).items():
        assert alone[name] == pytest.approx(value)


def test_an_infusion_counts_from_its_day_on(model):
    # days 0 and 10, three days late; a sample on the very day is taken before it
    level = model.course([2.9, 3.0, 3.1, 12.9, 13.0, 13.1])["flow"].to_numpy()
    assert level[[0, 1]] == pytest.approx(0, abs=1e-290)
    assert level[2] == pytest.approx(5 * np.exp(-0.02))
    assert level[4] == pytest.approx(5 * np.exp(-0.2 * 10))
    assert level[5] == pytest.approx(5 * np.exp(-0.2 * 10.1) + 2 * np.exp(-0.02))


def test_no_jump_is_lost_to_rounding(model):
    rng = np.random.default_rng(1)
    theta = model.typical + 0.3 * rng.normal(size=(300, 2))
    value, gradient = model.quantities(theta)["auc_0_28"]
    alpha, lag = np.exp(theta).T
    expected = [area(*pair) for pair in zip(alpha, lag, strict=True)]
    assert value == pytest.approx(expected, rel=1e-6)
    # by log lag, each infusion loses its level of day 28
    levels = 5 * np.exp(-alpha * (28 - lag)) + 2 * np.exp(-alpha * (18 - lag))
    assert gradient[:, 1] == pytest.approx(-lag * levels, rel=1e-4, abs=1e-7)


def test_a_jump_of_the_assay_itself_moves_the_area(tmp_path):
    # the level doubles at day dip: the area moves by the level there
    path = tmp_path / "doubled.toml"
    text = TEXT.replace('is = "E"', 'is = "E if t < dip else 2*E"').replace(
        "[infusions]",
        'dip = { value = 12, unit = "day", iiv_sd = 0.3 }\n[infusions]',
    )
    path.write_text(text, encoding="utf-8")
    jumping = ck.load_model(path)
    _, gradient = jumping.quantities(jumping.typical)["auc_0_28"]
    there = 5 * np.exp(-0.2 * 9)
    assert gradient[2] == pytest.approx(-12 * there, rel=1e-5)


def test_the_area_is_under_the_level_that_is_asked_for():
    model = ck.load_model("kimmel_2021_axicel")
    days = np.linspace(0, 28, 2801)
    for name in ("car", "lymphocytes"):
        levels = np.exp(model.log_level(model.typical, days, observed=name))
        found = model.quantity_values(model.typical, observed=name)["auc_0_28"]
        assert found == pytest.approx(np.trapezoid(levels, days), rel=1e-4)


def test_marks_are_switches_infusions_and_places_about_gates():
    smooth = ck.load_model("stein_2019_smooth_peak")
    centre, width = (
        smooth.formula(node) for node in (smooth.gates[0].centre, smooth.gates[0].width)
    )
    marks = np.sort(smooth.marks(smooth.typical))
    assert np.allclose((marks - centre) / width, [-16, -4, 0, 4, 16])
    model = ck.load_model("kimmel_2021_axicel")
    inputs = model.inputs(infusions=[(0, 1.8e8), (90, 1.8e8)])
    assert {0.0, 90.0} <= set(model.marks(model.typical, inputs=inputs).tolist())
