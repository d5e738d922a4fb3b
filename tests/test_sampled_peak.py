"""How far the observed Cmax and AUC0-28d lie from the true ones, by simulation."""

import numpy as np
import pytest

import cellpk as ck
from cellpk.model.sampled_peak import sampled_peak

USUAL = (0, 1, 4, 7, 10, 14, 21, 28)
WEEKLY = (0, 7, 14, 21, 28)
CV = 0.3
SD = float(np.sqrt(np.log1p(CV**2)))


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


def ratios(model, days, *, patients, seed=1, **rules):
    """Observed over true Cmax and AUC0-28d of virtual patients, by ``ck.nca``.

    The true ones are of the drawn parameters: Stein's Cmax is the peak itself, and the
    area is summed over levels every hundredth of a day.
    """
    design = ck.Design(days)
    virtual = model.simulate(patients, design=design, seed=seed, residual={"qpcr": SD})
    drawn = virtual.parameters
    grid = np.linspace(0, 28, 2801)
    theta = model.theta({name: drawn[name].to_numpy() for name in model.free})
    area = np.trapezoid(np.exp(model.log_level(theta, grid)), grid, axis=1)
    found = ck.nca(virtual.study(), **rules).table
    assert found["patient"].tolist() == drawn["patient"].tolist()
    return found["cmax"].to_numpy() / drawn["cmax"], found["auc_0_28"].to_numpy() / area


def quartiles(values):
    return np.nanquantile(values, [0.25, 0.5, 0.75])


def test_the_observed_peak_is_four_fifths_of_the_true_one(stein):
    peak, _ = ratios(stein, USUAL, patients=3000)
    assert quartiles(peak) == pytest.approx([0.62, 0.81, 1.01], abs=0.02)


def test_weekly_samples_see_two_thirds_of_the_true_peak(stein):
    peak, _ = ratios(stein, WEEKLY, patients=3000)
    assert quartiles(peak) == pytest.approx([0.46, 0.67, 0.90], abs=0.025)


@pytest.mark.parametrize(
    ("days", "rule", "median"),
    [
        (USUAL, "linear", 1.03),
        (USUAL, "linear_up_log_down", 0.98),
        (WEEKLY, "linear", 1.00),
        (WEEKLY, "linear_up_log_down", 0.95),
    ],
)
def test_areas_by_the_default_rule_are_right_to_five_percent(stein, days, rule, median):
    _, area = ratios(stein, days, patients=3000, auc_rule=rule)
    assert np.nanmedian(area) == pytest.approx(median, abs=0.015)


def test_the_function_gives_the_ratio_of_the_metric(stein):
    peak, _ = ratios(stein, USUAL, patients=3000)
    found = sampled_peak(stein, USUAL, cv=CV, patients=3000, seed=2)
    assert found.tolist() == pytest.approx(quartiles(peak).tolist(), abs=0.03)


def test_daily_samples_without_error_see_nearly_the_whole_peak(stein):
    found = sampled_peak(stein, np.arange(1, 29), cv=1e-6, patients=500)
    assert 0.85 < found["q25"] <= found["q75"] <= 1


def test_error_alone_makes_the_highest_of_many_levels_too_high(stein):
    # Every level of a fast schedule is near the peak, and the highest error is picked.
    found = sampled_peak(stein, np.arange(0.1, 28, 0.1), cv=CV, patients=300)
    assert found["q25"] > 1.2


def test_the_same_seed_gives_the_same_ratios(stein):
    one, two = (sampled_peak(stein, WEEKLY, cv=CV, patients=50) for _ in range(2))
    assert one.equals(two)
    assert not one.equals(sampled_peak(stein, WEEKLY, cv=CV, patients=50, seed=2))


def test_a_cv_in_percent_is_refused(stein):
    with pytest.raises(ck.ModelError, match=r"0\.3 for 30 %"):
        sampled_peak(stein, WEEKLY, cv=30)


def test_of_several_assays_one_must_be_named():
    kirouac = ck.load_model("kirouac_2023_cd19")
    with pytest.raises(ck.ModelError, match="Name the one that is meant"):
        sampled_peak(kirouac, WEEKLY, cv=CV)


def test_a_sample_before_the_infusion_is_never_the_peak(stein):
    later = WEEKLY[1:]
    one, two = (
        sampled_peak(stein, days, cv=CV, patients=50) for days in ([-7, *WEEKLY], later)
    )
    assert one.equals(two)


@pytest.mark.parametrize("days", [[], [0, -7], [7, np.nan], [7, np.inf]])
def test_days_without_one_after_the_infusion_are_refused(stein, days):
    with pytest.raises(ck.ModelError, match="at least one day after the infusion"):
        sampled_peak(stein, days, cv=CV)
