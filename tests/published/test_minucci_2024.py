"""Minucci et al. 2024, doi:10.3389/fsysb.2024.1380018, from Table S1 by SciPy.

Expected levels are those that nlmixr2lib prints for its reduced form of the model.
"""

from math import log

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck

# weight, CD8 fraction, tumour, divisions, memory fraction: Table S1, all 13 patients
PATIENTS = {
    "F0104": (73, 0.333, 1.0e7, 21.41559, 2.514715e-03),
    "F0106": (57, 0.446, 1.0e7, 22.21255, 2.367866e-03),
    "F0107": (48, 0.461, 1.0e7, 21.15557, 1.336295e-02),
    "F0109": (88, 0.833, 1.0e5, 27.70301, 2.076709e-03),
    "F0110": (67, 0.820, 1.0e5, 19.58777, 1.000000e-01),
    "F0111": (76, 0.943, 1.0e5, 22.85367, 1.000000e-01),
    "F0118": (80, 0.290, 1.0e7, 15.88462, 2.267028e-03),
    "F0119": (62, 0.633, 1.0e7, 21.48104, 2.910000e-10),
    "F0121": (62, 0.610, 3.834397e6, 18.06981, 1.182971e-03),
    "F0122": (62, 0.546, 1.162658e6, 19.63343, 7.041995e-03),
    "F0123": (63, 0.725, 1.0e5, 21.63407, 1.000000e-01),
    "F0125": (71, 0.376, 1.613397e6, 18.05807, 1.480000e-07),
    "F0126": (68, 0.372, 2.798924e5, 22.42293, 4.570000e-07),
}
STATES = ["I_8", "E_8", "M_8", "I_4", "E_4", "M_4", "B", "L"]


def rates(_, states, divisions, memory):
    i8, e8, m8, i4, e4, m4, b, other = states
    antigen = 5000 * b / (5 * 6.022e14)
    bound = antigen / (1 + antigen)
    to8, to4 = 24 / 18 * bound * i8, 24 / 36 * bound * i4
    return [
        -to8 - i8 / 9.606881,
        2**divisions * to8 - e8 / 3.101849,
        memory * e8 / 3.101849 - m8 / 180,
        -to4 - i4 / 9.606881,
        2**divisions * to4 - e4 / 3.101849,
        memory * e4 / 3.101849 - m4 / 240,
        log(2) / 16 * b - 1e-9 * 86400 * bound * e8 * b,
        (5e8 * 5 - other) / 30,
    ]


def solve(weight, cd8, tumour, divisions, memory):
    cells = 1e6 * weight
    start = [cd8 * cells, 0, 0, (1 - cd8) * cells, 0, 0, tumour, 0.1 * 5e8 * 5]
    answer = solve_ivp(
        rates,
        (0, 100),
        start,
        "LSODA",
        args=(divisions, memory),
        dense_output=True,
        rtol=1e-11,
        atol=1e-8,
    )
    return answer.sol


def flow(states):
    return np.sum(states[:6], axis=0) / (5 * 1e6)


@pytest.fixture(scope="module")
def model():
    return ck.load_model("minucci_2024_im19")


@pytest.mark.parametrize(
    ("patient", "day", "level"),
    [
        ("F0104", 0.5, 267.06),
        ("F0104", 1, 404.01),
        ("F0104", 2, 474.58),
        ("F0106", 2, 569.33),
        ("F0107", 2, 311.22),
        ("F0109", 4.5, 1384.20),
        ("F0110", 1.5, 13.94),
        ("F0111", 7, 67.43),
        ("F0118", 4, 34.94),
        ("F0119", 2, 434.45),
        ("F0121", 4.5, 48.97),
        ("F0122", 5, 47.22),
        ("F0123", 6, 25.43),
        ("F0125", 4.5, 27.70),
        ("F0126", 5.5, 74.45),
    ],
)
def test_peaks_of_all_patients_on_a_grid_of_half_days(patient, day, level):
    # the transcription was solved with relative errors of about 2e-6
    assert flow(solve(*PATIENTS[patient])(day)) == pytest.approx(level, abs=0.0065)


@pytest.mark.parametrize(
    ("patient", "level"),
    [("F0104", 2.433), ("F0107", 8.093), ("F0109", 10.852), ("F0111", 24.779)],
)
def test_levels_on_day_100(patient, level):
    assert flow(solve(*PATIENTS[patient])(100)) == pytest.approx(level, abs=1e-3)


def test_b_cells_among_lymphocytes():
    states = solve(*PATIENTS["F0104"])([0, 0.5, 1, 1.5, 2, 2.5])
    share = 100 * states[6] / (states[6] + states[7])
    printed = [3.8461538, 2.7745232, 1.7050740, 1.1021238, 0.7722221, 0.5785988]
    assert share == pytest.approx(printed, rel=2e-6)


def test_the_typical_patient_has_the_medians_of_the_13(model):
    median = np.median(list(PATIENTS.values()), axis=0)
    values = {name: row.value for name, row in model.parameters.items()}
    assert values["tumour_0"] == median[2]
    assert values["n_div"] == median[3]
    assert values["f_mem"] == median[4]
    assert model.covariates["f_cd8"].value == median[1]
    assert model.infusions.cells == (1e6 * median[0],)


@pytest.mark.parametrize("patient", ["F0104", "F0109", "F0119"])
def test_the_model_gives_the_same_course(model, patient):
    weight, cd8, tumour, divisions, memory = PATIENTS[patient]
    days = [0.5, 1, 2, 4.5, 7, 14, 28, 60, 100]
    course = model.course(
        days,
        covariates={"f_cd8": cd8},
        infusions=[(0, 1e6 * weight)],
        tumour_0=tumour,
        n_div=divisions,
        f_mem=memory,
    )
    expected = solve(*PATIENTS[patient])(days)
    np.testing.assert_allclose(course[STATES].to_numpy().T, expected, rtol=1e-5)
    np.testing.assert_allclose(course["flow"], flow(expected), rtol=1e-5)
