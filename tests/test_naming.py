import pytest

from cellpk.model.export.naming import Names, words


def test_a_free_name_stays_as_it_is():
    names = Names(words("if else"))
    assert names.add("alpha") == "alpha"
    assert names.renamed == []


def test_a_reserved_name_gets_a_number_and_is_listed():
    names = Names(words("if t"))
    assert names.add("t") == "t_1"
    assert names.renamed == [("t", "t_1")]


def test_names_that_differ_by_capitals_alone_are_told_apart():
    names = Names(frozenset(), upper=True)
    assert [names.add(x) for x in ("E", "e", "k_C", "K_c")] == [
        "E",
        "E_1",
        "K_C",
        "K_C_1",
    ]
    assert names.renamed == [("e", "E_1"), ("K_c", "K_C_1")]


def test_long_names_are_cut_and_stay_different():
    names = Names(frozenset(), longest=8)
    assert names.add("a_long_name_1") == "a_long_n"
    assert names.add("a_long_name_2") == "a_long_1"


def test_a_numbered_reserved_name_never_comes_back():
    names = Names(words("MU"), pattern=r"MU_\d+", upper=True)
    assert names.add("mu") == "MU_X1"


@pytest.mark.parametrize(("wanted", "given"), [("_a", "x_a"), ("a-b", "a_b")])
def test_characters_that_no_tool_knows_are_replaced(wanted, given):
    assert Names(frozenset()).add(wanted) == given


def test_one_key_can_be_pointed_elsewhere():
    names = Names(frozenset())
    names.point("E", "A(1)")
    assert names.of("E") == "A(1)"
