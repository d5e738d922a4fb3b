import cellpk as ck
from cellpk.reporting.gallery_checked import _beside, checked
from cellpk.reporting.gallery_tables import Sources


def test_a_number_that_is_not_met_has_a_cross():
    stein = ck.load_model("stein_2019_tisagenlecleucel")
    found = checked(stein.with_values(alpha=0.2), Sources())
    ticks = ["met" if "✓" in str(row[4]) else "not" for row in found.rows]
    assert ticks[:3] == ["met", "not", "met"]


def test_computed_numbers_have_two_figures_more_than_printed_ones():
    assert _beside("0.78", 0.7796341) == "0.7796"
    assert _beside("2.2e2", 216.60849) == "2.166e2"
    assert _beside("929", 928.7831) == "928.78"
    assert _beside("-92.3", -92.34561) == "-92.346"
