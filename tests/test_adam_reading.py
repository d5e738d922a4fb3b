"""Levels, doses and subjects of files that are shaped as pharmaverse's ADaM is."""

import numpy as np
import pandas as pd
import pytest
from made_adam import ADSL, ASSAYS, adpc, fates, read

import cellpk as ck
from cellpk.study.adam.reading import recognise
from cellpk.study.grid import Grid


def test_adpc_is_read_in_days_with_its_states_and_its_dose(tmp_path):
    study = read(tmp_path, {"adsl": ADSL, "adpc": adpc()}, assays=ASSAYS)
    samples = study.samples
    assert samples["time"].tolist() == pytest.approx([-0.1, 7.1, 14, 21, 28, 28])
    assert samples["nominal_time"].tolist() == [0, 7, 14, 21, 28, 28]
    states = ["below", "quantified", "below", "below", "below", "below"]
    assert samples["state"].tolist() == states
    assert samples["lloq"].tolist() == [50] * 6
    assert samples["specimen"].unique().tolist() == ["blood"]
    assert samples["visit"].tolist()[:2] == ["Day, Pre-dose", "Day"]
    assert samples["reported"].tolist()[:4] == ["<BLQ", "310", "<BLQ", "<50"]
    infusion = study.infusions.iloc[0].to_dict()
    wanted = {"patient": "01", "time": 0, "dose": 1.5e8, "unit": "cells"}
    assert infusion == wanted | {"lot": "LOT 7"}
    assert fates(study, "adpc") == {
        "": 6,
        "a copy made for analysis, DTYPE='COPY'": 1,
        "made for analysis, DTYPE='HALFLLOQ'": 1,
    }


def test_a_level_without_a_flag_below_its_limit_is_below(tmp_path):
    study = read(tmp_path, {"adsl": ADSL, "adpc": adpc()}, assays=ASSAYS)
    sample = study.samples[study.samples["time"] == 28].iloc[0]
    assert (sample["reported"], sample["state"]) == ("12.0", "below")
    assert not sample["excluded"]


def test_subjects_become_patients_with_their_covariates(tmp_path):
    study = read(tmp_path, {"adsl": ADSL, "adpc": adpc()}, assays=ASSAYS)
    patients = study.patients.set_index("patient")
    columns = ["age", "sex", "trt01a", "saffl", "last_contact"]
    assert patients.columns.tolist() == columns
    assert patients.loc["02", "age"] == 61
    # By dates: 10 January to 10 March is 60 days, 1 February to 1 December 304.
    assert patients["last_contact"].tolist() == [60, 304]
    assert fates(study, "adsl")["of a patient who was never treated"] == 1
    death = study.outcomes.iloc[0]
    assert (death["patient"], death["endpoint"], death["time"]) == ("01", "death", 60)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [(["AGE"], ["age"]), ({"years": "AGE", "arm": "TRT01A"}, ["years", "arm"])],
)
def test_covariates_are_chosen_and_named(tmp_path, said, wanted):
    frames = {"adsl": ADSL.drop(columns="LSTALVDT"), "adpc": adpc()}
    frames["adsl"] = frames["adsl"].drop(columns="DTHDT")
    study = read(tmp_path, frames, assays=ASSAYS, covariates=said)
    assert study.patients.columns.tolist() == ["patient", *wanted]


def test_a_covariate_that_is_not_there_is_a_problem(tmp_path):
    frames = {"adsl": ADSL, "adpc": adpc()}
    with pytest.raises(ck.DataError, match="Did you mean 'AGE'"):
        read(tmp_path, frames, assays=ASSAYS, covariates=["AGEE"])


def test_a_time_without_its_unit_is_refused_unless_study_toml_states_it(tmp_path):
    frames = {"adsl": ADSL, "adpc": adpc().drop(columns="FRLTU")}
    with pytest.raises(ck.DataError, match="unit of 'AFRLT' is not stated") as caught:
        read(tmp_path, frames, assays=ASSAYS)
    assert "time_unit" in caught.value.problems[0].todo
    study = read(tmp_path, frames, assays=ASSAYS, time_unit="hour")
    assert study.samples["time"].max() == 28


@pytest.mark.parametrize("word", ["DAYS", "d", "day", "Days"])
def test_days_are_read_however_they_are_spelt(tmp_path, word):
    frame = adpc(FRLTU=word)
    study = read(tmp_path, {"adsl": ADSL, "adpc": frame}, assays=ASSAYS)
    assert study.samples["time"].max() == 672


def test_a_unit_of_time_that_is_not_known_is_told(tmp_path):
    with pytest.raises(ck.DataError, match="unit of relative times is not known"):
        read(tmp_path, {"adpc": adpc(FRLTU="fortnight")}, assays=ASSAYS)


def test_dates_stand_in_where_no_relative_time_is_given(tmp_path):
    frame = adpc(
        AFRLT=None,
        ADTM=["2024-01-10T06:36:00", "2024-01-10T09:00:00", *[""] * 6],
        ADT=["2024-01-10"] * 2 + ["2024-01-17"] * 2 + ["2024-01-24"] * 4,
        PARAMCD=["CARGENE", "DOSE", *["CARGENE"] * 2, *"WXYZ"],
        DTYPE="",
    ).drop(index=3)
    assays = ASSAYS | dict.fromkeys("WXYZ", "qpcr")
    frame["PCSPEC"] = frame["PARAMCD"]
    study = read(tmp_path, {"adsl": ADSL, "adpc": frame}, assays=assays)
    times = sorted(study.samples["time"])
    assert times == pytest.approx([-0.1, 7, 14, 14, 14, 14])
    what = study.problems["what"].tolist()
    assert any("5 times count whole days" in sentence for sentence in what)


def test_a_made_up_clock_time_does_not_count(tmp_path):
    frame = adpc(
        AFRLT=None, ADTM=[f"2024-01-{day}T23:59" for day in range(10, 18)], DTYPE=""
    ).assign(ATMF="H", NFRLT=None)
    study = read(tmp_path, {"adsl": ADSL, "adpc": frame}, assays=ASSAYS)
    assert study.samples["time"].tolist() == [-1, 1, 2, 3, 4, 5, 6]


def test_dates_as_numbers_are_refused(tmp_path):
    frame = adpc(AFRLT=None, ADT=23400)
    with pytest.raises(ck.DataError, match="not one in ISO 8601") as caught:
        read(tmp_path, {"adsl": ADSL, "adpc": frame}, assays=ASSAYS)
    errors = [each for each in caught.value.problems if each.severity == "error"]
    assert {problem.column for problem in errors} == {"ADT"}


def test_study_days_are_the_last_resort_and_have_no_day_0(tmp_path):
    days = [-1, 1, 8, 8, 15, 22, 29, 30]
    frame = adpc(AFRLT=None, NFRLT=None, ADY=days, DTYPE="")
    frame = frame.drop(index=3)
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    assert study.samples["time"].tolist() == [-1, 7, 14, 21, 28, 29]
    frame.loc[0, "ADY"] = 0
    with pytest.raises(ck.DataError, match="no study day 0"):
        read(tmp_path, {"adpc": frame}, assays=ASSAYS)


def test_a_nominal_time_stands_in_with_a_doubt(tmp_path):
    frame = adpc(AFRLT=[-2.4, 0, None, None, 336, 504, 672, 672])
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    assert 7 in study.samples["time"].tolist()
    assert study.problems["what"].str.contains("nominal one stands in").any()


def test_time_0_is_the_infusion_not_the_start_of_lymphodepletion(tmp_path):
    subjects = ADSL.assign(TRTSDT="2024-01-05", TRTSDTM="")
    frame = adpc(
        AFRLT=None,
        ADT=[f"2024-01-{day:02}" for day in (9, 10, 17, 17, 24, 25, 26, 27)],
        DTYPE="",
    ).drop(index=3)
    study = read(tmp_path, {"adsl": subjects, "adpc": frame}, assays=ASSAYS)
    assert study.samples["time"].tolist() == [-1, 7, 14, 15, 16, 17]
    assert study.problems["what"].str.contains("time 0 is the infusion").any()


def test_exposure_records_come_before_doses_among_levels(tmp_path):
    adex = pd.DataFrame(
        {
            "USUBJID": "01",
            "PARAMCD": ["DOSE", "DOSE", "TDOSE", "DOSE"],
            "EXTRT": ["CAR-T", "FLUDARABINE", "CAR-T", "CAR-T"],
            "AVAL": [2e8, 30, 2e8, 0],
            "EXDOSU": ["cells", "mg/m2", "cells", "cells"],
            "EXLOT": ["L1", "", "", ""],
            "ASTDTM": ["2024-01-10T09:00", "2024-01-05T08:00", "", "2024-02-10T09:00"],
        }
    )
    frames = {"adsl": ADSL, "adex": adex, "adpc": adpc()}
    study = read(tmp_path, frames, assays=ASSAYS, product=["CAR-T"])
    assert study.infusions[["time", "dose", "lot"]].to_numpy().tolist() == [
        [0, 2e8, "L1"]
    ]
    assert fates(study, "adex") == {
        "": 1,
        "PARAMCD 'TDOSE' of ADEX is not a dose": 1,
        "a dose of 'FLUDARABINE', which is not the product": 1,
        "a dose of 0": 1,
    }
    assert fates(study, "adpc")["the same infusions stand in ADEX"] == 1


def test_doses_of_several_treatments_are_doubted_where_no_product_is_named(tmp_path):
    adex = pd.DataFrame(
        {
            "USUBJID": "01",
            "EXTRT": ["CAR-T", "FLUDARABINE"],
            "EXDOSE": [2e8, 30],
            "EXDOSU": ["cells", "mg/m2"],
            "ASTDT": ["2024-01-10", "2024-01-05"],
        }
    )
    study = read(tmp_path, {"adex": adex, "adpc": adpc()}, assays=ASSAYS)
    assert len(study.infusions) == 2
    assert study.problems["what"].str.contains("several treatments").any()


def test_what_was_made_for_analysis_without_a_time_is_put_aside(tmp_path):
    frame = adpc(DTYPE=["", "", "", "COPY", "", "", "", "AVERAGE"])
    frame.loc[7, ["AFRLT", "NFRLT"]] = None
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    reason = "made for analysis, DTYPE='AVERAGE', without a time"
    assert fates(study, "adpc")[reason] == 1


def test_records_that_are_not_for_analysis_are_excluded_where_that_is_said(tmp_path):
    frame = adpc(
        ANL01FL=["Y", "Y", "", "", "Y", "Y", "Y", "Y"],
        NCAXFL=["Y", *[""] * 7],
        EXCLRSN=["", "", "haemolysed", *[""] * 5],
    )
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    assert study.samples["excluded"].sum() == 1
    assert study.problems["what"].str.contains("have NCAXFL='Y' and are used").any()
    flags = {"analysis_flag": "ANL01FL", "exclusion_flag": "NCAXFL"}
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS, **flags)
    excluded = study.samples[study.samples["excluded"]]
    assert set(excluded["reason"]) == {
        "NCAXFL is 'Y'",
        "haemolysed",
        "made for analysis, DTYPE='HALFLLOQ'",
    }
    with pytest.raises(ck.DataError, match="no column 'ANL02FL'"):
        read(tmp_path, {"adpc": frame}, assays=ASSAYS, analysis_flag="ANL02FL")


def test_codes_without_an_assay_are_put_aside_or_all_of_them_a_problem(tmp_path):
    frame = adpc(PARAMCD=["CARGENE", "DOSE", *["CARGENE"] * 5, "METAB"])
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    reason = "PARAMCD 'METAB' is no assay (map it under 'assays')"
    assert fates(study, "adpc")[reason] == 1
    with pytest.raises(ck.DataError, match="no code of the file is known as an assay"):
        read(tmp_path, {"adpc": frame})


def test_a_code_can_mean_another_assay_by_its_method(tmp_path):
    frame = adpc(PCMETHOD=["QPCR", "", *["FLOW CYTOMETRY"] * 6])
    frame["AVALU"] = ["copies/ug", "cells", *["cells/uL"] * 6]
    said = {"CARGENE/QPCR": "qpcr", "CARGENE/FLOW CYTOMETRY": "flow"}
    study = read(tmp_path, {"adpc": frame}, assays=said)
    assert study.samples["assay"].value_counts().to_dict() == {"flow": 5, "qpcr": 1}


def test_flags_and_numbers_that_contradict_each_other_are_told(tmp_path):
    frame = adpc(AVAL=[None, 1.5e8, 310, 310, 70, 25, 12, 6])
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    what = study.problems["what"]
    assert what.str.contains("1 levels at or above ALLOQ are flagged BLQFL='Y'").any()


def test_laboratory_levels_take_their_unit_from_the_parameter(tmp_path):
    adlb = pd.DataFrame(
        {
            "USUBJID": "01",
            "PARAMCD": ["INTLK6", "INTLK6", "CRP", "ALB"],
            "PARAM": [
                *["Interleukin 6 (pg/mL)"] * 2,
                "C Reactive Protein (mg/dL)",
                "Albumin (g/L)",
            ],
            "AVAL": [12, None, 1.5, 40],
            "LBSTRESC": ["12", "<1.5", "1.5", "40"],
            "ADT": "2024-01-12",
            "LBSPEC": ["SERUM", "PLASMA", "SERUM", "SERUM"],
        }
    )
    frames = {"adsl": ADSL, "adpc": adpc(), "adlb": adlb}
    study = read(tmp_path, frames, assays=ASSAYS)
    rows = study.samples[study.samples["assay"] != "qpcr"].set_index("assay")
    assert rows.loc["crp", ["level", "unit", "time"]].tolist() == [15, "mg/L", 2]
    assert rows.loc["il6", "state"].tolist() == ["below", "quantified"]
    assert fates(study, "adlb") == {
        "": 3,
        "PARAMCD 'ALB' is no assay (map it under 'assays')": 1,
    }
    frames["adlb"] = adlb.assign(PARAM="Something")
    with pytest.raises(ck.DataError, match="unit of the level is not stated"):
        read(tmp_path, frames, assays=ASSAYS)


def test_what_is_not_read_is_put_aside_with_a_reason(tmp_path):
    pp = pd.DataFrame({"USUBJID": ["01"], "PARAMCD": ["CMAX"], "AVAL": [1]})
    vital = pp.assign(PARAMCD="SYSBP")
    frames = {"adpc": adpc(), "adpp": pp, "advs": vital}
    study = read(tmp_path, frames, assays=ASSAYS)
    (reason,) = fates(study, "adpp")
    assert "cellpk works out its own" in reason
    assert fates(study, "advs") == {"a data set that nothing is read from": 1}


def test_a_file_without_patients_is_a_problem(tmp_path):
    frames = {"adpc": adpc().drop(columns="USUBJID"), "adsl": ADSL}
    with pytest.raises(ck.DataError, match="no column 'USUBJID'"):
        read(tmp_path, frames, assays=ASSAYS)


def test_numbers_and_words_that_cannot_be_are_told_with_their_column(tmp_path):
    frame = adpc(AVAL=[None, "many", "x", 310, 0, 25, 12, 6])
    frame["ALLOQ"] = ["fifty", None, *[50] * 6]
    frame["AFRLT"] = ["soon", 0, 170, 170, 336, 504, 672, 672]
    with pytest.raises(ck.DataError) as caught:
        read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    told = {(problem.column, problem.row) for problem in caught.value.problems}
    assert {("AFRLT", 2), ("ALLOQ", 2), ("AVAL", 4)} <= told


def test_a_study_toml_is_begun_from_adam_files():
    grids = {
        "adsl.csv": Grid.of_frame(ADSL, file="adsl.csv"),
        "adpc.csv": Grid.of_frame(adpc(), file="adpc.csv"),
        "note.csv": Grid.of_frame(pd.DataFrame({"a": [1]}), file="note.csv"),
    }
    found = recognise(grids)
    assert found.files == ("adsl.csv", "adpc.csv")
    assert found.section["assays"] == {"CARGENE": "?"}
    assert recognise({"note.csv": grids["note.csv"]}) is None


def test_cells_that_r_wrote_as_na_say_nothing(tmp_path):
    frame = adpc().astype(object).where(adpc().notna() & (adpc() != ""), "NA")
    study = read(tmp_path, {"adpc": frame}, assays=ASSAYS)
    plain = read(tmp_path, {"adpc": adpc()}, assays=ASSAYS)
    np.testing.assert_array_equal(study.samples["level"], plain.samples["level"])
    assert study == plain
