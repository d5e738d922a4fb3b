"""The best fit from many starts, on smooth curves and on curves with corners."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import differential_evolution

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.individual.corners import at_corners, switch_times
from cellpk.fit.individual.door import question
from cellpk.fit.individual.search import is_stationary, search
from cellpk.model.compile.kernel import ClosedKernel
from cellpk.model.levels import SMALLEST, Levels

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
TIMES = np.array([5.0, 8.0, 14.0, 21.0, 28.0])
CORNER = np.exp([np.nan, 5.0, 12.0, 10.0, 9.0])
"""Hardly there on day 8, high on day 14: the peak is day 14 itself."""

SMOOTH = np.exp(STEIN.log_level(STEIN.typical, TIMES) + 0.2)


def samples(levels, patient):
    frame = pd.DataFrame({"patient": patient, "time": TIMES, "level": levels})
    state = np.where(np.isnan(levels), "below", "quantified")
    return frame.assign(assay="qpcr", unit="copies/ug", lloq=100.0, state=state)


@pytest.fixture(scope="module")
def asked():
    both = pd.concat([samples(CORNER, "corner"), samples(SMOOTH, "smooth")])
    data = fit_data(STEIN, ck.Study.from_frames(both))
    return question(data, None, starts=16, seed=1), data


@pytest.fixture(scope="module")
def aim(asked):
    return asked[0].aim(asked[1])


@pytest.fixture(scope="module")
def best(asked, aim):
    return search(aim, asked[0].batch, 16)


@pytest.mark.parametrize("i", [0, 1], ids=["corner", "smooth"])
def test_the_search_finds_what_differential_evolution_finds(aim, best, i):
    alone = aim.of(np.array([i]))
    centre, sd = aim.mean[0], aim.reach
    bounds = np.stack([centre - 4 * sd, centre + 4 * sd], 1)
    reference = differential_evolution(
        lambda x: alone.values(x.T[:, None])[:, 0],
        bounds,
        vectorized=True,
        updating="deferred",
        popsize=20,
        maxiter=400,
        tol=1e-10,
        rng=1,
        polish=False,
    )
    assert best.value[i] <= reference.fun + 1e-4
    assert best.value[i] == pytest.approx(alone.values(best.theta[[i]])[0], abs=1e-9)
    assert best.reached[i] >= 2


def test_the_best_fit_of_a_steep_rise_lies_in_the_corner_at_the_sample(aim, best):
    peaks = switch_times(aim, best.theta)[:, 0]
    assert peaks[0] == pytest.approx(14, abs=1e-6)
    assert at_corners(aim, best.theta).tolist() == [True, False]


def test_optima_are_stationary_and_other_places_are_not(aim, best):
    assert is_stationary(aim, best.theta).all()
    assert not is_stationary(aim, best.theta + 0.1 * aim.reach).any()


def test_a_model_without_a_switch_has_no_corners(made_model):
    model = made_model()
    study = model.simulate(3, design=ck.Design([1, 5, 9, 20]), seed=1).study()
    data = fit_data(model, study)
    asked = question(data, None, starts=4, seed=1)
    found = search(asked.aim(data), asked.batch, 4)
    assert found.reached.tolist() == [4, 4, 4]


REASON = "the step fell below 1e-12 day on day 3.2"
solve = ClosedKernel.solve


def fail(monkeypatch, which):
    """Let the patients fail for whom ``which`` of theta holds."""

    def failing(kernel, theta, times, **settings):
        found, bad = solve(kernel, theta, times, **settings), which(np.asarray(theta))
        found.log_level[bad] = np.log(SMALLEST)
        if found.gradient is not None:
            found.gradient[bad] = 0.0
        reasons = tuple(REASON if no else None for no in bad.flat)
        return Levels(found.log_level, found.gradient, reasons)

    monkeypatch.setattr(ClosedKernel, "solve", failing)


def slow(theta):
    """Half of the places, far from the best fit."""
    return theta[..., STEIN.free.index("alpha")] < STEIN.typical[3] - 0.5


def all_of(theta):
    return np.ones(theta.shape[:-1], dtype=bool)


def test_a_search_finds_its_way_where_some_curves_fail(asked, aim, best, monkeypatch):
    fail(monkeypatch, slow)
    found = search(aim, asked[0].batch, 16)
    np.testing.assert_allclose(found.value, best.value, atol=1e-6)


@pytest.mark.parametrize("which", [slow, all_of])
def test_a_run_goes_on_and_gives_the_reason(monkeypatch, which):
    study = ck.Study.from_frames(samples(SMOOTH, "A"))
    fail(monkeypatch, which)
    row = ck.fit_individuals(STEIN, study).table.iloc[0]
    assert row["method"] == ("map" if which is slow else "none")
    assert (REASON in row["sentence"]) == (which is all_of)
