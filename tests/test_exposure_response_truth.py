"""Simulated trials with known truth: what the analysis gets right, and how often."""

import logistic_grid as grid
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from cellpk.outcomes.censoring import normal_nodes
from cellpk.outcomes.exposures import Exposures

N, LIMIT, SPREAD = 40, -0.35, 0.6  # 28 % of exposures are below the limit
TRIALS = 80


def trial(rng, slope):
    x = rng.normal(0, SPREAD, N)
    return x, rng.random(N) < expit(slope * x)


def ours(x):
    """Nodes as cellpk makes them from what an assay with a limit would report."""
    seen = x >= LIMIT
    level = np.where(seen, 10**x, np.nan)
    table = pd.DataFrame(
        {
            "patient": [str(n) for n in range(len(x))],
            "exposure": level,
            "low": np.where(seen, level, 0.0),
            "high": np.where(seen, level, 10**LIMIT),
            "below": ~seen,
            "sd": 0.0,
            "doubtful": False,
        }
    )
    some = Exposures(table, table[:0], name="cmax", assay="qpcr", unit="copies/ug")
    nodes, weight = some.nodes(table["patient"].tolist())
    return list(zip(nodes, weight, strict=True))


def analysed(slope, methods):
    rng = np.random.default_rng(round(1000 + 10 * slope))
    found = {name: [] for name in methods}
    for _ in range(TRIALS):
        x, event = trial(rng, slope)
        for name, method in methods.items():
            exposures, kept = method(x)
            answer = grid.posterior(exposures, event[kept])
            ends = answer.quantile(0.025), answer.quantile(0.975)
            found[name].append((answer.mean, answer.sd, *ends, answer.pr_positive))
    columns = ["mean", "sd", "low", "high", "positive"]
    return {name: pd.DataFrame(rows, columns=columns) for name, rows in found.items()}


def as_censored(x):
    return ours(x), np.ones(N, bool)


def without_the_censored(x):
    return [grid.exactly(v) for v in x[x >= LIMIT]], x >= LIMIT


@pytest.fixture(scope="module")
def trials():
    methods = {"censored": as_censored, "dropped": without_the_censored}
    return {slope: analysed(slope, methods) for slope in (0.0, 2.0)}


def coverage(rows, slope):
    return ((rows["low"] < slope) & (slope < rows["high"])).mean()


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_intervals_hold_the_true_slope(trials, slope):
    assert coverage(trials[slope]["censored"], slope) > 0.90


@pytest.mark.slow
def test_a_slope_of_zero_is_seldom_called_positive(trials):
    called = trials[0.0]["censored"]["positive"]
    assert (called > 0.975).mean() < 0.06
    assert (called < 0.025).mean() < 0.06


@pytest.mark.slow
def test_censored_patients_add_to_what_is_known(trials):
    rows = trials[2.0]
    error = {name: np.sqrt(((r["mean"] - 2) ** 2).mean()) for name, r in rows.items()}
    assert error["censored"] < 0.9 * error["dropped"]
    assert rows["censored"]["sd"].mean() < 0.9 * rows["dropped"]["sd"].mean()
    assert abs(rows["censored"]["mean"].mean() - 2) < 0.25
    found = {name: (r["positive"] > 0.975).mean() for name, r in rows.items()}
    assert found["censored"] > 1.5 * found["dropped"]


@pytest.mark.slow
def test_error_of_the_exposure_hides_a_slope_unless_it_is_integrated():
    """Measured with an SD of 0.4 decades; a fit gives its posterior, as MAP does."""
    rng = np.random.default_rng(99)
    share = SPREAD**2 / (SPREAD**2 + 0.4**2)
    sd = np.full(N, 0.4 * np.sqrt(share))
    wide = {"low": np.full(N, -np.inf), "high": np.full(N, np.inf)}
    found = {"measured": [], "integrated": []}
    for _ in range(TRIALS):
        x, event = trial(rng, 2.0)
        measured = x + rng.normal(0, 0.4, N)
        exposures = {
            "measured": [grid.exactly(value) for value in measured],
            "integrated": zip(*normal_nodes(share * measured, sd, **wide), strict=True),
        }
        for name, answers in found.items():
            answer = grid.posterior(exposures[name], event)
            ends = answer.quantile(0.025), answer.quantile(0.975)
            answers.append((answer.mean, *ends))
    columns = ["mean", "low", "high"]
    rows = {name: pd.DataFrame(each, columns=columns) for name, each in found.items()}
    assert rows["measured"]["mean"].mean() < 1.7
    assert coverage(rows["measured"], 2.0) < 0.87
    assert 1.9 < rows["integrated"]["mean"].mean() < 2.6
    assert coverage(rows["integrated"], 2.0) > 0.93
