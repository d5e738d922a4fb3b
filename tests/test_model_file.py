"""A wrong model file is refused with file, section, line and the nearest known name."""

import pytest

import cellpk as ck
from cellpk import ModelError

FILE = """\
title = "Rise and fall"
source = "Somebody 2020"
time = "day"
equations = '''
E(0) = cmax*exp(-rho*tmax)
dE/dt = rho*E if t < tmax else -alpha*E
'''
solution = '''
E = cmax*exp(rho*(t - tmax)) if t < tmax else cmax*exp(-alpha*(t - tmax))
'''
[parameters]
rho = { value = 0.9, unit = "1/day", iiv_sd = 0.3 }
tmax = { value = 10, unit = "day", iiv_sd = 0.3, source = "Another 2021" }
alpha = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }

[parameters.cmax]
value = 1000
unit = "copies/ug"
iiv_cv = 0.8

[observed]
qpcr = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.4 }

[derived]
doubling_time = { is = "log(2)/rho", unit = "day" }
"""


@pytest.fixture
def load(tmp_path):
    def load(*changes, name="m.toml"):
        text = FILE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return ck.load_model(path)

    return load


def test_a_right_file_is_read(load):
    model = load()
    assert model.name == "m"
    assert model.free == ("rho", "tmax", "alpha", "cmax")
    assert model.parameters["rho"].source == "Somebody 2020"
    assert model.parameters["tmax"].source == "Another 2021"
    assert model.note == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('1/day", iiv_sd', '1/day", iiv_sdd', "rho, line 12: 'iiv_sdd' is not known"),
        ("[observed]", "[observd]", "observd.* Did you mean 'observed'"),
        ("title =", "tittle =", "m.toml, tittle, line 1: 'tittle' is not known"),
        ('time = "day"', 'time = "hour"', "time, line 3: time is 'hour'"),
        ('time = "day"', "time = 1", "time, line 3: time = 1 is not text"),
        ("value = 0.9", 'value = "x"', "rho, line 12: value = 'x' is not a number"),
        ("value = 0.9", "value = true", "value = True is not a number"),
        ('unit = "day", ', "", "tmax, line 13: 'unit' is missing"),
        ("alpha = { value = 0.1,", "alpha = 3 # {", "alpha = 3 is not a table"),
        ("value = 1000", "value = -3", r"cmax, line 16: value -3.0 is not possible"),
        ("rho = {", "cells = {", "'cells' cannot be the name of a parameter"),
        ("rho = {", "lambda = {", "'lambda' cannot be the name of a parameter"),
        ("rho = {", "observed = {", "'observed' cannot be the name of a parameter"),
        (
            'time = "day"',
            'time = "day"\nstatus = "draft"',
            "status, line 4: status 'draft'",
        ),
        ("rho = {", "exp = {", "'exp' cannot be the name of a parameter"),
        ("rho = {", '"r-o" = {', "'r-o' cannot be the name of a parameter"),
        ("dE/dt = rho*E", "dE/dt = rh*E", "equations, line 6: 'rh' is not known"),
        ("E = cmax*exp(rho", "E = cmax*exp(rhoo", "solution, line 9: 'rhoo' is not"),
        ("E(0) = cmax*exp(", "E(0) = cmax*sin(", "line 5: 'sin' is not a function"),
        ('is = "E"', 'is = "F"', "qpcr, line 22: 'F' is not known"),
        ('"lognormal"', '"lognorm"', "error 'lognorm' .*Did you mean 'lognormal'"),
        ("sd = 0.4", "sd = 0", "sd is 0"),
        ('"log(2)/rho"', '"log(2)/t"', "doubling_time, line 25: 't' is not known"),
        ('"log(2)/rho"', '"E"', "doubling_time, line 25: 'E' is not known"),
        ("doubling_time =", "auc_0_28 =", "'auc_0_28' is calculated for every model"),
        ("time =", "time", "not TOML.*line 3"),
        ("[observed]", "[derived]", "not TOML"),
        ('title = "Rise and fall"', "", "'title' is missing"),
        (
            "E = cmax*exp(rho*(t - tmax)) if t < tmax",
            "E = 1 if t*t < 2",
            r"solution, line 9: the time at which 't\*t < 2' changes cannot be",
        ),
        (
            'is = "E"',
            'is = "E if E > 2 else 2"',
            "qpcr, line 22: the time at which 'E > 2'",
        ),
    ],
)
def test_a_wrong_file_is_refused(load, old, new, message):
    with pytest.raises(ModelError, match=message):
        load((old, new))


def test_a_parameter_that_is_not_used_is_an_error(load):
    unused = 'extra = { value = 1, unit = "1", iiv_sd = 1 }\n[parameters.cmax]'
    with pytest.raises(ModelError, match=r"extra, line 16: parameter 'extra' is not"):
        load(("[parameters.cmax]", unused))


def variant(folder, text):
    (folder / "v.toml").write_text(text, encoding="utf-8")
    return ck.load_model(folder / "v.toml")


def test_a_variant_states_what_differs(load, tmp_path):
    load()
    model = variant(
        tmp_path,
        'variant_of = "m"\ntitle = "Slower"\nsource = "Third 2022"\n'
        "[parameters]\nrho = { value = 0.5 }\ntmax = { iiv_var = 0.5 }\n"
        'cmax = { label = "Peak level" }\n',
    )
    rows = model.parameters
    assert model.title == "Slower"
    assert (rows["rho"].value, rows["rho"].iiv_sd) == (0.5, 0.3)
    assert rows["tmax"].spread_form == "iiv_var"
    assert rows["tmax"].value == 10
    assert rows["cmax"].label == "Peak level"
    sources = [rows[name].source for name in ("rho", "tmax", "cmax", "alpha")]
    assert sources == ["Third 2022", "Another 2021", "Somebody 2020", "Somebody 2020"]
    assert rows["tmax"].iiv_source == "Third 2022"


def test_a_variant_with_other_equations_drops_the_old_closed_form(load, tmp_path):
    load()
    model = variant(
        tmp_path,
        "variant_of = \"m\"\nequations = '''\nE(0) = cmax*exp(-rho*tmax)\n"
        "dE/dt = (rho if t < tmax else -alpha)*E\n'''\n",
    )
    assert not model.equations.closed


def test_errors_of_a_variant_point_to_the_file_that_holds_the_line(load, tmp_path):
    load()
    with pytest.raises(ModelError, match=r"^v.toml, \[parameters\] rho, line 3"):
        variant(tmp_path, 'variant_of = "m"\n[parameters]\nrho = { value = -1 }\n')
    with pytest.raises(ModelError, match=r"^m.toml, \[parameters\] alpha, line 14"):
        variant(
            tmp_path,
            'variant_of = "m"\nequations = "E(0) = cmax\\ndE/dt = (rho-tmax)*E"\n',
        )
    with pytest.raises(ModelError, match=r"^v.toml, equations, line 2: 'al' is not"):
        variant(tmp_path, 'variant_of = "m"\nequations = "E(0) = al"\n')


def test_a_variant_of_itself_is_refused(tmp_path):
    with pytest.raises(ModelError, match="variant of itself, by 'v'"):
        variant(tmp_path, 'variant_of = "v"\n')


def test_a_variant_of_nothing_offers_the_nearest(load, tmp_path):
    with pytest.raises(ModelError, match="Did you mean 'stein_2019_smooth_peak'"):
        variant(tmp_path, 'variant_of = "stein_2019_smooth"\n')


def test_a_file_is_utf_8_with_or_without_its_mark(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(FILE.replace("Rise", "\u00c9lan"), encoding="utf-8-sig")
    assert ck.load_model(path).title == "\u00c9lan and fall"
    path.write_bytes(FILE.replace("Rise", "\u00c9lan").encode("latin-1"))
    with pytest.raises(ModelError, match=r"^m.toml: the file is not UTF-8: .*0xc9"):
        ck.load_model(path)
