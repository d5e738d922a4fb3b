"""What holds for every assay; a new row is found by itself."""

from collections import Counter

import pandas as pd
import pytest

from cellpk import Study, read_study, write_study
from cellpk.study.assays import ASSAYS
from cellpk.study.specimens import SPECIMENS, specimen
from cellpk.study.units import factor, kind_of, pretty

every_assay = pytest.mark.parametrize("assay", ASSAYS.values(), ids=ASSAYS.keys())


@every_assay
def test_an_assay_says_what_it_is(assay):
    assert ASSAYS[assay.name] is assay
    assert assay.name.isidentifier()
    assert assay.name == assay.name.casefold()
    assert 0 < len(assay.label) <= 40
    assert assay.axis
    assert (assay.unit + assay.label + assay.axis).isascii()


@every_assay
def test_the_unit_of_an_assay_is_of_a_kind_and_converts_to_itself(assay):
    assert kind_of(assay.unit)
    assert factor(assay.unit, assay.unit) == 1
    if pretty(assay.unit):
        assert factor(pretty(assay.unit), assay.unit) == 1


@every_assay
def test_an_assay_is_read_written_and_read_back(assay, tmp_path):
    frame = pd.DataFrame(
        {
            "patient": ["1", "1", "2", "2"],
            "time": [-1, 7, 7, 14],
            "level": ["<2.5", "12.25", "37", "NA"],
            "assay": assay.name,
            "unit": assay.unit,
        }
    )
    study = Study.from_frames(samples=frame)
    assert study.unit(assay.name) == assay.unit
    assert study.assay(assay.name) == assay
    assert study.select(assay.name)["level"].dropna().tolist() == [12.25, 37]
    assert study.kinetic_assays == ((assay.name,) if assay.kinetics else ())
    assert (study.main_assay == assay.name) == (assay.kinetics and not assay.derived)
    again = read_study(write_study(study, tmp_path))
    assert again == study
    assert again.assays == (assay.name,)


def test_no_code_means_two_assays():
    codes = Counter(code for assay in ASSAYS.values() for code in assay.codes)
    assert {code: n for code, n in codes.items() if n > 1} == {}
    assert all(code.isupper() and len(code) <= 8 for code in codes)


def test_no_label_is_that_of_two_assays():
    labels = Counter(assay.label.casefold() for assay in ASSAYS.values())
    assert {label: n for label, n in labels.items() if n > 1} == {}


def test_the_main_assay_is_sought_in_this_order():
    assert list(ASSAYS)[:3] == ["qpcr", "ddpcr", "flow"]
    measured = [a for a in ASSAYS.values() if a.kinetics and not a.derived]
    assert list(ASSAYS.values())[: len(measured)] == measured


@pytest.mark.parametrize("name", SPECIMENS)
def test_every_spelling_of_a_specimen_is_ours_in_any_case(name):
    for word in (name, *SPECIMENS[name]):
        assert specimen(word) == specimen(word.upper()) == name
    words = [word for name, words in SPECIMENS.items() for word in (name, *words)]
    assert len(words) == len({word.casefold() for word in words})
