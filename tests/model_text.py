"""A small model file with everything in it, to be changed line by line in tests."""

import cellpk as ck

FULL = """\
title = "Rise and fall"
source = "Somebody 2020"
doubts = "The lag is read off a figure."
time = "day"
equations = '''
rho = log(2)/td
slowed = rho*(f_toci if toci > 0 else 1)
E(0) = 0
B(0) = b0*(weight/kg70)**power
dE/dt = (slowed*E if t < tmax else
         -alpha*E)
dB/dt = -kill*B*E/(E + e50)
'''

[parameters]
td = { value = 0.78, unit = "day", iiv_sd = 0.3, prior_sd = 0.1 }
tmax = { value = 10, unit = "day", iiv_cv = 0.4, source = "Another 2021" }
alpha = { unpublished = true, unit = "1/day", iiv = "unpublished" }
kill = { value = 0.3, unit = "1/day", iiv_var = 0.25, iiv_source = "Third 2022" }
b0 = { value = 100, unit = "mL", fixed = true }
power = { value = -1, unit = "1", scale = "identity", fixed = true }
e50 = { value = 5, unit = "cells/uL", fixed = true }
f_toci = { value = 1.2, unit = "1", iiv = "unpublished" }
kg70 = { value = 70, unit = "kg", fixed = true }
lag = { value = 0.5, unit = "day", fixed = true }
volume = { value = 5e6, unit = "uL", fixed = true }
copy = { value = 2000, unit = "copies*uL/ug/cells", iiv_sd = 0.2 }

[correlations]
tmax.td = 0.3
kill.td = { value = -0.2, source = "Fourth 2023" }

[covariates]
weight = { value = 70, unit = "kg", label = "Body weight" }
toci = { value = 0, unit = "1", steps = true, levels = [0, 1] }

[infusions]
adds = { E = "cells/volume" }
days = [0, 30]
cells = [1e8, 3e8]
unit = "cells"
lag = "lag"

[observed]
flow = { is = "E", unit = "cells/uL", error = "lognormal", sd = 0.4 }
qpcr = { is = "copy*E", unit = "copies/ug", error = "student", sd = 0.5, df = 4 }
mtv = { is = "B", unit = "mL", error = "unpublished" }

[derived]
doubling_time = { is = "log(2)/rho", unit = "day", printed = "0.78" }

[printed]
peak = { what = "peak", of = "flow", until = 60, printed = "2.2e2", unit = "cells/uL" }

[printed.late]
what = "level"
of = "qpcr"
at = 28
printed = 0.5
unit = "copies/ug"
given = { cells = 4.5e8, toci = 1, alpha = 0.2 }
source = "Fifth 2024"
"""

CLOSED = """\
title = "Fall"
source = "Somebody 2020"
time = "day"
equations = '''
E(0) = c0
dE/dt = -alpha*E
'''
solution = '''
E = c0*exp(-alpha*t)
'''
[parameters]
c0 = { value = 9, unit = "copies/ug", iiv_sd = 0.3 }
alpha = { value = 0.1, unit = "1/day", iiv_sd = 0.3 }
[observed]
qpcr = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.4 }
"""


def load(folder, text, *changes, name="m.toml"):
    """Write a model file with some of its text replaced, and load it."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return ck.load_model(path)
