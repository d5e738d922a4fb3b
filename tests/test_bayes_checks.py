"""Checks of the sampler: each fails when it should, and no other with it."""

import arviz as az
import numpy as np
import pytest
from made_trees import drawn, tree
from scipy.signal import lfilter

from cellpk.fit.bayes.checks import sampler_checks
from cellpk.fit.bayes.estimated import population_numbers
from cellpk.fit.bayes.mixing_checks import R_HAT, mixing_rows


def failed(data):
    """Name what fails, with its sentence."""
    found = sampler_checks(data)
    bad = found[~found["passed"]]
    return dict(zip(bad["check"] + " " + bad["subject"], bad["sentence"], strict=True))


def test_nothing_fails_where_nothing_is_wrong():
    found = sampler_checks(tree(drawn()))
    assert found["passed"].all()
    assert found["check"].tolist() == [
        "chains",
        *["R-hat"] * 2,
        "divergences",
        *["bulk ESS"] * 2,
        *["tail ESS"] * 2,
        "E-BFMI",
        "tree depth",
    ]


def test_a_correlation_counts_once_and_only_where_it_is_estimated():
    posterior = drawn()
    numbers = population_numbers(tree(posterior)["posterior"].to_dataset())
    assert list(numbers) == [
        "fb",
        "tmax",
        "the spread of fb",
        "the spread of tmax",
        "correlation of fb and tmax",
    ]
    r = posterior["correlation"][..., 1, 0]
    np.testing.assert_array_equal(numbers["correlation of fb and tmax"], r)
    posterior["correlation"] = np.broadcast_to(np.eye(2), (*r.shape, 2, 2))
    assert len(population_numbers(tree(posterior)["posterior"].to_dataset())) == 4


def test_numbers_are_those_of_arviz():
    posterior = drawn(2, 300)
    rows = sampler_checks(tree(posterior)).query("subject == 'population'")
    names = list(population_numbers(tree(posterior)["posterior"].to_dataset()))
    own = posterior["location"][..., names.index("tmax")]
    table = mixing_rows("population", {"tmax": own})
    expected = [
        az.rhat(own),
        az.ess(own),
        az.ess(own, method="tail", prob=(0.05, 0.95)),
    ]
    found = [row["value"] for row in table]
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)
    assert set(rows["of"]) == {5}


def test_a_chain_elsewhere_is_named():
    posterior = drawn()
    posterior["location"][2, :, 0] += 2
    found = failed(tree(posterior))
    assert {name.split()[-1] for name in found} == {"population"}
    said = found["R-hat population"]
    assert said.startswith("R-hat of fb is 1.")
    assert said.endswith("(1 of 5 miss it): the chains do not agree; sample longer.")


def test_chains_of_other_widths_do_not_agree():
    posterior = drawn()
    posterior["location"][1, :, 1] *= 4
    assert failed(tree(posterior))["R-hat population"].startswith("R-hat of tmax is 1.")


def test_a_stuck_chain_fails_although_its_numbers_are_finite():
    posterior = drawn()
    posterior["location"][0, :, 0] = 0.3
    assert "R-hat population" in failed(tree(posterior))


@pytest.mark.parametrize("chains", [1, 4])
def test_what_never_moves_fails(chains):
    posterior = drawn(chains, 2000)
    posterior["location"][..., 0] = 0.3
    said = failed(tree(posterior))["bulk ESS population"]
    assert said.startswith("fb never moves, or is no number")


def test_what_is_no_number_fails():
    posterior = drawn()
    posterior["location"][0, 5, 1] = np.nan
    found = failed(tree(posterior))
    assert {name.split()[0] for name in found} == {"R-hat", "bulk", "tail"}


def test_slow_chains_fail_by_their_worth_only():
    posterior = drawn(4, 2000)
    noise = posterior["location"][..., 1]
    posterior["location"][..., 1] = lfilter([1.0], [1.0, -0.95], noise, axis=-1)
    found = failed(tree(posterior))
    said = found["bulk ESS population"]
    # Of an autoregressive chain (1 - r) / (1 + r) of the draws: 8000 / 39.
    assert 100 < float(said.split(" is ")[1].split(",")[0]) < 350
    assert said.endswith("below 400 (1 of 5 miss it): sample longer.")
    assert not [name for name in found if "patients" in name]


def test_one_chain_is_told_and_has_no_r_hat():
    found = sampler_checks(tree(drawn(1, 2000)))
    assert found.loc[~found["passed"], "check"].tolist() == ["chains"]
    assert "R-hat" not in set(found["check"])


def test_divergences_are_counted():
    diverging = np.zeros((4, 500), bool)
    diverging[1, :5] = True
    found = failed(tree(drawn(), diverging=diverging))
    assert list(found) == ["divergences sampler"]
    assert "5 of 2000 draws diverge (0.25 %)" in found["divergences sampler"]


def test_low_energy_information_names_the_chain():
    energy = np.random.default_rng(3).normal(size=(4, 500))
    energy[2] = np.cumsum(energy[2])
    found = failed(tree(drawn(), energy=energy))
    assert list(found) == ["E-BFMI sampler"]
    assert found["E-BFMI sampler"].startswith("E-BFMI of chain 2 is 0.0")


def test_long_paths_fail_where_they_are_usual():
    depth = np.full((4, 500), 4)
    depth[0, :60] = 10
    assert not failed(tree(drawn(), depth=depth))
    depth[0] = 10
    found = failed(tree(drawn(), depth=depth))
    assert list(found) == ["tree depth sampler"]
    assert "500 of 2000 paths" in found["tree depth sampler"]


def test_a_patient_elsewhere_is_named():
    posterior = drawn()
    posterior["theta"][3, :, 1, 0] += 3
    found = failed(tree(posterior))
    assert {name.split()[-1] for name in found} == {"patients"}
    assert found["R-hat patients"].startswith("R-hat of fb of P2 is 1.")


def test_of_many_patients_few_may_miss_by_little():
    rng = np.random.default_rng(1)
    many = {str(i): x for i, x in enumerate(rng.normal(size=(300, 4, 500)))}
    apart = np.array([[0.0], [0.0], [0.4], [0.0]])

    def passed(numbers, **few):
        return mixing_rows("patients", numbers, **few)[0]["passed"]

    few = many | {str(i): many[str(i)] + apart for i in range(3)}
    assert 1.01 <= mixing_rows("", few)[0]["value"] < R_HAT.worst
    assert passed(many)
    assert passed(few, few=0.01)
    assert not passed(few)
    assert not passed(many | {str(i): many[str(i)] + apart for i in range(4)}, few=0.01)
    assert not passed(many | {"0": many["0"] + 5 * apart}, few=0.01)
