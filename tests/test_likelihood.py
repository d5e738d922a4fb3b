"""What each state of a sample says of the log level."""

import numpy as np
import pandas as pd
import pytest

from cellpk.fit.likelihood import evidence

INF = np.inf

ROWS = pd.DataFrame(
    {
        "state": ["quantified", "detected", "detected", "below", "above", "missing"],
        "level": [100.0, 7.0, np.nan, np.nan, np.nan, np.nan],
        "llod": [2.0, 5.0, np.nan, 5.0, 5.0, 5.0],
        "lloq": [10.0, 10.0, 10.0, 10.0, 10.0, 10.0],
        "uloq": [1e5, 1e5, 1e5, 1e5, 1e5, 1e5],
    },
    index=[3, 4, 5, 8, 9, 10],
)


def test_each_state_says_its_range_of_the_log_level():
    said, left_out = evidence(ROWS)
    low, high = np.exp(said.low), np.exp(said.high)
    assert low == pytest.approx([100, 5, 0, 0, 1e5])
    assert high == pytest.approx([100, 10, 10, 10, INF])
    assert list(left_out) == ["", "", "", "", "", "missing"]
    assert list(left_out.index) == list(ROWS.index)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("below", "below a limit that is not known: no information"),
        ("detected", "below a limit that is not known: no information"),
        ("above", "above a limit that is not known: no information"),
        ("quantified", "no positive level"),
        ("missing", "missing"),
    ],
)
def test_a_sample_that_says_nothing_is_left_out_with_its_reason(state, reason):
    row = pd.DataFrame({"state": [state], "level": np.nan, "llod": np.nan})
    said, left_out = evidence(row.assign(lloq=np.nan, uloq=np.nan))
    assert said.low.size == 0
    assert list(left_out) == [reason]
