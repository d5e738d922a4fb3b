"""The simulated trial: labelled, repeatable, and true to what it says it assumes."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cellpk as ck
from cellpk.study.writing import write_study
from cellpk.trial import simulate
from cellpk.trial.laboratory import VISIT_WINDOW, Laboratory

SEEDS = (1, 2, 3, 11)

WRITE = """
import sys, cellpk
from cellpk.study.writing import write_study
write_study(cellpk.simulate_study(seed=5), sys.argv[1])
"""


@pytest.fixture(scope="module", params=SEEDS)
def study(request):
    return ck.simulate_study(seed=request.param)


@pytest.fixture
def plain(monkeypatch):
    """Nothing but the model's own curves."""
    for name in ("DOSE_POWER", "BURDEN_POWER", "LOT_SD", "REJECTION"):
        monkeypatch.setattr(simulate, name, 0.0)
    return monkeypatch


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setattr(simulate, "PATIENTS_PER_DOSE", 150)
    monkeypatch.setattr(simulate, "GRID", simulate.GRID[:2000])
    return monkeypatch


def _digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _peaks(model):
    rng = np.random.default_rng(4)
    patients, infusions = simulate._enrol(rng)
    level = simulate._levels(model, patients, infusions, rng=rng)
    return patients, infusions, level.max(axis=1)


def _slope(x, y):
    return np.polyfit(x, y, 1)[0]


def test_it_is_labelled_as_simulated(study):
    assert study.settings.study.simulated
    assert "Simulated" in study.settings.study.title
    assert "simulated" in repr(study)
    assert "illustrative" in simulate.simulate_study.__doc__


def test_it_has_the_shape_of_a_dose_escalation(study):
    assert study.patients["dose_level"].value_counts().tolist() == [6, 6, 6]
    assert sorted(set(study.infusions["dose"])) == list(simulate.DOSES)
    assert set(study.infusions["lot"]) <= set(simulate.LOTS)
    assert study.assays == ("qpcr", "flow", "il6")
    assert study.main_assay == "qpcr"


def test_reading_finds_only_what_a_real_trial_would_show(study):
    """MRD of the deep responses only, samples before the infusion, lost samples."""
    found = study.problems["what"]
    known = "'mrd' is missing|before the infusion|without a result"
    assert found.str.contains(known).all()


def test_every_state_agrees_with_the_limits(study):
    samples = study.samples
    groups = dict(list(samples.groupby("state")))
    assert set(groups) == {"quantified", "detected", "below", "above", "missing"}
    assert (groups["quantified"]["level"] >= groups["quantified"]["lloq"]).all()
    assert groups["detected"]["llod"].notna().all()
    assert groups["above"]["uloq"].notna().all()
    assert set(groups["above"]["assay"]) == {"il6"}
    assert samples.loc[samples["state"] != "quantified", "level"].isna().all()
    quantified = groups["quantified"]
    assert (quantified["reported"].astype(float) == quantified["level"]).all()


def test_samples_end_with_the_last_contact(study):
    last = study.patients.set_index("patient")["last_contact"]
    assert (study.samples["time"] <= study.samples["patient"].map(last)).all()
    deaths = study.outcomes.query("endpoint == 'death'").set_index("patient")["time"]
    assert (deaths == last[deaths.index]).all()


def test_car_t_cells_are_not_measured_before_the_infusion(study):
    before = study.samples.query("time < 0 and assay != 'il6' and state != 'missing'")
    assert len(before) > 0
    assert (before["state"] == "below").all()


def test_tocilizumab_follows_crs(study):
    crs = study.outcomes.query("endpoint == 'crs_grade'").set_index("patient")
    given = study.comedication.query("drug == 'tocilizumab'").set_index("patient")
    assert (given["time"] > crs["time"][given.index]).all()
    assert set(crs.index[crs["value"].astype(int) >= 2]) <= set(given.index)


def test_only_deep_responses_are_tested_for_mrd(study):
    best = study.outcomes.query("endpoint == 'best_response'").set_index("patient")
    tested = study.outcomes.query("endpoint == 'mrd'")["patient"]
    assert set(best["value"][tested]) <= {"VGPR", "CR", "sCR"}


def test_the_same_seed_gives_the_same_study_and_another_another():
    again = ck.simulate_study(seed=1)
    assert again == ck.simulate_study(seed=1)
    assert again != ck.simulate_study(seed=2)


def test_another_process_writes_the_same_bytes(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    write_study(ck.simulate_study(seed=5), here)
    subprocess.run([sys.executable, "-c", WRITE, str(there)], check=True)
    assert _digests(here) == _digests(there)
    assert "study.toml" in _digests(here)


def test_it_reads_back_as_it_was_written(study, tmp_path):
    write_study(study, tmp_path)
    assert ck.read_study(tmp_path / "study.toml") == study


def test_without_the_assumed_changes_a_patient_follows_the_model(plain):
    plain.setattr(simulate, "NEVER_EXPANDED", 0)
    plain.setattr(simulate, "PATIENTS_PER_DOSE", 2)
    model = ck.load_model(simulate.MODEL)
    patients, infusions = simulate._enrol(np.random.default_rng(1))
    level = simulate._levels(model, patients, infusions, rng=np.random.default_rng(2))
    eta = np.random.default_rng(2).standard_normal((6, len(model.free)))
    natural = model.natural(model.typical + model.spread * eta)
    scale = simulate.TYPICAL_CMAX / model.parameters["cmax"].value
    for patient in range(6):
        values = {name: natural[name][patient] for name in model.free}
        expected = model.curve(simulate.GRID, **values) * scale
        np.testing.assert_allclose(level[patient], expected, rtol=1e-9)


def test_typical_peak_and_spread_are_those_it_states(many, plain):
    model = ck.load_model(simulate.MODEL)
    _, _, peak = _peaks(model)
    expanded = np.log(peak[peak > 100])
    assert np.exp(np.median(expanded)) == pytest.approx(12_000, rel=0.1)
    assert expanded.std() == pytest.approx(model.parameters["cmax"].iiv_sd, rel=0.1)


def test_dose_hardly_matters_and_burden_does(many):
    patients, infusions, peak = _peaks(ck.load_model(simulate.MODEL))
    x = np.column_stack(
        [
            np.log(infusions["dose"]),
            np.log(patients["tumour_burden"]),
            *[infusions["lot"] == lot for lot in simulate.LOTS],
        ]
    ).astype(float)
    grown = peak > 100
    slopes = np.linalg.lstsq(x[grown], np.log(peak[grown]), rcond=None)[0]
    assert slopes[0] == pytest.approx(simulate.DOSE_POWER, abs=0.2)
    assert slopes[1] == pytest.approx(simulate.BURDEN_POWER, abs=0.15)


def test_rejection_makes_the_loss_grow_with_time(monkeypatch):
    """The sign of the curvature tells rejection from the forming of memory."""
    model = ck.load_model(simulate.MODEL)
    monkeypatch.setattr(simulate, "NEVER_EXPANDED", 0)
    patients, infusions = simulate._enrol(np.random.default_rng(1))
    with_host = simulate._levels(
        model, patients, infusions, rng=np.random.default_rng(2)
    )
    monkeypatch.setattr(simulate, "REJECTION", 0.0)
    without = simulate._levels(model, patients, infusions, rng=np.random.default_rng(2))
    extra = np.log(without / with_host)
    days = [np.searchsorted(simulate.GRID, day) for day in (5, 10, 20, 40)]
    rate = np.diff(extra[:, days], axis=1) / np.diff((5, 10, 20, 40))
    assert (np.diff(rate, axis=1) > 0).all()
    assert (with_host[:, days[-1]] < without[:, days[-1]]).all()


def test_il6_turnover_agrees_with_an_ode_solver(monkeypatch):
    monkeypatch.setattr(simulate, "STEP", 0.01)
    grid = np.arange(0, 20, 0.01)
    production = 40 + 3000 * np.exp(-0.5 * (grid - 8) ** 2)
    loss = np.where(grid >= 9, 1.6, 3.96)
    found = simulate._turnover(production[None], loss[None])[0]

    def rate(t, level):
        made = 40 + 3000 * np.exp(-0.5 * (t - 8) ** 2)
        return made - (1.6 if t >= 9 else 3.96) * level

    solved = solve_ivp(
        rate, (0, 20), [found[0]], t_eval=grid, rtol=1e-8, atol=1e-8, max_step=0.01
    )
    np.testing.assert_allclose(found, solved.y[0], rtol=0.02)


def test_tocilizumab_raises_measured_il6():
    never = simulate._il6_loss(np.array([np.nan]))
    given = simulate._il6_loss(np.array([8.0]))
    production = np.full_like(never, 400.0)
    before, after = (
        simulate._turnover(production, loss)[0, -1] for loss in (never, given)
    )
    assert after / before == pytest.approx(1 / simulate.TOCILIZUMAB_CLEARANCE)


def test_il6_peaks_at_the_end_of_the_expansion_not_after():
    rng = np.random.default_rng(8)
    model = ck.load_model(simulate.MODEL)
    patients, infusions = simulate._enrol(rng)
    level = simulate._levels(model, patients, infusions, rng=rng)
    made = simulate._il6_production(level, patients, rng)
    il6 = simulate._turnover(made, np.full_like(made, simulate.IL6_LOSS))
    grown = level.max(axis=1) > 100
    lag = simulate.GRID[il6.argmax(axis=1)] - simulate.GRID[level.argmax(axis=1)]
    assert (lag[grown] < 0.5).all()
    assert np.median(lag[grown]) > -3


def test_exposure_drives_crs_and_response(many):
    rng = np.random.default_rng(6)
    model = ck.load_model(simulate.MODEL)
    patients, infusions = simulate._enrol(rng)
    level = simulate._levels(model, patients, infusions, rng=rng)
    made = simulate._il6_production(level, patients, rng)
    il6 = simulate._turnover(made, np.full_like(made, simulate.IL6_LOSS))
    grade = simulate._crs(il6, patients, rng)["grade"]
    course = simulate._courses(level.max(axis=1), patients, rng)
    rank = course["response"].map(simulate.RESPONSES.index)
    peak = np.log10(level.max(axis=1))
    burden = np.log10(patients["tumour_burden"])
    assert _slope(peak, grade) > 0.2
    assert _slope(burden, grade) > 0.2
    x = np.column_stack([peak, burden, np.ones_like(peak)])
    slopes = np.linalg.lstsq(x, rank, rcond=None)[0]
    assert slopes[0] > 0
    assert slopes[1] < 0


def test_laboratory_error_and_visit_windows_are_those_it_states():
    assay = Laboratory("flow", "blood", (7, 28), error_sd=0.4, lloq=1.0)
    until = {f"{i}": 90.0 for i in range(2000)}
    true = np.full((2000, 2), 1000.0)
    grid = np.array([0.0, 100.0])
    table = assay.samples(grid, true, until, rng=np.random.default_rng(1))
    assert np.log(table["level"] / 1000).std() == pytest.approx(0.4, rel=0.05)
    off = (table["time"] - table["nominal_time"]).abs()
    least, share, _ = VISIT_WINDOW
    assert (off <= least + share * table["nominal_time"] + 0.01).all()
    assert (table["state"] == "missing").mean() == pytest.approx(0.02, abs=0.01)
