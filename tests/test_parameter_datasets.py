import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.kinetics.metrics import REASONS
from cellpk.kinetics.parameter_datasets import (
    adpp_dataset,
    pp_dataset,
    write_parameters,
)
from cellpk.kinetics.parameter_reading import read_parameters
from cellpk.kinetics.parameter_table import (
    PKPARM,
    parameter_codes,
    parameter_table,
    pp_name,
)

ENDINGS = (".csv", ".xpt", ".json", ".ndjson", ".dsjc", ".parquet")
SHARED = ["patient", "assay", "specimen", "metric", "code", "start", "end", "value"]


@pytest.fixture(scope="module")
def metrics():
    return ck.nca(ck.simulate_study(seed=1), infinity=True, areas=[(7, 28)])


@pytest.fixture(scope="module")
def worked():
    """Metrics of two patients that can be worked out by hand."""
    rows = [("a", 10, 80.0), ("a", 20, 80.0), ("a", 36, 0.0)]
    rows += [("b", 10, 0.0), ("b", 20, 0.0)]
    frame = pd.DataFrame(rows, columns=["patient", "time", "level"])
    return ck.nca(ck.Study.from_frames(frame.assign(assay="flow", lloq=0.5)))


def test_pp_holds_values_worked_by_hand_and_reasons_for_the_rest(worked):
    frame = pp_dataset(worked).frame.set_index(["USUBJID", "PPTESTCD"])
    a, b = frame.loc["a"], frame.loc["b"]
    # Up from 0 to 80 in 10 days, 10 days of 80, then 8 of 16 days down to 0.
    areas = a.loc[["AUCINT"]]
    area = areas[areas["PPENINT"] == "P28D"].squeeze()
    assert area["PPSTRESN"] == 400 + 800 + 8 * (80 + 40) / 2
    wanted = ["1680", "day*cells/uL", "P0D", "P28D"]
    columns = ["PPSTRESC", "PPSTRESU", "PPSTINT", "PPENINT"]
    assert area[columns].tolist() == wanted
    assert a.loc["CMAX", ["PPSTRESN", "PPSTRESU", "PPSTAT"]].tolist() == [
        80,
        "cells/uL",
        "",
    ]
    assert (b.loc["CMAX", "PPSTRESN"], b.loc["TMAX", "PPSTAT"]) == (0, "NOT DONE")
    assert b.loc["TMAX", "PPREASND"] == REASONS["no_quantifiable"]
    assert np.isnan(b.loc["TMAX", "PPSTRESN"])
    assert b.loc["TMAX", "PPORRES"] == b.loc["TMAX", "PPSTRESU"] == ""
    early = b.loc[["AUCINT"]].set_index("PPENINT")["PPREASND"]
    assert early["P28D"] == REASONS["ends_early"]
    assert early["P14D"] == ""


def test_every_patient_series_and_metric_is_a_record(metrics):
    frame = pp_dataset(metrics).frame
    table, reasons = metrics.table, metrics.reasons
    possible = sum(
        (reasons[name] != "not_a_cell_series").sum() for name in metrics.metrics
    )
    assert len(frame) == possible
    done = frame["PPSTAT"] == ""
    assert done.sum() == sum(table[name].notna().sum() for name in metrics.metrics)
    assert (done == (frame["PPREASND"] == "")).all()
    assert (done == frame["PPSTRESN"].notna()).all()
    assert not frame.duplicated(["USUBJID", "PPSEQ"]).any()
    assert set(frame["PPCAT"]) == {
        "CAR transgene by qPCR",
        "CAR-T cells by flow cytometry",
        "Interleukin 6",
    }


def test_summaries_leave_out_what_is_not_evaluable(metrics):
    frame = pp_dataset(metrics).frame
    peak = frame[(frame["PPTESTCD"] == "CMAX") & frame["PPCAT"].str.contains("qPCR")]
    table = metrics.table.query("assay == 'qpcr'")
    flags = table.set_index("patient")["cmax_evaluable"]
    assert (peak.set_index("USUBJID")["PPSUMFL"] == "Y").to_dict() == flags.to_dict()
    left_out = frame["PPSUMFL"] == "N"
    assert (frame.loc[left_out, "PPSUMRSN"] != "").all()
    assert (frame.loc[~left_out, "PPSUMRSN"] == "").all()


def test_adpp_has_one_code_per_parameter_and_points_to_pp(metrics):
    pp, adpp = pp_dataset(metrics).frame, adpp_dataset(metrics).frame
    pairs = adpp[["PARAMCD", "PARAM"]].drop_duplicates()
    assert not pairs["PARAMCD"].duplicated().any()
    assert not pairs["PARAM"].duplicated().any()
    assert len(pairs) == len(metrics.metrics)
    assert adpp["AVALC"].eq("NC").sum() == adpp["AVAL"].isna().sum() > 0
    left = pp.set_index(["USUBJID", "PPSEQ"])["PPSTRESN"]
    right = adpp.set_index(["USUBJID", "SRCSEQ"])["AVAL"]
    pd.testing.assert_series_equal(left, right, check_names=False)


def test_codes_and_names_are_within_the_limits_of_cdisc(metrics):
    codes = parameter_codes(metrics.metrics)
    assert len(set(codes.values())) == len(codes)
    for name, metric in metrics.metrics.items():
        for code in (codes[name], metric.cdisc):
            assert len(code) <= 8
            assert code.isidentifier()
            assert code.isupper()
        assert len(pp_name(metric)) <= 40
        assert pp_name(metric).isascii()
    for data in (pp_dataset(metrics), adpp_dataset(metrics)):
        for variable in data.variables:
            assert len(variable.name) <= 8
            assert 0 < len(variable.label) <= 40
        text = data.frame.select_dtypes("str")
        assert max(text[name].str.len().max() for name in text) <= 200


def test_areas_and_visits_with_long_names_have_codes_of_their_own():
    days, visits = ((100, 200), (100, 250), (7, 28)), ("month_12", "month_18", "m3")
    rules = {"areas": days, "visits": dict.fromkeys(visits, (365, 30))}
    metrics = ck.nca(ck.simulate_study(seed=1), **rules)
    frame = adpp_dataset(metrics).frame
    names = frame.groupby("PARAMCD")["PARAM"].unique()
    assert names.str.len().eq(1).all()
    codes = names.str[0].reset_index().set_index("PARAM")["PARAMCD"]
    wanted = ["AUC100-200d", "AUC100-250d", "AUC7-28d", "Quantifiable at month 18"]
    assert codes[wanted].tolist() == ["AUCINT1", "AUCINT2", "AUC7_28", "PRVIS2"]


def test_what_is_in_percent_says_so(tmp_path):
    metrics = ck.nca(ck.simulate_study(seed=1), infinity=True)
    assert metrics.units("flow")["auc_extrapolated_obs"] == "%"
    path, _ = write_parameters(metrics, tmp_path)
    table = read_parameters(path)
    shares = table[table["code"].isin(["AUCPEO", "AUCPEP"]) & table["value"].notna()]
    assert len(shares) > 5
    assert set(shares["unit"]) == {"%"}
    assert set(shares["metric"]) == {"auc_extrapolated_obs", "auc_extrapolated_pred"}


def test_codes_that_are_ours_are_told_in_the_dictionary(metrics, tmp_path):
    write_parameters(metrics, tmp_path)
    table = pd.read_csv(tmp_path / "data_dictionary.csv", keep_default_na=False)
    about = table.set_index(["dataset", "variable"])["meaning"]
    ours = set(parameter_codes(metrics.metrics).values()) - set(PKPARM)
    assert "AUC0_28" in ours
    assert all(f"{code}: " in about["adpp", "PARAMCD"] for code in ours)
    assert "Time 0 is the start of the first infusion" in about["pp", "PPSTRESN"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_as_it_was(metrics, tmp_path, ending):
    mine = parameter_table(metrics)
    for path in write_parameters(metrics, tmp_path, ending=ending):
        table = read_parameters(path)
        pd.testing.assert_frame_equal(
            table[SHARED], mine[SHARED], check_dtype=False, check_exact=True
        )
        assert table["reason"].tolist() == mine["reason"].tolist()
        known = mine["value"].notna()
        assert table.loc[known, "unit"].tolist() == mine.loc[known, "unit"].tolist()


def test_the_dictionary_of_a_study_is_added_to_once(metrics, tmp_path):
    ck.write_study(ck.simulate_study(seed=1), tmp_path, format="adam")
    before = pd.read_csv(tmp_path / "data_dictionary.csv", keep_default_na=False)
    for _ in range(2):
        write_parameters(metrics, tmp_path)
    after = pd.read_csv(tmp_path / "data_dictionary.csv", keep_default_na=False)
    assert after["dataset"].unique().tolist()[-2:] == ["pp", "adpp"]
    assert len(after) == len(before) + sum(
        len(data.variables) for data in (pp_dataset(metrics), adpp_dataset(metrics))
    )


def test_a_kind_of_file_that_is_not_written_is_refused(metrics, tmp_path):
    with pytest.raises(ck.DataError, match=r"'\.docx' files"):
        write_parameters(metrics, tmp_path, ending=".docx")


def test_parameters_of_another_tool_are_brought_to_our_units(tmp_path):
    frame = pd.DataFrame(
        {
            "USUBJID": "1",
            "PPTESTCD": ["TMAX", "AUCINT", "AUCINT", "LAMZ", "CMAX", "VZO", "LAMZNPT"],
            "PPCAT": "CARGENE",
            "PPSTRESN": [336, 24e3, 5, 0.01, 2.5, 7, 3],
            "PPSTRESU": [
                "h",
                "h*copies/ug",
                "h*copies/ug",
                "1/h",
                "copies/ng",
                "L",
                "",
            ],
            "PPSTINT": ["", "P0D", "P0D", "", "", "", ""],
            "PPENINT": ["", "P28D", "PT24H", "", "", "", ""],
            "PPREASND": ["", "", "", "", "", "", "NA"],
            "VISIT": "Day 1",
        }
    )
    frame.to_csv(tmp_path / "pp.csv", index=False)
    table = read_parameters(tmp_path / "pp.csv", assays={"CARGENE": "qpcr"})
    rows = table.set_index("metric")
    assert rows.loc["tmax", ["value", "unit"]].tolist() == [14, "day"]
    area = rows.loc["auc_0_28", ["value", "unit"]].tolist()
    assert area == [pytest.approx(1000), "day*copies/ug"]
    slope = rows.loc["lambda_z", ["value", "unit"]].tolist()
    assert slope == [pytest.approx(0.24), "1/day"]
    assert rows.loc["cmax", ["value", "unit"]].tolist() == [2500, "copies/ug"]
    assert rows.loc["lambda_z_points", ["value", "unit"]].tolist() == [3, "1"]
    first_day = rows.loc["auc_0_1", ["value", "unit"]].tolist()
    assert first_day == [pytest.approx(5 / 24), "day*copies/ug"]
    others = table[table["metric"] == ""]
    assert others["code"].tolist() == ["VZO"]
    assert rows.loc["auc_0_1", "end"] == 1
    assert others["value"].tolist() == [7]
    assert set(table["visit"]) == {"Day 1"}


def test_a_value_that_is_no_number_is_a_problem(tmp_path):
    frame = pd.DataFrame(
        {"USUBJID": ["1", "2"], "PARAMCD": "CMAX", "AVAL": ["many", "NC"]}
    )
    frame.to_csv(tmp_path / "adpp.csv", index=False)
    with pytest.raises(ck.DataError, match="not a number") as caught:
        read_parameters(tmp_path / "adpp.csv")
    (problem,) = caught.value.problems
    assert (problem.row, problem.patient, problem.value) == (2, "1", "many")
    frame.drop(columns="AVAL").to_csv(tmp_path / "adpp.csv", index=False)
    with pytest.raises(ck.DataError, match="the file has no parameters"):
        read_parameters(tmp_path / "adpp.csv")


def test_own_assays_keep_their_name(tmp_path):
    samples = {"patient": "1", "time": [7, 14, 28], "level": [3, 9, 1], "assay": "mine"}
    settings = {
        "study": {"id": "A", "infusion_day": 0},
        "assays": {"mine": {"unit": "AU", "kinetics": True}},
    }
    study = ck.Study.from_frames(pd.DataFrame(samples), settings=settings)
    pp, adpp = write_parameters(ck.nca(study), tmp_path)
    for path in (pp, adpp):
        table = read_parameters(path)
        assert set(table["assay"]) == {"mine"}
        assert table.loc[table["metric"] == "cmax", "value"].tolist() == [9]
