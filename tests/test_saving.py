"""Fits on disk: they come back to the last digit, and a damaged file is refused."""

import json
import zipfile

import pandas as pd
import pytest

import cellpk as ck
from cellpk.fit.population.chains import Steps

QUICK = Steps(starts=1, search=40, average=20, draws=100)
STEIN = ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def fit():
    """Of a variant whose numbers were changed, with covariates and correlations."""
    model = ck.load_model("stein_2019_tisagenlecleucel_var").with_values(tmax=9.0)
    return ck.fit_population(
        model.with_spread(cmax=1.1),
        ck.simulate_study(seed=1),
        covariates={"cmax": ["log tumour_burden", "sex"]},
        correlations=[("cmax", "foldx")],
        steps=QUICK,
    )


@pytest.fixture(scope="module")
def file(fit, tmp_path_factory):
    return fit.save(tmp_path_factory.mktemp("fits") / "fit.cellpk")


def test_a_fit_comes_back_to_the_last_digit(fit, file):
    again = ck.load(file)
    for name in ("table", "individuals", "trace", "correlations", "left_out"):
        one, other = getattr(fit, name), getattr(again, name)
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)
    pd.testing.assert_series_equal(fit.criteria, again.criteria, check_exact=True)
    assert (repr(again), again.doubts) == (repr(fit), fit.doubts)
    assert again.study == fit.study
    assert again.model.parameters == fit.model.parameters
    assert (again.posteriors.draws == fit.posteriors.draws).all()


def test_equal_fits_are_equal_files(fit, file, tmp_path):
    assert fit.save(tmp_path / "a").read_bytes() == file.read_bytes()
    assert ck.load(file).save(tmp_path / "b").read_bytes() == file.read_bytes()


def test_a_model_of_ones_own_needs_no_file_any_more(tmp_path):
    source = STEIN.files[0][1].replace("Tisagenlecleucel", "Something else")
    path = tmp_path / "mine.toml"
    path.write_text(source, encoding="utf-8")
    study = STEIN.simulate(8, design=ck.Design([4, 7, 28]), seed=1).study()
    fit = ck.fit_population(ck.load_model(path), study, steps=QUICK)
    file = fit.save(tmp_path / "fit.cellpk")
    path.unlink()
    assert ck.load(file).model.title.startswith("Something else")


def changed(file, target, change):
    """A copy of a file, one member of which is another."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def test_a_file_that_was_changed_names_what_was(file, tmp_path):
    def other_level(name, data):
        return data + b"\n" if name == "study/samples.csv" else data

    with pytest.raises(ck.FitError, match=r"since it was written: study/samples\.csv"):
        ck.load(changed(file, tmp_path / "changed.cellpk", other_level))


def test_files_of_others_and_of_the_future_are_refused(file, tmp_path):
    text = tmp_path / "text.cellpk"
    text.write_text("patient,time\n", encoding="utf-8")
    with pytest.raises(ck.FitError, match="no result of cellpk"):
        ck.load(text)

    def later(name, data):
        if name != "about.json":
            return data
        return json.dumps(json.loads(data) | {"format": 99, "cellpk": "9.0"})

    with pytest.raises(ck.FitError, match=r"cellpk 9\.0 wrote it, in format 99"):
        ck.load(changed(file, tmp_path / "later.cellpk", later))

    def kind(name, data):
        if name != "about.json":
            return data
        return json.dumps(json.loads(data) | {"kind": "population ft"})

    with pytest.raises(ck.FitError, match="population ft.*population fit"):
        ck.load(changed(file, tmp_path / "kind.cellpk", kind))
