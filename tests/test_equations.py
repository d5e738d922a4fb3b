"""Equations and closed form belong together; what is constant in time is known."""

import numpy as np
import pytest

from cellpk import ModelError, load_model
from cellpk.model.equations import read_equations

DECAY = "E(0) = dose\ndE/dt = -k*E"


def test_a_solution_states_every_state():
    with pytest.raises(ModelError, match="does not state 'E'"):
        read_equations(
            {"equations": DECAY, "solution": "F = exp(-k*t)"}, parameters=["dose", "k"]
        )


def test_a_solution_may_not_rest_on_the_states_of_the_equations():
    text = {"equations": f"{DECAY}\nshare = E/dose", "solution": "E = share*dose"}
    with pytest.raises(ModelError, match="'share' is not known at this place"):
        read_equations(text, parameters=["dose", "k"])


def test_a_solution_may_use_lines_of_the_equations():
    text = {"equations": f"double = 2*k\n{DECAY}", "solution": "E = dose*exp(-double)"}
    equations = read_equations(text, parameters=["dose", "k"])
    assert equations.closed
    assert equations.free_of_time == {"double"}
    assert equations.used == {"dose", "k", "E", "double"}


def test_a_solution_knows_no_steps():
    text = {"equations": f"w = wbc\n{DECAY}", "solution": "E = dose*exp(-k*t)*{}"}
    for name, why in (("wbc", "changes with time"), ("w", "rests on a state")):
        wrong = {**text, "solution": text["solution"].format(name)}
        with pytest.raises(ModelError, match=f"solution, line 1: '{name}' is.*{why}"):
            read_equations(wrong, parameters=["dose", "k"], stepped=["wbc"])


def test_lines_with_a_stepped_covariate_are_not_free_of_time():
    text = {"equations": f"a = wbc*k\nb = 2*k\n{DECAY}"}
    equations = read_equations(text, parameters=["dose", "k"], stepped=["wbc"])
    assert equations.free_of_time == {"b"}
    assert equations.stepped == ("wbc",)
    assert not equations.closed


def test_rates_take_covariates_among_the_values():
    text = {"equations": "E(0) = w\ndE/dt = -k*E*wbc"}
    equations = read_equations(text, parameters=["k", "w"], stepped=["wbc"])
    assert equations.starts({"k": 1, "w": 70}) == pytest.approx([70])
    values = {"k": 0.5, "w": 70, "wbc": 4}
    assert equations.slopes(3, [10], values) == pytest.approx([-20])


def test_lines_without_a_state_are_a_closed_form(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text(
        """
title = "A fall"
source = "ours"
time = "day"
equations = "level = a*exp(-b*t)"
[parameters]
a = { value = 100, unit = "copies/ug", iiv_sd = 0.5 }
b = { value = 0.1, unit = "1/day", iiv_sd = 0.5 }
[observed]
qpcr = { is = "level", unit = "copies/ug", error = "lognormal", sd = 0.5 }
""",
        encoding="utf-8",
    )
    model = load_model(path)
    days = np.array([1.0, 20.0])
    levels, gradient = model.kernel.log_level_gradient(model.typical, days)
    np.testing.assert_allclose(levels, np.log(100) - 0.1 * days)
    np.testing.assert_allclose(gradient, np.transpose([[1.0, 1.0], -0.1 * days]))
    assert "level" in model.export("nlmixr2")


def test_without_a_state_nothing_follows_a_covariate_that_changes():
    text = {"equations": "level = k*wbc"}
    with pytest.raises(ModelError, match="'wbc' changes step by step, and there is no"):
        read_equations(text, parameters=["k"], stepped=["wbc"])
