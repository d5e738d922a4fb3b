"""Population fits of simulated trials: bias, coverage, and what M3 removes.

Small versions; ``tests/population_study.py`` makes the large ones.
"""

import numpy as np
import pytest
from population_study import by_kind, dropping, recovery, trials

from cellpk.fit.population.chains import Steps

STEPS = Steps(search=150, average=80, draws=500)


def covered(table):
    return by_kind(table).set_index("kind")["covered"]


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of 100 trials 94 to 95 %, for each kind of estimate."""
    table = trials("stein_90x12", 8, steps=STEPS)
    assert table["below"].mean() == pytest.approx(0.19, abs=0.03)
    assert covered(table).drop("residual error").between(0.85, 1).all()
    assert recovery(table)["bias_sd"].abs().max() < 1.2
    assert table.drop_duplicates("seed")["converged"].mean() > 0.8


@pytest.mark.slow
def test_a_model_without_closed_form_comes_back():
    table = trials("rounded_90x12", 3, steps=STEPS)
    off = (table["estimate"] - table["truth"]) / table["se"]
    assert np.abs(off).max() < 4
    assert (np.abs(off) < 2).mean() > 0.85


@pytest.mark.slow
def test_few_patients_of_few_samples_are_no_reason_to_claim_too_much():
    """12 of 8, 30 % below; what is not told has no interval, and a doubt says so."""
    table = trials("stein_12x8", 3, steps=STEPS)
    assert table["below"].mean() == pytest.approx(0.3, abs=0.05)
    told = np.isfinite(table["se"])
    off = (table["estimate"] - table["truth"])[told] / table["se"][told]
    assert (np.abs(off) < 2).mean() > 0.8
    assert (table["doubts"][~told] != "").all()


@pytest.mark.slow
def test_dropping_levels_below_the_limit_makes_a_bias_that_their_likelihood_does_not():
    """44 % below: without them cells seem to expand from more and to stay for good."""
    found = dropping([600.0], 3, steps=STEPS).set_index("way")
    assert found["below"].between(0.35, 0.5).all()
    m3, dropped = found.loc["M3"], found.loc["dropped"]
    assert dropped["foldx"] < -1.5
    assert dropped["beta"] < -0.8
    assert m3.drop(["lloq", "below"]).abs().max() < 0.9
