"""Virtual patients: their samples against closed forms, and the same bytes again."""

import hashlib
import subprocess
import sys
from functools import partial

import made_models
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import cellpk as ck
from cellpk.model import virtual
from cellpk.model.compile import ode_kernel
from cellpk.model.parallel import over_chunks

N = 20_000
SURE = 4.5
"""Standard errors: a right simulation strays further once in 150,000 times."""

DAYS = [0, 1, 3, 7, 10, 14, 21, 28, 60, 90]
DIGEST = """
import hashlib, cellpk as ck, pandas as pd
stein = ck.load_model("stein_2019_tisagenlecleucel")
design = ck.Design([0, 7, 28], lloq=50, dropout=0.01, jitter=0.3)
table = stein.simulate(100, design=design, seed=5).table
print(hashlib.sha256(table.to_csv(float_format="%r").encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def decline(made_model):
    return made_model()


@pytest.fixture(scope="module")
def explosion(made_model):
    model = made_model(made_models.EXPLOSION).with_spread(r=0.8)
    return partial(model.simulate, seed=2, residual={"qpcr": 0})


def _near(share, expected, n=N):
    error = np.sqrt(expected * (1 - expected) / n)
    assert share == pytest.approx(expected, abs=SURE * error)


def test_true_levels_are_the_curves_of_the_patients(stein):
    days = [7, 14, 28, 90]
    made = stein.simulate(5, design=ck.Design(days), seed=1)
    for row in made.parameters.to_dict("records"):
        values = {name: row[name] for name in stein.free}
        found = made.table.query(f"patient == {row['patient']!r}")
        expected = stein.curve(days, **values)
        np.testing.assert_allclose(found["true_level"], expected, rtol=1e-9)
        assert found["time"].tolist() == days


@pytest.mark.parametrize("day", [1.0, 14.0, 28.0])
def test_states_come_as_often_as_the_normal_distribution_says(decline, day):
    """Of the log level: the spread of both parameters, their correlation, the error."""
    limits = {"llod": 20.0, "lloq": 60.0, "uloq": 900.0}
    design = ck.Design([day], assays="qpcr", **limits)
    made = decline.simulate(N, design=design, seed=4, covariates={"high": 1})
    variance = 0.5**2 + (0.02 * day) ** 2 - 2 * 0.6 * 0.5 * 0.02 * day + 0.4**2
    log_level = stats.norm(np.log(1000) - 0.1 * day, np.sqrt(variance))
    below, low, high = (log_level.cdf(np.log(limit)) for limit in limits.values())
    share = made.table["state"].value_counts(normalize=True)
    _near(share.get("below", 0), below)
    _near(share.get("detected", 0), low - below)
    _near(share.get("quantified", 0), high - low)
    _near(share.get("above", 0), 1 - high)


def test_numbers_stand_where_a_level_is_quantified(decline):
    limits = {"llod": 20.0, "lloq": 60.0, "uloq": 900.0}
    design = ck.Design([1, 14, 28], assays="qpcr", **limits)
    table = decline.simulate(300, design=design, seed=4).table
    quantified = table["state"] == "quantified"
    assert (table["level"].notna() == quantified).all()
    assert table.loc[quantified, "level"].between(60, 900).all()
    assert set(table["state"]) == {"above", "quantified", "detected", "below"}


def test_the_residual_error_is_that_of_the_assay(decline):
    table = decline.simulate(N, design=ck.Design([1]), seed=3).table
    of_qpcr, of_ddpcr = (table[table["assay"] == x] for x in ("qpcr", "ddpcr"))
    log_error = np.log(of_qpcr["level"] / of_qpcr["true_level"])
    assert log_error.std() == pytest.approx(0.4, abs=SURE * 0.4 / np.sqrt(2 * N))
    error = of_ddpcr["level"] - of_ddpcr["true_level"]
    assert error.std() == pytest.approx(20, abs=SURE * 20 / np.sqrt(2 * N))
    assert of_qpcr["true_level"].tolist() == of_ddpcr["true_level"].tolist()


def test_a_reading_below_zero_is_not_quantified(decline):
    table = decline.simulate(500, design=ck.Design([60], assays="ddpcr"), seed=3).table
    assert set(table["state"]) == {"quantified", "below"}
    assert (table["level"].dropna() > 0).all()


def test_the_classes_of_a_mixture_are_drawn_and_told(decline):
    made = decline.simulate(N, design=ck.Design([0], assays="qpcr"), seed=3)
    high = made.parameters["high"]
    _near(high.mean(), 0.3)
    level = made.table["true_level"] * np.exp(made.parameters["k"] * 0.02)
    expected = made.parameters["c0"] / np.where(high == 1, 1, 10)
    np.testing.assert_allclose(level, expected, rtol=1e-9)


def test_covariates_of_a_frame_go_to_their_patients(decline):
    high = pd.DataFrame({"high": [1, 0, 1]})
    made = decline.simulate(3, design=ck.Design([7]), seed=1, covariates=high)
    assert made.parameters["high"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("day", [10.0, 100.0])
def test_patients_leave_at_a_constant_hazard(decline, day):
    design = ck.Design([0, day], assays="qpcr", dropout=0.01)
    made = decline.simulate(N, design=design, seed=6)
    taken = made.table.groupby("nominal_time").size()
    assert taken[0.0] == N
    _near(1 - taken[day] / N, 1 - np.exp(-0.01 * day))
    last = made.parameters["last_contact"]
    assert (last < day).sum() == N - taken[day]
    assert last.max() == day


def test_nobody_loses_the_sample_of_day_0(decline):
    made = decline.simulate(200, design=ck.Design([0, 7], dropout=50.0), seed=6)
    assert made.table["nominal_time"].tolist() == [0, 0] * 200
    assert (made.table["time"] > 0).all()


def test_assays_of_one_visit_share_its_time(decline):
    design = ck.Design([7, 14, 15], jitter=2.0)
    table = decline.simulate(500, design=design, seed=6).table
    one, two = (table[table["assay"] == x] for x in ("qpcr", "ddpcr"))
    assert one["time"].tolist() == two["time"].tolist()
    away = (one["time"] - one["nominal_time"]).std()
    assert away == pytest.approx(2.0, abs=SURE * 2 / np.sqrt(2 * 1500))


def test_levels_are_those_of_the_day_on_which_the_sample_was_taken(decline):
    """Visits that change places included: neighbours a day apart, strayed by two."""
    design = ck.Design([7, 14, 15], assays="qpcr", jitter=2.0)
    made = decline.simulate(300, design=design, seed=6, covariates={"high": 1})
    table = made.table.merge(made.parameters, on="patient")
    assert (np.diff(table["time"].to_numpy().reshape(-1, 3)) < 0).any()
    expected = table["c0"] * np.exp(-table["k"] * table["time"])
    np.testing.assert_allclose(table["true_level"], expected, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_chunks_change_no_bit(stein, monkeypatch, size, threads):
    design = ck.Design(DAYS, lloq=50, jitter=0.3, dropout=0.01)
    once = stein.simulate(300, design=design, seed=9).table
    monkeypatch.setattr(virtual, "PATIENTS_PER_CHUNK", size)
    monkeypatch.setattr(virtual, "over_chunks", partial(over_chunks, threads=threads))
    again = stein.simulate(300, design=design, seed=9).table
    pd.testing.assert_frame_equal(once, again, check_exact=True)


@pytest.mark.parametrize(("size", "threads"), [(1, 3), (7, 1), (1000, 3)])
def test_threads_and_chunks_change_no_bit_of_what_is_solved(
    explosion, monkeypatch, size, threads
):
    design = ck.Design([0, 5, 30], jitter=0.3)
    once = explosion(60, design=design)
    monkeypatch.setattr(ode_kernel, "STATES_PER_CHUNK", size)
    spread = partial(over_chunks, threads=threads)
    monkeypatch.setattr(
        ode_kernel, "over_chunks", lambda *a, size, threads: spread(*a, size=size)
    )
    again = explosion(60, design=design)
    pd.testing.assert_frame_equal(once.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(once.failed, again.failed)


def test_another_process_gives_the_same_bytes(stein):
    design = ck.Design([0, 7, 28], lloq=50, dropout=0.01, jitter=0.3)
    table = stein.simulate(100, design=design, seed=5).table
    here = hashlib.sha256(table.to_csv(float_format="%r").encode()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True
    )
    assert there.stdout.strip() == here


def test_another_seed_gives_other_patients(stein):
    one, two = (stein.simulate(3, design=ck.Design([7]), seed=s) for s in (1, 2))
    assert (one.parameters["cmax"] != two.parameters["cmax"]).all()
    assert (one.table["level"] != two.table["level"]).all()


def test_more_patients_assays_and_days_change_nothing_of_the_rest(decline):
    how = {"jitter": 0.5, "dropout": 0.01}
    small = decline.simulate(20, design=ck.Design([7], assays="qpcr", **how), seed=1)
    large = decline.simulate(90, design=ck.Design([3, 7, 9], **how), seed=1)
    kept = large.table.query("assay == 'qpcr' and nominal_time == 7").iloc[:20]
    kept = kept[kept["patient"].isin(small.table["patient"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(small.table, kept, check_exact=True)


def test_a_patient_without_a_course_is_missing_with_a_reason(explosion):
    """Who explodes before day 50 is told by the closed form, with patients to spare."""
    made = explosion(100, design=ck.Design([10, 50]))
    table = made.table.merge(made.parameters, on="patient")
    end = 1 / made.parameters["r"]
    failed = made.parameters["patient"].isin(made.failed["patient"])
    assert (failed == (end < 50)).all()
    assert 20 < failed.sum() < 80
    assert made.failed["reason"].str.contains("on day").all()
    alive = table[~table["patient"].isin(made.failed["patient"])]
    expected = 1 / (1 - alive["r"] * alive["time"])
    np.testing.assert_allclose(alive["level"], expected, rtol=2e-4)
    dead = table[table["patient"].isin(made.failed["patient"])]
    assert set(dead["state"]) == {"missing"}
    assert len(table) == 200
    assert f"{failed.sum()} failed" in repr(made)


def test_solved_levels_follow_each_patients_own_visits(explosion):
    made = explosion(50, design=ck.Design([0, 5, 6], jitter=1.0))
    table = made.table.merge(made.parameters, on="patient").query("state != 'missing'")
    expected = 1 / (1 - table["r"] * table["time"])
    np.testing.assert_allclose(table["true_level"], expected, rtol=1e-4)


def test_infusions_of_the_design_take_the_place_of_the_models(explosion):
    days = [5.0, 20.0]
    made = explosion(20, design=ck.Design(days, infusions=[(0, 0.2), (10, 0.4)]))
    r = made.parameters["r"].to_numpy()
    first = 0.1 / (1 - 0.1 * r * 10) + 0.2
    expected = np.column_stack(
        [0.1 / (1 - 0.1 * r * 5), first / (1 - first * r * 10)]
    ).ravel()
    np.testing.assert_allclose(made.table["level"], expected, rtol=1e-4)
    infusions = made.study().infusions
    assert infusions.groupby("time")["dose"].unique().tolist() == [[0.2], [0.4]]
    assert len(infusions) == 40


def test_a_study_of_virtual_patients_has_no_problems(stein):
    design = ck.Design(DAYS, llod=20, lloq=50, uloq=1e5, dropout=0.01, jitter=0.3)
    made = stein.simulate(20, design=design, seed=1)
    study = made.study()
    assert study.problems.empty
    assert study.settings.study.simulated
    assert study.unit("qpcr") == "copies/ug"
    ours = made.table.sort_values(["patient", "time"], ignore_index=True)
    for name in ("patient", "time", "nominal_time", "level", "state", "lloq", "uloq"):
        pd.testing.assert_series_equal(study.samples[name], ours[name])
    assert study.patients["patient"].tolist() == made.parameters["patient"].tolist()


def test_nca_takes_the_study_of_virtual_patients(stein):
    made = stein.simulate(20, design=ck.Design(DAYS, lloq=50), seed=1)
    metrics = ck.nca(made.study()).table
    assert len(metrics) == 20
    highest = made.table.groupby("patient")["level"].max()
    assert metrics["cmax"].tolist() == highest.tolist()


def test_a_study_takes_assays_under_names_that_it_knows(decline):
    made = decline.simulate(3, design=ck.Design([7]), seed=1)
    assert made.study().assays == ("qpcr", "ddpcr")
    assert made.study(assays={"qpcr": "ddpcr"}).assays == ("ddpcr",)
    with pytest.raises(ck.ModelError, match=r"'qpcrr'.*Did you mean 'qpcr'"):
        made.study(assays={"qpcr": "qpcrr"})
    with pytest.raises(ck.ModelError, match="'flow' was not measured"):
        made.study(assays={"flow": "flow"})


def test_days_that_never_come_are_blank_in_a_study():
    model = ck.load_model("stein_2019_comedication")
    days = {"toci_day": [3.0, np.inf, 5.0]}
    made = model.simulate(3, design=ck.Design([7]), seed=1, covariates=days)
    assert made.parameters["toci_day"].tolist() == [3, np.inf, 5]
    study = made.study()
    np.testing.assert_array_equal(study.patients["toci_day"], [3, np.nan, 5])
    assert "steroid_day" not in study.patients
    assert study.unit("toci_day") == "day"


def test_an_unpublished_spread_must_be_given():
    model = ck.load_model("kimmel_2021_axicel")
    design = ck.Design([7], assays="car")
    with pytest.raises(ck.ModelError, match=r"rho_c.*with_spread\("):
        model.simulate(3, design=design, seed=1, residual={"car": 0.3})


def test_an_unpublished_error_must_be_given(made_model):
    model = made_model(made_models.EXPLOSION).with_spread(r=0.1)
    with pytest.raises(ck.ModelError, match="residual error of qpcr is not published"):
        model.simulate(3, design=ck.Design([7]), seed=1)


@pytest.mark.parametrize("how", [{"n": 0}, {"n": 2.5}, {"seed": -1}, {"seed": None}])
def test_numbers_that_are_not_whole_are_refused(stein, how):
    told = {"n": 3, "seed": 1} | how
    name, value = next(iter(how.items()))
    with pytest.raises(ck.ModelError, match=f"{name} is {value!r}"):
        stein.simulate(told["n"], design=ck.Design([7]), seed=told["seed"])


def test_tables_that_are_changed_leave_the_result_as_it_is(stein):
    made = stein.simulate(2, design=ck.Design([7]), seed=1)
    table, parameters = made.table, made.parameters
    table["level"] = 0.0
    parameters.loc[0, "cmax"] = 0.0
    assert (made.table["level"] > 0).all()
    assert (made.parameters["cmax"] > 0).all()


def test_it_says_in_one_line_what_it_holds(stein):
    design = ck.Design([7, 28], lloq=1e9)
    made = stein.simulate(1, design=design, seed=3)
    assert repr(made) == (
        "Simulated stein_2019_tisagenlecleucel: 1 patient, 2 qpcr samples (2 below), "
        "seed 3"
    )
    assert "2 below" in made._repr_html_()
