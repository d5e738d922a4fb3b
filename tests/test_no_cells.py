"""A level of zero, where the residual error adds to the level: it may be read above."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.population.chains import Chains, Steps
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.laplace import approximated
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.places import places_at
from cellpk.fit.residual_error import ResidualError

FALL = """
title = "A fall"
source = "ours"
time = "day"
equations = "level = peak*exp(-rate*t)"
[parameters]
peak = { value = 400, unit = "copies/ug", iiv_sd = 0.8 }
rate = { value = 0.1, unit = "1/day", iiv_sd = 0.4 }
[observed]
qpcr = { is = "level", unit = "copies/ug", error = "normal", sd = 100 }
"""
DAYS, LIMIT, SD = np.array([3.0, 7, 14, 21, 28]), 50.0, 100.0
NEVER = 0.3


@pytest.fixture(scope="module")
def fall(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "fall.toml"
    path.write_text(FALL, encoding="utf-8")
    return ck.load_model(path)


@pytest.fixture(scope="module")
def study():
    """A: all below; B: one quantified."""
    rows = [(patient, day) for patient in "AB" for day in DAYS]
    samples = pd.DataFrame(rows, columns=["patient", "time"]).assign(
        assay="qpcr", unit="copies/ug", lloq=LIMIT, state="below", level=np.nan
    )
    samples.loc[6, ["state", "level"]] = ["quantified", 180.0]
    return ck.Study.from_frames(samples)


@pytest.fixture(scope="module")
def average(fall):
    """How likely virtual patients are to show five samples below the limit."""
    drawn = np.random.default_rng(1).standard_normal((400_000, 2))
    level = np.exp(fall.log_level(fall.typical + fall.spread * drawn, DAYS))
    return np.exp(norm.logcdf((LIMIT - level) / SD).sum(-1)).mean()


def zero():
    return norm.cdf(LIMIT / SD) ** len(DAYS)


@pytest.mark.parametrize(
    ("error", "sd"),
    [
        (ResidualError("normal", {"sd": SD}), SD),
        (ResidualError("combined", {"additive": 20.0, "proportional": 0.3}), 20.0),
        (ResidualError("proportional", {"sd": 0.3}), None),
        (ResidualError("lognormal", {"sd": 0.5}), None),
        (ResidualError("student", {"sd": 0.5}, df=1.0), None),
    ],
    ids=lambda x: getattr(x, "kind", ""),
)
@pytest.mark.filterwarnings("error")
def test_only_what_adds_to_a_level_of_zero_is_read_above_a_limit(
    fall, study, error, sd
):
    value, slopes = fit_data(fall, study).no_cells([error])
    assert (value[1], slopes[1].any()) == (-np.inf, False)
    if sd is None:
        assert value[0] == 0.0
        assert slopes[0] == pytest.approx(0.0, abs=1e-30)
        return
    z = LIMIT / sd
    assert value[0] == pytest.approx(5 * norm.logcdf(z), rel=1e-12)
    assert slopes[0, 0] == pytest.approx(-5 * z * norm.pdf(z) / norm.cdf(z))
    assert not slopes[0, 1:].any()


def test_zero_is_weighed_by_its_own_likelihood_in_individual_fits(fall, study, average):
    """By Bayes, at even odds."""
    fits = ck.fit_individuals(fall, study, draws=0)
    row = fits.table.set_index("patient").loc["A"]
    said = float(row["sentence"].split("probability of ")[1].rstrip("."))
    expected = average / (average + zero())
    assert row["status"] == "too_few_samples"
    assert said == pytest.approx(expected, abs=0.01)


def test_zero_is_weighed_by_its_own_likelihood_in_classes(fall, study, average):
    table = ck.kinetic_classes(fall, study).table.set_index("patient")
    expected = average / (average + zero())
    assert table.loc["A", "expanded"] == pytest.approx(expected, rel=0.03)


@pytest.fixture(scope="module")
def mixed(fall, study):
    sampled, start = prepared(fall, study)
    state = replace(start, omega=np.diag(fall.spread**2), never=NEVER)
    return sampled, state


def sampled_at(mixed):
    sampled, state = mixed
    means = sampled.structure.means(state.beta)
    moments = means, np.tile(state.omega, (2, 1, 1))
    rng = np.random.default_rng(1)
    return Importance(sampled, state, moments=moments, rng=rng, draws=20_000)


def test_a_population_mixes_it_in(mixed, average):
    whole = (1 - NEVER) * average + NEVER * zero()
    found = sampled_at(mixed)
    assert found.log_likelihood(mixed[1])[0] == pytest.approx(np.log(whole), abs=0.01)
    _, expanded = found.expected(mixed[1])
    assert expanded[0] == pytest.approx((1 - NEVER) * average / whole, rel=0.01)


def test_chains_draw_it_as_often(mixed, average):
    sampled, state = mixed
    chains = Chains(sampled, state, np.random.default_rng(1))
    seen = []
    for _ in range(300):
        chains.move(state, Steps())
        seen.append(chains.expanded[:, 0].mean())
    whole = (1 - NEVER) * average + NEVER * zero()
    assert np.mean(seen) == pytest.approx((1 - NEVER) * average / whole, abs=0.02)


def differences(function, layout, step=1e-4):
    vector = layout.vector()
    return np.stack(
        [
            function(layout.state_at(vector + step * away))
            - function(layout.state_at(vector - step * away))
            for away in np.eye(vector.size)
        ],
        axis=-1,
    ) / (2 * step)


def test_its_slope_by_the_error_is_that_of_the_sampled_likelihood(mixed):
    sampled, state = mixed
    found = sampled_at(mixed)
    layout = Layout(sampled.structure, state)
    expected = differences(found.log_likelihood, layout)
    assert found.slopes(state) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "values", [{"sd": SD}, {"additive": SD, "proportional": 0.3}], ids=len
)
def test_its_slope_by_the_error_is_that_of_laplace(mixed, values):
    sampled, state = mixed
    kind = "normal" if len(values) == 1 else "combined"
    errors = replace(state.errors, parts=(ResidualError(kind, values),))
    state = replace(state, errors=errors)
    places = places_at(sampled, state, rng=np.random.default_rng(1))
    here = approximated(sampled, state, places)
    places = places._replace(theta=here.theta)
    expected = differences(
        lambda s: approximated(sampled, s, places).log_likelihood,
        Layout(sampled.structure, state),
        step=1e-3,
    )
    assert here.slopes == pytest.approx(expected, rel=5e-3, abs=2e-3)
