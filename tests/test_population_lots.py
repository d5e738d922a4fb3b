"""Patients who share donor lots: where the likelihood has a formula, and in trials."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from linear_population import NAMES, Sd, lines
from lotted_trial import trial
from made_models import fall
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from scipy.stats import t as student

import cellpk as ck
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.lots import Lots
from cellpk.fit.population.polish import maximum
from cellpk.fit.population.saem import saem
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure

SHORT = Steps(search=150, average=100)


def lotted(patients, lots, *, differ=("a",), limit=None, seed=1):
    """Lines of patients of equal lots, which differ by SD 0.8."""
    data = lines(patients, seed=seed, limit=None)
    of = np.arange(patients) % lots
    rng = np.random.default_rng(seed + 100)
    level = data.level.copy()
    for name in differ:
        added = 0.8 * rng.standard_normal(lots)[of][:, None]
        level += added * (1 if name == "a" else data.times)
    below = data.below if limit is None else level < limit
    data = replace(data, level=np.where(below, limit or 0, level), below=below)
    places = np.array([NAMES.index(name) for name in differ])
    names = tuple(f"lot {k}" for k in range(lots))
    plain = Structure.without_covariates(NAMES, patients)
    return Sampled(data, replace(plain, lots=Lots(names, of, places)))


def exact(sampled, state):
    """Log likelihood of each lot: a normal distribution of all its levels."""
    data, lots, found = sampled.data, sampled.structure.lots, []
    for lot in range(len(lots.names)):
        rows = np.flatnonzero(lots.of == lot)
        designs = [np.stack([np.ones_like(t), t], -1) for t in data.times[rows]]
        whole = np.concatenate(designs)
        between = np.zeros((2, 2))
        between[lots.places, lots.places] = state.lot_sd**2
        spread = whole @ between @ whole.T + state.errors.sd**2 * np.eye(len(whole))
        for k, design in enumerate(designs):
            at = slice(k * len(design), (k + 1) * len(design))
            spread[at, at] += design @ state.omega @ design.T
        level = data.level[rows].ravel()
        found.append(multivariate_normal(whole @ state.beta, spread).logpdf(level))
    return np.array(found)


def importance(sampled, state, *, draws=4000):
    patients = len(sampled.data.patients)
    moments = (
        np.tile(state.beta, (patients, 1)),
        np.tile(2 * state.omega, (patients, 1, 1)),
    )
    rng = np.random.default_rng(3)
    return Importance(sampled, state, moments=moments, rng=rng, draws=draws)


@pytest.mark.parametrize("differ", [("a",), ("a", "b")], ids=["one", "two"])
def test_the_likelihood_of_lots_is_the_exact_one(differ):
    sampled = lotted(24, 4, differ=differ)
    lot_sd = np.array([0.7, 0.3])[: len(differ)]
    state = State(np.array([1.8, -0.9]), np.diag([1.2, 0.3]), Sd(0.6), 0.0, lot_sd)
    found = importance(sampled, state)
    lots = sampled.structure.lots
    by_lot = np.bincount(lots.of, found.log_likelihood(state))
    assert by_lot == pytest.approx(exact(sampled, state), abs=0.25)
    off = by_lot.sum() - exact(sampled, state).sum()
    assert abs(off) < 4 * found.error(state)


@pytest.mark.parametrize("differ", [("a",), ("a", "b")], ids=["one", "two"])
def test_slopes_are_those_of_the_sampled_likelihood(differ):
    sampled = lotted(12, 3, differ=differ, limit=0.0)
    lot_sd = np.array([0.7, 0.3])[: len(differ)]
    state = State(np.array([1.8, -0.9]), np.diag([1.1, 0.4]), Sd(0.6), 0.2, lot_sd)
    found = importance(sampled, state, draws=300)
    layout = Layout(sampled.structure, state)
    vector, step = layout.vector(), 1e-5
    assert layout.names[-1] == f"{differ[-1]} between lots"
    numeric = [
        (
            found.log_likelihood(layout.state_at(vector + step * away)).sum()
            - found.log_likelihood(layout.state_at(vector - step * away)).sum()
        )
        / (2 * step)
        for away in np.eye(vector.size)
    ]
    assert found.slopes(layout.state_at(vector)).sum(0) == pytest.approx(
        numeric, abs=1e-6
    )


def test_the_maximum_is_that_of_the_exact_likelihood():
    sampled = lotted(60, 10)
    begin = State(np.zeros(2), np.eye(2), Sd(1.0), 0.0, np.array([0.5]))
    course = saem(sampled, begin, rng=np.random.default_rng(1), steps=SHORT)
    best = maximum(sampled, course, rng=np.random.default_rng(1), draws=2000)
    layout = best.estimates.layout

    def loss(vector):
        return -exact(sampled, layout.state_at(vector)).sum()

    top = minimize(loss, layout.vector(), method="BFGS", options={"gtol": 1e-4})
    steps = 1e-3 * np.eye(top.x.size)
    curvature = [
        [
            sum(a * b * loss(top.x + a * u + b * v) for a in (1, -1) for b in (1, -1))
            / 4e-6
            for u in steps
        ]
        for v in steps
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(curvature)))
    away = (layout.vector() - top.x) / errors
    assert np.abs(away).max() < 0.2
    assert best.log_likelihood.sum() == pytest.approx(-top.fun, abs=0.2)
    assert best.estimates.standard_errors == pytest.approx(errors, rel=0.1)
    saem_off = (Layout(sampled.structure, course.state).vector() - top.x) / errors
    assert np.abs(saem_off).max() < 0.6


def test_what_a_lot_adds_is_known_as_by_the_formula():
    """Given all levels, the effect of a lot is normal: conditional mean and SD."""
    sampled = lotted(24, 4)
    lot_sd = np.array([0.7])
    state = State(np.array([1.8, -0.9]), np.diag([1.2, 0.3]), Sd(0.6), 0.0, lot_sd)
    mean, sd = importance(sampled, state).lot_moments(state)
    data, of = sampled.data, sampled.structure.lots.of
    times = data.times[0]
    design = np.stack([np.ones_like(times), times], -1)
    spread = design @ state.omega @ design.T + 0.36 * np.eye(len(times))
    ones = np.ones_like(times)
    each = ones @ np.linalg.solve(spread, (data.level - design @ state.beta).T)
    precision = 6 * (ones @ np.linalg.solve(spread, ones)) + 1 / 0.49
    assert mean[:, 0] == pytest.approx(np.bincount(of, each) / precision, abs=0.03)
    assert sd[:, 0] == pytest.approx(np.full(4, precision**-0.5), rel=0.06)


DAYS = [1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360]
QUICK = Steps(starts=1, search=150, average=80, draws=500)


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


def test_lots_of_stein_patients_come_back_and_are_kept_in_a_file(stein, tmp_path):
    samples, infusions, effects = trial(stein)
    study = ck.Study.from_frames(samples, infusions=infusions)
    twice = replace(QUICK, starts=2)
    fit = ck.fit_population(stein, study, lots=["cmax"], steps=twice)
    assert fit.converged, fit.doubts
    assert fit.cautions[0].endswith("rest on 8 lots: their intervals are rough")
    rows = fit.table.set_index("parameter")
    between = rows.loc["cmax between lots"]
    assert between["kind"] == "spread between lots"
    assert between["low"] < effects.std() < between["high"]
    reach = np.log(rows["high"] / rows["value"]) / (rows["rse"] / 100)
    assert reach["cmax"] == pytest.approx(2.36462, abs=1e-4)  # t of 7, from a table
    assert reach["cmax between lots"] == pytest.approx(2.36462, abs=1e-4)
    assert reach["tmax"] == pytest.approx(1.99254, abs=1e-4)  # of 80 - 6
    assert fit.criteria["parameters"] == 14
    assert fit.lots["patients"].tolist() == [10] * 8
    off = fit.lots["effect"] - (effects - effects.mean())
    assert (np.abs(off - off.mean()) < 3.5 * fit.lots["sd"]).all()
    assert fit.lots["shrinkage"].between(-10, 50).all()
    without = ck.fit_population(stein, study, steps=QUICK)
    assert without.lots.empty
    alone = without.table.set_index("parameter").loc["cmax", "rse"]
    assert alone < 0.7 * rows.loc["cmax", "rse"]
    assert without.log_likelihood < fit.log_likelihood - 5
    fit.save(tmp_path / "fit.zip")
    again = ck.load(tmp_path / "fit.zip")
    pd.testing.assert_frame_equal(again.table, fit.table, check_exact=True)
    pd.testing.assert_frame_equal(again.lots, fit.lots, check_exact=True)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The fit of patients of six lots whose log levels are linear in parameters."""
    said = {
        "peak": "value = 5000, iiv_sd = 0.7",
        "error": 'error = "lognormal", sd = 1.0',
    }
    model = fall(tmp_path_factory.mktemp("own"), **said)
    study = model.simulate(36, design=ck.Design([1, 8]), seed=2).study()
    samples, lot = study.samples, np.arange(36) % 6
    who = study.patients["patient"]
    times = dict(zip(who, np.exp(np.linspace(-2, 2, 6))[lot], strict=True))
    samples["level"] *= samples["patient"].map(times)
    given = pd.DataFrame({"patient": who, "lot": [f"L{k}" for k in lot]})
    known = ck.Study.from_frames(
        samples[["patient", "time", "assay", "level", "unit", "lloq", "state"]],
        infusions=given.assign(time=0.0, dose=1e8, unit="cells"),
    )
    return ck.fit_population(model, known, lots=["peak"], steps=QUICK)


def test_the_mode_of_what_is_normal_is_its_mean_given_the_lot(line):
    """Two samples of error 1 tell a patient's peak only in part: the lot counts."""
    away = (line.modes.theta - line.posteriors.mean) / line.estimates.state.omega.max()
    assert np.abs(away).max() < 0.25


def test_laplace_does_not_know_of_lots_and_says_what_does(line):
    with pytest.raises(ck.FitError, match=r"not know of donor lots.*fit.criteria"):
        _ = line.laplace_deviance
    with pytest.raises(ck.FitError, match=r"not know of donor lots.*method='saem'"):
        ck.fit_population(line.model, line.study, lots=["peak"], method="laplace")


def test_few_lots_are_said_and_patients_who_never_expanded_are_a_class(stein):
    samples, infusions, _ = trial(stein, lots=3, per=14, seed=2)
    never = samples["patient"].isin(sorted(set(samples["patient"]))[:9])
    samples = samples.assign(
        level=samples["level"].mask(never), state=samples["state"].mask(never, "below")
    )
    study = ck.Study.from_frames(samples, infusions=infusions)
    fit = ck.fit_population(stein, study, lots=["cmax"], steps=QUICK)
    said = "the spread between lots and the typical value of cmax rest on 3 lots"
    assert fit.cautions[0].startswith(said)
    share = fit.table.set_index("parameter").loc["never_expanded"]
    assert share["low"] < 9 / 42 < share["high"]
    assert fit.individuals["expanded"].lt(0.1).sum() == 9


def test_lots_that_cannot_be_fitted_are_refused(stein):
    samples, infusions, _ = trial(stein, lots=2, per=3)
    study = ck.Study.from_frames(samples, infusions=infusions)
    with pytest.raises(ck.FitError, match=r"no parameter 'cmx'"):
        ck.fit_population(stein, study, lots=["cmx"])
    with pytest.raises(ck.FitError, match="cmax is in lots and in without_spread"):
        ck.fit_population(stein, study, lots=["cmax"], without_spread=["cmax"])
    with pytest.raises(ck.FitError, match="at most 2 parameters"):
        ck.fit_population(stein, study, lots=["cmax", "tmax", "beta"])
    one = ck.Study.from_frames(samples, infusions=infusions.assign(lot="L9"))
    with pytest.raises(ck.FitError, match="all patients were given lot L9"):
        ck.fit_population(stein, one, lots=["cmax"])
    lot = infusions["lot"].where(infusions["patient"] != "V0002", "")
    gap = ck.Study.from_frames(samples, infusions=infusions.assign(lot=lot))
    with pytest.raises(ck.DataError, match=r"1 patients is not known.*V0002"):
        ck.fit_population(stein, gap, lots=["cmax"])


def test_what_tells_lots_apart_rests_on_lots_and_what_does_not_on_patients():
    """12 patients of 4 lots, and a number of lots: 2 degrees of freedom are left."""
    sampled = lotted(12, 4)
    plain = sampled.structure
    design = np.zeros((12, 2, 4))
    design[:, :, :2] = plain.design
    design[:, 0, 2] = np.array([0.0, 1, 1, 3])[plain.lots.of]
    design[:, 0, 3] = np.arange(12)
    names = ("a", "b", "potency on a", "age on a")
    structure = replace(plain, design=design, coefficients=names)
    state = State(np.zeros(4), np.eye(2), Sd(0.5), 0.0, np.array([0.7]))
    layout = Layout(structure, state)
    found = Estimates(layout, np.eye(8), 0.0, (False,) * 8, ())
    two, ten = student.ppf(0.975, [2, 10])
    expected = [two, ten, two, ten, ten, ten, ten, two]
    assert found.quantiles == pytest.approx(expected)


@pytest.mark.slow
def test_intervals_hold_the_truth_with_lots_and_are_half_as_wide_without(stein):
    """The typical peak of 10 trials; SD of all 80 patients' peaks 0.96, of lots 0.7."""
    held, away, errors = 0, [], []
    for seed in range(1, 11):
        samples, infusions, _ = trial(stein, seed=seed)
        study = ck.Study.from_frames(samples, infusions=infusions)
        rows = [
            ck.fit_population(stein, study, lots=lots, steps=QUICK, seed=seed)
            .table.set_index("parameter")
            .loc["cmax"]
            for lots in (["cmax"], [])
        ]
        off = np.log(rows[0]["value"]) - stein.typical[stein.free.index("cmax")]
        held += abs(off) < 1.96 * rows[0]["rse"] / 100
        away.append(off)
        errors.append([row["rse"] / 100 for row in rows])
    assert held >= 8
    assert abs(np.mean(away)) < 0.25
    lots, without = np.mean(errors, axis=0)
    assert without < 0.65 * lots
