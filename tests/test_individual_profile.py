"""Profiles, identifiability and influence of single samples."""

import numpy as np
import pandas as pd
import pytest
from made_models import DECLINE
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from test_individual import RICH, STEIN, measured, study_of
from test_individual_kinds import DAYS, LEVELS, one_study

import cellpk as ck

MORE = (
    DECLINE
    + """
[derived]
half_life = { is = "log(2)/k", unit = "day" }
fall = { is = "c0*k", unit = "copies/ug/day" }
"""
)


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "made.toml"
    path.write_text(MORE, encoding="utf-8")
    return ck.fit_individuals(ck.load_model(path), one_study(), draws=4000)


@pytest.fixture(scope="module")
def stein():
    rng = np.random.default_rng(4)
    rich = measured("A", STEIN.typical, RICH, sd=0.2, rng=rng, lloq=1.0)
    return ck.fit_individuals(
        STEIN, study_of(rich, measured("B", STEIN.typical, [5, 9, 14, 28], rng=rng))
    )


def posterior():
    prior = np.array([[0.25, 0.006], [0.006, 0.0004]])
    design = np.stack([np.ones(5), -DAYS], axis=1)
    covariance = np.linalg.inv(np.linalg.inv(prior) + design.T @ design / 0.16)
    pull = np.linalg.solve(prior, [np.log(1000), 0.1])
    return covariance @ (pull + design.T @ np.log(LEVELS) / 0.16), covariance


def test_profiles_of_a_linear_model_are_its_normal_intervals(linear):
    """By lmfit for parameters, by ours for what is derived."""
    mean, covariance = posterior()
    found = linear.profile("A").set_index("quantity")
    k = mean[1] + stats.norm.ppf([0.025, 0.975]) * np.sqrt(covariance[1, 1])
    ends = found[["low", "high"]].astype(float)
    np.testing.assert_allclose(ends.loc["k"], k, rtol=1e-3)
    np.testing.assert_allclose(ends.loc["half_life"], np.log(2) / k[::-1], rtol=2e-3)


def test_the_profile_of_a_product_is_the_one_found_by_scipy(linear):
    mean, covariance = posterior()
    found = linear.profile("A", "fall").iloc[0]
    precision = np.linalg.inv(covariance)

    def loss(log_fall):
        def at(k):
            away = np.array([log_fall - np.log(k), k]) - mean
            return away @ precision @ away

        return minimize_scalar(at, bounds=(1e-3, 0.4), method="bounded").fun

    limit = stats.chi2.ppf(0.95, 1)
    middle = np.log(found["value"])
    for name, other in (("low", middle - 2), ("high", middle + 2)):
        end = brentq(lambda x: loss(x) - limit, middle, other)
        assert np.log(found[name]) == pytest.approx(end, abs=2e-3)


def test_ours_is_that_of_lmfit_where_curves_are_smooth(linear, monkeypatch):
    from cellpk.fit.individual import profile

    lmfits = linear.profile("A", ["c0", "k"])
    monkeypatch.setattr(profile, "_by_lmfit", lambda *asked: None)
    ours = linear.profile("A", ["c0", "k"])
    pd.testing.assert_frame_equal(ours, lmfits, rtol=1e-3)


ALONE = {"day": np.array([1.0, 3, 5, 8, 12, 20, 30, 40, 50, 60])}
ALONE["level"] = np.array([700.0, 900, 1100, 520, 300, 190, 35, 25, 6.2, 2.9])
SILENT = [2.0, 4, 6, 10, 15, 25, 35, 45, 55, 65]


def measured_alone(silent, *, error='error = "lognormal", sd = 0.4'):
    """Ten quantified samples, and others below a limit that says nothing of them."""
    times, levels = [*ALONE["day"], *silent], [str(x) for x in ALONE["level"]]
    frame = pd.DataFrame({"time": times, "level": [*levels, *["<1e9"] * len(silent)]})
    frame["lloq"] = [0.1] * len(levels) + [1e9] * len(silent)
    frame = frame.assign(patient="A", assay="qpcr", unit="copies/ug")
    patients = pd.DataFrame({"patient": ["A"], "high": [1.0]})
    text = MORE.replace('error = "lognormal", sd = 0.4', error)
    return ck.Study.from_frames(frame, patients=patients), text


@pytest.mark.parametrize("silent", [[], SILENT], ids=["none", "ten below 1e9"])
@pytest.mark.parametrize("by", ["lmfit", "us"])
def test_profiles_without_prior_are_the_t_intervals_of_regression(
    made_model, monkeypatch, silent, by
):
    """Of a straight line through log levels: whatever is below a limit of no use."""
    from cellpk.fit.individual import profile

    if by == "us":
        monkeypatch.setattr(profile, "_by_lmfit", lambda *asked: None)
    study, text = measured_alone(silent)
    fits = ck.fit_individuals(made_model(text), study, draws=0)
    assert fits.table["method"][0] == "ml", fits.table["sentence"][0]
    line = stats.linregress(ALONE["day"], np.log(ALONE["level"]))
    reach = stats.t.ppf([0.025, 0.975], 8)
    found = fits.profile("A", ["c0", "k"]).set_index("quantity")[["low", "high"]]
    slope = -line.slope + reach * line.stderr
    start = np.exp(line.intercept + reach * line.intercept_stderr)
    np.testing.assert_allclose(found.loc["k"].astype(float), slope, rtol=2e-3)
    np.testing.assert_allclose(found.loc["c0"].astype(float), start, rtol=5e-3)


@pytest.mark.parametrize(
    "error",
    ['error = "student", sd = 0.4, df = 4', 'error = "proportional", sd = 0.3'],
)
def test_profiles_rise_by_as_much_whatever_the_kind_of_error(made_model, error):
    """At the ends -2 log L, with the patient's own error, is higher by F's quantile."""
    study, text = measured_alone([], error=error)
    fits = ck.fit_individuals(made_model(text), study, draws=0)
    assert fits.table["method"][0] == "ml", fits.table["sentence"][0]
    aim, theta = fits._aim(0), fits.made.solution.theta[0]

    def least(k):
        def loss(log):
            return aim.values(np.array([[log, k]]))[0]

        near = (theta[0] - 2, theta[0] + 2)
        return minimize_scalar(loss, bounds=near, options={"xatol": 1e-8}).fun

    rise = stats.f.ppf(0.95, 1, 8) / 2
    for end in fits.profile("A", "k").loc[0, ["low", "high"]]:
        assert least(end) - least(theta[1]) == pytest.approx(rise, rel=0.01)


def test_limits_without_prior_are_held_to_f_as_profiles_are(made_model):
    """Where the loss at a bound lies between the quantiles of chi-square and of F."""
    study, text = measured_alone([])
    model = made_model(text)
    line = stats.linregress(ALONE["day"], np.log(ALONE["level"]))
    bounds = ck.model_parameters(model)
    for reach, limited in ((2.1, False), (2.5, True)):  # t: 2.306, normal: 1.960
        bounds["k"].max = -line.slope + reach * line.stderr
        fits = ck.fit_individuals(model, study, parameters=bounds, draws=0)
        assert fits.table["method"][0] == "ml", fits.table["sentence"][0]
        row = fits.identifiability.set_index("parameter").loc["k"]
        assert row["upper"] == limited


def test_a_quantity_of_one_parameter_has_the_profile_of_that_parameter(stein):
    found = stein.profile("A", ["beta", "half_life_2"]).set_index("quantity")
    ends = found[["low", "high"]].astype(float)
    expected = np.log(2) / ends.loc["beta"].to_numpy()[::-1]
    np.testing.assert_allclose(ends.loc["half_life_2"], expected, rtol=2e-3)


def test_no_place_within_the_interval_is_worse_than_the_limit(stein):
    """At its end the loss of -2 log L is that of chi-square (MAP)."""
    row = stein.profile("B", "cmax").iloc[0]
    aim, j = stein._aim(1), STEIN.free.index("cmax")
    best = aim.values(stein.made.solution.theta[[1]])[0]
    points = stein.made.solution.draws[1]
    value = aim.values(points[:, None])[:, 0] - best
    beyond = (points[:, j] < np.log(row["low"])) | (points[:, j] > np.log(row["high"]))
    assert beyond.sum() > 5
    assert value[beyond].min() > stats.chi2.ppf(0.95, 1) / 2 * 0.98


def test_what_is_not_a_quantity_is_refused_by_name(stein):
    with pytest.raises(ck.FitError, match=r"'cmx' is not a quantity.*cmax"):
        stein.profile("A", "cmx")
    with pytest.raises(ck.FitError, match="'Z' has no fit"):
        stein.profile("Z")


def test_rich_samples_limit_every_parameter_and_few_do_not(stein):
    table = stein.identifiability.set_index(["patient", "parameter"])
    assert table.loc["A", ["lower", "upper"]].to_numpy().all()
    few = table.loc["B"]
    assert few.loc["cmax", "lower"]
    assert not few.loc["beta", "lower"]
    assert few.loc["beta", "sentence"] == (
        "beta: the samples alone set no limit; it rests on the prior "
        f"({100 * few.loc['beta', 'information']:.0f} % of the information is from the "
        "samples)."
    )


def test_one_side_is_told_from_both():
    """A level that is below its limit after the highest may have fallen at once."""
    times = [1, 3, 5, 7, 9, 14, 17, 21, 28]
    levels = [20, 300, 4000, 20000, 60000, 0, 0, 0, 0]
    text = [f"{x}" if x else "<50" for x in levels]
    samples = pd.DataFrame({"patient": "A", "time": times, "level": text})
    study = ck.Study.from_frames(samples.assign(assay="qpcr", lloq=50.0))
    fits = ck.fit_individuals(STEIN, study, draws=0)
    row = fits.identifiability.set_index("parameter").loc["alpha"]
    assert row["lower"]
    assert not row["upper"]
    assert "set only a lower limit" in row["sentence"]


def test_influence_is_how_far_a_fit_without_the_sample_stands(linear):
    """Each of five fits made again by hand, in standard errors."""
    fits = linear
    found = fits.influence
    long = fits.long.set_index("quantity")
    assert len(found) == 5
    for i in range(5):
        kept = one_study().samples.drop(index=i)[
            ["patient", "time", "level", "assay", "unit", "lloq"]
        ]
        patients = pd.DataFrame({"patient": ["A"], "high": [1.0]})
        again = ck.fit_individuals(
            fits.model, ck.Study.from_frames(kept, patients=patients), draws=0
        )
        moved = (again.table["k"][0] - fits.table["k"][0]) / long.loc["k", "se"]
        assert found.loc[i, "k"] == pytest.approx(moved, abs=1e-3)
        log = np.log(again.table["half_life"][0] / fits.table["half_life"][0])
        expected = log / long.loc["half_life", "se"]
        assert found.loc[i, "half_life"] == pytest.approx(expected, abs=1e-3)


def test_standard_errors_are_those_of_the_draws(linear):
    _, covariance = posterior()
    se = linear.long.set_index("quantity")["se"]
    assert se["c0"] == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.05)
    assert se["k"] == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.05)


def test_a_sample_that_carries_the_fit_is_named():
    """Only the last of them tells that the slow phase is not slow."""
    rng = np.random.default_rng(3)
    fast = STEIN.theta({"beta": 0.03})
    samples = measured("A", fast, [*RICH[:14], 150], sd=0.1, rng=rng, lloq=1.0)
    fits = ck.fit_individuals(STEIN, study_of(samples))
    assert (
        "The sample of day 150 carries the fit: without it "
        in (fits.table["sentence"][0])
    )
    most = fits.influence.set_index("time").loc[150.0]
    assert abs(most[most["most"]]) > 2
    assert most["most"] in ("beta", "half_life_2")
