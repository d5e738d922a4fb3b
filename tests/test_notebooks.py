"""The notebooks are stored without outputs, and run from top to bottom."""

import functools
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CAR22 = FOLDER / "../../shared/data/car22"
TIMEOUT = 600  # seconds per cell, on a machine that compiles for the first time


def _read(path):
    return nbformat.read(path, as_version=4)


def _named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_there_are_notebooks():
    assert {"first_steps", "car22"} <= {path.stem for path in NOTEBOOKS}


@_named(NOTEBOOKS)
def test_it_is_stored_without_outputs(path):
    for cell in _read(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell.metadata == {}


@_named(NOTEBOOKS)
def test_it_is_valid_and_each_cell_has_its_own_name(path):
    book = _read(path)
    nbformat.validate(book)
    names = [cell.id for cell in book.cells]
    assert len(set(names)) == len(names)


@_named(NOTEBOOKS)
def test_it_asks_one_question_and_keeps_its_prose_short(path):
    prose = [cell.source for cell in _read(path).cells if cell.cell_type == "markdown"]
    title = prose[0].splitlines()[0]
    assert title.startswith("# ")
    assert title.endswith("?")
    assert (
        sum(line.startswith("# ") for text in prose for line in text.split("\n")) == 1
    )
    assert max(len(text) for text in prose) < 500


@functools.cache
def _outputs(path):
    """What the cells of a notebook give when they are run from top to bottom."""
    from nbclient import NotebookClient

    if "car22_study.toml" in path.read_text("utf-8") and not CAR22.is_dir():
        pytest.skip("the data of CAR22 are not beside the repository")
    book = _read(path)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(book, timeout=TIMEOUT, resources=resources).execute()
    return [output for cell in book.cells for output in cell.get("outputs", [])]


@pytest.mark.slow
@_named(NOTEBOOKS)
def test_it_runs_without_a_warning(path):
    streams = [each for each in _outputs(path) if each.output_type == "stream"]
    assert [each.text for each in streams if each.name == "stderr"] == []


@pytest.mark.slow
def test_every_table_and_figure_of_first_steps_says_simulated():
    results = [
        each
        for each in _outputs(FOLDER / "first_steps.ipynb")
        if each.output_type == "execute_result"
    ]
    drawn = [
        each.data["text/plain"]
        for each in results
        if each.data["text/plain"].startswith("Drawing")
        or "-----" in each.data["text/plain"]
    ]
    assert len(drawn) > 8
    assert all("SIMULATED DATA" in text for text in drawn)
