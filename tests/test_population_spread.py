"""Parameters without spread, in fits of models with known truth."""

import numpy as np
import pytest
from made_models import fall

import cellpk as ck
from cellpk.fit.population.chains import Steps

DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]
QUICK = Steps(starts=1, search=150, average=80, draws=600)


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


def test_stein_without_a_spread_comes_back(stein):
    truth = stein.with_spread(foldx=1e-6)
    study = truth.simulate(60, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    fit = ck.fit_population(stein, study, without_spread=["foldx"], steps=QUICK)
    rows = fit.table.set_index("parameter")
    typical = rows.loc[list(stein.free)]
    away = (np.log(typical["value"]) - stein.typical) / (typical["rse"] / 100)
    assert np.abs(away).max() < 3.5
    fold = rows.loc["foldx"]
    assert fold["rse"] < 20
    assert fold[["iiv_sd", "iiv_var", "iiv_cv"]].tolist() == [0, 0, 0]
    assert fold[["iiv_rse", "shrinkage"]].isna().all()
    assert fit.criteria["parameters"] == 12
    assert fit.individuals["foldx_sd"].max() < 1e-6
    assert fit.trace["foldx sd"].eq(0).all()


def test_a_spread_that_is_not_there_ends_at_its_bound_and_the_way_out_is_said(stein):
    truth = stein.with_spread(tmax=1e-6)
    study = truth.simulate(25, design=ck.Design(DAYS, lloq=50.0), seed=4).study()
    fit = ck.fit_population(stein, study, steps=QUICK)
    (said,) = [doubt for doubt in fit.doubts if "spread of tmax" in doubt]
    assert "without_spread=['tmax']" in said
    row = fit.table.set_index("parameter").loc["tmax"]
    assert np.isfinite(row["value"])
    assert row[["iiv_sd", "iiv_var", "iiv_cv", "shrinkage"]].isna().all()


def test_a_parameter_that_the_model_holds_fixed_is_estimated_on_demand(tmp_path):
    model = fall(tmp_path, rate="value = 0.15, fixed = true, prior_sd = 0.3")
    study = model.with_values(peak=5000).simulate(
        40, design=ck.Design([1, 3, 7, 14, 28], lloq=50.0), seed=4
    )
    held = ck.fit_population(model, study.study(), steps=QUICK)
    assert "rate" not in set(held.table["parameter"])
    fit = ck.fit_population(model, study.study(), without_spread=["rate"], steps=QUICK)
    rate = fit.table.set_index("parameter").loc["rate"]
    assert rate["low"] < 0.15 < rate["high"]
    assert rate["rse"] < 5


def test_what_cannot_be_without_spread_is_refused(stein):
    study = stein.simulate(5, design=ck.Design(DAYS, lloq=50.0), seed=1).study()
    with pytest.raises(ck.FitError, match="no parameter 'foldy'"):
        ck.fit_population(stein, study, without_spread=["foldy"])
    with pytest.raises(ck.FitError, match="no parameter differs between patients"):
        ck.fit_population(stein, study, without_spread=stein.free)
    with pytest.raises(ck.FitError, match="foldx is in without_spread"):
        ck.fit_population(
            stein,
            study,
            without_spread=["foldx"],
            correlations=[("foldx", "tmax")],
        )
