from pathlib import Path
from types import SimpleNamespace

import logistic_grid as grid
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import cellpk as ck
from cellpk.outcomes.censoring import censored_normal

CAR22 = Path(__file__).parents[1] / "notebooks" / "car22_study.toml"
LIMIT = 50.0


def study(levels, outcomes, endpoint="best_response"):
    """One sample per patient on day 10; levels below LIMIT are reported as such."""
    patients = [f"P{n:02d}" for n in range(len(levels))]
    reported = [f"{x:.10g}" if x >= LIMIT else f"<{LIMIT:g}" for x in levels]
    samples = pd.DataFrame(
        {"patient": patients, "time": 10.0, "level": reported, "assay": "qpcr"}
    )
    rows = [
        (p, endpoint, value, 5.0) for p, value in zip(patients, outcomes, strict=True)
    ]
    columns = ["patient", "endpoint", "value", "time"]
    known = pd.DataFrame([row for row in rows if row[2]], columns=columns)
    return ck.Study.from_frames(samples=samples, outcomes=known)


def analysed(levels, outcomes, endpoint="response", **question):
    source = "crs_grade" if endpoint.startswith("crs") else "best_response"
    one = study(levels, outcomes, endpoint=source)
    return ck.exposure_response(ck.nca(one), one, endpoint=endpoint, **question)


RNG = np.random.default_rng(11)
LEVELS = 10 ** RNG.normal(2.5, 0.9, 30)
EVENTS = RNG.random(30) < expit(1.8 * (np.log10(LEVELS) - 2.5))
WORDS = np.where(EVENTS, "PR", "SD")


@pytest.fixture(scope="module")
def result():
    return analysed(LEVELS, WORDS)


def expected(levels, events):
    """The same analysis without any of cellpk's code but the population's law."""
    x = np.log10(levels)
    known = levels >= LIMIT
    ranges = [[-np.inf, np.log10(LIMIT)]] * int((~known).sum())
    mean, sd = censored_normal(x[known], np.reshape(ranges, (-1, 2)))
    reference = np.round(2 * mean) / 2
    tail, share = grid.below(np.log10(LIMIT), mean, sd)
    exposures = [
        grid.exactly(value - reference) if seen else (tail - reference, share)
        for value, seen in zip(x, known, strict=True)
    ]
    return grid.posterior(exposures, events), 10**reference


def test_from_study_to_slope_the_grid_says_the_same(result):
    row = result.table.iloc[0]
    answer, reference = expected(LEVELS, EVENTS)
    assert result.reference == pytest.approx(reference)
    assert row["n_exposure_below"] == (LEVELS < LIMIT).sum() > 2
    assert row["slope_10fold_mean"] == pytest.approx(answer.mean, abs=0.1 * answer.sd)
    assert row["slope_10fold_sd"] == pytest.approx(answer.sd, rel=0.08)
    assert row["slope_10fold_low"] == pytest.approx(
        answer.quantile(0.025), abs=0.2 * answer.sd
    )
    assert row["pr_positive"] == pytest.approx(answer.pr_positive, abs=0.01)


def test_the_row_says_who_was_analysed(result):
    row = result.table.iloc[0]
    assert (row["n"], row["events"]) == (30, EVENTS.sum())
    assert (row["endpoint"], row["exposure"], row["assay"]) == (
        "response",
        "cmax",
        "qpcr",
    )
    assert row["converged"]
    assert len(result.draws) == 4000


def test_contrasts_are_the_same_slope_in_other_units(result):
    row = result.table.iloc[0]
    for end in ("", "_low", "_high"):
        ten, two = row[f"slope_10fold{end}"], row[f"slope_2fold{end}"]
        assert two == pytest.approx(ten * np.log10(2))
        assert row[f"odds_ratio_10fold{end}"] == pytest.approx(np.exp(ten))
        assert row[f"odds_ratio_2fold{end}"] == pytest.approx(np.exp(two))


def test_summaries_come_from_the_stored_draws(result):
    slope, row = result.draws["slope"], result.table.iloc[0]
    assert row["slope_10fold"] == pytest.approx(slope.median())
    assert row["slope_10fold_high"] == pytest.approx(slope.quantile(0.975))
    assert row["pr_positive"] == (slope > 0).mean()
    assert row["contraction"] == pytest.approx(1 - slope.var() / 2.5**2)


def test_the_curve_spans_the_exposures_and_stands_beside_its_prior(result):
    curve = result.curve
    assert curve["exposure"].iloc[[0, -1]].tolist() == pytest.approx(
        [LIMIT, LEVELS.max()]
    )
    assert (curve["low"] < curve["probability"]).all()
    assert (curve["probability"] < curve["high"]).all()
    wider = curve["prior_high"] - curve["prior_low"] > curve["high"] - curve["low"]
    assert wider.all()
    at = np.interp(result.reference, curve["exposure"], curve["prior_probability"])
    assert at == pytest.approx(0.5)


def test_probabilities_agree_with_the_grid(result):
    answer, reference = expected(LEVELS, EVENTS)
    x = np.log10(result.curve["exposure"] / reference)
    slope, intercept = result.draws["slope"], result.draws["intercept"]
    for point in (5, 30, 55):
        mean = expit(intercept + slope * x[point]).mean()
        assert mean == pytest.approx(answer.probability(x[point]), abs=0.01)


def test_percentiles_are_those_of_patients_with_the_lowest_below_the_limit(result):
    at = result.at
    assert at["percentile"].tolist() == [10, 50, 90]
    assert at["below"].tolist() == [True, False, False]
    assert np.isnan(at.loc[0, "exposure"])
    assert at.loc[1, "exposure"] in LEVELS.round(6) or at.loc[1, "exposure"] > LIMIT
    assert at["probability"].is_monotonic_increasing


def test_the_data_carry_ranges_for_whoever_is_below_the_limit(result):
    below = result.data.loc[result.data["below"]]
    assert below["exposure"].isna().all()
    assert set(below["high"]) == {LIMIT}
    assert result.data["event"].dtype == bool


def test_priors_scale_and_cautions_are_said(result):
    assert "Normal(0, 2.5)" in result.prior[2]
    assert "without regard to outcomes" in result.prior[0]
    assert "tumour burden" in result.table["sentence"].item()
    assert result.units["exposure"] == "copies/ug"


def test_it_presents_itself_in_one_line(result):
    assert repr(result).startswith("Exposure-response study: response on cmax (qpcr), ")
    assert "\n" not in repr(result)
    assert result._repr_html_().startswith("<p>Exposure-response")


def test_everything_is_the_same_the_second_time(result):
    again = analysed(LEVELS, WORDS)
    for name in ("table", "curve", "at", "data", "draws", "prior_draws"):
        pd.testing.assert_frame_equal(
            getattr(again, name), getattr(result, name), check_exact=True
        )


def test_patients_without_the_outcome_are_listed_and_not_counted():
    words = list(WORDS)
    words[0] = words[7] = ""
    partial = analysed(LEVELS, words, draws=200)
    assert partial.table["n"].item() == 28
    assert partial.excluded["patient"].tolist() == ["P00", "P07"]
    assert set(partial.excluded["reason"]) == {"No best_response is recorded."}


def test_the_reference_does_not_depend_on_outcomes():
    words = ["" if happened else "SD" for happened in EVENTS]
    assert analysed(LEVELS, words, draws=200).reference == pytest.approx(10**2.5)


@pytest.mark.parametrize(("word", "start"), [("SD", "None of 30"), ("CR", "All 30")])
def test_one_class_gives_a_finite_answer_that_says_so(word, start):
    row = analysed(LEVELS, [word] * 30).table.iloc[0]
    assert row["sentence"].startswith(start)
    assert np.isfinite(
        row[["slope_10fold_low", "slope_10fold_high"]].to_numpy(float)
    ).all()
    assert row["slope_10fold_low"] < 0 < row["slope_10fold_high"]


def test_complete_separation_gives_a_finite_slope_and_says_why():
    levels = np.geomspace(60, 60_000, 12)
    words = np.where(levels > 2000, "CR", "PD")
    row = analysed(levels, words).table.iloc[0]
    assert row["sentence"].startswith("Exposure separates")
    assert 0 < row["slope_10fold_low"] < row["slope_10fold_high"] < 10
    assert row["converged"]


def test_two_patients_are_answered_and_said_not_to_inform():
    row = analysed([300.0, 500.0], ["CR", "SD"]).table.iloc[0]
    assert row["contraction"] < 0.3
    assert "do not inform the slope" in row["sentence"]


def test_sampling_that_failed_is_the_first_thing_said():
    row = analysed(LEVELS, WORDS, draws=30, chains=2).table.iloc[0]
    assert not row["converged"]
    assert row["sentence"].startswith("Sampling did not converge")


def test_toxicity_before_the_peak_is_called_an_association():
    row = analysed(LEVELS, np.where(EVENTS, "3", "1"), endpoint="crs_grade_2").table
    assert "before Tmax in 25 of 25 patients" in row["sentence"].item()


def test_without_outcomes_the_known_endpoints_are_offered():
    one = study(LEVELS, WORDS)
    metrics = ck.nca(one)
    with pytest.raises(ck.FitError, match=r"both cmax and crs_grade_3.*here: response"):
        ck.exposure_response(metrics, one, endpoint="crs_grade_3")


def test_uncertain_exposures_of_fits_are_integrated_and_never_plugged_in():
    known = LEVELS.clip(LIMIT)
    one = study(known, WORDS)
    sd, factor = 0.5, 10 ** (1.959964 * 0.5)
    table = pd.DataFrame(
        {
            "patient": [f"P{n:02d}" for n in range(30)],
            "assay": "qpcr",
            "status": "expanded",
            "method": "map",
            "converged": True,
            "cmax": known,
            "cmax_low": known / factor,
            "cmax_high": known * factor,
            "tmax": 10.0,
            "sentence": "",
        }
    )
    fits = SimpleNamespace(
        table=table, units={"cmax": "copies/ug"}, assay="qpcr", level=0.95
    )
    joint = ck.exposure_response(fits, one)
    x = np.log10(known / joint.reference)
    answer = grid.posterior([grid.normal(value, sd) for value in x], EVENTS)
    plugged = grid.posterior([grid.exactly(value) for value in x], EVENTS)
    row = joint.table.iloc[0]
    assert row["slope_10fold_mean"] == pytest.approx(answer.mean, abs=0.1 * answer.sd)
    assert row["slope_10fold_sd"] == pytest.approx(answer.sd, rel=0.08)
    assert row["slope_10fold_sd"] > 1.1 * plugged.sd
    assert "inside the likelihood (median SD 0.5 decades)" in row["sentence"]


@pytest.mark.slow
def test_car22_responses_go_with_the_peak_as_the_grid_says():
    if not (CAR22.parent / "../../shared/data/car22").is_dir():
        pytest.skip("the car22 data stand beside the repository, not in it")
    one = ck.read_study(CAR22)
    metrics = ck.nca(one)
    for endpoint, lowest in (("response", 0.999), ("crs_grade_2", 0.98)):
        found = ck.exposure_response(metrics, one, endpoint=endpoint)
        table = found.data
        known = table["exposure"].notna()
        mean, sd = censored_normal(
            np.log10(table.loc[known, "exposure"]), [[-np.inf, np.log10(2.0)]] * 2
        )
        tail, share = grid.below(np.log10(2.0), mean, sd)
        ref = np.log10(found.reference)
        exposures = [
            (tail - ref, share)
            if row.below
            else grid.exactly(np.log10(row.exposure) - ref)
            for row in table.itertuples()
        ]
        answer = grid.posterior(exposures, table["event"])
        row = found.table.iloc[0]
        assert (row["n"], row["n_exposure_below"]) == (55, 2)
        assert row["slope_10fold_mean"] == pytest.approx(
            answer.mean, abs=0.1 * answer.sd
        )
        assert row["slope_10fold_sd"] == pytest.approx(answer.sd, rel=0.08)
        assert row["pr_positive"] > lowest


@pytest.mark.slow
def test_fits_of_a_study_are_a_source_of_exposures_with_their_uncertainty():
    one = ck.simulate_study(seed=1)
    stein = ck.load_model(one.settings.analysis.model)
    fits = ck.fit_individuals(stein, one)
    found = ck.exposure_response(fits, one)
    never = int((fits.table["status"] == "never_expanded").sum())
    row = found.table.iloc[0]
    assert row["n_exposure_below"] == never > 0
    assert row["n"] + len(found.excluded) == len(one.patients)
    wide = found.data.loc[~found.data["below"]]
    assert (wide["low"] < wide["high"]).all()
    assert "uncertainty of its individual fit" in row["sentence"]
    assert row["converged"]
