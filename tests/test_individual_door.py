"""Lmfit as the door: bounds, vary, expr, results and confidence intervals."""

import lmfit
import numpy as np
import pandas as pd
import pytest
from test_individual import RICH, STEIN, measured, study_of

import cellpk as ck
from cellpk.fit.individual.door import model_parameters


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(4)
    rich = measured("A", STEIN.typical, RICH, sd=0.1, rng=rng, lloq=1.0)
    return study_of(rich, measured("B", STEIN.typical, [5, 9, 14, 28], rng=rng))


@pytest.fixture(scope="module")
def fits(study):
    return ck.fit_individuals(STEIN, study)


def refitted(study, **changes):
    parameters = model_parameters(STEIN)
    for name, change in changes.items():
        parameters[name].set(**change)
    return ck.fit_individuals(STEIN, study, parameters=parameters)


def test_parameters_as_they_come_change_nothing(study, fits):
    again = ck.fit_individuals(STEIN, study, parameters=model_parameters(STEIN))
    pd.testing.assert_frame_equal(again.table, fits.table)


def test_what_is_held_stays_and_the_others_are_fitted_about_it(study, fits):
    held = refitted(study, tmax={"value": 10.0, "vary": False})
    assert held.table["tmax"].to_list() == pytest.approx([10.0, 10.0])
    assert held.table["tmax_low"].to_list() == pytest.approx([10.0, 10.0])
    assert (held.table["cmax"] != fits.table["cmax"]).all()
    assert held.results["A"].nvarys == 5
    by_hand = STEIN.with_values(tmax=10.0)
    own = held.table.loc[0]
    assert own["alpha"] == pytest.approx(by_hand.parameters["alpha"].value, rel=0.3)


def test_an_expression_holds_in_estimates_draws_and_results(study):
    tied = refitted(study, beta={"expr": "alpha/20"})
    np.testing.assert_allclose(tied.table["beta"], tied.table["alpha"] / 20)
    low, high = tied.table["beta_low"], tied.table["beta_high"]
    np.testing.assert_allclose(low, tied.table["alpha_low"] / 20)
    np.testing.assert_allclose(high, tied.table["alpha_high"] / 20)
    params = tied.results["A"].params
    assert params["beta"].expr == "alpha / 20" or "alpha" in params["beta"].expr
    assert params["beta"].value == pytest.approx(params["alpha"].value / 20)


def test_a_tied_fit_is_that_of_a_model_with_fewer_parameters(study):
    """With beta = alpha/20, as lmfit alone finds it, with natural parameters."""
    tied = refitted(study, beta={"expr": "alpha/20"})
    result = tied.results["A"]
    free = lmfit.Parameters()
    for name in ("foldx", "tmax", "cmax", "alpha", "fb"):
        free.add(name, result.params[name].value * 1.02, min=1e-9)
    free.add("beta", expr="alpha/20")
    own = tied.samples[(tied.samples["patient"] == "A") & (tied.samples["level"] > 0)]
    times, levels = own["time"].to_numpy(float), own["level"].to_numpy(float)

    def residuals(p):
        curve = STEIN.curve(times, **{name: p[name].value for name in STEIN.free})
        return np.log(curve / levels) / result.params["qpcr_sd"].value

    found = lmfit.minimize(residuals, free, method="nelder", max_nfev=6000)
    assert result.chisqr == pytest.approx(found.chisqr, rel=1e-3)


def test_bounds_hold_and_are_told(study):
    bound = refitted(study, cmax={"max": 5000.0})
    assert (bound.table["cmax"] <= 5000 * (1 + 1e-9)).all()
    assert (bound.table["cmax_high"] <= 5000 * (1 + 1e-9)).all()
    assert not bound.table["converged"][0]
    assert "cmax stands at its bound" in bound.table["sentence"][0]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tmax", {"expr": "foldx/talpha"}, "names 'talpha'"),
        ("tmax", {"value": -1.0, "vary": False, "min": -2.0}, "tmax = -1"),
    ],
)
def test_what_makes_no_sense_is_refused(study, name, change, message):
    parameters = model_parameters(STEIN)
    if "expr" in change:
        parameters.add("talpha", 1.0)
        parameters[name].expr = change["expr"]
        other = lmfit.Parameters()
        other.add_many(("talpha", 1.0, False))
        del parameters["talpha"]
    else:
        parameters[name].set(**change)
    with pytest.raises((ck.FitError, NameError), match=message):
        ck.fit_individuals(STEIN, study, parameters=parameters)


def test_a_name_that_is_no_parameter_is_refused(study):
    parameters = model_parameters(STEIN)
    parameters.add("tmx", 9.0)
    with pytest.raises(ck.FitError, match=r"'tmx' is not a parameter.*tmax"):
        ck.fit_individuals(STEIN, study, parameters=parameters)


def test_a_parameter_that_is_the_same_for_all_is_changed_in_the_model(study):
    smooth = ck.load_model("stein_2019_smooth_peak")
    parameters = model_parameters(smooth)
    parameters["w"].vary = True
    with pytest.raises(ck.FitError, match=r"model.with_values\(w=\.\.\.\)"):
        ck.fit_individuals(smooth, study, parameters=parameters)


def test_lmfit_finds_nothing_better(fits):
    polished = fits.polished()
    for name in STEIN.free:
        ours, theirs = fits.table[name], polished.table[name]
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    for patient, result in fits.results.items():
        used = fits.samples[fits.samples["patient"] == patient]["residual"]
        assert result.success
        if patient == "A":
            assert np.square(used).sum() - result.chisqr < 1e-5


def test_polish_is_the_same_on_request(study, fits):
    asked = ck.fit_individuals(STEIN, study, polish=True)
    pd.testing.assert_frame_equal(asked.table, fits.polished().table)


def test_confidence_intervals_of_lmfit_come_from_minimizer_and_result(fits):
    """Rich data: profile, curvature and draws say the same."""
    inner = lmfit.conf_interval(
        fits.minimizer("A"), fits.results["A"], p_names=["log_cmax"], sigmas=[0.95]
    )
    (_, low), _, (_, high) = inner["log_cmax"]
    row = fits.profile("A", "cmax").iloc[0]
    assert row["low"] == pytest.approx(np.exp(low), rel=1e-3)
    assert row["high"] == pytest.approx(np.exp(high), rel=1e-3)
    long = fits.long.set_index(["patient", "quantity"]).loc[("A", "cmax")]
    width = np.log(row["high"] / row["low"])
    for ends in (("low", "high"), ("delta_low", "delta_high")):
        other = np.log(long[ends[1]] / long[ends[0]])
        assert width == pytest.approx(other, rel=0.15)
