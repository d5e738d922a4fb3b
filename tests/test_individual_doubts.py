"""What individual fits say of starts, chance, bounds, circles and what is missing."""

import lmfit
import numpy as np
import pandas as pd
import pytest
from test_individual import RICH, SPARSE, STEIN, measured, simulated, study_of
from test_individual_kinds import BOTH, DAYS, LEVELS

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.individual import profile, solution
from cellpk.fit.individual.cases import about_highest
from cellpk.fit.individual.door import question
from cellpk.fit.individual.influence import LeftOut, influence_frame
from cellpk.fit.individual.numbers import numbers_of_all
from cellpk.fit.individual.search import search
from cellpk.fit.individual.words import Fitted, sentences


@pytest.fixture(scope="module")
def rich():
    rng = np.random.default_rng(4)
    return study_of(measured("A", STEIN.typical, RICH, sd=0.1, rng=rng, lloq=1.0))


@pytest.fixture(scope="module")
def sparse():
    return simulated(4, SPARSE)[0]


def test_a_place_that_one_start_reached_counts_once_without_prior(rich):
    """The other of two starts lies four SDs from all centres, and stays out there."""
    data = fit_data(STEIN, rich)
    asked = question(data, None, starts=2, seed=1)
    best = search(asked.aim(data), asked.batch, 2)
    vars(asked)["batch"] = (STEIN.typical + 4 * STEIN.spread)[None]
    alone = solution._alone(data, asked, best, draws=0)
    assert alone.doubts[0] == ("the best fit was reached from 1 of 2 starts",)
    vars(asked)["batch"] = best.theta + 0.01
    assert solution._alone(data, asked, best, draws=0).doubts[0] == ()


def test_bands_without_draws_do_not_depend_on_who_else_is_fitted(sparse):
    last = sorted(sparse.patients["patient"])[-1]
    kept = ["patient", "time", "reported", "lloq", "assay"]
    own = sparse.samples.query("patient == @last")[kept]
    alone = ck.Study.from_frames(own.rename(columns={"reported": "level"}))
    together = ck.fit_individuals(STEIN, sparse, draws=0).curve(last, [7.0, 60.0])
    by_herself = ck.fit_individuals(STEIN, alone, draws=0).curve(last, [7.0, 60.0])
    pd.testing.assert_frame_equal(together, by_herself, rtol=1e-6)


def test_where_nobody_is_fitted_tables_of_samples_and_limits_are_empty():
    few = study_of(measured("A", STEIN.typical, [14], rng=np.random.default_rng(1)))
    fits = ck.fit_individuals(STEIN, few)
    assert fits.influence.empty
    assert fits.identifiability.empty
    assert {"time", "cmax", "auc_0_28", "most"} <= set(fits.influence.columns)


def test_samples_of_a_patient_without_a_covariate_say_that_it_is_missing(made_model):
    samples = pd.DataFrame({"time": DAYS, "level": LEVELS, "lloq": 10.0})
    both = [samples.assign(patient=name, assay="qpcr") for name in ("A", "B")]
    patients = pd.DataFrame({"patient": ["A", "B"], "high": [1.0, np.nan]})
    study = ck.Study.from_frames(pd.concat(both), patients=patients)
    fits = ck.fit_individuals(made_model(), study, draws=0)
    why = fits.samples.groupby("patient")["left_out"].unique()
    assert why["A"].tolist() == [""]
    (said,) = why["B"]
    assert said.startswith("something is missing of the patient: high: there is no num")


@pytest.mark.parametrize(
    ("ties", "said"),
    [
        ({"beta": "alpha/10", "alpha": "beta*10"}, "expressions of alpha, beta lead"),
        ({"beta": "beta/10"}, "the expressions of beta lead in a circle"),
    ],
)
def test_parameters_that_follow_from_each_other_are_refused(sparse, ties, said):
    parameters = ck.model_parameters(STEIN)
    for name, text in ties.items():
        parameters[name].expr = text
    with pytest.raises(ck.FitError, match=said):
        ck.fit_individuals(STEIN, sparse, parameters=parameters)


def test_chains_of_expressions_are_worked_out_whatever_their_order(sparse):
    parameters = ck.model_parameters(STEIN)
    parameters["alpha"].expr = "beta*20"
    parameters["beta"].expr = "fb/2"
    fits = ck.fit_individuals(STEIN, sparse, parameters=parameters, draws=0)
    patient, result = next(iter(fits.results.items()))
    row = fits.table.set_index("patient").loc[patient]
    assert row["alpha"] == pytest.approx(10 * row["fb"])
    assert isinstance(result, lmfit.minimizer.MinimizerResult)
    assert result.params["alpha"].value == pytest.approx(10 * row["fb"], rel=1e-3)


@pytest.mark.parametrize("narrow", [1e-3, 1e-6])
def test_narrow_bounds_leave_intervals_of_the_others_as_if_it_were_held(sparse, narrow):
    parameters = ck.model_parameters(STEIN)
    parameters["tmax"].set(value=10.0, min=10 - narrow, max=10 + narrow)
    bound = ck.fit_individuals(STEIN, sparse, parameters=parameters).table
    parameters["tmax"].set(min=0.0, max=np.inf, vary=False)
    held = ck.fit_individuals(STEIN, sparse, parameters=parameters).table
    assert not bound["sentence"].str.contains("effective draws").any()
    assert bound["tmax_low"].between(10 - narrow, 10 + narrow).all()
    for end in ("cmax_low", "cmax_high"):
        np.testing.assert_allclose(np.log(bound[end] / held[end]), 0, atol=0.2)


def test_a_negative_seed_is_refused(sparse):
    with pytest.raises(ck.FitError, match="seed = -1"):
        ck.fit_individuals(STEIN, sparse, seed=-1)


@pytest.fixture(scope="module")
def joint(made_model):
    """Few copies, one before and three after the highest; many counts of cells."""
    flow = {"time": DAYS + 0.5, "level": LEVELS[::-1] / 40}
    frames = [
        pd.DataFrame({"time": DAYS[:4], "level": LEVELS[:4]}).assign(
            assay="qpcr", unit="copies/ug", lloq=10.0
        ),
        pd.DataFrame(flow).assign(assay="flow", unit="cells/uL", lloq=1.0),
    ]
    samples = pd.concat(frames).assign(patient="A")
    patients = pd.DataFrame({"patient": ["A"], "high": [1.0]})
    study = ck.Study.from_frames(samples, patients=patients)
    return ck.fit_individuals(made_model(BOTH), study, assays=["qpcr", "flow"])


def test_a_joint_fit_has_a_curve_of_each_assay(joint):
    row, days = joint.table.iloc[0], np.array([2.0, 9.0])
    copies = row["c0"] * np.exp(-row["k"] * days)
    np.testing.assert_allclose(joint.curve("A", days)["level"], copies, rtol=1e-6)
    cells = joint.curve("A", days, assay="flow")
    np.testing.assert_allclose(cells["level"], copies / row["copies"], rtol=1e-6)
    assert (cells["low"] < cells["level"]).all()
    with pytest.raises(ck.FitError, match=r"'flwo' was not fitted.*'flow'"):
        joint.curve("A", days, assay="flwo")


def test_counts_about_the_highest_are_those_of_the_assay_with_most_there(joint):
    """Of copies 1 before day 4 and 2 after; of cells 3 before day 15.5 and 1 after."""
    counts = about_highest(joint.made.data)
    assert counts.before.ravel().tolist() == [1, 3]
    assert counts.after.ravel().tolist() == [2, 1]
    assert counts.peak.ravel().tolist() == [4.0, 15.5]
    assert "the highest (day" not in joint.table["sentence"][0]


def test_shifts_that_are_not_known_name_no_sample_and_no_quantity(sparse):
    fits = ck.fit_individuals(STEIN, sparse, draws=0)
    made, i = fits.made, 1
    theta = made.left.theta.copy()
    theta[made.left.patient == i] = np.nan
    theta[made.left.patient != i] += 9.0
    left = LeftOut(made.left.patient, made.left.row, theta)
    numbers = numbers_of_all(made.data, made.asked, made.solution, level=0.95)
    about = Fitted(made.data, made.asked, made.solution, numbers, left, fits.samples)
    said = ["carries the fit" in one for one in sentences(about)]
    assert [j for j, one in enumerate(said) if not one] == [i]
    frame = influence_frame(
        made.data, made.asked, made.solution.theta, left=left, errors=numbers.error
    )
    named = frame.groupby("patient")["most"].agg(lambda x: (x != "").all())
    assert named.tolist()[:2] == [True, False]


def test_a_profile_of_unknown_width_has_no_ends():
    own = dict.fromkeys(("aim", "target", "parameter", "loss", "theta", "value"))
    for error, ends in ((np.nan, [np.nan, np.nan]), (0.0, [2.0, 2.0])):
        one = profile._Profile(**own, error=error, quantity=np.array([2.0]))
        np.testing.assert_array_equal(profile._ends(one), ends)
