"""Formulas are MathML whose long lines can break between terms."""

import re
from xml.etree import ElementTree

import pytest

import cellpk as ck
from cellpk.reporting.mathml import equations, mathml, terms


def words(formula):
    return "".join(ElementTree.fromstring(formula).itertext())


@pytest.mark.parametrize("name", ck.list_models()["name"])
def test_every_formula_of_the_library_is_well_formed_and_leaves_no_latex(name):
    model = ck.load_model(name)
    lines = [
        *equations(model.equations.rates),
        *equations(model.equations.solution),
    ]
    assert len(lines) == len(model.latex())
    for line in lines:
        for formula in (line.left, *line.right):
            assert "\\" not in words(formula)


def test_cases_become_a_table_with_a_brace():
    formula = mathml(
        r"\begin{cases} a & \text{if } t < s \\ b & \text{else} \end{cases}"
    )
    tree = ElementTree.fromstring(formula)
    assert len(tree.findall(".//mtr")) == 2
    assert words(formula).startswith("{a")


def test_an_integral_keeps_its_limits():
    tree = ElementTree.fromstring(mathml(r"\int_{0}^{t} s \, \mathrm{d}s"))
    sign, low, high = next(tree.iter("msubsup"))
    assert (sign.text, "".join(low.itertext()), "".join(high.itertext())) == (
        "\u222b",
        "0",
        "t",
    )


def test_a_name_of_several_letters_is_one_upright_word():
    for latex in (r"\mathrm{foldx}", r"\operatorname{softplus}", r"\mathrm{per\_day}"):
        tree = ElementTree.fromstring(mathml(latex))
        (word,) = [each.text for each in tree.iter() if each.text]
        assert word == re.search(r"{(.*)}", latex)[1].replace("\\", "")


def test_a_line_breaks_between_terms_and_never_inside_brackets():
    latex = r"-a \, \left(b - c\right) + \frac{d - e}{f + g} - h^{i - 1}"
    assert terms(latex) == [
        r"-a \, \left(b - c\right)",
        r"+ \frac{d - e}{f + g}",
        "- h^{i - 1}",
    ]


def test_a_sign_between_terms_has_space_on_both_sides():
    assert '<mo form="infix">' in mathml("- a")
    assert "infix" not in mathml("-a")


def test_what_the_file_says_of_a_line_stands_beside_it_and_no_other():
    model = ck.load_model("kirouac_2023_cd19")
    notes = [line.note for line in equations(model.equations.rates)]
    assert notes[:7] == [
        "part switched on by antigen A",
        "",
        "",
        "",
        "",
        "divisions that renew memory cells",
        "effector cells becoming memory cells",
    ]


def test_the_d_of_a_derivative_is_upright():
    assert '<mi mathvariant="normal">d</mi>' in mathml(r"\mathrm{d}t")
    assert "<mi>t</mi>" in mathml(r"\mathrm{d}t")
