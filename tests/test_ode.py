"""The text of an ODE model says what its trees say; nothing is compiled here."""

import numpy as np
import pytest

from cellpk.model.compile.cache import load
from cellpk.model.compile.ode import System, ode_text
from cellpk.model.equations import read_equations
from cellpk.model.expression import parse

TEXT = """
rho    = log(2)/double
shut   = expit((t - peak)/w)
E(0)   = start*rho
M(0)   = 0
dE/dt  = (rho*(1 - shut)*drug - hit*M/(M + half))*E if t < peak + 3 else -alpha*E**1.5
dM/dt  = max(t - lagged, 0)*rho*E - alpha*M
"""
KNOWN = ("double", "peak", "w", "start", "hit", "half", "alpha", "lagged")
FREE = ("double", "peak", "start", "hit", "alpha", "lagged")
VALUES = np.array([0.8, 9.0, 0.5, 6.0, 0.3, 40.0, 0.16, 2.0])


@pytest.fixture(scope="module")
def system():
    return System(
        read_equations({"equations": TEXT}, parameters=[*KNOWN, "drug"]),
        [parse("E + M"), parse("rho*E*t")],
        known=KNOWN,
        free=FREE,
        steps=["drug"],
        adds={"M": parse("cells*rho/hit")},
        lag=parse("lagged/peak"),
    )


@pytest.fixture(scope="module")
def module(system, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLPK_CACHE", str(tmp_path_factory.mktemp("kernels")))
        return load(ode_text(system))


def whole(module, values):
    """``p`` with its tail."""
    p = np.concatenate([values, np.zeros(module.SIZES[2] - len(values))])
    module.prepare.py_func(p)
    return p


def rates(module, z, logged, *, t=5.0, values=VALUES):
    f = np.zeros(2)
    c = np.array([0.7])
    module.rhs.py_func(t, t, np.array(z), logged, whole(module, values), c, f)
    return f


MODES = [(a, b) for a in (0, 1) for b in (0, 1)]


@pytest.mark.parametrize("logged", MODES)
@pytest.mark.parametrize("t", [1.0, 5.0, 11.9, 12.1])
def test_slopes_are_those_of_the_equations_by_state_where_logged(
    system, module, logged, t
):
    x = np.array([30.0, 7.0])
    z = np.where(logged, np.log(x), x)
    values = dict(zip(KNOWN, VALUES, strict=True)) | {"drug": 0.7}
    expected = system.equations.slopes(t, x, values) / np.where(logged, x, 1)
    found = rates(module, z, np.array(logged), t=t)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("logged", MODES)
@pytest.mark.parametrize("t", [1.0, 5.0, 12.1])
def test_derivatives_equal_differences(module, logged, t):
    x, logged = np.array([30.0, 7.0]), np.array(logged)
    z = np.where(logged, np.log(x), x)
    f, jx, jp = np.zeros(2), np.full((2, 2), 9.0), np.full((2, 6), 9.0)
    p, c = whole(module, VALUES), np.array([0.7])
    module.jacobian.py_func(t, t, z, logged, p, c, f, jx, jp)
    np.testing.assert_allclose(f, rates(module, z, logged, t=t), rtol=1e-13)
    for i, h in enumerate(1e-6 * np.eye(2)):
        change = rates(module, z + h, logged, t=t) - rates(module, z - h, logged, t=t)
        np.testing.assert_allclose(jx[:, i], change / 2e-6, rtol=1e-6, atol=1e-7)
    for j, name in enumerate(FREE):
        h = 1e-6 * (np.array(KNOWN) == name)
        up = rates(module, z, logged, t=t, values=VALUES + h)
        down = rates(module, z, logged, t=t, values=VALUES - h)
        np.testing.assert_allclose(jp[:, j], (up - down) / 2e-6, rtol=1e-6, atol=1e-7)


def test_a_state_of_1e_minus_250_divides_nothing_by_zero(module):
    found = rates(module, [np.log(1e-250), np.log(1e-250)], np.array([1, 1]))
    assert np.isfinite(found).all()


def test_branches_are_decided_at_the_side(module):
    """At t = peak + 3 = 12 itself, either side."""
    p, c, found = whole(module, VALUES), np.array([0.7]), []
    for side in (11.0, 13.0):
        f = np.zeros(2)
        z, logged = np.array([30.0, 7.0]), np.array([0, 0])
        module.rhs.py_func(12.0, side, z, logged, p, c, f)
        found.append(f[0])
    assert found[1] == pytest.approx(-0.16 * 30**1.5)
    assert found[0] != pytest.approx(found[1])


def test_starts_infusions_lags_and_switches_with_their_derivatives(module):
    p, rho = whole(module, VALUES), np.log(2) / 0.8
    x, dx = np.full(2, 9.0), np.full((2, 6), 9.0)
    module.start.py_func(p, x, dx)
    np.testing.assert_allclose(x, [6 * rho, 0])
    np.testing.assert_allclose(dx[0], [-6 * rho / 0.8, 0, rho, 0, 0, 0])
    assert not dx[1].any()
    a, da = np.full(2, 9.0), np.full((2, 6), 9.0)
    module.doses.py_func(p, 3.0, a, da)
    dose = 3 * rho / 0.3
    np.testing.assert_allclose(a, [0, dose])
    np.testing.assert_allclose(da[1], [-dose / 0.8, 0, 0, -dose / 0.3, 0, 0])
    d = np.full(6, 9.0)
    assert module.lag.py_func(p, d) == pytest.approx(2 / 9)
    np.testing.assert_allclose(d, [0, -2 / 81, 0, 0, 0, 1 / 9])
    times, dtimes = np.zeros(2), np.full((2, 6), 9.0)
    module.switches.py_func(p, times, dtimes)
    np.testing.assert_allclose(times, [12, 2])
    np.testing.assert_allclose(dtimes, [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])


def test_assays_are_told_apart(module):
    p, x, c = whole(module, VALUES), np.array([30.0, 7.0]), np.array([0.7])
    gx, gp, rho = np.full(2, 9.0), np.full(6, 9.0), np.log(2) / 0.8
    observe = module.observe.py_func
    assert observe(0, 5.0, 5.0, x, p, c, gx, gp) == 37
    np.testing.assert_allclose(gx, [1, 1])
    assert not gp.any()
    assert observe(1, 5.0, 5.0, x, p, c, gx, gp) == pytest.approx(150 * rho)
    np.testing.assert_allclose(gx, [5 * rho, 0])
    np.testing.assert_allclose(gp, [-150 * rho / 0.8, 0, 0, 0, 0, 0])


def test_sizes_are_states_free_parameters_and_known_with_their_tail(module):
    states, free, known = module.SIZES
    assert (states, free) == (2, 6)
    assert known == len(KNOWN) + 2  # rho and its derivative
