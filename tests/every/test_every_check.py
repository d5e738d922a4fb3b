"""What holds for every rule that looks for doubtful things; a new one is found."""

import re

import pandas as pd
import pytest
from check_examples import LEVELS, OUTLIERS, TIMES, UNITS
from check_examples_clinical import (
    COMEDICATION,
    INFUSIONS,
    LIMITS,
    OUTCOMES,
    PATIENTS,
    RESULTS,
)

import cellpk as ck
from cellpk.study.checks import Draft, rules
from cellpk.study.delivery import TABLES

EXAMPLES = TIMES | UNITS | OUTLIERS | LEVELS | LIMITS | RESULTS | PATIENTS
EXAMPLES |= INFUSIONS | COMEDICATION | OUTCOMES
RULES = rules()
SIMULATED = ck.simulate_study(seed=1)
ONE_ROW = {
    "samples": pd.DataFrame(
        {"patient": ["1"], "time": [7], "level": 3, "assay": "flow"}
    ),
    "infusions": pd.DataFrame({"patient": ["1"], "dose": 1e8}),
    "comedication": pd.DataFrame({"patient": ["1"], "drug": "tocilizumab"}),
    "outcomes": pd.DataFrame({"patient": ["1"], "endpoint": "death", "value": "1"}),
}
ONE = ck.Study.from_frames(**ONE_ROW)
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
every_example = pytest.mark.parametrize("name", EXAMPLES)


def told(frames, example, name):
    problems = ck.Study.from_frames(**frames, settings=example.says).problems
    return problems[problems["rule"] == name]


def draft(study, rows):
    tables = {name: getattr(study, name).head(rows) for name in TABLES}
    return Draft(**tables, settings=study.settings)


def test_every_rule_has_an_example():
    assert set(EXAMPLES) == set(RULES)


@every_example
def test_a_rule_tells_what_it_finds_and_what_to_do(name):
    example = EXAMPLES[name]
    found = told(example.bad, example, name)
    assert found["what"].str.contains(re.escape(example.what)).sum() == example.n
    assert (found["todo"] != "").all()
    assert set(found["severity"]) <= {"warning", "note"}


@every_example
def test_a_rule_does_not_tell_of_a_near_miss(name):
    example = EXAMPLES[name]
    assert told(example.fine, example, name)["what"].tolist() == []


@every_rule
def test_a_rule_says_in_one_sentence_what_it_finds(rule):
    assert rule.sentence.startswith("Find ")
    assert rule.sentence.endswith(".")
    assert rule.sentence.count(".") == 1
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule.name)


@every_rule
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_rule_runs_on_next_to_nothing(rule, rows):
    list(rule.find(draft(SIMULATED, rows)))
    list(rule.find(draft(ONE, rows)))


def test_no_rule_changes_what_it_looks_at():
    whole = draft(SIMULATED, None)
    tables = {name: vars(whole)[name] for name in TABLES}
    before = {name: table.copy() for name, table in tables.items()}
    for rule in RULES.values():
        list(rule.find(whole))
    for name, table in before.items():
        pd.testing.assert_frame_equal(tables[name], table)
