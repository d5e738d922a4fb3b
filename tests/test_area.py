"""Areas are exact at switches and gates, wherever these fall."""

import numpy as np
import pytest

from cellpk.model.area import GATE_MARKS, area
from cellpk.model.sensitivity import Quantity, constant


def mark(value):
    """A switch time that is itself the only parameter."""
    return Quantity(np.array([value]), np.ones((1, 1)))


def ramp_down(switch):
    """1 until the switch, then 2: its area to day 10 is 20 minus the switch."""

    def level(time):
        return constant(np.where(time.value < switch, 1.0, 2.0))

    return level


@pytest.mark.parametrize("switch", [0.0, 1e-9, 3.3, 9.99])
def test_a_jump_is_met_exactly(switch):
    found = area(ramp_down(switch), [mark(switch)], 10)
    assert found.value == pytest.approx([20 - switch], rel=1e-14)


def test_a_switch_within_the_window_moves_the_area():
    found = area(ramp_down(3.3), [mark(3.3)], 10)
    assert found.gradient == pytest.approx(np.array([[-1.0]]), rel=1e-12)


@pytest.mark.parametrize("switch", [-2.0, 10.0, 40.0])
def test_a_switch_outside_the_window_does_not_move_it(switch):
    found = area(ramp_down(switch), [mark(switch)], 10)
    assert found.value == pytest.approx([10.0 if switch > 0 else 20.0])
    assert found.gradient == pytest.approx(np.array([[0.0]]))


def test_patients_with_switches_in_another_order_are_sorted_each():
    early, late = np.array([[2.0], [7.0]]), np.array([[5.0], [4.0]])

    def level(time):
        return constant((time.value > early) + (time.value > late) * 1.0)

    found = area(level, [constant(early), constant(late)], 10)
    assert found.value == pytest.approx(np.array([[13.0], [9.0]]))


@pytest.mark.parametrize("width", [1e-3, 0.05, 0.5, 3.0])
def test_a_gate_of_any_width_is_met(width):
    def level(time):
        return constant(width * np.logaddexp(0, (time.value - 4) / width))

    marks = [constant([4 + place * width]) for place in GATE_MARKS]
    fine = np.linspace(0, 10, 400_001)
    expected = np.trapezoid(level(constant(fine)).value, fine)
    assert area(level, marks, 10).value == pytest.approx([expected], rel=1e-8)
