"""The benchmark of individual fits runs, and both ways find the same fits."""

import numpy as np
import pytest
from individual import Plain, agreement, contest, made


def test_the_plain_way_solves_the_same_model():
    stein, _ = made(2)
    days = np.array([2.0, 7, 9, 14, 28, 90, 360])
    found = Plain(stein.typical, stein.spread).log_levels(stein.typical, days)
    np.testing.assert_allclose(found, stein.log_level(stein.typical, days), atol=1e-4)


@pytest.mark.slow
def test_both_ways_find_the_same_fits():
    stein, study = made(40)
    names = ["V0003", "V0004", "V0005"]  # with the prior
    plain, ours = agreement(stein, study, names)
    assert (ours < plain + 1e-3).all()
    np.testing.assert_allclose(ours, plain, atol=0.1)


@pytest.mark.slow
def test_the_contest_has_a_row_for_each_way():
    table = contest(patients=20, drawn=10, plain=1, starts=2)
    assert len(table) == 4
    assert (table["ratio"] > 0).all()
