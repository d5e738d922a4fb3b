"""Population fits side by side: criteria, weights, tests of nested fits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import cellpk as ck
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.nested import Nesting, nesting

QUICK = Steps(starts=1, search=60, average=40, draws=200)
SHORT = Steps(starts=1, search=10, average=5, draws=50)
DAYS = [3, 7, 10, 14, 28, 60]
COLUMNS = ["patient", "time", "assay", "level", "unit", "lloq", "state"]


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def study(stein):
    study = stein.simulate(16, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    people = study.patients[["patient"]].assign(age=np.arange(16) + 40.0)
    return ck.Study.from_frames(study.samples[COLUMNS], patients=people)


@pytest.fixture(scope="module")
def fixed_fb(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "fixed_fb.toml"
    path.write_text(
        'title = "The same persistent share in all"\n'
        'variant_of = "stein_2019_tisagenlecleucel"\n'
        "[parameters]\nfb.fixed = true\n",
        encoding="utf-8",
    )
    return ck.load_model(path)


@pytest.fixture(scope="module")
def fits(stein, study, fixed_fb):
    def fit(model=stein, **asked):
        return ck.fit_population(model, study, **asked, steps=QUICK)

    return {
        "plain": fit(),
        "age": fit(covariates={"cmax": ["age"]}),
        "both": fit(covariates={"cmax": ["age"]}, correlations=[("cmax", "tmax")]),
        "fixed": fit(fixed_fb),
    }


@pytest.fixture(scope="module")
def compared(fits):
    return ck.compare(fits)


def test_criteria_differences_and_weights(fits, compared):
    table = compared.table.set_index("fit")
    assert list(table.index) == list(fits)
    assert table["parameters"].tolist() == [13, 14, 15, 11]
    for kind in ("aic", "bic", "bicc"):
        values = np.array([fit.criteria[kind] for fit in fits.values()])
        above = values - values.min()
        np.testing.assert_allclose(table[f"{kind}_difference"], above)
        weights = np.exp(-above / 2)
        np.testing.assert_allclose(table[f"{kind}_weight"], weights / weights.sum())
    assert table.loc["both", "covariates"] == "age on cmax"
    assert table.loc["both", "correlations"] == "cmax tmax"
    assert repr(compared).startswith(
        "Comparison of 4 fits to 96 samples of 16 patients"
    )


def test_estimates_stand_side_by_side(fits, compared):
    rows = compared.parameters.set_index(["parameter", "kind"])
    cmax = rows.loc[("cmax", "typical value")]
    for name, fit in fits.items():
        own = fit.table.set_index("parameter").loc["cmax"]
        assert (cmax[name], cmax[f"{name}_rse"]) == (own["value"], own["rse"])
        spread = rows.loc[("cmax", "spread between patients"), name]
        assert spread == own["iiv_sd"]
    effect = rows.loc[("age on cmax", "covariate effect")]
    assert np.isnan(effect["plain"])
    assert np.isfinite(effect["age"])


def test_nested_fits_are_tested_by_the_right_chi_square(fits, compared):
    tests = compared.tests.set_index(["smaller", "larger"])
    expected = {("plain", "age"): 1, ("plain", "both"): 2, ("age", "both"): 1}
    expected |= {("fixed", "plain"): 2, ("fixed", "age"): 3, ("fixed", "both"): 4}
    assert tests["df"].to_dict() == expected
    row = tests.loc[("plain", "both")]
    deviance = {name: fit.criteria["deviance"] for name, fit in fits.items()}
    assert row["drop"] == pytest.approx(deviance["plain"] - deviance["both"])
    assert row["p"] == pytest.approx(chi2.sf(max(row["drop"], 0), 2))
    assert row["p_low"] <= row["p"] <= row["p_high"]


def test_a_variance_at_its_bound_is_told(compared):
    tests = compared.tests.set_index(["smaller", "larger"])
    note = tests.loc[("fixed", "plain"), "note"]
    assert note.startswith("the spread of fb is at its bound, 0, in the smaller fit")
    assert "conservative (mixture: p =" in note
    assert "bound" not in tests.loc[("plain", "age"), "note"]


@pytest.fixture(scope="module")
def lotted(stein, study, fixed_fb):
    """Fits of patients of four lots: with, without and with other lots."""
    given = pd.DataFrame({"patient": study.patients["patient"], "lot": [*"ABCD"] * 4})
    known = ck.Study.from_frames(
        study.samples[COLUMNS],
        patients=study.patients,
        infusions=given.assign(time=0.0, dose=1e8, unit="cells"),
    )

    def fit(model=stein, **asked):
        return ck.fit_population(model, known, **asked, steps=SHORT)

    return {
        "plain": fit(),
        "same fb": fit(without_spread=["fb"]),
        "fixed fb": fit(fixed_fb),
        "lots": fit(lots=["cmax"]),
        "both lots": fit(lots=["tmax", "cmax"]),
        "same fb, lots": fit(lots=["cmax"], without_spread=["fb"]),
        "full": fit(correlations="full"),
    }


@pytest.mark.parametrize(
    ("smaller", "larger", "expected"),
    [
        ("same fb", "plain", Nesting(1, ("the spread of fb",))),
        ("fixed fb", "same fb", Nesting(1)),
        ("fixed fb", "plain", Nesting(2, ("the spread of fb",))),
        ("plain", "lots", Nesting(1, ("the spread of cmax between lots",))),
        (
            "same fb",
            "lots",
            Nesting(2, ("the spread of fb", "the spread of cmax between lots")),
        ),
        ("same fb, lots", "lots", Nesting(1, ("the spread of fb",))),
        ("lots", "both lots", Nesting(1, ("the spread of tmax between lots",))),
        ("lots", "full", None),
        ("lots", "plain", None),
        ("plain", "same fb, lots", None),
    ],
)
def test_spreads_and_lots_that_only_the_larger_fit_has_stand_at_a_bound(
    lotted, smaller, larger, expected
):
    assert nesting(lotted[smaller], lotted[larger]) == expected


def test_the_table_says_in_what_fits_differ(lotted):
    table = ck.compare(lotted).table.set_index("fit")
    assert table.loc["same fb, lots", "without_spread"] == "fb"
    assert table["lots"].tolist()[3:6] == ["cmax", "tmax, cmax", "cmax"]
    assert table.loc["plain", ["without_spread", "lots"]].tolist() == ["none", "none"]


def test_the_mixture_of_chi_squares_is_that_of_a_truncated_normal():
    """One variance at its bound: the drop is max(z, 0)^2 beside free ones."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((200_000, 2))
    drop = np.maximum(z[:, 0], 0) ** 2 + z[:, 1] ** 2
    for df, sample in ((1, drop - z[:, 1] ** 2), (2, drop)):
        found = Nesting(df, ("the spread of fb",)).mixture(3.0)
        assert found == pytest.approx((sample > 3.0).mean(), abs=0.003)


def test_fits_of_which_none_is_in_the_other_are_not_tested(stein, study, fits):
    other = ck.fit_population(
        stein, study, correlations=[("foldx", "alpha")], steps=QUICK
    )
    assert nesting(other, fits["both"]) is None
    lag = ck.load_model("stein_2019_lag")
    moved = replace(fits["both"], model=lag)
    assert nesting(fits["plain"], moved) is None


def test_fits_of_other_samples_are_refused(stein, study, fits):
    fewer = ck.Study.from_frames(study.samples.query("time < 60")[COLUMNS])
    other = ck.fit_population(stein, fewer, steps=QUICK)
    said = r"rest on different samples: 16 only in 'fit 1' \(qpcr of V0001 on day 60"
    with pytest.raises(ck.FitError, match=said):
        ck.compare(fits["plain"], other)
    samples = study.samples[COLUMNS].copy()
    samples.loc[0, "level"] *= 2
    changed = ck.Study.from_frames(samples)
    other = ck.fit_population(stein, changed, steps=QUICK)
    with pytest.raises(ck.FitError, match=r"1 only in 'a'.*1 only in 'b'"):
        ck.compare({"a": fits["plain"], "b": other})


def test_what_is_no_fit_is_told(fits):
    with pytest.raises(ck.FitError, match="1 fits to compare"):
        ck.compare(fits["plain"])
    with pytest.raises(ck.FitError, match="'fit 2' is a int"):
        ck.compare(fits["plain"], 3)
