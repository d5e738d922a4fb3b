"""What became of patients' cells, where the truth is known."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
DAYS = [1, 3, 5, 7, 9, 11, 14, 17, 21, 28, 35, 42, 60, 90, 120, 180]
LLOQ = 50.0


def measured(table, level, *, lloq=LLOQ, sd=0.56, seed=1):
    """Samples of true levels, as a laboratory reports them."""
    noise = np.random.default_rng(seed).standard_normal(len(level))
    level = level * np.exp(sd * noise)
    below = level < lloq
    return table[["patient", "time", "assay", "unit"]].assign(
        level=np.where(below, np.nan, level),
        lloq=lloq,
        state=np.where(below, "below", "quantified"),
    )


@pytest.fixture(scope="module")
def simulated():
    return STEIN.simulate(100, design=ck.Design(DAYS, lloq=LLOQ), seed=5)


@pytest.fixture(scope="module")
def one_peak(simulated):
    return ck.kinetic_classes(STEIN, simulated.study())


def test_a_second_peak_is_seldom_seen_where_there_is_none(one_peak):
    """3 to 5 % of 500 patients seen before."""
    assert one_peak.counts["second_peak"] <= 9


def test_losses_before_day_28_come_about_as_often_as_their_probability_says(
    simulated, one_peak
):
    truth = STEIN.log_level(
        np.stack(
            [
                STEIN.theta({name: row[name] for name in STEIN.free})
                for _, row in simulated.parameters.set_index("patient").iterrows()
            ]
        ),
        [28.0],
    )[:, 0]
    lost = pd.Series(
        truth < np.log(LLOQ), index=simulated.parameters["patient"], name="truth"
    )
    table = one_peak.table.set_index("patient").join(lost)
    known = table["lost"].notna()
    expected, found = table.loc[known, "lost"].sum(), table.loc[known, "truth"].sum()
    variance = (table["lost"] * (1 - table["lost"])).sum()
    assert abs(expected - found) < 3 * np.sqrt(variance)
    sure = table[(table["lost"] < 0.1) | (table["lost"] > 0.9)]
    assert len(sure) > 50
    assert ((sure["lost"] > 0.5) == sure["truth"]).mean() > 0.9


def test_most_second_peaks_of_half_the_first_are_found(simulated):
    table = simulated.table
    top = np.log(table.groupby("patient")["true_level"].transform("max"))
    second = np.exp(top - 0.7 - 0.25 * np.abs(table["time"] - 35))
    study = ck.Study.from_frames(measured(table, table["true_level"] + second))
    found = ck.kinetic_classes(STEIN, study).table
    seen = found[found["class"] == "second_peak"]
    assert len(seen) >= 55
    assert seen["second_peak_day"].median() == pytest.approx(35, abs=3)


def test_silence_is_told_from_absence(simulated):
    """Below the limit when cells that expand are seen, or months later only."""
    early, late = [7, 10, 14, 21], [300, 360]
    rows = [("A", day) for day in early] + [("B", day) for day in late]
    rows += [("C", day) for day in (3, 7, 10, 14)]
    samples = pd.DataFrame(rows, columns=["patient", "time"]).assign(
        assay="qpcr", unit="copies/ug", lloq=LLOQ, state="below", level=np.nan
    )
    seen = samples["patient"].eq("C") & samples["time"].eq(10)
    samples.loc[seen, ["state", "level"]] = ["quantified", 80.0]
    patients = pd.DataFrame({"patient": ["A", "B", "C", "D"]})
    study = ck.Study.from_frames(samples, patients=patients)
    table = ck.kinetic_classes(STEIN, study).table.set_index("patient")
    assert table["class"].to_dict() == {
        "A": "never_expanded",
        "B": "too_few_samples",
        "C": "too_few_samples",
        "D": "too_few_samples",
    }
    assert table.loc["A", "expanded"] < 0.05 < table.loc["B", "expanded"]
    assert "probability of" in table.loc["B", "sentence"]
    assert table.loc["D", "sentence"] == "No sample of this assay."


def test_the_chance_to_have_expanded_is_that_of_draws_from_the_model():
    """By Bayes: half against the average likelihood of virtual patients."""
    days = [60.0, 120.0, 180.0]
    samples = pd.DataFrame({"patient": "B", "time": days}).assign(
        assay="qpcr", unit="copies/ug", lloq=LLOQ, state="below", level=np.nan
    )
    table = ck.kinetic_classes(STEIN, ck.Study.from_frames(samples)).table
    rng = np.random.default_rng(3)
    theta = STEIN.typical + STEIN.spread * rng.standard_normal((200_000, 6))
    from scipy.stats import norm

    away = (np.log(LLOQ) - STEIN.log_level(theta, days)) / 0.56
    average = np.exp(norm.logcdf(away).sum(-1)).mean()
    expected = average / (1 + average)
    assert table.loc[0, "expanded"] == pytest.approx(expected, rel=0.05)


def test_a_model_asks_for_a_study_and_a_day_for_being_one():
    with pytest.raises(ck.FitError, match="comes without a study"):
        ck.kinetic_classes(STEIN)
    with pytest.raises(ck.FitError, match="day = -1"):
        ck.kinetic_classes(STEIN, ck.simulate_study(seed=1), day=-1)


def test_a_population_fit_brings_its_own_study(simulated):
    from cellpk.fit.population.chains import Steps

    quick = Steps(starts=1, search=60, average=30, draws=300)
    study = STEIN.simulate(20, design=ck.Design(DAYS, lloq=LLOQ), seed=2).study()
    fit = ck.fit_population(STEIN, study, steps=quick)
    one, same = (ck.kinetic_classes(fit).table for _ in range(2))
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert list(one["patient"]) == sorted(fit.patients)


def test_one_patient_of_whom_something_is_missing_is_a_row_with_the_reason():
    study = ck.simulate_study(seed=1)
    given = study.comedication[["patient", "drug", "time"]]
    unknown = given.assign(time=given["time"].mask(given["patient"] == "S01"))
    columns = ["patient", "time", "assay", "level", "unit", "lloq", "state"]
    samples, patients = study.samples[columns], study.patients[["patient"]]
    study = ck.Study.from_frames(samples, patients=patients, comedication=unknown)
    model = ck.load_model("stein_2019_comedication")
    table = ck.kinetic_classes(model, study).table.set_index("patient")
    assert len(table) == 18
    row = table.loc["S01"]
    assert row["class"] == "too_few_samples"
    assert row["sentence"].startswith("toci_day: the day is not known of 1 patient")
    assert table["expanded"].notna().sum() == 17


FALL = """
title = "A fall seen by two assays"
source = "ours"
time = "day"
equations = "level = peak*exp(-rate*t)"
[parameters]
peak = { value = 5000, unit = "copies/ug", iiv_sd = 0.2 }
rate = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
scale = { value = 60, unit = "copies*uL/ug/cells", iiv_sd = 0.2 }
[observed]
qpcr = { is = "level", unit = "copies/ug", error = "lognormal", sd = 0.3 }
flow = { is = "level/scale", unit = "cells/uL", error = "lognormal", sd = 0.3 }
"""
FALL_DAYS = np.array([1.0, 3, 5, 7, 10, 14, 18, 21, 25, 28, 35])


@pytest.fixture(scope="module")
def fall(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "fall.toml"
    path.write_text(FALL, encoding="utf-8")
    return ck.load_model(path)


def fallen(patient, assay, days, *, lloq, second=0.0, times=1.0):
    level = times * (5000 * np.exp(-0.1 * days) + second)
    unit = {"qpcr": "copies/ug", "flow": "cells/uL"}[assay]
    table = pd.DataFrame({"patient": patient, "time": days, "assay": assay})
    return measured(table.assign(unit=unit), level, lloq=lloq, sd=0.1)


@pytest.fixture(scope="module")
def two_assays():
    """A by flow, B by both with a second peak in flow, C and D by qpcr; C is lost."""
    days = FALL_DAYS
    second = 3000 * np.exp(-0.3 * np.abs(days - 25))
    frames = [
        fallen("A", "flow", days, lloq=1.0, times=1 / 60),
        fallen("B", "flow", days, lloq=1.0, second=second, times=1 / 60),
        fallen("B", "qpcr", days[:4], lloq=50.0),
        fallen("C", "qpcr", days, lloq=2000.0),
        fallen("D", "qpcr", days, lloq=50.0),
    ]
    return ck.Study.from_frames(pd.concat(frames))


@pytest.mark.filterwarnings("error")
def test_all_assays_count_whatever_their_order(fall, two_assays):
    one, same = (
        ck.kinetic_classes(fall, two_assays, assays=assays).table
        for assays in (["qpcr", "flow"], ["flow", "qpcr"])
    )
    classes = ["expanded", "second_peak", "lost_early", "expanded"]
    assert one["class"].to_list() == classes
    assert one["assay"].to_list() == ["flow", "flow", "qpcr", "qpcr"]
    assert one.loc[1, "second_peak_day"] == pytest.approx(25, abs=2)
    pd.testing.assert_frame_equal(one, same, rtol=1e-5)


def test_levels_and_limits_are_compared_in_one_unit(fall, two_assays, tmp_path):
    """The same model, in copies/ng."""
    text = FALL.replace("value = 5000", "value = 5").replace(
        "value = 60", "value = 0.06"
    )
    path = tmp_path / "small.toml"
    path.write_text(text.replace("/ug", "/ng"), encoding="utf-8")
    assays = ["qpcr", "flow"]
    one, same = (
        ck.kinetic_classes(model, two_assays, assays=assays).table
        for model in (fall, ck.load_model(path))
    )
    assert one["lost"].gt(0.5).to_list() == [False, False, True, False]
    pd.testing.assert_frame_equal(one, same, rtol=1e-5)


def test_a_joint_population_fit_counts_all_assays(fall, two_assays):
    from cellpk.fit.population.chains import Steps

    quick = Steps(starts=1, search=30, average=10, draws=100)
    fit = ck.fit_population(fall, two_assays, assays=["qpcr", "flow"], steps=quick)
    table = ck.kinetic_classes(fit).table
    assert table["assay"].to_list() == ["flow", "flow", "qpcr", "qpcr"]
    assert "too_few_samples" not in set(table["class"])


def test_parameters_without_spread_have_a_class_all_the_same(fall):
    from cellpk.fit.population.chains import Steps

    quick = Steps(starts=1, search=60, average=30, draws=300)
    study = fall.simulate(12, design=ck.Design({"qpcr": FALL_DAYS}), seed=2).study()
    fit = ck.fit_population(
        fall, study, assays="qpcr", without_spread=["scale", "peak"], steps=quick
    )
    table = ck.kinetic_classes(fit).table
    assert table["lost"].notna().all()
    np.testing.assert_array_equal(table["expanded"], fit.individuals["expanded"])


def test_a_lot_that_adds_much_is_no_second_peak(fall):
    """Four lots of six patients: levels of a lot are times 0.1, 0.4, 2.5 or 10."""
    from cellpk.fit.population.chains import Steps

    quick = Steps(starts=1, search=100, average=50, draws=500)
    design = ck.Design({"qpcr": FALL_DAYS})
    study = fall.simulate(24, design=design, seed=3).study()
    lot = {name: k % 4 for k, name in enumerate(study.patients["patient"])}
    samples = study.samples[["patient", "time", "assay", "level", "unit"]]
    times = np.array([0.1, 0.4, 2.5, 10])[samples["patient"].map(lot)]
    samples = samples.assign(level=samples["level"] * times)
    infusions = pd.DataFrame({"patient": lot.keys(), "lot": lot.values()}).assign(
        time=0.0, dose=1e8, unit="cells"
    )
    infusions["lot"] = "L" + infusions["lot"].astype(str)
    study = ck.Study.from_frames(samples, infusions=infusions)
    fit = ck.fit_population(
        fall, study, assays="qpcr", lots=["peak"], without_spread=["scale"], steps=quick
    )
    assert ck.kinetic_classes(fit).counts["second_peak"] <= 2
