import pytest
from sdtm_files import DM, EX, PC, aside, columns, problems, rows, study, told


def test_a_small_study_is_read(tmp_path):
    read = study(tmp_path)
    assert columns(read, "samples", "patient", "time", "level", "assay") == [
        ["S-1", 7.0, 300.0, "qpcr"]
    ]
    assert columns(read, "infusions", "time", "dose", "unit") == [[0.0, 1e8, "cells"]]
    assert read.accounting["fate"].tolist() == ["used"] * 3
    assert not told(read, "whole days")


def test_lymphodepletion_is_comedication_and_the_product_is_said(tmp_path):
    flu = EX | {"EXSEQ": "2", "EXTRT": "FLUDARABINE", "EXDOSE": "30", "EXDOSU": "mg/m2"}
    flu |= {"EXSTDTC": "2020-02-25", "EXENDTC": "2020-02-27"}
    found = problems(tmp_path, ex=[EX, flu])
    assert [problem.what for problem in found] == [
        "there are several treatments: CART, FLUDARABINE"
    ]
    assert 'product = ["CART"]' in found[0].todo
    section = 'assays = { CAR = "qpcr" }\nproduct = ["cart"]'
    read = study(tmp_path, section, ex=[EX, flu])
    names = ("drug", "time", "end_time", "dose", "unit")
    assert columns(read, "comedication", *names) == [
        ["fludarabine", -5.0, -3.0, 30.0, "mg/m2"]
    ]
    assert len(read.infusions) == 1


def test_a_product_that_nobody_got_is_a_problem(tmp_path):
    found = problems(tmp_path, 'assays = { CAR = "qpcr" }\nproduct = ["CARTT"]')
    assert "nobody was given the product 'CARTT'" in [p.what for p in found]
    assert "Did you mean 'CART'?" in found[0].todo


@pytest.mark.parametrize(
    ("word", "infusions"), [("given", [[0.0, None]]), ("not given", [])]
)
def test_a_dose_of_0_is_decided_by_a_person(tmp_path, word, infusions):
    none = [EX | {"EXDOSE": "0"}]
    found = problems(tmp_path, ex=none)
    assert [(p.what, p.column, p.value) for p in found] == [
        ("the dose of the product is 0", "EXDOSE", "0")
    ]
    section = f'assays = {{ CAR = "qpcr" }}\nzero_dose = "{word}"'
    people = [DM | {"RFXSTDTC": "2020-03-01T10:00"}]
    read = study(tmp_path, section, ex=none, dm=people)
    assert columns(read, "infusions", "time", "dose") == infusions


def test_what_was_planned_or_not_given_is_set_aside(tmp_path):
    ec = {name.replace("EX", "EC"): value for name, value in EX.items()}
    ec |= {"DOMAIN": "EC"}
    given = rows(
        ec,
        {"ECMOOD": "PERFORMED", "ECOCCUR": "Y"},
        {"ECMOOD": "SCHEDULED", "ECSEQ": "2"},
        {"ECMOOD": "PERFORMED", "ECOCCUR": "N", "ECSEQ": "3"},
    )
    read = study(tmp_path, ex=None, ec=given)
    assert len(read.infusions) == 1
    assert aside(read) == {
        ("sdtm/ec.csv", "planned, not yet given"): 1,
        ("sdtm/ec.csv", "was not given"): 1,
    }


def test_patients_who_were_never_infused_are_set_aside_with_their_rows(tmp_path):
    people = rows(DM, {}, {"USUBJID": "S-2", "RFSTDTC": ""})
    lb = {"DOMAIN": "LB", "USUBJID": "S-2", "LBSEQ": "1", "LBTESTCD": "INTLK6"}
    lb |= {"LBSTRESC": "3", "LBSTRESU": "pg/mL", "LBDTC": "2020-02-01"}
    ae = {"DOMAIN": "AE", "USUBJID": "S-2", "AESEQ": "1", "AETOXGR": "1"}
    ae |= {"AEDECOD": "Cytokine release syndrome", "AESTDTC": "2020-02-01"}
    read = study(tmp_path, dm=people, lb=[lb], ae=[ae])
    assert read.patients["patient"].tolist() == ["S-1"]
    assert aside(read) == {
        ("sdtm/dm.csv", "never infused"): 1,
        ("sdtm/lb.csv", "of a patient who was never infused"): 1,
        ("sdtm/ae.csv", "of a patient who was never infused"): 1,
    }


def test_car_t_samples_of_those_never_infused_are_a_problem(tmp_path):
    people = rows(DM, {}, {"USUBJID": "S-2", "RFSTDTC": ""})
    found = problems(tmp_path, dm=people, pc=rows(PC, {}, {"USUBJID": "S-2"}))
    assert [(p.what, p.row, p.patient) for p in found] == [
        ("CAR-T cells or transgene of a patient who was never infused", 3, "S-2")
    ]


def test_patients_whom_nobody_names_are_a_problem(tmp_path):
    found = problems(tmp_path, pc=rows(PC, {}, {"USUBJID": "S-9"}))
    assert [(p.what, p.patient) for p in found] == [
        ("neither DM nor the infusions name this patient", "S-9")
    ]


def test_covariates_are_those_of_dm_and_its_supplement(tmp_path):
    people = DM | {"AGE": "61", "AGEU": "YEARS", "SEX": "F", "RACE": "", "SITEID": "07"}
    people |= {"RFPENDTC": "2020-06-01", "BRTHDTC": "1959-01-01"}
    supp = {"RDOMAIN": "DM", "USUBJID": "S-1", "IDVAR": "", "IDVARVAL": ""}
    supp |= {"QNAM": "BURDEN", "QLABEL": "Tumour burden", "QVAL": "0.5"}
    read = study(tmp_path, dm=[people], suppdm=[supp])
    assert read.patients.to_dict("records") == [
        {
            "patient": "S-1",
            "age": 61,
            "sex": "F",
            "siteid": "07",
            "last_contact": 92.0,
            "burden": 0.5,
        }
    ]
    assert read.accounting.query("file == 'sdtm/suppdm.csv'")["table"].item() == (
        "patients"
    )


def test_covariates_that_are_asked_for_must_be_there(tmp_path):
    section = 'assays = { CAR = "qpcr" }\ncovariates = { years = "AEG", none = "" }'
    found = problems(tmp_path, section, dm=[DM | {"AGE": "61"}])
    assert [(p.what, p.todo) for p in found] == [
        (
            "there is no variable 'AEG' for the covariate 'years'",
            "Did you mean 'AGE'? Say '' where nobody has a value.",
        )
    ]


def test_patients_can_be_called_by_their_short_names(tmp_path):
    section = 'assays = { CAR = "qpcr" }\nsubject = "SUBJID"'
    read = study(tmp_path, section)
    assert read.samples["patient"].tolist() == ["1"]
    people = rows(DM, {}, {"USUBJID": "S-2"})
    found = problems(tmp_path, section, dm=people, ex=rows(EX, {}, {"USUBJID": "S-2"}))
    assert {p.what for p in found} >= {"SUBJID does not tell the patients apart"}


def test_qualifiers_without_a_record_are_told(tmp_path):
    supp = {"RDOMAIN": "PC", "USUBJID": "S-1", "IDVAR": "PCSEQ", "QNAM": "PCLLOD"}
    supp = rows(
        supp | {"QVAL": "5"},
        {"IDVARVAL": "1.0"},
        {"IDVARVAL": "7"},
        {"IDVARVAL": "1", "QNAM": "PCRUN", "QVAL": "A"},
    )
    read = study(tmp_path, supppc=supp)
    assert columns(read, "samples", "llod") == [[5.0]]
    assert told(read, "1 qualifier of records that are not there; patients S-1")
    assert aside(read) == {
        ("sdtm/supppc.csv", "a qualifier of a record that is not in the files"): 1
    }
    used = read.accounting.query("file == 'sdtm/supppc.csv' and fate == 'used'")
    assert used["rows"].item() == 2


def test_a_supplement_without_patients_qualifies_nobody(tmp_path):
    supp = {"RDOMAIN": "PC", "IDVAR": "PCSEQ", "IDVARVAL": "1"}
    read = study(tmp_path, supppc=[supp | {"QNAM": "PCLLOD", "QVAL": "5"}])
    assert told(
        read,
        "1 qualifier of records that are not there: the file has no column USUBJID",
    )


def test_other_domains_are_set_aside_whole(tmp_path):
    tv = [{"DOMAIN": "TV", "VISITNUM": "1"}, {"DOMAIN": "TV", "VISITNUM": "2"}]
    rel = [{"RDOMAIN": "AE", "USUBJID": "S-1", "RELID": "1"}]
    assert aside(study(tmp_path, tv=tv, relrec=rel)) == {
        ("sdtm/tv.csv", "domain TV is not read"): 2,
        ("sdtm/relrec.csv", "domain RELREC is not read"): 1,
    }


def test_a_file_of_two_domains_is_a_problem(tmp_path):
    found = problems(tmp_path, pc=rows(PC, {}, {"DOMAIN": "LB"}))
    assert "the file holds several domains: PC, LB" in [p.what for p in found]


def test_a_domain_without_subjects_is_a_problem(tmp_path):
    row = {name: value for name, value in PC.items() if name != "USUBJID"}
    found = problems(tmp_path, pc=[row])
    assert [p.what for p in found][:1] == ["domain PC has no variable 'USUBJID'"]


def test_a_study_without_dm_is_read_and_told(tmp_path):
    read = study(tmp_path, dm=None)
    assert read.patients["patient"].tolist() == ["S-1"]
    assert told(read, "there is no DM")


def test_medication_that_was_not_given_is_set_aside(tmp_path):
    cm = {"DOMAIN": "CM", "USUBJID": "S-1", "CMTRT": "Toci", "CMDECOD": "TOCILIZUMAB"}
    given = rows(
        cm,
        {"CMSEQ": "1", "CMSTDTC": "2020-03-04T22:00", "CMDOSE": "8", "CMDOSU": "mg/kg"},
        {"CMSEQ": "2", "CMOCCUR": "N"},
        {"CMSEQ": "3", "CMSTAT": "NOT DONE"},
        {"CMSEQ": "4", "CMDECOD": "", "CMSTDTC": "2020-03"},
    )
    read = study(tmp_path, cm=given)
    assert columns(read, "comedication", "drug", "time", "dose") == [
        ["toci", None, None],
        ["tocilizumab", 3.5, 8.0],
    ]
    assert aside(read) == {
        ("sdtm/cm.csv", "was not given"): 1,
        ("sdtm/cm.csv", "not asked whether it was given"): 1,
    }
