"""Generated modules on disk: written once, used again, never trusted blindly."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cellpk.errors import ModelError
from cellpk.model.compile.cache import (
    announce,
    cache_folder,
    load,
    module_name,
    tell_terminal,
)

TEXT = """
from numba import njit


@njit(cache=True)
def doubled(x):
    return 2.0 * x
"""

OTHER_PROCESS = f"""
from cellpk.model.compile.cache import is_compiled, load
module = load({TEXT!r})
before = is_compiled(module.doubled)
print(before, module.doubled(2.0), sum(module.doubled.stats.cache_hits.values()))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CELLPK_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def other_process(script=OTHER_PROCESS):
    """Run a script in a process of its own and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_second_process_uses_what_the_first_has_compiled(folder):
    assert other_process() == "False 4.0 0"
    written = (folder / f"{module_name(TEXT)}.py").stat().st_mtime_ns
    assert other_process() == "True 4.0 1"
    assert (folder / f"{module_name(TEXT)}.py").stat().st_mtime_ns == written


def test_a_tampered_file_is_rewritten_and_compiled_anew(folder):
    other_process()
    path = folder / f"{module_name(TEXT)}.py"
    path.write_text(TEXT.replace("2.0 * x", "3.0 * x"))
    assert other_process().split()[1] == "4.0"
    assert path.read_text() == TEXT


def test_compiled_code_of_a_tampered_file_is_not_used(folder):
    path = folder / f"{module_name(TEXT)}.py"
    folder.mkdir()
    path.write_text(TEXT.replace("2.0 * x", "3.0 * x"))
    script = f"import sys; sys.path.insert(0, {str(folder)!r}); import {path.stem} as m"
    assert other_process(f"{script}; print(m.doubled(2.0))") == "6.0"
    assert other_process().split()[1:] == ["4.0", "0"]


def test_the_name_depends_on_the_text_and_on_what_is_compiled_into_it():
    names = [module_name("a"), module_name("b"), module_name("a", also=["solver"])]
    assert len(set(names)) == 3
    assert module_name("a") == names[0]


def test_a_module_is_loaded_once_per_process(folder):
    assert load("one = 1\n") is load("one = 1\n")
    assert [path.suffix for path in folder.iterdir()] == [".py"]


def test_another_folder_is_obeyed_within_a_process(folder, tmp_path, monkeypatch):
    first = load("one = 1\n")
    monkeypatch.setenv("CELLPK_CACHE", str(tmp_path / "others"))
    assert load("one = 1\n") is not first
    assert (tmp_path / "others" / f"{module_name('one = 1\n')}.py").exists()
    assert cache_folder() == tmp_path / "others"


def test_without_a_folder_named_it_is_the_users_own(monkeypatch):
    monkeypatch.delenv("CELLPK_CACHE", raising=False)
    assert "cellpk" in cache_folder().parts


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CELLPK_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"file'.*(?s:.)*CELLPK_CACHE"):
        load("one = 1\n")


def test_what_will_take_seconds_is_said_once_before(folder):
    told = []
    function = load(TEXT).doubled
    announce([function], "a model", notify=told.append)
    function(1.0)
    announce([function], "a model", notify=told.append)
    assert told == ["compiling a model, once, about 1 s"]


@pytest.mark.parametrize(("terminal", "said"), [(True, "slow\n"), (False, "")])
def test_only_a_terminal_is_told(monkeypatch, terminal, said):
    found = []
    stream = SimpleNamespace(isatty=lambda: terminal, write=found.append)
    monkeypatch.setattr(sys, "stderr", stream)
    tell_terminal("slow")
    assert "".join(found) == said


COMPILE = """
import sys

import cellpk as ck

for path in sys.argv[1:]:
    model = ck.load_model(path)
    print(float(model.curve([3])[0]))
"""

DECAY = """
title = "Decay"
source = "own"
time = "day"
equations = '''
E(0) = start
dE/dt = -k*E
{more}
'''
[parameters]
start = {{ value = 10, unit = "cells/uL", iiv_sd = 1 }}
k = {{ value = 0.5, unit = "1/day", iiv_sd = 1 }}
[observed]
flow = {{ is = "E", unit = "cells/uL", error = "lognormal", sd = 0.3 }}
"""


@pytest.mark.slow
def test_models_that_two_processes_compiled_do_not_mix_in_a_third(tmp_path):
    more = "F(0) = start\ndF/dt = k*E - k*F\nG(0) = start\ndG/dt = k*F - k*G"
    files = [tmp_path / "one.toml", tmp_path / "three.toml"]
    for file, extra in zip(files, ["", more], strict=True):
        file.write_text(DECAY.format(more=extra), encoding="utf-8")
    environment = os.environ | {"CELLPK_CACHE": str(tmp_path / "cache")}

    def levels(*paths):
        command = [sys.executable, "-c", COMPILE, *map(str, paths)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        return [float(line) for line in done.stdout.split()]

    for file in files:
        levels(file)
    assert levels(*files) == pytest.approx([10 * math.exp(-1.5)] * 2)
