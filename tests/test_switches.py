"""Switches and gates are read off the text."""

import pytest

from cellpk import ModelError
from cellpk.model.expression import parse
from cellpk.model.switches import Clock, find_gates, find_switches

CLOCK = Clock(
    {"tau": parse("t - tmax"), "E": parse("exp(-k*tau)"), "late": parse("2*tmax")},
    frozenset({"tmax", "lag", "w", "k"}),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 if t < tmax else 0", ["tmax"]),
        ("1 if tmax <= t else 0", ["tmax"]),
        ("1 if tau > 0 else 0", ["tmax"]),
        ("1 if tau > lag else 0", ["lag + tmax"]),
        ("1 if t < late else 0", ["late"]),
        ("1 if 2*t < tmax else 0", ["tmax/2"]),
        ("1 if t/2 < tmax else 0", ["2*tmax"]),
        ("1 if 5 - t < tmax else 0", ["-(tmax - 5)"]),
        ("max(t - lag, 0)", ["lag"]),
        ("min(E, 3)", []),
        ("max(tmax, lag)", []),
        ("1 if k < w else 0", []),
        ("(1 if t < lag else 2) + (3 if t < lag else 4)", ["lag"]),
        ("1 if t < lag else 2 if t < tmax else 3", ["lag", "tmax"]),
        ("exp(-k*t)", []),
    ],
)
def test_switch_times_are_found(text, expected):
    assert [str(node) for node in find_switches([parse(text)], CLOCK)] == expected


@pytest.mark.parametrize("text", ["E > 3", "t*t < tmax", "exp(t) < 2", "t < E"])
def test_a_switch_that_cannot_be_read_off_is_an_error(text):
    with pytest.raises(ModelError) as caught:
        find_switches([parse(f"1 if {text} else 0")], CLOCK, where="m.toml")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "centre", "width"),
    [
        ("expit((t - tmax)/w)", "tmax", "w"),
        ("expit(tau/w)", "tmax", "w"),
        ("softplus(k*(t - lag))", "lag", "1/k"),
        ("softplus(t)", "0", "1"),
    ],
)
def test_gates_are_found(text, centre, width):
    (gate,) = find_gates([parse(text)], CLOCK)
    assert (str(gate.centre), str(gate.width)) == (centre, width)


@pytest.mark.parametrize("text", ["expit(k)", "softplus(E)", "exp(t)"])
def test_what_does_not_open_with_time_is_no_gate(text):
    assert find_gates([parse(text)], CLOCK) == ()


STEPPED = Clock({"late": parse("t - wbc")}, frozenset({"lag"}), frozenset({"wbc"}))


def test_a_stepped_covariate_decides_between_its_steps():
    assert find_switches([parse("1 if wbc > 2*lag else 0")], STEPPED) == ()
    assert STEPPED.steady(parse("wbc"))
    assert not STEPPED.free(parse("wbc"))


def test_a_switch_time_does_not_rest_on_a_stepped_covariate():
    with pytest.raises(ModelError, match="'late > 0' changes cannot be read off"):
        find_switches([parse("1 if late > 0 else 0")], STEPPED)


def test_a_branch_on_a_level_is_refused_with_advice():
    with pytest.raises(ModelError, match=r"expit\(\(level - threshold\)/width\)"):
        find_switches([parse("1 if E > 3 else 0")], CLOCK)
