"""The smooth peak: numbers computed for typical Stein patients, independently of this
package, at four widths of the gate; and its limit, Stein 2019."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import cellpk as ck

SMOOTH = ck.load_model("stein_2019_smooth_peak")
STEIN = ck.load_model("stein_2019_tisagenlecleucel")


@pytest.mark.parametrize(
    ("width", "area", "start"),
    [
        (0.05, 175_700, 6.8),
        (0.25, 190_300, 10.1),
        (0.5, 206_800, 16.5),
        (1.0, 235_900, 44.2),
    ],
)
def test_area_and_start_at_each_width(width, area, start):
    model = SMOOTH.with_values(w=width)
    computed = float(model.quantities(model.typical)["auc_0_28"][0])
    assert round(computed, -2) == area
    assert round(float(model.curve([0])[0]), 1) == start


def test_the_file_says_that_it_is_not_published():
    assert "unpublished" in SMOOTH.title
    assert SMOOTH.parameters["w"].fixed
    assert SMOOTH.parameters["w"].value == 0.5
    assert "cellpk" in SMOOTH.parameters["w"].source
    assert "Stein" in SMOOTH.parameters["cmax"].source


@pytest.mark.parametrize("width", [0.05, 0.5, 1.0])
def test_effector_cells_peak_at_tmax_with_cmax(width):
    found = minimize_scalar(
        lambda t: -SMOOTH.curve([t], w=width, fb=1e-12)[0],
        bounds=(7, 12),
        method="bounded",
        options={"xatol": 1e-8},
    )
    assert found.x == pytest.approx(9.3, abs=1e-4)
    assert -found.fun == pytest.approx(24_000, rel=1e-8)


def test_a_narrow_gate_tends_to_the_switch():
    times = np.array([0, 4, 8, 9, 9.6, 10, 14, 28, 90, 365])
    gaps = [
        np.abs(np.log(SMOOTH.curve(times, w=w) / STEIN.curve(times))).max()
        for w in (0.1, 0.01, 0.001)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 2.1e-3
    wide, narrow = (
        SMOOTH.with_values(w=w).quantities(STEIN.typical)["auc_0_28"][0]
        for w in (1e-3, 1e-4)
    )
    target = STEIN.quantities(STEIN.typical)["auc_0_28"][0]
    assert (narrow - target) / (wide - target) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("width", [0.01, 0.05, 0.25, 1.0, 3.0])
def test_memory_like_cells_hold_at_any_width(width):
    """The rate of M at late times, by differences of the closed form."""
    model = SMOOTH.with_values(w=width)
    values = {name: float(x) for name, x in model.natural(model.typical).items()}
    times = np.array([60.0, 120.0, 365.0])
    step = 1e-3
    up, down = model.curve(times + step), model.curve(times - step)
    effector = model.curve(times, fb=1e-300)
    memory = model.curve(times) - effector
    expected = [
        model.equations.slopes(*pair, values).sum()
        for pair in zip(times, np.stack([effector, memory], axis=1), strict=True)
    ]
    assert (up - down) / (2 * step) == pytest.approx(expected, rel=1e-6)


def test_faster_loss_of_memory_than_of_effector_cells_stays_sensible():
    times = np.linspace(0, 100, 21)
    levels = SMOOTH.curve(times, beta=0.3, alpha=0.1)
    assert (levels > 0).all()
    near = SMOOTH.curve(times, beta=0.1 + 1e-9, alpha=0.1)
    assert near == pytest.approx(SMOOTH.curve(times, beta=0.1 - 1e-9, alpha=0.1))
