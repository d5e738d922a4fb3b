"""Hierarchical fits saved, loaded, hashed, and handed to ArviZ."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_bayes import diverged, drawn_fit

import cellpk as ck
from cellpk.model.writing import differing

STEIN = "stein_2019_tisagenlecleucel"


@pytest.fixture(scope="module")
def study():
    return ck.simulate_study(seed=1)


@pytest.fixture(scope="module")
def fit(study):
    return drawn_fit(ck.load_model(STEIN), study)


@pytest.fixture(scope="module")
def saved(fit, tmp_path_factory):
    return fit.save(tmp_path_factory.mktemp("saved") / "post.cellpk")


def equal_tables(one, other):
    for name in ("table", "individuals", "checks"):
        pd.testing.assert_frame_equal(
            getattr(one, name), getattr(other, name), check_exact=True
        )
    pd.testing.assert_frame_equal(one.priors.table, other.priors.table)
    for here, there in zip(one.priors.numbers, other.priors.numbers, strict=True):
        np.testing.assert_array_equal(here, there)


def test_a_fit_comes_back_in_every_digit(fit, saved):
    loaded = ck.load(saved)
    assert loaded.tree.identical(fit.tree)
    equal_tables(fit, loaded)
    assert repr(loaded) == repr(fit)
    assert loaded.draws_sha256 == fit.draws_sha256
    assert (loaded.study, loaded.units) == (fit.study, fit.units)
    assert (loaded.choice, loaded.sampling) == (fit.choice, fit.sampling)
    assert differing(loaded.model, fit.model) == []
    np.testing.assert_array_equal(loaded.draws.omega, fit.draws.omega)
    np.testing.assert_array_equal(loaded.expected, fit.expected)
    np.testing.assert_array_equal(loaded.posteriors.draws, fit.posteriors.draws)


def test_equal_fits_are_equal_bytes(study, saved, tmp_path):
    again = drawn_fit(ck.load_model(STEIN), study).save(tmp_path / "again.cellpk")
    loaded = ck.load(saved).save(tmp_path / "loaded.cellpk")
    assert again.read_bytes() == saved.read_bytes() == loaded.read_bytes()


def test_all_that_a_fit_can_ask_comes_back(study, tmp_path):
    model = ck.load_model(STEIN).with_values(tmax=8.0)
    choice = ck.Priors(
        kind="weak", typical={"cmax": (2e4, 0.5)}, spread={"fb": 0.4}, tails=4.0
    )
    fit = drawn_fit(
        model,
        study,
        draws=50,
        choice=choice,
        covariates={"cmax": ["age"]},
        correlations=[("cmax", "tmax")],
        without_spread=["beta"],
        lots=["cmax"],
    )
    loaded = ck.load(fit.save(tmp_path / "post.cellpk"))
    assert loaded.tree.identical(fit.tree)
    equal_tables(fit, loaded)
    assert loaded.choice == choice
    assert loaded.model.observed["qpcr"].error == "student"
    assert loaded.structure.lots.names == fit.structure.lots.names


def test_a_folder_of_chains_does_not_change_the_file(fit, saved, tmp_path):
    kept = replace(fit, sampling=replace(fit.sampling, keep=str(tmp_path)))
    assert kept.save(tmp_path / "a.cellpk").read_bytes() == saved.read_bytes()


def test_nothing_is_pickled_and_others_can_read_it(fit, saved, tmp_path):
    with zipfile.ZipFile(saved) as file:
        file.extractall(tmp_path)
        names = file.namelist()
    endings = {Path(name).suffix for name in names}
    assert endings == {".json", ".csv", ".parquet", ".npy", ".toml"}
    drawn = np.load(tmp_path / "draws" / "posterior" / "theta.npy", allow_pickle=False)
    np.testing.assert_array_equal(drawn, fit.tree["posterior/theta"])
    said = json.loads((tmp_path / "draws" / "names.json").read_text("utf-8"))
    names = said["posterior"]["coordinates"]["parameter"]["values"]
    assert names == list(fit.model.free)
    assert "created_at" not in said["posterior"]["attributes"]
    hashed = json.loads((tmp_path / "manifest.json").read_text("utf-8"))["members"]
    assert "draws/log_likelihood/qpcr.npy" in hashed
    fitted = json.loads((tmp_path / "fit.json").read_text("utf-8"))
    assert fitted["draws_sha256"] == fit.draws_sha256


def test_the_hash_is_of_the_draws_alone(fit):
    other = fit.tree.copy(deep=True)
    other["posterior"].attrs["created_at"] = "tomorrow"
    assert replace(fit, tree=other).draws_sha256 == fit.draws_sha256
    assert diverged(fit).draws_sha256 != fit.draws_sha256
    theta = np.asarray(other["posterior/theta"])
    theta[0, 0, 0, 0] = np.nextafter(theta[0, 0, 0, 0], 1e9)
    assert replace(fit, tree=other).draws_sha256 != fit.draws_sha256


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_draws_are_written_for_others_and_read(fit, tmp_path, kind):
    path = tmp_path / "new" / f"post.{kind}"
    assert getattr(fit, f"to_{kind}")(path) == path
    assert getattr(fit, f"to_{kind}")(path) == path  # what is there is replaced
    read = ck.read_draws(path)
    assert read.identical(fit.tree)
    assert read["posterior"].sizes["patient"] == len(fit.patients)
    assert replace(fit, tree=read).draws_sha256 == fit.draws_sha256


def test_arviz_and_xarray_write_and_read_them_themselves(fit, tmp_path):
    import arviz as az

    fit.tree.to_netcdf(tmp_path / "own.nc")
    assert az.from_netcdf(tmp_path / "own.nc").identical(fit.tree)
    for group in fit.tree.subtree:
        json.dumps(group.attrs)
        for each in group.variables.values():
            json.dumps(each.attrs)


def test_where_no_draws_are_it_is_told(tmp_path):
    (tmp_path / "text.nc").write_text("hello")
    for path in (tmp_path / "text.nc", tmp_path / "none.nc", tmp_path):
        with pytest.raises(ck.FitError, match="there are no draws"):
            ck.read_draws(path)


POPULATION = {"var_names": ["location", "spread", "error", "never_expanded"]}
PLOTS = {
    "plot_trace": POPULATION,
    "plot_trace_dist": POPULATION,
    "plot_forest": {"var_names": ["typical", "individual"]},
    "plot_rank": POPULATION,
    "plot_dist": POPULATION,
    "plot_ess": POPULATION,
    "plot_mcse": POPULATION,
    "plot_autocorr": {"var_names": ["location"]},
    "plot_convergence_dist": POPULATION,
    "plot_energy": {},
    "plot_parallel": {"var_names": ["location"]},
    "plot_pair": {"var_names": ["spread"]},
    "plot_prior_posterior": POPULATION,
}


@pytest.mark.parametrize("name", PLOTS)
def test_arviz_plots_what_was_sampled(fit, name):
    import arviz_plots
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    drawn = getattr(arviz_plots, name)(fit.tree, backend="matplotlib", **PLOTS[name])
    assert drawn.viz["figure"].item().axes
    plt.close("all")
