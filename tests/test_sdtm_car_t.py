"""SDTM as CAR-T trials deliver it: lymphodepletion, screening, counts and shares."""

import csv

import pytest
from sdtm_files import (
    DM,
    EX,
    PC,
    SECTION,
    aside,
    columns,
    problems,
    rows,
    study,
    told,
    write,
)

import cellpk as ck

FLU = EX | {"EXTRT": "FLUDARABINE", "EXDOSE": "30", "EXDOSU": "mg/m2", "EXSEQ": "9"}
FLU |= {"EXSTDTC": "2020-02-23"}
PRODUCT = f'{SECTION}\nproduct = ["CART"]'
STARTED = DM | {"RFSTDTC": "2020-02-23", "RFXSTDTC": "2020-02-23"}
OTHER = {"USUBJID": "S-2", "SUBJID": "2"}


def test_who_got_lymphodepletion_alone_was_never_infused(tmp_path):
    dm = rows(STARTED, {}, OTHER)
    read = study(tmp_path, PRODUCT, dm=dm, ex=[FLU, EX, FLU | OTHER])
    assert read.patients["patient"].tolist() == ["S-1"]
    assert columns(read, "comedication", "patient", "time") == [["S-1", -7]]
    assert aside(read) == {
        ("sdtm/dm.csv", "never infused"): 1,
        ("sdtm/ex.csv", "of a patient who was never infused"): 1,
    }
    assert not told(read, "RFXSTDTC")


def test_lymphodepletion_does_not_date_an_infusion(tmp_path):
    undated = EX | {"EXSTDTC": "2020-03"}
    found = problems(tmp_path, PRODUCT, dm=[STARTED], ex=[FLU, undated])
    assert {p.patient for p in found} == {"S-1"}
    assert "the patient was infused, but no infusion has a full date" in found[0].what


def test_samples_of_screening_failures_are_set_aside_where_nothing_was_found(tmp_path):
    dm = rows(DM, {}, OTHER | {"RFSTDTC": ""})
    screened = PC | OTHER | {"PCSTRESC": "ND", "PCSTRESN": "", "PCORRES": "ND"}
    read = study(tmp_path, dm=dm, pc=[PC, screened])
    assert aside(read)["sdtm/pc.csv", "of a patient who was never infused"] == 1
    above = screened | {"PCSTRESC": ">1000000"}
    assert [p.rule for p in problems(tmp_path, dm=dm, pc=[PC, above])] == [
        "never_infused"
    ]


def test_planned_days_of_visits_count_from_the_reference_date(tmp_path):
    # The infusion is study day 8, so VISITDY 15 is day 7 after it, as PCDTC says.
    dm, pc = [STARTED], rows(PC, {"VISITDY": "15"}, {"VISITDY": "-6", "PCDTC": ""})
    known = study(
        tmp_path, f"{PRODUCT}\ninfusion_visit_day = 8", dm=dm, ex=[EX, FLU], pc=pc
    )
    assert columns(known, "samples", "time", "nominal_time") == [[-13, -13], [7, 7]]
    read = study(tmp_path, PRODUCT, dm=dm, ex=[EX, FLU], pc=pc[:1])
    assert columns(read, "samples", "nominal_time") == [[None]]
    assert told(read, "1 record with VISITDY, of patients whose RFSTDTC is another day")


def test_a_sample_before_a_second_infusion_is_not_late(tmp_path):
    second = EX | {"EXSEQ": "2", "EXSTDTC": "2020-03-20T10:00"}
    pc = [PC | {"PCTPT": "PREDOSE"}]
    assert told(study(tmp_path, pc=pc), "marked as taken before the dose")
    again = study(tmp_path, ex=[EX, second], pc=pc)
    assert not told(again, "marked as taken before the dose")


def test_counts_and_shares_of_one_code_are_told_apart_by_their_units(tmp_path):
    cp = {"DOMAIN": "CP", "USUBJID": "S-1", "CPSEQ": "1", "CPTESTCD": "CARCELL"}
    cp |= {"CPSTRESC": "22.5", "CPSTRESU": "cells/uL", "CPDTC": "2020-03-11T10:00"}
    share = {"CPSEQ": "2", "CPSTRESC": "12", "CPSTRESU": "%"}
    said = 'assays = { CAR = "qpcr", CARCELL = "flow", "CARCELL/%" = "flow_percent" }'
    read = study(tmp_path, said, cp=rows(cp, {}, share))
    assert columns(read, "samples", "assay", "level") == [
        ["flow", 22.5],
        ["flow_percent", 12],
        ["qpcr", 300],
    ]


def test_a_death_in_ds_that_dm_could_tell_and_does_not_is_doubtful(tmp_path):
    ds = {"DOMAIN": "DS", "USUBJID": "S-1", "DSSEQ": "1", "DSDECOD": "DEATH"}
    ds |= {"DSSTDTC": "2020-06-09"}
    read = study(tmp_path, dm=[DM | {"DTHFL": ""}], ds=[ds])
    assert columns(read, "outcomes", "endpoint", "time") == [["death", 100]]
    assert told(read, "1 record of a death in DS that DM does not tell")
    assert not told(study(tmp_path, ds=[ds]), "DM does not tell")


def test_residual_disease_of_rs_needs_no_word(tmp_path):
    rs = {"DOMAIN": "RS", "USUBJID": "S-1", "RSSEQ": "1", "RSTESTCD": "MRD"}
    rs |= {"RSSTRESC": "NEGATIVE", "RSDTC": "2020-03-29"}
    assert columns(study(tmp_path, rs=[rs]), "outcomes", "endpoint", "value") == [
        ["mrd", "negative"]
    ]


@pytest.mark.parametrize("names", [str.lower, str.capitalize])
def test_names_of_variables_are_read_in_any_case(tmp_path, names):
    path = write(tmp_path)
    wanted = ck.read_study(path)
    for file in (tmp_path / "sdtm").glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as lines:
            header, *records = csv.reader(lines)
        with file.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows([[names(name) for name in header], *records])
    assert ck.read_study(path) == wanted
