"""The CDISC pilot (not CAR-T), whose counts are worked out from its files anew."""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from sdtm_files import aside, told

import cellpk as ck

PILOT = Path(__file__).parents[1] / "../shared/data/sdtm_pilot"
FILES = ["dm", "ex", "pc", "rs_onco_imwg", "supprs_onco_imwg"]
pytestmark = pytest.mark.skipif(
    not PILOT.is_dir(), reason="the pilot's data stand beside the repository, not in it"
)
TOML = """
[study]
id = "CDISCPILOT01"
infusion_day = 1
[assays.xanomeline]
unit = "ug/mL"
kinetics = true
[[data]]
format = "sdtm"
files = [{files}]
product = ["XANOMELINE", "PLACEBO"]
assays = {{ XAN = "xanomeline" }}
infusion_clock = "00:00"
timepoint_unit = "hour"
"""


@pytest.fixture(scope="module")
def delivered():
    """The rows of each file, by the csv module."""
    rows = {}
    for name in FILES:
        with (PILOT / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows[name] = list(csv.DictReader(file))
    return rows


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot")
    for name in FILES:
        (folder / f"{name}.csv").write_bytes((PILOT / f"{name}.csv").read_bytes())
    files = ", ".join(f'"{name}.csv"' for name in FILES)
    (folder / "study.toml").write_text(TOML.format(files=files), encoding="utf-8")
    return ck.read_study(folder)


def test_every_row_is_where_it_belongs(study):
    rows = study.accounting.groupby(["file", "fate", "table"])["rows"].sum().to_dict()
    assert rows == {
        ("dm.csv", "used", "patients"): 251,
        ("dm.csv", "used", "patients, outcomes"): 3,
        ("dm.csv", "set aside", ""): 52,
        ("ex.csv", "used", "infusions"): 591,
        ("pc.csv", "used", "samples"): 4572,
        ("rs_onco_imwg.csv", "used", "outcomes"): 65,
        ("supprs_onco_imwg.csv", "used", "outcomes"): 19,
    }
    assert aside(study) == {("dm.csv", "never infused"): 52}
    assert study.comedication.empty


def test_the_patients_are_those_who_were_treated(study, delivered):
    treated = [row for row in delivered["dm"] if row["RFXSTDTC"] != "NA"]
    patients = study.patients.set_index("patient")
    assert sorted(patients.index) == sorted(row["USUBJID"] for row in treated)
    assert len(patients) == 254
    for row in treated:
        told = patients.loc[row["USUBJID"]]
        assert told["age"] == int(row["AGE"])
        assert [told[n] for n in ("sex", "race", "ethnic", "arm", "actarm")] == [
            row[n.upper()] for n in ("sex", "race", "ethnic", "arm", "actarm")
        ]
        assert told["siteid"] == int(row["SITEID"])
        last, first = (when(row[n]) for n in ("RFPENDTC", "RFXSTDTC"))
        # RFPENDTC has a clock time for some; time 0 is midnight, as study.toml says.
        expected = (last - first).total_seconds() / 86_400
        assert told["last_contact"] == pytest.approx(expected, abs=1e-9)


def when(text):
    return datetime.fromisoformat(text)


def test_times_are_those_after_midnight_of_the_first_patch(study, delivered):
    start = {}
    for row in delivered["ex"]:
        day = when(row["EXSTDTC"])
        start[row["USUBJID"]] = min(day, start.get(row["USUBJID"], day))
    samples = study.samples.set_index("row")
    for line, row in enumerate(delivered["pc"], start=2):
        sample = samples.loc[line]
        expected = (when(row["PCDTC"]) - start[row["USUBJID"]]).total_seconds() / 86_400
        assert sample["time"] == pytest.approx(expected, abs=1e-9)
        hours = float(row["PCTPTNUM"])
        assert sample["nominal_time"] == pytest.approx(hours / 24, abs=1e-9)
        # 0.08 hours are five minutes; urine is dated at the end of its hours.
        if row["PCSPEC"] == "PLASMA" and hours != 0.08:
            assert sample["time"] == pytest.approx(hours / 24, abs=1e-9)
        assert sample["visit"] == f"{row['VISIT']}, {row['PCTPT']}"


def test_what_is_below_is_below_whether_its_number_is_0_or_missing(study, delivered):
    beside = Counter(
        row["PCSTRESN"] for row in delivered["pc"] if row["PCSTRESC"] == "<BLQ"
    )
    assert beside == {"NA": 1925, "0": 254}
    samples = study.samples
    below = samples[samples["state"] == "below"]
    assert len(below) == 2179
    assert below["level"].isna().all()
    assert (samples["state"] == "quantified").sum() == 4572 - 2179
    assert (samples["lloq"] == 0.01).all()
    assert set(samples["reported_unit"]) == {"ug/ml"}
    series = samples.groupby("specimen").size().to_dict()
    assert series == {"plasma": 3556, "urine": 1016}


def test_levels_are_the_numbers_of_the_file(study, delivered):
    levels = study.samples.set_index("row")["level"]
    for line, row in enumerate(delivered["pc"], start=2):
        if row["PCSTRESC"] != "<BLQ":
            assert levels[line] == float(row["PCSTRESN"])


def test_infusions_are_the_records_of_exposure(study, delivered):
    infusions = study.infusions
    assert len(infusions) == len(delivered["ex"]) == 591
    assert infusions["dose"].isna().sum() == 226  # the placebo
    assert infusions.groupby("dose").size().to_dict() == {54: 293, 81: 72}
    assert (infusions.groupby("patient")["time"].min() == 0).all()
    assert told(study, "584 records that go on for days (QD)")
    longer = [row for row in delivered["ex"] if row["EXENDTC"] != "NA"]
    assert sum(row["EXENDTC"] > row["EXSTDTC"] for row in longer) == 584


def test_responses_carry_their_qualifiers(study, delivered):
    responses = study.outcomes.query("endpoint == 'response'")
    values = Counter(row["RSSTRESC"] for row in delivered["rs_onco_imwg"])
    assert Counter(responses["value"]) == values
    assert set(responses["criteria"]) == {"IMWG"}
    assert set(responses["evaluator"]) == {"INVESTIGATOR"}
    notes = Counter(
        f"{row['QNAM']}={row['QVAL']}" for row in delivered["supprs_onco_imwg"]
    )
    told = [part for note in responses["note"] if note for part in note.split("; ")]
    assert Counter(told) == notes
    assert sum(notes.values()) == 19


def test_an_incomplete_date_leaves_the_time_open(study, delivered):
    partial = [r for r in delivered["rs_onco_imwg"] if len(r["RSDTC"]) < 10]
    assert [(row["USUBJID"], row["RSDTC"]) for row in partial] == [
        ("01-701-1028", "2013-08")
    ]
    untimed = study.outcomes[study.outcomes["time"].isna()]
    assert untimed[["patient", "value"]].to_numpy().tolist() == [["01-701-1028", "sCR"]]
    assert told(study, "1 record with an incomplete date")


def test_deaths_are_outcomes(study, delivered):
    dead = {row["USUBJID"]: row for row in delivered["dm"] if row["DTHFL"] == "Y"}
    deaths = study.outcomes.query("endpoint == 'death'").set_index("patient")
    assert sorted(deaths.index) == sorted(dead)
    for name, row in dead.items():
        days = (when(row["DTHDTC"]) - when(row["RFXSTDTC"])).days
        assert deaths.loc[name, "time"] == days


def test_the_pilot_survives_writing_and_reading(study, tmp_path):
    again = ck.read_study(ck.write_study(study, tmp_path, format="sdtm"))
    assert again == study
