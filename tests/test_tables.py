import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import make_small_study
from scipy import stats

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.tables.metrics import ratio_of_means
from cellpk.reporting.values import summarised

TABLES = ck.tables


def test_problems(small_study, snapshot):
    snapshot("problems", repr(TABLES.problems(small_study)))


def test_analysis_set(small_study, small_metrics, snapshot):
    table = TABLES.analysis_set(small_study, small_metrics, by="dose_level")
    snapshot("analysis_set", repr(table))


def test_samples_by_visit(small_study, snapshot):
    snapshot("samples_by_visit", repr(TABLES.samples_by_visit(small_study)))


def test_kinetics_by_dose(small_study, small_metrics, snapshot):
    table = TABLES.kinetics(small_metrics, small_study, by="dose_level")
    snapshot("kinetics_by_dose", repr(table))


def test_kinetics_by_response(small_study, small_metrics, snapshot):
    table = TABLES.kinetics(small_metrics, small_study, by="response")
    snapshot("kinetics_by_response", repr(table))


def test_individual_fits(made_fits, small_study, snapshot):
    snapshot("individual_fits", repr(TABLES.individual_fits(made_fits, small_study)))


def test_fit_remarks(made_fits, small_study, snapshot):
    snapshot("fit_remarks", repr(TABLES.fit_remarks(made_fits, small_study)))


def test_prior(made_fits, small_study, snapshot):
    snapshot("prior", repr(TABLES.prior(made_fits, small_study)))


def test_exposure_response(made_response, small_study, snapshot):
    table = TABLES.exposure_response([made_response])
    snapshot("exposure_response", repr(table))


def test_cytokine(made_association, small_study, snapshot):
    snapshot("cytokine", repr(TABLES.cytokine(made_association)))


def test_csv_of_metrics_equals_the_metrics(small_study, small_metrics):
    text = TABLES.kinetics(small_metrics, small_study).to_csv()
    rows = pd.read_csv(io.StringIO(text)).set_index("metric")
    for name in ("cmax", "auc_0_28"):
        values = small_metrics.table[name].dropna()
        positive = values[values > 0]
        assert rows.loc[name, "n"] == len(values)
        assert rows.loc[name, "n_quantified"] == len(positive)
        assert rows.loc[name, "geometric_mean"] == pytest.approx(stats.gmean(positive))
        spread = np.sqrt(np.exp(np.log(positive).var()) - 1)
        assert rows.loc[name, "geometric_cv"] == pytest.approx(100 * spread)
        assert rows.loc[name, "median"] == pytest.approx(values.median())


def test_groups_stand_in_natural_order_and_add_up(small_study, small_metrics):
    table = TABLES.kinetics(small_metrics, small_study, by="dose_level")
    rows = table.frame[table.frame["metric"] == "cmax"].set_index("group")["n"]
    assert rows.index.tolist() == ["DL1", "DL2", "DL10", "Total"]
    assert rows["Total"] == rows[["DL1", "DL2", "DL10"]].sum()


def test_ratio_of_geometric_means_is_welch_on_logs():
    first, second = np.log([8.0, 9.0, 12.0, 20.0]), np.log([2.0, 3.0, 4.0])
    ratio, low, high = ratio_of_means(first, second)
    assert ratio == pytest.approx(np.exp(first.mean() - second.mean()))
    squares = [x.var(ddof=1) / len(x) for x in (first, second)]
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 3 + squares[1] ** 2 / 2)
    half = stats.t.ppf(0.95, freedom) * np.sqrt(sum(squares))
    assert np.log([low, high]) == pytest.approx(
        np.log(ratio) + half * np.array([-1, 1])
    )


def test_patients_not_evaluable_are_left_out_and_counted():
    study = make_small_study()
    samples = study.samples
    first = samples[(samples["patient"] != "P1") | (samples["time"] == 14)]
    fewer = ck.Study.from_frames(first.drop(columns=["file", "row"]))
    table = TABLES.kinetics(ck.nca(fewer), fewer)
    cmax = table.frame.set_index("metric").loc["cmax"]
    assert cmax["n"] == 7
    assert any("Cmax" in n and "not evaluable (1)" in n for n in table.footnotes)


def test_level_before_infusion_keeps_metrics_out_of_summaries():
    samples = make_small_study().samples.drop(columns=["file", "row"])
    before = samples[(samples["patient"] == "P1") & (samples["time"] == 7)]
    before = before.assign(time=-1.0, nominal_time=-1.0, level=900.0)
    study = ck.Study.from_frames(pd.concat([samples, before]))
    values = summarised(ck.nca(study), "qpcr").query("patient == 'P1'")
    assert not values["evaluable"].any()


def test_simulated_study_is_named_so_in_every_title(made_fits, made_response):
    study = make_small_study(simulated=True)
    metrics = ck.nca(study)
    tables = [
        TABLES.problems(study),
        TABLES.analysis_set(study, metrics),
        TABLES.samples_by_visit(study),
        TABLES.kinetics(metrics, study),
        TABLES.individual_fits(made_fits, study),
        TABLES.fit_remarks(made_fits, study),
        TABLES.prior(made_fits, study),
        TABLES.exposure_response([replace(made_response, simulated=True)]),
        TABLES.inputs(study),
    ]
    for table in tables:
        assert "SIMULATED DATA" in table.heading, table.name
        assert "SIMULATED DATA" in table.to_html(), table.name


def test_excluded_samples_are_counted_with_their_reason():
    samples = make_small_study().samples.drop(columns=["file", "row"])
    samples.loc[0, ["excluded", "reason"]] = [True, "Haemolysed"]
    table = TABLES.samples_by_visit(ck.Study.from_frames(samples))
    assert table.frame["excluded"].sum() == 1
    assert "Excluded: Haemolysed (1)." in table.footnotes


def test_days_without_a_plan_are_those_of_the_table_of_levels():
    samples = pd.DataFrame({"patient": "1", "time": np.arange(1.0, 31.0)})
    samples = samples.assign(level=5.0, assay="il6")
    table = TABLES.samples_by_visit(ck.Study.from_frames(samples), assay="il6")
    days = ["Day 1", "Day 3", "Day 7", "Day 10", "Day 14", "Day 21", "Day 28"]
    assert table.frame["visit"].tolist() == days
    assert table.frame["collected"].tolist() == [1, 3, 4, 3, 6, 7, 6]
    levels = TABLES.levels(ck.Study.from_frames(samples), assay="il6")
    assert levels.frame["visit"].tolist() == days
    assert set(table.footnotes) & set(levels.footnotes)  # how they were put there


def test_unscheduled_and_far_samples_are_counted_after_the_visits():
    rows = {"time": [7.0, 28, 20, 90], "nominal_time": [7, 28, None, None]}
    samples = pd.DataFrame(rows | {"visit": ["W1", "W4", "Unscheduled", ""]})
    samples = samples.assign(patient="1", level=5.0, assay="flow")
    table = TABLES.samples_by_visit(ck.Study.from_frames(samples))
    visits = ["W1", "W4", "Unscheduled", "Far from all planned days"]
    assert table.frame["visit"].tolist() == visits
    assert table.frame["collected"].sum() == len(samples)


def test_a_study_without_car_t_cells_is_told_to_name_an_assay():
    samples = pd.DataFrame({"patient": ["1", "2"], "time": 7.0, "level": 5.0})
    study = ck.Study.from_frames(samples.assign(assay="il6"))
    metrics = ck.nca(study)
    exhibits = [
        lambda: TABLES.kinetics(metrics, study),
        lambda: TABLES.levels(study),
        lambda: TABLES.samples_by_visit(study),
        lambda: TABLES.persistence(metrics, study),
        lambda: TABLES.assay_agreement(study),
        lambda: ck.figures.profiles(study),
        lambda: ck.figures.level_means(study),
        lambda: ck.figures.metrics_by(metrics, study),
        lambda: ck.figures.persistence(metrics, study),
    ]
    for exhibit in exhibits:
        with pytest.raises(DataError, match=r"no series of CAR-T .* such as 'il6'"):
            exhibit()


def test_one_name_is_one_metric(small_study, small_metrics):
    table = TABLES.kinetics(small_metrics, small_study, names="tmax")
    assert table.frame["metric"].unique().tolist() == ["tmax"]
    drawing = ck.figures.metrics_by(small_metrics, small_study, names="tmax")
    assert drawing.frame["metric"].unique().tolist() == ["tmax"]


def test_unknown_grouping_is_refused_with_the_nearest_name(small_study, small_metrics):
    with pytest.raises(DataError, match="Did you mean 'dose_level'"):
        TABLES.kinetics(small_metrics, small_study, by="dose_lvl")


def test_column_with_too_many_values_is_no_grouping():
    samples = pd.DataFrame({"patient": [str(n) for n in range(9)], "time": 7.0})
    patients = samples[["patient"]].assign(age=range(40, 49))
    study = ck.Study.from_frames(
        samples.assign(level=5.0, assay="flow"), patients=patients
    )
    with pytest.raises(DataError, match="9 different values"):
        TABLES.analysis_set(study, ck.nca(study), by="age")
