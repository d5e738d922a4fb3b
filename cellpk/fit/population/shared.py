"""Two population models judged on the same draws, so that chance falls out.

-2 log L by importance sampling has an error of about 1. Where two models see the same
draws of the same patients, most of it is in both, and their difference has a far
smaller one.
"""

from copy import copy

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.importance import Importance
from cellpk.fit.population.state import State
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


def under(found: Importance, structure: Structure) -> Importance:
    """Return the same draws, weighted under another structure of the same parameters.

    Parameters
    ----------
    found : Importance
        The draws; no curve is calculated anew.
    structure : Structure
        How parameters differ between patients.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> moments = sampled.structure.means(start.beta), np.tile(start.omega, (8, 1, 1))
    >>> found = Importance(sampled, start, moments=moments,
    ...                    rng=np.random.default_rng(1))
    >>> other = Structure.without_covariates(stein.free, 8, full=True)
    >>> under(found, other).theta is found.theta
    True
    """
    other = copy(found)
    other.structure = structure
    if not structure.varies.all():  # what is shared is filled in as it is estimated
        other.theta = found.theta.copy()
    return other


def contrast(
    one: tuple[Importance, State], other: tuple[Importance, State]
) -> tuple[float, float]:
    """Return by how much -2 log L falls from one model to another, and its error.

    Parameters
    ----------
    one, other : (Importance, State)
        The same draws under the structure of each model, and its estimates.

    Returns
    -------
    drop, error : float
        The error is the Monte Carlo standard error, by the delta method, of the
        difference: draws that weigh alike in both fall out of it.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> moments = sampled.structure.means(start.beta), np.tile(start.omega, (8, 1, 1))
    >>> found = Importance(sampled, start, moments=moments,
    ...                    rng=np.random.default_rng(1))
    >>> contrast((found, start), (found, start))
    (0.0, 0.0)
    """
    drop = 2 * sum(
        sign * float(found.log_likelihood(state).sum())
        for sign, (found, state) in ((-1, one), (1, other))
    )
    (first, p), (second, q) = (found.expected(state) for found, state in (one, other))
    apart = np.square(q * second - p * first).sum(0) - np.square(q - p) / len(first)
    return drop, 2 * float(np.sqrt(np.maximum(apart, 0.0).sum()))
