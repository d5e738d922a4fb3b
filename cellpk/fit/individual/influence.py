"""How far single samples carry a fit: each is left out, and the fit made again."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.individual.corners import at_corners, turn_corners
from cellpk.fit.individual.numbers import quantity_names, values_of
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.solution import Solution
from cellpk.fit.likelihood import Evidence
from cellpk.fit.modes import Ends, descend

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Fits in each of which one sample was left out; M of them, of N patients.

    Parameters
    ----------
    patient : ndarray of int, shape (M,)
        Whose sample.
    row : ndarray of int, shape (M,)
        Which row of ``data.samples`` it is.
    theta : ndarray, shape (M, k)
        The parameters without it.

    Examples
    --------
    >>> sorted(LeftOut.__annotations__)
    ['patient', 'row', 'theta']
    """

    patient: NDArray[np.intp]
    row: NDArray[np.intp]
    theta: Array


def left_out(data: FitData, asked: Question, solution: Solution) -> LeftOut:
    """Return the fits without each of the samples.

    Every fit begins at the patient's own and keeps her method and residual errors.

    Parameters
    ----------
    data : FitData
        Samples of N patients.
    asked : Question
        What they were asked.
    solution : Solution
        Their fits.

    Returns
    -------
    LeftOut

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.individual.door import question
    >>> from cellpk.fit.individual.solution import solved
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> asked = question(data, None, starts=4, seed=1)
    >>> left_out(data, asked, solved(data, asked, 0)[0]).theta.shape
    (213, 6)
    """
    known = [one.known for one in data.series]
    places = [np.nonzero(mask) for mask in known]
    patient = np.concatenate([who for who, _ in places])
    row = np.concatenate([one.rows[one.known] for one in data.series])
    which = np.concatenate([np.full(len(w), i) for i, (w, _) in enumerate(places)])
    column = np.concatenate([where for _, where in places])
    again = data.of(patient)
    series = []
    for i, one in enumerate(again.series):
        low, high = one.said.low.copy(), one.said.high.copy()
        here = np.flatnonzero(which == i)
        low[here, column[here]], high[here, column[here]] = -np.inf, np.inf
        series.append(replace(one, said=Evidence(low, high)))
    again = replace(again, series=tuple(series))
    aim = asked.aim(
        again,
        with_prior=solution.with_prior[patient],
        sizes=solution.sizes[patient],
    )
    theta = descend(aim, solution.theta[patient][None]).theta[0]
    stuck = np.flatnonzero(at_corners(aim, theta))
    if stuck.size:
        part = aim.of(stuck)
        turned = turn_corners(
            part, Ends(theta[None, stuck], part.values(theta[stuck])[None])
        )
        theta[stuck] = turned.theta[0]
    return LeftOut(patient, row, theta)


def shifts(left: LeftOut, theta: Array, errors: Array) -> Array:
    """Return by how many of its standard errors each parameter moves, shape (M, k).

    Parameters
    ----------
    left : LeftOut
        Fits without single samples.
    theta, errors : ndarray, shape (N, k)
        The fits with all of them, and their standard errors.

    Examples
    --------
    >>> left = LeftOut(np.array([0]), np.array([3]), np.array([[0.5, 2.0]]))
    >>> shifts(left, np.zeros((1, 2)), np.ones((1, 2)))
    array([[0.5, 2. ]])
    """
    return (left.theta - theta[left.patient]) / errors[left.patient]


def influence_frame(
    data: FitData, asked: Question, theta: Array, *, left: LeftOut, errors: Array
) -> pd.DataFrame:
    """Return how far all quantities move without each sample.

    Parameters
    ----------
    data, asked
        As for :func:`left_out`.
    theta : ndarray, shape (N, k)
        The estimates.
    left : LeftOut
        From there.
    errors : ndarray, shape (N, Q)
        Standard errors of all quantities; see :class:`Numbers`.

    Returns
    -------
    DataFrame
        One row per used sample; see ``IndividualFits.influence``.

    Examples
    --------
    >>> influence_frame.__name__                          # see IndividualFits
    'influence_frame'
    """
    names, size = quantity_names(data.model), len(data.model.free)
    full, there = asked.ties.full(theta), asked.ties.full(left.theta)
    now = np.concatenate([full, values_of(data, full)[:, size:]], axis=-1)
    own = values_of(data.of(left.patient), there)[:, size:]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(own / now[left.patient, size:])
        moved = np.concatenate([there - full[left.patient], logs], axis=-1)
        moved = moved / errors[left.patient]
    known = np.isfinite(moved)
    moved[~known] = np.nan
    farthest = np.where(known, np.abs(moved), -1.0).argmax(-1)
    most = np.where(known.any(-1), np.array(names)[farthest], "")
    kept = ["patient", "assay", "time", "level", "state"]
    found = data.samples.loc[left.row, kept].reset_index(drop=True)
    columns = pd.DataFrame(moved, columns=pd.Index(names))
    found = pd.concat([found, columns], axis=1)
    return found.assign(most=most.tolist()).sort_values(
        ["patient", "assay", "time"], kind="stable", ignore_index=True
    )
