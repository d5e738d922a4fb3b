import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpk.reporting.statistics import summarise


def test_geometric_cv_is_the_closed_form():
    sd = 0.8
    logs = np.log(500) + sd * np.array([-1, 0, 1])  # sample SD of these is sd
    found = summarise(np.exp(logs))
    assert found.geometric_mean == pytest.approx(500)
    assert found.geometric_cv == pytest.approx(100 * np.sqrt(np.exp(sd**2) - 1))


def test_values_worked_by_hand():
    found = summarise([2.0, 4.0, 8.0, 16.0])
    assert found.geometric_mean == pytest.approx(2**2.5)
    assert found.geometric_cv == pytest.approx(110.78, abs=0.01)  # s2 = (ln 2)^2 * 5/3
    assert (found.mean, found.median) == (7.5, 6.0)
    assert found.sd == pytest.approx(6.1914, abs=1e-4)


def test_patient_with_nothing_quantified_counts_in_n_but_not_in_geometric_mean():
    found = summarise([0.0, 10.0, 10.0, 1000.0])
    assert (found.n, found.n_quantified, found.minimum) == (4, 3, 0.0)
    assert found.geometric_mean == pytest.approx((10 * 10 * 1000) ** (1 / 3))


def test_not_calculable_value_does_not_count():
    assert summarise([np.nan, 1.0, 2.0, 3.0]).n == 3


def test_fewer_than_three_values_are_listed():
    found = summarise([12.0, 3.4])
    assert np.isnan(found.geometric_mean)
    assert found.geometric("level") == "3.40; 12.0"
    assert found.arithmetic("level") == "–"
    assert found.middle("day") == "–"
    assert found.middle("day", first=True) == "3.4; 12.0"


def test_no_geometric_mean_of_fewer_than_three_quantified():
    found = summarise([0.0, 0.0, 5.0, 7.0])
    assert found.geometric("level") == "–"
    assert found.middle("level") == "2.50 (0, 7.00)"


@given(st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=20), st.floats(1e-2, 1e2))
def test_geometric_mean_scales_and_cv_does_not(values, factor):
    one, other = summarise(values), summarise(np.array(values) * factor)
    assert other.geometric_mean == pytest.approx(one.geometric_mean * factor)
    assert other.geometric_cv == pytest.approx(one.geometric_cv, abs=1e-4, rel=1e-6)
