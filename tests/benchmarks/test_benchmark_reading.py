"""The benchmark of reading runs, and what it reads is the whole study."""

import pytest
from reading import contest


def test_every_sample_of_the_benchmark_is_read_and_none_is_doubtful():
    (row,) = contest(patients=50).to_dict("records")
    assert row["used"] == 50 * 20 * 3
    assert row["problems"] == 0


@pytest.mark.slow
def test_ten_thousand_patients_fit_into_two_gigabytes():
    (row,) = contest().to_dict("records")
    assert row["used"] == 10_000 * 20 * 3
    assert row["GB"] < 2
