"""Priors: their numbers, their density, their draws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import cellpk as ck
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_draws import lkj, prior_draws
from cellpk.fit.bayes.prior_numbers import prior_numbers
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.layout import Layout

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def _priors(choice=None, **asked):
    sampled, first = prepared(STEIN, ck.simulate_study(seed=1), **asked)
    data = sampled.data.data
    made = prior_numbers(data, sampled.structure, choice or Priors(), never=True)
    return made, Layout(sampled.structure, first)


def _row(priors, parameter, kind):
    table = priors.table
    (row,) = table[(table["parameter"] == parameter) & (table["kind"] == kind)].to_dict(
        "records"
    )
    return row


def test_literature_counts_as_so_many_patients():
    for worth in (1.0, 4.0):
        row = _row(_priors(Priors(worth=worth))[0], "foldx", "typical value")
        reach = stats.norm.ppf(0.95) * 2.4 / worth**0.5
        assert row["median"] == pytest.approx(3900)
        assert row["high"] == pytest.approx(3900 * np.exp(reach))
        assert row["low"] == pytest.approx(3900 * np.exp(-reach))


def test_median_of_a_spread_is_the_published_one():
    row = _row(_priors()[0], "cmax", "spread")
    assert row["median"] == pytest.approx(0.65)
    scale = 0.65 / stats.halfnorm.median()
    assert row["high"] == pytest.approx(stats.halfnorm.ppf(0.95, scale=scale))


def test_share_and_correlations_say_their_percentiles():
    priors, _ = _priors(correlations="full")
    share = _row(priors, "never_expanded", "share")
    assert share["median"] == pytest.approx(stats.beta.median(1, 3))
    row = _row(priors, "correlations", "correlation")
    drawn = lkj(2.0, 6, 200_000, rng=np.random.default_rng(1))[:, 4, 1]
    assert np.quantile(drawn, 0.95) == pytest.approx(row["high"], abs=0.004)


def test_given_by_hand():
    choice = Priors(typical={"beta": (0.01, 0.4)}, spread={"beta": 0.2})
    priors, _ = _priors(choice)
    typical = _row(priors, "beta", "typical value")
    assert typical["median"] == pytest.approx(0.01)
    assert typical["high"] == pytest.approx(0.01 * np.exp(stats.norm.ppf(0.95) * 0.4))
    assert "by hand" in typical["sentence"].lower()
    assert _row(priors, "beta", "spread")["median"] == pytest.approx(0.2)
    with pytest.raises(ck.FitError, match=r"'bet'.*beta"):
        _priors(Priors(typical={"bet": (0.01, 0.4)}))
    with pytest.raises(ck.FitError, match=r"beta = -0.01.*can have"):
        _priors(Priors(typical={"beta": (-0.01, 0.4)}))
    with pytest.raises(ck.FitError, match=r"'beta', which has none"):
        _priors(Priors(spread={"beta": 0.4}), without_spread=["beta"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"worth": 0},
        {"correlation": -1},
        {"tails": float("nan")},
        {"tails": "robust"},
        {"never": 0.3},
        {"never": (1, 0)},
        {"typical": {"beta": 0.01}},
        {"typical": {"beta": (0.01, 0.0)}},
        {"typical": [("beta", 0.01, 0.5)]},
        {"spread": {"beta": (0.1, 0.5)}},
    ],
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ck.FitError, match=next(iter(wrong))):
        Priors(**wrong)


def test_log_density_is_that_of_scipy():
    """On the scales of the vector: densities of natural numbers, times Jacobians."""
    asked = {"correlations": [("cmax", "fb")], "lots": ["cmax"]}
    priors, layout = _priors(**asked)
    numbers, where = priors.numbers, layout.parts()

    def density(vector):
        beta = stats.norm.logpdf(vector[where["beta"]], numbers.centre, numbers.sd)
        total = beta.sum()
        scales = {"log_sd": "spread", "error": "error", "log_lot_sd": "lot"}
        for part, name in scales.items():
            logs = vector[where[part]]
            scale = getattr(numbers, name)
            total += (stats.halfnorm.logpdf(np.exp(logs), scale=scale) + logs).sum()
        odds = vector[where["never"]][0]
        share = 1 / (1 + np.exp(-odds))
        total += stats.beta.logpdf(share, *numbers.never)
        total += np.log(share * (1 - share))
        r = vector[where["correlation"]][0]
        return total + np.log(1 - r**2) * (numbers.correlation - 1)

    vector = layout.vector() + 0.1 * np.random.default_rng(1).normal(
        size=layout.vector().size
    )
    here = replace(layout, state=layout.state_at(vector))
    value, slope, _ = priors.log_density(here)
    first, _, _ = priors.log_density(layout)
    assert value - first == pytest.approx(density(vector) - density(layout.vector()))
    numeric = []
    for i in range(vector.size):
        up, down = vector.copy(), vector.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        numeric.append((density(up) - density(down)) / 2e-5)
    assert slope == pytest.approx(np.array(numeric), abs=1e-6)


def test_draws_have_the_percentiles_of_the_table():
    priors, layout = _priors(lots=["cmax"])
    rng = np.random.default_rng(1)
    drawn = prior_draws(priors, layout.structure, 40_000, never=True, rng=rng)
    high = np.quantile(np.exp(drawn["location"][:, 1]), 0.95)
    assert high == pytest.approx(
        _row(priors, "tmax", "typical value")["high"], rel=0.02
    )
    high = np.quantile(drawn["lot_spread"][:, 0], 0.95)
    row = _row(priors, "cmax between lots", "spread between lots")
    assert high == pytest.approx(row["high"], rel=0.03)
    share = np.median(drawn["never_expanded"])
    assert share == pytest.approx(stats.beta.median(1, 3), abs=0.01)


def test_one_correlation_of_lkj_is_a_beta_variable():
    """Lewandowski et al. 2009: on (-1, 1), both shapes eta - 1 + d / 2."""
    drawn = lkj(3.0, 4, 20_000, rng=np.random.default_rng(2))
    for i, j in ((1, 0), (3, 1), (3, 2)):
        half = (drawn[:, i, j] + 1) / 2
        found = stats.kstest(half, stats.beta(3 - 1 + 2, 3 - 1 + 2).cdf)
        assert found.pvalue > 0.001
