import csv
import re
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sdtm_files import told

import cellpk as ck
from cellpk import DataError, read_study, write_study
from cellpk.study.sdtm.qualifying import MOST, pieces
from cellpk.study.sdtm.variables import LABELS
from cellpk.study.sdtm.writing import write

LONG = "twelve words of more than two hundred bytes " * 9
SOLID = "患" * 150  # 450 bytes without any space
SAMPLES = {"patient": "1", "time": 7.0, "level": "3", "assay": "qpcr"}


def made(samples=None, settings=None, **tables):
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    said = {"study": {"id": "A", "infusion_day": 0}} | (settings or {})
    rows = pd.DataFrame([SAMPLES] if samples is None else samples)
    return ck.Study.from_frames(rows, **frames, settings=said)


def again(study, folder, ending=""):
    return read_study(write_study(study, folder, format="sdtm", ending=ending))


def frames(study):
    return {data.name: data.frame for data in write(study).datasets}


def test_dates_are_synthetic_and_the_files_say_so(tmp_path):
    study = made(infusions=[{"patient": "1", "time": 0.25, "dose": 1e8}])
    path = write_study(study, tmp_path, format="sdtm")
    text = path.read_text("utf-8")
    assert text.startswith("# All dates are synthetic: time 0 of every patient is 2000")
    dictionary = pd.read_csv(tmp_path / "data_dictionary.csv").fillna("")
    dated = dictionary[dictionary["variable"].str.endswith("DTC")]
    assert len(dated) >= 4
    assert dated["meaning"].str.startswith("synthetic").all()
    people = frames(study)["dm"].iloc[0]
    assert people["RFSTDTC"] == "2000-01-01T00:00:00"
    assert people["RFXSTDTC"] == "2000-01-01T06:00:00"
    assert tomllib.loads(text)["data"][0]["reference"] == "RFSTDTC"


def test_study_days_have_no_day_0():
    rows = [SAMPLES | {"time": time} for time in (-0.5, 0.0, 0.75, 7.0)]
    assert frames(made(rows))["pc"]["PCDY"].tolist() == [-1, 1, 1, 8]


def test_each_assay_goes_to_its_domain_under_the_code_of_the_standard():
    assays = {"qpcr": "300", "flow": "3", "il6": "<2", "cd19": "0.5"}
    rows = [SAMPLES | {"assay": name, "level": x} for name, x in assays.items()]
    study = made(rows)
    found = {
        name: frame[f"{name[:2].upper()}TESTCD"].tolist()
        for name, frame in frames(study).items()
        if name in ("pc", "cp", "lb")
    }
    assert found == {"pc": ["QPCR"], "cp": ["BLYCE", "FLOW"], "lb": ["INTLK6"]}


def test_everything_written_keeps_the_limits_of_the_standard():
    for data in write(ck.simulate_study(seed=1)).datasets:
        assert re.fullmatch("[a-z]{2}|supp[a-z]{2}", data.name)
        assert len(data.label) <= 40
        for variable in data.variables:
            assert re.fullmatch("[A-Z][A-Z0-9]{0,7}", variable.name)
            assert 0 < len(variable.label) <= 40
        for name in data.frame.select_dtypes("str"):
            sizes = data.frame[name].str.encode("utf-8").str.len()
            assert sizes.max() <= 200, name
        keys = [n for n in data.frame if n == "USUBJID" or n.endswith("SEQ")]
        if data.name[:4] != "supp":
            assert not data.frame.duplicated(keys).any()
    assert max(map(len, LABELS.values())) <= 40


def test_every_supplement_has_its_record():
    datasets = {
        data.name: data.frame for data in write(ck.simulate_study(seed=1)).datasets
    }
    for name, supp in datasets.items():
        if name.startswith("supp") and name != "suppdm":
            parent = datasets[name.removeprefix("supp")]
            key = supp["IDVAR"].iloc[0]
            there = set(zip(parent["USUBJID"], parent[key].astype(str), strict=True))
            wanted = zip(supp["USUBJID"], supp["IDVARVAL"], strict=True)
            assert set(wanted) <= there


def test_a_supplement_is_written_only_for_what_the_text_does_not_say():
    plain = made([SAMPLES | {"level": "<50"}, SAMPLES | {"time": 8, "level": "70"}])
    assert "supppc" not in frames(plain)
    odd = {"level": "30", "lloq": 50, "llod": 10, "state": "quantified"}
    supp = frames(made([SAMPLES | odd]))["supppc"]
    told = dict(zip(supp["QNAM"], supp["QVAL"], strict=True))
    assert told == {"PCLLOD": "10", "PCSTATE": "QUANTIFIED"}


def test_an_assumed_limit_is_not_written_as_that_of_the_laboratory(tmp_path):
    limits = {"qpcr": {"assumed_lloq": 40.0, "why": "an old habit"}}
    study = made([SAMPLES | {"level": "ND"}], {"limits": limits})
    assert frames(study)["pc"]["PCSTRESC"].tolist() == ["BLQ"]
    assert again(study, tmp_path) == study


@pytest.mark.parametrize("ending", [".csv", ".xpt", ".json"])
def test_long_texts_go_on_in_the_supplement(tmp_path, ending):
    study = made(
        [
            SAMPLES | {"visit": LONG, "excluded": 1, "reason": SOLID},
            SAMPLES | {"time": 8.0, "visit": "D8", "reported": f"{LONG} {SOLID}"},
            SAMPLES | {"time": 9.0, "derived": LONG, "reason": LONG + SOLID},
        ],
        patients=[{"patient": "1", "history": LONG, "race": SOLID}],
        infusions=[{"patient": "1", "lot": LONG, "unit": SOLID}],
        comedication=[{"patient": "1", "drug": f"{SOLID} {LONG}"}],
        outcomes=[
            {"patient": "1", "endpoint": "response", "value": "CR", "note": LONG},
            {"patient": "1", "endpoint": "dlt", "value": "1", "criteria": SOLID},
        ],
    )
    assert again(study, tmp_path, ending) == study


def test_texts_beyond_ten_pieces_are_refused():
    with pytest.raises(DataError, match="2300 bytes is too long for SDTM"):
        write(made([SAMPLES | {"visit": "x" * 2300}]))


@given(st.text(st.sampled_from("ab 患é"), min_size=150, max_size=700))
def test_pieces_are_short_and_whole(text):
    text = " ".join(text.split())
    found = pieces(text)
    assert all(len(piece.encode()) <= MOST for piece, _ in found)
    assert "".join(between + piece for piece, between in found) == text


def test_covariates_keep_their_order_type_and_last_digit(tmp_path):
    patients = {
        "patient": ["1", "2"],
        "burden_2": [0.1, np.nan],
        "sex": ["F", "M"],
        "age": [61.5, np.nan],
        "nobody_has_it": [None, None],
        "siteid": ["007", "008"],
        "last_contact": [1 / 3, 400.0],
        "race": [1, 2],
        "burden": ["high", "low"],
    }
    study = made(patients=patients)
    written = write(study)
    assert written.section["covariates"] == {
        "burden_2": "BURDEN",
        "sex": "SEX",
        "age": "AGE",
        "nobody_has_it": "",
        "siteid": "SITEID",
        "last_contact": "LASTCONT",  # a third of a day is no date
        "race": "RACEB",
        "burden": "BURDENB",
    }
    assert again(study, tmp_path) == study
    short = made(patients=pd.DataFrame(patients).assign(last_contact=[0.5, 400.0]))
    assert write(short).section["covariates"]["last_contact"] == "RFPENDTC"
    assert again(short, tmp_path / "b") == short


def test_outcomes_that_only_their_order_tells_apart_keep_it(tmp_path):
    grade = {"patient": "1", "endpoint": "crs_grade", "time": 3.0}
    rows = [
        grade | {"value": "2", "criteria": "ASTCT"},
        grade | {"value": "0", "criteria": "CTCAE v5"},
        grade | {"value": "1", "criteria": ""},
        grade | {"value": "3", "criteria": "CTCAE v5", "time": None},
        grade | {"value": "2", "criteria": "ASTCT", "time": None},
        *[grade | {"endpoint": "death", "value": x} for x in ("1", "0", "1")],
        grade | {"endpoint": "death", "value": "1", "time": 9.0},
        grade | {"endpoint": "icans_grade", "value": "4", "evaluator": "IRC"},
        grade | {"endpoint": "progression", "value": "0", "note": "at 3 months"},
        grade | {"endpoint": "mrd", "value": "negative"},
    ]
    study = made(outcomes=rows)
    assert again(study, tmp_path) == study
    found = frames(study)
    assert set(found) >= {"ae", "ce", "rs", "ds", "suppae", "suppce"}
    assert found["ds"]["DSDECOD"].tolist() == ["DEATH"]
    assert found["dm"]["DTHDTC"].tolist() == ["2000-01-10T00:00:00"]


def test_notes_that_list_qualifiers_are_qualifiers_again(tmp_path):
    notes = [
        "PDOFL=Y; NACTDT=2014-02-10",
        "NACTDT=2014; PDOFL=Y",  # in another order than the first one
        "RSEVAL=IRC",  # the name of a variable
        "X1=a",  # would continue a text
        "a=b; c",
        "",
    ]
    rows = [
        {"patient": "1", "endpoint": "response", "value": "PD", "time": i, "note": note}
        for i, note in enumerate(notes)
    ]
    study = made(outcomes=rows)
    supp = frames(study)["supprs"]
    assert supp["QNAM"].tolist() == ["PDOFL", "NACTDT", *["RSNOTE"] * 4]
    assert supp["QLABEL"].tolist()[:2] == [
        "Progressive Disease: Other",
        "New Anti-Cancer Therapy Date",
    ]
    assert again(study, tmp_path) == study


def test_patients_without_infusion_or_time_come_back(tmp_path):
    study = made(
        [SAMPLES, SAMPLES | {"patient": "é 2", "time": -3.25}],
        patients=[{"patient": name} for name in ("1", "é 2", "nobody")],
        infusions=[
            {"patient": "1", "time": 0.0, "dose": 1e8, "lot": "L1"},
            {"patient": "1", "time": 60.0, "dose": None, "lot": "L2"},
            {"patient": "nobody", "time": 1.5, "dose": 3e-9, "lot": "."},
        ],
        comedication=[{"patient": "1", "drug": "x", "time": None, "end_time": 3.0}],
    )
    read = again(study, tmp_path)
    assert read == study
    assert (tmp_path / "ex.csv").read_text().count("CAR-T CELLS") == 3
    assert not told(read, "whole days")


def test_numbers_that_no_sas_file_holds_stay_in_the_text(tmp_path):
    study = made([SAMPLES | {"level": "1e-300"}])
    row = frames(study)["pc"].iloc[0]
    assert (row["PCSTRESC"], str(row["PCSTRESN"])) == ("1e-300", "nan")
    assert again(study, tmp_path, ".xpt") == study


def test_what_is_written_is_plain_csv(tmp_path):
    write_study(made([SAMPLES | {"specimen": "marrow"}]), tmp_path, format="sdtm")
    with (tmp_path / "pc.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert row["PCSPEC"] == "BONE MARROW"
    assert row["PCTEST"] == "CAR transgene by qPCR"
    assert (row["PCSTRESC"], row["PCSTRESN"], row["PCSTRESU"]) == (
        "3",
        "3",
        "copies/ug",
    )


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=15, deadline=None)
@given(
    states=st.lists(
        st.sampled_from(["quantified", "detected", "below", "above", "missing", ""]),
        min_size=1,
        max_size=6,
    ),
    words=st.lists(WORDS, min_size=4, max_size=4),
    level=st.one_of(st.floats(1e-6, 1e6), st.sampled_from(["", "<3", "ND", ">9", "0"])),
    lloq=st.one_of(st.none(), st.floats(3, 9)),
)
def test_any_state_beside_any_text_comes_back(
    tmp_path_factory, states, words, level, lloq
):
    rows = pd.DataFrame([SAMPLES] * len(states))
    rows = rows.assign(time=np.arange(len(rows)) / 7, state=states, lloq=lloq)
    rows["level"] = pd.Series([level] * len(rows), dtype=object)
    rows["reported"], rows["reason"] = words[0], words[1]
    rows["visit"], rows["specimen"] = words[2], words[3]
    limits = {"limits": {"qpcr": {"zero": "below"}}}
    try:
        study = made(rows, limits)
    except DataError:
        return  # as a quantified sample without a number
    folder = tmp_path_factory.mktemp("study")
    assert again(study, folder) == study
