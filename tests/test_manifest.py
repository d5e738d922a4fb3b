import json
from importlib.metadata import version

import pandas as pd
import pytest
from conftest import make_small_study

import cellpk as ck
from cellpk.reporting import manifest


@pytest.fixture(scope="module")
def record(report_folder):
    return json.loads((report_folder / "manifest.json").read_text(encoding="utf-8"))


def test_outputs_are_listed_with_their_hashes(report_folder, record):
    folder = report_folder
    files = {path for path in folder.rglob("*.*") if path.name != "manifest.json"}
    assert {folder / each["file"] for each in record["outputs"]} == files
    for each in record["outputs"]:
        data = (folder / each["file"]).read_bytes()
        assert each["sha256"] == manifest.sha256(data)
        assert each["bytes"] == len(data)


def test_versions_are_those_of_the_installed_packages(record):
    assert record["packages"]["pandas"] == version("pandas")
    assert record["cellpk"] == version("cellpk")


def test_settings_are_resolved_and_the_seed_is_named(record):
    assert record["settings"]["analysis"]["exposures"] == ["cmax"]
    assert record["seed"] == record["settings"]["analysis"]["seed"] == 1


def test_convergence_and_exclusions_are_recorded(record):
    fits = {each["patient"]: each for each in record["fits"]}
    assert fits["P2"] == {
        "patient": "P2",
        "status": "expanded",
        "method": "ml",
        "converged": False,
    }
    assert {each["patient"] for each in record["not_fitted"]} == {"P4", "P8"}
    response, association = record["results"]
    assert response["converged"] is True
    assert {each["patient"] for each in response["excluded"]} == {"P7", "P8"}
    assert association["slope_without_tocilizumab"] is None


def test_doubtful_things_are_recorded(record, small_study):
    assert [each["what"] for each in record["warnings"]] == list(
        small_study.problems["what"]
    )


def test_elapsed_covers_analysis_and_writing(record):
    assert record["elapsed_seconds"] >= 2.0


def test_run_is_named_by_what_went_in(small_study):
    same = manifest.run_id(make_small_study())
    assert manifest.run_id(small_study) == same
    assert manifest.run_id(make_small_study(title="Other")) != same
    samples = small_study.samples.drop(columns=["file", "row"])
    samples.loc[0, "level"] += 1e-9
    assert manifest.run_id(ck.Study.from_frames(samples)) != same


def test_files_that_were_read_are_named_with_hash_and_rows(tmp_path):
    (tmp_path / "levels.csv").write_text(
        "patient,time,level,assay\n1,7,90,flow\n1,14,900,flow\n"
    )
    (tmp_path / "study.toml").write_text(
        '[study]\nid = "A"\ninfusion_day = 0\n[[samples]]\nfile = "levels.csv"\n'
    )
    files = manifest.inputs(ck.read_study(tmp_path / "study.toml"))["files"]
    levels = next(each for each in files if each["file"].endswith("levels.csv"))
    data = (tmp_path / "levels.csv").read_bytes()
    assert levels["sha256"] == manifest.sha256(data)
    assert levels["rows"] == 2


def test_excluded_samples_are_recorded_with_their_reason():
    samples = make_small_study().samples.drop(columns=["file", "row"])
    samples.loc[0, ["excluded", "reason"]] = [True, "Haemolysed"]
    found = manifest.excluded_samples(ck.Study.from_frames(samples))
    assert found["reason"].tolist() == ["Haemolysed"]


def test_records_are_plain_json():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [True, False]})
    assert manifest.records(frame) == [{"a": 1, "b": True}, {"a": None, "b": False}]
