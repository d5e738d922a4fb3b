"""What holds for every model file, found by itself."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import cellpk as ck
from cellpk.model.expression import parse, walk
from cellpk.model.library import folder
from cellpk.model.sensitivity import Scope, constant

NAMES = sorted(path.stem for path in folder().glob("*.toml"))
DAYS = np.array([0, 1, 3, 5, 7, 9, 10, 12, 14, 21, 28, 60, 90, 180, 365.0])


@pytest.fixture(params=NAMES)
def model(request):
    return ck.load_model(request.param)


def draws(model, count, *, seed=1):
    rng = np.random.default_rng(seed)
    return model.typical + model.spread * rng.normal(size=(count, len(model.free)))


def test_the_library_is_found():
    assert set(NAMES) == set(ck.list_models()["name"])
    assert len(NAMES) >= 3


def test_printed_numbers_come_back(model):
    computed = model.quantities(model.typical)
    for name, row in model.derived.items():
        if row.printed is not None:
            assert computed[name][0] == pytest.approx(row.printed, rel=row.within), name


def test_every_number_has_a_source(model):
    rows = [*model.parameters.values(), *model.observed.values()]
    printed = [row for row in model.derived.values() if row.printed is not None]
    assert all(row.source for row in [*rows, *printed])


def test_every_free_parameter_moves_the_level(model):
    _, gradient = model.log_level_gradient(model.typical, DAYS)
    assert (np.abs(gradient).max(axis=0) > 0).all()


def test_expressions_print_as_they_are_read(model):
    rows = [*model.observed.values(), *model.derived.values()]
    nodes = [*model.equations.nodes, *(row.expression for row in rows)]
    for node in nodes:
        assert parse(str(node)) == node
        assert all(str(inner) for inner in walk(node))


def by_ode(model, theta, times):
    """Log level from the differential equations, stopping at every switch."""
    values = {name: float(value) for name, value in model.natural(theta).items()}
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


def test_closed_form_equals_the_differential_equations(model):
    for theta in [model.typical, *draws(model, 4)]:
        closed = model.log_level(theta, DAYS)
        assert np.abs(closed - by_ode(model, theta, DAYS)).max() < 1e-6


def differences(function, theta, *, step=1e-6):
    steps = step * np.eye(theta.shape[-1])
    columns = [(function(theta + h) - function(theta - h)) / (2 * step) for h in steps]
    return np.stack(columns, axis=-1)


def test_gradients_equal_differences_through_switches(model):
    theta = np.vstack([model.typical, draws(model, 20)])
    times = np.unique(np.concatenate([DAYS, np.arange(0.1, 30, 0.73)]))
    level, gradient = model.log_level_gradient(theta, times)
    expected = differences(lambda x: model.log_level(x, times), theta)
    assert np.array_equal(level, model.log_level(theta, times))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_gradients_of_quantities_equal_differences(model):
    theta = np.vstack([model.typical, draws(model, 5)])
    for name, (value, gradient) in model.quantities(theta).items():
        expected = differences(lambda x, n=name: model.quantities(x)[n][0], theta)
        scale = np.abs(value)[:, None]
        np.testing.assert_allclose(
            gradient / scale, expected / scale, rtol=1e-4, atol=1e-7, err_msg=name
        )


def test_area_is_right_to_a_millionth(model):
    for theta in [model.typical, *draws(model, 5)]:
        switches = np.clip(model.switch_times(theta), 0, 28)
        expected = sum(
            quad(lambda t, at=theta: np.exp(model.log_level(at, [t])[0]), *ends)[0]
            for ends in pairwise(np.union1d(np.arange(0, 29, 2), switches))
        )
        area = model.quantities(theta)["auc_0_28"][0]
        assert area == pytest.approx(expected, rel=1e-6)


def test_two_hundred_draws_stay_finite_and_positive(model):
    theta = draws(model, 200, seed=2)
    level, gradient = model.log_level_gradient(theta, DAYS)
    assert np.isfinite(level).all()
    assert np.isfinite(gradient).all()
    assert (np.exp(level) > 0).all()


def test_far_parameters_stay_finite(model):
    far = 10 * np.diag(model.spread)
    theta = np.vstack([model.typical + far, model.typical - far])
    level, gradient = model.log_level_gradient(theta, DAYS)
    assert np.isfinite(level).all()
    assert np.isfinite(gradient).all()
    for value, slope in model.quantities(theta).values():
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()


def test_model_shows_itself(model):
    html = model._repr_html_()
    for name, row in model.parameters.items():
        assert name in repr(model)
        assert row.source in html.replace("&amp;", "&").replace("&#x27;", "'")
    assert len(model.latex()) == len(model.equations.nodes)
