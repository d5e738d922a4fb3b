"""NONMEM data sets as others deliver them, and as we write them."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from event_files import doubts_of, fates, problems_of, study_of

from cellpk import DataError, Study, read_study, write_study
from cellpk.study.events.writing import LONGEST, RESERVED

QPCR = 'time_unit = "day"\nassay = "qpcr"'


def states(study):
    samples = study.samples
    return samples[["state", "lloq"]].fillna(0).to_numpy().tolist()


def test_samples_and_infusions_are_told_apart_by_evid(tmp_path):
    text = (
        "ID,TIME,DV,AMT,EVID,MDV,CMT\n"
        "1,0,.,1.5e8,1,1,1\n1,7,310,.,0,0,1\n1,90,.,1e8,1,1,1\n2,7,12,.,0,0,1\n"
    )
    study = study_of(tmp_path, text, f'{QPCR}\ndose_unit = "cells"\nspecimen = "blood"')
    assert study.samples["level"].tolist() == [310, 12]
    assert study.samples["specimen"].unique().tolist() == ["blood"]
    # TIME is elapsed time, though the protocol calls the infusion day 1.
    assert study.samples["time"].tolist() == [7, 7]
    assert study.infusions.to_numpy().tolist() == [
        ["1", 0, 1.5e8, "cells", ""],
        ["1", 90, 1e8, "cells", ""],
    ]
    assert fates(study) == {("used", "samples", ""): 2, ("used", "infusions", ""): 2}


def test_samples_below_the_limit_are_kept_though_mdv_is_1(tmp_path):
    # 336 of the 504 BLQ rows of a public ADPPK have MDV=1: a run would lose them.
    text = (
        "ID,TIME,DV,MDV,BLQ,LLOQ\n"
        "1,1,.,1,1,50\n1,2,50,0,1,50\n1,3,0,1,1,50\n1,4,310,0,0,50\n"
    )
    study = study_of(tmp_path, text, QPCR)
    assert states(study) == [["below", 50]] * 3 + [["quantified", 50]]
    assert not study.samples["excluded"].any()
    assert study.samples["reported"].tolist() == ["BLQ", "50", "0", "310"]
    (doubt,) = doubts_of(study, "MDV=1 and are kept")
    assert "(2 rows: 2, 4)" in doubt["what"]


def test_mdv_1_without_a_level_is_missing_and_with_one_excluded(tmp_path):
    text = "ID,TIME,DV,MDV\n1,1,.,1\n1,2,310,1\n1,3,320,101\n1,4,330,100\n1,5,340,.\n"
    study = study_of(tmp_path, text, QPCR)
    assert fates(study) == {
        ("used", "samples", ""): 1,
        ("without a result", "samples", ""): 1,
        ("excluded", "samples", "MDV=1"): 2,
        ("excluded", "samples", "MDV=100: not in estimation"): 1,
    }
    assert problems_of(tmp_path, "ID,TIME,DV,MDV\n1,1,3,7\n", QPCR)[0].value == "7"


def test_a_code_where_a_run_takes_dv_as_missing_is_no_level(tmp_path):
    text = "ID,TIME,DV,MDV\n1,1,-99,1\n1,2,310,0\n"
    samples = study_of(tmp_path, text, QPCR).samples
    assert samples["state"].tolist() == ["missing", "quantified"]
    assert samples["reason"].tolist() == ["reported as -99", ""]
    (problem,) = problems_of(tmp_path, text.replace("-99,1", "-99,0"), QPCR)
    assert "negative" in problem.what


def test_an_id_is_a_number_however_it_is_written(tmp_path):
    text = "ID,TIME,DV,AMT\n1,0,.,1e8\n1.0000E+00,7,310,0\n1.0,8,300,0\n1.5,8,7,0\n"
    study = study_of(tmp_path, text, QPCR)
    assert study.samples["patient"].tolist() == ["1", "1", "1.5"]


@pytest.mark.parametrize(
    ("text", "todo"),
    [
        ("1,0,.,1e8\n1,7,310,.\n", "The first line seems to hold data"),
        ("ID TIME DV AMT\n1 7 310 .\n", "separated by blanks"),
        ("ID;TIME;DV\n1;7;310\n", "set 'separator'"),
        ("ID,TIME,DVX\n1,7,310\n", "Did you mean 'DVX'?"),
    ],
)
def test_a_file_without_names_of_columns_is_told_as_such(tmp_path, text, todo):
    assert todo in problems_of(tmp_path, text, QPCR)[0].todo


def test_study_toml_says_what_a_text_in_place_of_a_level_means(tmp_path):
    text = "ID,TIME,DV\n1,7,lost\n1,8,310\n"
    assert "'texts'" in problems_of(tmp_path, text, QPCR)[0].todo
    samples = study_of(tmp_path, text, f'{QPCR}\ntexts = {{ lost = "NA" }}').samples
    assert samples["state"].tolist() == ["missing", "quantified"]
    assert samples["reason"].tolist() == ["reported as lost", ""]


def test_an_evid_that_is_no_number_is_not_called_blank(tmp_path):
    text = "ID,TIME,DV,EVID\n1,7,310,dose\n"
    with pytest.raises(DataError) as caught:
        study_of(tmp_path, text, QPCR)
    (problem,) = caught.value.problems
    assert problem.column == "EVID"


def test_a_missing_dv_that_a_run_would_take_as_0_is_a_doubt(tmp_path):
    study = study_of(tmp_path, "ID,TIME,DV,MDV\n1,1,.,0\n1,2,3,0\n", QPCR)
    assert study.samples["state"].tolist() == ["missing", "quantified"]
    (doubt,) = doubts_of(study, "DV is missing though MDV is not 1")
    assert (doubt["row"], doubt["patient"], doubt["column"]) == (2, "1", "DV")


def test_a_measured_level_below_lloq_is_detected_where_it_reaches_llod(tmp_path):
    text = (
        "ID,TIME,DV,BLQ,LLOQ,LLOD\n1,1,30,1,50,20\n1,2,5,1,50,20\n1,3,50,1,50,20\n"
        "1,4,25,1,50,20\n1,5,60,0,50,20\n"
    )
    study = study_of(tmp_path, text, QPCR)
    expected = ["detected", "below", "below", "below", "quantified"]
    assert study.samples["state"].tolist() == expected
    np.testing.assert_array_equal(study.samples["level"], [30, *[np.nan] * 3, 60])
    assert "(row 5)" in doubts_of(study, "half of LLOQ, put in")[0]["what"]


def test_flags_that_contradict_levels_are_problems(tmp_path):
    text = (
        "ID,TIME,DV,BLQ,ALQ,LLOQ,ULOQ\n1,1,60,1,0,50,900\n1,2,800,0,1,50,900\n"
        "1,3,.,1,1,50,900\n1,4,30,2,0,50,900\n"
    )
    told = [(p.row, p.column, p.value) for p in problems_of(tmp_path, text, QPCR)]
    expected = [(5, "BLQ", "2"), (4, "BLQ", "1"), (2, "DV", "60"), (3, "DV", "800")]
    assert sorted(told) == sorted(expected)


def test_a_level_below_its_limit_without_a_flag_is_a_doubt(tmp_path):
    text = "ID,TIME,DV,BLQ,LLOQ\n1,1,30,0,50\n1,2,60,0,50\n"
    study = study_of(tmp_path, text, QPCR)
    assert study.samples["state"].tolist() == ["below", "quantified"]
    assert doubts_of(study, "DV is below its limit and not flagged so")[0]["row"] == 2


def test_dv_of_flagged_samples_is_their_limit_only_where_that_is_said(tmp_path):
    text = "ID,TIME,DV,BLQ,ALQ\n1,1,50,1,0\n1,2,900,0,1\n1,3,60,0,0\n"
    study = study_of(tmp_path, text, QPCR)
    assert study.samples["lloq"].isna().all()
    assert doubts_of(study, "whether it is the limit or a level")
    study = study_of(tmp_path, text, f'{QPCR}\ncensored_dv = "limit"')
    assert study.samples["state"].tolist() == ["below", "above", "quantified"]
    assert study.samples["lloq"].tolist()[0] == 50
    assert study.samples["uloq"].tolist()[1] == 900
    assert not doubts_of(study, "whether it is the limit")


def test_logarithms_are_read_as_such_only_where_that_is_said(tmp_path):
    text = f"ID,TIME,DV,BLQ,LLOQ\n1,1,{math.log(50)},1,50\n1,2,-0.5,0,0.2\n1,3,7,0,50\n"
    study = study_of(tmp_path, text, f'{QPCR}\ndv = "log"\nunit = "copies/ug"')
    assert study.samples["state"].tolist() == ["below", "quantified", "quantified"]
    np.testing.assert_array_equal(
        study.samples["level"], [np.nan, math.exp(-0.5), math.exp(7)]
    )
    assert study.samples["reported"].tolist()[1:] == ["-0.5", "7"]
    assert study.samples["reported_unit"].unique().tolist() == ["ln(copies/ug)"]
    (problem,) = problems_of(tmp_path, text, QPCR)
    assert problem.what == "1 of 2 levels are negative, as logarithms are"
    assert "dv = 'log'" in problem.todo
    big = problems_of(tmp_path, "ID,TIME,DV\n1,1,5000\n", f'{QPCR}\ndv = "log"')
    assert big[0].value == "5000"


def test_a_column_that_is_named_as_a_logarithm_is_a_doubt(tmp_path):
    said = f'{QPCR}\ncolumns = {{ level = "LNDV" }}'
    study = study_of(tmp_path, "ID,TIME,LNDV\n1,1,3.9\n1,2,7\n", said)
    assert study.samples["level"].tolist() == [3.9, 7]
    assert doubts_of(study, "named as a logarithm")
    study = study_of(tmp_path, "ID,TIME,DV,LNDV\n1,1,3.9,3.9\n1,2,7,7\n", QPCR)
    assert doubts_of(study, "DV equals 'LNDV'")
    study = study_of(tmp_path, "ID,TIME,DV,LNDV\n1,1,50,3.912\n1,2,0.1,-2.3\n", QPCR)
    assert not doubts_of(study, "LNDV")


def written(study, folder):
    path = write_study(study, folder, format="nonmem")
    return pd.read_csv(folder / "nonmem.csv", dtype="str"), path


@pytest.fixture
def made():
    """Samples of every state, worked out by hand below."""
    frame = pd.DataFrame(
        {
            "patient": ["b", "b", "b", "b", "b", "b", "a", "a"],
            "time": [1, 2, 3, 4, 5, 6, 7, 8],
            "level": ["<50", "30", "310", ">900", "NA", "320", "BLQ", "detected"],
            "assay": ["qpcr"] * 6 + ["il6"] * 2,
            "lloq": [50.0] * 6 + [None] * 2,
            "llod": [None] + [20.0] * 5 + [None] * 2,
            "uloq": [900.0] * 6 + [None] * 2,
            "excluded": [0, 0, 0, 0, 0, 1, 0, 0],
            "reason": ["", "", "", "", "", 'tube "7", broken', "", ""],
            "visit": ["D1", "D2", "D3", "D4", "D5", "late, twice", "", "."],
        }
    )
    infusions = pd.DataFrame({"patient": ["b", "a"], "dose": [1e8, None]})
    patients = pd.DataFrame({"patient": ["a", "b", "c"], "sex": ["M", "F", "F"]})
    return Study.from_frames(samples=frame, infusions=infusions, patients=patients)


def test_what_is_written_can_be_used_with_m3(made, tmp_path):
    table, _ = written(made, tmp_path)
    columns = ["ID", "TIME", "DV", "AMT", "EVID", "MDV", "DVID", "BLQ", "ALQ", "EXCL"]
    assert table[columns].to_numpy().tolist() == [
        ["1", "0", ".", ".", "2", "1", "0", "0", "0", "0"],
        ["1", "7", ".", ".", "0", "1", "2", "1", "0", "0"],
        ["1", "8", ".", ".", "0", "1", "2", "1", "0", "0"],
        ["2", "0", ".", "100000000", "1", "1", "0", "0", "0", "0"],
        ["2", "1", "50", ".", "0", "0", "1", "1", "0", "0"],
        ["2", "2", "50", ".", "0", "0", "1", "1", "0", "0"],
        ["2", "3", "310", ".", "0", "0", "1", "0", "0", "0"],
        ["2", "4", "900", ".", "0", "0", "1", "0", "1", "0"],
        ["2", "5", ".", ".", "0", "1", "1", "0", "0", "0"],
        ["2", "6", "320", ".", "0", "1", "1", "0", "0", "1"],
        ["3", "0", ".", ".", "2", "1", "0", "0", "0", "0"],
    ]
    logs = table.loc[table["DV"] != ".", ["DV", "LNDV"]].astype(float)
    np.testing.assert_allclose(np.exp(logs["LNDV"]), logs["DV"], rtol=1e-14)
    assert table["SEX"].tolist() == ["2"] * 3 + ["1"] * 8
    assert table.loc[table["DETDV"] != ".", "DETDV"].to_dict() == {5: "30"}


def test_nonmem_reads_numbers_only_and_they_stand_first(made, tmp_path):
    table, path = written(made, tmp_path)
    text = path.read_text("utf-8")
    labels = " ".join(re.findall(r"^# \$INPUT (.*)$", text, re.MULTILINE)).split()
    assert "# $DATA nonmem.csv IGNORE=@" in text
    assert labels == list(table.columns[: len(labels)])
    number = r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|\."
    for name in labels:
        assert table[name].str.fullmatch(number).all(), name
        assert re.fullmatch(rf"[A-Z][A-Z0-9_]{{0,{LONGEST - 1}}}", name)
    header, *lines = (tmp_path / "nonmem.csv").read_text("utf-8").splitlines()
    # Split at every comma, as NM-TRAN does: no text shifts a column.
    assert {line.count(",") for line in lines} == {header.count(",")}
    assert '"' not in "".join(lines)
    assert header[0].isalpha()
    assert all(line[0].isdigit() for line in lines)
    assert "late%2C twice" in table["VISIT"].tolist()


def test_what_a_run_has_to_leave_out_is_told(made, tmp_path):
    _, path = written(made, tmp_path)
    text = path.read_text("utf-8")
    for words in (
        "samples below a limit that is not known have MDV=1",
        "infusions of unknown dose have EVID=2 (1 row)",
        "excluded samples have MDV=1 and EXCL=1 (1 row)",
        "neither a sample nor an infusion have one row with EVID=2 (1 row)",
    ):
        assert words in text


def test_a_written_file_that_is_edited_is_read_as_edited(made, tmp_path):
    path = write_study(made, tmp_path, format="nonmem")
    file = tmp_path / "nonmem.csv"
    text = file.read_text("utf-8")
    file.write_text(text.replace(",310,", ",311,", 1), encoding="utf-8")
    again = read_study(path)
    assert 311 in again.samples["level"].tolist()
    file.write_text(text.replace(",quantified,310", ",below,310"), encoding="utf-8")
    with pytest.raises(DataError, match="the state and the flags of limits contradict"):
        read_study(path)


def test_covariates_get_names_that_nm_tran_takes(tmp_path):
    long = "a_very_long_name_of_a_covariate"
    names = ["DV", "id", "_x", "PATIENT", f"{long}_1", f"{long}_2", "dv", "Amt", "LOT"]
    columns = {name: [1.5, 2.5] for name in names} | {f"{long}_3": ["u", "v"]}
    patients = pd.DataFrame({"patient": ["1", "2"], **columns})
    samples = pd.DataFrame(
        {"patient": ["1", "2"], "time": 7, "level": 3, "assay": "qpcr"}
    )
    study = Study.from_frames(samples=samples, patients=patients)
    table, path = written(study, tmp_path)
    assert table.columns.is_unique
    own = table.columns[table.columns.get_loc("ASSUMED") + 1 :]
    assert set(own).isdisjoint(RESERVED)
    assert all(len(name) <= LONGEST for name in own)
    assert read_study(path) == study
