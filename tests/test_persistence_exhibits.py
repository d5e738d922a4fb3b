"""The table and the figure of persistence say what the numbers say."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from persistence_study import LEVELS, study_of

import cellpk as ck
from cellpk.kinetics.persistence import persistence

drawn, tabled = ck.figures.persistence, ck.tables.persistence


@pytest.fixture(scope="module")
def study():
    return study_of()


@pytest.fixture(scope="module")
def simulated():
    return ck.simulate_study(seed=1)


def cells(table, column="Total"):
    return table.shown.set_index(["block", "statistic"])[column].to_dict()


def test_the_table_prints_visits_median_and_the_naive_number(study):
    table = tabled(ck.nca(study), study)
    printed = cells(table)
    day28 = "Day 28 (day 21 to 35)"
    assert printed[day28, "At risk (sampled), n"] == "6 (5)"
    assert printed[day28, "Quantifiable, n (%) [95% CI]"] == "3 (60.0) [14.7, 94.7]"
    assert printed[day28, "Detected below the LLOQ, n (%)"] == "1 (20.0)"
    assert printed[day28, "Not detected, n (%)"] == "1 (20.0)"
    loss = "Time to loss (interval-censored)"
    assert printed[loss, "Lost; still quantifiable (censored), n"] == "5; 1"
    # (0, 3] holds 1/6 and (30, 60] 5/12: half are lost at 4/5 of the latter
    assert printed[loss, "Median (95% CI), days"] == "54.0 (0.0, 92.0)"
    naive = "Observed Tbql of those who reached it (not an estimate of persistence)"
    assert printed[naive, "Median (min, max), days"] == "61.0 (60.0, 92.0)"


def test_the_table_says_who_is_counted_how(study):
    notes = "\n".join(tabled(ck.nca(study), study).notes)
    assert "no usable sample was taken after the infusion: 1 patient." in notes
    assert "counts as loss before the first of them: 1 patient." in notes
    assert "Nobody was at risk at month 6, month 9, month 12." in notes
    assert "a patient who was not sampled is not negative" in notes
    asked = "\n".join(tabled(ck.nca(study), study, expanded_only=True).notes)
    assert "as asked, as no sample was quantifiable: 1 patient." in asked


def test_without_a_limit_of_detection_nothing_is_called_not_detected():
    levels = {name: LEVELS[name] for name in ("lost", "again", "still", "high")}
    samples = study_of(levels, died={}).samples
    plain = samples[["patient", "time", "level", "assay", "lloq"]].copy()
    plain["level"] = plain["level"].fillna(0)
    study = ck.Study.from_frames(plain)
    statistics = set(tabled(ck.nca(study), study).shown["statistic"])
    assert "Below the LLOQ, n (%)" in statistics
    assert not any("etected" in statistic for statistic in statistics)


def test_groups_are_columns_and_the_frame_holds_every_number(simulated):
    metrics = ck.nca(simulated)
    table = tabled(metrics, simulated, by="dose_level", assay="flow")
    assert list(table.labels)[1:] == ["1", "2", "3", "Total"]
    whole = persistence(metrics, simulated, assay="flow")
    loss = table.frame.query("kind == 'loss'").set_index("group")
    assert loss.loc["Total", "median"] == whole.summary["median"][0]
    first = simulated.patients.query("dose_level == 1")["patient"]
    assert loss.loc["1", "median"] == whole.among(first).summary["median"][0]
    visits = table.frame.query("kind == 'visit' and visit == 'd28'")
    groups = visits[visits["group"] != "Total"]
    total = visits[visits["group"] == "Total"].iloc[0]
    assert groups["quantifiable"].sum() == total["quantifiable"]
    assert "SIMULATED" in table.heading


def test_few_patients_are_listed_instead_of_a_median():
    levels = {name: LEVELS[name] for name in ("lost", "still")}
    study = study_of(levels)
    metrics = ck.nca(study)
    printed = cells(tabled(metrics, study))
    loss = "Time to loss (interval-censored)", "Median (95% CI), days"
    assert printed[loss] == "(28.0, 60.0]; > 60.0"
    drawing = drawn(metrics, study)
    legend = drawing.figure.legends[0].get_texts()[0].get_text()
    assert legend == "All patients (n = 2), (28.0, 60.0]; > 60.0"
    rule = "For fewer than 3 patients the days between which each was lost are listed"
    for exhibit in (drawing, tabled(metrics, study)):
        assert any(note.startswith(rule) for note in exhibit.footnotes)
    assert len(drawing.figure.axes[0].collections) == 0


def test_nobody_sampled_gives_a_table_and_a_figure_all_the_same():
    study = study_of({"empty": LEVELS["empty"]}, died={})
    metrics = ck.nca(study)
    assert "–" in cells(tabled(metrics, study)).values()
    drawing = drawn(metrics, study)
    assert drawing.frame.empty
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert texts == ["No patient can be in the curve"]
    assert not drawing.figure.legends


def test_the_figure_draws_level_pieces_solid_and_falls_dashed(study):
    drawing = drawn(ck.nca(study), study)
    panel = drawing.figure.axes[0]
    curve = drawing.frame.query("kind == 'curve'")
    styles = [line.get_linestyle() for line in panel.lines[1:-1]]
    assert [style == "-" for style in styles] == curve["level"].iloc[1:].tolist()
    assert len(panel.collections) == 1
    ticks = drawing.frame.query("kind == 'censored'")
    assert ticks[["day", "persistence"]].to_numpy().tolist() == [
        [60, pytest.approx(5 / 12)]
    ]


def test_numbers_beneath_are_those_at_risk_of_loss(study):
    drawing = drawn(ck.nca(study), study)
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    below = drawing.frame.query("kind == 'open'")
    counts = below["open"].astype(int).astype(str).tolist()
    assert texts == ["At risk of loss, n", *counts]
    assert below["day"].tolist() == list(drawing.figure.axes[0].get_xticks())


def test_the_band_holds_the_curve(simulated):
    drawing = drawn(ck.nca(simulated), simulated, assay="flow")
    curve = drawing.frame.query("kind == 'curve'")
    assert (curve["low"] <= curve["persistence"] + 1e-9).all()
    assert (curve["persistence"] <= curve["high"] + 1e-9).all()
    box = drawing.figure.axes[0].collections[0].get_paths()[0].get_extents()
    assert np.allclose([box.y0, box.y1], [100 * curve["low"].iloc[-1], 100], atol=1e-6)


def test_groups_have_a_curve_each_and_their_medians_in_the_legend(simulated):
    drawing = drawn(ck.nca(simulated), simulated, by="dose_level")
    legend = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert [text.partition(",")[0] for text in legend] == [
        f"Dose level: {dose} (n = 6)" for dose in (1, 2, 3)
    ]
    assert len(drawing.figure.axes[0].collections) == 0  # bands would hide each other
    assert "Intervals of more than 2 curves are not drawn" in " ".join(drawing.notes)
    assert drawing.image("svg") == drawing.image("svg")


def test_ne_is_explained_where_it_stands():
    kept = {name: [(7, 90), (28, 80)] for name in ("a", "b", "c")}
    study = study_of(kept, died={})
    metrics = ck.nca(study)
    for exhibit in (tabled(metrics, study), drawn(metrics, study)):
        assert "NE: not estimable, as too few are lost." in exhibit.footnotes
    lost = study_of({name: [(7, 90), (28, 0)] for name in ("a", "b", "c")}, died={})
    assert "NE:" not in " ".join(drawn(ck.nca(lost), lost).footnotes)


def test_it_draws_into_axes_that_are_given(study):
    page = Figure()
    panel = page.subplots()
    drawing = drawn(ck.nca(study), study, ax=panel)
    assert drawing.figure is page
    assert panel.get_legend() is not None
