"""The best fit of each of many patients, from many starts, on curves with corners."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.individual.corners import turn_corners
from cellpk.fit.modes import Aim, Ends, descend

Array = NDArray[np.float64]

SAME = 0.1
"""Two ends are the same best fit if -2 log L differs by less: a likelihood ratio of
0.95, far within what the data can tell apart."""

STEP = 0.01
"""A small step, in conditional standard errors."""

_BLOCK = 16  # candidates at once: more would not stay in the processor's cache
_LOWER = 5e-6  # by so much a small step must improve a fit to be called one that does


class Optimum(NamedTuple):
    """Where the search of each of N patients ended.

    Parameters
    ----------
    ends : Ends
        Of all starts, best first.

    Examples
    --------
    >>> ends = Ends(np.zeros((3, 1, 1)), np.array([[1.0], [1.01], [4.0]]))
    >>> Optimum(ends).reached
    array([2])
    """

    ends: Ends

    @property
    def theta(self) -> Array:
        """The best parameters, shape (N, k)."""
        return self.ends.theta[0]

    @property
    def value(self) -> Array:
        """The objective there, shape (N,): minus the log density."""
        return self.ends.value[0]

    @property
    def reached(self) -> NDArray[np.intp]:
        """How many starts came to the best value, shape (N,)."""
        return (self.ends.value < self.value + SAME / 2).sum(0)

    def of(self, rows: NDArray[np.intp]) -> "Optimum":
        """Return the ends of some of the patients."""
        return Optimum(Ends(self.ends.theta[:, rows], self.ends.value[:, rows]))


def search(aim: Aim, batch: Array, starts: int) -> Optimum:
    """Return the best fits that can be reached from the most promising of many points.

    Parameters
    ----------
    aim : Aim
        What is sought, of N patients.
    batch : ndarray, shape (b, k) or (b, N, k)
        Candidates; the objective is evaluated at all of them at once.
    starts : int
        From how many of them to descend, patient by patient.

    Returns
    -------
    Optimum
        Ends of descents, the best of them improved at corners.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.prior import prior_for
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> prior = prior_for(data)
    >>> aim = Aim(data, data.errors, np.tile(prior.centre, (18, 1)),
    ...           np.diag(prior.sd**-2), prior.low, prior.high, reach=prior.sd)
    >>> best = search(aim, prior.draws(64, seed=1), starts=4)
    >>> best.theta.shape, bool((best.value <= aim.values(aim.mean)).all())
    ((18, 6), True)
    """
    wide = batch if batch.ndim > 2 else batch[:, None, :]
    wide = np.broadcast_to(wide, (len(batch), *aim.mean.shape))
    wide = np.clip(wide, aim.low, aim.high)
    blocks = [wide[i : i + _BLOCK] for i in range(0, len(wide), _BLOCK)]
    value = np.concatenate([aim.values(block) for block in blocks])
    order = np.argsort(value, axis=0, kind="stable")[:starts]
    chosen = np.take_along_axis(wide, order[..., None], axis=0)
    return Optimum(turn_corners(aim, descend(aim, chosen).sorted()))


def is_stationary(aim: Aim, theta: Array) -> NDArray[np.bool_]:
    """Return whether no small step within the bounds improves a fit.

    This holds at smooth optima and in corners alike, where slopes need not vanish.

    Parameters
    ----------
    aim : Aim
        What was sought, of N patients.
    theta : ndarray, shape (N, k)
        Where.

    Returns
    -------
    ndarray of bool, shape (N,)

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> mean, sd = np.tile(stein.typical, (18, 1)), stein.spread
    >>> aim = Aim(data, data.errors, mean, np.diag(sd**-2), mean - 6 * sd,
    ...           mean + 6 * sd, reach=sd)
    >>> int(is_stationary(aim, mean).sum())
    0
    """
    size = theta.shape[-1]
    curvature = aim.surroundings(theta).curvature
    conditional = np.maximum(np.diagonal(curvature, axis1=-2, axis2=-1), 1e-300)
    steps = np.minimum(STEP / np.sqrt(conditional), aim.reach)
    moves = np.concatenate([np.eye(size), -np.eye(size)])[:, None, :] * steps
    around = np.clip(theta + moves, aim.low, aim.high)
    return (aim.values(around) > aim.values(theta) - _LOWER).all(0)
