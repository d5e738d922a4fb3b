"""Metrics in groups: boxes, points, shares and the axes that suit each metric."""

import numpy as np
import pandas as pd
import pytest
from conftest import make_small_study
from matplotlib.figure import Figure
from scipy.stats import binomtest
from test_level_statistics import study_of

import cellpk as ck
from cellpk.errors import DataError

METRICS_BY = ck.figures.metrics_by


def boxes(panel):
    """The quartiles of each box: its corners' heights."""
    lines = [line.get_ydata() for line in panel.lines if len(line.get_xdata()) == 5]
    return [(float(min(y)), float(max(y))) for y in lines]


def test_box_is_the_quartiles_from_four_values_on(small_study, small_metrics):
    drawing = METRICS_BY(small_metrics, small_study, by="dose_level", names=("tmax",))
    frame = drawing.frame
    sizes = frame.groupby("group").size().to_dict()
    assert sizes["DL2"] == sizes["DL10"] == 2
    peaks = METRICS_BY(small_metrics, small_study, by="dose_level", names=("cmax",))
    values = peaks.frame.loc[peaks.frame["group"] == "DL1", "value"]
    (box,) = boxes(peaks.figure.axes[0])
    low, high = np.quantile(values, [0.25, 0.75])
    assert box[1] == pytest.approx(high)
    assert box[0] == pytest.approx(max(low, peaks.figure.axes[0].get_ylim()[0]))
    assert "No box where n is below 4." in peaks.caption


def test_times_are_linear_levels_areas_and_folds_logarithmic():
    study = ck.simulate_study(seed=1)
    names = ("cmax", "tmax", "auc_0_28", "half_life", "fold_expansion")
    panels = METRICS_BY(ck.nca(study), study, names=names).figure.axes
    scales = [panel.get_yscale() for panel in panels]
    assert scales == ["log", "linear", "log", "linear", "log"]
    assert len({round(panel.get_position().y1, 3) for panel in panels}) == 2  # rows


def test_zero_is_drawn_clearly_below_the_lowest_level():
    rows = [(str(n), day, 110.0) for n in range(4) for day in (7.0, 14.0, 28.0)]
    rows += [("none", day, "<50") for day in (7.0, 14.0, 28.0)]
    study = study_of(rows)
    frame = METRICS_BY(ck.nca(study), study, names=("cmax",)).frame
    shown = frame.set_index("patient")["shown"]
    assert shown["none"] == 10.0
    assert frame.set_index("patient").loc["none", "value"] == 0


def test_share_has_its_exact_interval(small_study, small_metrics):
    drawing = METRICS_BY(
        small_metrics, small_study, by="dose_level", names=("present_d28",)
    )
    values = small_metrics.table["present_d28"][:4]
    exact = binomtest(int(values.sum()), len(values)).proportion_ci(method="exact")
    segment = drawing.figure.axes[0].collections[0].get_segments()[0]
    assert segment[:, 1].tolist() == pytest.approx([100 * exact.low, 100 * exact.high])
    assert drawing.figure.axes[0].texts[0].get_text() == "3/4"
    assert "exact 95% interval" in drawing.caption


def test_without_groups_all_patients_are_one():
    rows = [("1", day, 100.0) for day in (7.0, 14.0, 28.0)]
    study = study_of(rows)
    drawing = METRICS_BY(ck.nca(study), study)
    assert set(drawing.frame["group"]) == {"All patients"}
    ticks = drawing.figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["All patients\nn = 1"]


def test_metric_that_nobody_has_says_so(small_study, small_metrics):
    drawing = METRICS_BY(
        small_metrics, small_study, by="dose_level", names=("half_life",)
    )
    words = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert drawing.frame.empty == ("Not calculable in any patient" in words)
    assert drawing.figure.axes[0].get_ylabel() == "Half-life (day)"


def test_specimens_are_not_mixed():
    samples = make_small_study().samples.drop(columns=["file", "row"])
    marrow = samples[samples["patient"].isin(["P1", "P2"])].assign(specimen="marrow")
    study = ck.Study.from_frames(pd.concat([samples, marrow]))
    metrics = ck.nca(study)
    blood = METRICS_BY(metrics, study)
    assert blood.frame["patient"].value_counts().max() == 2  # two metrics, once each
    assert blood.footnotes[0] == "Specimen: blood. Left out: marrow."
    other = METRICS_BY(metrics, study, specimen="bone marrow", names=("cmax",))
    assert set(other.frame["patient"]) == {"P1", "P2"}
    with pytest.raises(DataError, match="in the specimen"):
        METRICS_BY(metrics, study, specimen="csf")


def test_unknown_metric_is_refused_with_the_nearest(small_study, small_metrics):
    with pytest.raises(DataError, match="Did you mean 'cmax'"):
        METRICS_BY(small_metrics, small_study, names=("cmaxx",))


def test_one_metric_is_drawn_in_the_users_axes(small_study, small_metrics):
    axes = Figure().subplots()
    drawing = METRICS_BY(small_metrics, small_study, names=("cmax",), ax=axes)
    assert drawing.figure is axes.figure
    assert axes.get_ylabel() == "Cmax (copies/µg)"
    with pytest.raises(DataError, match="2 panels, 'ax' is one"):
        METRICS_BY(small_metrics, small_study, ax=axes)
