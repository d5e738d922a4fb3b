"""A model that uses all of the language, to be exported."""

TEXT = """
title = "All of the language"
source = "made for the tests"
time = "day"
equations = '''
onset  = min(lag, tmax)
gate   = expit((t - T)/w)
slow   = softplus((t - tmax)/w)
early  = min(t, tmax)/tmax
grow   = rho*(1 - gate) if t < tmax else (rho/2 if chemo > 0.5 else -alpha)
late   = 2 if t >= onset else 1
E(0)   = e*(weight/weight_70)**0.75
M(0)   = 0 if weight/weight_70 < 0.4 else e/2
dE/dt  = grow*E - -fb*alpha*E*max(1 - E/ceiling, 0) + rho*early*late
dM/dt  = fb*alpha*E*slow/(1 + slow) - beta*M**2/(M + a_rather_long_name_of_half)
'''

[parameters]
rho     = { value = 0.5,  unit = "1/day", iiv_sd = 0.3 }
alpha   = { value = 0.2,  unit = "1/day", iiv_sd = 0.4 }
e       = { value = 3.0,  unit = "1", iiv_sd = 0.2 }
T       = { value = 6.0,  unit = "day", scale = "identity", iiv_sd = 0.5 }
tmax    = { value = 9.0,  unit = "day", iiv_cv = 0.2 }
fb      = { value = 0.1,  unit = "1", scale = "logit", iiv_var = 0.09 }
beta    = { value = 0.02, unit = "1/day", iiv_sd = 0.1 }
lag     = { value = 1.5,  unit = "day", iiv_sd = 0.25 }
w       = { value = 0.7,  unit = "day", fixed = true }
ceiling = { value = 900,  unit = "1", fixed = true }
weight_70 = { value = 70, unit = "kg", fixed = true }
a_rather_long_name_of_half = { value = 40, unit = "1", fixed = true }
in_1e7  = { value = 1e-7, unit = "1/cells", fixed = true }
offset  = { value = -0.5, unit = "1", scale = "identity", fixed = true }

[correlations]
rho.tmax = -0.4
tmax.fb  = { value = 0.3, source = "made for the tests" }

[covariates]
weight = { value = 70, unit = "kg", label = "Body weight" }
chemo  = { value = 0, unit = "1", steps = true, levels = [0, 1] }

[infusions]
adds  = { E = "cells*in_1e7", M = "cells*in_1e7*e/4" }
days  = [0, 12]
cells = [3e7, 6e7]
lag   = "lag"
unit  = "cells"

[observed]
qpcr = { is = "E + M", unit = "1", error = "lognormal", sd = 0.56 }
flow = { is = "3*E", unit = "1", error = "proportional", sd = 0.2 }
e_m  = { is = "M - offset", unit = "1", error = "normal", sd = 5 }
tail = { is = "M + 1 + gate", unit = "1", error = "student", sd = 0.3, df = 4 }
"""


def write(folder):
    path = folder / "all_of_it.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path
