"""However a folder is broken: an error that helps, or a study that lost nothing."""

import csv
import random

import numpy as np
import pytest
from broken_folders import BREAKS, FILES, write_valid
from hypothesis import given, settings
from hypothesis import strategies as st

from cellpk import DataError, read_study
from cellpk.study.units import factor


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valid")
    write_valid(folder)
    return read_study(folder)


def attempt(folder, breaks, rng):
    """Return what comes of a broken folder: a study or the error."""
    write_valid(folder)
    for each in breaks:
        each.apply(folder, rng)
    try:
        return read_study(folder)
    except DataError as error:
        return error


def helps(error):
    """Assert that an error says of each thing what it is, where, and what to do."""
    assert error.problems
    for problem in error.problems:
        assert problem.what, problem
        assert problem.todo.endswith((".", "?")), problem
        assert problem.file or problem.column or "study" in problem.what, problem


def delivered_rows(path):
    """Return each row of a CSV file by the line in which it ends."""
    text = path.read_bytes().decode("utf-8-sig")
    usual = csv.field_size_limit(10_000_000)
    try:
        reader = csv.DictReader(text.splitlines(keepends=True))
        return dict(_numbered(reader))
    finally:
        csv.field_size_limit(usual)


def _numbered(reader):
    for row in reader:
        yield reader.line_num, row


def lost_nothing(study, folder):
    """Assert that all rows are accounted for, and that no number was made up."""
    rows = study.accounting.groupby("file")["rows"].sum()
    for source in study.sources:
        assert rows.get(source["file"], 0) == source["rows"], source["file"]
    delivered = delivered_rows(folder / "samples.csv")
    for sample in study.samples.to_dict("records"):
        cells = {key: (value or "") for key, value in delivered[sample["row"]].items()}
        cells = {str(key).strip(): " ".join(v.split()) for key, v in cells.items()}
        assert cells["patient"] == sample["patient"]
        assert cells["level"] == sample["reported"]
        if sample["state"] == "quantified":
            times = factor(cells.get("unit") or sample["unit"], sample["unit"])
            assert sample["level"] == float(cells["level"]) * times
        assert sample["time"] == np.round(float(cells["time"]), 9)


def same_levels(study, valid):
    columns = ["patient", "time", "assay", "level", "state", "lloq"]
    return study.samples[columns].equals(valid.samples[columns])


def what_of(study):
    return set(study.problems["what"])


def judge(outcome, expected, valid, folder):
    if isinstance(outcome, DataError):
        helps(outcome)
        assert expected in {"error", "any"}, str(outcome)
        return
    assert expected != "error", what_of(outcome) - what_of(valid)
    if expected == "same":
        assert same_levels(outcome, valid)
        assert what_of(outcome) == what_of(valid)
        return
    lost_nothing(outcome, folder)
    if expected == "same_levels":
        assert same_levels(outcome, valid)
    if expected == "doubt":
        assert what_of(outcome) - what_of(valid)


def test_there_are_more_than_sixty_ways_to_break_a_folder():
    assert len({each.name for each in BREAKS}) == len(BREAKS) >= 60


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.name)
def test_each_of_them_does_break_it(tmp_path, each):
    write_valid(tmp_path)
    each.apply(tmp_path, random.Random(1))
    now = {
        path.name: path.read_bytes() if path.is_file() else None
        for path in tmp_path.iterdir()
    }
    assert now != {name: text.encode() for name, text in FILES.items()}


def test_the_folder_is_valid_unbroken(valid):
    assert valid.counts["patients"] == 3
    assert valid.counts["samples"] == FILES["samples.csv"].count("\n") - 1
    assert valid.accounting["rows"].sum() == sum(s["rows"] for s in valid.sources)


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.name)
def test_a_broken_folder_ends_as_it_must(tmp_path, valid, each):
    outcome = attempt(tmp_path, [each], random.Random(1))
    judge(outcome, each.expected, valid, tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    breaks=st.lists(st.sampled_from(BREAKS), min_size=2, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_so_does_a_folder_that_is_broken_in_many_ways(
    tmp_path_factory, valid, breaks, seed
):
    folder = tmp_path_factory.mktemp("broken")
    outcome = attempt(folder, breaks, random.Random(seed))
    if isinstance(outcome, DataError):
        helps(outcome)
    else:
        rows = outcome.accounting.groupby("file")["rows"].sum()
        for source in outcome.sources:
            assert rows.get(source["file"], 0) == source["rows"]
