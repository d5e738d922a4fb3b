"""The tableau meets its order conditions, and one step has its order."""

import numpy as np
import pytest

from cellpk.model.compile.esdirk import ERRORS, GAMMA, STAGES, TIMES, layout

LAST, EMBEDDED = STAGES[5], STAGES[5] - ERRORS

ONE, C = np.ones(6), TIMES


def conditions():
    """Trees up to order 4 (Hairer, Norsett & Wanner 1993, table II.2.1)."""
    yield 1, ONE, 1
    yield 2, C, 1 / 2
    yield 3, C**2, 1 / 3
    yield 3, STAGES @ C, 1 / 6
    yield 4, C**3, 1 / 4
    yield 4, C * (STAGES @ C), 1 / 8
    yield 4, STAGES @ C**2, 1 / 12
    yield 4, STAGES @ (STAGES @ C), 1 / 24


@pytest.mark.parametrize(("order", "tree", "value"), list(conditions()))
def test_weights_meet_the_order_conditions(order, tree, value):
    assert LAST @ tree == pytest.approx(value, abs=1e-14)
    if order < 4:
        assert EMBEDDED @ tree == pytest.approx(value, abs=1e-14)


def test_the_embedded_weights_are_of_order_three_only():
    assert abs(EMBEDDED @ C**3 - 1 / 4) > 1e-3


def test_stages_are_consistent():
    np.testing.assert_allclose(STAGES.sum(axis=1), TIMES, atol=1e-15)
    np.testing.assert_allclose(np.diag(STAGES), [0, *[GAMMA] * 5])
    assert not np.triu(STAGES, 1).any()


def test_what_decays_fast_is_gone_after_a_step():
    """Stability function R(z) = 1 + z b (I - z A)^-1 1 tends to 0: L-stable."""
    for z in (-1e3, -1e6):
        inner = np.linalg.solve(np.eye(6) - z * STAGES, ONE)
        assert abs(1 + z * LAST @ inner) < 10 / abs(z)


def test_a_record_has_room_for_a_model_without_free_parameters():
    record = np.zeros(1, layout(2, 0, 3))[0]
    assert record["dx"].shape == (2, 1)
    assert record["jx"].shape == (2, 2)
