import io
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from conftest import make_small_study
from drawn_bayes import drawn_fit
from made_pairs import log_normal_pairs, made_pairs
from made_population import figures_of
from scipy.stats import binomtest

import cellpk as ck
from cellpk.reporting.figures.associations import binned
from cellpk.reporting.figures.drawing import FIGURES
from cellpk.reporting.figures.marks import limit_notes
from cellpk.reporting.figures.panels import pages
from cellpk.reporting.figures.style import PALETTE, decade_label, decades
from cellpk.reporting.placing import placed

FIGS = ck.figures


def labels(drawing):
    """What axes and corners of a figure say, left to right."""
    figure = drawing.figure
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel()]
    supers = (figure.get_supylabel(), figure.get_supxlabel())
    return [text for text in [*texts, *supers] if text]


def points(axes, marker):
    """The points that an axes draws with a marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return sorted((x, y) for line in lines for x, y in line.get_xydata())


def legend(drawing):
    return [text.get_text() for each in drawing.figure.legends for text in each.texts]


def drawn_limits(drawing, style):
    """The levels at which an axes draws horizontal lines of a style."""
    lines = [x for x in drawing.figure.axes[0].lines if x.get_linestyle() == style]
    return [float(line.get_ydata()[0]) for line in lines]


def draw_all(study, fits, response, association):
    return {
        "profiles": FIGS.profiles(study, by="dose_level"),
        "metrics_by": FIGS.metrics_by(ck.nca(study), study, by="dose_level"),
        "persistence": FIGS.persistence(ck.nca(study), study),
        "level_means": FIGS.level_means(study, by="dose_level"),
        "assay_agreement": FIGS.assay_agreement(
            made_pairs(log_normal_pairs(), simulated=study.settings.study.simulated)
        ),
        "fits": FIGS.fits(fits, study),
        "exposure_response": FIGS.exposure_response(response),
        "cytokine": FIGS.cytokine(association),
        "prior_posterior": FIGS.prior_posterior(
            drawn_fit(ck.load_model("stein_2019_tisagenlecleucel"), study, draws=100)
        ),
        **figures_of(study),
    }


def draw_model():
    model = ck.load_model("stein_2019_tisagenlecleucel")
    names = ("typical_course", "states", "patient_spread")
    return {name: getattr(FIGS, name)(model) for name in names}


@pytest.fixture(scope="module")
def all_drawings(small_study, made_fits, made_response, made_association):
    of_study = draw_all(small_study, made_fits, made_response, made_association)
    return of_study | draw_model()


def test_every_figure_function_is_found_and_drawn_here(all_drawings):
    assert set(dir(FIGS)) == set(FIGURES) == set(all_drawings)


def test_every_figure_has_caption_title_source_data_and_the_same_bytes(all_drawings):
    for name, drawing in all_drawings.items():
        assert drawing.caption, name
        assert drawing.title, name
        assert drawing.source == drawing.source.strip() != "", name
        assert len(drawing.frame), name
        image = drawing.image("svg")
        assert image == drawing.image("svg"), name
        assert b"<dc:date>" not in image, name


def test_unknown_figure_offers_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'profiles'"):
        _ = FIGS.profile


def test_profiles_draw_each_sample_once_at_its_level(small_study):
    drawing = FIGS.profiles(small_study)
    axes = drawing.figure.axes[0]
    samples = small_study.select("qpcr")
    quantified = samples[samples["state"] == "quantified"]
    expected = sorted(zip(quantified["time"], quantified["level"], strict=True))
    assert points(axes, "o") == expected
    below = samples[samples["state"] == "below"]
    assert points(axes, "v") == sorted((t, 25.0) for t in below["time"])
    assert len(drawing.frame) == len(samples)


def test_profiles_have_a_log_axis_with_plain_decades_and_units(small_study):
    drawing = FIGS.profiles(small_study, by="dose_level")
    axes = drawing.figure.axes[0]
    assert axes.get_yscale() == "log"
    ticks = [axes.yaxis.get_major_formatter()(value) for value in (10, 1000, 1e5)]
    assert ticks == ["10", "1,000", "100,000"]
    assert "CAR transgene (copies/µg)" in labels(drawing)
    assert "Time after infusion (day)" in labels(drawing)
    assert [axes.get_title("left") for axes in drawing.figure.axes] == [
        "Dose level: DL1 (n = 4)",
        "Dose level: DL2 (n = 2)",
        "Dose level: DL10 (n = 2)",
    ]


def test_limit_is_drawn_and_named(small_study):
    drawing = FIGS.profiles(small_study)
    assert drawn_limits(drawing, "--") == [50.0]
    assert legend(drawing) == ["Quantified", "Below the LLOQ", "LLOQ 50 copies/µg"]


def test_assumed_limit_is_dotted_and_said():
    samples = pd.DataFrame({"patient": "1", "time": [7, 14, 28], "level": [0, 90.0, 0]})
    settings = {
        "study": {"id": "A", "infusion_day": 0},
        "limits": {"flow": {"zero": "below", "assumed_lloq": 2.0, "why": "a guess"}},
    }
    study = ck.Study.from_frames(samples.assign(assay="flow"), settings=settings)
    drawing = FIGS.profiles(study)
    assert drawn_limits(drawing, ":") == [2.0]
    assert "LLOQ 2 cells/µL (assumed)" in legend(drawing)
    assert (
        "The LLOQ of 2 cells/µL is assumed; the data state none." in drawing.footnotes
    )


def test_unknown_limit_is_drawn_at_half_the_smallest_level_and_said():
    samples = pd.DataFrame(
        {"state": ["below", "quantified"], "level": [np.nan, 8.0], "lloq": np.nan}
    ).assign(uloq=np.nan, limit_assumed=False, unit="cells/uL")
    assert placed(samples)["shown"].tolist() == [4.0, 8.0]
    assert "half the smallest quantified level" in limit_notes(samples)[0]


def test_states_are_placed_where_they_belong():
    samples = pd.DataFrame(
        {
            "state": ["detected", "detected", "above", "missing"],
            "level": [30.0, np.nan, np.nan, np.nan],
            "lloq": 50.0,
            "uloq": 1000.0,
        }
    )
    assert placed(samples)["shown"].tolist() == [25.0, 25.0, 1000.0]


def test_limits_that_vary_by_sample_are_not_drawn_but_said():
    samples = pd.DataFrame({"lloq": [1.0, 2.0, 5.0], "state": "below", "unit": "%"})
    notes = limit_notes(samples.assign(limit_assumed=False))
    assert "The LLOQ varies by sample, from 1 to 5 %." in notes


def test_profiles_stop_where_asked(small_study):
    drawing = FIGS.profiles(small_study, until=14)
    assert drawing.frame["time"].max() == 14
    assert drawing.name == "profiles_qpcr_to_day_14"


def test_group_keeps_its_colour_in_every_figure(small_study, small_metrics):
    one = FIGS.profiles(small_study, by="response")
    other = FIGS.metrics_by(small_metrics, small_study, by="response")
    first = {line.get_color() for line in one.figure.axes[0].lines} & set(PALETTE)
    assert first == {PALETTE[0]}
    dots = [x for x in other.figure.axes[0].lines if x.get_marker() == "o"]
    assert [line.get_color() for line in dots] == [PALETTE[0], PALETTE[1]]


def test_metrics_by_draws_every_evaluable_patient(small_study, small_metrics):
    drawing = FIGS.metrics_by(small_metrics, small_study, by="dose_level")
    table = small_metrics.table
    drawn = drawing.frame[drawing.frame["metric"] == "cmax"].set_index("patient")
    assert drawn["value"].to_dict() == table.set_index("patient")["cmax"].to_dict()
    axes = drawing.figure.axes[0]
    assert axes.get_ylabel() == "Cmax (copies/µg)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "DL1\nn = 4",
        "DL2\nn = 2",
        "DL10\nn = 2",
    ]


def test_patient_with_nothing_quantified_stands_on_the_axis(small_study, small_metrics):
    drawing = FIGS.metrics_by(small_metrics, small_study, by="dose_level")
    axes = drawing.figure.axes[0]
    assert [y for _, y in points(axes, "v")] == [axes.get_ylim()[0]]
    assert any("nothing was quantified" in note for note in drawing.footnotes)


def test_fits_have_a_panel_for_every_patient_with_the_reason(made_fits, small_study):
    drawing = FIGS.fits(made_fits, small_study)
    titles = [axes.get_title("left") for axes in drawing.figure.axes]
    assert titles == ["Patient P1", "Patient P2", "Patient P4", "Patient P8"]
    written = [axes.texts[0].get_text() for axes in drawing.figure.axes if axes.texts]
    assert written[0].startswith("Never expanded. All below")
    assert drawing.figure.axes[0].get_title("right") == "MAP, n = 4, below 0"
    assert set(drawing.frame["kind"]) == {"curve", "sample"}
    assert pages(made_fits) == 1


def test_fits_say_what_is_not_drawn(made_fits, small_study):
    drawing = FIGS.fits(made_fits, small_study, until=14)
    assert any("Not drawn: 15 samples after day 14" in n for n in drawing.footnotes)


def test_exposure_response_names_contrast_and_units(made_response, small_study):
    drawing = FIGS.exposure_response(made_response)
    axes = drawing.figure.axes[0]
    assert axes.get_xlabel() == "Cmax (copies/µg), CAR transgene by qPCR"
    assert axes.get_ylabel() == "Probability of response (PR or better)"
    assert axes.get_xscale() == "log"
    assert "Prior, 95% interval" in legend(drawing)
    below = drawing.frame.query("kind == 'patient' and below == True")
    assert below["shown"].tolist() == [25.0]
    counts = drawing.frame.query("kind == 'group'")
    assert counts["n"].sum() == 6
    assert counts["events"].sum() == 4


def test_binned_shares_have_exact_intervals():
    data = pd.DataFrame({"exposure": np.arange(1.0, 21.0), "event": [0] * 9 + [1] * 11})
    groups = binned(data)
    assert len(groups) == 3
    for row in groups.itertuples():
        exact = binomtest(row.events, row.n).proportion_ci(method="exact")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high))


def test_tied_exposures_stay_in_one_group():
    data = pd.DataFrame({"exposure": [1.0] * 4 + [2.0, 3.0], "event": [0, 1] * 3})
    assert binned(data)["n"].tolist() == [4, 2]


def test_cytokine_marks_what_is_known_of_tocilizumab(made_association, small_study):
    drawing = FIGS.cytokine(made_association)
    axes = drawing.figure.axes[0]
    assert axes.get_ylabel() == "Peak IL-6 (pg/mL)"
    assert points(axes, "o") == [(1e3, 30.0)]
    assert points(axes, "s") == [(1e4, 100.0)]
    assert points(axes, "D") == [(1e5, 300.0)]


def test_cytokine_without_a_line_still_draws_the_patients(
    made_association, small_study
):
    bare = replace(made_association, curve=made_association.curve[:0])
    assert len(FIGS.cytokine(bare).frame) == 3


def test_simulated_figures_say_so(made_fits, made_response, made_association):
    study = make_small_study(simulated=True)
    results = (
        replace(each, simulated=True) for each in (made_response, made_association)
    )
    drawings = draw_all(study, made_fits, *results)
    for drawing in drawings.values():
        assert "SIMULATED DATA" in labels(drawing), drawing.name
        assert "SIMULATED DATA" in drawing.heading


def test_nothing_of_the_users_settings_is_touched_or_used(small_study):
    with mpl.rc_context({"font.size": 30.0}):
        large = FIGS.profiles(small_study).image()
        assert mpl.rcParams["font.size"] == 30.0
    assert FIGS.profiles(small_study).image() == large


def test_figures_are_drawn_without_pyplot():
    code = (
        "import sys, pandas as pd, cellpk as ck\n"
        "rows = {'patient': ['1'], 'time': [7.0], 'level': [9.0], 'assay': ['flow']}\n"
        "ck.figures.profiles(ck.Study.from_frames(pd.DataFrame(rows))).image()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_picture_is_saved_as_its_name_says(small_study, tmp_path):
    drawing = FIGS.profiles(small_study)
    assert drawing.save(tmp_path / "a.svg").read_text("utf-8").startswith("<?xml")
    png = drawing.save(tmp_path / "a.png").read_bytes()
    width = matplotlib.image.imread(io.BytesIO(png)).shape[1]
    assert width == round(300 * drawing.figure.get_figwidth())
    assert drawing.save(tmp_path / "a.pdf").read_bytes() == drawing.image("pdf")


def test_picture_too_big_for_svg_becomes_png(all_drawings, monkeypatch):
    monkeypatch.setattr("cellpk.reporting.figures.drawing._TOO_BIG", 1000)
    assert "data:image/png;base64," in all_drawings["cytokine"].image_html()


def test_decades_hold_all_values_and_are_written_out():
    assert decades(np.array([50.0, 12000.0])) == (10.0, 100000.0)
    assert decades(np.array([100.0, 1000.0])) == (100.0, 1000.0)
    assert decades(np.array([])) == (0.1, 1.0)
    assert decade_label(0.001) == "0.001"
