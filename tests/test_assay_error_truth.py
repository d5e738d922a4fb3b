"""How often intervals hold the true metric, on simulated profiles with known truth."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.assay_error import metric_intervals

DAYS = {
    6: np.array([3.0, 7, 14, 21, 28, 56]),
    8: np.array([1.0, 4, 7, 10, 14, 21, 28, 60]),
    14: np.array([1.0, 3, 5, 7, 9, 11, 14, 17, 21, 24, 28, 42, 60, 90]),
}
BELOW = 0.3


def peaked(days, patients, rng):
    return np.tile(1e4 * np.exp(-0.35 * np.abs(days - 10)), (patients, 1))


def twice(days, patients, rng):
    peaks = np.exp(-0.3 * np.abs(days - 7)) + np.exp(-0.3 * np.abs(days - 21))
    return np.tile(1e4 * peaks, (patients, 1))


def plateau(days, patients, rng):
    off = np.maximum(np.maximum(6 - days, days - 22), 0)
    return np.tile(1e4 * np.exp(-0.3 * off), (patients, 1))


def stein(days, patients, rng):
    model = ck.load_model("stein_2019_tisagenlecleucel")
    spread = model.spread * rng.standard_normal((patients, len(model.free)))
    return np.exp(model.log_level(model.typical + spread, days))


def study(days, levels, lloq):
    """Make a study of levels (patients, samples) with a limit for each patient."""
    patients, samples = levels.shape
    names = np.array([f"P{i:04}" for i in range(patients)])
    frame = {
        "patient": np.repeat(names, samples),
        "time": np.tile(days, patients),
        "level": levels.ravel(),
        "lloq": np.repeat(lloq, samples),
    }
    return ck.Study.from_frames(pd.DataFrame(frame).assign(assay="qpcr"))


def held(shape, samples, cv, *, patients, draws, level=0.9):
    """Shares of intervals of Cmax and AUC0-28d that hold the true value."""
    rng = np.random.default_rng([samples, round(100 * cv)])
    days = DAYS[samples]
    true = shape(days, patients, rng)
    error = np.sqrt(np.log1p(cv**2)) * rng.standard_normal(true.shape)
    lloq = np.quantile(true, BELOW, axis=1) * 1.0001
    seen = study(days, true * np.exp(error), lloq)
    found = metric_intervals(seen, error=cv, draws=draws, level=level)
    truth = ck.nca(study(days, true, lloq)).table.set_index("patient")
    shares = {}
    for metric, rows in found.groupby("metric"):
        known = truth.loc[rows["patient"], metric].to_numpy()
        assert (rows["reason"] == "").mean() > 0.99
        shares[metric] = ((rows["low"] <= known) & (known <= rows["high"])).mean()
    return shares


@pytest.mark.parametrize("shape", [peaked, plateau], ids=lambda shape: shape.__name__)
def test_intervals_of_ninety_percent_hold_the_truth_in_about_so_many(shape):
    # Of 600, 1.2 % is the standard error of a share of 90 %.
    shares = held(shape, 8, 0.25, patients=600, draws=400)
    assert 0.87 <= shares["auc_0_28"] <= 0.93
    assert 0.87 <= shares["cmax"] <= 0.97


def test_intervals_of_half_hold_the_truth_in_about_half():
    shares = held(stein, 8, 0.25, patients=600, draws=400, level=0.5)
    assert shares["auc_0_28"] == pytest.approx(0.5, abs=0.06)
    assert 0.45 <= shares["cmax"] <= 0.65


@pytest.mark.slow
@pytest.mark.parametrize("cv", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("samples", [6, 8, 14])
@pytest.mark.parametrize("shape", [peaked, twice, plateau, stein])
def test_the_table_of_the_documentation(shape, samples, cv):
    shares = held(shape, samples, cv, patients=1500, draws=400)
    assert 0.87 <= shares["auc_0_28"] <= 0.95
    assert 0.88 <= shares["cmax"] <= 0.97
