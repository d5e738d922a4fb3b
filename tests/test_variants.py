"""A variant states what differs; the rest is that of the file it varies."""

import pytest
from model_text import CLOSED, FULL, load

import cellpk as ck
from cellpk import ModelError


@pytest.fixture
def vary(tmp_path):
    def vary(text, base=FULL):
        load(tmp_path, base)
        path = tmp_path / "v.toml"
        path.write_text(f'variant_of = "m"\n{text}', encoding="utf-8")
        return ck.load_model(path)

    return vary


def test_rows_of_every_section_are_completed_key_by_key(vary):
    model = vary("""
        doubts = "None."
        status = "unpublished"
        source = "Variant 2025"
        [parameters]
        alpha = { value = 0.2 }
        td = { iiv_var = 0.04 }
        [correlations]
        td.tmax = 0.1
        [covariates]
        weight = { label = "Weight" }
        [infusions]
        cells = [5e7, 5e7]
        [observed]
        qpcr = { sd = 0.6 }
        mtv = { error = "normal", sd = 3 }
        [printed]
        peak = { printed = "3e2", what = "peak", of = "flow", unit = "cells/uL" }
    """)
    assert (model.doubts, model.status) == ("None.", "unpublished")
    assert model.parameters["alpha"].value == 0.2
    assert model.parameters["alpha"].iiv_sd is None
    td = model.parameters["td"]
    assert (td.source, td.iiv_source) == ("Somebody 2020", "Variant 2025")
    assert (td.iiv_sd, td.prior_sd) == (pytest.approx(0.2), 0.1)
    assert model.correlations == {("td", "tmax"): 0.1, ("td", "kill"): -0.2}
    assert model.correlation_sources["td", "tmax"] == "Variant 2025"
    assert (model.covariates["weight"].label, model.covariates["weight"].value) == (
        "Weight",
        70,
    )
    assert model.infusions is not None
    assert (model.infusions.cells, model.infusions.days) == ((5e7, 5e7), (0, 30))
    assert (model.observed["qpcr"].sd, model.observed["qpcr"].df) == (0.6, 4)
    assert (model.observed["mtv"].error, model.observed["mtv"].sd) == ("normal", 3)


def test_a_source_beside_a_spread_alone_is_that_of_the_spread(vary):
    row = vary('[parameters]\ntmax = { iiv_var = 0.04, source = "X" }').parameters
    assert (row["tmax"].source, row["tmax"].iiv_source) == ("Another 2021", "X")


def test_another_form_of_error_drops_the_old_numbers(vary):
    model = vary('[observed]\nqpcr = { error = "unpublished" }')
    assert (model.observed["qpcr"].sd, model.observed["qpcr"].df) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "[parameters]\ntd = { value = 1 }",
        "[covariates]\nweight = { value = 80 }",
        "[infusions]\ncells = [1e8, 1e8]",
        '[observed]\nmtv = { is = "2*B" }',
        "equations = '''rho = log(2)/td\nE(0) = 0\nB(0) = b0*(weight/kg70)**power\n"
        "dE/dt = rho*f_toci*E if t < tmax else -alpha*E*toci\n"
        "dB/dt = -kill*B*E/(E + e50)\n'''",
    ],
)
def test_printed_numbers_are_not_those_of_a_model_with_another_course(vary, text):
    model = vary(text)
    assert model.printed == {}
    assert model.derived["doubling_time"].printed is None


@pytest.mark.parametrize(
    "text",
    [
        'title = "Other"',
        "[parameters]\ntd = { iiv_sd = 1 }",
        'note = "x"\n[observed]\nqpcr = { sd = 1 }',
    ],
)
def test_printed_numbers_stay_where_the_course_is_the_same(vary, text):
    model = vary(text)
    assert list(model.printed) == ["peak", "late"]
    assert model.derived["doubling_time"].printed == "0.78"


def test_another_formula_drops_its_own_printed_number_alone(vary):
    model = vary('[derived]\ndoubling_time = { is = "2*log(2)/rho" }')
    assert model.derived["doubling_time"].printed is None
    assert list(model.printed) == ["peak", "late"]


def test_new_equations_drop_the_closed_form_and_what_is_named(vary):
    model = vary(
        'drop = ["parameters.alpha"]\n'
        "equations = '''\nE(0) = c0\ndE/dt = -k*E*wbc\n'''\n"
        '[parameters]\nk = { value = 0.1, unit = "1/day", fixed = true }\n'
        '[covariates]\nwbc = { value = 1, unit = "1", steps = true }\n'
        '[infusions]\nadds = { E = "cells*c0/ten" }\ndays = []\ncells = []\n'
        'unit = "cells"\n[parameters.ten]\nvalue = 10\nunit = "cells"\nfixed = true',
        CLOSED,
    )
    assert not model.equations.closed
    assert list(model.parameters) == ["c0", "k", "ten"]
    assert list(model.covariates) == ["wbc"]


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        ("printed", "printed"),
        ("printed.peak", "printed"),
        ("derived.doubling_time.printed", "derived"),
        ("correlations.tmax.td", "correlations"),
        ("covariates.weight.label", "covariates"),
    ],
)
def test_sections_rows_and_keys_can_be_dropped(vary, dropped, left):
    before, after = vary(""), vary(f'drop = ["{dropped}"]')
    assert getattr(before, left) != getattr(after, left)


def test_what_is_not_there_cannot_be_dropped(vary):
    with pytest.raises(
        ModelError, match=r"^v.toml, drop, line 2: 'printed.peek' is not"
    ):
        vary('drop = ["printed.peek"]')
    with pytest.raises(ModelError, match=r"Did you mean 'printed.peak'"):
        vary('drop = ["printed.peek"]')
    with pytest.raises(ModelError, match=r"'print.peak' is not there to drop"):
        vary('drop = ["print.peak"]')


def test_a_parameter_left_over_says_how_to_drop_it(vary):
    with pytest.raises(ModelError, match=r'drop = \["parameters.alpha"\]'):
        vary('equations = "E(0) = c0\\ndE/dt = 0*E"', CLOSED)


def test_a_fixed_parameter_gives_up_its_correlations_by_name(vary):
    with pytest.raises(ModelError, match=r"tmax.td, line .*'tmax' is fixed and has no"):
        vary("[parameters]\ntmax = { fixed = true }")
    model = vary(
        'drop = ["correlations.tmax.td"]\n[parameters]\ntmax = { fixed = true }'
    )
    assert model.parameters["tmax"].iiv_source == ""
    assert list(model.correlations) == [("td", "kill")]


def test_a_published_value_replaces_its_absence_and_back(vary):
    model = vary("[parameters]\nalpha = { value = 1 }\ntd = { unpublished = true }")
    assert model.parameters["alpha"].value == 1
    assert model.parameters["td"].value is None


def test_a_variant_of_a_variant_lays_over_both(vary, tmp_path):
    vary("[parameters]\nalpha = { value = 0.2 }")
    path = tmp_path / "w.toml"
    path.write_text('variant_of = "v"\n[parameters]\ntd = { value = 1 }', "utf-8")
    rows = ck.load_model(path).parameters
    assert (rows["alpha"].value, rows["td"].value) == (0.2, 1)


def test_a_variant_without_a_source_has_that_of_what_it_varies(vary):
    model = vary("[parameters]\ntd = { value = 1 }\ntmax = { value = 8 }")
    assert model.source == "Somebody 2020"
    assert model.parameters["td"].source == "Somebody 2020"
    assert model.parameters["tmax"].source == "Somebody 2020"
