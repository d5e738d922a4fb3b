import numpy as np
import pytest
from export_check import Exported
from export_model import write

import cellpk as ck
from cellpk.model.export import export


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ck.load_model(write(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def lines(whole):
    return export(whole, "monolix").splitlines()


def test_spread_stands_as_a_standard_deviation():
    text = export(ck.load_model("stein_2019_tisagenlecleucel"), "monolix")
    assert "omega_tmax = {value=0.38, method=MLE} ; standard deviation" in text


@pytest.mark.parametrize(
    "line",
    [
        "fb = {distribution=logitNormal, typical=fb_pop, sd=omega_fb}",
        "T = {distribution=normal, typical=T_pop, sd=omega_T}",
        "w = {distribution=logNormal, typical=w_pop, no-variability}",
        "w_pop = {value=0.7, method=FIXED} ; w, in day",
        "chemo = {use=regressor}",
        "p_M = e_1*in_1e7/4",
        "depot(adm=1, target=M, p=p_M, Tlag=dose_lag)",
        "y_qpcr = {distribution=lognormal, prediction=qpcr, "
        "errorModel=constant(a_qpcr)}",
        "y_flow = {distribution=normal, prediction=flow, "
        "errorModel=proportional(a_flow)}",
        "output = {qpcr, flow, e_m, tail}",
    ],
)
def test_a_line_is_written(lines, line):
    assert line in lines


def test_every_pair_of_a_block_has_a_correlation(lines):
    said = (
        "r(rho, tmax)=corr_rho_tmax, r(rho, fb)=corr_rho_fb, r(tmax, fb)=corr_tmax_fb"
    )
    assert f"correlation = {{level=id, {said}}}" in lines
    assert "corr_rho_fb = {value=0, method=MLE} ; correlation" in lines
    assert "corr_rho_tmax = {value=-0.4, method=MLE} ; correlation" in lines


def test_no_derivative_stands_in_a_branch(lines):
    depth = 0
    for line in map(str.strip, lines):
        depth += line.startswith("if ") - (line == "end")
        assert depth == 0 or not line.startswith("ddt_")
    assert depth == 0


def test_a_name_like_a_start_of_a_state_is_changed(tmp_path):
    path = write(tmp_path)
    text = path.read_text(encoding="utf-8").replace("offset", "E_0")
    path.write_text(text, encoding="utf-8")
    exported = Exported(ck.load_model(path), "monolix")
    assert exported.names["E_0"] == "E_0_1"


def test_a_tool_without_students_t_says_so(lines):
    words = " ".join(line.lstrip("; ") for line in lines)
    assert "Monolix has no Student's t: written as normal on the log level" in words


def test_omega_squared_is_the_covariance(whole):
    meaning = Exported(whole, "monolix").meaning
    order = [meaning.effects.index({"e": "e_1"}.get(n, n)) for n in whole.free]
    np.testing.assert_allclose(meaning.omega[np.ix_(order, order)], whole.covariance)
