import re

import pytest
from export_check import Exported
from export_model import write

import cellpk as ck
from cellpk.model.export import export


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ck.load_model(write(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def text(whole):
    return export(whole, "nlmixr2")


@pytest.fixture(scope="module")
def stein():
    return export(ck.load_model("stein_2019_tisagenlecleucel"), "nlmixr2")


def test_spread_stands_as_a_variance_with_the_sd_beside_it(stein):
    assert "eta.tmax ~ 0.1444 # SD 0.38" in stein


def test_the_variance_reading_of_stein_exports_its_printed_numbers():
    text = export(ck.load_model("stein_2019_tisagenlecleucel_var"), "nlmixr2")
    assert re.search(r"eta\.tmax ~ 0\.38 ", text)


def test_correlated_effects_are_stated_by_their_lower_triangle(text):
    # 0.3**2; -0.4*0.3*sd; sd**2; 0; 0.3*0.3*sd; 0.09 with sd**2 = log(1 + 0.2**2)
    numbers = r"c\(0\.09, -0\.0237\d+, 0\.0392\d+, 0, 0\.0178\d+, 0\.09\)"
    assert re.search(rf"eta\.rho \+ eta\.tmax \+ eta\.fb ~ {numbers}", text)


@pytest.mark.parametrize(
    "line",
    [
        "fb <- expit(logit.fb + eta.fb)",
        "T_1 <- typical.T_1 + eta.T_1",
        "rho <- exp(lrho + eta.rho)",
        'ceiling <- fix(900); label("ceiling")',
        "locf(chemo)",
        "mtime(switch_1) <- tmax",
        "f(M) <- e*in_1e7/4",
        "alag(E) <- lag_1",
        "qpcr ~ lnorm(qpcr.sd)",
        "flow ~ prop(flow.sd)",
        "e_m ~ add(e_m.sd)",
        "tail ~ lnorm(tail.sd) + dt(tail.df)",
        "tail.df <- fix(4)",
    ],
)
def test_a_line_is_written(text, line):
    assert line in [row.strip() for row in text.splitlines()]


def test_an_exponent_in_a_branch_cannot_overflow(stein):
    assert "exp(min(rho*tau, 700))" in stein
    assert "exp(min(x, 700)) in a branch is exp(x)" in stein


def test_levels_far_beyond_the_switch_stay_finite_in_both_branches():
    model = ck.load_model("stein_2019_tisagenlecleucel")
    exported = Exported(model, "nlmixr2")
    theta = model.theta({"foldx": 1e8, "tmax": 2.0})
    settled = exported.settled(theta, {})
    found = exported.meaning.log_levels(365.0, [], settled)["qpcr"]
    assert found == pytest.approx(model.log_level(theta, [365.0])[0], abs=1e-9)


def test_a_quote_in_a_label_does_not_end_the_text(whole, tmp_path):
    path = write(tmp_path)
    rows = path.read_text(encoding="utf-8").replace(
        "iiv_sd = 0.4 }", "iiv_sd = 0.4, label = 'a \"so-called\" rate' }"
    )
    path.write_text(rows, encoding="utf-8")
    assert "label(\"a 'so-called' rate (1/day)\")" in export(
        ck.load_model(path), "nlmixr2"
    )
