"""Tables of the gallery say what the file says, each number with its source."""

from dataclasses import replace

import pytest

import cellpk as ck
from cellpk.reporting.gallery_tables import (
    ABSENT,
    Sources,
    listings,
    number,
)


def table(name, title, cite=None):
    model = ck.load_model(name)
    (found,) = [x for x in listings(model, cite or Sources()) if x.title == title]
    heads = [words for _, words in found.columns]
    return [dict(zip(heads, map(str, row), strict=True)) for row in found.rows]


def test_a_variance_is_shown_as_stated_and_as_standard_deviation():
    rows = table("stein_2019_tisagenlecleucel_var", "Parameters")
    tmax = next(row for row in rows if row["Meaning"] == "Time of peak")
    assert tmax["Spread as stated"] == "variance 0.38"
    assert float(tmax["Spread, SD"]) == pytest.approx(0.38**0.5, rel=1e-5)


def test_a_coefficient_of_variation_is_shown_as_stated():
    rows = table("mueller_schoell_2021_axicel", "Parameters")
    stated = {row["Spread as stated"] for row in rows}
    assert "CV 307 %" in stated


def test_what_is_not_published_says_so():
    rows = table("ogasawara_2021_lisocel", "Parameters")
    absent = [row["Meaning"] for row in rows if row["Value"] == ABSENT]
    assert absent == ["Level before expansion", "Fraction kept as memory"]
    assert {row["Spread as stated"] for row in rows} == {ABSENT}
    (assay,) = table("ogasawara_2021_lisocel", "Observed levels")
    assert assay["Residual error"] == ABSENT


def test_every_number_refers_to_its_source():
    cite = Sources()
    rows = table("singh_2021_idecel", "Parameters", cite)
    model = ck.load_model("singh_2021_idecel")
    for row, parameter in zip(rows, model.parameters.values(), strict=True):
        first = row["Source"].partition(";")[0]
        assert cite.texts[int(first.strip("[]")) - 1] == parameter.source
    kel = next(row for row in rows if "spread" in row["Source"])
    assert cite.texts[int(kel["Source"].split("[")[-1][:-1]) - 1] == (
        "assumed by Singh et al. 2021"
    )


def test_a_day_that_never_comes_is_never():
    rows = table("stein_2019_comedication", "Covariates")
    assert {row["Typical patient"] for row in rows} == {"never"}


def test_a_schedule_names_every_infusion():
    (row,) = table("hardiansyah_2019_cll_upn1", "Infusions")
    schedule = row["Typical patient"].split("<br>")
    assert schedule[1] == "3.3·10<sup>8</sup> cells on day 1"
    assert len(schedule) == 3


def test_correlations_are_listed():
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    model = replace(
        stein,
        correlations={("cmax", "foldx"): 0.3},
        correlation_sources={("cmax", "foldx"): "Someone 2020"},
    )
    cite = Sources()
    (found,) = [x for x in listings(model, cite) if x.title == "Correlations"]
    assert [str(cell) for cell in found.rows[0]] == [
        "<code>cmax</code>, <code>foldx</code>",
        "0.3",
        f"[{cite.texts.index('Someone 2020') + 1}]",
    ]


def test_powers_of_ten_are_raised():
    assert str(number(6.02214e23)) == "6.02214·10<sup>23</sup>"
