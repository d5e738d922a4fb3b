"""Switches of a model whose time is estimated: which parameters move them, and where.

At the time of a sample the switch makes a corner of the likelihood, and between samples
there is none. So the likelihood along the one parameter that moves the switches is
integrated piece by piece, and in each piece it is smooth.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.model.expression import Node, names
from cellpk.model.model import Model

Array = NDArray[np.float64]

PIECE = 1.0
"""Longest piece, in SDs between patients."""

PER_PIECE = 3
"""Nodes of the Gauss-Legendre rule in each piece."""

WITHIN = 4.5
"""How far from the patient's expectation the integral goes, in SDs."""

_GRID = 401


class Nodes(NamedTuple):
    """Nodes of a rule of integration along one parameter.

    Parameters
    ----------
    places : ndarray, shape (K, N)
        Values of the parameter, on the transformed scale.
    log_widths : ndarray, shape (K, N)
        Logs of the weights of the rule; minus infinity where a patient has fewer.

    Examples
    --------
    >>> Nodes._fields
    ('places', 'log_widths')
    """

    places: Array
    log_widths: Array


def moving(model: Model) -> tuple[int, ...]:
    """Return which free parameters move the switches of a model.

    Parameters
    ----------
    model : Model
        Gives the curves.

    Examples
    --------
    >>> import cellpk as ck
    >>> moving(ck.load_model("stein_2019_tisagenlecleucel"))       # tmax
    (1,)
    >>> moving(ck.load_model("stein_2019_smooth_peak"))
    ()
    """
    found = {name for node in model.switches for name in _behind(model, node)}
    return tuple(i for i, name in enumerate(model.free) if name in found)


def _behind(model: Model, node: Node) -> set[str]:
    """Return the names that a node rests on, through all lines."""
    found = set(names(node))
    for name in tuple(found & set(model.equations.lines)):
        found |= _behind(model, model.equations.lines[name])
    return found


def corners(data: FitData, mover: int, ends: tuple[Array, Array]) -> Array:
    """Return where along one parameter a switch meets a sample, or another switch.

    Parameters
    ----------
    data : FitData
        The samples.
    mover : int
        The parameter that moves the switches.
    ends : (ndarray, ndarray), shape (N,) each
        Between which values, on the transformed scale.

    Returns
    -------
    ndarray, shape (k, N)
        Sorted; NaN, last, where a patient has fewer than k.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(1, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> data = fit_data(stein, study)
    >>> np.exp(corners(data, 1, (np.log([2.0]), np.log([20.0])))).ravel().round(3)
    array([4., 7.])
    """
    size = len(data.model.free)
    found: list[Array] = [np.empty(0)] * len(data.patients)
    for group in data.groups:
        low, high = (end[group.rows] for end in ends)
        grid = np.linspace(low, high, _GRID)
        theta = np.broadcast_to(data.model.typical, (*grid.shape, size)).copy()
        theta[..., mover] = grid
        switches = data.model.switch_times(theta, inputs=group.inputs)
        for i, row in enumerate(group.rows):
            times = [one.times[row] for one in data.series]
            found[row] = _meetings(grid[:, i], switches[:, i], np.concatenate(times))
    count = max(each.size for each in found)
    return np.array(
        [np.pad(each, (0, count - each.size), constant_values=np.nan) for each in found]
    ).T


def _meetings(grid: Array, switches: Array, times: Array) -> Array:
    """Return where along a grid switches that move meet times and those that do not."""
    moved = np.ptp(np.where(np.isfinite(switches), switches, 0.0), axis=0) > 0
    still = switches[0, ~moved]
    marks = np.unique(np.concatenate([times, still[np.isfinite(still)]]))
    found = [
        np.interp(marks, switch, grid, left=np.nan, right=np.nan)
        for switch in switches[:, moved].T
        if (np.diff(switch) >= 0).all()
    ]
    places = np.concatenate([np.empty(0), *found])
    return np.unique(places[np.isfinite(places)])


def nodes_along(data: FitData, mover: int, mean: Array, *, sd: float) -> Nodes:
    """Return nodes of a rule that is exact in each piece between corners.

    Parameters
    ----------
    data : FitData
        The samples.
    mover : int
        The parameter that moves the switches.
    mean : ndarray, shape (N,)
        The patients' expectations.
    sd : float
        SD between patients.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1))
    >>> nodes = nodes_along(data, 1, np.full(18, np.log(9.3)), sd=0.38)
    >>> bool(np.allclose(np.exp(nodes.log_widths).sum(0), 9 * 0.38))
    True
    """
    low, high = mean - WITHIN * sd, mean + WITHIN * sd
    met = corners(data, mover, (low, high))
    even = np.linspace(low, high, round(2 * WITHIN / PIECE) + 1)
    edges = np.concatenate([even, np.where(np.isfinite(met), met, high)])
    edges = np.sort(edges, axis=0)
    x, weights = np.polynomial.legendre.leggauss(PER_PIECE)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    places = middle[:, None] + half[:, None] * x[:, None]
    with np.errstate(divide="ignore"):
        widths = np.log(half[:, None] * weights[:, None])
    patients = len(mean)
    return Nodes(places.reshape(-1, patients), widths.reshape(-1, patients))
