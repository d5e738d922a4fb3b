"""Lines are read in order; what is wrong names line, token and nearest name."""

import pytest

from cellpk import ModelError
from cellpk.model.blocks import check_names, independent, read_block
from cellpk.model.expression import parse


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
        ("a =", "line 1", "'a =' is not an equation"),
        ("a = (1\n", "line 1", "'(1' cannot be read at '('"),
        ("td(0) = 1\ndtd/dt = 1", "line 1", "'td' is assigned twice"),
        ("cells = 3", "line 1", "'cells' is assigned twice"),
        ("a = (1 +\n  tdd)", "line 2", "'tdd' is not known"),
        ("a = (1 +\n  td +\n td td)", "line 3", "'td td)' cannot be read at 'td'"),
        ("a = (td +\n exp(1, 2))", "line 2", "'exp(1, 2)' has 2 arguments"),
        ("a = (1 if td == 2\n else 3)", "line 1", "'td == 2' cannot be read"),
        ("a = integral(t, exp, 0, 1)", "line 1", "'exp' of an integral"),
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


def test_what_changes_with_time_is_refused_in_a_start_and_says_why():
    text = "wet = wbc*2\nE(0) = {}\ndE/dt = -wet*E"
    for name in ("wbc", "wet", "t", "E"):
        with pytest.raises(ModelError) as caught:
            read_block(text.format(name), stepped=["wbc"])
        found = f"{name!r} is not known at this place: it changes with time"
        assert caught.value.found == found
        assert caught.value.where == "line 2"


def test_a_stepped_covariate_is_known_in_lines_and_rates():
    block = read_block("k = wbc*2\nE(0) = 1\ndE/dt = -k*E", stepped=["wbc"])
    assert str(block.lines["k"]) == "wbc*2"
    with pytest.raises(ModelError, match="'wbc' is assigned twice"):
        read_block("wbc = 2", stepped=["wbc"])


def test_each_line_keeps_its_number():
    block = read_block("\nk = (1 +\n 2)\n# x\nE(0) = 1\ndE/dt = -k*E")
    assert block.numbers == {
        ("lines", "k"): 1,
        ("starts", "E"): 4,
        ("rates", "E"): 5,
    }


def test_a_refused_name_says_why():
    with pytest.raises(ModelError, match="line 1: 'M' is not known at this place: why"):
        read_block("a = M", refused={"M": "why"})
    with pytest.raises(ModelError, match=r"^here: 'b' is not known"):
        check_names(parse("a + b"), ["a"], "here")


def test_lines_that_rest_on_moving_lines_move_too():
    lines = {"a": parse("2*t"), "b": parse("a + k"), "c": parse("k"), "d": parse("c")}
    assert independent(lines, ["t"]) == {"c", "d"}
