"""Equations and closed form belong together; what is constant in time is known."""

import pytest

from cellpk import ModelError
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
