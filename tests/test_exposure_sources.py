from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.outcomes.exposure_sources import after_infusion, find_exposures, refused


def study(samples, **settings):
    columns = ["patient", "time", "level"]
    frame = pd.DataFrame(samples, columns=columns).assign(assay="qpcr")
    resolved = {"study": {"id": "T", "infusion_day": 0}, **settings}
    return ck.Study.from_frames(samples=frame, settings=resolved)


def simple(**settings):
    rows = [("1", 7, "900"), ("1", 14, "90"), ("2", 7, "9000"), ("2", 14, "70")]
    rows += [("3", 7, "<50"), ("3", 14, "<50"), ("3", 21, "<50")]
    return study(rows, **settings)


def of(data, **question):
    found = find_exposures(ck.nca(data), data, **question)
    return found.table.set_index("patient"), found.excluded


@pytest.mark.parametrize(
    "name", ["auc_last", "t_last", "c_last", "half_life", "lambda_z"]
)
def test_what_depends_on_follow_up_is_refused_with_the_reason(name):
    data = simple()
    with pytest.raises(
        ck.FitError, match=f"'{name}' cannot be the exposure: .*Use"
    ) as e:
        find_exposures(ck.nca(data), data, exposure=name)
    assert refused(name) in str(e.value)


@pytest.mark.parametrize("name", ["half_life_2", "persistence_90", "auc_last_extended"])
def test_names_that_begin_like_a_refused_one_are_refused_in_fits_too(name):
    with pytest.raises(ck.FitError, match="cannot be the exposure"):
        find_exposures(SimpleNamespace(), simple(), exposure=name)


def test_an_unknown_metric_is_answered_with_the_nearest_allowed_one():
    data = simple()
    with pytest.raises(
        ck.FitError, match=r"'cmx' is not a metric. Did you mean 'cmax'"
    ):
        find_exposures(ck.nca(data), data, exposure="cmx")


def test_an_unknown_assay_is_an_error_that_names_the_known():
    data = simple()
    with pytest.raises(ck.FitError, match=r"no exposure of assay 'flow'.*'qpcr'"):
        find_exposures(ck.nca(data), data, assay="flow")


def test_a_patient_below_the_limit_is_kept_with_the_limit_as_bound():
    table, excluded = of(simple())
    assert table["below"].to_dict() == {"1": False, "2": False, "3": True}
    assert np.isnan(table.loc["3", "exposure"])
    assert table.loc["3", ["low", "high"]].tolist() == [0.0, 50.0]
    assert excluded.empty


def test_the_area_of_a_patient_below_the_limit_is_bounded_by_28_days_at_the_limit():
    rows = [("1", 7, "900"), ("1", 28, "90"), ("2", 7, "<50"), ("2", 28, "<50")]
    table, _ = of(study(rows), exposure="auc_0_28")
    assert table.loc["2", "high"] == 50 * 28


def test_the_highest_limit_of_a_patient_bounds_the_peak():
    rows = [("1", 7, "900"), ("2", 7, "<50"), ("2", 14, "<80"), ("2", 21, "<20")]
    assert of(study(rows))[0].loc["2", "high"] == 80.0


def test_a_sample_before_the_infusion_bounds_nothing():
    rows = [("1", 7, "900"), ("2", -1, "<500"), ("2", 7, "<50")]
    assert of(study(rows))[0].loc["2", "high"] == 50.0


def test_below_a_limit_that_nobody_knows_is_excluded_with_the_reason():
    limits = {"qpcr": {"zero": "below"}}
    rows = [("1", 7, "900"), ("2", 7, "0"), ("3", 7, "90")]
    table, excluded = of(study(rows, limits=limits))
    assert "2" not in table.index
    assert excluded.to_dict("list") == {
        "patient": ["2"],
        "reason": ["Beyond a limit of quantification that is not known."],
    }


def test_an_assumed_limit_is_a_limit():
    limits = {"qpcr": {"zero": "below", "assumed_lloq": 30.0, "why": "a test"}}
    rows = [("1", 7, "900"), ("2", 7, "0"), ("3", 7, "90")]
    table, _ = of(study(rows, limits=limits))
    assert table.loc["2", "high"] == 30.0


def test_a_peak_above_the_upper_limit_is_bounded_from_below_only():
    rows = [("1", 7, "900"), ("2", 7, ">1000"), ("2", 14, "500")]
    table, _ = of(study(rows))
    assert table.loc["2", ["low", "high"]].tolist() == [1000.0, np.inf]
    assert np.isnan(table.loc["2", "exposure"])
    assert not table.loc["2", "below"]


def test_a_detected_level_bounds_the_peak_on_both_sides():
    samples = pd.DataFrame(
        {"patient": ["1", "2"], "time": 7.0, "level": ["900", "30"], "assay": "qpcr"}
    ).assign(llod=20.0, lloq=50.0)
    data = ck.Study.from_frames(samples=samples)
    assert data.samples["state"].tolist() == ["quantified", "detected"]
    assert of(data)[0].loc["2", ["low", "high"]].tolist() == [20.0, 50.0]


def test_a_metric_that_is_not_calculable_is_excluded_with_its_reason():
    table, excluded = of(simple(), exposure="tmax")
    assert table.index.tolist() == ["1", "2"]
    assert excluded["reason"].tolist() == [
        "No sample reached the lower limit of quantification."
    ]


def test_sparse_sampling_is_marked_and_kept():
    rows = [("1", 7, "900"), ("1", 14, "90"), ("1", 21, "60"), ("2", 10, "300")]
    assert of(study(rows))[0]["doubtful"].to_dict() == {"1": False, "2": True}


def test_cells_of_an_earlier_product_are_no_exposure():
    rows = [("1", 7, "900"), ("1", 14, "90"), ("2", -1, "800"), ("2", 7, "900")]
    _, excluded = of(study(rows))
    assert excluded["patient"].tolist() == ["2"]
    assert "before the infusion is high beside Cmax" in excluded["reason"].item()


def test_without_any_quantified_exposure_there_is_nothing_to_compare():
    rows = [("1", 7, "<50"), ("2", 7, "<50")]
    data = study(rows)
    with pytest.raises(ck.FitError, match=r"no patient has a quantified cmax \(qpcr\)"):
        find_exposures(ck.nca(data), data)


def test_specimens_are_not_pooled():
    samples = pd.DataFrame(
        {
            "patient": ["1", "1", "2", "2", "1"],
            "time": [7.0, 14, 7, 14, 14],
            "level": [900.0, 90, 300, 30, 9e5],
            "assay": "qpcr",
            "specimen": ["blood", "blood", "blood", "blood", "marrow"],
        }
    )
    data = ck.Study.from_frames(samples=samples)
    assert of(data)[0]["exposure"].to_dict() == {"1": 900.0, "2": 300.0}
    assert set(after_infusion(data, "qpcr")["specimen"]) == {"blood"}


def fits(**columns):
    table = pd.DataFrame(
        {
            "patient": ["1", "2", "3", "4"],
            "status": ["expanded", "expanded", "never_expanded", "too_few_samples"],
            "method": ["map", "map", "none", "none"],
            "converged": [True, False, False, False],
            "cmax": [1000.0, 100.0, np.nan, np.nan],
            "cmax_low": [500.0, 10.0, np.nan, np.nan],
            "cmax_high": [2000.0, 1000.0, np.nan, np.nan],
            "doubling_time": [1.0, 2.0, np.nan, np.nan],
            "doubling_time_low": [0.5, 1.0, np.nan, np.nan],
            "doubling_time_high": [2.0, 4.0, np.nan, np.nan],
            "sentence": ["", "", "All below.", "One point cannot hold a curve."],
        }
    ).assign(assay="qpcr", **columns)
    units = {"cmax": "copies/ug", "doubling_time": "day"}
    return SimpleNamespace(table=table, units=units, assay="qpcr", level=0.95)


def test_exposures_of_fits_carry_the_width_of_their_intervals():
    table = find_exposures(fits(), simple()).table.set_index("patient")
    assert table.loc["2", "sd"] == pytest.approx(1 / 1.96, rel=1e-4)
    assert table.loc["1", "sd"] == pytest.approx(np.log10(2) / 1.96, rel=1e-4)
    assert table["doubtful"].to_dict() == {"1": False, "2": True, "3": False}


def test_a_patient_who_never_expanded_is_below_the_limit_in_fits_too():
    found = find_exposures(fits(), simple())
    row = found.table.set_index("patient").loc["3"]
    assert row["below"]
    assert row["high"] == 50.0
    assert found.excluded.to_dict("list") == {
        "patient": ["4"],
        "reason": ["One point cannot hold a curve."],
    }


def test_a_patient_who_never_expanded_has_no_doubling_time():
    found = find_exposures(fits(), simple(), exposure="doubling_time")
    reasons = dict(found.excluded.to_numpy())
    assert reasons["3"] == "Never expanded: there is no doubling_time."
    assert found.unit == "day"


def test_an_interval_without_an_end_is_no_exposure():
    found = find_exposures(fits(cmax_high=[np.inf, 1000.0, np.nan, np.nan]), simple())
    reasons = dict(found.excluded.to_numpy())
    assert reasons["1"] == "The fit gives no value with an interval."


def test_an_unknown_quantity_of_fits_is_answered_with_the_nearest():
    with pytest.raises(ck.FitError, match="Did you mean 'doubling_time'"):
        find_exposures(fits(), simple(), exposure="doubling")
