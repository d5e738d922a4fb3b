"""Responses, events, toxicity and drugs of files shaped as admiralonco's ADaM is."""

import numpy as np
import pandas as pd
import pytest
from made_adam import read

import cellpk as ck

ADSL = pd.DataFrame({"USUBJID": ["01", "02"], "TRTSDT": ["2024-01-10", "2024-02-01"]})
ADPC = pd.DataFrame(
    {
        "USUBJID": ["01", "02"],
        "PARAMCD": "CARGENE",
        "AVAL": [310, 80],
        "AVALU": "copies/ug",
        "AFRLT": 14,
        "FRLTU": "DAYS",
    }
)
ADRS = pd.DataFrame(
    {
        "USUBJID": ["01", "01", "01", "01", "02", "02", "02"],
        "PARAMCD": ["OVR", "OVR", "BOR", "CBOR", "MRD", "RSP", "OVR"],
        "AVALC": ["PR", "sCR", "sCR", "PR", "NEGATIVE", "Y", "MISSING"],
        "ADT": ["2024-02-07", "2024-03-10", "2024-03-10", "2024-03-10"]
        + ["2024-02-29"] * 3,
        "PARCAT2": "INVESTIGATOR",
        "PARCAT3": "IMWG",
        "ANL01FL": ["Y", "Y", "Y", "Y", "Y", "Y", ""],
    }
)
ADTTE = pd.DataFrame(
    {
        "USUBJID": ["01", "02", "01", "02"],
        "PARAMCD": ["OS", "OS", "PFS", "RSD"],
        "PARAM": ["Overall Survival (days)"] * 2 + ["PFS (days)", "RSD (days)"],
        "AVAL": [100, 200, 90, 50],
        "CNSR": [0, 1, 0, 1],
        "EVNTDESC": ["Death", "Alive at last contact", "Disease progression", ""],
        "CNSDTDSC": ["", "Last known alive", "", "Censored"],
        "STARTDT": ["2024-01-10", "2024-02-01", "2024-01-10", "2024-02-20"],
    }
)


def made(tmp_path, frames, **said):
    """Read these frames beside a subject file and two levels."""
    frames = {"adsl": ADSL, "adpc": ADPC, **frames}
    return read(tmp_path, frames, assays={"CARGENE": "qpcr"}, **said)


def outcomes(study, *names):
    columns = ["patient", "endpoint", "value", *(names or ["time"])]
    return study.outcomes[columns].to_numpy().tolist()


def reasons(study, file):
    rows = study.accounting[study.accounting["file"] == f"adam/{file}.csv"]
    return rows.groupby("reason")["rows"].sum().to_dict()


def test_responses_best_response_and_mrd_are_read_by_date(tmp_path):
    study = made(tmp_path, {"adrs": ADRS})
    assert outcomes(study) == [
        ["01", "best_response", "PR", 60],
        ["01", "response", "PR", 28],
        ["01", "response", "sCR", 60],
        ["02", "mrd", "negative", 28],
    ]
    assert set(study.outcomes["criteria"]) == {"IMWG"}
    assert set(study.outcomes["evaluator"]) == {"INVESTIGATOR"}
    assert reasons(study, "adrs") == {
        "": 4,
        "best_response is read from CBOR, not from BOR": 1,
        "PARAMCD 'RSP' of ADRS is not read (map it under 'responses')": 1,
        "not assessed": 1,
    }
    assert study.problems["what"].str.contains("several best responses").any()


def test_study_toml_chooses_the_best_response(tmp_path):
    study = made(tmp_path, {"adrs": ADRS}, responses={"BOR": "best_response"})
    best = study.outcomes.query("endpoint == 'best_response'")
    assert best["value"].tolist() == ["sCR"]


def test_study_toml_keeps_one_evaluator(tmp_path):
    frame = ADRS.assign(PARCAT2=["IRC", *["Investigator"] * 6])
    study = made(tmp_path, {"adrs": frame}, evaluator="INVESTIGATOR")
    told = reasons(study, "adrs")
    assert told["assessed by 'IRC', another evaluator"] == 1
    assert outcomes(study)[1] == ["01", "response", "sCR", 60]


def test_words_of_responses_are_mapped_or_refused(tmp_path):
    frame = ADRS.assign(AVALC=["stringent", *ADRS["AVALC"][1:]])
    with pytest.raises(ck.DataError, match="'stringent'") as caught:
        made(tmp_path, {"adrs": frame})
    assert caught.value.problems[0].column == "AVALC"
    study = made(tmp_path, {"adrs": frame}, values={"stringent": "sCR"})
    assert outcomes(study)[1] == ["01", "response", "sCR", 28]


def test_records_that_are_not_for_analysis_are_put_aside(tmp_path):
    adpc = ADPC.assign(ANL01FL="Y")
    frames = {"adrs": ADRS, "adpc": adpc}
    study = made(tmp_path, frames, analysis_flag="ANL01FL")
    assert reasons(study, "adrs")["ANL01FL is not 'Y'"] == 1


def test_events_and_censoring_are_told_apart(tmp_path):
    study = made(tmp_path, {"adtte": ADTTE})
    assert outcomes(study) == [["01", "death", "1", 100], ["02", "death", "0", 200]]
    told = reasons(study, "adtte")
    assert told[""] == 2
    words = " ".join(told)
    assert "'PFS' of ADTTE (progression or death)" in words
    assert "'RSD' of ADTTE (duration of response, elsewhere DOR" in words
    assert not study.problems["what"].str.contains("reversed").any()


def test_a_flag_that_is_reversed_throughout_is_impossible(tmp_path):
    reversed_ = ADTTE.assign(CNSR=[1, 0, 1, 0])
    with pytest.raises(ck.DataError, match="CNSR is reversed") as caught:
        made(tmp_path, {"adtte": reversed_})
    assert "event_code = 1" in caught.value.problems[0].todo
    study = made(tmp_path, {"adtte": reversed_}, event_code=1)
    assert outcomes(study) == outcomes(made(tmp_path, {"adtte": ADTTE}))
    assert not study.problems["what"].str.contains("reversed").any()


def test_a_flag_that_some_descriptions_contradict_is_doubted(tmp_path):
    study = made(tmp_path, {"adtte": ADTTE.assign(CNSR=[1, 1, 0, 1])})
    doubt = study.problems[study.problems["what"].str.contains("CNSR looks reversed")]
    assert doubt["what"].str.contains("in 1 of 2 records").tolist() == [True]


def test_other_parameters_count_what_study_toml_says(tmp_path):
    frame = ADTTE.assign(PARAMCD=["OS", "OS", "TTP", "TTP"])
    study = made(tmp_path, {"adtte": frame}, events={"TTP": "progression"})
    # The last AVAL counts from 20 February, 19 days after the infusion.
    assert outcomes(study)[1:4:2] == [
        ["01", "progression", "1", 90],
        ["02", "progression", "0", 69],
    ]


@pytest.mark.parametrize(
    ("unit", "day"),
    [("MONTHS", 365.25 / 12 * 2), ("weeks", 14), ("YEARS", 730.5), ("h", 2 / 24)],
)
def test_the_unit_of_avalu_is_kept_to(tmp_path, unit, day):
    frame = ADTTE.assign(AVAL=2, AVALU=unit)
    study = made(tmp_path, {"adtte": frame})
    assert study.outcomes["time"].tolist() == pytest.approx([day] * 2)


def test_a_time_without_a_unit_is_refused(tmp_path):
    with pytest.raises(ck.DataError, match="unit of the time to the event"):
        made(tmp_path, {"adtte": ADTTE.assign(PARAM="Overall Survival")})


def test_the_date_of_an_event_comes_before_its_avalue(tmp_path):
    # AVAL as admiral counts durations: the first day is 1.
    frame = ADTTE.assign(AVAL=[61, 305, 1, 1]).assign(
        ADT=["2024-03-10", "2024-12-01", "", ""], PARAM="Overall Survival"
    )
    study = made(tmp_path, {"adtte": frame.iloc[:2]})
    assert study.outcomes["time"].tolist() == [60, 304]


def test_a_start_that_is_not_stated_is_doubted(tmp_path):
    study = made(tmp_path, {"adtte": ADTTE.drop(columns="STARTDT")})
    assert study.outcomes["time"].tolist() == [100, 200]
    assert study.problems["what"].str.contains("counts from a start that is not").any()


@pytest.mark.parametrize("word", ["", "Y", "-1", "0.5"])
def test_a_flag_that_is_no_number_is_refused(tmp_path, word):
    with pytest.raises(ck.DataError, match="CNSR is neither 0"):
        made(tmp_path, {"adtte": ADTTE.assign(CNSR=word)})


def test_a_death_stands_once_where_adtte_and_adsl_tell_it(tmp_path):
    subjects = ADSL.assign(DTHDT=["2024-04-19", ""])
    study = made(tmp_path, {"adsl": subjects, "adtte": ADTTE})
    assert outcomes(study) == [["01", "death", "1", 100], ["02", "death", "0", 200]]
    study = made(tmp_path, {"adsl": subjects, "adtte": ADTTE.iloc[2:]})
    assert outcomes(study) == [["01", "death", "1", 100]]


ADAE = pd.DataFrame(
    {
        "USUBJID": ["01", "01", "02", "02", "02"],
        "AEDECOD": [
            "Cytokine release syndrome",
            "Nausea",
            "Immune effector cell-associated neurotoxicity syndrome",
            "Cytokine release syndrome",
            "Neutropenia",
        ],
        "AETOXGR": ["2", "1", "3", "", "4"],
        "AEASTCT": ["Grade 1", "", "", "", ""],
        "ASTDT": ["2024-01-12", "2024-01-12", "2024-02-10", "2024-02-03", ""],
        "ASTDY": [3, 3, 10, 3, 12],
        "DLTFL": ["", "", "Y", "", "Y"],
    }
)


def test_grades_by_astct_and_by_ctcae_are_both_kept(tmp_path):
    study = made(tmp_path, {"adae": ADAE})
    assert outcomes(study, "time", "criteria") == [
        ["01", "crs_grade", "1", 2, "ASTCT"],
        ["01", "crs_grade", "2", 2, "CTCAE"],
        ["02", "dlt", "1", 9, ""],
        ["02", "dlt", "1", 11, ""],
        ["02", "icans_grade", "3", 9, "CTCAE"],
    ]
    assert reasons(study, "adae") == {
        "": 3,
        "an event of ADAE that nothing is read from (map it under 'events')": 1,
        "no toxicity grade": 1,
    }


def test_a_term_can_be_another_endpoint(tmp_path):
    events = {"Neutropenia": "dlt", "CRS": "crs_grade"}
    frame = ADAE.replace({"Cytokine release syndrome": "CRS"})
    study = made(tmp_path, {"adae": frame}, events=events)
    assert study.outcomes["endpoint"].tolist().count("crs_grade") == 2
    with pytest.raises(ck.DataError, match="endpoint 'toxicity' is not known"):
        made(tmp_path, {"adae": frame}, events={"Neutropenia": "toxicity"})


def test_events_that_did_not_occur_are_grade_0(tmp_path):
    adce = pd.DataFrame(
        {
            "USUBJID": ["01", "02"],
            "CEDECOD": "Cytokine release syndrome",
            "CEOCCUR": ["N", "Y"],
            "CETOXGR": ["", "3"],
            "ASTDY": [np.nan, 4],
        }
    )
    study = made(tmp_path, {"adce": adce})
    assert outcomes(study, "value") == [
        ["01", "crs_grade", "0", "0"],
        ["02", "crs_grade", "3", "3"],
    ]


def test_drugs_are_read_with_their_times(tmp_path):
    adcm = pd.DataFrame(
        {
            "USUBJID": ["01", "02", "02"],
            "CMDECOD": ["TOCILIZUMAB", "", "DEXAMETHASONE"],
            "CMTRT": ["Actemra", "Kineret", "Dexa"],
            "CMDOSE": [8, 100, None],
            "CMDOSU": ["mg/kg", "mg", ""],
            "ASTDTM": ["2024-01-12T12:00:00", "", "2024-02"],
            "ASTDT": ["2024-01-12", "2024-02-04", ""],
            "AENDT": ["", "2024-02-06", ""],
        }
    )
    study = made(tmp_path, {"adcm": adcm})
    rows = study.comedication[["patient", "drug", "time", "end_time", "dose", "unit"]]
    nan = np.nan
    wanted = pd.DataFrame(
        [
            ["01", "tocilizumab", 2, nan, 8, "mg/kg"],
            ["02", "dexamethasone", nan, nan, nan, ""],
            ["02", "kineret", 3, 5, 100, "mg"],
        ],
        columns=rows.columns,
    )
    pd.testing.assert_frame_equal(rows, wanted, check_dtype=False)
