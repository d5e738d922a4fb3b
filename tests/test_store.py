"""Fits saved and loaded: every digit comes back, and what was changed is told."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import lmfit
import numpy as np
import pandas as pd
import pytest
from made_models import DECLINE

import cellpk as ck
from cellpk.fit.archive import FORMAT, write_archive
from cellpk.fit.population.chains import Steps
from cellpk.fit.store import kinds
from cellpk.model.writing import differing

QUICK = Steps(starts=1, search=30, average=20, draws=100)
DAYS = [3, 7, 10, 14, 28, 60]


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_lag").with_values(tmax=8.0).with_spread(cmax=0.6)


@pytest.fixture(scope="module")
def study(stein):
    made = stein.simulate(12, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    samples = made.samples.drop(columns=["file", "row"])
    never = samples["patient"] == "V0003"
    samples.loc[never, "level"], samples.loc[never, "state"] = np.nan, "below"
    patients = made.patients[["patient"]].assign(age=np.arange(12) * 1.1 + 0.1)
    said = {"study": {"id": "TRIAL", "infusion_day": 0}}
    return ck.Study.from_frames(samples, patients=patients, settings=said)


def fitted(stein, study):
    asked = {"covariates": {"cmax": ["age"]}, "correlations": [("cmax", "tmax")]}
    return ck.fit_population(stein, study, **asked, steps=QUICK)


@pytest.fixture(scope="module")
def population(stein, study):
    return fitted(stein, study)


@pytest.fixture(scope="module")
def individual(study):
    plain = ck.load_model("stein_2019_tisagenlecleucel")
    return ck.fit_individuals(plain, study, starts=4)


@pytest.fixture(scope="module")
def saved(population, tmp_path_factory):
    return population.save(tmp_path_factory.mktemp("saved") / "fit.cellpk")


def equal_tables(one, other, names):
    for name in names:
        pd.testing.assert_frame_equal(
            getattr(one, name), getattr(other, name), check_exact=True
        )


def test_a_population_fit_comes_back_in_every_digit(population, saved):
    loaded = ck.load(saved)
    equal_tables(population, loaded, ["table", "individuals", "trace", "correlations"])
    pd.testing.assert_series_equal(
        population.criteria, loaded.criteria, check_exact=True
    )
    assert repr(loaded) == repr(population)
    assert loaded.doubts == population.doubts
    assert loaded.study == population.study
    assert differing(loaded.model, population.model) == []
    np.testing.assert_array_equal(loaded.posteriors.draws, population.posteriors.draws)
    theta = population.posteriors.mean
    ours, theirs = (
        fit.data.log_likelihood(fit.data.levels(theta), fit.data.errors)
        for fit in (population, loaded)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_equal_fits_are_equal_bytes(population, saved, stein, study, tmp_path):
    again = fitted(stein, study).save(tmp_path / "again.cellpk")
    loaded = ck.load(saved).save(tmp_path / "loaded.cellpk")
    assert again.read_bytes() == saved.read_bytes() == loaded.read_bytes()


def test_individual_fits_come_back_in_every_digit(individual, tmp_path):
    loaded = ck.load(individual.save(tmp_path / "a" / "fits.cellpk"))
    names = ["table", "long", "failed", "prior", "samples"]
    equal_tables(individual, loaded, names)
    assert repr(loaded) == repr(individual)
    assert loaded.results.keys() == individual.results.keys()
    for patient, result in individual.results.items():
        back = loaded.results[patient]
        assert lmfit.fit_report(back) == lmfit.fit_report(result)
        np.testing.assert_array_equal(back.covar, result.covar)
        one, other = (fits.curve(patient, [5, 90]) for fits in (individual, loaded))
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    first = (tmp_path / "a" / "fits.cellpk").read_bytes()
    assert loaded.save(tmp_path / "b.cellpk").read_bytes() == first


def test_individual_fits_of_none_come_back(study, tmp_path):
    samples = study.samples.query("patient == 'V0003'").drop(columns=["file", "row"])
    plain = ck.load_model("stein_2019_tisagenlecleucel")
    fits = ck.fit_individuals(plain, ck.Study.from_frames(samples))
    assert not fits.results
    loaded = ck.load(fits.save(tmp_path / "none.cellpk"))
    assert loaded.table["status"].tolist() == ["never_expanded"]
    assert not loaded.results


def test_a_model_and_a_variant_of_ones_own_come_back(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "fall.toml").write_text(DECLINE, encoding="utf-8")
    text = 'title = "Slower"\nvariant_of = "fall"\n[parameters]\nk.value = 0.05\n'
    (own / "slow.toml").write_text(text, encoding="utf-8")
    slow = ck.load_model(own / "slow.toml").with_spread(c0=0.4)
    study = slow.simulate(6, design=ck.Design(DAYS, lloq=1.0), seed=1).study()
    fit = ck.fit_population(slow, study, assays="qpcr", steps=QUICK)
    path = fit.save(tmp_path / "fit.cellpk")
    shutil.rmtree(own)
    loaded = ck.load(path)
    assert differing(loaded.model, slow) == []
    assert loaded.table.equals(fit.table)
    with zipfile.ZipFile(path) as file:
        assert file.read("model/slow.toml").decode() == text
        assert file.read("model/varied/fall.toml").decode() == DECLINE


def test_a_model_that_no_file_says_is_not_saved(population, tmp_path):
    odd = replace(population, model=replace(population.model, title="Another"))
    with pytest.raises(ck.ModelError, match="no file says: title"):
        odd.save(tmp_path / "odd.cellpk")
    assert not (tmp_path / "odd.cellpk").exists()


def test_nothing_is_pickled_and_others_can_read_it(population, saved, tmp_path):
    with zipfile.ZipFile(saved) as file:
        file.extractall(tmp_path)
        names = file.namelist()
    endings = {Path(name).suffix for name in names}
    assert endings == {".json", ".csv", ".parquet", ".npy", ".toml"}
    for path in tmp_path.rglob("*.npy"):
        np.load(path, allow_pickle=False)
    assert ck.read_study(tmp_path / "study") == population.study
    beta = np.load(tmp_path / "estimates" / "beta.npy", allow_pickle=False)
    np.testing.assert_array_equal(beta, population.estimates.state.beta)
    values = pd.read_csv(tmp_path / "table.csv")["value"]
    np.testing.assert_array_equal(values, population.table["value"])
    said = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert said["packages"]["numpy"] == np.__version__


def rewritten(saved, path, change):
    """Write a file anew, its members changed by a function."""
    with zipfile.ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def changed_number(members):
    text = members["study/samples.csv"].decode()
    members["study/samples.csv"] = text.replace("V0001", "V0002", 1).encode()


def changed_manifest(members):
    said = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps(said | {"cellpk": "0.0.1"}).encode()


def newer(members):
    said = json.loads(members["manifest.json"]) | {"cellpk": "7.0"}
    said["cellpk_format"] = FORMAT + 1
    members["manifest.json"] = json.dumps(said).encode()


CHANGES = {
    "changed": (changed_number, r"not as it was saved: study/samples.csv was changed"),
    "missing": (lambda x: x.pop("trace.parquet"), r"trace.parquet is missing"),
    "added": (lambda x: x.update(note=b"hello"), r"note was added"),
    "manifest": (changed_manifest, r"manifest.json was changed"),
    "newer": (newer, r"cellpk 7.0 wrote it in format 2.*Install cellpk 7.0"),
    "foreign": (lambda x: x.pop("manifest.json"), r"no result of cellpk"),
    "other json": (lambda x: x.update({"manifest.json": b"[1]"}), "no such thing"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_told(saved, tmp_path, name):
    change, said = CHANGES[name]
    path = rewritten(saved, tmp_path / "changed.cellpk", change)
    with pytest.raises(ck.FitError, match=said):
        ck.load(path)


def test_a_damaged_byte_is_told(saved, tmp_path):
    with zipfile.ZipFile(saved) as file:
        entry = file.getinfo("patients/draws.npy")
    data = bytearray(saved.read_bytes())
    data[entry.header_offset + entry.compress_size // 2] ^= 0xFF
    (tmp_path / "bad.cellpk").write_bytes(data)
    with pytest.raises(ck.FitError, match=r"bad\.cellpk.*patients/draws\.npy is dam"):
        ck.load(tmp_path / "bad.cellpk")


def test_what_is_no_file_of_ours_is_told(saved, tmp_path):
    with pytest.raises(ck.FitError, match=r"none\.cellpk' cannot be read \(No such"):
        ck.load(tmp_path / "none.cellpk")
    with pytest.raises(ck.FitError, match="cannot be read"):
        ck.load(tmp_path)
    (tmp_path / "cut.cellpk").write_bytes(saved.read_bytes()[:2000])
    with pytest.raises(ck.FitError, match="no zip, or is cut off"):
        ck.load(tmp_path / "cut.cellpk")
    with pytest.raises(ck.FitError, match="of the kind 'forecast'"):
        ck.load(write_archive(tmp_path / "odd.cellpk", "forecast", {}))
    with pytest.raises(ck.FitError, match=r"\.\./a would lie outside"):
        ck.load(write_archive(tmp_path / "odd.cellpk", "population", {"../a": b""}))


def test_a_fit_that_this_cellpk_would_read_otherwise_is_told(saved, tmp_path):
    def other(members):
        said = json.loads(members["fit.json"])
        members["fit.json"] = json.dumps(said | {"patients": ["V0001"]}).encode()
        members.pop("manifest.json")

    path = rewritten(saved, tmp_path / "other.cellpk", other)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    write_archive(path, "population", members)
    with pytest.raises(ck.FitError, match="finds other patients than the fit had"):
        ck.load(path)


def test_every_result_with_a_save_has_a_kind():
    """A class that takes up Saveable must be registered."""
    results = {kind.result for kind in kinds().values()}
    public = [getattr(ck, name) for name in ck.__all__]
    assert {one for one in public if hasattr(one, "save")} == results


def test_a_loaded_fit_says_how_to_repeat_it(population, saved):
    again = ck.load(saved)
    asked = dict(again.asked)
    asked["steps"] = Steps(**asked["steps"])
    assert asked["steps"] == QUICK
    same = ck.fit_population(again.model, again.study, **asked, seed=again.seed)
    pd.testing.assert_frame_equal(same.table, population.table, check_exact=True)
