"""Who can be fitted, who never expanded, and of whom too little is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import cellpk as ck

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
LIMIT = 50.0


def study(samples, **tables):
    frame = pd.DataFrame(samples, columns=["patient", "time", "level"])
    frame = frame.assign(assay="qpcr", lloq=LIMIT)
    frame["level"] = frame["level"].map(
        lambda x: f"<{LIMIT:g}" if x < LIMIT else f"{x}"
    )
    return ck.Study.from_frames(frame, **tables)


def rows(levels, patient="A"):
    return [(patient, time, level) for time, level in levels.items()]


EXPANDED = rows({7: 100, 14: 900}, "E")


def fitted(samples, **tables):
    return ck.fit_individuals(STEIN, study([*samples, *EXPANDED], **tables), draws=0)


def only(samples, **tables):
    fits = fitted(samples, **tables)
    return fits.table.set_index("patient").loc["A"], fits


def used(fits, patient="A"):
    own = fits.samples[fits.samples["patient"] == patient]
    return own.loc[own["left_out"] == "", "time"].to_list()


def test_two_quantified_samples_make_an_expanded_patient():
    row, fits = only(rows({7: 0, 14: 500, 28: 80}))
    assert (row["status"], row["method"]) == ("expanded", "map")
    assert used(fits) == [7, 14, 28]
    assert row[["n_samples", "n_quantified", "n_below"]].to_list() == [3, 2, 1]


def test_all_below_when_cells_would_be_seen_is_never_expanded():
    row, _ = only(rows({2: 0, 9: 0, 28: 0}))
    assert row["status"] == "never_expanded"
    assert "3 samples, all below the limit: the cells never" in row["sentence"]


def test_the_probability_never_to_have_expanded_is_that_of_virtual_patients():
    """By Bayes: even odds, and the average likelihood of draws from the model."""
    days = np.array([250.0, 360.0])
    row, _ = only(rows(dict.fromkeys(days, 0)))
    theta = STEIN.typical + STEIN.spread * np.random.default_rng(1).standard_normal(
        (200_000, 6)
    )
    away = (np.log(LIMIT) - STEIN.log_level(theta, days)) / 0.56
    average = np.exp(norm.logcdf(away).sum(-1)).mean()
    assert row["status"] == "too_few_samples"
    said = float(row["sentence"].split("probability of ")[1].rstrip("."))
    assert said == pytest.approx(average / (1 + average), abs=0.01)


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ({3: 0, 90: 0}, "all below the limit, which cells that expanded may show"),
        ({7: 0, 13: 700}, "1 quantified sample cannot hold a curve."),
        ({-3: 900, 0: 900}, "No sample that says something: 2 not after infusion."),
    ],
)
def test_too_little_is_said_in_a_sentence(levels, reason):
    row, fits = only(rows(levels))
    assert row["status"] == "too_few_samples"
    assert reason in row["sentence"]
    assert reason in fits.failed.set_index("patient").loc["A", "reason"]


def test_a_patient_without_samples_of_the_assay_is_a_row_too():
    patients = pd.DataFrame({"patient": ["B", "E"]})
    fits = fitted([], patients=patients)
    row = fits.table.set_index("patient").loc["B"]
    assert (row["status"], row["sentence"]) == (
        "too_few_samples",
        "No sample of this assay.",
    )


def test_samples_until_infusion_are_not_used():
    _, fits = only(rows({-5: 0, 0: 90, 7: 100, 14: 900}))
    assert used(fits) == [7, 14]
    own = fits.samples[fits.samples["patient"] == "A"].set_index("time")["left_out"]
    assert own[0.0] == own[-5.0] == "not after infusion"


def test_samples_after_a_second_infusion_are_not_used():
    infusions = pd.DataFrame(
        {"patient": "A", "time": [0, 20], "dose": 1e8, "unit": "cells"}
    )
    _, fits = only(rows({7: 100, 14: 900, 28: 4000}), infusions=infusions)
    assert used(fits) == [7, 14]


def test_specimens_are_not_pooled():
    frame = pd.DataFrame(
        rows({7: 100, 14: 900, 21: 300}) + rows({15: 9e5}),
        columns=["patient", "time", "level"],
    )
    frame = frame.assign(assay="qpcr", specimen=["blood"] * 3 + ["marrow"], lloq=50)
    fits = ck.fit_individuals(STEIN, ck.Study.from_frames(frame), draws=0)
    assert used(fits) == [7, 14, 21]
    assert fits.table.loc[0, "n_samples"] == 3


def test_a_sample_below_an_unknown_limit_is_counted_and_says_nothing():
    settings = {
        "study": {"id": "T", "infusion_day": 0},
        "limits": {"flow": {"zero": "below"}},
    }
    frame = pd.DataFrame(
        {
            "patient": list("AAAABB"),
            "time": [7, 14, 21, 28, 14, 21],
            "level": [0, 30, 20, 10, 0, 0],
            "assay": "flow",
        }
    )
    flow = ck.Study.from_frames(frame, settings=settings)
    fits = ck.fit_individuals(STEIN, flow, draws=0)
    some, none = (row for _, row in fits.table.iterrows())
    assert (some["status"], some["n_below"]) == ("expanded", 1)
    assert used(fits) == [14, 21, 28]
    assert "1 sample not used (below a limit that is not known" in some["sentence"]
    assert none["status"] == "too_few_samples"
    assert "2 below a limit that is not known" in none["sentence"]
