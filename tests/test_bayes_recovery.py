"""Hierarchical fits find what simulated patients were made of: rejection, and lots."""

import numpy as np
import pytest
from lotted_trial import trial
from rejection_trial import TRUE, half_full, rejection_model, rejection_trial

import cellpk as ck
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.sampling import Sampling

MIDDLE = (0.05, 0.5, 0.95)


@pytest.mark.slow
def test_when_lymphocytes_reject_the_cells_comes_back(tmp_path):
    """From CAR-T cells alone: half of the lymphocytes are back on day 15, not on 11.

    A quarter of the samples is below the limit. The model file says day 10.9, and the
    prior is as wide as a factor of 1.8: what is found is told by the samples.
    """
    model = rejection_model(tmp_path)
    study, true = rejection_trial(model)
    assert 0.2 < (study.samples["state"] == "below").mean() < 0.3
    sampling = Sampling(chains=2, draws=200, tune=200)
    wide = Priors(worth=0.25)
    fit = ck.fit_bayes(model, study, assays="car", priors=wide, sampling=sampling)
    assert not fit.drawn("diverging", "sample_stats").any()

    rate, full = model.free.index("r_host"), model.parameters["full"].value
    host = model.covariates["host_0"].value
    typical = half_full(np.exp(fit.drawn("location")[:, rate]), host, full)
    low, middle, high = np.quantile(typical, MIDDLE)
    day = half_full(TRUE["r_host"], host, full)
    assert low < day < high
    assert middle == pytest.approx(day, rel=0.2)
    assert half_full(model.parameters["r_host"].value, host, full) < low
    prior = fit.drawn("location", "prior")[:, rate].std()
    assert np.log(typical).std() < prior / 3

    days = half_full(true["r_host"], true["host_0"], full).to_numpy()
    own = half_full(np.exp(fit.theta[..., rate]), true["host_0"].to_numpy(), full)
    low, middle, high = np.quantile(own, MIDDLE, axis=0)
    assert ((low < days) & (days < high)).mean() >= 0.7
    off = np.log(middle / days)
    assert abs(off.mean()) < 0.1
    assert off.std() < np.log(days).std() / 2

    rows = fit.table.set_index("parameter").query("kind == 'typical value'")
    low, high = rows.loc["rejection", ["low", "high"]]
    assert low < TRUE["rejection"] < high


@pytest.mark.slow
def test_what_lots_add_comes_back():
    """Two trials of 8 lots: the effects, their order and the spread between them."""
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    sampling, held = Sampling(chains=2, draws=300, tune=300), []
    for seed in (1, 2):
        samples, infusions, effects = trial(stein, per=6, seed=seed)
        study = ck.Study.from_frames(samples, infusions=infusions)
        fit = ck.fit_bayes(stein, study, lots=["cmax"], sampling=sampling)
        drawn = fit.tree["posterior"]["lot_effect"].stack(all=("chain", "draw"))
        assert drawn["lot"].to_numpy().tolist() == [f"L{k}" for k in range(8)]
        drawn = drawn.squeeze("differing").transpose("all", "lot").to_numpy()
        low, middle, high = np.quantile(drawn, MIDDLE, axis=0)
        held.extend((low < effects) & (effects < high))
        assert np.corrcoef(middle, effects)[0, 1] > 0.8
        # What all lots share cannot be told from the typical peak: it is left out.
        off = (middle - middle.mean()) - (effects - effects.mean())
        assert np.sqrt(np.mean(off**2)) < 0.4
        low, _, high = np.quantile(fit.drawn("lot_spread")[:, 0], MIDDLE)
        assert low < effects.std() < high
        assert low > 0.1  # without a difference between lots it would reach to 0
    assert np.mean(held) >= 0.75
