"""Models are found by name, in the library or in a file of one's own."""

import tomllib

import pytest

import cellpk as ck
from cellpk import ModelError
from cellpk.model import library


def test_list_models_has_one_row_per_file():
    listed = ck.list_models()
    files = sorted(library.folder().glob("*.toml"))
    assert listed["name"].tolist() == [path.stem for path in files]
    titles = [tomllib.loads(path.read_text("utf-8"))["title"] for path in files]
    assert listed["title"].tolist() == titles
    assert listed.columns.tolist() == [
        "name",
        "title",
        "status",
        "source",
        "parameters",
        "observed",
    ]


def test_what_was_never_published_is_listed_as_such():
    status = ck.list_models().set_index("name")["status"]
    assert status["stein_2019_smooth_peak"] == "unpublished"
    assert status["stein_2019_tisagenlecleucel_var"] == "published"


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ModelError, match="Did you mean 'stein_2019_tisagenlecleucel'"):
        ck.load_model("stein_2019_tisagenlecleuce")
    with pytest.raises(ModelError, match=r"there is no file 'nowhere.toml'"):
        ck.load_model("nowhere.toml")


def test_a_path_loads_the_same_as_the_name():
    path = library.folder() / "stein_2019_tisagenlecleucel.toml"
    assert repr(ck.load_model(path)) == repr(ck.load_model(path.stem))
    assert repr(ck.load_model(str(path))) == repr(ck.load_model(path.stem))


def test_an_install_finds_the_models_inside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "cellpk"
    monkeypatch.setattr(library, "files", lambda _: package)
    assert library.folder() == tmp_path / "models"
    (package / "models").mkdir(parents=True)
    assert library.folder() == package / "models"
