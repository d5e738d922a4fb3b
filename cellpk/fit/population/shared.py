"""Two population models judged on the same draws, so that chance falls out.

-2 log L by importance sampling has an error of about 1. Where two models see the same
draws of the same patients, most of it is in both, and their difference has a far
smaller one.
"""

from copy import copy

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.polish import bounds
from cellpk.fit.population.state import State
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]

_FAR = 4.0  # standard errors: beyond, draws of another place are needed
_IMPOSSIBLE = 1e12


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
    return other


def climbed(found: Importance, layout: Layout) -> State:
    """Return where the likelihood is highest, as these draws see it.

    Parameters
    ----------
    found : Importance
        The draws.
    layout : Layout
        Estimates to begin at.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> moments = sampled.structure.means(start.beta), np.tile(start.omega, (8, 1, 1))
    >>> found = Importance(sampled, start, moments=moments, draws=200,
    ...                    rng=np.random.default_rng(1))
    >>> best = climbed(found, Layout(sampled.structure, start))
    >>> bool(found.log_likelihood(best).sum() > found.log_likelihood(start).sum())
    True
    """
    from scipy.optimize import minimize

    low, high = np.array(bounds(layout)).T
    start = np.clip(layout.vector(), low, high)
    slopes = found.slopes(layout, start)
    information = slopes.T @ slopes + np.eye(start.size) / 0.25
    unit = np.sqrt(np.diag(np.linalg.inv(information)))

    def loss(z: Array) -> tuple[float, Array]:
        vector = start + unit * z
        state = layout.state_at(vector)
        if np.linalg.eigvalsh(state.omega)[0] <= 0:
            return _IMPOSSIBLE, np.zeros_like(z)
        value = found.log_likelihood(state).sum()
        return -value, -unit * found.slope(layout, vector)

    near = np.fmax((low - start) / unit, -_FAR), np.fmin((high - start) / unit, _FAR)
    best = minimize(
        loss,
        np.zeros_like(start),
        jac=True,
        method="L-BFGS-B",
        bounds=np.transpose(near),
        options={"maxiter": 60, "ftol": 1e-9, "gtol": 1e-3},
    )
    return layout.state_at(start + unit * best.x)


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
