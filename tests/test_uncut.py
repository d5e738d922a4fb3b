"""Samples after a further infusion: left out, and told once more with them."""

import pandas as pd
import pytest

import cellpk as ck


@pytest.fixture(scope="module")
def study():
    rows = [(7, 90), (14, 30), (28, 9), (40, 500), (56, 20)]
    samples = pd.DataFrame(rows, columns=["time", "level"]).assign(assay="flow")
    infusions = pd.DataFrame({"patient": "A", "time": [0.0, 30.0]})
    return ck.Study.from_frames(samples.assign(patient="A"), infusions=infusions)


def test_the_report_tells_metrics_with_and_without_them(study):
    report = ck.report(study, ck.nca(study))
    kinetics = [each for each in report.tables if "kinetic metrics" in each.title]
    assert [each.name for each in kinetics] == ["kinetics_flow", "kinetics_flow_uncut"]
    cut, whole = (each.frame.set_index("metric")["values"] for each in kinetics)
    assert (cut["t_last"], whole["t_last"]) == ("28.0", "56.0")


def test_a_report_by_other_rules_is_another_run(study, tmp_path):
    one = ck.report(study, ck.nca(study))
    other = ck.report(study, ck.nca(study, auc_rule="linear"))
    assert one.run_id != other.run_id
    other.write(tmp_path)
    text = (tmp_path / "manifest.json").read_text("utf-8")
    assert '"auc_rule": "linear"' in text
