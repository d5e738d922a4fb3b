"""The shell's door says what it did, and in words what went wrong."""

import io
import re
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

import cellpk as ck
from cellpk import cli
from cellpk.study.writing import write_study

HEAVY = ("numpy", "pandas", "scipy", "pymc", "matplotlib", "lmfit", "pydantic", "rich")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_study(ck.simulate_study(seed=1), folder)
    return folder / "study.toml"


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def shell(*words):
    return subprocess.run(
        [sys.executable, "-m", "cellpk", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_heavy_is_imported_before_it_is_used():
    code = f"""
import cellpk, cellpk.cli, sys
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_python_m_cellpk_prints_its_version():
    done = shell("--version")
    assert done.returncode == 0
    assert done.stdout == f"cellpk {ck.__version__}\n"


def test_help_names_every_command():
    done = run("--help")
    assert done.exit_code == 0
    commands = "demo report check nca fit models gallery warmup"
    for command in commands.split():
        assert command in done.output


def test_a_reader_that_has_enough_ends_it_without_a_word(study):
    process = subprocess.Popen(
        [sys.executable, "-m", "cellpk", "check", str(study)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert not process.stderr.read()
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize("command", ["check", "nca", "report"])
def test_a_path_that_does_not_exist_is_an_error_in_words(command, tmp_path):
    done = shell(command, tmp_path / "nowhere.toml")
    assert done.returncode == 1
    assert "nowhere.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_an_output_that_cannot_be_written_is_an_error_in_words(study, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("not a folder")
    done = run("nca", study, "-o", taken)
    assert done.exit_code == 1
    assert "taken" in done.output


def test_nca_writes_metrics_reasons_and_units(study, tmp_path):
    done = run("nca", study, "-o", tmp_path / "new" / "out")
    assert done.exit_code == 0
    read = {
        name: pd.read_csv(tmp_path / "new" / "out" / f"{name}.csv")
        for name in ("metrics", "reasons", "units")
    }
    metrics = ck.nca(ck.read_study(study))
    assert read["metrics"]["cmax"].tolist() == pytest.approx(
        metrics.table["cmax"].tolist(), nan_ok=True
    )
    assert len(read["reasons"]) == len(metrics.table)
    units = read["units"].set_index(["assay", "metric"])["unit"]
    assert units["qpcr", "cmax"] == "copies/ug"
    assert set(units["flow"].index) <= set(read["metrics"].columns)


def test_models_lists_every_model_and_prints_one():
    output = run("models").output
    listed = [line for line in output.splitlines() if line[0] != " "]
    assert listed == ck.list_models()["name"].tolist()
    assert "published; observed: qpcr; 6 parameters" in output
    listed = ["stein_2019_tisagenlecleucel"]
    printed = run("models", listed[0])
    assert repr(ck.load_model(listed[0])) in printed.output


def test_a_model_is_printed_with_printed_numbers_beside_computed_ones():
    lines = run("models", "stein_2019_tisagenlecleucel").output.splitlines()
    compared = lines[lines.index("Printed against computed") + 1 :]
    assert len(compared) == 1 + 3 + 11
    assert all(line.endswith("  met") for line in compared[1:])
    half_life = next(line for line in compared if "Terminal" in line)
    assert half_life.split()[-4:] == ["2.2e2", "216.608", "day", "met"]


def test_a_model_that_cannot_be_compared_says_so():
    output = run("models", "owens_bozic_2021_lbcl").output
    assert "no number to compare with" in output


def test_gallery_writes_the_models_that_are_named(tmp_path):
    done = run("gallery", tmp_path / "new", "stein_2019_tisagenlecleucel")
    assert done.exit_code == 0
    assert (tmp_path / "new" / "index.html").is_file()
    assert (tmp_path / "new" / "stein_2019_tisagenlecleucel.html").is_file()
    assert str(tmp_path / "new" / "index.html") in done.output


def test_warmup_prints_seconds_per_model():
    done = run(
        "warmup", "stein_2019_tisagenlecleucel", "stein_2019_tisagenlecleucel_var"
    )
    assert done.exit_code == 0
    printed = re.findall(r"^(stein\w+)  \d+\.\d s$", done.output, re.MULTILINE)
    assert printed == ["stein_2019_tisagenlecleucel", "stein_2019_tisagenlecleucel_var"]


def test_a_model_that_is_not_known_offers_the_nearest():
    done = run("models", "stein_2019_tisagenlecleucell")
    assert done.exit_code == 1
    assert "Did you mean 'stein_2019_tisagenlecleucel'?" in done.output


def test_a_log_gets_one_plain_line_per_step(capsys):
    with cli._progress() as progress:
        for done in range(3):
            progress(done, 3, f"fitting: patient {done}")
        progress(0, 1, "writing")
    lines = capsys.readouterr().err
    assert lines == "fitting\nwriting\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with cli._progress() as progress:
        progress(1, 2, "fitting [patient 7]")
    assert "fitting [patient 7]" in terminal.getvalue()
    assert "50%" in terminal.getvalue()


@pytest.mark.slow
def test_demo_writes_a_report_that_says_simulated(tmp_path):
    done = shell("demo", "-o", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert not CONTROL.search(done.stdout + done.stderr)
    report = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "simulated" in report.casefold()
    again = ck.read_study(tmp_path / "demo" / "study" / "study.toml")
    assert again == ck.simulate_study(seed=1)
    assert str(tmp_path / "demo" / "report.html") in done.stdout


def test_init_begins_a_study_toml_that_says_what_is_open(tmp_path):
    (tmp_path / "levels.csv").write_text("ID,DAY,DV,ASSAY\n1,7,300,PCR\n")
    result = run("init", tmp_path)
    assert result.exit_code == 0, result.output
    assert 'PCR = "?"' in (tmp_path / "study.toml").read_text()
    assert run("init", tmp_path).exit_code == 1


def test_export_writes_a_study_that_reads_back_the_same(study, tmp_path):
    result = run("export", study, "--to", "tidy", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "reads back as the same study" in result.output
    assert ck.read_study(tmp_path) == ck.read_study(study)
    assert run("export", study, "--to", "tidyy").exit_code == 1
