"""What each state of a sample says of the log level."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from cellpk.fit.likelihood import evidence
from cellpk.fit.residual_error import ResidualError, log_likelihood

INF = np.inf

ROWS = pd.DataFrame(
    {
        "assay": "qpcr",
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
    assert high == pytest.approx([100, 10, 10, 5, INF])
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
    row = pd.DataFrame(
        {"assay": "qpcr", "state": [state], "level": np.nan, "llod": np.nan}
    )
    said, left_out = evidence(row.assign(lloq=np.nan, uloq=np.nan))
    assert said.low.size == 0
    assert list(left_out) == [reason]


def test_below_is_not_detected_only_where_the_assay_tells_the_detected():
    rows = pd.DataFrame(
        {
            "assay": ["qpcr", "qpcr", "flow", "flow", "ddpcr"],
            "state": ["detected", "below", "below", "quantified", "detected"],
            "level": [np.nan, np.nan, np.nan, 30.0, np.nan],
            "llod": [5.0, 5.0, 5.0, 5.0, 10.0],
            "lloq": 10.0,
            "uloq": np.nan,
        }
    )
    said, _ = evidence(rows)
    assert np.exp(said.low) == pytest.approx([5, 0, 0, 30, 0])
    assert np.exp(said.high) == pytest.approx([10, 5, 10, 30, 10])


def test_levels_between_the_limits_come_back_without_bias():
    """All levels are known to lie in three ranges: the mean of logs is recovered."""
    rng = np.random.default_rng(1)
    level = np.exp(rng.normal(np.log(12.0), 1.0, 4000))
    state = np.select([level < 5, level < 10], ["below", "detected"], "quantified")
    rows = pd.DataFrame(
        {
            "assay": "qpcr",
            "state": state,
            "level": np.where(state == "quantified", level, np.nan),
            "llod": 5.0,
            "lloq": 10.0,
            "uloq": np.nan,
        }
    )
    said, _ = evidence(rows)
    error = ResidualError("lognormal", {"sd": 1.0})

    def loss(mean):
        return -log_likelihood(np.full(len(rows), mean), said, error).sum()

    found = minimize_scalar(loss, bracket=(1.0, 4.0)).x
    assert found == pytest.approx(np.log(12.0), abs=0.05)
