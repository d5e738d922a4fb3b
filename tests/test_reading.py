import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpk import DataError, read_study
from cellpk.study.writing import write_study

ROOT = Path(__file__).parents[1]
CAR22 = ROOT / "notebooks" / "car22_study.toml"

TOML = """
[study]
id = "A"
infusion_day = 1
[[samples]]
file = "levels.csv"
time_unit = "day"
unit = "copies/ug"
assays = { PCR = "qpcr" }
columns = { patient = "ID", time = "DAY", level = "DV", assay = "TEST", lloq = "LLOQ" }
[patients]
file = "people.csv"
columns = { patient = "ID", dose_level = "DL" }
[infusions]
file = "people.csv"
unit = "cells"
columns = { patient = "ID", dose = "CELLS" }
[[comedication]]
file = "people.csv"
columns = { patient = "ID" }
given = { TOCI = "tocilizumab" }
[[outcomes]]
file = "people.csv"
columns = { patient = "ID" }
[outcomes.endpoints.best_response]
column = "RESP"
values = { "complete remission" = "CR", none = "" }
[outcomes.endpoints.crs_grade]
column = "CRS"
time = "CRSDAY"
"""
LEVELS = """ID,DAY,DV,TEST,LLOQ
007,1,ND,PCR,50
007,8,2.5e4,PCR,50
007,15,<50,PCR,
008,8,310,PCR,50
"""
PEOPLE = """ID,DL,CELLS,TOCI,RESP,CRS,CRSDAY
007,1,1e8,1,complete remission,2,4
008,2,3e8,0,none,0,
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.toml").write_text(TOML)
    (tmp_path / "levels.csv").write_text(LEVELS)
    (tmp_path / "people.csv").write_text(PEOPLE)
    return tmp_path


def problems_of(folder):
    with pytest.raises(DataError) as caught:
        read_study(folder / "study.toml")
    return caught.value.problems


def replace(folder, name, old, new):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_a_study_is_read_from_its_toml_and_files(folder):
    study = read_study(folder)
    assert repr(study) == "Study A: 2 patients, 4 qpcr samples (2 below), days 0 to 14"
    assert study.samples["patient"].unique().tolist() == ["007", "008"]
    assert study.samples["row"].tolist() == [2, 3, 4, 5]
    assert study.patients["dose_level"].tolist() == [1, 2]
    assert study.infusions["dose"].tolist() == [1e8, 3e8]
    assert study.infusions["time"].tolist() == [0, 0]
    assert study.comedication["patient"].tolist() == ["007"]
    assert study.outcomes[["endpoint", "value"]].to_numpy().tolist() == [
        ["best_response", "CR"],
        ["crs_grade", "2"],
        ["crs_grade", "0"],
    ]
    np.testing.assert_array_equal(study.outcomes["time"], [np.nan, 3, np.nan])


def test_the_files_that_were_read_are_told_with_their_hashes(folder):
    sources = read_study(folder).sources
    assert [source["file"] for source in sources] == [
        "study.toml",
        "levels.csv",
        "people.csv",
    ]
    assert [source["rows"] for source in sources] == [0, 4, 2]
    assert all(len(source["sha256"]) == 64 for source in sources)


def test_everything_impossible_in_all_files_is_told_at_once(folder):
    replace(folder, "levels.csv", "2.5e4", "-2.5e4")
    replace(folder, "levels.csv", "310", "plenty")
    replace(folder, "people.csv", "1e8", "none")
    replace(folder, "people.csv", "008,", "007,")
    replace(folder, "people.csv", ",2,4", ",severe,4")
    told = [(p.file, p.row, p.column, p.value) for p in problems_of(folder)]
    assert told == [
        ("levels.csv", 5, "DV", "plenty"),
        ("levels.csv", 3, "DV", "-2.5e4"),
        ("people.csv", 3, "ID", "007"),
        ("people.csv", 2, "CELLS", "none"),
        ("people.csv", 2, "CRS", "severe"),
    ]


def test_a_missing_file_does_not_hide_what_is_wrong_elsewhere(folder):
    (folder / "people.csv").unlink()
    replace(folder, "levels.csv", "310", "plenty")
    problems = problems_of(folder)
    assert {problem.file for problem in problems} == {"people.csv", "levels.csv"}
    assert len(problems) == 2


def test_a_missing_column_offers_the_nearest_one(folder):
    replace(folder, "levels.csv", "LLOQ", "LLOQQ")
    (problem,) = problems_of(folder)
    assert problem.column == "LLOQ"
    assert "Did you mean 'LLOQQ'?" in problem.todo


def test_a_file_with_another_separator_says_so(folder):
    (folder / "levels.csv").write_text(LEVELS.replace(",", ";"))
    assert "'separator'" in problems_of(folder)[0].todo


def test_wide_columns_that_are_not_there_are_told(folder):
    replace(folder, "study.toml", 'time = "CRSDAY"', 'time = "CRS_DAY"')
    replace(folder, "study.toml", "TOCI =", "TOCY =")
    assert [p.column for p in problems_of(folder)] == ["TOCY", "CRS_DAY"]


def test_hours_are_elapsed_time_whatever_the_infusion_day_is_called(folder):
    replace(folder, "study.toml", 'time_unit = "day"', 'time_unit = "hour"')
    assert read_study(folder).samples["time"].tolist()[0] == pytest.approx(1 / 24)


BREAKS = {
    "drop a column": lambda text, rng: "\n".join(
        line.partition(",")[2] for line in text.splitlines()
    ),
    "put a text in a level": lambda text, rng: text.replace("2.5e4", "high"),
    "negative": lambda text, rng: text.replace("310", "-310"),
    "blank patient": lambda text, rng: text.replace("008", " "),
    "byte-order mark": lambda text, rng: "\ufeff" + text,
    "Windows lines": lambda text, rng: text.replace("\n", "\r\n"),
    "old Mac lines": lambda text, rng: text.replace("\n", "\r"),
    "doubled header": lambda text, rng: text.replace("TEST", "DV"),
    "empty": lambda text, rng: "",
    "header only": lambda text, rng: text.partition("\n")[0],
    "not a number": lambda text, rng: text.replace("310", "NaN"),
    "infinite": lambda text, rng: text.replace("310", "inf"),
    "decimal comma": lambda text, rng: text.replace("310", '"3,10"'),
    "semicolons": lambda text, rng: text.replace(",", ";"),
    "a row twice": lambda text, rng: text + "".join(text.splitlines()[-1:]),
    "an open quotation mark": lambda text, rng: text.replace("310", '"310'),
    "a cell too many": lambda text, rng: text.replace("310", "310,1"),
    "empty lines": lambda text, rng: text.replace("\n", "\n\n"),
    "no time": lambda text, rng: text.replace("008,8", "008,"),
    "cut off": lambda text, rng: text[: rng.randrange(len(text) + 1)],
    "a cell lost": lambda text, rng: rng.choice(["", ","]).join(
        text.rsplit(",", rng.randrange(1, 9))
    ),
    "a character changed": lambda text, rng: text.replace(
        rng.choice(text or "x"), rng.choice("\0\x7f,;\"'<>-.eE٣ \n|€")
    ),
}


def breaks_are_told_or_lose_nothing(folder, names, rng):
    text = LEVELS
    for name in names:
        text = BREAKS[name](text, rng)
    (folder / "study.toml").write_text(TOML)
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "levels.csv").write_text(text, encoding="utf-8", newline="")
    try:
        study = read_study(folder)
    except DataError:
        return
    counts, source = study.counts, study.sources[1]
    used_or_not = counts["used"] + counts["missing"] + counts["excluded"]
    assert source["rows"] == counts["samples"] == used_or_not


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_file_is_a_data_error_or_a_study_that_lost_nothing(tmp_path, name):
    breaks_are_told_or_lose_nothing(tmp_path, [name], random.Random(1))


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(BREAKS)), min_size=2, max_size=4),
    rng=st.randoms(use_true_random=False),
)
def test_so_is_a_file_that_is_broken_in_many_ways(tmp_path_factory, names, rng):
    breaks_are_told_or_lose_nothing(tmp_path_factory.mktemp("broken"), names, rng)


@pytest.fixture(scope="module")
def car22():
    if not (ROOT / "../shared/data/car22").is_dir():
        pytest.skip("the car22 data stand beside the repository, not in it")
    return read_study(CAR22)


def test_car22_holds_the_patients_and_samples_of_its_source(car22):
    n = {assay: len(car22.select(assay)) for assay in car22.assays}
    assert n == {"flow": 182, "flow_percent": 195, "il6": 926}
    patients = {a: car22.select(a)["patient"].nunique() for a in car22.assays}
    assert patients == {"flow": 55, "flow_percent": 56, "il6": 59}
    assert car22.counts["patients"] == 59
    assert car22.counts["samples"] == car22.counts["used"] == 1303
    assert repr(car22).startswith("Study CAR22: 59 patients, 182 flow samples (34 be")


def test_car22_zeros_are_below_a_limit_that_is_assumed_aloud(car22):
    flow = car22.select("flow")
    below = flow[flow["state"] == "below"]
    assert len(below) == 34
    assert below["limit_assumed"].all()
    assert below["lloq"].unique().tolist() == [2.0]
    assert flow.loc[flow["state"] == "quantified", "lloq"].isna().all()
    percent = car22.select("flow_percent")
    assert percent.loc[percent["state"] == "below", "lloq"].isna().all()
    what = car22.problems["what"]
    assert what.str.contains("34 samples of flow are reported as '0.0'").sum() == 1
    assert what.str.contains("2 cells/uL as their limit, an assumption").sum() == 1


def test_car22_outcomes_and_comedication_agree_with_the_paper(car22):
    outcomes = car22.outcomes
    values = outcomes.groupby("endpoint")["value"].value_counts()
    assert values["best_response"].to_dict() == {"CR": 42, "SD": 10, "PD": 5, "PR": 1}
    assert values["mrd"].to_dict() == {"negative": 37, "positive": 5}
    crs = outcomes[outcomes["endpoint"] == "crs_grade"]
    assert (crs["value"] != "0").sum() == 52  # the paper's abstract
    assert crs["time"].notna().sum() == 52
    drugs = car22.comedication["drug"].value_counts().to_dict()
    assert drugs == {"tocilizumab": 24, "corticosteroid": 21, "anakinra": 9}
    assert car22.patients["hlh"].sum() == 21  # the paper's abstract
    assert car22.unit("tumour_burden") == "%"
    assert car22.patients["tumour_burden"].notna().sum() == 57


def test_car22_patients_with_something_missing_are_told_and_kept(car22):
    problems = car22.problems
    missing = problems[problems["what"].str.startswith("'best_response' is missing")]
    (patient,) = missing["patient"]
    assert patient in set(car22.patients["patient"])
    no_flow = problems["what"].str.contains("no usable sample of the main assay, flow")
    assert no_flow.sum() == 4


def test_car22_is_the_same_after_writing_and_reading(car22, tmp_path):
    assert read_study(write_study(car22, tmp_path)) == car22


def test_a_folder_of_files_is_read_whole_but_for_what_is_skipped(tmp_path):
    (tmp_path / "study.toml").write_text(
        """
[study]
id = "A"
infusion_day = 0
[[data]]
format = "nonmem"
files = ["delivered"]
skip = ["odd.json"]
time_unit = "day"
assay = "qpcr"
"""
    )
    folder = tmp_path / "delivered"
    folder.mkdir()
    (folder / "a.csv").write_text("ID,TIME,DV\n1,7,300\n")
    (folder / "b.csv").write_text("ID,TIME,DV\n2,7,400\n")
    (folder / "odd.json").write_text("{}")
    (folder / "define.xml").write_text("<a/>")
    study = read_study(tmp_path)
    assert [s["file"] for s in study.sources[1:]] == [
        str(Path("delivered") / name) for name in ("a.csv", "b.csv")
    ]
    (told,) = study.problems.query("rule == 'files_not_read'")["what"]
    assert told == "the folder 'delivered' holds what is not read: define.xml"
