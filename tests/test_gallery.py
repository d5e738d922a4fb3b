"""The gallery says everything that a model file says, in files that stand alone."""

import re
from html import unescape

import pytest

import cellpk as ck
from cellpk.reporting.gallery import model_page, write_gallery

QUICK = (
    "stein_2019_tisagenlecleucel",
    "stein_2019_smooth_peak",
    "ogasawara_2021_lisocel",
)
TAG = re.compile(r"<[^>]+>")


def check_page(name, page):
    """Everything of the file is on the page, and nothing comes from elsewhere."""
    model, words = ck.load_model(name), unescape(TAG.sub("", page))
    for row in model.parameters.values():
        assert f"<code>{row.name}</code>" in page
        assert row.source in words
        assert row.iiv_source in words
        if row.value is not None and 1e-3 < row.value < 1e5:
            assert f">{row.value:.6g}<" in page
    for row in [*model.covariates.values(), *model.observed.values()]:
        assert f"<code>{row.name}</code>" in page
    for row in model.reproduce().itertuples():
        assert f">{row.printed}<" in page
    assert page.count("✓") + page.count("✗") == len(model.reproduce())
    assert page.count("<math ") >= len(model.latex())
    assert model.title in words
    assert not re.search(r"<script|<link|@import|url\(|src=.http|http://", page)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder, QUICK)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_a_page_holds_all_of_its_model(folder, name):
    check_page(name, (folder / f"{name}.html").read_text("utf-8"))


def test_the_same_models_give_the_same_bytes(folder, tmp_path):
    for path in write_gallery(tmp_path, QUICK):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_the_index_links_every_page_with_its_status(folder):
    index = (folder / "index.html").read_text("utf-8")
    assert re.findall(r'href="(\w+)\.html"', index) == list(QUICK)
    assert index.count('class="badge unpublished"') == 1
    assert index.count('class="badge incomplete"') == 1


def test_an_unpublished_design_has_a_badge(folder):
    page = (folder / "stein_2019_smooth_peak.html").read_text("utf-8")
    assert '<span class="badge unpublished">UNPUBLISHED DESIGN</span>' in page


def test_what_is_missing_is_named_and_not_made_up():
    page = model_page(ck.load_model("ogasawara_2021_lisocel"))
    (_, (typical,)), (_, (spread,)) = page.figures
    assert "no value is published of c0 and fb" in typical
    assert "is not published, and none is made up here" in spread
    assert "<img" not in typical + spread


def test_a_page_has_typical_course_states_and_spread():
    page = model_page(ck.load_model("stein_2019_tisagenlecleucel"))
    figures = "".join(part for _, parts in page.figures for part in parts)
    assert figures.count("data:image/svg+xml;base64,") == 3


def test_a_model_that_cannot_be_calculated_still_has_its_page(monkeypatch):
    def failing(model):
        raise ck.ModelError(f"no step of {model.name} is small enough")

    monkeypatch.setattr("cellpk.reporting.gallery.typical_course", failing)
    page = model_page(ck.load_model("stein_2019_tisagenlecleucel"))
    (_, (typical, *_)), *_ = page.figures
    assert "Could not be calculated: no step of stein_2019" in typical


def test_a_name_that_is_not_known_offers_the_nearest(tmp_path):
    with pytest.raises(ck.ModelError, match="Did you mean"):
        write_gallery(tmp_path, ["stein_2019_tisagenlecleuce"])


@pytest.mark.slow
def test_every_model_of_the_library_has_its_page(tmp_path):
    index, *pages = write_gallery(tmp_path)
    assert [path.stem for path in pages] == ck.list_models()["name"].tolist()
    for path in pages:
        text = path.read_text("utf-8")
        check_page(path.stem, text)
        assert f'href="{path.name}"' in index.read_text("utf-8")
        assert "Could not be" not in text
