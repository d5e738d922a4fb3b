"""Mueller-Schoell et al. 2021, doi:10.3390/cancers13112782, from Table 1 by SciPy.

Expected medians were calculated on half-day steps from the covariates of Table S1.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.model.reproduce import reproduce

# tumour volume, earlier transplant, CD4/CD8 ratio, reference class: Table S1
PATIENTS = [
    (894, 0, 8.94, 1),
    (102, 0, 0.357, 1),
    (13.0, 1, 0.126, 1),
    (264, 0, 4.01, 0),
    (14.2, 1, 1.34, 1),
    (70.5, 1, 0.364, 1),
    (13.1, 1, 3.56, 1),
    (142, 0, 0.405, 1),
    (1118, 0, 0.413, 0),
    (305, 0, 0.549, 0),
    (479, 0, 0.223, 1),
    (2.54, 1, 0.0512, 1),
    (34.2, 0, 4.53, 1),
    (85.7, 1, 0.130, 1),
    (64.1, 0, 0.0845, 1),
    (663, 0, 0.764, 1),
    (3555, 1, 0.0866, 0),
    (20.0, 0, 0.182, 1),
    (32.5, 0, 0.126, 1),
]
TYPICAL = (85.7, 0, 1.0, 1)
HALF_DAYS = np.arange(0, 28.25, 0.5)
LEVELS = ["tn", "tcm", "tem", "teff", "mtv"]


def solve(volume, transplant, ratio, reference, *, until=28, days=HALF_DAYS):
    speed = (0.00846 * ratio**-0.385 if reference else 0.000700) * (
        1 + 2.53 * transplant
    )

    def rates(_, states):
        naive, central, memory, effector, tumour = states

        def grow(cells):
            return speed * tumour * cells / (1.13 + cells)

        kill = 2.57 * naive + 4.04 * central + 3.78 * memory + 4.24 * effector
        return [
            grow(naive) + (0.0005 - 0.140 - 0.0104) * naive,
            grow(central) + (0.007 - 0.191 - 0.0104) * central + 0.140 * naive,
            grow(memory) + (0.007 - 0.355 - 0.0104) * memory + 0.191 * central,
            0.355 * memory - 0.518 * effector,
            0.0023 * (1 - tumour / 5000) * tumour - kill * tumour / (276 + tumour),
        ]

    answer = solve_ivp(
        rates,
        (0, until),
        [0.1, 0.1, 0.1, 0.1, volume],
        "LSODA",
        t_eval=days,
        rtol=1e-10,
        atol=1e-12,
    )
    return answer.y


def summary(flow):
    return flow.max(), HALF_DAYS[flow.argmax()], np.trapezoid(flow, HALF_DAYS)


def medians(reference, flow):
    found = [summary(flow(p)) for p in PATIENTS if p[3] == reference]
    return np.median(found, axis=0)


def covariates(volume, transplant, ratio, reference):
    return {
        "baseline_mtv": volume,
        "asct": transplant,
        "cd4_cd8": ratio,
        "reference": reference,
    }


@pytest.fixture(scope="module")
def model():
    return ck.load_model("mueller_schoell_2021_axicel")


CLASSES = [(1, (12.8, 12.0, 232)), (0, (6.37, 24.75, 121))]
HALF_UNITS = np.array([[0.05, 0.05, 0.5], [0.005, 0.005, 0.5]])


@pytest.mark.parametrize(("reference", "printed"), CLASSES)
def test_medians_of_both_classes(reference, printed):
    found = medians(reference, lambda p: solve(*p)[:4].sum(axis=0))
    assert (np.abs(found - printed) <= HALF_UNITS[1 - reference]).all()


@pytest.mark.parametrize(("reference", "printed"), CLASSES)
def test_medians_of_both_classes_by_the_model(model, reference, printed):
    found = medians(
        reference,
        lambda p: model.curve(HALF_DAYS, observed="flow", covariates=covariates(*p)),
    )
    assert (np.abs(found - printed) <= HALF_UNITS[1 - reference]).all()


@pytest.mark.parametrize("patient", [TYPICAL, *PATIENTS[1:4], PATIENTS[16]])
def test_the_model_gives_the_same_course(model, patient):
    days = np.array([0, 1, 4, 7, 10, 14, 21, 28, 60, 90])
    course = model.course(days, covariates=covariates(*patient))
    expected = solve(*patient, until=90, days=days)
    for name, column in zip(LEVELS, expected, strict=True):
        np.testing.assert_allclose(course[name], column, rtol=1e-5)
    np.testing.assert_allclose(course["flow"], expected[:4].sum(axis=0), rtol=1e-5)


def test_ten_times_the_imputed_start_moves_the_time_of_peak_only(model):
    days = np.linspace(0, 28, 281)
    low, high = (model.curve(days, observed="flow", start=x) for x in (0.1, 1.0))
    assert high.max() == pytest.approx(low.max(), rel=0.1)
    assert days[high.argmax()] < days[low.argmax()] - 2


def test_coefficients_of_variation_become_log_scale_deviations(model):
    found = dict(zip(model.free, model.spread**2, strict=True))
    assert found == pytest.approx({"vref": 1.17865, "v52": 2.3442}, abs=5e-5)
    printed = {"tn": 0.591, "tcm": 0.859, "tem": 1.20, "teff": 0.706, "mtv": 1.15}
    for name, cv in printed.items():
        expected = np.sqrt(np.log1p(cv**2))
        assert model.observed[name].sd == pytest.approx(expected, abs=5e-7), name
    assert model.observed["flow"].error == "unpublished"


def test_covariates_of_the_typical_patient_are_those_of_table_s1(model):
    volumes, transplants, _, classes = np.array(PATIENTS).T
    rows = model.covariates
    assert rows["baseline_mtv"].value == np.median(volumes)
    assert rows["asct"].probability == pytest.approx(transplants.mean(), abs=5e-4)
    assert rows["reference"].probability == pytest.approx(classes.mean(), abs=0.02)


def test_printed_numbers_come_back(model):
    assert reproduce(model)["agrees"].all()
