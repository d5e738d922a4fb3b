"""The benchmark of reading runs, and what it reads is the whole study."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from reading import contest, measured


def test_every_sample_of_the_benchmark_is_read_and_none_is_doubtful():
    (row,) = contest(patients=50).to_dict("records")
    assert row["used"] == 50 * 20 * 3
    assert row["problems"] == 0


@pytest.mark.slow
def test_ten_thousand_patients_fit_into_two_gigabytes():
    (row,) = contest().to_dict("records")
    assert row["used"] == 10_000 * 20 * 3
    assert row["GB"] < 2


@pytest.mark.slow
def test_ten_million_rows_are_read_and_none_is_lost(tmp_path):
    patients, visits = 500_000, 20
    rng = np.random.default_rng(1)
    times = np.tile(np.arange(1.0, visits + 1), patients)
    columns = {
        "patient": np.repeat(np.arange(patients), visits),
        "time": times,
        "level": np.fmax(rng.lognormal(5, 1, times.size).round(1), 0.1),
    }
    csv.write_csv(pa.table(columns), tmp_path / "samples.csv")
    (tmp_path / "study.toml").write_text(
        '[study]\nid = "A"\ninfusion_day = 0\n'
        '[[samples]]\nfile = "samples.csv"\nassay = "flow"\n'
    )
    found = measured("cellpk", tmp_path)
    assert found["used"] == found["rows"] == patients * visits
