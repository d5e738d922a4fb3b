"""Whether a stochastic search still moved in one direction while it averaged."""

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.layout import Layout

Array = NDArray[np.float64]


def drift(trace: Array, layout: Layout, errors: Array) -> float:
    """Return how far apart the halves of the averaging part of a search are.

    Parameters
    ----------
    trace : ndarray, shape (iterations, numbers)
        ``State.numbers`` after each iteration that was averaged.
    layout : Layout
        The estimates in the end.
    errors : ndarray, shape (estimates,)
        Their standard errors; NaN where there is none.

    Returns
    -------
    float
        Distance between the means of both halves in standard errors: root mean square
        over the estimates, but for correlations, which a trace does not show.

    Examples
    --------
    >>> from cellpk.fit.population.fit import prepared
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> layout = Layout(sampled.structure, start)
    >>> trace = np.tile(start.numbers(), (10, 1))
    >>> trace[5:, :6] += 0.1                               # typical values: 6 of 14
    >>> round(drift(trace, layout, np.full(14, 0.1)), 4)
    0.6547
    """
    where, structure, state = layout.parts(), layout.structure, layout.state
    kinds = ("beta", "log_sd", "error", "never", "log_lot_sd")
    size, varies = len(state.beta), structure.varies
    shown = np.ones(trace.shape[1], bool)
    shown[size : size + varies.size] = varies
    never = size + varies.size + state.errors.logs.size
    shown[never] = state.never > 0
    numbers = trace.copy()
    numbers[:, never] /= 1 - numbers[:, never]
    numbers = numbers[:, shown]
    numbers[:, size:] = np.log(numbers[:, size:])
    half = len(numbers) // 2
    if not half:
        return 0.0
    away = numbers[half:].mean(0) - numbers[:half].mean(0)
    z = away / np.concatenate([errors[where[kind]] for kind in kinds])
    z = z[np.isfinite(z)]
    return float(np.sqrt(np.mean(np.square(z)))) if z.size else 0.0
