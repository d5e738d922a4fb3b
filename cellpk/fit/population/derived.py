"""Derived quantities of the typical patient, and how surely they are known."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.population.estimates import Estimates

Array = NDArray[np.float64]


def derived_quantities(data: FitData, estimates: Estimates) -> pd.DataFrame:
    """Return derived quantities of the typical patient with their intervals.

    Each is calculated at the typical values, where covariates add nothing. It is a
    quantity of that patient and no mean over patients, whose area, say, is larger.

    Parameters
    ----------
    data : FitData
        The samples and the model.
    estimates : Estimates
        Typical values and their covariance.

    Returns
    -------
    DataFrame
        ``quantity``, ``value`` in ``unit``, ``low`` and ``high`` of its 95% interval:
        by the delta method, on the log scale where the value is positive. NaN where
        it rests on a typical value that the samples do not tell.

    References
    ----------
    Oehlert GW. A note on the delta method. Am Stat 1992;46:27-29.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> fit = ck.fit_population(stein, study, steps=quick)
    >>> derived_quantities(fit.data, fit.estimates)["quantity"].tolist()
    ['doubling_time', 'half_life_1', 'half_life_2', 'auc_0_28']
    """
    model, size = data.model, len(data.model.free)
    units = data.quantity_units
    beta = estimates.state.beta[:size]
    told = np.isfinite(estimates.standard_errors[:size])
    covariance = np.where(np.outer(told, told), estimates.covariance[:size, :size], 0)
    rows = []
    for name, (value, slope) in model.quantities(beta).items():
        known = not slope[~told].any()
        far = slope * estimates.quantiles[:size]
        reach = np.sqrt(far @ covariance @ far) if known else np.nan
        low, high = _ends(float(value), float(reach))
        rows.append((name, float(value), low, high, units[name]))
    columns = ["quantity", "value", "low", "high", "unit"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _ends(value: float, reach: float) -> tuple[float, float]:
    """Return the ends of an interval that reaches so far."""
    if value > 0:
        times = np.exp(reach / value)
        return value / times, value * times
    return value - reach, value + reach
