"""The benchmark of hierarchical Bayes runs, and its peer is the same model."""

import numpy as np
import pytest
from bayes import contest, made, ours, plain_nutpie
from plain_bayes import plain_model

from cellpk.fit.bayes.fit import begun_at
from cellpk.fit.bayes.sampling import Sampling


def test_the_plain_model_is_the_same():
    """Differences of log densities of parameters, by change of variables."""
    question = made(4)
    shape, numbers = question.shape, question.priors.numbers
    density = begun_at(question, 1).density
    plain = plain_model(shape.data, numbers)
    value = plain.compile_logp()
    rng = np.random.default_rng(1)
    found, expected = [], []
    for _ in range(4):
        spread = 0.5 * numbers.spread * np.exp(0.2 * rng.normal(size=6))
        error = np.array([0.5 * np.exp(0.2 * rng.normal())])
        between, nothing = np.diag(spread**-2), np.zeros((4, 6))
        w, z = rng.normal(size=6), rng.normal(size=(4, 6))
        placed = density.placement.forward(w, z, nothing, between=between)
        logs = np.log(error)
        own = density(w, z, nothing, between=between, error_logs=logs).value
        total = density.placement.known.precision + between
        own += 0.5 * np.linalg.slogdet(total)[1].sum()  # of parameters, not of z
        own -= np.linalg.slogdet(placed.root)[1]  # of coefficients, not of w
        own -= 0.5 * np.square(spread / numbers.spread).sum()
        own -= 0.5 * np.square(error / numbers.error).sum()
        own += np.log(spread).sum() + np.log(error).sum()  # log scales
        found.append(own)
        given = {
            "location": placed.beta,
            "spread_log__": np.log(spread),
            "error_log__": np.log(error),
            "z": (placed.theta - placed.beta) / spread,
        }
        expected.append(value(given))
    assert np.diff(found) == pytest.approx(np.diff(expected), rel=1e-6)


@pytest.mark.slow
def test_two_ways_are_timed():
    sampling = Sampling(chains=2, draws=60, tune=100, accept=0.8)
    table = contest(made(6), sampling, (ours, plain_nutpie))
    assert (table[["sample_cpu_s", "wall_s", "steps"]].to_numpy() > 0).all()
    assert np.isfinite(table["bulk_per_s"]).all()
    assert table["ratio"][0] == 1
