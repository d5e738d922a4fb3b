"""The density that is sampled: against linear algebra, by differences, two at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import cellpk as ck
from cellpk.fit.bayes.density import Density
from cellpk.fit.bayes.evaluation import Evaluation, general
from cellpk.fit.bayes.placement import Placement
from cellpk.fit.bayes.whitening import Whitening
from cellpk.fit.data import fit_data
from cellpk.fit.population.joint import JointErrors
from cellpk.fit.population.structure import Structure
from cellpk.fit.residual_error import ResidualError

STEIN = ck.load_model("stein_2019_tisagenlecleucel")
ARGUMENTS = ("w", "z", "shift", "between", "error_logs", "log_odds")


def _squares(rng, size, *number):
    roots = rng.normal(size=(*number, size, size))
    return np.matmul(roots, np.swapaxes(roots, -1, -2))


def _structure(model, patients, held=()):
    """Two covariates, so that there are six designs, and parameters without spread."""
    size = len(model.free)
    design = np.zeros((patients, size, size + 2))
    design[:, :, :size] = np.eye(size)
    design[:, 1, size] = np.arange(patients) % 3 - 1
    design[:, 2, size + 1] = np.arange(patients) % 2
    spread = np.diag(~np.isin(np.arange(size), held))
    names = (*model.free, "one", "two")
    return Structure(model.free, design, names, spread)


def _case(
    data, held=(), errors=None, seed=1
) -> tuple[Density, dict[str, Any], Structure]:
    """A density of no particular shape, and a place at which to look."""
    rng, model = np.random.default_rng(seed), data.model
    structure = _structure(model, len(data.patients), held)
    patients, size, q = structure.design.shape
    varies, number = structure.varies, int(structure.varies.sum())
    precision = _squares(rng, number, patients)
    pull = np.matmul(precision, model.typical[varies]) + rng.normal(
        size=(patients, number)
    )
    centre = np.concatenate([model.typical, [0.0, 0.0]])
    white = Whitening(pull, precision, varies)
    errors = errors or JointErrors.of(data)
    density = Density(
        Placement.of(white, structure, centre=centre, sd=np.full(q, 0.3)),
        Evaluation.of(data, errors),
    )
    place: dict[str, Any] = {
        "w": 0.5 * rng.normal(size=q),
        "z": 0.5 * rng.normal(size=(patients, number)),
        "shift": 0.1 * rng.normal(size=(patients, size)),
        "between": np.diag(model.spread[varies] ** -2.0) + 0.1 * _squares(rng, number),
        "error_logs": errors.logs,
    }
    return density, place, structure


@pytest.fixture(scope="module")
def data():
    return fit_data(STEIN, ck.simulate_study(seed=1), assays="qpcr")


def _placed(density, place):
    return density.placement.forward(**{name: place[name] for name in ARGUMENTS[:4]})


@pytest.mark.parametrize("held", [(), (2, 5)])
def test_the_way_from_numbers_is_that_of_linear_algebra(data, held):
    density, place, structure = _case(data, held)
    varies, known = structure.varies, density.placement.known
    inside, total, right = place["between"], np.diag(known.prior_precision), 0.0
    for pull, precision, design in zip(
        known.pull, known.precision, structure.design[:, varies], strict=True
    ):
        inverse = np.linalg.inv(precision + inside)
        kept = np.matmul(inside, np.matmul(inverse, precision))
        total = total + np.linalg.multi_dot([design.T, kept, design])
        right = right + np.linalg.multi_dot([design.T, inside, inverse, pull])
    root = np.linalg.cholesky(total)
    beta = np.linalg.solve(total, known.prior_pull + right)
    beta = beta + np.linalg.solve(root.T, place["w"])
    found = _placed(density, place)
    assert found.beta == pytest.approx(beta, rel=1e-10)
    mean = np.matmul(structure.design, beta) + place["shift"]
    assert found.theta[:, ~varies] == pytest.approx(mean[:, ~varies])
    for i in range(len(mean)):
        whole = known.precision[i] + inside
        pulled = known.pull[i] + np.matmul(inside, mean[i, varies])
        turned = np.linalg.solve(np.linalg.cholesky(whole).T, place["z"][i])
        expected = np.linalg.solve(whole, pulled) + turned
        assert found.theta[i, varies] == pytest.approx(expected)


def test_what_is_added_is_the_density_of_coefficients_and_parameters(data):
    density, place, structure = _case(data)
    known, found = density.placement.known, _placed(density, place)
    errors = [ResidualError("lognormal", {"sd": float(np.exp(place["error_logs"][0]))})]
    samples = data.log_likelihood(data.levels(found.theta), errors).sum()
    away = found.theta - np.matmul(structure.design, found.beta) - place["shift"]
    patients = -0.5 * np.einsum("ia,ab,ib->", away, place["between"], away)
    size = np.linalg.slogdet(found.root)[1]
    size -= 0.5 * np.linalg.slogdet(known.precision + place["between"])[1].sum()
    middle = known.prior_pull / known.prior_precision
    prior, constant = (
        -0.5 * (known.prior_precision * np.square(x - middle)).sum()
        for x in (found.beta, 0.0)
    )
    expected = samples + patients + size + prior - constant
    assert density(**place).value == pytest.approx(expected, rel=1e-12)


def test_normal_observations_leave_standard_normal_numbers(data):
    """Where b and H are the truth, all numbers are standard normal, exactly."""
    density, place, structure = _case(data)
    known, rng, logs = density.placement.known, np.random.default_rng(3), []
    for _ in range(3):
        own = {name: rng.normal(size=place[name].shape) for name in ("w", "z")}
        found = _placed(density, place | own | {"shift": np.zeros((18, 6))})
        samples = (known.pull * found.theta).sum() - 0.5 * np.einsum(
            "ia,iab,ib->", found.theta, known.precision, found.theta
        )
        squares = sum(np.square(x).sum() for x in own.values())
        logs.append(found.value + samples + 0.5 * squares)
    assert np.diff(logs) == pytest.approx([0.0, 0.0], abs=1e-8)
    assert structure.design.shape == (18, 6, 8)


def _check_slopes(density: Density, place: dict[str, Any], *, each=12, rel=2e-4):
    found = density(**place)
    assert np.isfinite(found.value)
    rng = np.random.default_rng(5)
    for name, slope in zip(ARGUMENTS, found[1:], strict=True):
        value = np.asarray(place.get(name, -np.inf), float)
        if np.isinf(value).any():
            continue
        for i in rng.permutation(value.size)[:each]:
            step = np.zeros(value.shape)
            step.flat[i] = 1e-5
            if name == "between":
                step = step + step.T
            moved: list[dict[str, Any]] = [{name: value + k * step} for k in (1, -1)]
            ends = [density(**(place | one)) for one in moved]
            numeric = (ends[0].value - ends[1].value) / 2e-5
            expected = (np.asarray(slope) * step).sum() / 1e-5
            assert numeric == pytest.approx(expected, rel=rel, abs=rel), name


@pytest.mark.parametrize("odds", [-np.inf, -1.0])
@pytest.mark.parametrize("held", [(), (2, 5)])
def test_slopes_equal_differences(data, odds, held):
    density, place, _ = _case(data, held)
    place["log_odds"] = odds
    _check_slopes(density, place, each=30)


def test_slopes_equal_differences_where_some_never_expand():
    study = STEIN.simulate(8, design=ck.Design([5, 9, 21], lloq=1e4), seed=2).study()
    data = fit_data(STEIN, study)
    assert data.all_below.any()
    density, place, _ = _case(data)
    place["log_odds"] = -1.0
    _check_slopes(density, place)


def test_slopes_equal_differences_with_errors_of_another_kind(data):
    parts = (ResidualError("combined", {"additive": 5.0, "proportional": 0.4}),)
    density, place, _ = _case(data, errors=replace(JointErrors.of(data), parts=parts))
    _check_slopes(density, place)


def test_the_quick_way_equals_the_general_one(data):
    density, place, _ = _case(data)
    slow = replace(density.evaluation, samples=general(data, density.evaluation.errors))
    other = replace(density, evaluation=slow)
    for odds in (-np.inf, -1.0):
        here: dict[str, Any] = place | {"log_odds": odds}
        both = (one(**here) for one in (density, other))
        for quick, slowly in zip(*both, strict=True):
            assert quick == pytest.approx(slowly, rel=1e-8, abs=1e-8)


def test_two_threads_at_once_change_no_number(data):
    density, place, _ = _case(data)
    places = [place | {"w": place["w"] + 0.01 * k} for k in range(200)]
    alone = [density(**one) for one in places]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda one: density(**one), places))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


def test_a_place_that_cannot_be_calculated_has_no_density(data):
    density, place, _ = _case(data)
    for change in (
        {"between": -1e9 * place["between"]},
        {"error_logs": np.array([1e4])},
        {"error_logs": np.array([np.nan])},
        {"z": 1e300 * place["z"]},
        {"w": 1e200 * place["w"]},
    ):
        there: dict[str, Any] = place | change
        found = density(**there)
        assert found.value == -np.inf
        assert not any(np.any(slope) for slope in found[1:])
