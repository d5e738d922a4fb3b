"""What several test files share: a small study made by hand, and snapshots as text."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import made_models
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import cellpk as ck
from cellpk.outcomes.endpoints import ENDPOINTS
from cellpk.reporting.section import report
from cellpk.study.assays import ASSAYS

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("steady")
"""Every run tries the same cases; ``--hypothesis-profile search`` tries others."""

SNAPSHOTS = Path(__file__).parent / "snapshots"

LEVELS = {  # copies/ug on days 7, 14, 21, 28; 0 is below the LLOQ of 50
    "P1": (100, 1000, 500, 250),
    "P2": (1000, 10000, 2000, 400),
    "P3": (10000, 100000, 10000, 1000),
    "P4": (0, 0, 0, 0),
    "P5": (200, 800, 0, 0),
    "P6": (0, 400, 3200, 1600),
    "P7": (60, 90, 0, 0),
    "P8": (500, 6000, 1500, None),
}
RESPONSE = {"P1": "CR", "P2": "VGPR", "P3": "PR", "P4": "PD", "P5": "SD", "P6": "CR"}


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite the snapshots")


@pytest.fixture
def snapshot(request):
    """Compare a text with its snapshot; ``pytest --update`` rewrites it."""

    def compare(name, text):
        path = SNAPSHOTS / f"{name}.txt"
        if request.config.getoption("--update"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{text}\n", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == f"{text}\n"

    return compare


def make_small_study(**settings):
    """Return eight patients whose numbers can be worked out by hand."""
    rows = [
        {"patient": patient, "time": day, "nominal_time": day, "level": level}
        for patient, levels in LEVELS.items()
        for day, level in zip((7.0, 14.0, 21.0, 28.0), levels, strict=True)
    ]
    samples = pd.DataFrame(rows).assign(assay="qpcr", unit="copies/ug", lloq=50.0)
    samples["state"] = samples["level"].map({0: "below"}).fillna("quantified")
    samples.loc[samples["level"].isna(), "state"] = "missing"
    samples.loc[samples["level"] == 0, "level"] = np.nan
    samples["specimen"] = "blood"
    patients = pd.DataFrame({"patient": list(LEVELS)})
    patients["dose_level"] = ["DL1"] * 4 + ["DL2"] * 2 + ["DL10"] * 2
    outcomes = pd.DataFrame(
        {"patient": list(RESPONSE), "endpoint": "best_response"}
    ).assign(value=list(RESPONSE.values()))
    about = {"id": "SMALL", "title": "A small study", "infusion_day": 0} | settings
    return ck.Study.from_frames(
        samples=samples,
        patients=patients,
        outcomes=outcomes,
        settings={"study": about},
    )


@pytest.fixture(scope="session")
def small_study():
    return make_small_study()


@pytest.fixture(scope="session")
def small_metrics(small_study):
    return ck.nca(small_study)


QUANTITIES = {"tmax": "day", "cmax": "copies/ug", "auc_0_28": "day*copies/ug"}


class MadeFits(SimpleNamespace):
    """Fits made by hand, with what the report reads of IndividualFits."""

    def curve(self, patient, times):
        level = 100.0 * np.exp(-np.asarray(times) / 10)
        ends = {"low": level / 2, "high": 2 * level}
        return pd.DataFrame({"time": times, "level": level} | ends)


@pytest.fixture(scope="session")
def made_fits():
    """Two fitted patients, one who never expanded and one with too few samples."""
    columns = ["patient", "status", "method", "n_samples", "n_quantified", "n_below"]
    rows = [
        ("P1", "expanded", "map", 4, 4, 0),
        ("P2", "expanded", "ml", 4, 4, 0),
        ("P4", "never_expanded", "none", 4, 0, 4),
        ("P8", "too_few_samples", "none", 3, 3, 0),
    ]
    table = pd.DataFrame(rows, columns=columns)
    table["converged"] = [True, False, False, False]
    numbers = {"tmax": (12.345, 16.0), "cmax": (1e3, 1e4), "auc_0_28": (1.2e4, 8e4)}
    for name, (one, two) in numbers.items():
        table[name] = [one, two, np.nan, np.nan]
        table[f"{name}_low"], table[f"{name}_high"] = table[name] / 2, table[name] * 3
    table["sentence"] = [
        "Rests on the prior: tmax 3 %.",
        "",
        "All below the limit.",
        "One point cannot hold a curve.",
    ]
    long = pd.DataFrame(
        {"quantity": list(QUANTITIES) * 2, "patient": ["P1"] * 3 + ["P2"] * 3}
    )
    long["information"] = [0.03, 0.9, 0.8, np.nan, np.nan, np.nan]
    prior = pd.DataFrame({"parameter": ["tmax", "cmax"], "centre": [9.3, 24000.0]})
    failed = table.loc[table["method"] == "none", ["patient", "status", "sentence"]]
    return MadeFits(
        table=table,
        long=long,
        failed=failed.rename(columns={"sentence": "reason"}),
        prior=prior.assign(
            sd=[0.38, 0.65], unit=["day", "copies/ug"], source="A paper."
        ),
        units=QUANTITIES,
        model=ck.load_model("stein_2019_tisagenlecleucel"),
        study_id="SMALL",
        assay="qpcr",
        unit="copies/ug",
        level=0.95,
    )


@pytest.fixture(scope="session")
def made_response():
    """An exposure-response result whose numbers are made up, not sampled."""
    estimates = {"slope_10fold": 2.0, "slope_2fold": 0.6}
    estimates |= {"odds_ratio_10fold": 7.39, "odds_ratio_2fold": 1.83}
    row = {"endpoint": "response", "exposure": "cmax", "assay": "qpcr", "n": 6}
    row |= {"events": 4, "n_exposure_below": 1, "pr_positive": 0.98}
    for name, value in estimates.items():
        row |= {name: value, f"{name}_low": value / 4, f"{name}_high": value * 4}
    row |= {"contraction": 0.62, "prior_slope_sd": 2.5, "r_hat": 1.001}
    row |= {"ess_bulk": 2012.3, "ess_tail": 1734.0, "divergences": 0, "converged": True}
    grid = np.geomspace(50.0, 1e5, 5)
    curve = pd.DataFrame({"exposure": grid, "probability": np.linspace(0.1, 0.9, 5)})
    curve = curve.assign(low=0.05, high=0.95, prior_probability=0.5)
    data = pd.DataFrame({"patient": list(RESPONSE)})
    data["exposure"] = [1e3, 1e4, 1e5, np.nan, 800.0, 3200.0]
    data["low"] = data["exposure"].fillna(0.0)
    data["high"] = data["exposure"].fillna(50.0)
    data["below"] = data["exposure"].isna()
    data["event"] = [True, True, True, False, False, True]
    at = pd.DataFrame({"percentile": [10, 50, 90], "exposure": [np.nan, 1e3, 1e5]})
    at = at.assign(below=[True, False, False], probability=[0.1, 0.5, 0.9999])
    excluded = pd.DataFrame({"patient": ["P7", "P8"], "reason": "No best_response."})
    return ck.ExposureResponse(
        table=pd.DataFrame([row | {"sentence": "An association."}]),
        curve=curve.assign(prior_low=0.01, prior_high=0.99),
        at=at.assign(low=0.05, high=0.99995),
        data=data,
        excluded=excluded,
        prior=("Slope: Normal(0, 2.5).",),
        notes=("An association.",),
        draws=pd.DataFrame({"intercept": [0.0], "slope": [2.0]}),
        prior_draws=pd.DataFrame({"intercept": [0.0], "slope": [0.0]}),
        endpoint=ENDPOINTS["response"],
        reference=1000.0,
        unit="copies/ug",
        study_id="SMALL",
        simulated=False,
        assays=(ASSAYS["qpcr"],),
    )


@pytest.fixture(scope="session")
def made_association():
    """A cytokine association whose numbers are made up."""
    row = {"cytokine": "il6", "exposure": "cmax", "assay": "qpcr", "n": 3}
    estimates = {"slope": 0.5, "fold_per_2fold": 1.41, "fold_per_10fold": 3.16}
    estimates |= {"spearman": 0.4, "slope_without_tocilizumab": np.nan}
    for name, value in estimates.items():
        row |= {name: value, f"{name}_low": value - 0.2, f"{name}_high": value + 0.2}
    row |= {"n_spearman": 4, "n_without_tocilizumab": 1, "sentence": "An association."}
    data = pd.DataFrame({"patient": ["P1", "P2", "P3"], "exposure": [1e3, 1e4, 1e5]})
    data["peak"] = [30.0, 100.0, 300.0]
    data["after_tocilizumab"] = ["no", "set aside", "unknown"]
    grid = np.geomspace(1e3, 1e5, 5)
    middle = 30 * (grid / 1e3) ** 0.5
    ends = {"peak": middle, "low": middle / 2, "high": middle * 2}
    reason = "cmax is below the limit of quantification."
    return ck.CytokineAssociation(
        table=pd.DataFrame([row]),
        curve=pd.DataFrame({"exposure": grid} | ends),
        data=data,
        excluded=pd.DataFrame({"patient": ["P4"], "reason": reason, "ranked": True}),
        notes=("An association.",),
        units={"exposure": "copies/ug", "peak": "pg/mL"},
        study_id="SMALL",
        simulated=False,
        assays=(ASSAYS["qpcr"], ASSAYS["il6"]),
    )


@pytest.fixture(scope="session")
def made_report(small_study, small_metrics, made_fits, made_response, made_association):
    """A report of the small study that took two seconds so far."""
    results = (made_response, made_association)
    return replace(report(small_study, small_metrics, made_fits, *results), elapsed=2.0)


@pytest.fixture(scope="session")
def report_folder(made_report, tmp_path_factory):
    """The folder to which that report was written."""
    folder = tmp_path_factory.mktemp("report")
    made_report.write(folder)
    return folder


@pytest.fixture(scope="session")
def made_model(tmp_path_factory):
    """Return a model of ``made_models`` by its text, or of a changed text."""

    def load(text=made_models.DECLINE):
        path = tmp_path_factory.mktemp("models") / "made.toml"
        path.write_text(text, encoding="utf-8")
        return ck.load_model(path)

    return load
