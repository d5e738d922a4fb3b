import os
import subprocess
import sys

import logistic_grid as grid
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from cellpk.outcomes.censoring import normal_nodes
from cellpk.outcomes.logistic import Posterior, Prior, sample_logistic

RNG = np.random.default_rng(20260101)
X18 = RNG.normal(0, 0.6, 18)
X12 = np.sort(RNG.normal(0, 0.5, 12))
X24 = RNG.normal(0, 0.6, 24)
HAPPENED = {
    "eighteen": RNG.random(18) < expit(-0.5 + 2 * X18),
    "twenty_four": RNG.random(24) < expit(2 * X24),
}


def nodes(mean, sd, low, high):
    ends = {"low": np.array([low]), "high": np.array([high])}
    return normal_nodes(np.array([mean]), np.array([sd]), **ends)


def as_nodes(exposures):
    """Nodes of cellpk for (kind, ...) descriptions of exposures."""
    rows = []
    for kind, *numbers in exposures:
        if kind == "exact":
            rows.append(nodes(numbers[0], 0.0, -np.inf, np.inf))
        elif kind == "normal":
            rows.append(nodes(*numbers, -np.inf, np.inf))
        else:
            limit, mean, sd = numbers
            rows.append(nodes(mean, sd, -np.inf, limit))
    x, weight = zip(*rows, strict=True)
    return np.vstack(x), np.vstack(weight)


def as_grid(exposures):
    make = {"exact": grid.exactly, "normal": grid.normal, "below": grid.below}
    return [make[kind](*numbers) for kind, *numbers in exposures]


def exact(values):
    return [("exact", value) for value in values]


def cases():
    some = HAPPENED["twenty_four"]
    censored = [("below", -0.5, 0.0, 0.6) if x < -0.5 else ("exact", x) for x in X24]
    return {
        "eighteen patients": (exact(X18), HAPPENED["eighteen"]),
        "complete separation": (exact(X12), np.arange(12) > 6),
        "none of six with the event": (exact(X18[:6]), np.zeros(6, bool)),
        "all of nine with the event": (exact(X18[:9]), np.ones(9, bool)),
        "three patients": (exact([-0.4, 0.1, 0.5]), np.array([False, False, True])),
        "one patient": (exact([0.7]), np.array([True])),
        "a third below the limit": (censored, some),
        "uncertain exposures": ([("normal", x, 0.5) for x in X24], some),
        "a far outlier": (exact([*X18[:8], 3.5]), [*HAPPENED["eighteen"][:8], False]),
    }


def assert_equal_to_grid(posterior, answer):
    slope = posterior.draws["slope"]
    intercept = posterior.draws["intercept"]
    error = 1 / np.sqrt(posterior.ess_bulk)
    assert abs(slope.mean() - answer.mean) < 4 * error * answer.sd
    assert abs(intercept.mean() - answer.intercept) < 4 * error * answer.intercept_sd
    assert slope.std() == pytest.approx(answer.sd, rel=0.08)
    assert (slope > 0).mean() == pytest.approx(answer.pr_positive, abs=4 * error)
    for p in (0.025, 0.975):
        assert slope.quantile(p) == pytest.approx(
            answer.quantile(p), abs=0.25 * answer.sd
        )


@pytest.mark.parametrize("name", cases())
def test_draws_agree_with_a_posterior_computed_on_a_grid(name):
    exposures, event = cases()[name]
    x, weight = as_nodes(exposures)
    posterior = sample_logistic(x, np.asarray(event), weight=weight)
    assert posterior.converged
    assert_equal_to_grid(posterior, grid.posterior(as_grid(exposures), event))


def test_other_priors_need_no_new_model_and_agree_with_the_grid():
    prior = Prior(intercept=-1.0, intercept_sd=1.5, slope=1.0, slope_sd=1.25)
    event = HAPPENED["eighteen"]
    posterior = sample_logistic(X18[:, None], event, prior=prior)
    answer = grid.posterior(as_grid(exact(X18)), event, prior=(-1, 1.5, 1, 1.25))
    assert_equal_to_grid(posterior, answer)


def test_one_node_and_thirty_equal_ones_say_the_same():
    event = HAPPENED["eighteen"]
    one = sample_logistic(X18[:, None], event)
    many = sample_logistic(np.repeat(X18[:, None], 30, axis=1), event)
    assert one.draws["slope"].mean() == pytest.approx(
        many.draws["slope"].mean(), abs=0.15
    )


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    x, event = X18[:, None], HAPPENED["eighteen"]
    first, again = sample_logistic(x, event), sample_logistic(x, event)
    pd.testing.assert_frame_equal(first.draws, again.draws, check_exact=True)
    other = sample_logistic(x, event, seed=2)
    assert not other.draws["slope"].equals(first.draws["slope"])


def test_too_few_draws_are_not_called_converged():
    posterior = sample_logistic(X18[:, None], HAPPENED["eighteen"], draws=50, chains=2)
    assert posterior.ess_bulk < 400
    assert not posterior.converged


@pytest.mark.parametrize(
    "bad", [{"r_hat": 1.02}, {"ess_bulk": 300}, {"ess_tail": 300}, {"divergences": 1}]
)
def test_any_bad_diagnostic_denies_convergence(bad):
    good = {"r_hat": 1.0, "ess_bulk": 900, "ess_tail": 900, "divergences": 0}
    assert Posterior(pd.DataFrame(), **good).converged
    assert not Posterior(pd.DataFrame(), **good | bad).converged


def test_the_prior_curve_is_that_of_prior_draws():
    prior = Prior()
    drawn = prior.draws(200_000, seed=3)
    for x in (-1.0, 0.0, 1.5):
        p = expit(drawn["intercept"] + drawn["slope"] * x)
        row = prior.probability([x]).iloc[0]
        for name, q in (("low", 0.025), ("probability", 0.5), ("high", 0.975)):
            assert row[name] == pytest.approx(p.quantile(q), abs=0.01)


def test_a_probability_over_nodes_is_the_average_of_those_at_the_nodes():
    draws = pd.DataFrame({"intercept": [0.3], "slope": [1.7]})
    one = Posterior(draws, r_hat=1, ess_bulk=1, ess_tail=1, divergences=0)
    x, weight = nodes(0.0, 1.0, -np.inf, -0.4)
    points, shares = grid.below(-0.4, 0.0, 1.0)
    expected = float(expit(0.3 + 1.7 * points) @ shares)
    assert one.probability(x, weight)["probability"].item() == pytest.approx(
        expected, abs=1e-4
    )


HASHED = """
import hashlib, numpy as np
from cellpk.outcomes.logistic import sample_logistic
x = np.linspace(-1, 1, 18)[:, None]
draws = sample_logistic(x, np.arange(18) % 3 > 0).draws.to_numpy()
print(hashlib.sha256(draws.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_fresh_and_a_warm_compilation_give_the_same_draws(tmp_path):
    flags = f"base_compiledir={tmp_path}"
    environment = os.environ | {"PYTENSOR_FLAGS": flags}
    command = [sys.executable, "-c", HASHED]
    runs = [
        subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert len(runs[0]) == 65
    assert runs[0] == runs[1]


@pytest.mark.slow
def test_ranks_of_the_truth_among_the_draws_are_uniform():
    """Simulation-based calibration (Talts 2018): the truth is drawn from the prior."""
    rng = np.random.default_rng(7)
    ranks = []
    for seed in range(120):
        a, b = rng.normal(0, 2), rng.normal(0, 2.5)
        true = rng.normal(0, 0.6, 15)
        event = rng.random(15) < expit(a + b * true)
        exposures = [
            ("below", -0.5, 0, 0.6) if x < -0.5 else ("exact", x) for x in true
        ]
        x, weight = as_nodes(exposures)
        draws = sample_logistic(x, event, weight=weight, draws=500, seed=seed).draws
        ranks.append([(draws["slope"] < b).mean(), (draws["intercept"] < a).mean()])
    for rank in np.transpose(ranks):
        counts = np.histogram(rank, bins=6, range=(0, 1))[0]
        assert ((counts - 20) ** 2 / 20).sum() < 20.5  # chi-squared, 5 df, p = 0.001
