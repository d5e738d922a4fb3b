"""Figures of a model draw what the model gives."""

import numpy as np
import pytest
from scipy.stats import norm

import cellpk as ck
from cellpk.reporting.figures.courses import (
    horizon,
    patient_spread,
    states,
    typical_course,
)

STEIN = ck.load_model("stein_2019_tisagenlecleucel")


def test_both_panels_draw_the_typical_curve_to_its_peak():
    drawing = typical_course(STEIN)
    for axes in drawing.figure.axes:
        assert axes.get_yscale() == "log"
        assert axes.lines[0].get_ydata().max() == pytest.approx(24000)
    ends = [axes.lines[0].get_xdata()[-1] for axes in drawing.figure.axes]
    assert ends == [28, 1200]


def test_the_horizon_is_the_latest_printed_day_or_day_90():
    assert horizon(STEIN) == 1200
    assert horizon(ck.load_model("stein_2019_lag")) == 90


def test_each_state_has_a_panel_with_its_unit():
    drawing = states(STEIN)
    assert [axes.get_title("left") for axes in drawing.figure.axes] == [
        "E (copies/µg)",
        "M (copies/µg)",
    ]


def test_percentiles_at_the_start_are_those_of_the_published_spread():
    frame = patient_spread(STEIN, patients=4000).frame
    start = np.log(frame.iloc[0][["p5", "p25", "p50", "p75", "p95"]].astype(float))
    sd = np.hypot(2.4, 0.65)  # level at day 0 is cmax/foldx
    expected = np.log(24000 / 3900) + sd * norm.ppf([0.05, 0.25, 0.5, 0.75, 0.95])
    assert start.to_numpy() == pytest.approx(expected, abs=4 * sd * 2.1 / 4000**0.5)


def test_levels_far_below_the_peak_do_not_stretch_the_axis():
    axes = typical_course(STEIN.with_values(foldx=1e12)).figure.axes[0]
    assert axes.get_ylim() == (0.01, 100000)


def test_a_spread_that_is_not_published_is_not_made_up():
    model = ck.load_model("barros_2021_cartmath_raji")
    with pytest.raises(ck.ModelError, match="spread between patients is not published"):
        patient_spread(model)
