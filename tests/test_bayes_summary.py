"""Tables of hierarchical fits: against known draws, and closed forms."""

import numpy as np
import pytest
from made_bayes import made_bayes
from scipy import stats

import cellpk as ck
from cellpk.fit.bayes.mixing import mixing
from cellpk.fit.bayes.summary import contracted, informed, overlap

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
DESIGN = ck.Design([4, 7, 10, 14, 28, 60], lloq=50)


@pytest.fixture(scope="module")
def study():
    return STEIN.simulate(6, design=DESIGN, seed=2).study()


def narrowed(times):
    """A change: typical values closer to their mean, on their own scales."""

    def change(chain):
        middle = chain["location"].mean(0)
        return chain | {"location": middle + (chain["location"] - middle) * times}

    return change


def test_draws_of_the_prior_have_no_contraction_and_overlap_wholly(study):
    fit = made_bayes(STEIN, study, draws=2000, correlations=[("tmax", "cmax")])
    table = fit.table
    # The ratio of two variances of 4,000 draws each: SD 0.03 of normal draws, more of
    # logs of half-normal ones.
    assert table["contraction"].abs().max() < 0.15
    assert table["overlap"].min() > 0.93
    assert table["sentence"].str.startswith("the data do not inform").all()
    near = (table["value"] - table["prior_median"]).abs()
    assert (near < 0.1 * (table["prior_high"] - table["prior_low"])).all()
    assert table["kind"].tolist() == [
        *["typical value"] * 6,
        *["spread"] * 6,
        "correlation",
        "residual error",
    ]
    assert table["parameter"].tolist()[-2:] == [
        "correlation of tmax and cmax",
        "qpcr sd",
    ]


def test_narrow_draws_contract_by_the_square(study):
    table = made_bayes(STEIN, study, draws=2000, change=narrowed(0.5)).table
    typical = table[table["kind"] == "typical value"]
    assert np.allclose(typical["contraction"], 1 - 0.5**2, atol=0.06)
    assert (typical["sentence"] == "").all()
    # Two normal densities of SD 1 and 1/2: they cross at z, and have in common the
    # narrow one's tails and the wide one's middle.
    z = np.sqrt(2 * np.log(2) / (4 - 1))
    common = 2 * stats.norm.sf(2 * z) + (2 * stats.norm.cdf(z) - 1)
    assert np.allclose(typical["overlap"], common, atol=0.04)


def test_intervals_are_quantiles_in_natural_units(study):
    fit = made_bayes(STEIN, study, draws=200)
    row = fit.table.set_index("parameter").loc["cmax"].iloc[0]
    natural = np.exp(fit.drawn("location")[:, 2])
    assert row["unit"] == "copies/ug"
    expected = np.exp(np.quantile(np.log(natural), [0.5, 0.025, 0.975]))
    assert np.allclose(row[["value", "low", "high"]].to_numpy(float), expected)
    # The prior is log-normal about the model's own value.
    numbers = fit.priors.numbers
    ends = stats.norm.ppf([0.025, 0.975], numbers.centre[2], numbers.sd[2])
    prior = row[["prior_low", "prior_high"]].to_numpy(float)
    assert np.allclose(np.log(prior), ends, atol=0.15)


def test_overlap_of_normal_densities_apart():
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((2, 4000))
    # Of one SD and d apart: twice the tail beyond the middle.
    assert overlap(one, other + 2) == pytest.approx(2 * stats.norm.sf(1), abs=0.02)
    # A spike within a wide density has its own area in common where it is lower.
    assert overlap(one, 0.001 * other) == pytest.approx(0.003, abs=0.003)


def test_what_is_said_of_what_the_data_tell():
    assert informed("beta", 0.29, 0.9) == "the data do not inform beta"
    assert informed("beta", 0.31, 0.9) == "the data inform beta little"
    assert informed("beta", 0.61, 0.9) == ""
    assert informed("beta", -0.5, 0.2).startswith("the data move beta away")
    assert contracted(np.array([0.0, 4.0]), np.array([0.0, 2.0])) == -3.0


def test_r_hat_and_effective_draws():
    rng = np.random.default_rng(4)
    good = rng.standard_normal((4, 500))
    apart = good + np.arange(4)[:, None]
    still = np.ones((4, 500))
    slow = np.repeat(rng.standard_normal((4, 50)), 10, axis=1)
    found = mixing(np.stack([good, apart, still, slow], axis=-1))
    assert found.r_hat[0] < 1.01
    assert found.r_hat[1] > 1.5
    assert np.isnan([each[2] for each in found]).all()
    # Each draw ten times: a tenth as many.
    assert found.ess_bulk[3] == pytest.approx(200, rel=0.25)
    single = mixing(good[:1])
    assert np.isnan(single.r_hat)
    assert single.ess_bulk > 300


def test_effects_lots_share_and_several_kinds_have_rows():
    study = ck.simulate_study(seed=1)
    fit = made_bayes(
        STEIN, study, covariates={"cmax": ["age"]}, lots=["cmax"], draws=50
    )
    table = fit.table.set_index("parameter")
    assert table.loc["age on cmax", "kind"] == "covariate effect"
    assert table.loc["never_expanded", "kind"] == "share"
    assert table.loc["cmax between lots", "kind"] == "spread between lots"
    drawn = fit.drawn("lot_spread")[:, 0]
    assert table.loc["cmax between lots", "value"] == pytest.approx(
        np.exp(np.median(np.log(drawn)))
    )
    assert table.loc["never_expanded", "sentence"] == (
        "the data do not inform the share of patients who never expanded"
    )


def test_parameters_without_spread_have_no_row_of_it(study):
    fit = made_bayes(
        STEIN,
        study,
        draws=50,
        without_spread=["beta"],
        correlations=[("foldx", "cmax")],
    )
    table = fit.table
    spread = table[table["kind"] == "spread"]
    assert spread["parameter"].tolist() == ["foldx", "tmax", "cmax", "alpha", "fb"]
    row = table[table["kind"] == "correlation"].iloc[0]
    # The median of Fisher's z is the z of the median, but for the draws in between.
    both = np.sort(fit.drawn("correlation")[:, 0, 2])[49:51]
    assert row["value"] == pytest.approx(np.tanh(np.arctanh(both).mean()))


def test_individuals_are_medians_in_natural_units(study):
    fit = made_bayes(STEIN, study, draws=100)
    table = fit.individuals
    assert table["patient"].tolist() == list(fit.patients)
    own = np.quantile(fit.theta[:, 1, 1], [0.5, 0.025, 0.975])
    found = table.loc[1, ["tmax", "tmax_low", "tmax_high"]].to_numpy(float)
    assert np.allclose(np.log(found), own)
    assert (table["expanded"] == 1).all()


def test_the_same_draws_give_the_same_bytes(study):
    one, two = (made_bayes(STEIN, study, draws=50).table.to_csv() for _ in range(2))
    assert one == two
