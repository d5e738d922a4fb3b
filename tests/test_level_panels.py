import numpy as np
import pandas as pd

from cellpk.reporting.figures.level_panels import draw_course, plain, unit_label
from cellpk.reporting.figures.style import sheet


def drawn(levels):
    _, axes = sheet(3, 3, simulated=False)
    days = np.arange(len(levels), dtype=float)
    curve = pd.DataFrame({"time": days, "typical": levels})
    draw_course(axes[0, 0], curve, until=days[-1])
    return axes[0, 0]


def ticks(axes):
    low, high = axes.get_ylim()
    write = axes.yaxis.get_major_formatter()
    return [write(x) for x in axes.yaxis.get_majorticklocs() if low <= x <= high]


def test_high_levels_have_powers_of_ten_on_the_axis():
    assert ticks(drawn([1e6, 1e9])) == ["10⁶", "10⁷", "10⁸", "10⁹"]


def test_moderate_levels_have_plain_digits():
    assert ticks(drawn([10.0, 20000.0])) == ["10", "100", "1,000", "10,000", "100,000"]


def test_an_axis_never_has_more_than_seven_powers():
    assert 3 <= len(ticks(drawn([1e-6, 1e6]))) <= 7


def test_a_level_that_dies_out_does_not_stretch_the_axis():
    assert drawn([100.0, 1e-9, 0.0]).get_ylim()[0] >= 1e-3


def test_a_level_that_stays_0_is_said_to_be_0():
    axes = drawn([0.0, 0.0])
    assert [text.get_text() for text in axes.texts] == ["0 throughout"]


def test_numbers_of_a_model_are_short():
    assert [plain(x) for x in (0.5, 1e10, 3e-7)] == ["0.5", "1e10", "3e-07"]


def test_units_are_printed_with_raised_powers():
    assert unit_label("1e-15 pg/uL/cells**2/day") == "10⁻¹⁵ pg/µL/cells²/day"
