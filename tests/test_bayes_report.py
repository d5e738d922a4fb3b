"""What the report says of a hierarchical fit: checks, priors, estimates, manifest."""

import json
import re

import pandas as pd
import pytest
from drawn_bayes import diverged, drawn_fit

import cellpk as ck
from cellpk.fit.bayes.summary import estimates_of
from cellpk.reporting.bayes_chapter import bayes_section
from cellpk.reporting.html import figure_html
from cellpk.reporting.material import Material
from cellpk.reporting.section import report


@pytest.fixture(scope="module")
def fit(small_study):
    return drawn_fit(ck.load_model("stein_2019_tisagenlecleucel"), small_study)


@pytest.fixture(scope="module")
def doubted(fit):
    return diverged(fit)


def test_estimates(fit, snapshot):
    snapshot("bayes", repr(ck.tables.bayes(fit)))


def test_priors(fit, snapshot):
    snapshot("bayes_priors", repr(ck.tables.bayes_priors(fit)))


def test_checks(doubted, snapshot):
    snapshot("bayes_checks", repr(ck.tables.bayes_checks(doubted)))


def test_every_prior_is_there_and_the_long_source_once(fit):
    table = ck.tables.bayes_priors(fit)
    pd.testing.assert_frame_equal(table.frame, fit.priors.table)
    assert len(table.shown) == len(fit.priors.table) == len(fit.table)
    assert repr(table).count("Stein et al. 2019") == 1
    beta = table.shown[table.shown["parameter"] == "beta, Loss rate of memory"]
    typical, spread = beta.to_dict("records")
    assert typical["median"] == "0.00320"
    assert typical["words"] == "Log-normal. Published (a); counts as 1 patient."
    assert spread["words"] == "Half-normal. Published (a)."


def test_priors_by_rule_and_by_hand_say_so(small_study):
    choice = ck.Priors(kind="weak", typical={"cmax": (2e4, 0.5)})
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    fit = drawn_fit(stein, small_study, draws=50, choice=choice)
    words = ck.tables.bayes_priors(fit).shown["words"].tolist()
    assert words[2] == "Log-normal. Given by hand."
    assert words[0].endswith("(a); twice the spread between patients wide.")
    assert words[6] == "Half-normal. By rule."


def test_what_the_data_do_not_inform_is_marked_and_said(fit):
    shown = ck.tables.bayes(fit).shown
    marked = shown.loc[shown["parameter"].str.endswith("†"), "parameter"]
    assert marked.tolist() == ["beta, Loss rate of memory †"] * 2
    drawing = ck.figures.prior_posterior(fit)
    orange = {
        panel.get_title("left")
        for panel in drawing.figure.axes
        if panel._right_title.get_color() == "#D55E00"
    }
    assert orange == {"beta (1/day)", "SD of beta"}


def test_the_figure_draws_densities_that_integrate_to_one(fit):
    drawing = ck.figures.prior_posterior(fit)
    every = {(one.parameter, one.kind): one for one in estimates_of(fit)}
    panels = drawing.figure.axes
    assert len(panels) == len(every) == len(fit.table)
    by = drawing.frame.groupby(["parameter", "kind"], sort=False)
    for key, curve in by:
        place = every[key].scale.forward(curve["value"].to_numpy())
        for name in ("prior", "posterior"):
            area = ((curve[name][1:].to_numpy() + curve[name][:-1].to_numpy()) / 2) @ (
                place[1:] - place[:-1]
            )
            assert 0.97 < area < 1.001, key
    for panel in panels:
        low, high = panel.get_xlim()
        ticks = panel.get_xticks()
        assert 2 <= len(ticks) <= 6
        assert ((low <= ticks) & (ticks <= high)).all()


def test_a_fit_that_is_not_reliable_says_so_everywhere(fit, doubted):
    exhibits = [
        ck.tables.bayes(doubted),
        ck.tables.bayes_checks(doubted),
        ck.figures.prior_posterior(doubted),
    ]
    for each in exhibits:
        (line,) = [note for note in each.footnotes if "NOT reliable" in note]
        assert "1 of 2000 draws diverge" in line, each.name
    assert "NOT reliable" not in repr(ck.tables.bayes(fit))
    assert ck.tables.bayes_checks(doubted).shown["passed"].tolist()[:2] == ["NO", "yes"]


def test_report_has_a_section_whose_first_sentence_says_how_it_went(
    small_study, small_metrics, fit, doubted, tmp_path
):
    good = report(small_study, small_metrics, None, fit)
    section = next(each for each in good.sections if each.name == "bayes")
    assert re.match(r"All \d+ checks of the hierarchical .* passed\.", section.text[0])
    assert [each.name for each in section.exhibits] == [
        "bayes_checks_qpcr",
        "bayes_priors_qpcr",
        "bayes_qpcr",
        "prior_posterior_qpcr",
        "bayes_vpc_qpcr",
    ]
    assert section.points == (
        "The data do not inform beta.",
        "The data do not inform the spread of beta.",
    )
    made = report(small_study, small_metrics, None, doubted)
    section = next(each for each in made.sections if each.name == "bayes")
    assert re.match(r"1 of \d+ checks .* FAILED.*NOT reliable", section.text[0])
    assert section.text[0] in made.facts
    assert doubted.draws_sha256 in section.text[2]
    made.write(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<h2[^>]*>6\. Hierarchical Bayes</h2>", page)
    record = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert record["bayes"]["converged"] is False
    assert record["bayes"]["draws_sha256"] == doubted.draws_sha256
    assert len(record["bayes"]["priors"]) == len(fit.priors.table)
    assert record["bayes"]["sampling"] == {"chains": 4, "draws": 500, "tune": 500}


def test_the_section_of_stored_draws_is_that_of_the_fit(
    small_study, small_metrics, fit, tmp_path
):
    loaded = ck.load(fit.save(tmp_path / "post.cellpk"))
    one, other = (
        bayes_section(Material(small_study, small_metrics, bayes=each))[0]
        for each in (fit, loaded)
    )
    assert (one.text, one.points) == (other.text, other.points)
    for here, there in zip(one.exhibits, other.exhibits, strict=True):
        assert figure_html(here, set()) == figure_html(there, set())
        assert here.to_csv() == there.to_csv()


@pytest.mark.slow
def test_the_report_of_stored_draws_is_that_of_the_fit(
    small_study, small_metrics, fit, tmp_path
):
    loaded = ck.load(fit.save(tmp_path / "post.cellpk"))
    for name, each in (("one", fit), ("other", loaded)):
        report(small_study, small_metrics, None, each).write(tmp_path / name)
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        if path.name != "manifest.json":
            other = tmp_path / "other" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == other.read_bytes(), path


def test_report_takes_one_hierarchical_fit_after_individual_ones(
    small_study, small_metrics, fit
):
    with pytest.raises(ck.DataError, match="one section on a hierarchical fit"):
        report(small_study, small_metrics, None, fit, fit)
    with pytest.raises(ck.DataError, match="come before a hierarchical fit"):
        report(small_study, small_metrics, fit)
    assert "a hierarchical fit" in repr(report(small_study, small_metrics, None, fit))
