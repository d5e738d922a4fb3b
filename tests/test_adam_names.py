import pandas as pd
import pytest

from cellpk.study.adam.source import dataset_of
from cellpk.study.grid import Grid


@pytest.mark.parametrize(
    ("file", "columns", "wanted"),
    [
        ("adpc.csv", {}, "ADPC"),
        ("in/adnca_final.xpt", {}, "ADPC"),
        ("adcmed.csv", {}, "ADCM"),
        ("advs.csv", {"PARAMCD": "SYSBP"}, ""),
        ("pk.csv", {"PARAMCD": "X", "AFRLT": 1}, "ADPC"),
        ("nm.csv", {"EVID": 0, "AMT": 1, "DV": 2}, "ADPPK"),
        ("resp.csv", {"PARAMCD": "BOR"}, "ADRS"),
        ("lab.csv", {"PARAMCD": "CRP", "LBTESTCD": "CRP"}, "ADLB"),
        ("ae.csv", {"AEDECOD": "Nausea", "DOMAIN": "AE"}, ""),
        ("events.csv", {"AEDECOD": "Nausea"}, "ADAE"),
        ("people.csv", {"SAFFL": "Y"}, "ADSL"),
        ("dm.csv", {"AGE": 50}, ""),
    ],
)
def test_data_sets_are_told_by_name_or_columns(file, columns, wanted):
    frame = pd.DataFrame({"USUBJID": ["1"], **{k: [v] for k, v in columns.items()}})
    assert dataset_of(Grid.of_frame(frame, file=file)) == wanted
