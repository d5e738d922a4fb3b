"""What the report says of a population fit: table, sentences, section, manifest."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from made_population import made_fit

import cellpk as ck
from cellpk.reporting.section import report
from cellpk.study.units import pretty


@pytest.fixture(scope="module")
def fit(small_study):
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    return made_fit(stein, small_study, settle=20)


@pytest.fixture(scope="module")
def doubted(fit):
    return replace(fit, estimates=replace(fit.estimates, apart=5.0))


def test_table_prints_the_numbers_of_the_fit(fit):
    table = ck.tables.population(fit)
    pd.testing.assert_frame_equal(table.frame, fit.table)
    shown = table.shown.set_index("parameter")
    assert shown.loc["cmax, Peak level", "sd"] == f"{fit.table['iiv_sd'][2]:.3f}"
    assert shown.loc["cmax, Peak level", "unit"] == pretty("copies/ug")
    assert shown.loc["qpcr sd", "sd"] == "–"
    assert shown.loc["Share", "estimate"] == "0.100"


def test_table_names_the_trap_of_the_spread_and_the_criteria(fit):
    notes = " ".join(ck.tables.population(fit).footnotes)
    assert "SD between patients: of the natural log of the parameter" in notes
    assert "Papers print SD, variance or 100 SD under the same heading" in notes
    assert f"-2 log likelihood {fit.criteria['deviance']:.1f}" in notes
    assert f"BICc {fit.criteria['bicc']:.1f}" in notes
    assert "NOT converged" not in notes


def test_a_fit_that_has_not_converged_says_so_everywhere(doubted):
    why = "runs from other starts ended lower, by 5.0 of -2 log L"
    exhibits = [
        ck.tables.population(doubted),
        ck.figures.gof(doubted),
        ck.figures.etas(doubted),
        ck.figures.fits(doubted),
        ck.figures.vpc(doubted, replicates=20),
        ck.figures.npde(doubted, replicates=40),
    ]
    for each in exhibits:
        (line,) = [note for note in each.footnotes if "NOT converged" in note]
        assert why in line, each.name


def test_report_has_a_section_on_the_fit(
    small_study, small_metrics, made_fits, doubted, tmp_path
):
    made = report(small_study, small_metrics, made_fits, doubted)
    section = next(each for each in made.sections if each.name == "population")
    assert [each.name for each in section.exhibits] == [
        "population_qpcr",
        "gof_qpcr",
        "vpc_qpcr",
        "npde_qpcr",
        "curves_qpcr_page_1",
        "etas",
    ]
    about, converged = section.text
    assert about.startswith(
        "Model stein_2019_tisagenlecleucel, fitted to all patients together (SAEM): 8 "
        "patients, 31 samples of CAR transgene by qPCR, 9 of them by limits only."
    )
    assert converged.startswith("The population fit has NOT converged: runs from")
    assert about in made.facts
    assert converged in made.facts
    made.write(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<h2[^>]*>5\. Population fit</h2>", page)
    record = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert record["population"]["converged"] is False
    assert record["population"]["criteria"]["deviance"] == pytest.approx(
        doubted.criteria["deviance"]
    )


def test_report_takes_one_population_fit(small_study, small_metrics, fit):
    with pytest.raises(ck.DataError, match="one section on a population fit"):
        report(small_study, small_metrics, None, fit, fit)
