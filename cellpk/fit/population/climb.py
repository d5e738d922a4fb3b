"""Climbing a smooth likelihood of a population: of held draws, or Laplace's."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.layout import Layout
from cellpk.fit.population.state import State

Array = NDArray[np.float64]

SD_RANGE = (0.05, 20.0)
"""SDs between patients, on the transformed scale and in ``Structure.sizes``, between
which one is sought: patients who differ by less than 5% do not differ."""

_WIDEST = 0.5  # standard errors from slopes are no larger: a guess of a first step
_IMPOSSIBLE = 1e12


def limits(layout: Layout) -> tuple[Array, Array]:
    """Return between which values each estimate is sought.

    Parameters
    ----------
    layout : Layout
        Where each estimate stands.

    Returns
    -------
    low, high : ndarray
        In the order of ``layout.vector()``.

    Examples
    --------
    >>> from cellpk.fit.population.fit import prepared
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> low, high = limits(Layout(sampled.structure, start))
    >>> float(low[-1]), float(high[-1])                    # log odds of a share
    (-7.0, 7.0)
    """
    structure, where = layout.structure, layout.parts()
    spread, sizes = np.log(SD_RANGE)[:, None], np.log(structure.sizes)
    kinds = {
        "log_sd": spread + sizes[structure.varies],
        "correlation": np.array([[-0.99], [0.99]]),
        "error": layout.state.errors.ranges,
        "never": np.array([[-7.0], [7.0]]),
    }
    if structure.lots:
        kinds["log_lot_sd"] = spread + sizes[structure.lots.places]
    ends = np.tile([[-np.inf], [np.inf]], where["log_lot_sd"].stop)
    for name, pair in kinds.items():
        ends[:, where[name]] = pair
    return ends[0], ends[1]


def rough_errors(slopes: Array, sizes: Array) -> Array:
    """Return standard errors as the slopes of single patients give them, roughly.

    Parameters
    ----------
    slopes : ndarray, shape (patients, estimates)
        Of the log likelihood of each patient.
    sizes : ndarray, shape (estimates,)
        How large a difference of each estimate is of note.

    Returns
    -------
    ndarray, shape (estimates,)
        At most half of that: a fair first step, where nothing is known.

    References
    ----------
    Berndt ER, Hall BH, Hall RE, Hausman JA. Ann Econ Soc Meas 1974;3:653-665.

    Examples
    --------
    >>> one = np.ones(1)
    >>> rough_errors(np.zeros((4, 1)), one), rough_errors(np.full((4, 1), 50.0), one)
    (array([0.5]), array([0.009998]))
    """
    slopes = slopes * sizes
    information = slopes.T @ slopes + np.eye(slopes.shape[1]) / _WIDEST**2
    return sizes * np.sqrt(np.diag(np.linalg.inv(information)))


def climbed(
    layout: Layout,
    look: Callable[[State], tuple[float, Array]],
    *,
    far: float = np.inf,
    steps: int = 25,
    close: float = 1e-7,
) -> State:
    """Return where a log likelihood is highest.

    Each estimate is sought in rough standard errors of its own, so that no step is
    spent on finding out how far is far.

    Parameters
    ----------
    layout : Layout
        Estimates to begin at.
    look : callable
        Of estimates: their log likelihood, and the slopes of the patients whose sum is
        its slope, shape (patients, estimates).
    far : float
        How many rough standard errors an estimate may go.
    steps : int
        How many steps at most.
    close : float
        Relative gain at which it ends.

    Returns
    -------
    State

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> layout = Layout(sampled.structure, start)
    >>> def parabola(state):                         # highest at 1, everywhere
    ...     away = 1 - layout.state_at(Layout(sampled.structure, state).vector()).beta
    ...     slopes = np.zeros((1, layout.vector().size))
    ...     slopes[0, :away.size] = away
    ...     return -away @ away / 2, slopes
    >>> climbed(layout, parabola).beta.round(2).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    from scipy.optimize import minimize

    low, high = limits(layout)
    start = np.clip(layout.vector(), low, high)
    unit = rough_errors(look(layout.state_at(start))[1], layout.sizes)

    def loss(away: Array) -> tuple[float, Array]:
        state = layout.state_at(start + unit * away)
        if not layout.structure.is_proper(state.omega):
            return _IMPOSSIBLE, np.zeros_like(away)
        value, slopes = look(state)
        return -value, -unit * slopes.sum(0)

    near = np.fmax((low - start) / unit, -far), np.fmin((high - start) / unit, far)
    best = minimize(
        loss,
        np.zeros_like(start),
        jac=True,
        method="L-BFGS-B",
        bounds=np.transpose(near),
        options={"maxiter": steps, "ftol": close, "gtol": 1e-4},
    )
    return layout.state_at(start + unit * best.x)
