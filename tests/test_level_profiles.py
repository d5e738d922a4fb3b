"""Individual profiles: states, limits and events; figures drawn in the user's axes."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from made_pairs import log_normal_pairs, made_pairs
from matplotlib.figure import Figure
from test_level_statistics import study_of

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.figures.marks import limit_notes
from cellpk.reporting.patient_events import patient_events
from cellpk.reporting.placing import placed

PROFILES = ck.figures.profiles

COMEDICATION = [
    ("1", "tocilizumab", 8.0),
    ("1", "Dexamethasone", 9.0),
    ("2", "anakinra", np.nan),
    ("2", "tocilizumab", 8.0),
]
OUTCOMES = [
    ("1", "crs_grade", "2", 6.0),
    ("1", "crs_grade", "3", 8.0),
    ("1", "crs_grade", "0", 11.0),
    ("2", "crs_grade", "0", 7.0),
    ("1", "progression", "1", 20.0),
    ("2", "progression", "0", 28.0),
    ("2", "death", "1", 60.0),
]


def eventful(patients=("1", "2"), last=28.0):
    rows = [(p, day, 100 * day) for p in patients for day in (7.0, 14.0, last)]
    frames = {
        "comedication": (["patient", "drug", "time"], COMEDICATION),
        "outcomes": (["patient", "endpoint", "value", "time"], OUTCOMES),
        "infusions": (["patient", "time"], [("1", 0.0), ("2", 0.0), ("2", 21.0)]),
    }
    tables = {name: pd.DataFrame(x, columns=c) for name, (c, x) in frames.items()}
    samples = study_of(rows).samples.drop(columns=["file", "row"])
    return ck.Study.from_frames(samples, **tables)


def events_of(patient):
    rows = patient_events(eventful())
    rows = rows[rows["patient"] == patient]
    return list(zip(rows["event"], rows["time"], strict=True))


def marked(panel, marker):
    lines = [line for line in panel.lines if line.get_marker() == marker]
    return sorted((float(x), float(y)) for a in lines for x, y in a.get_xydata())


def test_events_are_first_crs_its_end_drugs_progression_and_further_infusions():
    assert events_of("1") == [
        ("crs", 6.0),
        ("tocilizumab", 8.0),
        ("corticosteroid", 9.0),
        ("crs_end", 11.0),
        ("progression", 20.0),
    ]
    second = events_of("2")
    assert second[:3] == [("tocilizumab", 8.0), ("infusion", 21.0), ("death", 60.0)]
    assert second[3][0] == "other_drug"


def test_events_stand_on_the_line_of_their_patient():
    """From day 7 (700) to 14 (1400) the log line passes 700 * 2^(1/7) on day 8."""
    drawing = PROFILES(eventful())
    panel = drawing.figure.axes[0]
    assert marked(panel, "s") == [(8.0, pytest.approx(700 * 2 ** (1 / 7)))] * 2
    assert marked(panel, "h")[0] == (6.0, pytest.approx(700))  # before the first sample
    rows = drawing.frame[drawing.frame["event"] == "progression"]
    assert rows["time"].tolist() == [20.0]


def test_untimed_and_late_events_are_told():
    notes = PROFILES(eventful()).footnotes
    assert "other comedication (1 patient)" in notes[-2]
    assert notes[-1] == "Not drawn, since later than day 28: death (1 patient)."
    late = PROFILES(eventful(), until=70).frame
    assert "death" in set(late["event"])


def test_many_patients_have_their_events_in_a_strip():
    study = eventful(tuple(map(str, range(1, 12))))
    panel = PROFILES(study).figure.axes[0]
    words = [text.get_text() for text in panel.texts]
    assert words[:3] == ["CRS", "CRS over", "Tocilizumab"]
    strips = [line for line in panel.lines if line.get_marker() == "|"]
    days = [list(line.get_xdata()) for line in strips]
    assert days == [[6], [11], [8], [9], [21], [20]]
    heights = [line.get_markersize() for line in strips]
    assert heights[2] > heights[0] == heights[1]  # two patients on day 8


def test_events_can_be_left_out_or_put_where_asked():
    bare = PROFILES(eventful(), events=False)
    assert set(bare.frame["event"]) == {""}
    assert "Not drawn" not in " ".join(bare.footnotes)
    strip = PROFILES(eventful(), events="strip").figure.axes[0]
    assert strip.texts[0].get_text() == "CRS"
    crowded = eventful(tuple(map(str, range(1, 12))))
    assert marked(PROFILES(crowded, events="lines").figure.axes[0], "s")


def test_detected_and_below_are_open_triangles_at_half_the_limit():
    study = study_of([("1", 7.0, 30.0), ("1", 9.0, "<20"), ("1", 14.0, 700)], llod=20.0)
    assert study.samples["state"].tolist() == ["detected", "below", "quantified"]
    panel = PROFILES(study).figure.axes[0]
    assert marked(panel, ">") == [(7.0, 25.0)]
    open_marks = [x for x in panel.lines if x.get_marker() in "v>"]
    assert {x.get_markerfacecolor() for x in open_marks} == {"white"}


def test_limit_of_detection_is_drawn_and_named():
    drawing = PROFILES(study_of([("1", 7.0, 100.0)], llod=20.0))
    dashed = [x for x in drawing.figure.axes[0].lines if x.get_linestyle() == "-."]
    assert [line.get_ydata()[0] for line in dashed] == [20.0]
    legend = [text.get_text() for text in drawing.figure.legends[0].texts]
    assert legend[-1] == "LLOD 20 copies/µg"


def test_above_an_unknown_upper_limit_is_drawn_at_the_largest_level_and_told():
    samples = pd.DataFrame({"state": ["above", "quantified"], "level": [np.nan, 900.0]})
    samples = samples.assign(lloq=50.0, uloq=np.nan, limit_assumed=False, unit="%")
    assert placed(samples)["shown"].tolist() == [900.0, 900.0]
    assert "drawn at the largest" in limit_notes(samples)[0]


DRAWN = {
    "profiles": lambda ax: PROFILES(eventful(), events="strip", ax=ax),
    "level_means": lambda ax: ck.figures.level_means(eventful(), ax=ax),
    "assay_agreement": lambda ax: ck.figures.assay_agreement(
        made_pairs(log_normal_pairs(), simulated=True), ax=ax
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_drawn_in_the_axes_given_and_leave_the_rest_alone(name):
    settings = dict(mpl.rcParams)
    theirs = Figure(figsize=(8, 3), layout="constrained")
    left, right = theirs.subplots(1, 2)
    layout, size = theirs.get_layout_engine(), tuple(theirs.get_size_inches())
    drawing = DRAWN[name](right)
    assert drawing.figure is theirs
    assert theirs.get_layout_engine() is layout
    assert tuple(theirs.get_size_inches()) == size
    assert len(right.lines) > 0
    assert [*theirs.legends, *theirs.texts, *left.lines] == []
    assert dict(mpl.rcParams) == settings
    assert right.spines["top"].get_visible()
    assert drawing.image()
    assert theirs.get_layout_engine() is layout


@pytest.mark.parametrize("name", DRAWN)
def test_users_figures_without_a_layout_have_the_same_bytes(name):
    drawing = DRAWN[name](Figure().subplots())
    assert drawing.image() == drawing.image()


def test_simulated_data_are_named_in_the_users_axes():
    axes = Figure().subplots()
    DRAWN["assay_agreement"](axes)
    assert "SIMULATED DATA" in [text.get_text() for text in axes.texts]


def test_several_panels_do_not_fit_into_one_axes(small_study):
    with pytest.raises(DataError, match="3 panels, 'ax' is one"):
        PROFILES(small_study, by="dose_level", ax=Figure().subplots())


def test_no_sample_to_draw_is_refused(small_study):
    with pytest.raises(DataError, match="no usable sample of qpcr"):
        PROFILES(small_study, until=1)
