import pandas as pd
import pytest

import cellpk as ck
from cellpk.study.assays import ASSAYS, Assay, derived_from


def one(level, assay, unit="", **more):
    frame = {"patient": ["1"], "time": [7], "level": [level], "assay": assay}
    return ck.Study.from_frames(samples=pd.DataFrame(frame | {"unit": unit} | more))


@pytest.mark.parametrize(
    ("assay", "level", "unit", "kept"),
    [
        ("haemoglobin", 9.5, "g/dL", 95),
        ("platelets", 120, "10^9/L", 120_000),
        ("wbc", 3.1, "K/uL", 3100),
        ("sbcma", 310_000, "pg/mL", 310),
        ("flc_kappa", 4.2, "mg/dL", 42),
        ("m_protein_urine", 800, "mg/24h", 0.8),
        ("qpcr_per_volume", 1500, "copies/mL", 1.5),
        ("flow_percent_of_wbc", 0.12, "fraction", 12),
        ("temperature", 38.4, "°C", 38.4),
    ],
)
def test_levels_are_kept_in_the_unit_of_their_assay(assay, level, unit, kept):
    assert one(level, assay, unit).select(assay)["level"].tolist() == [
        pytest.approx(kept, rel=1e-12)
    ]


def test_copies_in_blood_are_never_taken_for_copies_in_dna():
    with pytest.raises(ck.DataError, match="'qpcr_per_volume'") as caught:
        one(35, "qpcr", "copies/uL")
    (problem,) = caught.value.problems
    assert (problem.row, problem.column, problem.value) == (2, "unit", "copies/uL")


def test_a_derived_series_is_never_the_main_one_unless_asked_for():
    rows = {"patient": ["1", "1"], "time": 7, "level": [3.0, 4.0]}
    frame = pd.DataFrame(rows).assign(assay=["cells_from_qpcr", "flow_percent"])
    study = ck.Study.from_frames(samples=frame)
    assert set(study.kinetic_assays) == {"cells_from_qpcr", "flow_percent"}
    assert study.main_assay == "flow_percent"
    only = ck.Study.from_frames(samples=frame[:1])
    assert only.main_assay == ""
    asked = {
        "study": {"id": "A", "infusion_day": 0},
        "analysis": {"assay": "cells_from_qpcr"},
    }
    asked = ck.Study.from_frames(samples=frame, settings=asked)
    assert asked.main_assay == "cells_from_qpcr"


def test_what_can_be_derived_follows_from_the_unit():
    own = Assay("car", "CAR copies", "copies/mL", "CAR", kinetics=True)
    assert list(derived_from(own)) == ["cells/uL"]
    assert derived_from(own)["cells/uL"].name == "cells_from_car"
    assert list(derived_from(ASSAYS["qpcr"])) == [
        "copies/cell",
        "copies/uL",
        "cells/uL",
    ]
    for name in ("flow", "wbc", "cells_from_qpcr"):
        assert derived_from(ASSAYS[name]) == {}


def test_specimens_are_read_under_our_names():
    samples = one(35, "qpcr", specimen="PERIPHERAL BLOOD").samples
    assert samples["specimen"].tolist() == ["blood"]
    study = one(35, "qpcr", specimen="BONE MARROW, LIQUID")
    assert len(study.select("qpcr", specimen="Bone Marrow")) == 1
    assert one(3, "qpcr", specimen="Skin").samples["specimen"].tolist() == ["Skin"]


def test_an_assay_that_is_not_known_offers_the_nearest():
    with pytest.raises(ck.DataError, match="Did you mean 'ddpcr'"):
        one(3, "flow").assay("dpcr")
