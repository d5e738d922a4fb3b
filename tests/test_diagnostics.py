"""Numbers behind the diagnostics of population fits, where the model is true or not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_population import DAYS, made_fit
from scipy import stats

import cellpk as ck
from cellpk.fit.bell import Normal, Student
from cellpk.fit.diagnostics.bins import binned
from cellpk.fit.diagnostics.etas import etas, sampled_etas, shrinkage_warnings
from cellpk.fit.diagnostics.npde import decorrelated, npde
from cellpk.fit.diagnostics.predictions import courses, predictions
from cellpk.fit.diagnostics.scores import normal_score
from cellpk.fit.diagnostics.trials import readings, simulate_trials
from cellpk.fit.diagnostics.vpc import lowest_share, vpc
from cellpk.fit.residual_error import ResidualError


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


def studied(model, n=40, *, lloq=50.0, seed=1, days=DAYS, **design):
    made = ck.Design(days, lloq=lloq, **design)
    return model.simulate(n, design=made, seed=seed).study()


@pytest.fixture(scope="module")
def true(stein):
    """A fit that found the truth."""
    return made_fit(stein, studied(stein, 60))


def moved(**by):
    """Change the typical values of an estimate, on the log scale."""

    def change(state):
        names = ("foldx", "tmax", "cmax", "alpha", "fb", "beta")
        away = np.array([by.get(name, 0.0) for name in names])
        return replace(state, beta=state.beta + away)

    return change


def test_every_sample_has_a_row_and_the_used_ones_predictions(stein, true):
    table = predictions(true)
    assert len(table) == 60 * len(DAYS)
    assert table.notna()[["pred", "ipred", "iwres", "residual"]].to_numpy().all()
    one = table[table["patient"] == "V0002"]
    known = true.individuals.set_index("patient").loc["V0002", list(stein.free)]
    own = stein.curve(DAYS, **known.to_dict())
    typical = stein.curve(DAYS)
    assert one["ipred"].to_numpy() == pytest.approx(np.asarray(own), rel=1e-6)
    assert one["pred"].to_numpy() == pytest.approx(np.asarray(typical), rel=1e-6)
    seen = table[table["state"] == "quantified"]
    expected = np.log(seen["level"] / seen["ipred"]) / 0.56
    assert seen["iwres"].to_numpy() == pytest.approx(expected.to_numpy())
    below = table[table["state"] == "below"]
    assert (below["iwres"] < np.log(50 / below["ipred"]) / 0.56 + 1e-9).all()


def test_samples_that_are_not_used_have_a_reason_and_no_prediction(stein):
    fit = made_fit(stein, ck.simulate_study(seed=1), settle=50)
    table = predictions(fit)
    unused = table["left_out"] != ""
    assert unused.sum() == 18  # one before each infusion
    assert table.loc[unused, ["pred", "iwres", "expanded"]].isna().to_numpy().all()
    never = table["expanded"] < 0.5
    assert set(table.loc[never, "ipred"]) == {0.0}
    assert set(table.loc[never, "patient"]) == {
        name
        for name, none in zip(fit.patients, fit.data.all_below, strict=True)
        if none
    }


def test_residuals_against_draws_are_standard_normal_and_those_of_ebe_shrink(true):
    table = predictions(true)
    assert abs(table["residual"].mean()) < 4 / np.sqrt(len(table))
    assert table["residual"].std() == pytest.approx(1, abs=0.08)
    assert stats.kstest(table["residual"], "norm").pvalue > 0.001
    assert table["iwres"].std() < 0.9


def test_individual_courses_are_those_of_the_estimates(stein, true):
    found = courses(true, [7.0, 28.0])
    assert found.groupby("patient", sort=False).size().eq(2).all()
    assert (found["low"] < found["level"]).mean() > 0.95
    assert (found["level"] < found["high"]).mean() > 0.95
    assert found["typical"].nunique() == 2
    table = predictions(true)
    table = table[table["time"] == 7.0].set_index("patient")["ipred"]
    own = found[found["time"] == 7.0].set_index("patient")["level"]
    pd.testing.assert_series_equal(own, table, check_names=False, rtol=1e-9)
    with pytest.raises(ck.FitError, match="'flow' was not fitted"):
        courses(true, [7.0], assay="flow")


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, -1.0), (2.0, 2.0), (-1e100, 0.3), (1.2, 1e100), (0.1, 2)]
)
@pytest.mark.parametrize("bell", [Normal(), Student(4.0)], ids=["normal", "t"])
def test_score_of_a_sample_is_that_of_a_place_in_its_range(bell, low, high):
    law = stats.norm if isinstance(bell, Normal) else stats.t(4.0)
    share = 0.3
    ends = [np.array([end]) for end in (low, high)]
    found = float(normal_score(*ends, bell, share=share)[0])
    between = law.cdf(low), law.cdf(high)
    places = [
        stats.norm.ppf(between[0] + part * (between[1] - between[0]))
        for part in (share, 1 - share)  # ranges in the upper tail count from above
    ]
    assert found == pytest.approx(places[low + high > 0], abs=1e-9)


def test_score_far_out_is_still_a_number():
    ends = np.array([-40.0]), np.array([-40.0])
    assert normal_score(*ends, Normal(), share=0.5) == pytest.approx(-40)
    assert normal_score(-ends[0], -ends[1], Normal(), share=0.5) == pytest.approx(40)


ERRORS = {
    "lognormal": ({"sd": 0.4}, None),
    "student": ({"sd": 0.4}, 5.0),
    "normal": ({"sd": 3.0}, None),
    "proportional": ({"sd": 0.3}, None),
    "combined": ({"additive": 30.0, "proportional": 0.4}, None),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_readings_have_the_distribution_of_their_error(true, kind):
    values, df = ERRORS[kind]
    (one,) = true.data.series
    log_level = np.full((20, *one.times.shape), np.log(100.0))
    error = ResidualError(kind, values, df)
    read = readings(log_level, one, error, rng=np.random.default_rng(1)).ravel()
    laws = {
        "lognormal": stats.lognorm(0.4, scale=100),
        "normal": stats.norm(100, 3),
        "proportional": stats.norm(100, 30),
        "combined": stats.norm(100, 50),
    }
    if kind == "student":
        read, laws["student"] = np.log(read / 100) / 0.4, stats.t(5)
    assert stats.kstest(read, laws[kind].cdf).pvalue > 0.001


def test_simulated_trials_are_those_of_the_model(stein, true):
    """Against the model's own simulation, which shares no code with it."""
    (trials,) = simulate_trials(true, 60, seed=2)
    virtual = stein.simulate(3600, design=ck.Design(DAYS, lloq=50.0), seed=9).table
    for day in (3.0, 10.0, 90.0):
        mine = trials.readings[:, trials.rows["time"].eq(day)]
        states = trials.states[:, trials.rows["time"].eq(day)]
        theirs = virtual[virtual["time"] == day]
        share = (states == "below").mean()
        assert share == pytest.approx(theirs["state"].eq("below").mean(), abs=0.03)
        quantified = mine[states == "quantified"], theirs["level"].dropna()
        assert stats.ks_2samp(*quantified).pvalue > 0.001


def test_simulated_trials_have_the_class_that_never_expands_and_their_seed(stein):
    share = made_fit(
        stein,
        ck.simulate_study(seed=1),
        change=lambda state: replace(state, never=0.4),
        settle=50,
    )
    (trials,) = simulate_trials(share, 400, seed=1)
    never = [
        (trials.readings[:, trials.patient == who] == 0).all(1) for who in range(18)
    ]
    assert np.mean(never) == pytest.approx(0.4, abs=0.03)
    (same,) = simulate_trials(share, 400, seed=1)
    (other,) = simulate_trials(share, 400, seed=2)
    assert (trials.readings == same.readings).all()
    assert not (trials.readings == other.readings).all()
    with pytest.raises(ck.FitError, match="0 trials"):
        simulate_trials(share, 0)


@pytest.mark.parametrize("lloq", [None, 50.0, 200.0])
def test_npde_are_standard_normal_under_the_true_model(stein, lloq):
    """With none, a fifth and two fifths of the samples below the limit."""
    values, tests = [], []
    for seed in range(4):
        fit = made_fit(stein, studied(stein, lloq=lloq, seed=20 + seed), settle=9)
        found = npde(fit, replicates=300, seed=seed)
        values.append(found.table["npde"])
        tests.append(found.tests["p_all"].item())
    every = np.concatenate(values)
    assert abs(every.mean()) < 3.5 / np.sqrt(every.size)
    assert abs(every.std() - 1) < 3.5 / np.sqrt(2 * every.size)
    assert stats.kstest(every, "norm").pvalue > 0.001
    assert min(tests) > 0.005
    below = found.table["state"].eq("below").mean()
    assert below == pytest.approx({None: 0, 50.0: 0.2, 200.0: 0.43}[lloq], abs=0.07)


def test_npde_of_a_patient_do_not_hang_together_as_npd_do(true):
    table = npde(true).table
    wide = table.pivot_table(index="patient", columns="time", values=["npd", "npde"])
    raw, free = (wide[name].corr().to_numpy() for name in ("npd", "npde"))
    pairs = np.triu_indices(len(DAYS), 1)
    assert np.abs(raw[pairs]).max() > 0.6
    assert np.abs(free[pairs]).max() < 3.8 / np.sqrt(60)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("p_mean", moved(cmax=-0.8, foldx=-0.8)),
        (
            "p_variance",
            lambda state: replace(state, errors=state.errors.with_logs([np.log(0.2)])),
        ),
        ("p_all", moved(tmax=0.3)),
    ],
    ids=["too low", "error too small", "peak too late"],
)
@pytest.mark.parametrize("lloq", [None, 400.0])
def test_npde_tell_a_wrong_model(stein, name, change, lloq):
    fit = made_fit(stein, studied(stein, 60, lloq=lloq), change=change, settle=9)
    assert npde(fit, replicates=300).tests[name].item() < 0.01


def test_decorrelation_takes_away_what_a_covariance_explains():
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky([[1.0, 0.8], [0.8, 1.0]])
    observed = root @ np.array([1.0, -0.5])
    scores = np.vstack([observed, rng.standard_normal((20_000, 2)) @ root.T])
    assert decorrelated(scores) == pytest.approx([1.0, -0.5], abs=0.05)


@pytest.mark.parametrize("lloq", [None, 400.0])
def test_nine_in_ten_observed_percentiles_lie_in_their_bands(stein, lloq):
    """Somewhat more where percentiles tie at "below the limit"."""
    inside, below = [], []
    for seed in range(15):
        fit = made_fit(stein, studied(stein, 30, lloq=lloq, seed=40 + seed), settle=9)
        found = vpc(fit, replicates=200, seed=seed)
        for table, into in ((found.percentiles, inside), (found.below, below)):
            into += list(table["observed"].between(table["low"], table["high"]))
    assert 0.84 < np.mean(inside) < (0.94 if lloq is None else 0.98)
    assert np.mean(below) > 0.84


def test_the_share_below_tells_what_the_levels_do_not(stein):
    """Where half the patients never expand, and the model knows of none."""
    study = studied(stein, 60, seed=2)
    samples = study.samples.drop(columns=["file", "row"])
    never = samples["patient"].isin(sorted(set(samples["patient"]))[:20])
    level = samples["level"].mask(never)
    state = samples["state"].mask(never, "below")
    mixed = ck.Study.from_frames(samples.assign(level=level, state=state))
    blind = made_fit(
        stein, mixed, change=lambda state: replace(state, never=0.0), settle=50
    )
    seeing = made_fit(
        stein, mixed, change=lambda state: replace(state, never=1 / 3), settle=50
    )
    for fit, least, most in ((blind, 0.0, 0.5), (seeing, 0.8, 1.0)):
        table = vpc(fit, replicates=200).below
        inside = table["observed"].between(table["low"], table["high"]).mean()
        assert least <= inside <= most


def test_a_limit_that_only_the_samples_below_it_state_holds_for_all(stein, true):
    """Else simulated samples in the place of quantified ones could not be below."""
    samples = true.study.samples.drop(columns=["file", "row"])
    limits = samples["lloq"].where(samples["state"] == "below")
    some = ck.Study.from_frames(samples.assign(lloq=limits))
    same = vpc(made_fit(stein, some, settle=9), replicates=50)
    expected = vpc(made_fit(stein, true.study, settle=9), replicates=50)
    pd.testing.assert_frame_equal(same.percentiles, expected.percentiles)
    pd.testing.assert_frame_equal(same.below, expected.below)


def test_percentiles_are_the_inverted_distribution_function():
    values = np.random.default_rng(1).normal(size=(3, 37))
    for percentile in (5, 50, 95):
        expected = np.percentile(values, percentile, axis=-1, method="inverted_cdf")
        assert lowest_share(values, percentile) == pytest.approx(expected)


def test_prediction_correction_is_that_of_bergstrand(stein):
    study = studied(stein, 40, jitter=0.3, days=[4, 7, 14, 28])
    fit = made_fit(stein, study, settle=50)
    plain, found = (vpc(fit, corrected=x, replicates=50) for x in (False, True))
    table = found.samples
    middle = table.groupby("bin")["pred"].transform("median")
    expected = (table["level"] * middle / table["pred"]).where(
        table["state"] == "quantified"
    )
    pd.testing.assert_series_equal(table["shown"], expected, check_names=False)
    spread = [
        (x.percentiles["high"] / x.percentiles["low"]).median() for x in (plain, found)
    ]
    assert spread[1] < spread[0]
    pd.testing.assert_frame_equal(plain.below, found.below)


def test_bins_are_planned_days_as_long_as_they_hold_enough():
    days = np.repeat([7.0, 14.0, 15.0, 180.0], [30, 30, 4, 30])
    assert np.bincount(binned(days, days)).tolist() == [30, 34, 30]
    jittered = days + 0.2
    assert (binned(days, jittered) == binned(days, days)).all()
    loose = np.random.default_rng(1).uniform(1, 100, 150)
    found = binned(np.full(150, np.nan), loose)
    assert np.bincount(found).min() >= 10
    assert (np.diff(found[np.argsort(loose)]) >= 0).all()
    assert binned(days, days, [0, 10, 20]).tolist() == [0] * 30 + [1] * 34 + [-1] * 30
    with pytest.raises(ck.FitError, match=r"bins = \[10, 0\]"):
        binned(days, days, [10, 0])
    with pytest.raises(ck.FitError, match="no sample lies in"):
        binned(days, days, [0, 1])


def test_sampled_etas_are_spread_as_patients_are_and_estimates_shrink(true):
    estimated = etas(true).assign(scaled=lambda x: x["eta"] / x["omega"])
    drawn = sampled_etas(true, draws=50)
    spread = drawn.groupby("parameter")["scaled"].std()
    assert spread.to_numpy() == pytest.approx(np.ones(6), abs=0.2)
    shrunk = 1 - estimated.groupby("parameter")["scaled"].std(ddof=0)
    stated = true.table.set_index("parameter")["shrinkage"].dropna() / 100
    assert shrunk[stated.index].to_numpy() == pytest.approx(stated.to_numpy())
    warned = {sentence.split(":")[0] for sentence in shrinkage_warnings(true)}
    assert warned == set(stated[stated > 0.3].index)
    assert "beta" in warned
