"""Patients as rows of plain arrays, whatever the shapes they came in."""

from types import SimpleNamespace

import numpy as np
import pytest

import cellpk as ck
from cellpk.model.compile.vectors import read_patients

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def patients(theta, times, model=STEIN, **covariates):
    return read_patients(
        model, theta, times, inputs=SimpleNamespace(fixed=lambda: covariates)
    )


def test_natural_values_stand_in_the_order_of_the_file():
    found = patients(STEIN.typical, [7, 14])
    assert found.shape == ()
    assert found.times.tolist() == [[7, 14]]
    expected = [row.value for row in STEIN.parameters.values()]
    assert found.values[0] == pytest.approx(expected, rel=1e-14)


def test_the_slope_of_a_parameter_on_the_log_scale_is_its_value():
    found = patients(STEIN.typical, [7])
    np.testing.assert_array_equal(found.slopes, found.values)


def test_leading_axes_become_rows_and_times_follow():
    theta = np.broadcast_to(STEIN.typical, (3, 1, 6))
    found = patients(theta, np.ones((2, 4)))
    assert found.shape == (3, 2)
    assert found.values.shape == (6, 6)
    assert found.times.shape == (6, 4)


def test_arrays_are_as_compiled_code_was_compiled_for():
    """Another layout, or an array that cannot be written, would be compiled anew."""
    times = np.broadcast_to(7.0, (3,))
    found = patients(np.broadcast_to(STEIN.typical, (3, 6)), times)
    for array in (found.values, found.slopes, found.times):
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_fixed_covariates_follow_the_parameters():
    rows = {
        "weight": SimpleNamespace(steps=False),
        "wbc": SimpleNamespace(steps=True),
        "age": SimpleNamespace(steps=False),
    }
    model = SimpleNamespace(
        natural=STEIN.natural,
        parameters=STEIN.parameters,
        free=STEIN.free,
        covariates=rows,
    )
    found = patients(STEIN.typical, [7], model, weight=80.0, age=np.array([7.0, 9.0]))
    assert found.shape == (2,)
    assert found.values[:, -2:].tolist() == [[80, 7], [80, 9]]
