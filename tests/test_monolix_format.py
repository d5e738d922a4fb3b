"""Monolix data sets as others deliver them, and as we write them."""

import math

import numpy as np
import pandas as pd
from event_files import doubts_of, fates, problems_of, study_of

from cellpk import Study, read_study, write_study

QPCR = 'time_unit = "day"\nassay = "qpcr"'


def read(folder, text, said=QPCR):
    return study_of(folder, text, said, name="monolix")


def impossible(folder, text, said=QPCR):
    return problems_of(folder, text, said, name="monolix")


def test_cens_and_limit_tell_between_which_limits_a_level_lies(tmp_path):
    # CENS=1: LIMIT < level < DV, LIMIT "." is minus infinity; CENS=-1: level > DV.
    text = (
        "ID,TIME,DV,CENS,LIMIT\n1,1,50,1,.\n1,2,50,1,0\n1,3,50,1,20\n1,4,900,-1,.\n"
        "1,5,310,0,.\n1,6,320,.,.\n"
    )
    samples = read(tmp_path, text).samples
    expected = ["below", "below", "detected", "above", "quantified", "quantified"]
    assert samples["state"].tolist() == expected
    nan = np.nan
    np.testing.assert_array_equal(samples["lloq"], [50, 50, 50, nan, nan, nan])
    np.testing.assert_array_equal(samples["llod"], [nan, nan, 20, nan, nan, nan])
    np.testing.assert_array_equal(samples["uloq"], [nan, nan, nan, 900, nan, nan])
    np.testing.assert_array_equal(samples["level"], [nan] * 4 + [310, 320])
    assert samples["reported"].tolist() == ["<50", "<50", "<50", ">900", "310", "320"]


def test_limits_are_on_the_scale_of_dv(tmp_path):
    text = f"ID,TIME,DV,CENS,LIMIT\n1,1,{math.log(50)},1,{math.log(20)}\n1,2,-1,0,.\n"
    samples = read(tmp_path, text, f'{QPCR}\ndv = "log"').samples
    assert samples["state"].tolist() == ["detected", "quantified"]
    np.testing.assert_allclose(samples["lloq"][0], 50, rtol=1e-14)
    np.testing.assert_allclose(samples["llod"][0], 20, rtol=1e-14)
    assert samples["level"][1] == math.exp(-1)


def test_columns_of_limits_that_say_otherwise_are_problems(tmp_path):
    text = (
        "ID,TIME,DV,CENS,LIMIT,LLOQ,LLOD,ULOQ\n1,1,50,1,20,40,20,900\n"
        "1,2,50,1,20,50,10,900\n1,3,800,-1,.,50,20,900\n1,4,50,1,60,50,20,900\n"
        "1,5,50,2,.,50,20,900\n1,6,50,1,20,50,20,900\n"
    )
    told = {(p.row, p.column, p.value) for p in impossible(tmp_path, text)}
    assert told == {
        (2, "LLOQ", "40"),
        (3, "LLOD", "10"),
        (4, "ULOQ", "900"),
        (5, "LIMIT", "60"),
        (6, "CENS", "2"),
    }


def test_a_row_without_evid_can_be_a_dose_and_a_sample(tmp_path):
    text = "ID,TIME,Y,AMT\n1,0,2,1e8\n1,7,310,.\n1,90,.,1e8\n"
    study = read(tmp_path, text)
    assert study.samples[["time", "level"]].to_numpy().tolist() == [[0, 2], [7, 310]]
    assert study.infusions["time"].tolist() == [0, 90]
    assert fates(study) == {
        ("used", "samples, infusions", ""): 1,
        ("used", "samples", ""): 1,
        ("used", "infusions", ""): 1,
    }
    text = "ID,TIME,Y,AMT,MDV\n1,0,0,1e8,1\n1,7,310,.,0\n"
    assert read(tmp_path, text).samples["time"].tolist() == [7]
    text = "ID,TIME,Y,AMT,EVID\n1,0,2,1e8,1\n1,7,310,.,0\n"
    assert read(tmp_path, text).samples["time"].tolist() == [7]


def test_ignored_lines_are_set_aside_and_ignored_observations_excluded(tmp_path):
    text = (
        "ID,TIME,DV,CENS,MDV,IGNORED\n1,1,3,0,0,1\n1,2,4,0,1,0\n1,3,50,1,1,0\n"
        "1,4,.,0,1,0\n1,5,6,0,0,0\n"
    )
    study = read(tmp_path, text)
    assert fates(study) == {
        ("used", "samples", ""): 2,
        ("without a result", "samples", ""): 1,
        ("excluded", "samples", "MDV=1"): 1,
        ("set aside", "", "IGNORED=1: a line that Monolix ignores"): 1,
    }
    assert study.select("qpcr")["state"].tolist() == ["below", "quantified"]
    assert doubts_of(study, "MDV=1 and are kept")[0]["row"] == 4


def test_the_upper_end_of_a_level_above_dv_is_not_kept_and_that_is_told(tmp_path):
    study = read(tmp_path, "ID,TIME,DV,CENS,LIMIT\n1,1,900,-1,2000\n")
    assert study.samples["uloq"].tolist() == [900]
    assert doubts_of(study, "the upper end that LIMIT states")


def test_ytype_goes_before_dvid(tmp_path):
    text = "ID,TIME,DV,YTYPE\n1,7,310,1\n1,7,12,2\n"
    said = 'time_unit = "day"\nassays = { 1 = "qpcr", 2 = "il6" }'
    assert read(tmp_path, text, said).assays == ("qpcr", "il6")


def test_what_is_written_says_what_is_known_of_each_level(tmp_path):
    frame = pd.DataFrame(
        {
            "patient": "a",
            "time": [1, 2, 3, 4, 5, 6, 7, 8],
            "level": ["ND", "30", "310", ">900", "NA", "320", "detected", "BLQ"],
            "assay": ["qpcr"] * 6 + ["il6"] * 2,
            "lloq": [50.0] * 6 + [5, None],
            "llod": [20.0] * 6 + [None] * 2,
            "uloq": [900.0] * 6 + [None] * 2,
            "excluded": [0, 0, 0, 0, 0, 1, 0, 0],
            "visit": ["a,b", "a;b", 'a"b', ".", "", "a\tb", "é", "%"],
        }
    )
    infusions = pd.DataFrame({"patient": ["a"], "dose": [1e8]})
    study = Study.from_frames(samples=frame, infusions=infusions)
    path = write_study(study, tmp_path, format="monolix")
    file = tmp_path / "monolix.csv"
    table = pd.read_csv(file, dtype="str")
    columns = ["TIME", "DV", "AMT", "EVID", "MDV", "ADM", "YTYPE", "CENS", "LIMIT"]
    assert table[columns].to_numpy().tolist() == [
        ["0", ".", "100000000", "1", "1", "1", "0", "0", "."],
        ["1", "50", ".", "0", "0", "0", "1", "1", "0"],
        ["2", "50", ".", "0", "0", "0", "1", "1", "20"],
        ["3", "310", ".", "0", "0", "0", "1", "0", "."],
        ["4", "900", ".", "0", "0", "0", "1", "-1", "."],
        ["5", ".", ".", "0", "1", "0", "1", "0", "."],
        ["6", "320", ".", "0", "1", "0", "1", "0", "."],
        ["7", "5", ".", "0", "0", "0", "2", "1", "0"],
        ["8", ".", ".", "0", "1", "0", "2", "1", "0"],
    ]
    visits = ["a%2Cb", "a%3Bb", "a%22b", "%2E", ".", "a b", "é", "%25"]
    assert table["VISIT"].tolist() == [".", *visits]
    # The separators that Monolix knows, but for the blank in texts.
    text = file.read_text("utf-8")
    assert not set(';\t"') & set(text)
    assert text.count(",") == text.count("\n") * (len(table.columns) - 1)
    assert read_study(path) == study


def test_a_written_file_means_the_same_to_one_who_reads_only_what_monolix_reads(
    tmp_path,
):
    """Read it by the columns that Monolix knows, without those that are ours."""
    frame = pd.DataFrame(
        {
            "patient": ["1", "1", "1", "1", "2"],
            "time": [1, 2, 3, 4, 7],
            "level": ["ND", "30", "310", ">900", "7"],
            "assay": "qpcr",
            "lloq": 5.0,
            "llod": 2.0,
            "uloq": 900.0,
        }
    )
    frame.loc[1, ["lloq", "llod"]] = [50.0, 20.0]
    study = Study.from_frames(samples=frame)
    write_study(study, tmp_path / "written", format="monolix")
    table = pd.read_csv(tmp_path / "written" / "monolix.csv", dtype="str")
    table = table[["ID", "TIME", "DV", "MDV", "YTYPE", "CENS", "LIMIT"]]
    said = 'time_unit = "day"\nassays = { 1 = "qpcr" }'
    again = read(tmp_path, table.to_csv(index=False), said).samples
    same = ["patient", "time", "assay", "state"]
    pd.testing.assert_frame_equal(again[same], study.samples[same])
    quantified = study.samples["state"] == "quantified"
    assert again["level"][quantified].equals(study.samples["level"][quantified])


def test_decimal_commas_are_read_where_study_toml_says_so(tmp_path):
    text = "ID;TIME;Y;AMT;WT\n1;0;.;1,5e8;80,5\n1;168,5;5,25;.;80,5\n"
    said = 'time_unit = "hour"\nassay = "qpcr"\nseparator = ";"'
    (problem, *_) = problems_of(tmp_path, text, said, name="monolix")
    assert "decimal" in problem.todo
    said += '\ndecimal = ","'
    study = study_of(tmp_path, text, said, name="monolix")
    assert study.samples["time"].tolist() == [7.020833333]
    assert study.samples["level"].tolist() == [5.25]
    assert study.infusions["dose"].tolist() == [1.5e8]
    assert study.patients["WT"].tolist() == [80.5]
    # 5.250 may be 5250.
    text = text.replace("5,25", "5.250")
    (problem,) = problems_of(tmp_path, text, said, name="monolix")
    assert (problem.row, problem.column, problem.value) == (3, "Y", "5.250")
