"""Samples put together by the day on which they were planned."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import FitError

Array = NDArray[np.float64]

MOST, FEWEST = 15, 5
"""Bins there are at most, and samples that each holds at least."""


def binned(
    planned: ArrayLike, times: ArrayLike, bins: Sequence[float] | None = None
) -> NDArray[np.intp]:
    """Return the bin of each sample.

    Without edges, every planned day is a bin. As long as one holds too few samples,
    the one that holds fewest is joined with its nearest neighbour on a log scale of
    time.

    Parameters
    ----------
    planned : array_like, shape (m,)
        Days on which the samples were planned; NaN where there was no plan.
    times : array_like, shape (m,)
        Days on which they were taken.
    bins : sequence of float, optional
        Edges of bins, in days: each holds what was taken from an edge on, up to the
        next; the last its end as well.

    Returns
    -------
    ndarray of int, shape (m,)
        Number of the bin, from 0 in order of time; -1 for a sample outside all edges.

    Raises
    ------
    FitError
        Where the edges are not in order, or no sample lies between them.

    Examples
    --------
    >>> binned([7, 7, 7, 28, 28, 28], [7, 7, 8, 27, 28, 29])
    array([0, 0, 0, 0, 0, 0])
    >>> binned([7] * 6 + [28] * 6, [7] * 6 + [28] * 6).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    >>> binned([7, 28], [7, 28], bins=[0, 14, 28])
    array([0, 1])
    """
    times = np.asarray(times, float)
    if bins is not None:
        return _given(times, bins)
    planned = np.asarray(planned, float)
    days, place, counts = np.unique(
        np.where(np.isnan(planned), times, planned),
        return_inverse=True,
        return_counts=True,
    )
    least = max(FEWEST, times.size / MOST)
    number = np.arange(days.size)
    while counts.size > 1 and counts.min() < least:
        smallest = int(np.argmin(counts))
        gaps = np.diff(np.log1p(np.maximum(days, 0.0)))
        left = gaps[smallest - 1] if smallest else np.inf
        right = gaps[smallest] if smallest < gaps.size else np.inf
        into = smallest - 1 if left <= right else smallest
        joined = counts[into] + counts[into + 1]
        days[into] = np.average(days[into : into + 2], weights=counts[into : into + 2])
        counts[into] = joined
        days, counts = np.delete(days, into + 1), np.delete(counts, into + 1)
        number = np.where(number > into, number - 1, number)
    return number[place]


def _given(times: Array, bins: Sequence[float]) -> NDArray[np.intp]:
    edges = np.asarray(bins, float)
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        todo = "Give two days or more, in order, such as bins=[0, 10, 35]."
        raise FitError(f"bins = {list(bins)}", todo=todo)
    found = np.searchsorted(edges, times, side="right") - 1
    found = np.where(times == edges[-1], edges.size - 2, found)
    found = np.where(found >= edges.size - 1, -1, found)
    if (found < 0).all():
        todo = f"Give edges about days {times.min():g} to {times.max():g}."
        raise FitError(f"no sample lies in bins = {list(bins)}", todo=todo)
    return found
