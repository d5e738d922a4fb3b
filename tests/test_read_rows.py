"""Rows of formulas are refused with line, token and what belongs there."""

import pytest
from model_text import CLOSED, FULL, load

from cellpk import ModelError
from cellpk.model.read_rows import decimal_text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # covariates
        (
            "weight = { value = 70",
            "weight = { value = inf",
            "weight, line 34: value inf is not",
        ),
        (
            "weight = { value = 70",
            "weight = { value = nan",
            "weight, line 34: value nan is not",
        ),
        ("value = 0, unit", "value = 2, unit", "toci, line 35: value 2 is not .*0, 1"),
        (
            "levels = [0, 1]",
            "probability = 0.3",
            "probability = 0.3 is the chance of 1",
        ),
        ("levels = [0, 1]", "levels = [0, 1], probability = 2", "probability is 2"),
        ("weight = {", "td = {", "td, line 34: covariate 'td' has the name of a param"),
        ("weight = {", "exp = {", "'exp' cannot be the name of a covariate"),
        ("*(weight/kg70)", "*(kg70/kg70)", "weight, line 34: covariate 'weight' is n"),
        ("(weight/kg70)**power", "toci", "line 9: 'toci' is not .* changes with time"),
        # infusions
        ('E = "cells/volume"', 'F = "1"', "adds, line 38: 'F' is not a state"),
        ("cells/volume", "cels/volume", "adds, line 38: 'cels' .*mean 'cells'"),
        ("cells/volume", "cells/E", "line 38: 'E' is not .* it changes with time"),
        ("cells/volume", "toci*cells/volume", "line 38: 'toci' is not .*changes with"),
        (
            "cells/volume",
            "cells/volume +",
            "line 38: 'cells/volume \\+' cannot be read",
        ),
        ('lag = "lag"', 'lag = "lag*slowed"', "lag, line 42: 'slowed' .* changes with"),
        ('lag = "lag"', 'lag = "lg"', "lag, line 42: 'lg' is not known"),
        ('lag = "lag"', 'lag = "cells"', "lag, line 42: 'cells' .* what is infused"),
        ("days = [0, 30]", "days = [0]", "days, line 39: there are 1 days and 2 num"),
        ("days = [0, 30]", "days = [-1, 30]", "days, line 39: a day is -1"),
        ("days = [0, 30]", "days = [0, inf]", "days, line 39: a day is inf"),
        (
            "days = [0, 30]",
            "days = [30, 0]",
            r"days are \[30, 0\].*State them in order",
        ),
        ("days = [0, 30]", "days = [0, 0]", r"days are \[0, 0\]"),
        ("cells = [1e8, 3e8]", "cells = [1e8, 0]", "cells, line 40: cells is 0"),
        # observed
        ('"lognormal"', '"lognorm"', "flow, line 45: error 'lognorm' .*'lognormal'"),
        ("sd = 0.4", "sd = 0", "flow, line 45: sd is 0"),
        (", sd = 0.4", "", "flow, line 45: 'sd' is missing. A lognormal error states"),
        (
            ", df = 4",
            "",
            "qpcr, line 46: 'df' is missing. A student error states sd and",
        ),
        ("sd = 0.4", "sd = 0.4, df = 4", "df = 4 has no meaning in .* 'lognormal'"),
        (
            'error = "unpublished"',
            'error = "unpublished", sd = 1',
            "mtv, line 47: sd = 1 has no",
        ),
        ('is = "B"', 'is = "cells"', "mtv, line 47: 'cells' .* what is infused"),
        ('is = "B"', 'is = "flow"', "mtv, line 47: 'flow' is not known"),
        ("mtv = {", "E = {", "E, line 47: the assay 'E' has the name of something"),
        # derived
        (
            '"log(2)/rho"',
            '"log(2)/t"',
            "line 50: 't' is not known .* changes with time",
        ),
        ('"log(2)/rho"', '"1/slowed"', "line 50: 'slowed' is not .* changes with time"),
        ("doubling_time =", "td =", "td, line 50: 'td' is a parameter already"),
        ("doubling_time =", "auc_0_28 =", "'auc_0_28' is calculated for every model"),
        (
            'printed = "0.78"',
            'printed = "~0.78"',
            "line 50: printed = '~0.78' is not a",
        ),
        (
            'printed = "0.78"',
            "printed = nan",
            "line 50: printed = nan is not a decimal",
        ),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, old, new, message):
    with pytest.raises(ModelError, match=message):
        load(tmp_path, FULL, (old, new))


def test_a_right_file_holds_everything(tmp_path):
    model = load(tmp_path, FULL)
    weight, toci = model.covariates.values()
    assert (weight.value, weight.steps, weight.label) == (70, False, "Body weight")
    assert (toci.steps, toci.levels, toci.source) == (True, (0, 1), "Somebody 2020")
    infusions = model.infusions
    assert infusions is not None
    assert str(infusions.adds["E"]) == "cells/volume"
    assert (infusions.days, infusions.cells) == ((0, 30), (1e8, 3e8))
    assert (str(infusions.lag), infusions.source) == ("lag", "Somebody 2020")
    flow, qpcr, mtv = model.observed.values()
    assert (flow.error, flow.sd, flow.df) == ("lognormal", 0.4, None)
    assert (qpcr.error, qpcr.sd, qpcr.df) == ("student", 0.5, 4)
    assert (mtv.error, mtv.sd) == ("unpublished", None)
    assert model.derived["doubling_time"].printed == "0.78"
    assert [str(switch) for switch in model.switches] == ["tmax"]


def test_a_day_that_never_comes_is_infinite(tmp_path):
    row = '[covariates]\nday = { value = inf, unit = "day" }\n[observed]'
    rate = "dE/dt = -alpha*E if t < day else 0"
    closed = "E = c0*exp(-alpha*min(t, day))"
    model = load(
        tmp_path,
        CLOSED,
        ("[observed]", row),
        ("dE/dt = -alpha*E", rate),
        ("E = c0*exp(-alpha*t)", closed),
    )
    assert model.covariates["day"].value == float("inf")
    assert [str(switch) for switch in model.switches] == ["day"]


def test_infusions_and_steps_do_not_stand_beside_a_closed_form(tmp_path):
    table = '[infusions]\nadds = {}\ndays = [0]\ncells = [1]\nunit = "cells"\n'
    with pytest.raises(ModelError, match=r"infusions\], line 14: .*beside a solution"):
        load(tmp_path, CLOSED, ("[observed]", table + "[observed]"))
    row = '[covariates]\nwbc = { value = 1, unit = "1", steps = true }\n[observed]'
    steps = ("[observed]", row)
    with pytest.raises(ModelError, match=r"line 9: 'wbc' is not .*changes with time"):
        load(tmp_path, CLOSED, steps, ("E = c0*", "E = c0*wbc*"))
    with pytest.raises(ModelError, match=r"wbc, line 15: .*the model has a solution"):
        load(tmp_path, CLOSED, steps, ("= -alpha*E", "= -alpha*E*wbc"))


def test_an_assay_may_be_the_state_of_its_name(tmp_path):
    model = load(tmp_path, FULL, ('mtv = { is = "B"', 'B = { is = "B"'))
    assert str(model.observed["B"].expression) == "B"


@pytest.mark.parametrize("text", ["0.78", "-3", "2.2e2", "12.0", "1.", "3e-05"])
def test_a_printed_number_stays_as_it_stands(text):
    assert decimal_text(text, where="") == text


@pytest.mark.parametrize(
    "number", ["", "inf", "nan", "1_000", "1e", "0x1", "1,5", ".5"]
)
def test_what_is_no_decimal_number_is_refused(number):
    with pytest.raises(ModelError, match="is not a decimal number"):
        decimal_text(number, where="")
