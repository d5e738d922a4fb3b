"""Lines are read in order; what is wrong names section, line and nearest name."""

import pytest

from cellpk import ModelError
from cellpk.model.equations import read_block, read_equations

DECAY = "E(0) = dose\ndE/dt = -k*E"


def test_comments_blank_lines_and_open_brackets_are_understood():
    block = read_block(
        """
        # expansion
        rho = (log(2)    # a comment
               / td)

        E(0) = 1
        dE / dt = rho*E
        """,
        known=["td"],
    )
    assert str(block.lines["rho"]) == "log(2)/td"
    assert str(block.rates["E"]) == "rho*E"


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("rho = log(2)/tdd", "line 1", "'tdd' is not known"),
        ("\n# x\nrho = a\na = 1", "line 3", "'a' is not known"),
        ("a = 1\na = 2", "line 2", "'a' is assigned twice"),
        ("td = 3", "line 1", "'td' is assigned twice"),
        ("t = 3", "line 1", "'t' is assigned twice"),
        ("exp = 3", "line 1", "'exp' is assigned twice"),
        ("E(0) = 1\ndE/dt = 1\nE = 2", "line 3", "'E' is assigned twice"),
        ("E(0) = 1\nE(0) = 2\ndE/dt = 1", "line 2", "'E' is assigned twice"),
        ("E(0) = t\ndE/dt = 1", "line 1", "'t' is not known"),
        ("a = 2*t\nE(0) = a\ndE/dt = 1", "line 2", "'a' is not known"),
        ("E(0) = E\ndE/dt = 1", "line 1", "'E' is not known"),
        ("E(0) = 1", "line 1", "'E' has only one of start and rate"),
        ("dE/dt = 1", "line 1", "'E' has only one of start and rate"),
        ("E(1) = 1", "line 1", "'E(1) = 1' is not an equation"),
        ("only words", "line 1", "'only words' is not an equation"),
        ("a = (1\n", "line 1", "'(1' cannot be read"),
        ("a = integral(td, td, 0, 1)", "line 1", "'td' of an integral"),
    ],
)
def test_a_wrong_line_is_named(text, where, found):
    with pytest.raises(ModelError) as caught:
        read_block(text, known=["td"])
    assert where in caught.value.where
    assert found in caught.value.found


def test_the_nearest_name_is_offered():
    with pytest.raises(ModelError, match="Did you mean 'foldx'"):
        read_block("rho = log(fold)", known=["foldx", "tmax"])


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
