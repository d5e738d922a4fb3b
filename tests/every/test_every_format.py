"""What holds for every format of studies; a new one is found by itself."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import cellpk as ck
from cellpk.study.exchange import formats
from cellpk.study.reading import DICTIONARY, read_study
from cellpk.study.writing import write_study

WAYS = [(kind.name, e) for kind in formats().values() for e in kind.endings]
every_way = pytest.mark.parametrize(
    ("name", "ending"), WAYS, ids=[f"{name}{ending}" for name, ending in WAYS]
)
every_format = pytest.mark.parametrize("name", list(formats()))
TABLES = ("samples", "infusions", "patients", "comedication", "outcomes")

OWN = {
    "study": {"id": "Ä-1", "title": 'a "title", odd', "infusion_day": 0},
    "assays": {"my_marker": {"unit": "ng/mL", "label": "My marker"}},
    "limits": {
        "flow": {"zero": "below", "assumed_lloq": 0.5, "why": "an old habit"},
        "il6": {"lloq": 2.0, "uloq": 5000.0},
    },
    "units": {"burden": "%"},
}
_COLUMNS = [
    *("patient", "time", "nominal_time", "visit", "level", "assay", "specimen"),
    *("llod", "lloq", "uloq"),
]
_ROWS = [
    # every state, with and without limits and numbers
    ("01", -0.25, 0, "screening", "ND", "qpcr", "blood", 20, 50, None),
    ("01", 1 / 3, None, "", "<50", "qpcr", "blood", None, None, None),
    ("01", 7, 7, "D7", "31e2", "qpcr", "blood", 20, 50, 1e5),
    ("01", 7, 7, "D7", "120", "qpcr", "marrow", 20, 50, 1e5),
    ("01", 14, 14, "D14", "30", "qpcr", "blood", 20, 50, 1e5),
    ("01", 21, 21, "D21", "detected", "qpcr", "blood", 20, 50, 1e5),
    ("01", 28, 28, "M1, late", ">1e5", "qpcr", "blood", 20, 50, 1e5),
    ("01", 35, 28, "M1, late", "NA", "qpcr", "blood", 20, 50, 1e5),
    ("1", 7, None, "NA", "0", "flow", "blood", None, None, None),
    ("1", 9, None, ".", "BLQ", "flow", "", None, None, None),
    ("1", 10, None, "D10", "0.25", "flow", "", None, None, None),
    ("1", 14, None, "D14", "ALQ", "flow", "", None, None, None),
    ("1", 21, None, "D21", "detected", "flow", "", None, None, None),
    ("P 1", 2, 2, "", "6000", "il6", "serum", None, None, None),
    ("P 1", 2.5, 2, "a;b|c\td", "1.5", "il6", "serum", None, None, None),
    ("P 1", 3, 3, "'q' \"r\"", "12.125", "my_marker", "serum", None, None, None),
    ("P 1", 4, 3, "100 %2C", "1e-70", "my_marker", "serum", None, None, None),
    ("P 1", 4, 3, "again", "1e-70", "my_marker", "serum", None, None, None),
    ("患者-7 é", 7, 7, "第7天", "123456.789012345", "ddpcr", "csf", None, 5, None),
]


def awkward_study():
    """A study by hand with all that a format may trip over."""
    samples = pd.DataFrame(_ROWS, columns=_COLUMNS)
    samples["derived"] = ["copies per cell, by WBC"] + [""] * (len(samples) - 1)
    samples["excluded"] = samples["visit"].isin(["screening", "D14"]).astype(int)
    samples["reason"] = samples["visit"].map({"D14": 'tube "A" broke, twice'})
    samples.loc[samples["level"] == "NA", "reason"] = "not done; no blood"
    infusions = {
        "patient": ["01", "01", "P 1", "患者-7 é"],
        "time": [0.0, 90.5, 0.0, 0.02],
        "dose": [1e8, 1.5e8, None, 1 / 3],
        "unit": ["cells", "cells", "cells", "10^6 cells/kg"],
        "lot": ["LOT,1", 'LOT "2"', "", "."],
    }
    patients = {
        "patient": ["01", "1", "P 1", "only-listed", "患者-7 é"],
        "age": [61, 70, 55, 48, 66],
        "burden": [0.1, None, 50, 1 / 3, None],
        "sex": ["F", "M", "M", None, "F"],
        "code": ["007", "008", "", "010", "007"],
        "DV": [1, 2, 3, 4, 5],
        "PATIENT": ["a", "b", "c, d", "e", "x"],
        "time": [1.5, 2, 2, 2, 2],
        "_a_covariate_with_a_long_name_1": [1, 1, 1, 1, 2],
        "_a_covariate_with_a_long_name_2": ["x", "y", "x", "y", "z"],
        "row": [1, 2, 3, 4, 5],
    }
    comedication = {
        "patient": ["01", "01", "P 1"],
        "drug": ["tocilizumab", "dexamethasone", "tocilizumab"],
        "time": [3.5, None, None],
        "end_time": [3.5, None, 8],
        "dose": [8, None, 1.5],
        "unit": ["mg/kg", "", "mg/kg"],
    }
    outcomes = {
        "patient": ["01", "01", "1", "P 1", "only-listed"],
        "endpoint": ["best_response", "crs_grade", "crs_grade", "response", "death"],
        "value": ["sCR", "2", "0", "VGPR", "1"],
        "time": [90, 4.5, None, 28, 11],
        "criteria": ["IMWG", "ASTCT", "", "IMWG", ""],
        "evaluator": ["IRC", "", "INV", "", ""],
        "note": ["", "with fever, 39 C", "", "", 'a "note"'],
    }
    return ck.Study.from_frames(
        samples=samples,
        infusions=pd.DataFrame(infusions),
        patients=pd.DataFrame(patients),
        comedication=pd.DataFrame(comedication),
        outcomes=pd.DataFrame(outcomes),
        settings=OWN,
    )


@pytest.fixture(scope="module")
def awkward():
    return awkward_study()


@pytest.fixture(scope="module")
def simulated():
    return ck.simulate_study(seed=1)


def same(again, study):
    """Compare two studies, so that a difference is shown where it is."""
    for table in TABLES:
        one, other = getattr(again, table), getattr(study, table)
        place = ["file", "row"] if table == "samples" else []
        pd.testing.assert_frame_equal(
            one.drop(columns=place), other.drop(columns=place), check_exact=True
        )
    assert again == study


def test_the_awkward_study_holds_what_formats_trip_over(awkward):
    samples = awkward.samples
    assert set(samples["state"]) == set(ck.study.columns.STATES)
    assert samples["limit_assumed"].any()
    assert samples["excluded"].sum() > 3
    assert len(awkward.patients) == 5
    assert awkward.infusions["dose"].isna().any()


@every_way
def test_a_simulated_study_comes_back_the_same(simulated, tmp_path, name, ending):
    path = write_study(simulated, tmp_path, format=name, ending=ending)
    same(read_study(path), simulated)


@pytest.fixture(
    scope="module", params=WAYS, ids=[f"{name}{ending}" for name, ending in WAYS]
)
def written(awkward, tmp_path_factory, request):
    """The awkward study as a format writes it, and what is read of that."""
    name, ending = request.param
    folder = tmp_path_factory.mktemp("written")
    path = write_study(awkward, folder, format=name, ending=ending)
    return name, ending, path, read_study(path)


def test_an_awkward_study_comes_back_the_same(awkward, written):
    same(written[3], awkward)


def test_what_is_doubtful_comes_back_the_same(awkward, written):
    def told(study):
        rows = study.problems.query("severity != 'note'")
        return rows.drop(columns=["file", "row", "column"]).to_dict("records")

    assert told(written[3]) == told(awkward)


def test_what_is_said_of_the_study_comes_back_the_same(awkward, written):
    for part in ("study", "analysis", "limits", "assays", "units"):
        said = getattr(written[3].settings, part)
        assert said == getattr(awkward.settings, part)


def test_every_row_of_every_file_is_accounted_for(awkward, written):
    again = written[3]
    rows = again.accounting.groupby("file")["rows"].sum()
    delivered = {s["file"]: s["rows"] for s in again.sources if s["columns"]}
    assert delivered
    assert rows.to_dict() == delivered
    excluded = again.accounting.query("fate == 'excluded'")["rows"].sum()
    assert excluded == awkward.samples["excluded"].sum()


def test_the_dictionary_names_every_column_of_every_file(written):
    *_, path, again = written
    table = pd.read_csv(path.parent / DICTIONARY, dtype="str", keep_default_na=False)
    told = table.groupby("dataset")["variable"].apply(list).to_dict()
    sources = [s for s in again.sources if s["columns"]]
    there = {s["file"].rpartition(".")[0]: list(s["columns"]) for s in sources}
    assert told == there
    assert (table["label"] != "").all()
    assert (table["label"].str.len() <= 40).all()
    assert table["type"].isin(["number", "text"]).all()


def test_writing_twice_gives_the_same_bytes(written, tmp_path):
    name, ending, path, again = written
    write_study(again, tmp_path, format=name, ending=ending)
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == sorted(file.name for file in tmp_path.iterdir())
    for file in files:
        assert (path.parent / file).read_bytes() == (tmp_path / file).read_bytes(), file


WORDS = st.one_of(
    st.sampled_from(["", "D7", ".", "NA", "a,b", 'a "b"', "%2C", "é 患", "01", "1.0"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
POSITIVE = st.floats(1e-9, 1e9)
LEVELS = st.one_of(
    POSITIVE.map(repr),
    st.sampled_from(["BLQ", "ND", "<3", ">1e10", "", "detected", "0", "ALQ"]),
)
SAMPLE = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(["1", "01", "P 1", "é"]),
        "time": st.floats(-30, 700),
        "nominal_time": st.one_of(st.none(), st.floats(-30, 700)),
        "visit": WORDS,
        "level": LEVELS,
        "assay": st.sampled_from(["qpcr", "flow", "il6"]),
        "specimen": st.sampled_from(["", "blood", "marrow"]),
        "lloq": st.one_of(st.none(), st.floats(3, 1e3)),
        "llod": st.one_of(st.none(), st.floats(1e-3, 3)),
        "excluded": st.sampled_from([0, 0, 1]),
        "reason": WORDS,
        "reported": WORDS,
    }
)
PATIENT = st.fixed_dictionaries(
    {
        "age": st.one_of(st.none(), st.integers(18, 90)),
        "Group": WORDS,
        "x_1": st.one_of(st.none(), st.floats(-1e6, 1e6)),
    }
)
INFUSION = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(["1", "01", "alone"]),
        "time": st.floats(0, 400),
        "dose": st.one_of(st.none(), POSITIVE),
        "lot": WORDS,
    }
)


def once(samples):
    """Keep one sample per patient, assay, specimen and time as cellpk keeps times."""
    keys = ("patient", "assay", "specimen")
    by_key = {(*(s[k] for k in keys), round(s["time"], 9)): s for s in samples}
    return list(by_key.values())


@pytest.mark.parametrize("name", list(formats()))
@settings(
    max_examples=6,
    deadline=None,
    # Shrinking would take minutes; a small study is small already.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    samples=st.lists(SAMPLE, min_size=1, max_size=6).map(once),
    patients=st.lists(PATIENT, min_size=2, max_size=2),
    infusions=st.lists(INFUSION, max_size=3),
)
def test_any_small_study_comes_back_the_same(
    tmp_path_factory, name, samples, patients, infusions
):
    frames = {"samples": pd.DataFrame(samples)}
    listed = pd.DataFrame(patients).assign(patient=["1", "alone"])
    frames["patients"] = listed[["patient", "age", "Group", "x_1"]]
    if infusions:
        frames["infusions"] = pd.DataFrame(infusions)
    limits = {assay: {"zero": "below"} for assay in ("qpcr", "flow", "il6")}
    said = {"study": {"id": "A", "infusion_day": 0}, "limits": limits}
    study = ck.Study.from_frames(**frames, settings=said)
    folder = tmp_path_factory.mktemp("study")
    same(read_study(write_study(study, folder, format=name)), study)


@pytest.fixture(scope="module")
def car22(request):
    root = request.config.rootpath
    if not (root / "../shared/data/car22").is_dir():
        pytest.skip("the car22 data stand beside the repository, not in it")
    return read_study(root / "notebooks" / "car22_study.toml")


@every_format
def test_car22_comes_back_the_same(car22, tmp_path, name):
    same(read_study(write_study(car22, tmp_path, format=name)), car22)
