"""Figures of population fits draw what their frames hold."""

import numpy as np
import pytest
from made_population import DAYS, made_fit

import cellpk as ck

FIGS = ck.figures


@pytest.fixture(scope="module")
def stein():
    return ck.load_model("stein_2019_tisagenlecleucel")


@pytest.fixture(scope="module")
def study(stein):
    whole = stein.simulate(16, design=ck.Design(DAYS, lloq=50.0), seed=3).study()
    patients = whole.patients[["patient"]].assign(
        age=np.arange(40, 56), sex=["F", "M"] * 8
    )
    samples = whole.samples.drop(columns=["file", "row"])
    never = samples["patient"] == "V0016"
    samples["level"] = samples["level"].mask(never)
    samples["state"] = samples["state"].mask(never, "below")
    return ck.Study.from_frames(samples, patients=patients)


@pytest.fixture(scope="module")
def fit(stein, study):
    return made_fit(stein, study, settle=60)


def points(axes, marker):
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return np.concatenate([line.get_xydata() for line in lines])


def test_gof_draws_each_sample_in_each_panel(fit):
    drawing = FIGS.gof(fit)
    frame = drawing.frame.query("quantity == 'sample'")
    seen = frame["state"].eq("quantified")
    observed, individual, time, _ = drawing.figure.axes
    assert len(points(observed, "o")) == seen.sum()
    assert len(points(observed, "v")) == (~seen).sum()
    assert sorted(points(individual, "o")[:, 0]) == pytest.approx(
        sorted(frame.loc[seen, "ipred"])
    )
    # one patient of 12 samples never expanded: no individual prediction
    assert len(points(individual, "v")) == (~seen).sum() - 12
    assert sorted(points(time, "v")[:, 1]) == pytest.approx(
        sorted(frame.loc[~seen, "residual"])
    )
    assert any(
        "prediction: 1 patient whose cells" in line for line in drawing.footnotes
    )


def test_vpc_has_the_share_below_beneath_and_says_its_bins(fit):
    drawing = FIGS.vpc(fit, replicates=50)
    levels, shares = drawing.figure.axes
    rows = drawing.frame[drawing.frame["quantity"] == "share below"]
    (drawn,) = [line for line in shares.lines if line.get_marker() == "o"]
    assert drawn.get_xydata()[:, 1] == pytest.approx(100 * rows["observed"])
    percentiles = drawing.frame[drawing.frame["quantity"] == "level"]
    hidden = percentiles[percentiles["observed"] == 0]
    assert len(hidden)
    assert set(points(levels, "v")[:, 1]) == {25.0}
    assert len(points(levels, "v")) == len(hidden)
    assert "1 (n = 16), 3 (n = 16)" in drawing.footnotes[0]
    assert FIGS.vpc(fit, replicates=50, corrected=True).name == "pcvpc_qpcr"


def test_npde_says_its_tests_and_their_numbers_are_those_of_the_frame(fit):
    drawing = FIGS.npde(fit, replicates=120)
    mean, sd = drawing.frame["npde"].mean(), drawing.frame["npde"].std()
    assert drawing.footnotes[0].startswith(f"Mean {mean:.2f} (p ")
    assert f"SD {sd:.2f} (p" in drawing.footnotes[0]
    assert "192 samples, 120 simulated trials" in drawing.footnotes[0]


def test_etas_are_drawn_against_numbers_and_categories(fit):
    plain, age, sex = (FIGS.etas(fit, against=x) for x in (None, "age", "sex"))
    assert len(plain.figure.axes) == 6
    assert set(age.frame["age"].dropna()) == set(range(40, 55))
    assert any("shrinkage" in line for line in plain.footnotes)
    assert any("Left out: 1 patient whose" in line for line in plain.footnotes)
    words = [label.get_text() for label in sex.figure.axes[-1].get_xticklabels()]
    assert words == ["F", "M"]
    with pytest.raises(ck.DataError, match="Did you mean 'age'"):
        FIGS.etas(fit, against="agee")


def test_panels_of_a_population_fit_have_both_curves_and_name_the_class(fit, study):
    drawing = FIGS.fits(fit, page=2)
    assert drawing.title == "CAR transgene by qPCR: individual curves, page 2 of 2"
    titles = [axes.get_title("left") for axes in drawing.figure.axes]
    assert titles == [f"Patient V00{n}" for n in (13, 14, 15, 16)]
    never = drawing.figure.axes[-1]
    assert never.texts[0].get_text().startswith("Never expanded, with probability")
    curves = drawing.frame[drawing.frame["kind"] == "curve"]
    assert curves[["level", "typical", "low", "high"]].notna().to_numpy().all()
    with pytest.raises(ck.DataError, match=r"fits\(fits, study\)"):
        FIGS.fits("individual fits")
    with pytest.raises(ck.DataError, match=r"there is no page 3.*Use 1 to 2"):
        FIGS.fits(fit, page=3)


def test_two_assays_have_a_figure_each(tmp_path):
    from test_population_fit import TWO_ASSAYS

    (tmp_path / "two.toml").write_text(TWO_ASSAYS, encoding="utf-8")
    model = ck.load_model(tmp_path / "two.toml")
    design = ck.Design(
        {"qpcr": [1, 3, 7, 14, 28], "flow": [2, 5, 10, 21]},
        lloq={"qpcr": 50.0, "flow": 1.0},
    )
    study = model.simulate(20, design=design, seed=4).study()
    fit = made_fit(model, study, assays=["qpcr", "flow"], settle=20)
    for name in ("gof", "vpc", "npde", "fits"):
        quick = {"replicates": 90} if name in ("vpc", "npde") else {}
        first, flow = (
            FIGS.FIGURES[name](fit, assay=assay, **quick) for assay in (None, "flow")
        )
        assert "qPCR" in first.title
        assert "flow" in flow.title
        assert first.name != flow.name
    assert set(FIGS.gof(fit, assay="flow").frame["unit"].dropna()) == {"cells/uL"}
    with pytest.raises(ck.FitError, match="'flw' was not fitted"):
        FIGS.gof(fit, assay="flw")
