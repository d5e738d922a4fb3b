"""The samples of all patients as a fit needs them: counted, placed, evaluated."""

import numpy as np
import pandas as pd
import pytest
from model_text import CLOSED, load

import cellpk as ck
from cellpk.fit.data import fit_data
from cellpk.fit.likelihood import Evidence
from cellpk.fit.residual_error import ResidualError, log_likelihood

SD = ResidualError("lognormal", {"sd": 0.5})
ROWS = pd.DataFrame(
    [
        ("A", 0.0, 5.0, "qpcr", "blood"),
        ("A", 7.0, 900.0, "qpcr", "blood"),
        ("A", 28.0, 700.0, "qpcr", "blood"),
        ("A", 14.0, 9000.0, "qpcr", "blood"),
        ("A", 14.0, 500.0, "qpcr", "marrow"),
        ("A", 14.0, 40.0, "flow", "blood"),
        ("B", 7.0, "<50", "qpcr", "blood"),
        ("B", 10.0, "<50", "qpcr", "blood"),
        ("B", 20.0, None, "qpcr", "blood"),
        ("C", 14.0, 30.0, "flow", "blood"),
    ],
    columns=["patient", "time", "level", "assay", "specimen"],
)


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def study():
    return ck.Study.from_frames(ROWS.assign(lloq=np.where(ROWS.assay == "qpcr", 50, 1)))


def two_assays(folder):
    flow = 'flow = { is = "E/copies", unit = "cells/uL", error = "normal", sd = 3 }'
    copies = 'copies = { value = 100, unit = "copies*uL/ug/cells", fixed = true }'
    section = "[observed]\n"
    return load(folder, CLOSED, (section, f"{copies}\n{section}{flow}\n"))


def test_samples_stand_in_the_order_of_patients_and_time(stein, study):
    data = fit_data(stein, study)
    (qpcr,) = data.series
    assert data.patients == ("A", "B")
    assert data.without == ("C",)
    np.testing.assert_array_equal(qpcr.times, [[7, 14, 28], [7, 10, 10]])
    np.testing.assert_allclose(qpcr.said.low[0], np.log([900, 9000, 700]))
    np.testing.assert_allclose(qpcr.said.high[1], [np.log(50), np.log(50), np.inf])
    np.testing.assert_array_equal(qpcr.known[1], [True, True, False])
    np.testing.assert_array_equal(data.all_below, [False, True])
    assert data.samples.loc[qpcr.rows[0], "level"].tolist() == [900, 9000, 700]


def test_every_sample_is_used_or_left_out_with_a_reason(stein, study):
    data = fit_data(stein, study)
    reasons = data.samples["left_out"]
    assert len(data.samples) == len(study.samples)
    used = int(data.series[0].known.sum())
    assert used == (reasons == "").sum() == 5
    assert reasons.value_counts().to_dict() == {
        "": 5,
        "of an assay that is not fitted": 2,
        "not after infusion": 1,
        "another specimen than most samples": 1,
        "missing": 1,
    }
    assert len(data.series[0].left_out) == 3


def test_a_specimen_can_be_chosen(stein, study):
    marrow = fit_data(stein, study, specimen="bone marrow")
    assert marrow.patients == ("A",)
    assert marrow.series[0].times.tolist() == [[14.0]]


def test_a_padded_sample_says_nothing(stein, study):
    data = fit_data(stein, study)
    theta = stein.typical + np.array([[0.1], [-0.2]])
    levels = data.levels(theta)
    found = data.log_likelihood(levels, [SD])
    below = Evidence(np.full(2, -np.inf), np.full(2, np.log(50.0)))
    mu = stein.log_level(theta[1], [7, 10])
    assert found[1] == pytest.approx(log_likelihood(mu, below, SD).sum())
    assert data.error_gradient(levels, [SD]).shape == (2, 1)


def test_scores_are_those_of_differences(tmp_path, study):
    model = two_assays(tmp_path)
    data = fit_data(model, study, assays=["qpcr", "flow"])
    errors = (SD, ResidualError("combined", {"additive": 3.0, "proportional": 0.3}))
    theta = model.typical + np.random.default_rng(1).normal(0, 0.2, (4, 3, 2))
    levels = data.levels(theta, gradient=True)

    def value(theta, logs):
        moved = SD.with_logs(logs[:1]), errors[1].with_logs(logs[1:])
        return data.log_likelihood(data.levels(theta), moved)

    logs, step = np.concatenate([error.logs for error in errors]), 1e-6
    for i, move in enumerate(step * np.eye(2)):
        slope = (value(theta + move, logs) - value(theta - move, logs)) / (2 * step)
        np.testing.assert_allclose(
            data.score(levels, errors)[..., i], slope, rtol=1e-5, atol=1e-6
        )
    for i, move in enumerate(step * np.eye(3)):
        slope = (value(theta, logs + move) - value(theta, logs - move)) / (2 * step)
        found = data.error_gradient(levels, errors)[..., i]
        np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-6)


def test_several_assays_add_up(tmp_path, study):
    model = two_assays(tmp_path)
    both = fit_data(model, study, assays=["qpcr", "flow"])
    assert both.patients == ("A", "B", "C")
    assert [error.kind for error in both.errors] == ["lognormal", "normal"]
    theta = np.tile(model.typical, (3, 1))
    total = both.log_likelihood(both.levels(theta), both.errors)
    for assay, who in (("qpcr", ["A", "B"]), ("flow", ["A", "C"])):
        one = fit_data(model, study, assays=assay)
        assert list(one.patients) == who
        alone = one.log_likelihood(one.levels(theta[:2]), one.errors)
        places = [both.patients.index(name) for name in who]
        total[places] -= alone
    np.testing.assert_allclose(total, 0, atol=1e-12)


def test_levels_are_converted_where_a_number_does_it(tmp_path, study):
    model = two_assays(tmp_path)
    litres = load(
        tmp_path,
        CLOSED,
        ("copies/ug", "cells/L"),
        ('"E", unit = "copies/ug"', '"E", unit = "cells/L"'),
        ("qpcr", "flow"),
        name="litres.toml",
    )
    (flow,) = fit_data(litres, study, assays="flow").series
    (own,) = fit_data(model, study, assays="flow").series
    assert flow.unit == "cells/L"
    np.testing.assert_allclose(flow.said.low, own.said.low + np.log(1e6))


def test_a_scale_of_its_own_is_noted_for_one_assay_and_refused_for_two(stein, study):
    data = fit_data(stein, study, assays="flow")
    assert data.series[0].unit == "cells/uL"
    assert "parameters that scale the level are in cells/uL" in data.notes[0]
    with pytest.raises(ck.DataError, match="copies/ug of the model say nothing of"):
        fit_data(stein, study, assays={"qpcr": "qpcr", "flow": "qpcr"})


@pytest.mark.parametrize(
    "error",
    ['"normal", sd = {}', '"combined", additive = {}, proportional = 0.2'],
)
def test_an_additive_error_is_in_the_unit_of_the_level_or_refused(tmp_path, error):
    """50 copies/ug are 0.05 copies/ng, and say nothing of cells/uL."""
    rows = ROWS[ROWS["assay"] == "qpcr"].assign(lloq=50)
    found = []
    for unit, c0, size in (("copies/ug", 900, 50), ("copies/ng", 0.9, 0.05)):
        text = CLOSED.replace("copies/ug", unit).replace("value = 9", f"value = {c0}")
        change = ('"lognormal", sd = 0.4', error.format(size))
        model = load(tmp_path, text, change)
        data = fit_data(model, ck.Study.from_frames(rows))
        levels = data.levels(np.tile(model.typical, (2, 1)))
        found.append(data.log_likelihood(levels, data.errors))
    np.testing.assert_allclose(*found, rtol=1e-9)
    flow = ck.Study.from_frames(rows.assign(assay="flow", unit="cells/uL"))
    said = "additive error of qpcr is in copies/ng and says nothing of cells/uL"
    with pytest.raises(ck.DataError, match=said):
        fit_data(model, flow)


@pytest.mark.parametrize(
    ("assays", "said"),
    [
        ("qpc", "no sample of assay 'qpc'.*\n?.*Did you mean 'qpcr'"),
        (["qpcr", "flow"], "'flow' is not observed by stein_2019"),
        ({"qpcr": "pcr"}, "'pcr' is not observed"),
        ([], "assays is empty"),
    ],
)
def test_what_is_not_there_is_refused(stein, study, assays, said):
    with pytest.raises(ck.DataError, match=said):
        fit_data(stein, study, assays=assays)


def test_a_second_infusion_ends_what_a_model_without_infusions_uses(stein):
    infusions = pd.DataFrame({"patient": "A", "time": [0.0, 20.0], "dose": 1e8})
    again = ck.Study.from_frames(
        ROWS.assign(lloq=50), infusions=infusions.assign(unit="cells")
    )
    data = fit_data(stein, again, assays="qpcr")
    assert data.series[0].times[0].tolist() == [7, 14]
    assert "after a later infusion: the model knows one" in set(
        data.samples["left_out"]
    )


def test_a_failed_patient_is_impossible_and_has_no_slope(stein, study):
    data = fit_data(stein, study)
    theta = np.tile(stein.typical, (2, 1))
    theta[1] = np.nan
    levels = data.levels(theta, gradient=True)
    value = data.log_likelihood(levels, [SD])
    assert np.isfinite(value[0])
    assert value[1] == -np.inf
    assert (data.score(levels, [SD])[1] == 0).all()
    assert (data.error_gradient(levels, [SD])[1] == 0).all()


def test_curves_of_all_patients_at_days_of_choice(stein, study):
    data = fit_data(stein, study)
    theta = stein.typical + np.array([[0.0], [0.1]])
    found = data.curves(theta, [1, 50, 200]).log_level
    np.testing.assert_allclose(found, stein.log_level(theta, [1, 50, 200]))
