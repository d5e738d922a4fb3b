"""Which parameters may be correlated between patients: all, pairs, blocks."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.layout import Layout
from cellpk.reporting.tables.population_estimates import population

BLOCK = ("foldx", "cmax", "tmax")
UP_AND_DOWN = ("high", "low")
PAIRS = [("foldx", "cmax"), ("tmax", "foldx"), ("cmax", "tmax")]


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def study(stein):
    """Patients in whom a late peak is a high one, by a correlation of 0.9."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((30, 6))
    z[:, 2] = 0.9 * z[:, 1] + np.sqrt(1 - 0.9**2) * z[:, 2]
    days = np.array([3.0, 6, 9, 12, 15, 20, 28, 60])
    frames = []
    for i, own in enumerate(z):
        log_level = stein.log_level(stein.typical + 0.6 * own, days)
        level = np.exp(log_level + rng.normal(0, 0.3, days.size))
        frames.append(pd.DataFrame({"patient": f"P{i}", "time": days, "level": level}))
    samples = pd.concat(frames).assign(assay="qpcr", unit="copies/ug", lloq=20.0)
    return ck.Study.from_frames(samples)


def names(stein, study, correlations):
    sampled, start = prepared(stein, study, correlations=correlations)
    return Layout(sampled.structure, start).names


def test_a_block_is_all_pairs_within_it(stein, study):
    found = [name for name in names(stein, study, [BLOCK]) if "correlation" in name]
    assert found == [
        "correlation of foldx and tmax",
        "correlation of foldx and cmax",
        "correlation of tmax and cmax",
    ]
    assert names(stein, study, [BLOCK]) == names(stein, study, PAIRS)
    assert names(stein, study, [stein.free]) == names(stein, study, "full")
    apart = [("foldx", "fb"), ("alpha", "beta")]
    assert sum("correl" in name for name in names(stein, study, apart)) == 2


def test_a_block_gives_the_estimates_of_its_pairs_and_finds_the_correlation(
    stein, study
):
    steps = Steps(starts=1, search=100, average=50, draws=400)
    block, pairs = (
        ck.fit_population(stein, study, correlations=asked, steps=steps)
        for asked in (
            [("tmax", "cmax", "alpha")],
            [*PAIRS[2:], ("alpha", "cmax"), ("alpha", "tmax")],
        )
    )
    pd.testing.assert_frame_equal(block.table, pairs.table, check_exact=True)
    assert block.criteria["parameters"] == 13 + 3
    assert 0.7 < block.correlations.loc["tmax", "cmax"] < 0.99
    assert block.correlations.loc["tmax", "foldx"] == 0
    rows = block.table.set_index("parameter").query("kind == 'correlation'")
    assert list(rows.index) == [
        "correlation of tmax and cmax",
        "correlation of tmax and alpha",
        "correlation of cmax and alpha",
    ]
    row = rows.loc["correlation of tmax and cmax"]
    assert row["value"] == block.correlations.loc["tmax", "cmax"]
    assert row["low"] < 0.9 < row["high"] < 1
    up, down = (np.arctanh(row[end]) - np.arctanh(row["value"]) for end in UP_AND_DOWN)
    assert up == pytest.approx(-down)
    error = row["rse"] / 100 * row["value"] / (1 - row["value"] ** 2)
    assert up == pytest.approx(2.06390 * error, abs=1e-5)  # t of 30 - 6, from a table
    shown = ck.compare(block, pairs).parameters.query("kind == 'correlation'")
    assert len(shown) == 3
    assert "Correlations between parameters" in population(block).shown["kind"].unique()


def test_what_is_no_group_is_refused(stein, study):
    for wrong, said in (
        ("block", "correlations = 'block'"),
        (("tmax", "cmax"), "groups such as"),
        ([("tmax", "tmax")], r"within \('tmax', 'tmax'\)"),
        ([("tmax",)], "two parameters or more"),
        ([("tmax", "cmx")], "Did you mean 'cmax'"),
    ):
        with pytest.raises(ck.FitError, match=said):
            prepared(stein, study, correlations=wrong)
