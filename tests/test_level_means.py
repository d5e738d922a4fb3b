import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from test_level_statistics import on_day_7, study_of

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.figures.style import sheet
from cellpk.reporting.figures.time_scale import time_axis

LEVEL_MEANS = ck.figures.level_means


def drawn(study, **options):
    return LEVEL_MEANS(study, **options).frame


def test_numbers_are_those_of_the_table(small_study):
    for below in ("left_out", "half"):
        frame = drawn(small_study, by="dose_level", below=below)
        table = ck.tables.levels(small_study, by="dose_level", below=below).frame
        both = frame.merge(table, on=["visit", "group"], suffixes=("", "_table"))
        assert len(both) == len(frame)
        for name in ("n", "n_below", "geometric_mean", "geometric_sd", "median"):
            np.testing.assert_array_equal(both[name], both[f"{name}_table"])


def test_point_and_bar_are_mean_and_geometric_sd():
    """100, 1000 and 10000: mean 1000, from 100 to 10000."""
    drawing = LEVEL_MEANS(on_day_7(["100", "1000", "10000"]))
    row = drawing.frame.iloc[0]
    assert row[["shown", "low", "high"]].tolist() == pytest.approx([1000, 100, 10000])
    (bar,) = drawing.figure.axes[0].collections
    assert bar.get_segments()[0][:, 1].tolist() == pytest.approx([100, 10000])


def test_median_has_quartiles_by_hand():
    frame = drawn(on_day_7([100, 200, 300, 400, 500]), statistic="median")
    row = frame.iloc[0]
    assert row[["shown", "low", "high"]].tolist() == [300, 200, 400]


def test_quartile_among_samples_below_is_drawn_at_half_the_limit():
    """Of <50, <50, 300, 400, 500 the first quartile is below, the median is 300."""
    row = drawn(on_day_7(["<50", "<50", 300, 400, 500]), statistic="median").iloc[0]
    assert row[["shown", "low", "high"]].tolist() == [300, 25, 400]


@pytest.mark.parametrize("statistic", ["geometric", "median"])
@pytest.mark.parametrize("below", ["left_out", "half"])
def test_mostly_below_is_an_open_triangle_at_half_the_limit(statistic, below):
    study = on_day_7(["100", "1000", "<50", "<50", "<50"])
    drawing = LEVEL_MEANS(study, statistic=statistic, below=below)
    row = drawing.frame.iloc[0]
    assert (row["drawn"], row["shown"]) == ("below", pytest.approx(25))
    assert np.isnan(row["low"])
    marks = [x for x in drawing.figure.axes[0].lines if x.get_marker() == "v"]
    assert marks[0].get_markerfacecolor() == "white"
    assert marks[0].get_ydata() == pytest.approx([25])
    assert any("Open triangle" in note for note in drawing.footnotes)


def test_few_levels_are_drawn_one_by_one():
    drawing = LEVEL_MEANS(on_day_7(["<50", "700"]))
    assert drawing.frame["drawn"].tolist() == ["single"]
    panel = drawing.figure.axes[0]
    drawn = {x.get_marker(): list(x.get_ydata()) for x in panel.lines}
    assert (drawn["v"], drawn["."]) == ([25.0], [700.0])
    assert any("single levels" in note for note in drawing.footnotes)


def test_counts_stand_beneath_each_visit(small_study):
    drawing = LEVEL_MEANS(small_study, by="dose_level")
    panel = drawing.figure.axes[0]
    texts = [(text.get_text(), float(text.get_position()[0])) for text in panel.texts]
    start = texts.index(("Dose level: DL1, n", 0.0))
    days = (7.0, 14.0, 21.0, 28.0)
    assert texts[start + 1 : start + 5] == [("4", day) for day in days]
    assert texts[start + 5] == ("below LLOQ", 0.0)
    assert texts[start + 6 : start + 10] == [("1", day) for day in days]


@pytest.mark.parametrize(("by", "least"), [(None, 30), ("dose_level", 80)])
def test_counts_do_not_cover_each_other(by, least):
    drawing = LEVEL_MEANS(ck.simulate_study(seed=1), by=by)  # counts of two digits too
    renderer = FigureCanvasAgg(drawing.figure).get_renderer()
    boxes = [x.get_window_extent(renderer) for x in drawing.figure.axes[0].texts]
    assert len(boxes) > least
    wide = [box.padded(1.0) for box in boxes]  # or two numbers read as one
    assert not any(a.overlaps(b) for a, b in itertools.combinations(wide, 2))


def test_the_legend_of_crossed_groups_stays_on_the_page():
    study = ck.simulate_study(seed=2)
    drawings = [
        LEVEL_MEANS(study, by=["dose_level", "response"]),
        ck.figures.persistence(ck.nca(study), study, by=["dose_level", "response"]),
    ]
    for drawing in drawings:
        renderer = FigureCanvasAgg(drawing.figure).get_renderer()
        drawing.figure.draw(renderer)
        box = drawing.figure.legends[0].get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= drawing.figure.bbox.x1


def test_days_are_on_a_root_scale_only_where_they_stand_too_close():
    axes = sheet(3, 3, columns=2, simulated=False)[1]
    assert time_axis(axes[0, 0], np.array([0.0, 7, 14, 21, 28])) == ""
    assert "square-root" in time_axis(axes[0, 1], np.array([0.0, 7, 14, 28, 360]))
    low, high = axes[0, 1].get_xlim()
    assert low < 0
    assert high > 360


def test_patients_in_no_group_are_refused_or_told(small_study):
    drawing = LEVEL_MEANS(small_study, by="response")
    assert drawing.frame.query("visit == 'Day 7'")["n"].tolist() == [4, 2]
    assert drawing.footnotes[-1].startswith("2 patients without a known response")
    with pytest.raises(DataError, match="in a group"):
        LEVEL_MEANS(on_day_7([60, 70]), by="response")


def test_unknown_statistic_is_refused():
    with pytest.raises(DataError, match="Did you mean 'median'"):
        LEVEL_MEANS(on_day_7([60]), statistic="medain")


def test_one_sample_of_one_patient_is_drawn():
    drawing = LEVEL_MEANS(study_of([("1", 7.0, 60)]))
    assert drawing.frame["drawn"].tolist() == ["single"]
    assert drawing.image()


def test_a_study_without_a_plan_says_how_samples_were_put_together():
    rows = [(str(n), 6.0 + n / 2, 100 * (n + 1)) for n in range(4)]
    drawing = LEVEL_MEANS(study_of(rows))
    assert drawing.frame["visit"].tolist() == ["Day 7"]
    assert any("nearest of days 0, 1, 3 and 7" in note for note in drawing.footnotes)


def test_name_and_title_say_what_is_drawn(small_study):
    drawing = LEVEL_MEANS(small_study, by="dose_level", statistic="median")
    assert drawing.name == "level_means_qpcr_by_dose_level_median"
    assert drawing.title == "CAR transgene by qPCR: median by visit and dose level"
    assert isinstance(drawing.frame, pd.DataFrame)
