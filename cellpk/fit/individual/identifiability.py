"""What samples alone tell of each parameter: profiles of the likelihood to its ends."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.individual.numbers import distances, freedom
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.search import search
from cellpk.fit.individual.solution import Solution
from cellpk.fit.individual.words import LITTLE
from cellpk.fit.modes import Aim
from cellpk.model.parallel import over_chunks

Array = NDArray[np.float64]

_AT_ONCE, _STARTS = 32, 4

_LIMITS = {
    (True, True): "limit it on both sides",
    (True, False): "set only a lower limit",
    (False, True): "set only an upper limit",
    (False, False): "set no limit",
}


def identified(
    data: FitData,
    asked: Question,
    solution: Solution,
    *,
    information: pd.Series,
    level: float,
) -> pd.DataFrame:
    """Return what the samples alone tell of each parameter.

    Parameters
    ----------
    data, asked, solution
        Samples of N patients, what they were asked, their fits.
    information : Series
        Share of the prior's variance that the data took away, by patient and quantity.
    level : float
        Probability to which a loss of likelihood is held.

    Returns
    -------
    DataFrame
        As ``IndividualFits.identifiability``.

    Examples
    --------
    >>> identified.__name__                                # see IndividualFits
    'identified'
    """
    loss = _losses(data, asked, solution)
    reach = distances(freedom(data, asked, solution), level)
    limits = 2 * loss > np.square(reach)[:, None, None]
    rows = []
    for i, patient in enumerate(data.patients):
        for j, name in enumerate(asked.names):
            lower, upper = (bool(x) for x in limits[i, j])
            share = float(information.loc[(patient, name)])
            said = _sentence(name, share, (lower, upper))
            rows.append((patient, name, share, lower, upper, said))
    columns = ["patient", "parameter", "information", "lower", "upper", "sentence"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _sentence(name: str, information: float, limits: tuple[bool, bool]) -> str:
    told = f"{name}: the samples alone {_LIMITS[limits]}"
    if np.isnan(information):
        return f"{told}."
    share = f"{100 * information:.0f} % of the information is from the samples"
    if information < LITTLE:
        return f"{told}; it rests on the prior ({share})."
    return f"{told}; {share}."


def _losses(data: FitData, asked: Question, solution: Solution) -> Array:
    """Return by how much log L falls with each parameter at its bounds, (N, k, 2)."""
    size = len(asked.names)
    found = np.empty((len(data.patients), size, 2))

    def work(chunk: slice) -> None:
        rows = np.arange(chunk.start, chunk.stop)
        alone = asked.aim(data.of(rows), with_prior=False, sizes=solution.sizes[rows])
        theta = solution.theta[rows]
        best = search(alone, _batch(asked, theta), _STARTS).value
        held = _held(alone, asked)
        there = search(held, _batch(asked, np.repeat(theta, 2 * size, axis=0)), _STARTS)
        value = there.value.reshape(len(rows), size, 2)
        least = np.minimum(best, value.min((-1, -2)))
        found[chunk] = value - least[:, None, None]

    over_chunks(work, len(data.patients), size=_AT_ONCE)
    return found


def _batch(asked: Question, theta: Array) -> Array:
    """Return candidates: those of the fit, and the fit itself."""
    everywhere = np.broadcast_to(asked.batch[:, None], (len(asked.batch), *theta.shape))
    return np.concatenate([everywhere, theta[None]])


def _held(aim: Aim, asked: Question) -> Aim:
    """Return the aim once for each parameter and bound, with it held there."""
    count, size = aim.mean.shape
    again = aim.of(np.repeat(np.arange(count), 2 * size))
    shape = (count, size, 2, size)
    low, high = (np.broadcast_to(end, shape).copy() for end in (aim.low, aim.high))
    for j in range(size):
        low[:, j, 1, j] = asked.high[j]
        high[:, j, 0, j] = asked.low[j]
    flat = (count * size * 2, size)
    return Aim(
        again.data,
        again.errors,
        again.mean,
        again.precision,
        low=low.reshape(flat),
        high=high.reshape(flat),
        reach=again.reach,
        ties=again.ties,
    )
