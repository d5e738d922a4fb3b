"""``cellpk fit`` writes what it found, says what speaks against it, takes up chains."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_bayes import diverged, drawn_fit
from made_population import made_fit
from typer.testing import CliRunner

import cellpk as ck
from cellpk import cli
from cellpk.reporting import fit_files
from cellpk.study.writing import write_study

STEIN = "stein_2019_tisagenlecleucel"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_study(ck.simulate_study(seed=1), folder)
    return folder / "study.toml"


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Three patients."""
    folder = tmp_path_factory.mktemp("few")
    stein = ck.load_model(STEIN)
    design = ck.Design([3, 7, 10, 14, 28, 60], lloq=50.0)
    write_study(stein.simulate(3, design=design, seed=2).study(), folder)
    return folder / "study.toml"


def run(*words):
    return CliRunner().invoke(cli.app, ["fit", *map(str, words)])


def given(monkeypatch, fit):
    """Let the shell find a fit that is made already."""
    monkeypatch.setattr(fit_files, "fit_study", lambda *_, **__: fit)


def test_individual_fits_are_written(few, tmp_path):
    done = run(few, "--method", "individual", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    fits = ck.load(tmp_path / "out" / "fit.cellpk")
    assert done.stdout.startswith(repr(fits))
    table = pd.read_csv(tmp_path / "out" / "table.csv", dtype={"patient": str})
    np.testing.assert_array_equal(table["cmax"], fits.table["cmax"])
    assert (tmp_path / "out" / "failed.csv").is_file()


def test_model_and_seed_may_be_others_than_those_of_the_study(few, tmp_path):
    words = ("--method", "individual", "--seed", 7, "--model", "stein_2019_lag")
    done = run(few, *words, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    fits = ck.load(tmp_path / "fit.cellpk")
    assert (fits.model.name, fits.asked["seed"]) == ("stein_2019_lag", 7)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("doubted", [True, False])
def test_population_fits_end_by_what_speaks_against_them(
    monkeypatch, study, tmp_path, strict, doubted
):
    fit = made_fit(ck.load_model(STEIN), ck.read_study(study), settle=20)
    if doubted:
        fit = replace(fit, estimates=replace(fit.estimates, apart=5.0))
    given(monkeypatch, fit)
    done = run(study, *["--strict"] * strict, "-o", tmp_path)
    assert done.exit_code == (2 if strict and doubted else 0)
    first = done.stdout.splitlines()[0]
    assert ("NOT converged" in first) == doubted
    assert ("Doubted: runs from other starts" in done.stderr) == doubted
    for name in ("table.csv", "individuals.csv", "fit.cellpk"):
        assert (tmp_path / name).is_file()


@pytest.fixture(scope="module")
def reliable(study):
    return drawn_fit(ck.load_model(STEIN), ck.read_study(study))


@pytest.mark.parametrize("strict", [True, False])
def test_hierarchical_fits_end_by_their_checks(
    monkeypatch, study, reliable, tmp_path, strict
):
    words = ["--method", "bayes", *["--strict"] * strict, "-o", tmp_path]
    given(monkeypatch, reliable)
    done = run(study, *words)
    assert (done.exit_code, done.stderr) == (0, "")
    names = ("table", "individuals", "checks", "priors")
    read = {name: pd.read_csv(tmp_path / f"{name}.csv") for name in names}
    np.testing.assert_array_equal(read["table"]["value"], reliable.table["value"])
    assert read["priors"]["sentence"].tolist() == list(
        reliable.priors.table["sentence"]
    )
    given(monkeypatch, diverged(reliable))
    done = run(study, *words)
    assert done.exit_code == (2 if strict else 0)
    assert done.stdout.startswith("NOT RELIABLE: 1 of 2000 draws diverge")
    assert done.stderr.startswith("Doubted: 1 of 2000 draws diverge")
    assert not pd.read_csv(tmp_path / "checks.csv")["passed"].all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--chains", 2), "--chains with --method population"),
        (("--method", "individual", "--priors", "weak"), "Add --method bayes"),
        (("--method", "bayes", "--chains", 0), "chains = 0"),
        (("--model", "stein"), "no model 'stein'"),
    ],
)
def test_what_cannot_be_is_told(few, tmp_path, words, said):
    done = run(few, *words, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert said in done.output
    assert not (tmp_path / "out" / "fit.cellpk").exists()


def test_a_method_that_is_not_known_is_told(few):
    done = run(few, "--method", "saem")
    assert done.exit_code == 2  # as every wrong word of a command line
    assert "'individual', 'population', 'bayes'" in done.output


@pytest.mark.slow
def test_an_interrupted_fit_takes_up_its_chains(few, tmp_path):
    short = ("--chains", 2, "--draws", 20, "--tune", 50)
    words = (few, "--method", "bayes", "--priors", "weak", *short, "-o", tmp_path)
    first = run(*words)
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("NOT RELIABLE: ")
    one = ck.load(tmp_path / "fit.cellpk")
    assert one.choice == ck.Priors(kind="weak")
    assert (one.sampling.draws, one.sampling.keep) == (20, None)
    kept, lost = (tmp_path / "chains" / f"chain-0.99-{k}.npz" for k in (0, 1))
    was, stamp = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    (tmp_path / "chains" / "chain-0.99-1.part.npz").write_bytes(b"cut off")
    again = run(*words, "--strict")
    assert again.exit_code == 2
    assert kept.stat().st_mtime_ns == stamp
    with np.load(lost) as here:
        assert here["theta"].shape[0] == 20
    assert len(lost.read_bytes()) == len(was)
    other = ck.load(tmp_path / "fit.cellpk")
    assert other.draws_sha256 == one.draws_sha256
    changed = run(*words, "--seed", 9)
    assert changed.exit_code == 1
    assert "chains of another fit" in changed.output
