"""How sure estimates are: what the curvature of the likelihood at them says."""

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.climb import limits
from cellpk.fit.population.estimates import Estimates
from cellpk.fit.population.layout import Layout

Array = NDArray[np.float64]

FLAT = 5.0
"""Standard error along a direction in which no maximum is seen, in ``Layout.sizes``.
Most estimates are logs or log odds: a factor of exp(5) either way is as good as nothing
known."""


def concluded(layout: Layout, information: Array, slope: Array) -> Estimates:
    """Say how sure estimates are, and how far off the maximum.

    Parameters
    ----------
    layout : Layout
        The estimates.
    information : ndarray, shape (estimates, estimates)
        The curvature of minus the log likelihood, in the order of ``layout.vector()``.
    slope : ndarray, shape (estimates,)
        The slope of the log likelihood.

    Returns
    -------
    Estimates
        Where the curvature is not that of a maximum, nothing is known along the
        direction in question: the estimate that it moves most is told by no sample,
        and all that move along it are as unsure as that makes them.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> layout = Layout(sampled.structure, start)
    >>> bent = np.full(layout.vector().size, 100.0)
    >>> bent[5] = -0.01
    >>> found = concluded(layout, np.diag(bent), np.zeros(bent.size))
    >>> layout.names[found.untold[0]], found.standard_errors[:2].round(2).tolist()
    ('beta', [0.1, 0.1])
    """
    vector, (low, high) = layout.vector(), limits(layout)
    at_bound = (vector < low + 1e-6) | (vector > high - 1e-6)
    kept = np.flatnonzero(~at_bound)
    free, sizes = np.ix_(kept, kept), np.outer(layout.sizes, layout.sizes)
    values, directions = np.linalg.eigh((information * sizes)[free])
    flat = values <= 0
    untold = np.abs(directions[:, flat]).argmax(0)
    values = np.where(flat, FLAT**-2, values)
    covariance = np.full((vector.size, vector.size), np.nan)
    covariance[free] = directions / values @ directions.T * sizes[free]
    return Estimates(
        layout=layout,
        covariance=covariance,
        moved=moved(slope[kept], covariance[free]),
        at_bound=tuple(at_bound.tolist()),
        untold=tuple(kept[np.unique(untold)].tolist()),
    )


def moved(slope: Array, covariance: Array) -> float:
    """Return how far a Newton step leads, in standard errors: root mean square.

    Parameters
    ----------
    slope : ndarray, shape (k,)
        Of the log likelihood.
    covariance : ndarray, shape (k, k)
        Of the estimates.

    Examples
    --------
    >>> moved(np.array([2.0, 0.0]), np.diag([0.25, 9.0]))     # 1 SE, and none
    0.7071067811865476
    """
    step = slope @ covariance @ slope
    return float(np.sqrt(max(step, 0.0) / max(1, slope.size)))
