"""Where Laplace's approximation is taken: at modes, or at nodes along a switch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.modes import Aim, descend
from cellpk.fit.population.conditional import aim_at
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure
from cellpk.fit.population.switching import moving, nodes_along

Array = NDArray[np.float64]

STARTS = 12
"""Starts from which each patient's mode is sought."""

_OTHER = "Fit by method='saem': its -2 log L, in fit.criteria, is no approximation."
_ELSEWHERE = 4  # starts besides the expectation, at nodes
_FAR = 0.7  # SDs between patients
_LIGHT, _LIGHTER = 1e-3, 1e-6
"""Shares of the likelihood that nodes may hold which are left out: in the end, and
before modes are sought from more starts."""


class Places(NamedTuple):
    """Where the likelihood is approximated: at K nodes of N patients.

    Parameters
    ----------
    theta : ndarray, shape (K, N, p)
        Parameters; those that are not held are where the search for modes begins.
    held : ndarray of bool, shape (p,)
        Parameters that are integrated over; none, or one.
    log_widths : ndarray, shape (K, N)
        Logs of the weights of that integral; 0 where there is none.

    Examples
    --------
    >>> Places._fields
    ('theta', 'held', 'log_widths')
    """

    theta: Array
    held: NDArray[np.bool_]
    log_widths: Array

    @property
    def free(self) -> NDArray[np.intp]:
        """Which parameters are not held."""
        return np.flatnonzero(~self.held)

    def at(self, rows: NDArray[np.intp]) -> "Places":
        """Return some of the nodes of each patient, rows of shape (k, N)."""
        return Places(
            np.take_along_axis(self.theta, rows[..., None], axis=0),
            self.held,
            np.take_along_axis(self.log_widths, rows, axis=0),
        )


def places_at(sampled: Sampled, state: State, *, rng: np.random.Generator) -> Places:
    """Return where to approximate: at the modes, or at nodes along a switch.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    state : State
        Estimates of the population.
    rng : numpy Generator
        Chance of the starts from which modes are sought.

    Raises
    ------
    FitError
        Where two parameters or more move switches of the model, one does not vary, or
        lots differ.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> places_at(sampled, start, rng=np.random.default_rng(1)).held.tolist()
    [False, True, False, False, False, False]
    """
    _refuse(sampled.structure)
    aim = aim_at(sampled, state)
    movers = moving(aim.data.model)
    size = aim.mean.shape[-1]
    if len(movers) > 1:
        names = " and ".join(sampled.structure.names[i] for i in movers)
        raise FitError(
            f"{names} move switches of {aim.data.model.name}: corners of the "
            "likelihood lie along both, where Laplace's approximation does not hold",
            todo=_OTHER,
        )
    away = _FAR * aim.reach * rng.standard_normal((STARTS, *aim.mean.shape))
    if not movers:
        ends = descend(aim, aim.mean + np.concatenate([0 * away[:1], away]))
        widths = np.zeros((1, len(aim.mean)))
        return Places(ends.best[None], np.zeros(size, bool), widths)
    held = np.arange(size) == movers[0]
    return _along(aim_at(sampled, state, held=held), held, away)


def _refuse(structure: Structure) -> None:
    """Refuse what the approximation does not know: a patient is one normal vector."""
    words = {
        "donor lots": structure.lots is None,
        "parameters without a spread between patients": structure.varies.all(),
    }
    for found, none in words.items():
        if not none:
            raise FitError(f"Laplace's method does not know of {found}", todo=_OTHER)


def _along(aim: Aim, held: NDArray[np.bool_], away: Array) -> Places:
    """Return the nodes along a switch that matter, and the modes there."""
    (mover,) = np.flatnonzero(held)
    mean, sd = aim.mean[:, mover], aim.reach[mover]
    nodes = nodes_along(aim.data, int(mover), mean, sd=sd)
    theta = np.where(held, nodes.places[..., None], aim.mean)
    places = _heavy(aim, Places(theta, held, nodes.log_widths), _LIGHTER)
    for each in away[:_ELSEWHERE]:
        places = _improved(aim, places, np.where(held, places.theta, aim.mean + each))
    for shift in (-1, 1):  # from the modes at the nodes beside
        beside = np.roll(places.theta, shift, axis=0)
        places = _improved(aim, places, np.where(held, places.theta, beside))
    return _heavy(aim, places, _LIGHT)


def _improved(aim: Aim, places: Places, starts: Array) -> Places:
    """Return better modes, where descents from other starts lead to them."""
    held = np.broadcast_to(places.held, starts.shape)
    ends = descend(aim, starts, held=held)
    better = ends.value < aim.values(places.theta)
    return places._replace(theta=np.where(better[..., None], ends.theta, places.theta))


def _heavy(aim: Aim, places: Places, light: float) -> Places:
    """Return the nodes that matter, in order: in each patient as many as in any."""
    held = np.broadcast_to(places.held, places.theta.shape)
    theta = descend(aim, places.theta, held=held).theta
    here = aim.surroundings(theta)
    block = here.curvature[..., places.free[:, None], places.free]
    logs = places.log_widths - here.value - 0.5 * np.linalg.slogdet(block)[1]
    shares = np.exp(logs - logs.max(0))
    rows = np.argsort(-shares, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(shares / shares.sum(0), rows, axis=0), axis=0)
    many = 1 + int((sums < 1 - light).sum(0).max())
    return places._replace(theta=theta).at(np.sort(rows[:many], axis=0))
