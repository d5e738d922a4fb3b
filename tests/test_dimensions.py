"""Units that do not fit are refused with the equation, both terms and what to do."""

import time
from pathlib import Path

import pytest

import cellpk as ck
from cellpk import ModelError
from cellpk.model.dimensions import check_dimensions

FILE = """\
title = "Rise and fall"
source = "Somebody 2020"
time = "day"
equations = '''
tau = t - tmax
scale = c0/c0
E(0) = c0
M(0) = 0
dE/dt = rho*E if t < tmax else -alpha*E
dM/dt = 0 if t < tmax else k*E - beta*M
'''
[parameters]
rho = { value = 0.9, unit = "1/day", iiv_sd = 0.3 }
tmax = { value = 10, unit = "day", iiv_sd = 0.3 }
alpha = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
beta = { value = 0.01, unit = "1/day", iiv_sd = 0.3 }
k = { value = 0.001, unit = "1/day", iiv_sd = 0.3 }
c0 = { value = 1, unit = "cells/uL", iiv_sd = 0.3 }
big = { value = 1e6, unit = "uL/L", fixed = true }
gamma = { value = 1, unit = "1", fixed = true }
kilogram = { value = 1, unit = "kg", fixed = true }
copy = { value = 20, unit = "copies*uL/ug/cells", fixed = true }

[covariates]
weight = { value = 70, unit = "kg" }

[observed]
flow = { is = "(E + M)*scale**gamma", unit = "cells/uL", error = "lognormal", sd = 0.4 }
per_litre = { is = "E*big", unit = "cells/L", error = "lognormal", sd = 0.4 }
qpcr = { is = "copy*E", unit = "copies/ug", error = "lognormal", sd = 0.4 }

[derived]
doubling_time = { is = "log(2)/rho", unit = "day" }
larger_peaks_later = { is = "tmax*(weight/kilogram)**gamma", unit = "day" }
"""


INFUSED = """\
title = "Infused twice"
source = "Somebody 2020"
time = "day"
equations = '''
B(0) = few
E(0) = 0
dB/dt = -home*B
dE/dt = home*B*volume/volume - k*ill*E
'''
[parameters]
home = { value = 0.5, unit = "1/day", iiv_sd = 0.3 }
k = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
lag = { value = 1, unit = "day", iiv_sd = 0.3 }
volume = { value = 5, unit = "L", fixed = true }
few = { value = 0.001, unit = "cells/uL", fixed = true }
million = { value = 1e6, unit = "uL/L", fixed = true }

[parameters.alive]
value = 0.8
fixed = true
unit = "1"

[covariates]
ill = { value = 1, unit = "1", steps = true }

[infusions]
adds = { B = "alive*cells/volume/million" }
lag = "lag"
days = [0, 30]
cells = [1e8, 1e8]
unit = "cells"

[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.4 }

[printed]
top = { what = "peak", of = "flow", printed = "20", unit = "cells/uL" }
when = { what = "peak_time", of = "E + B", printed = "3", unit = "day" }
area = { what = "area", of = "E", printed = "200", unit = "day*cells/uL" }
"""


@pytest.fixture
def load(tmp_path):
    def load(*changes, text=FILE):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "m.toml"
        path.write_text(text, encoding="utf-8")
        return ck.load_model(path)

    return load


def test_a_model_whose_units_fit_is_read(load):
    assert load().equations.states == ("E", "M")


def test_a_model_with_infusions_and_printed_numbers_is_read(load):
    assert load(text=INFUSED).printed["area"].unit == "day*cells/uL"


def test_every_model_of_the_library_fits():
    paths = sorted((Path(__file__).parents[1] / "models").glob("*.toml"))
    names = {ck.load_model(path).name for path in paths}
    assert names >= {"stein_2019_tisagenlecleucel", "stein_2019_smooth_peak"}


DECAY = "else -alpha*E"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            DECAY,
            "else -alpha*E - M",
            r"m.toml, equations, line 9: in 'dE/dt = rho\*E if t < tmax else .*', "
            r"'-alpha\*E' is in cells/uL/day, 'M' is in cells/uL. "
            "Correct the unit of a parameter, or the equation",
            id="terms of a sum",
        ),
        pytest.param(
            DECAY,
            "else -alpha*big*E",
            r"'rho\*E' is in cells/uL/day, '-alpha\*big\*E' is in .*. They differ by a "
            r"factor 1e6: multiply 'rho\*E' by a fixed parameter",
            id="branches that differ in size",
        ),
        pytest.param(
            "if t < tmax else -",
            "if t < rho else -",
            "line 9: .*'t' is in day, 'rho' is in 1/day",
            id="comparison",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = t - 3",
            "line 5: in 'tau = t - 3', 't' is in day, '3' has no unit. "
            "Make the number a fixed parameter in day",
            id="number beside a unit",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = max(t, alpha)",
            "'t' is in day, 'alpha' is in 1/day",
            id="max",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = exp(t)",
            r"'t' is in day, and 'exp\(t\)' takes no unit. Divide 't' by a reference: "
            "a parameter in day",
            id="argument of exp",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = log(E)",
            r"'E' is in cells/uL, and 'log\(E\)' takes no unit. Divide 'E' by",
            id="argument of log",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = softplus(t - tmax)",
            "'t - tmax' is in day, and 'softplus",
            id="argument of softplus",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = expit(big)",
            r"'big' is in uL/L, and 'expit\(big\)' takes no unit",
            id="argument without dimension that is not of size 1",
        ),
        pytest.param(
            "scale = c0/c0",
            "scale = c0**gamma",
            "'c0' is in cells/uL, and 'gamma' is not a number. Divide 'c0' by a "
            "reference: a parameter in cells/uL",
            id="power of a unit",
        ),
        pytest.param(
            "scale = c0/c0",
            "scale = gamma**tmax",
            r"'tmax' is in day, and 'gamma\*\*tmax' takes no unit",
            id="unit in a power",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = sqrt(t) + tmax",
            r"'sqrt\(t\)' is in day\*\*0.5, 'tmax' is in day",
            id="square root",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = integral(s*alpha, s, 0, t) + tmax*tmax",
            r"'integral\(s\*alpha, s, 0, t\)' is in day, 'tmax\*tmax' is in day\*\*2",
            id="integral",
        ),
        pytest.param(
            "tau = t - tmax",
            "tau = integral(exp(s), s, 0, t)",
            r"'s' is in day, and 'exp\(s\)' takes no unit",
            id="inside an integral",
        ),
        pytest.param(
            "M(0) = 0",
            "M(0) = 0\ndF/dt = E*(1 - F/c0)\nF(0) = c0",
            r"line 9: in 'dF/dt = E\*\(1 - F/c0\)', 'E\*\(1 - F/c0\)' is in cells/uL, "
            "'dF/dt' is in cells/uL/day",
            id="rate",
        ),
        pytest.param(
            "M(0) = 0",
            "M(0) = c0*big",
            r"'k\*E' is in cells/uL/day, 'beta\*M' is in .*multiply 'k\*E' by a fixed "
            "parameter with the value 1e6 in uL/L",
            id="start",
        ),
        pytest.param(
            'is = "E*big"',
            'is = "E*big*big"',
            r"m.toml, .observed. per_litre, line 29: in 'per_litre = E\*big\*big', "
            r"'E\*big\*big' is in cells\*uL/L\*\*2, 'per_litre' is in cells/L. They "
            r"differ by a factor 1e6: multiply 'E\*big\*big' by a fixed parameter with "
            "the value 1e-6 in L/uL",
            id="observed",
        ),
        pytest.param(
            'is = "log(2)/rho", unit = "day"',
            'is = "log(2)/rho", unit = "hour"',
            "derived. doubling_time, line 33: .* They differ by a factor 24: multiply "
            r"'log\(2\)/rho' by a fixed parameter with the value 24 in h/day. "
            "Or state that 'doubling_time' is in day",
            id="derived",
        ),
        pytest.param(
            'tmax = { value = 10, unit = "day"',
            'tmax = { value = 10, unit = "dya"',
            "parameters. tmax, line 14: 'dya' is not a unit known here. Did you mean",
            id="unknown unit of a parameter",
        ),
        pytest.param(
            'value = 70, unit = "kg"',
            'value = 70, unit = "kgg"',
            "covariates. weight, line 25: 'kgg' is not a unit known here. Did you mean",
            id="unknown unit of a covariate",
        ),
        pytest.param(
            'unit = "copies/ug", error',
            'unit = "copiess/ug", error',
            "observed. qpcr, line 30: 'copiess' is not a unit",
            id="unknown unit of a level",
        ),
    ],
)
def test_units_that_do_not_fit_are_named_with_place_terms_and_remedy(
    load, old, new, message
):
    with pytest.raises(ModelError, match=message):
        load((old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "cells/volume/million",
            "cells/volume*(million/million)",
            r"infusions. adds, line 27: in 'adds B = alive\*cells/vol.*', .* is in "
            "cells/L, 'adds B' is in cells/uL. They differ by a factor 1e6: multiply "
            r"'alive.*' by a fixed parameter with the value 1e-6 in L/uL",
            id="infusions",
        ),
        pytest.param(
            'lag = "lag"',
            'lag = "lag*lag"',
            r"infusions. lag, line 28: in 'lag of infusions = lag\*lag', 'lag\*lag' is "
            r"in day\*\*2",
            id="lag",
        ),
        pytest.param(
            'unit = "cells"\n',
            'unit = "cels"\n',
            "infusions., line 31: 'cels' is not a unit known here. Did you mean",
            id="unknown unit of infused cells",
        ),
        pytest.param(
            'unit = "1"\n',
            'unit = "percnt"\n',
            "parameters. alive, line 21: 'percnt' is not a unit",
            id="unknown unit on a line of its own",
        ),
        pytest.param(
            'unit = "1", steps = true',
            'unit = "kg", steps = true',
            r"line 8: .*'k\*ill\*E' is in kg\*cells/uL/day",
            id="covariate that changes with time",
        ),
        pytest.param(
            'printed = "20", unit = "cells/uL"',
            'printed = "20", unit = "cells"',
            "printed. top, line 37: in 'top = flow', 'flow' is in cells/uL, 'top' is",
            id="printed level",
        ),
        pytest.param(
            'printed = "3", unit = "day"',
            'printed = "3", unit = "hour"',
            "printed. when, line 38: 'peak_time' is in day, 'when' is in h. State it",
            id="printed time",
        ),
        pytest.param(
            '"E + B"',
            '"E + home"',
            "printed. when, line 38: .*'E' is in cells/uL, 'home' is in 1/day",
            id="printed formula",
        ),
        pytest.param(
            "day*cells/uL",
            "cells/uL",
            r"printed. area, line 39: in 'area = E\*t', 'E\*t' is in cells\*day/uL",
            id="printed area",
        ),
    ],
)
def test_infusions_and_printed_numbers_are_checked(load, old, new, message):
    with pytest.raises(ModelError, match=message):
        load((old, new), text=INFUSED)


def test_a_closed_form_must_fit_the_states(load):
    solution = "solution = '''\nE = c0\nM = c0*big\n'''\n[parameters]"
    with pytest.raises(ModelError, match=r"solution, line 14: in 'M = c0\*big', "):
        load(("[parameters]", solution))


def test_a_state_that_is_always_0_fits_any_unit(load):
    model = load(("M(0) = 0", "M(0) = 0\nZ(0) = 0\ndZ/dt = -beta*Z + 0*E"))
    assert "Z" in model.equations.states


def test_a_unit_is_found_whatever_the_order_of_lines(load):
    # Y starts at 0 and has its unit from X, which has its own from a later rate
    chain = "M(0) = 0\nX(0) = 0\nY(0) = 0\ndY/dt = k*X\ndX/dt = k*E\n"
    assert load(("M(0) = 0\n", chain)).equations.states == ("Y", "X", "E", "M")
    with pytest.raises(
        ModelError, match=r"'k\*X' is in cells/uL/day, 'Y' is in cells/"
    ):
        load(("M(0) = 0\n", chain.replace("= k*X", "= k*X - Y")))


def test_the_check_of_a_model_takes_milliseconds():
    model = ck.load_model("stein_2019_smooth_peak")
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        check_dimensions(model, lambda *_, **__: "")
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.02
