"""The hierarchical model as one writes it plainly in PyMC: non-centred, M3.

Stein's closed form typed out, priors as cellpk's, one Potential for what is quantified
and one for what is below the limit. PyTensor works out the gradient.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt


def stein_level(theta, days):
    """Return the log level of Stein 2019, theta (N, 6), days (N, n)."""
    _, tmax, _, alpha, fb, beta = (pt.exp(theta[:, i])[:, None] for i in range(6))
    tau = days - tmax
    up = theta[:, 2][:, None] + theta[:, 0][:, None] / tmax * tau
    after = pt.maximum(tau, 0.0)
    fall, tail = pt.exp(-alpha * after), pt.exp(-beta * after)
    down = theta[:, 2][:, None] + pt.log(fall + fb * (tail - fall))
    return pt.switch(days < tmax, up, down)


def plain_model(data, numbers):
    """Return the PyMC model.

    Parameters
    ----------
    data : FitData
        Of one assay, log-normal.
    numbers : Numbers
        Priors of cellpk.
    """
    (one,) = data.series
    patients, size = len(data.patients), len(data.model.free)
    seen = np.nonzero(one.said.quantified & one.known)
    below = np.nonzero(~one.said.quantified & one.known)
    with pm.Model() as model:
        typical = pm.Normal("location", numbers.centre, numbers.sd)
        spread = pm.HalfNormal("spread", numbers.spread)
        error = pm.HalfNormal("error", numbers.error)
        z = pm.Normal("z", shape=(patients, size))
        theta = pm.Deterministic("theta", typical + spread * z)
        level = stein_level(theta, one.times)
        normal = pm.Normal.dist(level[seen], error[0])
        pm.Potential("quantified", pm.logp(normal, one.said.low[seen]).sum())
        normal = pm.Normal.dist(level[below], error[0])
        pm.Potential("below", pm.logcdf(normal, one.said.high[below]).sum())
    return model
