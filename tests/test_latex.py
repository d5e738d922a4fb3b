"""Equations become formulas."""

import pytest

from cellpk.model.blocks import read_block
from cellpk.model.expression import parse
from cellpk.model.latex import block_formulas, formula, symbol


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("E", "E"),
        ("rho", r"\rho"),
        ("cmax", r"c_{\mathrm{max}}"),
        ("k_el", r"k_{\mathrm{el}}"),
        ("beta_2", r"\beta_{2}"),
        ("beta2", r"\beta_{2}"),
        ("K21", "K_{21}"),
        ("Vmax1", r"V_{\mathrm{max1}}"),
        ("kmin_b", r"k_{\mathrm{min\_b}}"),
        ("IL6", r"\mathrm{IL6}"),
        ("half_life_1", r"\mathrm{half}_{\mathrm{life\_1}}"),
    ],
)
def test_names_become_symbols(name, expected):
    assert symbol(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b*c", r"\frac{a}{b} \, c"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("(a + b)*c", r"\left(a + b\right) \, c"),
        ("(a*b)**2", r"\left(a \, b\right)^{2}"),
        ("-(a + b)", r"-\left(a + b\right)"),
        ("1e-14*sqrt(a)", r"10^{-14} \, \sqrt{a}"),
        ("2.5e20*a", r"2.5 \cdot 10^{20} \, a"),
        ("2e20**a", r"\left(2 \cdot 10^{20}\right)^{a}"),
        ("a*2", r"a \cdot 2"),
        ("a*-b", r"a \, \left(-b\right)"),
        ("a - -b", r"a - \left(-b\right)"),
        ("a*integral(s, s, 0, t)", r"a \, \left(\int_{0}^{t} s \, \mathrm{d}s\right)"),
        ("max(a, 0)", r"\max\left(a, 0\right)"),
        ("integral(s, s, 0, t)", r"\int_{0}^{t} s \, \mathrm{d}s"),
        (
            "1 if t < a else 2 if t <= b else 3",
            r"\begin{cases} 1 & \text{if } t < a \\ 2 & \text{if } t \le b \\ "
            r"3 & \text{else} \end{cases}",
        ),
    ],
)
def test_right_sides_become_formulas(text, expected):
    assert formula(parse(text)) == expected


def test_a_choice_within_a_product_is_bracketed():
    text = formula(parse("a*(1 if t < b else 0)"))
    assert text.startswith(r"a \, \left(\begin{cases}")


def test_a_block_becomes_lines_starts_and_rates():
    text = "k2 = 2*k\nE(0) = 1\ndE/dt = -k2*E"
    assert block_formulas(read_block(text, known=["k"])) == [
        r"k_{2} = 2 \, k",
        "E(0) = 1",
        r"\frac{\mathrm{d}E}{\mathrm{d}t} = -k_{2} \, E",
    ]
