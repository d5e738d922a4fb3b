import pandas as pd
from made_adam import ADSL, ASSAYS, adpc, fates, read


def test_adppk_is_read_with_what_is_below_the_limit(tmp_path):
    adppk = pd.DataFrame(
        {
            "USUBJID": ["01", "01", "01", "01", "02", "02"],
            "EVID": [1, 0, 0, 2, 0, 0],
            "MDV": [1, 0, 1, 1, 0, 1],
            "DV": [None, 310, None, None, 80, None],
            "AMT": [1.5e8, *[None] * 5],
            "PARAMCD": ["DOSE", "CARGENE", "CARGENE", "", "CARGENE", "CARGENE"],
            "AVALU": "copies/ug",
            "DOSEU": "cells",
            "AFRLT": [0, 168, 336, 340, 168, 336],
            "NFRLT": [0, 168, 336, 340, 168, 336],
            "ALLOQ": 50,
            "BLQFL": ["N", "N", "Y", "N", "N", "N"],
            "BLQFN": [0, 0, 1, 0, 0, 0],
            "CMT": [1, 2, 2, 2, 2, 2],
            "UDTC": "2024-01-10",
            "SEX": ["F"] * 4 + ["M"] * 2,
            "SEXN": [2] * 4 + [1] * 2,
            "WTBL": [70, 70, 70, 70, 81, 80],
        }
    )
    frames = {"adppk": adppk}
    said = {"assays": ASSAYS, "time_unit": "hour"}
    study = read(tmp_path, frames, **said)
    states = study.samples["state"].tolist()
    assert states == ["quantified", "below", "quantified", "missing"]
    assert study.samples["time"].tolist() == [7, 14, 7, 14]
    assert study.infusions["dose"].tolist() == [1.5e8]
    assert study.patients.columns.tolist() == ["patient", "sex", "wtbl"]
    what = study.problems["what"]
    assert what.str.contains("MDV=1 on 1 records below the limit: NONMEM").any()
    assert what.str.contains("covariates change within a patient: WTBL").any()
    assert fates(study, "adppk")["EVID=2: neither a level nor a dose"] == 1
    study = read(tmp_path, {**frames, "adsl": ADSL, "adpc": adpc()}, **said)
    assert fates(study, "adppk") == {"the same samples and doses stand in ADPC": 6}
    assert "age" in study.patients
