"""The pages in docs/ say what the code does."""

import re
from pathlib import Path

from cellpk.kinetics.metrics import METRICS, REASONS
from cellpk.kinetics.parameter_table import PKPARM, parameter_codes
from cellpk.kinetics.registry import FUNCTIONS
from cellpk.kinetics.remarks import NOTES
from cellpk.study.metric_rules import Rules

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")


def rows_of(text):
    """Cells of each row of the tables in a text, by the name in the first one."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("`"): row for row in cells}


_METRICS, _REST = PAGE.split("## Why a metric is not calculable")
ROWS, (WHY, NOTED) = rows_of(_METRICS), map(rows_of, _REST.split("## Notes"))


def test_every_metric_reason_and_note_has_its_row():
    assert list(ROWS) == list(METRICS)
    assert (list(WHY), list(NOTED)) == (list(REASONS), list(NOTES))


def test_a_row_says_label_codes_and_rule_of_the_metric():
    for name, metric in METRICS.items():
        _, label, codes, _, rule = ROWS[name]
        assert label == metric.label
        wanted = [metric.cdisc, parameter_codes(METRICS)[name]]
        assert re.findall(r"[A-Z][A-Z0-9_]+", codes) == list(dict.fromkeys(wanted))
        assert codes.startswith("*") == (metric.cdisc not in PKPARM)
        if name in FUNCTIONS:
            assert rule.startswith(FUNCTIONS[name].__doc__.split("\n")[0])


def test_a_row_says_the_sentence_of_a_reason_or_note():
    assert {name: row[1] for name, row in WHY.items()} == REASONS
    assert {name: row[1] for name, row in NOTED.items()} == NOTES


def test_options_that_the_page_of_rules_names_are_rules():
    page = (DOCS / "nca_rules.md").read_text(encoding="utf-8")
    options = [line.strip("| ").split(" | ")[-1] for line in page.splitlines()]
    named = {
        word
        for cell in options
        if cell.startswith("`") and "R/" not in cell
        for word in re.findall(r"`([a-z_]+)(?:=[^`]*)?`", cell)
    }
    assert len(named) > 10
    assert named <= set(Rules.model_fields)
