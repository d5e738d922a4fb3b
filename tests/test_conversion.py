"""Copies to cells: worked examples, what a conversion needs, what it leaves alone."""

import numpy as np
import pandas as pd
import pytest

import cellpk as ck
from cellpk.study.conversion import convert
from cellpk.study.conversion_steps import GENOMES

BLOOD = {"gdna": "whole_blood"}


def study_of(*rows, patients=None, infusions=None, settings=None, **constant):
    """Make a study of rows (patient, time, assay, level)."""
    frame = pd.DataFrame(rows, columns=["patient", "time", "assay", "level"])
    frame = frame.assign(specimen="blood").assign(**constant)
    about = {"study": {"id": "A", "infusion_day": 0}, **(settings or {})}
    return ck.Study.from_frames(
        samples=frame, patients=patients, infusions=infusions, settings=about
    )


TWO = (
    ("1", 7, "qpcr", 35_300),
    ("1", 7, "wbc", 3_000),
    ("2", 14, "qpcr", 1_000),
    ("2", 14, "wbc", 12_000),
)


def refused(study, assay="qpcr", **how):
    with pytest.raises(ck.DataError) as caught:
        convert(study, assay, **how)
    return str(caught.value)


def test_the_worked_example_of_the_reference():
    # 35,300 copies/ug, WBC 3,000/uL, VCN 2: about 349 CAR-T cells/uL
    made = convert(study_of(*TWO), "qpcr", to="cells/uL", vcn=2, **BLOOD)
    levels = made.select("cells_from_qpcr")["level"].tolist()
    assert levels == pytest.approx([349.47, 39.6], rel=1e-9)  # 1000*6.6e-6*12000/2
    assert made.unit("cells_from_qpcr") == "cells/uL"


@pytest.mark.parametrize(
    ("to", "name", "levels"),
    [
        # 6.6 pg a cell: 35,300 copies in 151,515 cells; 1,000 likewise
        ("copies/cell", "copies_per_cell_from_qpcr", [0.23298, 0.0066]),
        ("copies/uL", "copies_from_qpcr", [698.94, 79.2]),
    ],
)
def test_copies_per_cell_and_in_blood(to, name, levels):
    how = BLOOD if to == "copies/uL" else {}
    made = convert(study_of(*TWO), "qpcr", to=to, **how)
    assert made.select(name)["level"].tolist() == pytest.approx(levels, rel=1e-9)
    assert round(GENOMES) == 151_515


def test_copies_in_blood_need_the_vcn_only():
    study = study_of(("1", 7, "ddpcr_per_volume", 700), unit="copies/uL")
    made = convert(study, "ddpcr_per_volume", to="cells/uL", vcn=3.5)
    samples = made.select("cells_from_ddpcr_per_volume")
    assert samples["level"].tolist() == pytest.approx([200], rel=1e-12)
    assert samples["derived"].tolist() == ["copies/uL of ddpcr_per_volume / VCN 3.5"]


def test_a_derived_sample_says_how_and_the_measured_ones_stay_as_they_are():
    study = study_of(*TWO)
    made = convert(study, "qpcr", to="cells/uL", vcn=2, **BLOOD)
    samples = made.select("cells_from_qpcr")
    assert samples["derived"].tolist()[0] == (
        "copies/ug of qpcr / 151515 genomes/ug (6.6 pg each) "
        "* wbc 3000/uL of day 7 (whole-blood gDNA) / VCN 2"
    )
    assert samples["reported"].tolist() == ["35300", "1000"]
    assert samples["row"].tolist() == study.select("qpcr")["row"].tolist()
    for assay in study.assays:
        pd.testing.assert_frame_equal(made.select(assay), study.select(assay))
    assert made.main_assay == study.main_assay == "qpcr"
    assert made.assays == ("qpcr", "wbc", "cells_from_qpcr")
    assert study.assays == ("qpcr", "wbc")


def test_states_stay_and_limits_are_converted_as_levels_are():
    states = ["quantified", "detected", "below", "above", "missing"]
    levels = [35_300, 30, None, None, None]
    samples = pd.DataFrame({"time": range(5), "level": levels, "state": states})
    samples = samples.assign(patient="1", assay="qpcr", lloq=50, llod=10, uloq=1e6)
    counts = pd.DataFrame({"time": range(5), "level": 3000, "state": "quantified"})
    counts = counts.assign(patient="1", assay="wbc")
    study = ck.Study.from_frames(samples=pd.concat([samples, counts]))
    made = convert(study, "qpcr", to="cells/uL", vcn=2, **BLOOD).samples
    made = made[made["assay"] == "cells_from_qpcr"]
    assert made["state"].tolist() == states
    times = 6.6e-6 * 3000 / 2
    np.testing.assert_allclose(made["level"], np.array(levels, float) * times)
    for name, limit in (("lloq", 50), ("llod", 10), ("uloq", 1e6)):
        np.testing.assert_allclose(made[name], limit * times, rtol=1e-12)


def test_an_assumed_limit_stays_an_assumption():
    limits = {"limits": {"qpcr": {"assumed_lloq": 50, "why": "a habit"}}}
    rows = (("1", 7, "qpcr", "BLQ"), ("1", 7, "wbc", 1e4), ("1", 8, "qpcr", 90))
    study = study_of(*rows, ("1", 8, "wbc", 1e4), settings=limits)
    made = convert(study, "qpcr", to="copies/uL", **BLOOD).select("copies_from_qpcr")
    assert made["limit_assumed"].tolist() == [True, False]
    assert made["lloq"].tolist()[0] == pytest.approx(50 * 6.6e-6 * 1e4)


def test_the_nearest_count_within_the_window_is_taken():
    rows = [("1", 7, "qpcr", 1e6 / 6.6), ("1", 14, "qpcr", 1e6 / 6.6)]
    counts = [("1", 6.6, "wbc", 1), ("1", 7.3, "wbc", 2), ("1", 14.5, "wbc", 3)]
    others = [("2", 7, "wbc", 4), ("1", 7.1, "wbc", "<5"), ("1", 7.2, "wbc", 0.0)]
    zero = {"limits": {"wbc": {"zero": "below"}}}
    study = study_of(*rows, *counts, *others, settings=zero)
    made = convert(study, "qpcr", to="copies/uL", **BLOOD)
    levels = made.select("copies_from_qpcr")["level"].tolist()
    assert levels == pytest.approx([2, 3], rel=1e-12)
    told = refused(study, to="copies/uL", same_day=0.25, **BLOOD)
    assert "no wbc within 0.25 days (patient 1 on days 7, 14)" in told


def test_samples_without_a_count_are_missing_with_a_reason_and_told():
    rows = (("1", 28, "qpcr", 500), ("1", 60, "qpcr", "<50"), ("3", 7, "qpcr", 20))
    study = study_of(*TWO, *rows)
    made = convert(study, "qpcr", to="cells/uL", vcn=2, **BLOOD)
    samples = made.samples.query("assay == 'cells_from_qpcr'")
    assert len(samples) == 5
    lost = samples[samples["state"] == "missing"]
    assert lost[["patient", "time"]].to_numpy().tolist() == [
        ["1", 28.0],
        ["1", 60.0],
        ["3", 7.0],
    ]
    assert set(lost["reason"]) == {"no wbc within 0.5 days"}
    assert set(lost["derived"]) == {""}
    assert lost[["level", "lloq"]].isna().all(axis=None)
    (what,) = (w for w in made.problems["what"] if "3 samples have no level" in w)
    assert "(patient 1 on days 28, 60; patient 3 on day 7)" in what


def test_excluded_and_missing_samples_stay_so_with_their_reasons():
    rows = (*TWO, ("1", 9, "qpcr", "NA"), ("1", 21, "qpcr", 700))
    excluded, reasons = [0] * 5 + [1], ["", "", "", "", "lost", "haemolysed"]
    study = study_of(*rows, excluded=excluded, reason=reasons)
    made = convert(study, "qpcr", to="cells/uL", vcn=2, **BLOOD).samples
    made = made[made["assay"] == "cells_from_qpcr"].set_index("time")
    assert made.loc[9.0, ["state", "reason"]].tolist() == ["missing", "lost"]
    assert made.loc[21.0, ["excluded", "reason"]].tolist() == [True, "haemolysed"]


def test_counts_in_blood_say_nothing_of_marrow():
    specimens = ["blood", "blood", "marrow", "blood"]
    made = convert(
        study_of(*TWO, specimen=specimens), "qpcr", to="cells/uL", vcn=2, **BLOOD
    )
    lost = made.samples.query("assay == 'cells_from_qpcr' and state == 'missing'")
    assert lost["reason"].tolist() == ["counts in blood say nothing of marrow"]
    made = convert(study_of(*TWO, specimen=specimens), "qpcr", to="copies/cell")
    assert len(made.select("copies_per_cell_from_qpcr")) == 2


def test_dna_of_mononuclear_cells_needs_their_count():
    rows = (*TWO, ("1", 7, "pbmc", 1_000))
    told = refused(study_of(*TWO), to="copies/uL", gdna="pbmc")
    assert "no samples of 'pbmc'" in told
    told = refused(study_of(*rows), to="copies/uL", gdna="pbmc", count="wbc")
    assert "'wbc' does not count the cells of gDNA of mononuclear cells" in told
    made = convert(study_of(*rows), "qpcr", to="copies/uL", gdna="pbmc")
    levels = made.select("copies_from_qpcr")["level"].tolist()
    assert levels == pytest.approx([35_300 * 6.6e-6 * 1000], rel=1e-12)


def test_counts_can_be_an_assay_of_the_studys_own_in_its_own_unit():
    own = {"assays": {"mnc": {"unit": "10^9/L"}, "scale": {"unit": "kg"}}}
    rows = (("1", 7, "qpcr", 1e6 / 6.6), ("1", 7, "mnc", 1.5), ("1", 7, "scale", 80))
    study = study_of(*rows, settings=own)
    made = convert(study, "qpcr", to="copies/uL", gdna="pbmc", count="mnc")
    levels = made.select("copies_from_qpcr")["level"].tolist()
    assert levels == pytest.approx([1500], rel=1e-12)
    told = refused(study, to="copies/uL", gdna="pbmc", count="scale")
    assert "'scale' is in kg, which is no count in blood" in told


def test_the_vcn_can_be_a_column_of_the_patients():
    patients = pd.DataFrame({"patient": ["1", "2"], "vcn": [2.0, None], "arm": "A"})
    study = study_of(*TWO, patients=patients)
    made = convert(study, "qpcr", to="cells/uL", vcn="vcn", **BLOOD)
    samples = made.samples.query("assay == 'cells_from_qpcr'")
    assert samples["level"].tolist()[0] == pytest.approx(349.47, rel=1e-9)
    assert samples["reason"].tolist() == ["", "no vcn above 0"]
    assert "holds no numbers" in refused(study, to="cells/uL", vcn="arm", **BLOOD)
    assert "'vcn'?" in refused(study, to="cells/uL", vcn="vcnn", **BLOOD)


def test_the_vcn_can_be_that_of_the_lot_infused_so_far():
    infusions = {"patient": ["1", "1", "2"], "time": [0, 10, 0], "dose": 1e8}
    infusions = pd.DataFrame(infusions).assign(unit="cells", lot=["A", "B", "C"])
    rows = [("1", t, "qpcr", 1e6 / 6.6) for t in (-1, 7, 14)]
    rows += [("2", 7, "qpcr", 1e6 / 6.6)]
    counts = [(who, t, "wbc", 12) for who, t, *_ in rows]
    study = study_of(*rows, *counts, infusions=infusions)

    def levels(lots):
        made = convert(study, "qpcr", to="cells/uL", vcn=lots, **BLOOD).samples
        return made.loc[made["assay"] == "cells_from_qpcr", ["level", "reason"]]

    made = levels({"A": 2, "B": 3, "C": 4})
    expected = [6, 6, np.nan, 3]
    np.testing.assert_allclose(made["level"], expected, rtol=1e-12)
    assert made["reason"].tolist()[2] == "no one VCN of lot 'A', 'B'"
    np.testing.assert_allclose(levels({"A": 2, "B": 2, "C": 4})["level"], [6, 6, 6, 3])
    assert levels({"A": 2, "B": 2})["reason"].tolist()[3] == "no one VCN of lot 'C'"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"to": "cells/uL", "vcn": 2}, "it is not said whose DNA was measured"),
        ({"to": "cells/uL", "vcn": 2, "gdna": "plasma"}, "value 'plasma'"),
        ({"to": "cells/uL", **BLOOD}, "cells need the vector copies per cell"),
        ({"to": "cells/uL", "vcn": 0, **BLOOD}, "a number above 0"),
        ({"to": "cells/uL", "vcn": float("nan"), **BLOOD}, "a number above 0"),
        ({"to": "copies/uL", "vcn": 2, **BLOOD}, "copies/uL takes no VCN"),
        ({"to": "copies/uL", "same_day": -1, **BLOOD}, "not a number of days"),
        ({"to": "copies/uL", "count": "alc", **BLOOD}, "does not count the cells"),
        ({"to": "cells/ul", "vcn": 2, **BLOOD}, "Did you mean 'cells/uL'"),
    ],
)
def test_what_is_not_stated_is_refused(how, told):
    assert told in refused(study_of(*TWO), **how)


def test_what_cannot_be_converted_is_refused():
    study = study_of(*TWO, ("1", 7, "flow", 3))
    assert "'flow', in cells/uL, is not an assay" in refused(study, "flow", to="%")
    assert "no samples of 'ddpcr'" in refused(study, "ddpcr", to="cells/uL")
    made = convert(study, "qpcr", to="cells/uL", vcn=2, **BLOOD)
    assert "holds 'cells_from_qpcr' already" in refused(made, to="cells/uL", vcn=3)
    without = study_of(("1", 7, "qpcr", 3))
    assert "no samples of 'wbc'" in refused(without, to="copies/uL", **BLOOD)


def test_a_converted_study_survives_writing_and_goes_through_the_metrics(tmp_path):
    made = convert(study_of(*TWO), "qpcr", to="cells/uL", vcn=2, **BLOOD)
    assert ck.read_study(ck.write_study(made, tmp_path)) == made
    metrics = ck.nca(made)
    assert metrics.units("cells_from_qpcr")["cmax"] == "cells/uL"
    peaks = metrics.table.query("assay == 'cells_from_qpcr'")["cmax"]
    assert peaks.tolist() == pytest.approx([349.47, 39.6], rel=1e-9)


def test_an_assay_of_the_studys_own_is_converted_too(tmp_path):
    about = {"unit": "copies/mL", "kinetics": True, "label": "CAR copies"}
    rows = (("1", 7, "car", 4000), ("1", 14, "car", "<100"))
    study = study_of(*rows, settings={"assays": {"car": about}})
    made = convert(study, "car", to="cells/uL", vcn=2)
    samples = made.select("cells_from_car")
    assert samples["level"].tolist()[0] == pytest.approx(2, rel=1e-12)
    assert samples["lloq"].tolist()[1] == pytest.approx(0.05, rel=1e-12)
    assert samples["derived"].tolist()[0] == "copies/mL of car * 0.001 / VCN 2"
    assert made.assay("cells_from_car").label == "Derived CAR-T cells: CAR copies"
    assert made.main_assay == "car"
    assert ck.read_study(ck.write_study(made, tmp_path)) == made


def test_doubts_of_the_delivered_files_are_kept_and_no_others_are_made_up(tmp_path):
    (tmp_path / "a.csv").write_text(
        "patient,time,assay,level\n1,7,qpcr,90\n1,7,qpcr,90\n1,7,wbc,4000\n1,-1,qpcr,0\n"
    )
    (tmp_path / "study.toml").write_text(
        '[study]\nid = "A"\ninfusion_day = 0\n[limits.qpcr]\nlloq = 50\n'
        '[[samples]]\nfile = "a.csv"\n'
    )
    study = ck.read_study(tmp_path)
    made = convert(study, "qpcr", to="copies/uL", **BLOOD)
    before, after = (list(each.problems["what"]) for each in (study, made))
    assert set(before) <= set(after)
    assert all("copies_from_qpcr" in what for what in set(after) - set(before))
    assert made.accounting.equals(study.accounting)
    assert made.sources == study.sources
