import io

import pandas as pd
import pytest

import cellpk as ck
from cellpk.reporting.table import TABLES, Table


@pytest.fixture
def peaks():
    frame = pd.DataFrame({"patient": ["1", "2"], "cmax": [24041.333333333332, 9.0]})
    shown = pd.DataFrame({"who": ["1", "<2"], "cmax": ["24,000", "9.00"]})
    return Table(
        name="peaks",
        title="Peaks & more",
        frame=frame,
        shown=shown.assign(block="A"),
        labels={"who": "Patient", "cmax": "Cmax\n(copies/µg)"},
        group="block",
        spans={"Metrics": ("cmax",)},
        footnotes=("auc_0_28 *stays* as it is.",),
        rules=("A rule.",),
        source="study A",
        simulated=True,
    )


def test_csv_holds_full_precision(peaks, tmp_path):
    text = peaks.to_csv(tmp_path / "peaks.csv")
    assert (tmp_path / "peaks.csv").read_text(encoding="utf-8") == text
    assert pd.read_csv(io.StringIO(text))["cmax"].tolist() == [24041.333333333332, 9.0]


def test_html_is_escaped_and_the_same_each_time(peaks):
    html = peaks.to_html()
    assert html == peaks.to_html()
    assert "&lt;2" in html
    assert "Peaks &amp; more (SIMULATED DATA)" in html
    assert "auc_0_28 *stays* as it is." in html


def test_rows_alone_carry_no_style_and_no_notes(peaks):
    rows = peaks.rows_html()
    assert rows.startswith("<table")
    assert rows.endswith("</table>")
    assert "<style" not in rows
    assert "A rule." not in rows


def test_text_shows_everything_that_html_shows(peaks, snapshot):
    snapshot("table_object", repr(peaks))


def test_number_stands_before_the_title(peaks):
    assert peaks.numbered("Table 7").heading == "Table 7. Peaks & more (SIMULATED DATA)"
    assert peaks.numbered("Table 7").anchor == "table-7"


def test_every_table_function_is_found_and_says_what_it_gives():
    assert set(dir(ck.tables)) == set(TABLES)
    for name in TABLES:
        assert ">>> " in (getattr(ck.tables, name).__doc__ or ""), name


def test_unknown_table_offers_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'kinetics'"):
        _ = ck.tables.kinetic
