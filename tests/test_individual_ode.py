"""A model of one's own, without closed form, is fitted patient by patient."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck

OWN = """
title  = "Expansion while there is antigen"
source = "a test"
time   = "day"
equations = '''
B(0)  = 1
E(0)  = start
dB/dt = -kill*E*B
dE/dt = rho*E*B - delta*E
'''
[parameters]
start = { value = 10,   unit = "copies/ug", fixed = true, label = "Start" }
rho   = { value = 1.2,  unit = "1/day", iiv_sd = 0.3, label = "Expansion" }
kill  = { value = 2e-4, unit = "ug/copies/day", iiv_sd = 0.8, label = "Killing" }
delta = { value = 0.15, unit = "1/day", iiv_sd = 0.5, label = "Loss" }
[observed]
qpcr = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.2 }
"""
DAYS = np.array([1, 3, 5, 6, 7, 8, 9, 10, 12, 14, 17, 21, 28, 35.0])
TRUE = {
    "A": {"rho": 1.2, "kill": 2e-4, "delta": 0.15},
    "B": {"rho": 1.6, "kill": 5e-5, "delta": 0.25},
}


def levels_by_scipy(rho, kill, delta):
    def rates(t, y):
        return -kill * np.exp(y[1]), rho * np.exp(y[0]) - delta

    found = solve_ivp(
        rates, (0, 40), [0, np.log(10)], t_eval=DAYS, rtol=1e-10, atol=1e-10
    )
    return np.exp(found.y[1])


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    rng = np.random.default_rng(5)
    samples = [
        pd.DataFrame({"patient": name, "time": DAYS, "assay": "qpcr", "lloq": 1.0})
        .assign(level=levels_by_scipy(**true) * np.exp(0.1 * rng.normal(size=14)))
        for name, true in TRUE.items()
    ]  # fmt: skip
    study = ck.Study.from_frames(pd.concat(samples, ignore_index=True))
    return ck.fit_individuals(ck.load_model(path), study, starts=8)


@pytest.mark.parametrize("patient", TRUE)
def test_known_parameters_come_back(fits, patient):
    row = fits.table.set_index("patient").loc[patient]
    assert (row["method"], row["converged"]) == ("ml", True), row["sentence"]
    for name, true in TRUE[patient].items():
        assert row[name] == pytest.approx(true, rel=0.15)
        assert row[f"{name}_low"] < true < row[f"{name}_high"]


@pytest.mark.parametrize("patient", TRUE)
def test_area_and_curve_are_those_of_the_true_course(fits, patient):
    row = fits.table.set_index("patient").loc[patient]
    fine = np.linspace(0, 28, 2801)
    curve = fits.curve(patient, fine)
    assert row["auc_0_28"] == pytest.approx(
        np.trapezoid(curve["level"], fine), rel=1e-3
    )
    true = levels_by_scipy(**TRUE[patient])
    assert np.log(fits.curve(patient, DAYS)["level"] / true).abs().max() < 0.2
