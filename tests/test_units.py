import pytest

from cellpk.study.assays import ASSAYS
from cellpk.study.units import DAYS, FACTORS, factor, pretty


@pytest.mark.parametrize("assay", ASSAYS.values(), ids=lambda assay: assay.name)
def test_every_assay_is_in_ascii_and_in_a_unit_that_converts(assay):
    assert assay.name.isidentifier()
    assert (assay.unit + assay.label + assay.axis).isascii()
    assert assay.unit in FACTORS
    assert factor(assay.unit, assay.unit) == 1
    assert factor(pretty(assay.unit), assay.unit) == 1


@pytest.mark.parametrize(
    ("unit", "to", "times"),
    [
        ("10^9/L", "cells/uL", 1e3),  # 1e9 cells in 1e6 uL
        ("10*9/L", "cells/uL", 1e3),
        ("cells/mL", "cells/uL", 1e-3),
        ("copies / µg", "copies/ug", 1),
        ("copies/μg gDNA", "copies/ug", 1),
        ("copies/uL", "copies/ug", None),  # needs the DNA yield: never a factor alone
        ("cells/uL", "%", None),
        ("ng/mL", "pg/mL", 1e3),
        ("ng/L", "pg/mL", 1),
        ("mg/dL", "mg/L", 10),
        ("ng/mL", "ug/L", 1),
    ],
)
def test_units_convert_where_a_factor_alone_does_it(unit, to, times):
    assert factor(unit, to) == times


def test_times_convert_to_days():
    assert DAYS["hour"] * 36 == pytest.approx(1.5, abs=1e-12)
    assert DAYS["week"] == 7
    assert DAYS["minute"] * 1440 == pytest.approx(1, abs=1e-12)


def test_units_print_with_the_micro_sign_but_words_keep_their_u():
    assert pretty("ug/L") == "µg/L"
    assert pretty("cells/uL") == "cells/µL"
    assert pretty("U/L") == "U/L"
    assert pretty("minutes") == "minutes"
    assert pretty("1/day") == "1/day"
