import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_adam import awkward_study, differences

import cellpk as ck
from cellpk.study.adam.names import codes_of, short_name
from cellpk.study.adam.writing import write
from cellpk.study.adam.writing_population import write as write_population
from cellpk.study.exchange import formats

ENDINGS = (".csv", ".xpt", ".json", ".ndjson", ".dsjc", ".parquet")


@pytest.fixture(scope="module")
def awkward():
    return awkward_study()


@pytest.fixture(scope="module")
def simulated():
    return ck.simulate_study(seed=1)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", ["adam", "adppk"])
def test_a_study_comes_back_as_it_was(tmp_path, awkward, simulated, name, ending):
    for number, study in enumerate((awkward, simulated)):
        folder = tmp_path / str(number)
        again = ck.read_study(ck.write_study(study, folder, format=name, ending=ending))
        assert differences(study, again) == {}
        assert again == study
        assert again.settings.study == study.settings.study


@pytest.mark.parametrize("name", ["adam", "adppk"])
def test_nothing_doubtful_is_added_or_lost(tmp_path, awkward, simulated, name):
    for number, study in enumerate((awkward, simulated)):
        folder = tmp_path / str(number)
        again = ck.read_study(ck.write_study(study, folder, format=name))
        columns = ["severity", "patient", "what", "todo"]
        one, other = study.problems[columns], again.problems[columns]
        keys = ["what", "patient"]
        one, other = one.sort_values(keys), other.sort_values(keys)
        assert other.to_numpy().tolist() == one.to_numpy().tolist()


@pytest.mark.parametrize("name", ["adam", "adppk"])
def test_every_row_that_was_written_is_accounted_for(tmp_path, awkward, name):
    path = ck.write_study(awkward, tmp_path, format=name)
    again = ck.read_study(path)
    rows = again.accounting.groupby("file")["rows"].sum().to_dict()
    sources = {row["file"]: row["rows"] for row in again.sources[1:]}
    assert rows == sources
    aside = again.accounting[again.accounting["fate"] == "set aside"]
    assert (aside["reason"] != "").all()
    told = {"worked out for analysis, DTYPE='LASTCONT'"} if name == "adam" else set()
    assert set(aside["reason"]) == told


def test_names_labels_and_texts_are_within_the_limits_of_cdisc(awkward, simulated):
    for study in (awkward, simulated):
        for data in (*write(study).datasets, *write_population(study).datasets):
            for variable in data.variables:
                assert len(variable.name) <= 8
                assert variable.name == variable.name.upper()
                assert 0 < len(variable.label) <= 40
            assert len(set(data.frame.columns)) == len(data.frame.columns)
            for code, most in (("PARAMCD", 8), ("PARAM", 40)):
                if code in data.frame:
                    assert data.frame[code].str.len().max() <= most
            pairs = data.frame.reindex(columns=["PARAMCD", "PARAM"]).drop_duplicates()
            assert not pairs["PARAMCD"].duplicated().any()
            assert not pairs["PARAM"].duplicated().any()


def test_adpc_holds_the_car_t_assays_and_the_doses(simulated):
    data = {data.name: data.frame for data in write(simulated).datasets}
    adpc, adlb = data["adpc"], data["adlb"]
    assert set(adpc["PARAMCD"]) == {"QPCR", "FLOW", "DOSE"}
    assert set(adlb["PARAMCD"]) == {"INTLK6"}
    doses = adpc[adpc["PARAMCD"] == "DOSE"]
    assert doses["AVAL"].tolist() == simulated.infusions["dose"].tolist()
    assert doses["EXLOT"].tolist() == simulated.infusions["lot"].tolist()
    levels = adpc[adpc["PARAMCD"] != "DOSE"]
    below = levels["AVALCAT1"].isin(["BELOW", "DETECTED"])
    assert (levels["BLQFL"] == below.map({True: "Y", False: "N"})).all()
    assert levels.loc[levels["AVALCAT1"] == "BELOW", "AVAL"].isna().all()
    assert (adpc["FRLTU"] == "DAYS").all()
    assert adpc.groupby("USUBJID")["ASEQ"].is_monotonic_increasing.all()


def test_survivors_stand_in_adtte_as_censored(simulated):
    data = {data.name: data.frame for data in write(simulated).datasets}
    survival = data["adtte"].query("PARAMCD == 'OS'").set_index("USUBJID")
    died = simulated.outcomes.query("endpoint == 'death'").set_index("patient")
    assert sorted(survival.index) == sorted(simulated.patients["patient"])
    events = survival[survival["CNSR"] == 0]
    assert events["AVAL"].to_dict() == died["time"].to_dict()
    censored = survival[survival["CNSR"] == 1]
    last = simulated.patients.set_index("patient")["last_contact"]
    assert censored["AVAL"].to_dict() == last[censored.index].to_dict()
    assert (censored["DTYPE"] == "LASTCONT").all()


def test_only_events_that_occurred_are_adverse_events(awkward):
    data = {data.name: data.frame for data in write(awkward).datasets}
    assert "02" not in set(
        data["adae"].query("AEDECOD.str.startswith('Cytokine')")["USUBJID"]
    )
    assert set(data["adce"]["CEOCCUR"]) == {"N"}
    assert data["adae"]["DLTFL"].tolist().count("Y") == 1


def test_adppk_keeps_what_is_below_the_limit_in_a_fit(simulated):
    (data,) = write_population(simulated).datasets
    frame = data.frame
    below = frame["BLQFN"] == 1
    assert below.any()
    assert (frame.loc[below, "MDV"] == 0).all()
    assert frame.loc[below & (frame["AVALCAT1"] == "BELOW"), "DV"].isna().all()
    known = frame["DV"].notna()
    np.testing.assert_allclose(frame.loc[known, "DVL"], np.log(frame.loc[known, "DV"]))
    assert (frame.loc[frame["EVID"] == 1, "MDV"] == 1).all()
    sexes = frame[["SEX", "SEXN"]].drop_duplicates().to_numpy().tolist()
    assert sorted(sexes) == [["F", 1.0], ["M", 2.0]]
    about = {variable.name: variable.meaning for variable in data.variables}
    assert about["SEXN"] == "1 F, 2 M"


def test_adppk_counts_from_the_last_dose(awkward):
    (data,) = write_population(awkward).datasets
    frame = data.frame[data.frame["USUBJID"] == "Ü-01"]
    frame = frame[frame["PARAMCD"] == "QPCR"].set_index("AFRLT")
    assert frame.loc[-0.25, "APRLT"] == -0.25
    assert frame.loc[7.0, "APRLT"] == 7.0
    assert frame.loc[42.0, "APRLT"] == 42 - 30.5
    assert frame.loc[42.0, "DOSEA"] == 3e7
    # The nominal time of the second infusion is not known.
    assert np.isnan(frame.loc[42.0, "NPRLT"])
    assert frame.loc[14.0, "NPRLT"] == 14


def test_a_patient_without_anything_stands_in_adppk(awkward):
    (data,) = write_population(awkward).datasets
    rows = data.frame[data.frame["USUBJID"] == "no samples"]
    assert rows[["EVID", "MDV"]].to_numpy().tolist() == [[2, 1]]


def test_studies_with_little_in_them_come_back(tmp_path):
    samples = {"patient": ["1"], "time": [7], "level": [3], "assay": ["il6"]}
    study = ck.Study.from_frames(pd.DataFrame(samples))
    for name in ("adam", "adppk"):
        folder = tmp_path / name
        assert ck.read_study(ck.write_study(study, folder, format=name)) == study


def test_codes_of_assays_are_short_and_different(awkward):
    known = awkward.settings.known_assays
    codes = codes_of(list(known), known)
    assert len(set(codes.values())) == len(known)
    assert all(0 < len(code) <= 8 and code.isidentifier() for code in codes.values())
    assert codes["own_marker"] == "OWNM"
    assert codes["own_marker_2"] != "OWNM"
    assert codes["il6"] == "INTLK6"


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1), max_size=30))
def test_short_names_are_names_and_never_taken(words):
    taken = []
    for word in words:
        name = short_name(word, taken)
        assert name not in taken
        assert 0 < len(name) <= 8
        assert name.isidentifier()
        taken.append(name)


@settings(max_examples=15, deadline=None)
@given(
    levels=st.lists(
        st.one_of(
            st.floats(1e-6, 1e12),
            st.sampled_from(["BLQ", "ND", "<3", ">1e13", "", "detected", "POS"]),
        ),
        min_size=1,
        max_size=6,
    ),
    word=st.text(st.characters(codec="utf-8"), max_size=8),
    value=st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-5, 10**9)),
    name=st.sampled_from(["adam", "adppk"]),
)
def test_any_study_comes_back(tmp_path_factory, levels, word, value, name):
    frame = pd.DataFrame(
        {
            "patient": "p" + word,
            "time": np.arange(len(levels)) / 7,
            "level": pd.Series(levels, dtype=object),
            "assay": "flow",
            "visit": word,
            "reason": word,
        }
    )
    patients = pd.DataFrame({"patient": ["p" + word, "q"], "x": [value, 1]})
    study = ck.Study.from_frames(
        frame, patients=patients.assign(word=word, x=patients["x"].astype(float))
    )
    folder = tmp_path_factory.mktemp("study")
    again = ck.read_study(ck.write_study(study, folder, format=name))
    assert differences(study, again) == {}


def test_the_formats_are_known_with_their_endings():
    for name in ("adam", "adppk"):
        assert formats()[name].endings == ENDINGS


def test_levels_point_to_their_records_in_our_sdtm_files(tmp_path, simulated):
    path = ck.write_study(simulated, tmp_path, format="sdtm")
    adam = {data.name: data.frame for data in write(simulated).datasets}
    levels = pd.concat([adam["adpc"], adam["adlb"]])
    for name, rows in levels.groupby("SRCDOM"):
        domain = pd.read_csv(path.parent / f"{name.lower()}.csv")
        there = domain.set_index(["USUBJID", f"{name}SEQ"])
        keys = list(zip(rows["USUBJID"], rows["SRCSEQ"].astype(int), strict=True))
        value = "EXDOSE" if name == "EX" else f"{name}STRESN"
        assert set(rows["SRCVAR"]) == {value}
        assert len(keys) == len(there) == len(set(keys))
        np.testing.assert_array_equal(there.loc[keys, value], rows["AVAL"])
