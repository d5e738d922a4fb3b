import pytest
from sdtm_files import DM, SECTION, aside, columns, problems, rows, study, told

CRS = {"DOMAIN": "AE", "USUBJID": "S-1", "AESEQ": "1", "AESTDTC": "2020-03-03T10:00"}
CRS |= {"AEDECOD": "Cytokine release syndrome", "AETERM": "CRS"}
RS = {"DOMAIN": "RS", "USUBJID": "S-1", "RSSEQ": "1", "RSTESTCD": "OVRLRESP"}
RS |= {"RSCAT": "IMWG", "RSSTRESC": "VGPR", "RSDTC": "2020-03-29T10:00"}
RS |= {"RSEVAL": "INVESTIGATOR"}
CE = {"DOMAIN": "CE", "USUBJID": "S-1", "CESEQ": "1", "CEPRESP": "Y"}
CE |= {"CEDECOD": "Cytokine release syndrome", "CEDTC": "2020-03-29T10:00"}
FA = {"DOMAIN": "FA", "USUBJID": "S-1", "FASEQ": "1", "FATESTCD": "ASTCTGR"}
FA |= {"FAOBJ": "Cytokine release syndrome", "FADTC": "2020-03-04T10:00"}
OUTCOME = ("endpoint", "value", "time", "criteria")


def supp(domain, sequence, name, value):
    keys = {"RDOMAIN": domain, "USUBJID": "S-1", "IDVAR": f"{domain}SEQ"}
    return keys | {"IDVARVAL": sequence, "QNAM": name, "QVAL": value}


def test_grades_by_two_criteria_are_two_outcomes(tmp_path):
    read = study(
        tmp_path,
        ae=[CRS | {"AETOXGR": "3"}],
        suppae=[supp("AE", "1", "ASTCTGR", "GRADE 2"), supp("AE", "1", "DLT", "Y")],
    )
    assert columns(read, "outcomes", *OUTCOME) == [
        ["crs_grade", "3", 2.0, "CTCAE"],
        ["crs_grade", "2", 2.0, "ASTCT"],
        ["dlt", "1", 2.0, ""],
    ]
    used = read.accounting.set_index("file").loc["sdtm/suppae.csv"]
    assert (used["fate"], used["rows"]) == ("used", 2)


def test_a_severity_is_no_grade(tmp_path):
    section = f'{SECTION}\nnone_reported = {{ crs_grade = "0" }}'
    read = study(tmp_path, section, ae=[CRS | {"AESEV": "MODERATE"}])
    assert read.outcomes.empty
    assert told(read, "1 record of events with a severity and no grade")
    assert aside(read) == {("sdtm/ae.csv", "an event without a grade"): 1}


def test_patients_without_an_event_get_what_is_said_of_them(tmp_path):
    ae = [CRS | {"AEDECOD": "Nausea", "AETOXGR": "1"}]
    assert study(tmp_path, ae=ae).outcomes.empty
    section = f'{SECTION}\nnone_reported = {{ crs_grade = "0", icans_grade = "0" }}'
    read = study(tmp_path, section, ae=ae)
    assert columns(read, "outcomes", "endpoint", "value", "time") == [
        ["crs_grade", "0", None],
        ["icans_grade", "0", None],
    ]
    assert aside(read) == {("sdtm/ae.csv", "an event that is not read ('events')"): 1}


def test_a_grade_that_is_none_is_a_problem(tmp_path):
    found = problems(tmp_path, ae=[CRS | {"AETOXGR": "HIGH"}])
    assert [(p.column, p.value) for p in found] == [("AETOXGR", "HIGH")]


def test_terms_can_be_mapped(tmp_path):
    section = f'{SECTION}\nevents = {{ Neurotoxicity = "icans_grade" }}'
    ae = [CRS | {"AEDECOD": "Neurotoxicity", "AETOXGR": "1", "AESTDTC": "2020-03"}]
    read = study(tmp_path, section, ae=ae)
    assert columns(read, "outcomes", *OUTCOME) == [["icans_grade", "1", None, "CTCAE"]]
    assert told(read, "1 record with an incomplete date: the time is not known")


def test_what_happens_or_does_not_has_no_grade(tmp_path):
    section = f'{SECTION}\nevents = {{ "Disease progression" = "progression" }}'
    ae = [CRS | {"AEDECOD": "Disease progression", "AETOXGR": "5"}]
    read = study(tmp_path, section, ae=ae)
    assert columns(read, "outcomes", *OUTCOME) == [["progression", "1", 2.0, ""]]


def test_events_that_were_asked_for_and_did_not_occur_have_grade_0(tmp_path):
    progress = {"CEDECOD": "Disease progression", "CESTDTC": "2020-06-01T10:00"}
    ce = rows(
        CE,
        {"CEOCCUR": "N"},
        {"CESEQ": "2", "CEOCCUR": "Y", "CETOXGR": "1", "CEDTC": ""},
        {"CESEQ": "3", "CEDECOD": "Dose limiting toxicity", "CEOCCUR": "N"},
        progress | {"CESEQ": "4", "CEOCCUR": "Y"},
        {"CESEQ": "5", "CESTAT": "NOT DONE"},
        {"CESEQ": "6", "CEDECOD": "Death", "CEOCCUR": "U"},
    )
    read = study(tmp_path, ce=ce)
    assert columns(read, "outcomes", *OUTCOME) == [
        ["crs_grade", "0", 28.0, ""],
        ["crs_grade", "1", None, "CTCAE"],
        ["dlt", "0", 28.0, ""],
        ["progression", "1", 92.0, ""],
    ]
    assert aside(read) == {
        ("sdtm/ce.csv", "not done"): 1,
        ("sdtm/ce.csv", "not known whether it occurred"): 1,
    }


def test_findings_about_events_are_grades(tmp_path):
    fa = rows(
        FA,
        {"FASTRESC": "2"},
        {"FASEQ": "2", "FATESTCD": "OCCUR", "FASTRESC": "Y"},
        {"FASEQ": "3", "FATESTCD": "OCCUR", "FASTRESC": "N", "FADTC": "2020-04-04"},
        {"FASEQ": "4", "FATESTCD": "GRADE", "FAOBJ": "Nausea", "FASTRESC": "1"},
    )
    read = study(tmp_path, fa=fa)
    assert columns(read, "outcomes", *OUTCOME) == [
        ["crs_grade", "2", 3.0, "ASTCT"],
        ["crs_grade", "0", 34.0, ""],
    ]
    assert sum(aside(read).values()) == 2


def test_rating_scales_are_no_responses(tmp_path):
    rs = rows(
        RS,
        {},
        {"RSSEQ": "2", "RSTESTCD": "HAMD101", "RSCAT": "HAMD 17", "RSSTRESC": "1"},
        {"RSSEQ": "3", "RSTESTCD": "NTRGRESP", "RSSTRESC": "CR"},
        {"RSSEQ": "4", "RSSTAT": "NOT DONE", "RSREASND": "ILL", "RSSTRESC": ""},
        {"RSSEQ": "5", "RSSTRESC": "NE", "RSDTC": "2020-04-29T10:00"},
    )
    read = study(tmp_path, rs=rs)
    names = ("endpoint", "value", "time", "criteria", "evaluator")
    assert columns(read, "outcomes", *names) == [
        ["response", "VGPR", 28.0, "IMWG", "INVESTIGATOR"],
        ["response", "NE", 59.0, "IMWG", "INVESTIGATOR"],
    ]
    assert aside(read) == {
        ("sdtm/rs.csv", "HAMD 17 is no tumour response"): 1,
        ("sdtm/rs.csv", "test code NTRGRESP is not read as a tumour response"): 1,
        ("sdtm/rs.csv", "not done: ILL"): 1,
    }


def test_one_evaluator_can_be_chosen(tmp_path):
    rs = rows(RS, {}, {"RSSEQ": "2", "RSEVAL": "IRC", "RSSTRESC": "PR"})
    read = study(tmp_path, rs=rs)
    assert told(
        read, "'response' was assessed by several evaluators: INVESTIGATOR, IRC"
    )
    chosen = study(tmp_path, f'{SECTION}\nevaluator = "irc"', rs=rs)
    assert columns(chosen, "outcomes", "value", "evaluator") == [["PR", "IRC"]]
    assert aside(chosen) == {("sdtm/rs.csv", "assessed by INVESTIGATOR, not irc"): 1}


def test_other_tests_and_words_can_be_mapped(tmp_path):
    section = (
        f'{SECTION}\nresponses = {{ MRDTEST = "mrd", BESTRESP = "" }}\n'
        'values = { CMR = "CR", NEG = "negative" }'
    )
    rs = rows(
        RS,
        {"RSSTRESC": "CMR"},
        {"RSSEQ": "2", "RSTESTCD": "MRDTEST", "RSSTRESC": "NEG"},
        {"RSSEQ": "3", "RSTESTCD": "BESTRESP", "RSSTRESC": "CR"},
    )
    read = study(tmp_path, section, rs=rs)
    assert columns(read, "outcomes", "endpoint", "value") == [
        ["mrd", "negative"],
        ["response", "CR"],
    ]
    found = problems(tmp_path, rs=[RS | {"RSSTRESC": "CMR"}])
    assert [(p.column, p.value) for p in found] == [("RSSTRESC", "CMR")]


@pytest.mark.parametrize(
    ("dm", "ds", "time", "doubt"),
    [
        ({"DTHFL": "Y", "DTHDTC": "2020-06-01"}, "2020-06-01", 92.0, False),
        ({"DTHFL": "Y", "DTHDTC": "2020-06-01"}, "2020-06-09", 92.0, True),
        ({"DTHFL": "Y"}, "", None, False),
        ({"DTHDTC": "2020-06"}, "", None, False),
        ({}, "2020-06-09", 100.0, False),
    ],
)
def test_deaths_are_told_once(tmp_path, dm, ds, time, doubt):
    rest = {"DOMAIN": "DS", "USUBJID": "S-1", "DSSEQ": "1", "DSDECOD": "COMPLETED"}
    disposition = [rest]
    if ds:
        disposition.append(rest | {"DSSEQ": "2", "DSDECOD": "DEATH", "DSSTDTC": ds})
    read = study(tmp_path, dm=[DM | dm], ds=disposition)
    assert columns(read, "outcomes", "endpoint", "value", "time") == [
        ["death", "1", time]
    ]
    assert bool(told(read, "death on another day than DM tells")) == doubt
    assert aside(read)["sdtm/ds.csv", "disposition other than death"] == 1
