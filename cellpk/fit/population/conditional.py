"""The most probable parameters of each patient, given estimates of the population."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.modes import Aim, Ends, descend
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.switching import corners, moving

Array = NDArray[np.float64]

BOUND = 8.0
"""Bounds of the search, in SDs between patients from the patient's own expectation."""


@dataclass(frozen=True, eq=False)
class Modes:
    """The most probable parameters of each patient (EBEs), on the transformed scale.

    Parameters
    ----------
    theta : ndarray, shape (N, p)
        Where the likelihood of the patient's samples, times the density between
        patients, is highest.
    precision : ndarray, shape (N, p, p)
        Gauss-Newton curvature there of minus its log. Where the mode lies in a corner,
        a switch at the time of a sample, it says nothing of how wide the peak is.
    log_density : ndarray, shape (N,)
        Log of likelihood times density there.

    Examples
    --------
    >>> sorted(Modes.__annotations__)
    ['log_density', 'precision', 'theta']
    """

    theta: Array
    precision: Array
    log_density: Array


def aim_at(
    sampled: Sampled,
    state: State,
    *,
    mean: Array | None = None,
    held: NDArray[np.bool_] | None = None,
) -> Aim:
    """Return what the modes of all patients are sought by.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    state : State
        Estimates of the population.
    mean : ndarray, shape (N, p), optional
        What is expected of each patient, where that is more than her covariates say.
    held : ndarray of bool, shape (p,), optional
        Parameters without bounds, since they are not sought.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> aim = aim_at(*prepared(stein, ck.simulate_study(seed=1)))
    >>> aim.mean.shape, aim.precision.shape
    ((18, 6), (6, 6))
    """
    assert isinstance(sampled.data, JointData)
    assert isinstance(state.errors, JointErrors)
    own = np.ix_(sampled.structure.varies, sampled.structure.varies)
    precision = np.zeros_like(state.omega)
    precision[own] = np.linalg.inv(state.omega[own])
    sd = np.sqrt(np.diag(state.omega))
    wide = BOUND * sd if held is None else np.where(held, np.inf, BOUND * sd)
    mean = sampled.structure.means(state.beta) if mean is None else mean
    return Aim(
        sampled.data.data,
        state.errors.parts,
        mean,
        precision,
        low=mean - wide,
        high=mean + wide,
        reach=sd,
    )


def modes_at(sampled: Sampled, state: State, starts: Array, *, mean: Array) -> Modes:
    """Return the conditional modes of all patients.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    state : State
        Estimates of the population.
    starts : ndarray, shape (S, N, p)
        From where to descend, beside the patients' expectations.
    mean : ndarray, shape (N, p)
        What is expected of each patient: of her covariates and of her lot.

    Returns
    -------
    Modes
        The best ends; where one parameter moves the switches of the model, corners
        were tried, too.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> mean = sampled.structure.means(start.beta)
    >>> modes_at(sampled, start, np.empty((0, 18, 6)), mean=mean).theta.shape
    (18, 6)
    """
    aim, varies = aim_at(sampled, state, mean=mean), sampled.structure.varies
    starts = np.where(varies, np.concatenate([aim.mean[None], starts]), aim.mean)
    ends = descend(aim, starts, held=np.broadcast_to(~varies, starts.shape))
    movers = [i for i in moving(aim.data.model) if varies[i]]
    if len(movers) == 1:
        ends = _with_corners(aim, ends, movers[0], varies=varies)
    theta = ends.best
    here = aim.surroundings(theta)
    own = aim.precision[np.ix_(varies, varies)]
    constant = np.linalg.slogdet(own)[1] - len(own) * np.log(2 * np.pi)
    return Modes(theta, here.curvature, constant / 2 - here.value)


def _with_corners(
    aim: Aim, ends: Ends, mover: int, *, varies: NDArray[np.bool_]
) -> Ends:
    """Try the corners: the switch put at each sample, the other parameters free."""
    reach = 4 * aim.reach[mover]
    middle = ends.best[:, mover]
    places = corners(aim.data, mover, (middle - reach, middle + reach))
    theta = np.repeat(ends.best[None], len(places), axis=0)
    known = np.isfinite(places)
    theta[..., mover] = np.where(known, places, middle)
    held = ~varies
    held[mover] = True
    tried = descend(aim, theta, held=np.broadcast_to(held, theta.shape))
    return Ends(
        np.concatenate([ends.theta, tried.theta]),
        np.concatenate([ends.value, tried.value]),
    )
