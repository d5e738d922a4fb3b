"""Models made for tests: what follows from them can be written down by hand."""

import cellpk as ck

DECLINE = """
title  = "Exponential decline"
source = "Made for tests"
time   = "day"
equations = '''
first = c0 if high > 0.5 else c0/10
E(0)  = first
dE/dt = -k*E
'''
solution = '''
E = first*exp(-k*t)
'''
[parameters]
c0 = { value = 1000, unit = "copies/ug", iiv_sd = 0.5 }
k  = { value = 0.1, unit = "1/day", scale = "identity", iiv_sd = 0.02 }
[correlations]
c0.k = 0.6
[covariates]
high = { value = 1, unit = "1", levels = [0, 1], probability = 0.3 }
[observed]
qpcr  = { is = "E", unit = "copies/ug", error = "lognormal", sd = 0.4 }
ddpcr = { is = "E", unit = "copies/ug", error = "normal", sd = 20 }
"""
"""The log level is normal: of mean log(c0) - k*t and the variance of that sum."""

EXPLOSION = """
title  = "Growth that ends in a finite time"
source = "Made for tests"
time   = "day"
equations = '''
E(0)  = 0
dE/dt = r*E*E/scale
'''
[parameters]
r     = { value = 0.02, unit = "1/day", iiv = "unpublished" }
share = { value = 0.5, unit = "copies/ug/cells", fixed = true }
scale = { value = 1, unit = "copies/ug", fixed = true }
[infusions]
adds  = { E = "cells*share" }
days  = [0]
cells = [2]
unit  = "cells"
[observed]
qpcr = { is = "E", unit = "copies/ug", error = "unpublished" }
"""
"""Of e cells at first come e/(1 - e*r*t), and past day 1/(e*r) there is no solution."""

_FALL = """
title = "A fall from a peak: the log level is a line in time"
source = "ours"
time = "day"
equations = '''
dE/dt = -rate*E
E(0) = peak
'''
solution = '''
E = peak*exp(-rate*t)
'''
[parameters]
peak = { unit = "copies/ug", PEAK }
rate = { unit = "1/day", RATE }
[observed]
qpcr = { is = "E", unit = "copies/ug", ERROR }
"""


def fall(
    folder,
    *,
    peak="value = 5000, iiv_sd = 0.8",
    rate='value = 0.15, iiv_sd = 0.05, scale = "identity"',
    error='error = "lognormal", sd = 0.3',
):
    """Load a model of a fall from a peak, with what is said of its numbers."""
    text = _FALL.replace("PEAK", peak).replace("RATE", rate).replace("ERROR", error)
    path = folder / "fall.toml"
    path.write_text(text, encoding="utf-8")
    return ck.load_model(path)
