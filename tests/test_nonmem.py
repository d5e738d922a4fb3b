import re

import numpy as np
import pytest
from export_check import Exported, completed
from export_model import write

import cellpk as ck
from cellpk.model.export import export
from cellpk.model.export.nonmem import flag, number
from cellpk.model.export.writing import Test as Comparison
from cellpk.model.expression import parse
from cellpk.model.library import folder
from cellpk.model.switches import Clock

NAMES = sorted(path.stem for path in folder().glob("*.toml"))
RESERVED = {"A", "T", "P", "Y", "F", "G", "H", "W", "ID", "DV", "TIME", "MU", "PHI"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ck.load_model(write(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def lines(whole):
    return [line.strip() for line in export(whole, "nonmem").splitlines()]


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


def test_a_closed_form_stands_in_pred(stein):
    text = export(stein, "nonmem")
    assert "$PRED" in text
    assert "$DES" not in text
    assert "AMT" not in re.search(r"\$INPUT.*", text)[0]


def test_omega_holds_variances(stein):
    assert "$OMEGA 0.1444 ; 2 tmax: SD 0.38" in export(stein, "nonmem")


def test_correlated_effects_come_as_one_block_with_their_etas_in_a_row(lines):
    at = lines.index("$OMEGA BLOCK(3) ; variances, covariances")
    assert [line.split(";")[1].split()[:2] for line in lines[at + 1 : at + 4]] == [
        ["1", "rho:"],
        ["2", "tmax:"],
        ["3", "fb:"],
    ]
    assert lines[at + 1].startswith("0.09 ;")


@pytest.mark.parametrize(
    "line",
    [
        "$SUBROUTINES ADVAN13 TOL=9",
        "FB = 1.0/(1.0 + EXP(-(MU_3 + ETA(3))))",
        "MTIME(1) = TMAX",
        "MTIME(2) = ONSET",
        "F1 = IN_1E7",
        "F2 = E*IN_1E7/4.0",
        "ALAG2 = LAG",
        "IF (MPAST(1).EQ.0.0) THEN",
        "Y = PHI((DV - IPRED)/W)",
        "F_FLAG = 1",
        "$SIGMA 1 FIX ; the standard deviations are among THETA",
        "$ESTIMATION METHOD=1 LAPLACIAN INTERACTION MAXEVAL=9999 NOABORT PRINT=5",
        "0.7 FIX ; 9 w, 0.7 day: w",
        "IF (DVID.EQ.2) THEN",
        "W = THETA(16)*ABS(IPRED)",
    ],
)
def test_a_line_is_written(lines, line):
    assert line in lines


def test_a_test_of_time_in_des_is_a_test_of_a_flag(lines):
    start, stop = lines.index("$DES"), lines.index("$ERROR")
    assert not any(re.match(r"IF \(T\.", line) for line in lines[start:stop])


def test_the_level_is_worked_out_by_the_time_of_the_row(lines):
    error = lines[lines.index("$ERROR") :]
    assert any("TIME - T_1" in line for line in error)


@pytest.mark.parametrize(
    ("left", "sign", "right", "expected"),
    [
        ("t", "<", "tmax", "past 1 == 0"),
        ("t", ">=", "tmax", "past 1 == 1"),
        ("tmax", ">", "t", "past 1 == 0"),
        ("tmax", "<=", "t", "past 1 == 1"),
    ],
)
def test_before_and_after_a_switch(left, sign, right, expected):
    clock, times = Clock({}, frozenset({"tmax"})), [parse("tmax")]
    found = flag(Comparison(parse(left), sign, parse(right)), clock, times)
    assert f"{found.left} {found.sign} {found.right}" == expected


@pytest.mark.parametrize("left", ["2*t", "a*t", "E", "b"])
def test_other_tests_stay_as_they_are(left):
    clock, times = Clock({}, frozenset({"a", "b", "tmax"})), [parse("tmax")]
    assert flag(Comparison(parse(left), "<", parse("tmax")), clock, times) is None


@pytest.mark.parametrize("value", [0.16, 1e-14, 6.023e23, 3, -2.5, 1e7, 86400])
def test_a_number_is_read_back_to_the_last_digit(value):
    text = number(value)
    assert "." in text
    assert float(text.replace("D", "e")) == value


def test_a_large_fixed_number_is_no_theta_since_1e6_is_infinite_there():
    text = export(ck.load_model("singh_2021_idecel"), "nonmem")
    assert re.search(r"AVOGADRO = 6\.023D\+23", text)
    assert "6.023E+23" not in text


def test_no_theta_starts_at_zero():
    model = ck.load_model("singh_2021_idecel")
    text = export(model, "nonmem")
    assert model.parameters["gamma_b"].transformed == 0
    assert re.search(r"MU_\d+ = THETA\(\d+\) - 1\.0\n\s+GAMMA_B =", text)
    assert "1 + log of gamma_b, 1:" in text


@pytest.mark.parametrize("name", NAMES)
def test_names_fit_and_none_is_reserved(name):
    text = export(completed(ck.load_model(name)), "nonmem", form="ode")
    code = text[text.index("$PK") : text.index("$THETA")]
    assigned = set(re.findall(r"^\s+([A-Z]\w*) =", code, re.MULTILINE))
    assigned -= {"W", "Y", "F_FLAG", "IPRED", "LEVEL"}
    ours = {x for x in assigned if not re.fullmatch(r"(MU_|F|ALAG)\d+", x)}
    assert not ours & RESERVED
    assert all(len(x) <= 20 for x in ours)


def test_long_lines_continue_and_mean_the_same():
    exported = Exported(completed(ck.load_model("park_2025_sle")), "nonmem")
    assert max(map(len, exported.text.splitlines())) <= 160
    settled = exported.settled(exported.model.typical, {"weight": 70.0})
    assert np.isfinite(exported.meaning.starts(settled)).all()
