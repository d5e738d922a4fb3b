"""The text of a closed form, run by Python itself, gives levels worked out by hand."""

import importlib.util

import numpy as np
import pytest

from cellpk.model.compile.closed import closed_text
from cellpk.model.compile.module_text import JIT
from cellpk.model.equations import read_equations
from cellpk.model.expression import parse

TEXTS = {
    "equations": """
        rate = log(2)/half
        E(0) = start
        dE/dt = 0 if t < day else -rate*E
    """,
    "solution": "E = start if t < day else start*exp(-rate*(t - day))",
}
KNOWN = ["start", "half", "scale", "day"]
FREE = ["half", "start"]
P = np.array([[100.0, 2.0, 0.5, 3.0], [1e-250, 1.0, 1.0, 0.0], [np.nan, 1.0, 1.0, 0.0]])
TIMES = np.array([[0.0, 3.0, 5.0]])


@pytest.fixture(scope="module")
def text():
    equations = read_equations(TEXTS, parameters=KNOWN)
    levels = [parse("E"), parse("scale*E")]
    return closed_text(equations, levels, known=KNOWN, free=FREE)


@pytest.fixture(scope="module")
def module(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("closed") / "closed_by_hand.py"
    path.write_text(text.replace(JIT, ""), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def results(module, which, p, times=TIMES):
    out, jac = np.empty((len(p), times.shape[1])), np.empty((len(p), times.shape[1], 2))
    module.gradients(which, p, times, out, jac)
    values = np.empty_like(out)
    module.values(which, p, times, values)
    np.testing.assert_array_equal(values, out)
    return out, jac


@pytest.mark.parametrize(("which", "factor"), [(0, 1.0), (1, 0.5)])
def test_each_assay_gives_its_log_level_and_slopes(module, which, factor):
    out, jac = results(module, which, P[:1])
    assert np.exp(out) == pytest.approx(factor * np.array([[100, 100, 50]]), rel=1e-14)
    # by half-life: log(2)*(t - day)/half**2; by the start: 1/start
    assert jac[0, :, 0] == pytest.approx([0, 0, np.log(2) * 2 / 4], rel=1e-14)
    assert jac[0, :, 1] == pytest.approx([0.01] * 3, rel=1e-14)


def test_a_level_beyond_the_limits_is_held_and_has_no_slope(module):
    times = np.array([[0.0, 100.0, 300.0]])
    out, jac = results(module, 0, P[1:2], times)
    assert out[0, 2] == np.log(1e-300)
    assert jac[0, 2].tolist() == [0, 0]
    assert out[0, 1] > np.log(1e-300)
    assert jac[0, 1].all()
    with np.errstate(over="ignore"):
        out, jac = results(module, 1, np.array([[1e200, 1.0, 1e150, 0.0]]))
    assert out.tolist() == [[np.log(1e300)] * 3]
    assert not jac.any()


def test_a_number_that_is_none_stays_none_and_has_no_slope(module):
    out, jac = results(module, 0, P[2:])
    assert np.isnan(out[0, 1:]).all()
    assert not jac.any()


def test_each_patient_can_have_times_of_its_own(module):
    p = P[[0, 0]]
    times = np.array([[0.0, 3.0, 5.0], [5.0, 7.0, 9.0]])
    out, _ = results(module, 0, p, times)
    assert np.exp(out[1]) == pytest.approx([50, 25, 12.5], rel=1e-14)


def test_what_does_not_move_with_time_stands_before_the_loop_over_times(text):
    before, _, after = text.partition("for j in")
    assert "math.log(2.0)" in before
    assert "math.log(2.0)" not in after.partition("def ")[0]
