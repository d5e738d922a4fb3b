import pandas as pd
import pytest

from cellpk.study.assays import ASSAYS, Assay
from cellpk.study.cdisc import assay_of, blanked, domain, event_of, named
from cellpk.study.grid import Grid


def grid(file, **cells):
    return Grid.of_frame(pd.DataFrame(cells), file=file)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (grid("x.csv", DOMAIN=["pc"]), "PC"),
        (grid("sdtm/lb-chem.csv", A=[1]), "LB"),
        (grid("supppc_v2.xpt", RDOMAIN=["PC"], DOMAIN=["PC"]), "SUPPPC"),
        (grid("lbch.csv", DOMAIN=["LB"]), "LB"),
    ],
)
def test_the_domain_of_a_file(made, name):
    assert domain(made) == name


def test_assays_are_found_by_code_and_method_and_what_is_said_wins():
    own = {"own": Assay("own", "Own", "copies/ug", "Own", codes=("CART",))}
    codes = pd.Series(["CART", "cart", "IL6X", "CART", "INTLK6"])
    methods = pd.Series(["", "FLOW", "", "qpcr", ""])
    said = {"CART/flow": "flow", "CART/QPCR": "qpcr"}
    found = assay_of(codes, methods, said, known={**ASSAYS, **own})
    assert found.tolist() == ["own", "flow", "", "qpcr", "il6"]


def test_events_are_found_by_their_preferred_terms_without_case():
    terms = pd.Series(
        ["CYTOKINE RELEASE SYNDROME", "Tumour lysis syndrome", "Neurotoxicity", ""]
    )
    assert event_of(terms, {"neurotoxicity": "icans_grade"}).tolist() == [
        "crs_grade",
        "",
        "icans_grade",
        "",
    ]


def test_only_whole_cells_are_blanked():
    made = grid("f", A=["NA", "NA2"], B=["x", "y"])
    assert blanked(made, ["NA"]).cells.to_numpy().tolist() == [["", "x"], ["NA2", "y"]]
    assert blanked(made, []) is made


def test_few_names_are_all_told():
    assert named(["a", "b"]) == "a, b"
    assert named([]) == ""
