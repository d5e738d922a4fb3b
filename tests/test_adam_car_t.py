"""ADaM as CAR-T trials deliver it: contradictions, flags, counts and shares."""

import pandas as pd
import pytest
from made_adam import read

import cellpk as ck

ADSL = pd.DataFrame({"USUBJID": ["01", "02"], "TRTSDT": ["2024-01-10", ""]})
ADPC = pd.DataFrame(
    {
        "USUBJID": ["01", "01"],
        "PARAMCD": "CARGENE",
        "AVAL": [310.0, 80],
        "AVALU": "copies/ug",
        "AFRLT": [240, 336],
        "FRLTU": "HOURS",
        "ADTM": ["2024-01-20T09:00", "2024-01-24T09:00"],
    }
)
SCREENED = ADPC.head(1).assign(USUBJID="02", AFRLT=None, ADTM="2024-01-02T09:00")
ASSAYS = {"CARGENE": "qpcr"}


def made(tmp_path, assays=None, **frames):
    frames = {"adsl": ADSL, "adpc": ADPC} | frames
    return read(tmp_path, frames, assays=assays or ASSAYS)


def told(study):
    return dict(zip(study.problems["rule"], study.problems["what"], strict=True))


def test_records_of_who_was_never_treated_are_set_aside(tmp_path):
    below = SCREENED.assign(AVAL=0.0, AVALC="BLQ")
    adtte = pd.DataFrame({"USUBJID": ["02"], "PARAMCD": "OS", "CNSR": [""]})
    study = made(tmp_path, adpc=pd.concat([ADPC, below]), adtte=adtte)
    assert study.samples["patient"].tolist() == ["01", "01"]
    aside = study.accounting.query("fate == 'set aside'")
    assert aside["reason"].unique().tolist() == ["of a patient who was never treated"]
    assert aside["rows"].tolist() == [1, 1, 1]


def test_cells_in_who_was_never_treated_are_a_problem(tmp_path):
    with pytest.raises(ck.DataError, match="of a patient who was never treated"):
        made(tmp_path, adpc=pd.concat([ADPC, SCREENED]))


def test_a_dose_says_that_a_patient_was_treated(tmp_path):
    dose = SCREENED.assign(PARAMCD="DOSE", AVAL=1e8, AVALU="cells", AFRLT=0)
    study = made(tmp_path, adpc=pd.concat([ADPC, dose]))
    assert study.patients["patient"].tolist() == ["01", "02"]
    assert study.infusions["patient"].tolist() == ["02"]


def test_counts_and_shares_of_one_code_are_told_apart_by_their_units(tmp_path):
    both = ADPC.head(1).assign(PARAMCD="CELL", AVALU=["cells/uL"])
    adpc = pd.concat([ADPC, both, both.assign(AVALU="%", AVAL=40)])
    assays = ASSAYS | {"CELL": "flow", "CELL/%": "flow_percent"}
    samples = made(tmp_path, assays, adpc=adpc).samples
    assert samples.query("assay == 'flow_percent'")["level"].tolist() == [40]
    assert samples.query("assay == 'flow'")["level"].tolist() == [310]


def test_relative_times_in_the_wrong_unit_contradict_the_dates(tmp_path):
    study = made(tmp_path, adpc=ADPC.assign(FRLTU="DAYS"))
    assert (
        "AFRLT and the date of 2 samples are more"
        in told(study)["relative_against_date"]
    )
    assert "relative_against_date" not in told(made(tmp_path))


def test_samples_that_are_not_flagged_for_analysis_are_told(tmp_path):
    study = made(tmp_path, adpc=ADPC.assign(ANL01FL=["Y", ""]))
    assert told(study)["flag_not_used"] == (
        "1 samples without ANL01FL='Y' are used all the same"
    )


def test_deaths_that_adsl_and_adtte_tell_differently_are_doubtful(tmp_path):
    adsl = ADSL.assign(TRTSDT="2024-01-10", DTHDT=["2024-03-10", ""])
    os = {"USUBJID": ["01", "02"], "PARAMCD": "OS", "AVAL": 60, "AVALU": "DAYS"}
    adtte = pd.DataFrame(os).assign(CNSR=[1, 0], STARTDT="2024-01-10")
    study = made(tmp_path, adsl=adsl, adtte=adtte)
    said = study.problems.query("rule == 'deaths_disagree'")["what"].tolist()
    assert said == [
        "patients who died by ADSL and not by ADTTE: 01",
        "patients who died by ADTTE and not by ADSL: 02",
    ]
    agreed = made(tmp_path, adsl=adsl, adtte=adtte.assign(CNSR=[0, 1]))
    assert "deaths_disagree" not in told(agreed)


def test_events_without_a_grade_are_told(tmp_path):
    adae = pd.DataFrame({"USUBJID": ["01"], "AEDECOD": "Cytokine release syndrome"})
    study = made(tmp_path, adae=adae.assign(ATOXGR=""))
    assert told(study)["ungraded_events"].startswith("1 event of CRS or ICANS")


def test_names_of_columns_are_read_in_any_case(tmp_path):
    lower = {"adsl": ADSL, "adpc": ADPC}
    lower = {name: frame.rename(columns=str.lower) for name, frame in lower.items()}
    assert made(tmp_path, **lower) == made(tmp_path)
