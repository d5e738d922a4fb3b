"""Diagnostics of a fit whose lots differ, and a parameter of which has no spread."""

import numpy as np
import pytest
from lotted_trial import trial

import cellpk as ck
from cellpk.fit.diagnostics.etas import etas, sampled_etas, shrinkage_warnings
from cellpk.fit.diagnostics.npde import npde
from cellpk.fit.diagnostics.trials import simulate_trials
from cellpk.fit.diagnostics.vpc import vpc
from cellpk.fit.population.chains import Steps


@pytest.fixture(scope="module")
def fit():
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    samples, infusions, _ = trial(stein, lots=6, per=6, sd=1.5, seed=3)
    study = ck.Study.from_frames(samples, infusions=infusions)
    quick = Steps(starts=1, search=100, average=60, draws=300)
    asked = {"lots": ["cmax"], "without_spread": ["beta"]}
    return ck.fit_population(stein, study, **asked, steps=quick)


def test_simulated_patients_of_one_lot_are_alike_and_all_are_as_spread_as_seen(fit):
    (made,) = simulate_trials(fit, 400, seed=2)
    lots = fit.estimates.layout.structure.lots
    peak = made.rows["time"].to_numpy() == 10
    level = np.log(np.maximum(made.readings[:, peak], 1.0))
    lot = lots.of[made.patient[peak]]
    same = np.corrcoef(level.T)[lot[:, None] == lot]
    between = fit.estimates.state.lot_sd[0]
    assert between > 0.8
    assert np.median(same[same < 0.999]) > 0.3
    apart = np.corrcoef(level.T)[lot[:, None] != lot]
    assert np.median(np.abs(apart)) < 0.1
    observed = np.log(made.rows.loc[peak, "level"]).std()
    assert np.median(level.std(1)) == pytest.approx(observed, rel=0.35)


def test_errors_of_the_true_model_are_standard_normal(fit):
    found = npde(fit, replicates=500)
    assert found.tests.loc[0, "sd"] == pytest.approx(1, abs=0.15)
    assert found.tests.loc[0, "mean"] == pytest.approx(0, abs=0.2)
    rows = vpc(fit, replicates=200).percentiles
    inside = rows["observed"].between(rows["low"], rows["high"])
    assert inside.mean() > 0.7


def test_deviations_are_from_the_lot_and_of_parameters_that_vary(fit):
    estimated, drawn = etas(fit), sampled_etas(fit, draws=100)
    varying = ["foldx", "tmax", "cmax", "alpha", "fb"]
    assert estimated["parameter"].unique().tolist() == varying
    spread = drawn.groupby("parameter")["scaled"].std()
    assert spread["cmax"] == pytest.approx(1, abs=0.25)
    stated = fit.table.set_index("parameter")["shrinkage"]
    assert 0 < stated["cmax"] < 50
    assert not any("beta" in line for line in shrinkage_warnings(fit))


def test_a_fit_with_lots_is_drawn_and_printed(fit):
    figures = [getattr(ck.figures, name)(fit) for name in ("gof", "etas")]
    figures.append(ck.figures.vpc(fit, replicates=60))
    figures.append(ck.figures.npde(fit, replicates=120))
    assert len(figures[1].figure.axes) == 5
    assert "are then too quick to reject" in " ".join(figures[3].footnotes)
    shown = ck.tables.population(fit).shown
    assert "cmax between lots" in set(shown["parameter"])
    assert "Spread between donor lots" in set(shown["kind"])
