"""Laplace's approximation: exact on lines, its slope, corners, and what it says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_models import fall
from scipy.stats import multivariate_normal

import cellpk as ck
from cellpk.errors import FitError
from cellpk.fit.data import fit_data
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.covariates import structure_with
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.laplace import approximated
from cellpk.fit.population.laplace_search import laplace_maximum, laplace_search
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.places import places_at
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.residual_error import ResidualError

DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]
STEIN = ck.load_model("stein_2019_tisagenlecleucel")
SMOOTH = ck.load_model("stein_2019_smooth_peak")
QUICK = Steps(starts=1, draws=400)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    return fall(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def lines(line):
    """Lines with a covariate on one parameter, and a correlation."""
    study = line.simulate(30, design=ck.Design([1, 4, 8, 15]), seed=2).study()
    data = fit_data(line, study)
    age = np.random.default_rng(1).normal(60, 10, 30)
    patients = pd.DataFrame({"patient": data.patients, "age": age})
    structure = structure_with(
        line.free, patients, {"peak": ["age"]}, correlated=np.ones((2, 2), bool)
    )
    omega = np.array([[0.5, 0.01], [0.01, 0.004]])
    errors = JointErrors.of(data)
    state = State(np.array([8.4, 0.16, 0.02]), omega, errors)
    return Sampled(JointData(data), structure), state


def exact(sampled, state):
    """The likelihood of lines: their levels are normal together."""
    (one,) = sampled.data.data.series
    sd, found = np.exp(state.errors.logs[0]), []
    for mean, times, level in zip(
        sampled.structure.means(state.beta), one.times, one.said.low, strict=True
    ):
        design = np.stack([np.ones_like(times), -times], axis=-1)
        spread = design @ state.omega @ design.T + sd**2 * np.eye(times.size)
        found.append(multivariate_normal(design @ mean, spread).logpdf(level))
    return np.array(found)


def differences(value, layout, step=1e-4):
    vector = layout.vector()
    return np.array(
        [
            (value(layout.state_at(vector + a)) - value(layout.state_at(vector - a)))
            / (2 * step)
            for a in step * np.eye(vector.size)
        ]
    ).T


def test_on_lines_it_is_the_likelihood(lines):
    sampled, state = lines
    found = approximated(
        sampled, state, places_at(sampled, state, rng=np.random.default_rng(1))
    )
    assert found.log_likelihood == pytest.approx(exact(sampled, state), abs=1e-6)
    layout = Layout(sampled.structure, state)
    expected = differences(lambda s: exact(sampled, s), layout)
    assert found.slopes == pytest.approx(expected, abs=2e-4)


def test_on_lines_its_maximum_is_that_of_the_likelihood(lines):
    sampled, state = lines
    end = laplace_search(sampled, state, rng=np.random.default_rng(1))
    best = laplace_maximum(sampled, end, rng=np.random.default_rng(1), draws=300)
    layout = best.estimates.layout
    slope = differences(lambda s: exact(sampled, s).sum(), layout)
    away = best.estimates.covariance @ slope / best.estimates.standard_errors
    assert np.abs(away).max() < 0.02
    curvature = differences(
        lambda s: differences(
            lambda t: exact(sampled, t).sum(), Layout(sampled.structure, s)
        ),
        layout,
        step=1e-3,
    )
    errors = np.sqrt(np.diag(np.linalg.inv(-curvature)))
    assert best.estimates.standard_errors == pytest.approx(errors, rel=0.05)
    assert best.estimates.doubts == ()


ERRORS = [
    ResidualError("lognormal", {"sd": 0.5}),
    ResidualError("student", {"sd": 0.5}, df=4),
    ResidualError("combined", {"additive": 20.0, "proportional": 0.3}),
]


@pytest.mark.parametrize("error", ERRORS, ids=[error.kind for error in ERRORS])
@pytest.mark.parametrize("model", [STEIN, SMOOTH], ids=["switch", "smooth"])
def test_its_slope_is_that_of_differences(model, error):
    """With samples below the limit, correlations, and a class that never expands."""
    study = model.simulate(6, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    sampled, _ = prepared(model, study, correlations="full")
    between = 0.2 + 0.8 * np.eye(6)
    omega = np.outer(model.spread, model.spread) * between
    errors = replace(JointErrors.of(sampled.data.data), parts=(error,))
    state = State(model.typical + 0.1, omega, errors, never=0.1)
    places = places_at(sampled, state, rng=np.random.default_rng(1))
    here = approximated(sampled, state, places)
    places = places._replace(theta=here.theta)
    layout = Layout(sampled.structure, state)
    expected = differences(
        lambda s: approximated(sampled, s, places).log_likelihood, layout, step=1e-3
    )
    assert here.slopes == pytest.approx(expected, rel=5e-3, abs=2e-3)


def simulated(model, patients, seed=3):
    return model.simulate(
        patients, design=ck.Design(DAYS, lloq=50.0), seed=seed
    ).study()


LAG = """
variant_of = "stein_2019_lag"
title = "A lag that differs between patients"
source = "made for the tests"
[parameters]
lag = { value = 3, unit = "day", fixed = false, iiv_sd = 0.3 }
"""


def test_two_parameters_that_move_switches_are_refused(tmp_path):
    (tmp_path / "lag.toml").write_text(LAG, encoding="utf-8")
    model = ck.load_model(tmp_path / "lag.toml")
    with pytest.raises(FitError, match="tmax and lag move switches"):
        ck.fit_population(model, simulated(model, 4), method="laplace", steps=QUICK)


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(FitError, match="method = 'foce'"):
        ck.fit_population(STEIN, simulated(STEIN, 3), method="foce")


@pytest.fixture(scope="module")
def fits():
    study = simulated(STEIN, 30)
    return {
        method: ck.fit_population(STEIN, study, method=method, steps=QUICK)
        for method in ("laplace", "saem")
    }


def test_with_a_switch_it_agrees_with_saem_within_standard_errors(fits):
    """The prototype gave sigma 1.04 for a true 0.5 on such a model."""
    one, other = (fits[name].estimates for name in ("laplace", "saem"))
    away = one.layout.vector() - other.layout.vector()
    away = (away / other.standard_errors)[~np.isnan(other.standard_errors)]
    assert np.sqrt(np.mean(away**2)) < 0.8
    sigma = fits["laplace"].table.set_index("parameter").loc["qpcr sd"]
    assert sigma["low"] < 0.56 < sigma["high"]


def test_it_says_how_it_was_fitted_and_both_likelihoods(fits):
    fit = fits["laplace"]
    assert "(Laplace)" in repr(fit)
    assert fit.laplace_deviance - fit.criteria["deviance"] == pytest.approx(5, abs=8)
    assert fit.trace["run"].max() == 1
    assert fit.estimates.moved < 0.05


def test_modes_are_where_nothing_nearby_is_more_probable(fits):
    """In corners, too: a step of any size to any side leads down."""
    fit = fits["saem"]
    sampled = Sampled(JointData(fit.data), fit.estimates.layout.structure)
    state = fit.estimates.state

    def density(theta):
        levels = sampled.data.levels(theta)
        away = theta - sampled.structure.means(state.beta)
        pull = np.einsum("ip,pq,iq->i", away, np.linalg.inv(state.omega), away)
        return sampled.data.log_likelihood(levels, state.errors) - pull / 2

    best = density(fit.modes.theta)
    for size in (1e-4, 1e-2, 0.3):
        for away in np.concatenate([np.eye(6), -np.eye(6)]) * size * STEIN.spread:
            assert (density(fit.modes.theta + away) < best + 1e-4).all()
    assert "tmax_mode" in fit.individuals


def test_the_same_seed_gives_the_same_numbers():
    study = simulated(SMOOTH, 8)
    one, other = (
        ck.fit_population(SMOOTH, study, method="laplace", steps=QUICK)
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)


def test_the_condition_number_is_that_of_the_correlations(fits):
    found = fits["saem"].estimates
    covariance = found.covariance
    sd = np.sqrt(np.diag(covariance))
    values = np.linalg.eigvalsh(covariance / np.outer(sd, sd))
    assert found.eigenvalues == pytest.approx(values)
    assert found.condition == pytest.approx(values[-1] / values[0])
    assert values.sum() == pytest.approx(len(values))


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"lots": ["cmax"]}, "donor lots"),
        ({"without_spread": ["tmax"]}, "parameters without a spread"),
    ],
)
def test_what_laplace_does_not_know_is_refused(asked, what):
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    with pytest.raises(ck.FitError, match=f"does not know of {what}"):
        ck.fit_population(stein, ck.simulate_study(seed=1), method="laplace", **asked)


def test_differences_stay_where_there_is_a_covariance(lines):
    """A correlation of 0.98 in a step of 0.05: it is halved until both ends are one."""
    sampled, state = lines
    omega = np.array([[0.5, 0.98 * np.sqrt(0.002)], [0.98 * np.sqrt(0.002), 0.004]])
    layout = Layout(sampled.structure, replace(state, omega=omega))
    along = 0.05 * (
        np.arange(layout.vector().size) == layout.parts()["correlation"].start
    )
    away, ends = layout.beside(along)
    assert away.sum() == pytest.approx(0.0125)
    for end in ends:
        assert np.linalg.eigvalsh(end.omega)[0] > 0


def test_some_of_the_samples_are_worked_out_as_closely_as_all(lines):
    data = replace(lines[0].data, tolerance=1e-3)
    assert data.of(np.array([2, 0])).tolerance == 1e-3
