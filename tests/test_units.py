import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpk.study.assays import ASSAYS
from cellpk.study.units import DAYS, KINDS, explain, factor, kind_of, pretty

SPELLINGS = [
    ("10^9/L", "cells/uL", 1e3),  # 1e9 cells in 1e6 uL
    ("10*9/L", "cells/uL", 1e3),  # UCUM
    ("10**9/L", "cells/uL", 1e3),
    ("x10E9/L", "cells/uL", 1e3),
    ("x 10^9 / L", "cells/uL", 1e3),
    ("10(9)/L", "cells/uL", 1e3),
    ("10^9 cells/L", "cells/uL", 1e3),
    ("cells x 10^6/L", "cells/uL", 1),
    ("1e9/L", "cells/uL", 1e3),
    ("G/L", "cells/uL", 1e3),
    ("GI/L", "cells/uL", 1e3),
    ("K/uL", "cells/uL", 1e3),
    ("Thou/mcL", "cells/uL", 1e3),
    ("K/cumm", "cells/uL", 1e3),
    ("10E3/uL", "cells/uL", 1e3),
    ("1000/uL", "cells/uL", 1e3),
    ("M/uL", "cells/uL", 1e6),  # a million in a microlitre
    ("M/L", "cells/uL", 1),
    ("/nL", "cells/uL", 1e3),
    ("/mm3", "cells/uL", 1),
    ("{cells}/uL", "cells/uL", 1),
    ("#/uL", "cells/uL", 1),
    ("cells/mL", "cells/uL", 1e-3),
    ("cells per microlitre", "cells/uL", 1),
    ("copies / µg", "copies/ug", 1),
    ("copies/μg gDNA", "copies/ug", 1),
    ("DNA copies/ug", "copies/ug", 1),
    ("copies per ug of gDNA", "copies/ug", 1),
    ("copies/ng", "copies/ug", 1e3),
    ("copies/200 ng", "copies/ug", 5),
    ("copies/mL", "copies/uL", 1e-3),
    ("copies/10^6 cells", "copies/cell", 1e-6),
    ("ng/mL", "pg/mL", 1e3),
    ("NG/ML", "pg/mL", 1e3),
    ("ng/L", "pg/mL", 1),
    ("fg/mL", "pg/mL", 1e-3),
    ("mg/dL", "mg/L", 10),
    ("ug/ml", "mg/L", 1),
    ("ng/mL", "ug/L", 1),
    ("mcg/dL", "ug/L", 10),
    ("g/dL", "g/L", 10),
    ("MG/L", "g/L", 1e-3),  # milligrams: nobody means megagrams
    ("mg/24h", "g/day", 1e-3),
    ("g/24 hours", "g/day", 1),
    ("IU/L", "U/L", 1),
    ("[IU]/L", "U/L", 1),
    ("mU/mL", "U/L", 1),
    ("ukat/L", "U/L", 60),  # a katal turns over a mole in a second, a U a umol in 60 s
    ("fraction", "%", 100),
    ("Per cent", "%", 1),
    ("°C", "degC", 1),
    ("Cel", "degC", 1),
    ("RATIO", "1", 1),
]
FOREIGN = [
    ("copies/uL", "copies/ug", "'qpcr_per_volume'"),
    ("copies/mL", "copies/ug", "'qpcr_per_volume'"),
    ("copies/1000 cells", "copies/ug", "6.6 pg"),
    ("copies/10^6 cells", "copies/ug", "6.6 pg"),
    ("copies/reaction", "copies/ug", "DNA in the reaction"),
    ("copies/ug", "copies/uL", "cellpk.convert"),
    ("copies/ug", "cells/uL", "cellpk.convert"),
    ("copies/uL", "cells/uL", "cellpk.convert"),
    ("log10 copies/ug", "copies/ug", "logarithm"),
    ("cells/uL", "%", "'flow'"),
    ("%", "cells/uL", "share"),
    ("% of lymphocytes", "%", "denominator"),
    ("%CD3+", "%", "denominator"),
    ("nmol/L", "ng/mL", "molar mass"),
    ("mmol/L", "g/L", "molar mass"),
    ("IU/mL", "pg/mL", "standard of the kit"),
    ("pg/mL", "U/mL", "Give levels in U/mL"),
    ("degF", "degC", "/ 1.8"),
    ("°F", "degC", "/ 1.8"),
    ("g/24h", "g/L", "volume of urine"),
    ("g/L", "g/day", "volume of urine"),
    ("109/L", "cells/uL", "Give levels in cells/uL"),  # a power without its sign
    ("copies/106 cells", "copies/cell", "Give levels in copies/cell"),
    ("pM", "pg/mL", "molar mass"),
    ("10 9/L", "cells/uL", "Give levels in cells/uL"),
    ("10^9/L", "g/L", "Give levels in g/L"),  # no haemoglobin in cells
    ("5x10^6/L", "cells/uL", "Give levels in cells/uL"),
    ("/100 WBC", "cells/uL", "Give levels in cells/uL"),
    ("0/L", "cells/uL", "Give levels in cells/uL"),
    ("copies/0 ng", "copies/ug", "Give levels in copies/ug"),
    ("", "cells/uL", "Give levels in cells/uL"),
]


@pytest.mark.parametrize(("unit", "to", "times"), SPELLINGS)
def test_units_convert_where_a_factor_alone_does_it(unit, to, times):
    assert factor(unit, to) == times


@pytest.mark.parametrize(("unit", "to", "needs"), FOREIGN)
def test_others_are_refused_with_what_it_would_take(unit, to, needs):
    assert factor(unit, to) is None
    assert needs in explain(unit, to)


SYNONYMS = {  # of the codelist UNIT, CDISC SDTM terminology of 28 March 2025
    "10^9/L": "/nL 1/nL 10^3/mm3 10^3/uL 10^6/mL G/L GI/L K/cumm Thou/mcL",
    "10^6/L": "/mm3 /uL 1/mm3 1/uL 10^3/mL M/L Mega/L",
    "10^12/L": "/pL 10^6/mm3 10^6/uL M/uL Mill/mcL T/L Tera/L TI/L",
    "10^10/L": "10^4/mm3 10^4/uL 10^7/mL",
    "ug/L": "mcg/L mg/m3 ng/mL",
    "mg/L": "g/m3 mcg/mL ng/uL ug/mL",
    "ng/L": "pg/mL ug/m3",
    "g/L": "kg/m3 mg/mL ug/uL",
    "g/day": "g/24h",
    "U/L": "mU/mL",
    "IU/L": "IE/L mIU/mL",
}


def test_synonyms_of_the_cdisc_units_are_one_unit():
    for unit, words in SYNONYMS.items():
        for word in words.split():
            assert factor(word, unit) == 1, (word, unit)


def test_no_spelling_means_two_things():
    for kind, sides in KINDS.items():
        for side in filter(None, sides):
            words = [
                re.sub(r"\s", "", word).casefold()
                for names in side.values()
                for word in names.split(",")
            ]
            assert len(words) == len(set(words)), kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_spelling_of_every_kind_is_read(kind):
    above, below = KINDS[kind]
    for top in ",".join(above.values()).split(","):
        for bottom in ",".join((below or {"1": ""}).values()).split(","):
            unit = f"{top}/{bottom}" if below else top
            assert factor(unit, unit) == 1
            assert kind_of(unit) == kind or kind == "cells per volume", unit


@given(st.text(max_size=12), st.sampled_from(sorted({a.unit for a in ASSAYS.values()})))
def test_any_text_converts_or_is_refused_in_a_sentence(unit, to):
    times = factor(unit, to)
    assert times is None or times > 0
    assert re.match(r"[A-Z].*\.$", explain(unit, to))


def test_an_unknown_unit_converts_to_itself_only():
    assert factor("log10 Copies", "log10 copies") == 1
    assert factor("log10 copies", "copies") is None


def test_times_convert_to_days():
    assert DAYS["hour"] * 36 == pytest.approx(1.5, abs=1e-12)
    assert DAYS["week"] == 7
    assert DAYS["minute"] * 1440 == pytest.approx(1, abs=1e-12)


def test_units_print_with_the_micro_sign_but_words_keep_their_u():
    assert pretty("ug/L") == "µg/L"
    assert pretty("cells/uL") == "cells/µL"
    assert pretty("U/L") == "U/L"
    assert pretty("degC") == "°C"
    assert pretty("minutes") == "minutes"
    assert pretty("1/day") == "1/day"
