import re
from itertools import product

import numpy as np
import pytest
from export_check import Exported, Own, check, integrated
from export_model import TEXT, write

import cellpk as ck
from cellpk.errors import ModelError
from cellpk.model.export import export, targets
from cellpk.model.export.content import correlated, per_cell, sort
from cellpk.model.expression import parse

DAYS = [0.0, 1, 2.5, 5, 8, 9, 11, 12, 14, 20, 30, 45]
STEPS = [(10.0, "chemo", 1.0), (16.0, "chemo", 0.0)]
DOSES = [(0.0, 3e7), (12.0, 6e7)]
SHIFTS = np.array([[0.0] * 8, [0.2, -0.3, 0.1, 0.9, -0.2, 0.4, -0.1, 0.3]])

every_target = pytest.mark.parametrize("target", targets())


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ck.load_model(write(tmp_path_factory.mktemp("models")))


def test_the_three_tools_are_found():
    assert targets() == ("monolix", "nlmixr2", "nonmem")


def test_an_unknown_tool_offers_the_nearest(stein):
    with pytest.raises(ModelError, match=r"'monolixx'.*Did you mean 'monolix'"):
        export(stein, "monolixx")


def test_an_unknown_form_offers_the_nearest(stein):
    with pytest.raises(ModelError, match=r"'odes'.*Did you mean 'ode'"):
        export(stein, "nonmem", form="odes")


@every_target
def test_all_of_the_language_is_read_back(whole, target):
    check(Exported(whole, target), draws=10)


@every_target
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_course_with_infusions_lag_and_steps_is_that_of_the_model(
    whole, target, shift
):
    theta = whole.typical + shift
    patient = {"covariates": {"weight": 55.0}, "doses": DOSES, "steps": STEPS}
    found = integrated(Exported(whole, target), theta, DAYS, **patient)
    expected = integrated(Own(whole), theta, DAYS, **patient)
    for name in whole.observed:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-6)


@every_target
def test_rates_integrate_to_the_closed_form(stein, target):
    theta = stein.typical + np.array([0.5, -0.3, 0.2, 0.4, -0.2, 0.3])
    found = integrated(Exported(stein, target, form="ode"), theta, DAYS)["qpcr"]
    assert np.abs(found - stein.log_level(theta, DAYS)).max() < 1e-6


@every_target
def test_an_integral_is_exported_as_rates_and_says_so(target):
    smooth = ck.load_model("stein_2019_smooth_peak")
    exported = Exported(smooth, target)
    assert exported.meaning.states
    comments = " ".join(re.sub(r"[;#]", " ", exported.text).split())
    assert "holds an integral, which this tool cannot write" in comments
    found = integrated(exported, smooth.typical, DAYS)["qpcr"]
    assert np.abs(found - smooth.log_level(smooth.typical, DAYS)).max() < 1e-6


@every_target
def test_an_unpublished_number_becomes_a_name_and_never_a_number(target):
    exported = Exported(ck.load_model("ogasawara_2021_lisocel"), target)
    assert "unpublished_c0" in exported.text.lower()
    meaning = exported.meaning
    unknown = {name.lower() for name, x in meaning.typical.items() if np.isnan(x)}
    assert unknown == {"c0", "fb"}
    assert np.isnan(np.diag(meaning.omega)).all()
    assert np.isnan(next(iter(meaning.sd.values())))


CHANGES = {
    "nlmixr2": [
        ("eta.tmax ~ 0.1444", "eta.tmax ~ 0.38"),
        ("if (t < tmax)", "if (t > tmax)"),
        ("- beta*M", "+ beta*M"),
        ("log(24000)", "log(2400)"),
        ("c(0, 0.56)", "c(0, 0.65)"),
        ("cmax/foldx", "cmax*foldx"),
    ],
    "monolix": [
        ("omega_tmax = {value=0.38", "omega_tmax = {value=0.1444"),
        ("if t < tmax", "if t >= tmax"),
        ("- beta*M", "+ beta*M"),
        ("fb = {distribution=logNormal", "fb = {distribution=normal"),
        ("a_qpcr = {value=0.56", "a_qpcr = {value=0.65"),
    ],
    "nonmem": [
        ("$OMEGA 0.1444", "$OMEGA 0.38"),
        ("MPAST(1).EQ.0", "MPAST(1).EQ.1"),
        ("MTIME(1) = TMAX", "MTIME(1) = 2.0*TMAX"),
        ("- BETA*A(2)", "+ BETA*A(2)"),
        ("DADT(2) = DM_1", "DADT(2) = DE_1"),
        ("EXP(MU_3 + ETA(3))", "EXP(MU_2 + ETA(3))"),
        ("(0, 0.56)", "(0, 0.65)"),
    ],
}


@pytest.mark.parametrize(
    ("target", "old", "new"), [(t, *change) for t in CHANGES for change in CHANGES[t]]
)
def test_a_wrong_text_is_noticed(stein, target, old, new, monkeypatch):
    text = export(stein, target, form="ode")
    assert old in text
    monkeypatch.setattr("export_check.export", lambda *_, **__: text.replace(old, new))
    with pytest.raises(AssertionError):
        check(Exported(stein, target, form="ode"))


@every_target
def test_the_text_is_ascii_and_names_source_and_scale(whole, target):
    text = export(whole, target)
    assert text.isascii()
    assert "made for the tests" in text
    assert "SCALES." in text
    assert "VARIANCE" in text if target != "monolix" else "STANDARD DEVIATION" in text


@every_target
def test_names_that_a_tool_reserves_are_changed_and_listed(whole, target):
    names = Exported(whole, target).names
    assert ("lag" in names) == (target == "nlmixr2")
    if target == "nonmem":
        assert set(names) >= {"T", "w", "a_rather_long_name_of_half"}


def test_correlated_effects_stand_in_one_block(whole):
    assert correlated(whole) == (
        ("rho", "tmax", "fb"),
        ("alpha",),
        ("e",),
        ("T",),
        ("beta",),
        ("lag",),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cells", "1"),
        ("cells/1e9", "1/1000000000"),
        ("cells*share/v", "share/v"),
        ("2*cells + cells*b", "2 + b"),
        ("cells + 1", "None"),
        ("cells**2", "None"),
        ("5", "None"),
    ],
)
def test_what_is_added_per_cell(text, expected):
    assert str(per_cell(parse(text))) == expected


@every_target
def test_an_amount_out_of_proportion_is_left_to_the_data_set(tmp_path, target):
    path = tmp_path / "odd.toml"
    odd = TEXT.replace('E = "cells*in_1e7"', 'E = "(cells*in_1e7)**0.5"')
    path.write_text(odd, encoding="utf-8")
    text = export(ck.load_model(path), target)
    words = " ".join(re.sub(r"[;#]", " ", text).split())
    assert "is not in proportion to the cells" in words
    assert "AMT = (cells*in_1e7)**0.5" in words


def test_lines_that_nothing_needs_are_left_out(stein):
    assert "k" not in sort(stein, form="closed").steady
    assert "k" in sort(stein, form="ode").steady


def test_every_form_has_its_text(stein):
    texts = {export(stein, *way[:1], form=way[1]) for way in _ways()}
    assert len(texts) == 6


def _ways():
    return product(targets(), ("closed", "ode"))


@pytest.mark.parametrize(
    ("target", "mark"), [("nonmem", "FIX"), ("nlmixr2", "fix("), ("monolix", "FIXED")]
)
def test_what_was_estimated_without_a_spread_is_not_held(target, mark):
    text = ck.load_model("mueller_schoell_2021_axicel").export(target)
    estimated, taken = (
        next(line for line in text.splitlines() if label in line and "0" in line)
        for label in ("Naive to central memory", "Death of naive cells")
    )
    assert mark not in estimated
    assert mark in taken
