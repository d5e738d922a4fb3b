"""Curves that cannot be calculated are bad places, not the end of a fit."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.likelihood import Evidence
from cellpk.fit.objective import WORST, Objective
from cellpk.fit.optimise import search
from cellpk.fit.prior import prior_of
from cellpk.model.compile.kernel import ClosedKernel
from cellpk.model.levels import SMALLEST, Levels

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
PRIOR = prior_of(STEIN, [], observed="qpcr", unit="copies/ug")
TIMES = np.array([5.0, 8.0, 14.0, 21.0, 28.0])
SAID = Evidence(*np.tile(STEIN.log_level(STEIN.typical, TIMES) + 0.2, (2, 1)))
ASKED = Objective(STEIN, "qpcr", TIMES, SAID, PRIOR, sd=0.56, penalised=True)
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
    """Half of the patients, far from the best fit."""
    return theta[..., STEIN.free.index("alpha")] < PRIOR.centre[3] - 0.5


def all_of(theta):
    return np.ones(theta.shape[:-1], dtype=bool)


def test_levels_are_those_of_the_model_at_any_times():
    days = np.array([28.0, 7.0])
    found = ASKED.levels(STEIN.typical, days)
    assert found.log_level == pytest.approx(STEIN.log_level(STEIN.typical, days))


def test_a_curve_that_fails_is_the_worst_and_has_no_density(monkeypatch):
    fail(monkeypatch, slow)
    places = np.stack([STEIN.typical, STEIN.typical - 2 * np.eye(6)[3]])
    value, density = ASKED.value(places), ASKED.log_density(places)
    r, jacobian = ASKED.residuals(places)
    assert value == pytest.approx(np.square(r).sum(-1))
    assert value[0] < 100
    assert value[1] >= TIMES.size * WORST**2
    assert np.isfinite(jacobian).all()
    assert np.isfinite(density).tolist() == [True, False]


def test_a_search_finds_its_way_where_some_curves_fail(monkeypatch):
    whole = search(ASKED, PRIOR.draws(1024, seed=1), 16)
    fail(monkeypatch, slow)
    found = search(ASKED, PRIOR.draws(1024, seed=1), 16)
    assert found.value == pytest.approx(whole.value, abs=1e-6)


@pytest.mark.parametrize("which", [slow, all_of])
def test_a_run_goes_on_and_gives_the_reason(monkeypatch, which):
    levels = np.exp(STEIN.log_level(STEIN.typical, TIMES))
    samples = pd.DataFrame({"patient": "A", "time": TIMES, "level": levels})
    study = ck.Study.from_frames(samples.assign(assay="qpcr", lloq=50.0))
    fail(monkeypatch, which)
    row = ck.fit_individuals(STEIN, study).table.iloc[0]
    assert row["method"] == ("map" if which is slow else "none")
    assert (REASON in row["sentence"]) == (which is all_of)
