import numpy as np
import pandas as pd
import pytest
from made_pairs import log_normal_pairs, made_pairs
from scipy import stats

import cellpk as ck
from cellpk.errors import DataError
from cellpk.reporting.assay_pairs import assay_pairs, spearman


def numbers(study, **options):
    return assay_pairs(study, **options).numbers.set_index("statistic")


def by_hand():
    """Pairs of two patients: ratios 100, 400, 25 and 100, and each kind of below."""
    return made_pairs(
        [
            ("A", 7, 7, 1000, 10),
            ("A", 14, 14, 4000, 10),
            ("B", 7, 7, 250, 10),
            ("B", 14, 14, 10000, 100),
            ("A", 21, 21, "<50", 2),
            ("B", 21, 21, 90, "<1"),
            ("B", 28, 28, "<50", "<1"),
            ("B", 35, 35, "<50", "<1"),
        ]
    )


def test_numbers_by_hand():
    found = numbers(by_hand())
    assert found.loc["ratio", "estimate"] == pytest.approx(100)
    logs = np.log([100, 400, 25, 100])
    assert found.loc["ratio_sd", "estimate"] == pytest.approx(np.exp(logs.std(ddof=1)))
    assert found["n"].to_dict() == {
        "spearman": 4,
        "spearman_all": 8,
        "ratio": 4,
        "ratio_sd": 4,
    }


def test_detection_is_counted_two_by_two():
    table = assay_pairs(by_hand()).counts
    assert table.to_numpy().tolist() == [[4, 1], [1, 2]]
    counts = ck.tables.assay_agreement(by_hand()).frame.set_index("statistic")["n"]
    assert [counts[name] for name in ("both", "first_only", "second_only")] == [4, 1, 1]
    assert counts["neither"] == 2
    assert counts["pairs"] == 8


def test_spearman_is_scipys_with_and_without_ties():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(40, 2)).cumsum(axis=0)
    for each in (values, values.round(0)):
        assert spearman(each) == pytest.approx(stats.spearmanr(*each.T).statistic)
    assert np.isnan(spearman(np.ones((5, 2))))


def test_spearman_of_all_pairs_ties_those_below_as_lowest():
    found = numbers(by_hand())
    first = [1000, 4000, 250, 10000, 0, 90, 0, 0]
    second = [10, 10, 10, 100, 2, 0, 0, 0]
    expected = stats.spearmanr(first, second).statistic
    assert found.loc["spearman_all", "estimate"] == pytest.approx(expected)


def test_pairs_are_nearest_first_once_each_within_the_tolerance():
    rows = [
        ("A", 7.0, 7.4, 100, 1),
        ("A", 7.3, 9.0, 200, 2),
        ("B", 7.3, np.nan, 300, 3),
    ]
    pairs = assay_pairs(made_pairs(rows)).pairs
    assert pairs[["time", "gap"]].to_numpy() == pytest.approx(np.array([[7.3, 0.1]]))
    wide = assay_pairs(made_pairs(rows), tolerance=2).pairs
    assert wide["time"].tolist() == [7.0, 7.3]
    assert assay_pairs(made_pairs(rows)).unpaired == {"qpcr": 2, "flow": 1}


def test_interval_is_that_of_patients_not_of_pairs():
    """All pairs of a patient have one ratio: its mean varies as that of 40 patients."""
    study = made_pairs(log_normal_pairs(40, 5, spread=0.5))
    row = numbers(study).loc["ratio"]
    pairs = assay_pairs(study).pairs
    logs = np.log(pairs["level_first"] / pairs["level_second"])
    one_each = logs.groupby(pairs["patient"]).mean()
    assert len(one_each) == 40
    expected = 2 * stats.norm.ppf(0.975) * one_each.std(ddof=0) / np.sqrt(40)
    width = np.log(row["high"] / row["low"])
    assert width == pytest.approx(expected, rel=0.06)  # 2000 resamplings
    assert np.log(row["estimate"]) == pytest.approx(one_each.mean())


def test_same_seed_same_interval():
    study = made_pairs(log_normal_pairs(spread=0.5))
    first, again, other = (numbers(study, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first.loc["ratio", "low"] != other.loc["ratio", "low"]


def test_few_patients_have_no_interval_and_few_pairs_no_estimate():
    assert numbers(by_hand())[["low", "high"]].isna().all(axis=None)
    two = made_pairs([("A", 7, 7, 1000, 10), ("A", 14, 14, 4000, 10)])
    assert numbers(two)["estimate"].isna().all()
    cells = ck.tables.assay_agreement(two).shown
    assert cells["value"].tolist()[-4:] == ["NC"] * 4
    assert ck.figures.assay_agreement(two).image()


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([("A", 7, 20, 100, 1)], {}, "within 0.5 days"),
        ([("A", 7, np.nan, 100, 1)], {}, "no second assay"),
        ([("A", 7, 7, 100, 1)], {"second": "qpcr"}, "no two measurements"),
        ([("A", 7, 7, 100, 1)], {"second": "il6"}, "no such assay of CAR-T"),
    ],
)
def test_what_cannot_be_compared_is_refused(rows, options, words):
    with pytest.raises(DataError, match=words):
        assay_pairs(made_pairs(rows), **options)


def test_derived_levels_are_not_compared_with_their_source(monkeypatch):
    study = made_pairs([("A", 7, 7, 100, 1)])
    monkeypatch.setattr(type(study), "kinetic_assays", ("qpcr", "cells_from_qpcr"))
    with pytest.raises(DataError, match="no two measurements"):
        assay_pairs(study, second="cells_from_qpcr")


def test_figure_draws_every_pair_and_those_below_on_the_margins():
    drawing = ck.figures.assay_agreement(by_hand())
    panel = drawing.figure.axes[0]
    drawn = {m: x for m in "ovs" for x in panel.lines if x.get_marker() == m}
    assert {marker: len(line.get_xdata()) for marker, line in drawn.items()} == {
        "o": 4,
        "v": 2,
        "s": 2,
    }
    assert sorted(drawn["o"].get_ydata()) == [250, 1000, 4000, 10000]
    below_flow = drawn["v"].get_xdata().min()
    assert below_flow < 10 / 2
    assert len(drawing.frame) == 8
    assert panel.get_ylabel() == "CAR transgene (copies/µg)"
    legend = [text.get_text() for text in drawing.figure.legends[0].texts]
    assert legend[-1] == "Ratio 100 copies/µg per cells/µL"


def test_table_prints_numbers_pairs_and_patients(snapshot):
    study = made_pairs([*log_normal_pairs(spread=0.5), ("P1", 70, 70, "<50", 2)])
    snapshot("assay_agreement", repr(ck.tables.assay_agreement(study)))
