"""States pass between their log and themselves without loss."""

import numpy as np
import pytest

from cellpk.model.compile.esdirk import layout
from cellpk.model.compile.modes import change_modes, from_states, to_states


@pytest.fixture
def work():
    record = np.zeros(1, layout(3, 2, 1)).view(np.recarray)[0]
    record.x[:] = [2.0, 1e-200, 0.0]
    record.dx[:] = [[3.0, 0.0], [1e-200, 5e-200], [7.0, 0.0]]
    record.logged[:] = [1, 1, 0]
    from_states(record)
    return record


def test_states_and_sensitivities_come_back(work):
    np.testing.assert_allclose(work.z, [np.log(2), np.log(1e-200), 0])
    np.testing.assert_allclose(work.dz, [[1.5, 0], [1, 5], [7, 0]])
    work.x[:], work.dx[:] = -1, -1
    to_states(work)
    np.testing.assert_allclose(work.x, [2, 1e-200, 0], rtol=1e-13)
    np.testing.assert_allclose(work.dx, [[3, 0], [1e-200, 5e-200], [7, 0]], rtol=1e-13)


def test_what_died_out_is_zero_and_depends_on_nothing(work):
    work.z[1] = np.log(1e-261)
    assert change_modes(work, 0.1)
    assert work.logged.tolist() == [1, 0, 0]
    assert work.z[1] == 0
    assert not work.dz[1].any()


def test_what_has_grown_is_stepped_as_its_log(work):
    work.z[2], work.f[2] = 5.0, 10.0
    assert not change_modes(work, 1.0)  # it would triple within the step
    assert change_modes(work, 0.1)
    assert work.logged.tolist() == [1, 1, 1]
    assert work.z[2] == np.log(5)
    np.testing.assert_allclose(work.dz[2], [7 / 5, 0])


def test_the_slightly_negative_counts_as_zero(work):
    work.z[2] = -1e-12
    to_states(work)
    assert work.x[2] == 0
