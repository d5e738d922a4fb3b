"""Values of many patients on flat arrays: what is done once for all of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Segments:
    """Levels of several profiles one after another.

    Parameters
    ----------
    times : array, shape (samples,)
        Days after infusion, increasing within a profile.
    levels : array, shape (samples,)
        Level in the assay's unit.
    bounds : array, shape (profiles + 1,)
        Profile ``i`` holds the samples ``bounds[i]:bounds[i + 1]``; it may be empty.

    Examples
    --------
    >>> times, levels = np.array([7.0, 14, 7]), np.array([5.0, 2, 0])
    >>> two = Segments(times, levels, bounds=np.array([0, 2, 3]))
    >>> two.highest(two.levels)
    array([5., 0.])
    """

    times: Floats
    levels: Floats
    bounds: Indices

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def counts(self) -> Indices:
        """Number of samples of each profile."""
        return np.diff(self.bounds)

    @cached_property
    def owner(self) -> Indices:
        """Profile of each sample."""
        return np.repeat(np.arange(len(self)), self.counts)

    def keep(self, mask: Flags) -> "Segments":
        """Return the same profiles with only the samples of ``mask``."""
        kept = np.concatenate([[0], np.cumsum(mask)])[self.bounds]
        return Segments(self.times[mask], self.levels[mask], kept)

    def total(self, values: ArrayLike) -> Floats:
        """Return the sum of one value per sample over each profile."""
        return np.bincount(self.owner, np.asarray(values, float), minlength=len(self))

    def highest(self, values: ArrayLike) -> Floats:
        """Return the largest value of each profile, ``-inf`` where it has no sample."""
        largest = np.full(len(self), -np.inf)
        filled = self.counts > 0  # reduceat misreads empty segments
        if filled.any():
            starts = self.bounds[:-1][filled]
            largest[filled] = np.maximum.reduceat(np.asarray(values, float), starts)
        return largest

    def last(self, mask: Flags) -> Indices:
        """Return where the last sample of ``mask`` stands in each profile, else -1."""
        place = self.highest(np.where(mask, np.arange(len(mask)), -1))
        return np.maximum(place, -1).astype(np.intp)

    def first(self, mask: Flags) -> Indices:
        """Return where the first sample of ``mask`` stands in each profile, else -1."""
        place = -self.highest(np.where(mask, -np.arange(len(mask)), -np.inf))
        return np.where(np.isinf(place), -1, place).astype(np.intp)


def pick(values: NDArray[Any], places: Indices) -> Floats:
    """Return the values at these positions, NaN where the position is -1.

    Examples
    --------
    >>> pick(np.array([3.0, 4.0]), np.array([1, -1]))
    array([ 4., nan])
    """
    return np.append(values.astype(float), np.nan)[places]
