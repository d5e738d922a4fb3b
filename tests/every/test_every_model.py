"""What holds for every model file, found by itself."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import cellpk as ck
from cellpk.model.compile.ode_kernel import ode_kernel
from cellpk.model.expression import parse, walk
from cellpk.model.library import folder
from cellpk.model.sensitivity import Scope, constant
from cellpk.model.writing import differing, written_model

NAMES = sorted(path.stem for path in folder().glob("*.toml"))
DAYS = np.array([0, 1, 3, 5, 7, 9, 10, 12, 14, 21, 28, 60, 90, 180, 365.0])
STAND_IN = {"cells": 1e6, "copies/ug": 5.0, "1": 0.02, "mg": 1.0}
SPREAD = 0.2
ERADICATED = -60.0
"""Log of a level so low that its slopes are larger than any step of differences."""


def complete(name):
    """The model, with numbers of ours where its source publishes none."""
    model = ck.load_model(name)
    rows = model.parameters.values()
    values = {
        row.name: STAND_IN.get(row.unit, 0.5) for row in rows if row.value is None
    }
    spread = {row.name: SPREAD for row in rows if row.iiv_sd is None}
    return model.with_values(**values).with_spread(**spread)


COMPLETE = {name: complete(name) for name in NAMES}
CLOSED = [name for name, model in COMPLETE.items() if model.equations.closed]
SOLVED = [name for name in NAMES if name not in CLOSED]


@pytest.fixture(params=NAMES)
def model(request):
    return COMPLETE[request.param]


@pytest.fixture(params=CLOSED)
def closed(request):
    return COMPLETE[request.param]


@pytest.fixture(params=SOLVED)
def solved(request):
    return COMPLETE[request.param]


def draws(model, count, *, seed=1):
    rng = np.random.default_rng(seed)
    return model.typical + model.spread * rng.normal(size=(count, len(model.free)))


def test_the_library_is_found():
    assert set(NAMES) == set(ck.list_models()["name"])
    assert len(CLOSED) >= 6
    assert len(SOLVED) >= 10


def test_what_is_written_reads_back_equal(model):
    assert differing(written_model(model).model(), model) == []


@pytest.mark.parametrize("name", NAMES)
def test_printed_numbers_come_back(name):
    found = ck.load_model(name).reproduce()
    assert found["agrees"].all(), found[~found["agrees"]].to_string()


def test_every_number_has_a_source(model):
    rows = [*model.parameters.values(), *model.observed.values()]
    rows += [*model.covariates.values(), *model.printed.values()]
    rows += [row for row in model.derived.values() if row.printed is not None]
    assert [row.name for row in rows if not row.source] == []


def test_every_free_parameter_moves_a_level(model):
    slopes = [
        np.abs(model.log_level_gradient(model.typical, DAYS, observed=name)[1])
        for name in model.observed
    ]
    still = np.max(slopes, axis=(0, 1)) == 0
    assert [name for name, at in zip(model.free, still, strict=True) if at] == []


def test_expressions_print_as_they_are_read(model):
    rows = [*model.observed.values(), *model.derived.values()]
    nodes = [*model.equations.nodes, *(row.expression for row in rows)]
    for node in nodes:
        assert parse(str(node)) == node
        assert all(str(inner) for inner in walk(node))


def by_ode(model, theta, times):
    """Log level from the differential equations, stopping at every switch."""
    values = {name: float(value) for name, value in model.natural(theta).items()}
    values |= {name: float(value) for name, value in model.inputs().values.items()}
    smallest = 1e-12 * np.exp(model.log_level(theta, times).min())
    switches = model.switch_times(theta)
    ends = np.unique([0, *switches[(switches > 0) & (switches < times[-1])], times[-1]])
    states, found = model.equations.starts(values), {}
    for start, stop in pairwise(ends):

        def slopes(time, state, first=start, last=stop):
            # the solver steps onto and over the end, where another branch holds
            inside = np.clip(time, first + 1e-9, last - 1e-9)
            return model.equations.slopes(inside, state, values)

        wanted = np.unique([start, *times[(times >= start) & (times <= stop)], stop])
        answer = solve_ivp(
            slopes,
            (start, stop),
            states,
            method="LSODA",
            t_eval=wanted,
            rtol=1e-11,
            atol=smallest,
        )
        found |= dict(zip(wanted, answer.y.T, strict=True))
        states = answer.y[:, -1]
    return np.array([observed(model, time, found[time], values) for time in times])


def observed(model, time, states, values):
    given = {**values, **dict(zip(model.equations.states, states, strict=True))}
    given = {name: constant(value) for name, value in {**given, "t": time}.items()}
    first = next(iter(model.observed.values()))
    scope = Scope(given, model.equations.rates.lines)
    return float(np.log(scope.evaluate(first.expression).value))


def test_closed_form_equals_the_differential_equations(closed):
    for theta in [closed.typical, *draws(closed, 4)]:
        direct = closed.log_level(theta, DAYS)
        assert np.abs(direct - by_ode(closed, theta, DAYS)).max() < 1e-6


@pytest.mark.slow
def test_closed_form_equals_our_own_solver(closed):
    theta = np.vstack([closed.typical, draws(closed, 4)])
    solved = ode_kernel(closed).solve(theta, DAYS, gradient=True)
    level, gradient = closed.log_level_gradient(theta, DAYS)
    assert set(solved.reasons) == {None}
    np.testing.assert_allclose(solved.log_level, level, rtol=0, atol=1e-6)
    np.testing.assert_allclose(solved.gradient, gradient, rtol=1e-4, atol=2e-5)


def differences(function, theta, *, step=1e-6):
    steps = step * np.eye(theta.shape[-1])
    columns = [(function(theta + h) - function(theta - h)) / (2 * step) for h in steps]
    return np.stack(columns, axis=-1)


def test_gradients_equal_differences_through_switches(closed):
    theta = np.vstack([closed.typical, draws(closed, 20)])
    times = np.unique(np.concatenate([DAYS, np.arange(0.1, 30, 0.73)]))
    level, gradient = closed.log_level_gradient(theta, times)
    expected = differences(lambda x: closed.log_level(x, times), theta)
    assert np.array_equal(level, closed.log_level(theta, times))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_gradients_of_quantities_equal_differences(closed):
    theta = np.vstack([closed.typical, draws(closed, 5)])
    for name, (value, gradient) in closed.quantities(theta).items():
        expected = differences(lambda x, n=name: closed.quantities(x)[n][0], theta)
        scale = np.abs(value)[:, None]
        np.testing.assert_allclose(
            gradient / scale, expected / scale, rtol=1e-4, atol=1e-7, err_msg=name
        )


def test_area_is_right_to_a_millionth(closed):
    for theta in [closed.typical, *draws(closed, 5)]:
        switches = np.clip(closed.switch_times(theta), 0, 28)
        expected = sum(
            quad(lambda t, at=theta: np.exp(closed.log_level(at, [t])[0]), *ends)[0]
            for ends in pairwise(np.union1d(np.arange(0, 29, 2), switches))
        )
        area = closed.quantities(theta)["auc_0_28"][0]
        assert area == pytest.approx(expected, rel=1e-6)


def test_two_hundred_draws_stay_finite_and_positive(closed):
    theta = draws(closed, 200, seed=2)
    level, gradient = closed.log_level_gradient(theta, DAYS)
    assert np.isfinite(level).all()
    assert np.isfinite(gradient).all()
    assert (np.exp(level) > 0).all()


def test_far_parameters_stay_finite(closed):
    far = 10 * np.diag(closed.spread)
    theta = np.vstack([closed.typical + far, closed.typical - far])
    level, gradient = closed.log_level_gradient(theta, DAYS)
    assert np.isfinite(level).all()
    assert np.isfinite(gradient).all()
    for value, slope in closed.quantities(theta).values():
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()


def test_model_shows_itself(model):
    html = model._repr_html_()
    for name, row in model.parameters.items():
        assert name in repr(model)
        assert row.source in html.replace("&amp;", "&").replace("&#x27;", "'")
    assert len(model.latex()) == len(model.equations.nodes)


def fourth_order(function, theta, *, step=2e-4):
    """Differences exact to the fourth power of the step, which may then be large."""
    near, far = (differences(function, theta, step=h) for h in (step, 2 * step))
    return (4 * near - far) / 3


def test_solved_gradients_equal_differences(solved):
    theta = np.vstack([solved.typical, draws(solved, 2, seed=3)])
    for name in solved.observed:

        def level(x, at=name):
            return solved.solve(x, DAYS, observed=at, tolerance=1e-10).log_level

        found = solved.solve(theta, DAYS, observed=name, gradient=True, tolerance=1e-10)
        assert found.reasons == (None, None, None)
        expected = fourth_order(level, theta)
        there = found.log_level > ERADICATED
        np.testing.assert_allclose(
            found.gradient[there], expected[there], rtol=1e-4, atol=2e-5
        )


def test_of_two_hundred_solved_draws_nearly_all_are_followed_to_their_end(solved):
    levels = solved.solve(draws(solved, 200, seed=2), DAYS, gradient=True)
    assert np.isfinite(levels.log_level).all()
    assert np.isfinite(levels.gradient).all()
    # Park's naive B cells turn negative where b_max is drawn below all B cells
    reasons = [reason for reason in levels.reasons if reason]
    assert len(reasons) <= 6
    assert all("turned negative" in reason for reason in reasons)


def test_far_parameters_are_finite_or_have_a_reason(solved):
    far = 5 * np.diag(solved.spread)
    theta = np.vstack([solved.typical + far, solved.typical - far])
    levels = solved.solve(theta, DAYS, gradient=True)
    assert np.isfinite(levels.log_level).all()
    assert np.isfinite(levels.gradient).all()
