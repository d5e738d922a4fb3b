"""Individual fits: truth comes back, silence is told from absence, doubts are said."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.individual import fit
from cellpk.fit.individual.numbers import values

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
RICH = [
    1,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    14,
    17,
    21,
    28,
    45,
    60,
    90,
    120,
    180,
    270,
    360,
]
SPARSE = [7, 14, 21, 28]
LLOQ = 50.0


def measured(patient, theta, times, *, sd=0.56, rng, lloq=LLOQ):
    """Samples of one patient with known parameters, as a laboratory reports them."""
    noise = sd * rng.standard_normal(len(times))
    levels = np.exp(STEIN.log_level(theta, times) + noise)
    reported = [f"{x!r}" if x >= lloq else f"<{lloq:g}" for x in levels.tolist()]
    columns = {"patient": patient, "time": times, "level": reported, "lloq": lloq}
    return pd.DataFrame(columns).assign(assay="qpcr")


def study_of(*samples):
    return ck.Study.from_frames(pd.concat(samples, ignore_index=True))


def simulated(patients, times, *, seed=1):
    """Patients drawn from the model's own distribution, and their parameters."""
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((patients, len(STEIN.free)))
    theta = STEIN.typical + STEIN.spread * draws
    names = [f"P{i:04d}" for i in range(patients)]
    samples = [
        measured(n, t, times, rng=rng) for n, t in zip(names, theta, strict=True)
    ]
    return study_of(*samples), dict(zip(names, theta, strict=True))


@pytest.fixture(scope="module")
def sparse():
    study, truth = simulated(8, SPARSE)
    return study, truth, ck.fit_individuals(STEIN, study)


@pytest.fixture(scope="module")
def rich():
    rng = np.random.default_rng(4)
    samples = measured("A", STEIN.typical, RICH, sd=0.1, rng=rng, lloq=1.0)
    return ck.fit_individuals(STEIN, study_of(samples))


def test_rich_samples_give_known_parameters_back_without_a_prior(rich):
    row = rich.table.iloc[0]
    assert (row["method"], row["converged"]) == ("ml", True)
    for name, true in values(STEIN, STEIN.typical).items():
        assert row[name] == pytest.approx(true, rel=0.25)
        assert row[f"{name}_low"] < true < row[f"{name}_high"]
    assert row["cmax"] == pytest.approx(24000, rel=0.1)
    assert row["doubling_time"] == pytest.approx(0.78, rel=0.1)
    assert row["auc_0_28"] == pytest.approx(171774, rel=0.1)


def test_without_a_prior_the_residual_sd_is_the_patients_own(rich):
    own = rich.results["A"].params["qpcr_sd"].value
    assert own == pytest.approx(0.1, rel=0.5)
    assert "residual SD" in rich.table["sentence"][0]
    assert rich.long["information"].isna().all()


def test_few_samples_are_fitted_with_the_prior_and_say_so(sparse):
    _, _, fits = sparse
    fitted = fits.table[fits.table["method"] == "map"]
    assert len(fitted) >= 6
    assert fitted["sentence"].str.contains("MAP, for [234] quantified samples").all()
    assert fitted["sentence"].str.contains("No sample after day 28").all()
    assert fitted["sentence"].str.contains(r"Rests on the prior .*beta \d+ %").all()
    assert not fitted["sentence"].str.contains(r"cmax \d+ %").any()


def test_information_is_the_share_of_the_priors_variance_that_the_data_took(sparse):
    _, _, fits = sparse
    assert fits.long["information"].between(0, 1).all()
    of = dict(list(fits.long.groupby("quantity")["information"]))
    assert (of["cmax"] > 0.3).all()
    assert (of["beta"] < 0.3).all()
    assert of["half_life_2"].to_numpy() == pytest.approx(of["beta"].to_numpy())


def test_every_estimate_lies_in_its_interval(sparse):
    _, _, fits = sparse
    assert (fits.long["low"] < fits.long["value"]).all()
    assert (fits.long["value"] < fits.long["high"]).all()
    assert fits.table["converged"][fits.table["method"] != "none"].all()


def test_never_expanders_are_recognised_and_not_forced_into_a_curve():
    rng = np.random.default_rng(2)
    nothing = STEIN.theta({"cmax": 1e-3})
    some = [measured(f"N{i}", nothing, SPARSE, rng=rng) for i in range(5)]
    some += [measured(f"Y{i}", STEIN.typical, SPARSE, rng=rng) for i in range(3)]
    fits = ck.fit_individuals(STEIN, study_of(*some))
    table = fits.table.set_index("patient")
    never = table["status"] == "never_expanded"
    assert never.index[never].to_list() == [f"N{i}" for i in range(5)]
    assert (table.loc[never, "method"] == "none").all()
    assert table.loc[never, "cmax"].isna().all()
    assert set(fits.failed["patient"]) == set(never.index[never])
    assert set(fits.results) == {"Y0", "Y1", "Y2"}


def test_samples_below_the_limit_are_used_and_dropping_them_is_biased():
    rng, fast = np.random.default_rng(6), STEIN.theta({"alpha": 0.5, "fb": 1e-4})
    times = [5, 7, 9, 11, 14, 17, 20, 24, 28]
    rows = [measured(f"{i:02d}", fast, times, rng=rng, lloq=500.0) for i in range(14)]
    kept = pd.concat(rows, ignore_index=True)
    dropped = kept[~(kept["level"].str.startswith("<") & (kept["time"] > 9))]
    half_lives = [
        ck.fit_individuals(STEIN, study_of(frame), starts=8).table["half_life_1"]
        for frame in (kept, dropped)
    ]
    with_them, without = (np.log(x / (np.log(2) / 0.5)).mean() for x in half_lives)
    assert abs(with_them) < 0.12
    assert without > with_them + 0.05


def test_levels_in_another_unit_move_the_prior_and_the_units():
    study, _ = simulated(6, SPARSE)
    flow = study.samples.assign(assay="flow", unit="cells/uL")
    kept = ["patient", "time", "level", "lloq", "assay", "unit"]
    below = flow["state"] == "below"
    flow["level"] = flow["level"].astype(object).where(~below, f"<{LLOQ:g}")
    fits = ck.fit_individuals(STEIN, ck.Study.from_frames(flow[kept]))
    assert fits.unit == fits.units["cmax"] == fits.units["cmax_low"] == "cells/uL"
    assert "cells/uL" in fits.units["auc_0_28"]
    prior = fits.prior.set_index("parameter")
    peaks = study.samples.groupby("patient")["level"].max()
    assert prior.loc["cmax", "centre"] == pytest.approx(np.exp(np.log(peaks).mean()))
    assert "of this study" in prior.loc["cmax", "source"]


def test_results_are_lmfits_and_minimise_the_residuals(sparse):
    _, _, fits = sparse
    table = fits.table.set_index("patient")
    for patient, result in fits.results.items():
        used = fits.samples[fits.samples["patient"] == patient]
        theta = np.log([result.params[name].value for name in STEIN.free])
        pull = (theta - STEIN.typical) / STEIN.spread
        total = np.square(used["residual"]).sum() + np.square(pull).sum()
        assert result.chisqr == pytest.approx(total, abs=1e-5)
        assert not result.params["qpcr_sd"].vary
        for name in STEIN.free:
            ours = table.loc[patient, name]
            assert result.params[name].value == pytest.approx(ours, rel=1e-3)


def test_one_failing_patient_is_a_row_with_a_reason(sparse, monkeypatch):
    study, _, fits = sparse
    solved = fit.solved

    def failing(data, asked, draws):
        if "P0001" in data.patients:
            raise np.linalg.LinAlgError("Singular matrix")
        return solved(data, asked, draws)

    monkeypatch.setattr(fit, "solved", failing)
    again = ck.fit_individuals(STEIN, study)
    row = again.table.set_index("patient").loc["P0001"]
    assert (row["method"], row["converged"]) == ("none", False)
    assert row["sentence"] == "The fit failed: LinAlgError: Singular matrix."
    assert "P0001" in set(again.failed["patient"])
    assert "1 failed" in repr(again)
    others = fits.table["patient"] != "P0001"
    pd.testing.assert_frame_equal(again.table[others], fits.table[others])


def test_order_of_patients_and_reruns_change_no_byte(sparse):
    study, _, fits = sparse
    samples = pd.concat(
        [
            measured_rows(study, patient)
            for patient in sorted(study.patients["patient"])[::-1]
        ]
    )
    again = ck.fit_individuals(STEIN, ck.Study.from_frames(samples))
    for name in ("table", "long", "failed", "prior"):
        assert getattr(again, name).to_csv() == getattr(fits, name).to_csv()


def measured_rows(study, patient):
    """A patient's samples as they were delivered."""
    rows = study.samples[study.samples["patient"] == patient]
    rows = rows[["patient", "time", "reported", "lloq", "assay"]]
    return rows.rename(columns={"reported": "level"})


def test_curves_have_a_band_about_the_estimate(sparse):
    _, truth, fits = sparse
    times = np.linspace(0, 60, 25)
    inside = []
    for patient in fits.results:
        curve = fits.curve(patient, times)
        assert list(curve.columns) == ["time", "level", "low", "high"]
        assert (curve["low"] < curve["high"]).all()
        true = np.exp(STEIN.log_level(truth[patient], times))
        inside.append(((curve["low"] < true) & (true < curve["high"])).mean())
    assert np.mean(inside) > 0.85


def test_a_curve_of_a_patient_without_fit_is_refused_with_the_reason():
    samples = measured("A", STEIN.typical, [14], rng=np.random.default_rng(1))
    fits = ck.fit_individuals(STEIN, study_of(samples))
    with pytest.raises(
        ck.FitError, match=r"'A' has no fit.*1 quantified sample cannot hold"
    ):
        fits.curve("A", [1, 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assays": "flwo"}, "no sample of assay 'flwo'"),
        ({"starts": 0}, "starts = 0"),
        ({"draws": 10}, "draws = 10"),
    ],
)
def test_senseless_questions_are_refused_by_name(sparse, changes, message):
    with pytest.raises((ck.FitError, ck.DataError), match=message):
        ck.fit_individuals(STEIN, sparse[0], **changes)


def test_a_senseless_level_is_refused(sparse):
    with pytest.raises(ck.FitError, match="level = 95"):
        sparse[2].with_level(95)


def test_progress_is_told_until_all_are_done():
    study, _ = simulated(10, SPARSE)
    told = []
    ck.fit_individuals(STEIN, study, starts=2, progress=lambda *now: told.append(now))
    done = [now[0] for now in told]
    assert done == sorted(set(done))
    assert told[-1] == (10, 10, "10 of 10 patients")


def test_more_confidence_makes_wider_intervals():
    study, _ = simulated(3, SPARSE)
    fits = ck.fit_individuals(STEIN, study)
    half, most = (fits.with_level(x).long for x in (0.5, 0.99))
    assert (half["high"] - half["low"] < most["high"] - most["low"]).all()


DESIGNS = {
    "three": [7, 14, 28],
    "four": SPARSE,
    "rich": [1, 3, 5, 7, 9, 11, 14, 17, 21, 28, 60, 90, 180, 360],
}


@pytest.mark.slow
@pytest.mark.parametrize("times", DESIGNS.values(), ids=DESIGNS)
def test_intervals_of_95_percent_hold_the_truth_as_often_as_they_say(times):
    from scipy.stats import binom

    study, truth = simulated(200, times, seed=11)
    fits = ck.fit_individuals(STEIN, study)
    table = fits.table[fits.table["method"] != "none"]
    true = values(STEIN, np.array([truth[patient] for patient in table["patient"]]))
    least, most = binom.ppf([0.0005, 0.9995], len(table), 0.95)
    for name in ("cmax", "tmax", "auc_0_28", "doubling_time", "half_life_1"):
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        hits = ((low <= true[name]) & (true[name] <= high)).sum()
        assert least <= hits <= most, f"{name}: {hits} of {len(table)}"
    assert table["converged"].mean() > 0.97
