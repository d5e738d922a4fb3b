"""Broken files of every format and kind: an error that helps, or nothing lost."""

import random
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cellpk as ck
from cellpk.study.exchange import formats
from cellpk.study.reading import DICTIONARY

KINDS = [(name, end) for name, kind in formats().items() for end in kind.endings]
TEXTS = (".csv", ".json", ".ndjson")
NASTY = ["", " ", "-1", "1e400", "NaN", "inf", "<", "<0", ">9", "BLQ", "Y", "0", "🙂"]
NASTY += [
    "1,2",
    '"',
    "2014-13-45",
    "2014-02",
    "24:00",
    "P-1D",
    ".",
    "\u2212",
    "1e5",
    "x",
]


def cut(data, rng):
    return data[: rng.randrange(len(data) + 1)]


def flip(data, rng):
    place = rng.randrange(len(data) or 1)
    return data[:place] + rng.randbytes(1) + data[place + 1 :]


def nothing(_data, _rng):
    return b""


def twice(data, _rng):
    return data + data


def swap_lines(data, rng):
    rows = data.split(b"\n")
    first, last = rng.randrange(len(rows)), rng.randrange(len(rows))
    rows[first], rows[last] = rows[last], rows[first]
    return b"\n".join(rows)


def without_a_column(data, rng):
    rows = [row.split(b",") for row in data.split(b"\n")]
    place = rng.randrange(len(rows[0]))
    return b"\n".join(b",".join(row[:place] + row[place + 1 :]) for row in rows)


def nasty_cells(data, rng):
    rows = [row.split(b",") for row in data.split(b"\n")]
    for _ in range(rng.randrange(1, 4)):
        row = rows[rng.randrange(len(rows))]
        row[rng.randrange(len(row))] = rng.choice(NASTY).encode()
    return b"\n".join(map(b",".join, rows))


def nasty_column(data, rng):
    rows = [row.split(b",") for row in data.split(b"\n")]
    place, word = rng.randrange(len(rows[0])), rng.choice(NASTY).encode()
    for row in rows[1:]:
        if place < len(row):
            row[place] = word
    return b"\n".join(map(b",".join, rows))


def capitals(data, _rng):
    return data.upper()


OF_BYTES = [cut, flip, nothing, twice]
OF_TEXT = [*OF_BYTES, swap_lines, without_a_column, nasty_cells, nasty_column, capitals]


@pytest.fixture(scope="module")
def study():
    """Six patients of the simulated study."""
    whole = ck.simulate_study(seed=1)
    chosen = list(whole.patients["patient"][:6])
    tables = {
        name: table[table["patient"].isin(chosen)].reset_index(drop=True)
        for name in ("samples", "patients", "infusions", "comedication", "outcomes")
        for table in [getattr(whole, name)]
    }
    return ck.Study.from_frames(**tables)


@pytest.fixture(scope="module", params=KINDS, ids="".join)
def written(study, request, tmp_path_factory):
    """That study, written in every format and kind of file."""
    name, ending = request.param
    folder = tmp_path_factory.mktemp(name)
    ck.write_study(study, folder, format=name, ending=ending)
    return folder


def helps(error):
    assert error.problems
    for problem in error.problems:
        assert problem.what, problem
        assert problem.todo, problem
        assert problem.file or problem.column or "study" in problem.what, problem


def lost_nothing(study):
    rows = study.accounting.groupby("file")["rows"].sum()
    for source in study.sources:
        assert rows.get(source["file"], 0) == source["rows"], source["file"]


def breaks_are_told_or_lose_nothing(tmp_path_factory, written, seed):
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("broken") / "study"
    shutil.copytree(written, folder)
    files = sorted(p for p in folder.iterdir() if p.name != DICTIONARY)
    for _ in range(rng.randrange(1, 4)):
        path = rng.choice(files)
        edit = rng.choice(OF_TEXT if path.suffix in TEXTS else OF_BYTES)
        path.write_bytes(edit(path.read_bytes(), rng))
    try:
        read = ck.read_study(folder)
    except ck.DataError as error:
        helps(error)
    else:
        lost_nothing(read)


SEEDS = {"seed": st.integers(0, 2**32)}


@settings(max_examples=3, deadline=None)
@given(**SEEDS)
def test_a_broken_delivery_is_told_or_loses_nothing(tmp_path_factory, written, seed):
    breaks_are_told_or_lose_nothing(tmp_path_factory, written, seed)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(**SEEDS)
def test_so_are_many_of_them(tmp_path_factory, written, seed):
    breaks_are_told_or_lose_nothing(tmp_path_factory, written, seed)
