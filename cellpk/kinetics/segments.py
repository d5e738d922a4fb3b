"""The samples of many patients on flat arrays, and what is computed once for all.

A profile is one patient's samples of one series (assay and specimen). Levels carry what
is known of a sample: 0 is below the limit of quantification, ``inf`` above the upper
limit.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.errors import DataError, Problem

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Rules:
    """The choices behind the metrics; the defaults are cellpk's.

    Parameters
    ----------
    cmax_window : (float, float)
        Cmax is sought after the first and up to the second of these days.
    lambda_z_points : int
        Fewest quantifiable levels after the peak for a terminal slope.
    lambda_z_r2adj : float
        Lowest adjusted R2 of the log-linear regression.
    lambda_z_span : float
        Fewest half-lives from the first to the last of its points.
    lambda_z_tolerance : float
        Of regressions whose adjusted R2 differs by less, that with most points is used.
    day : float
        Length of a day in the unit of the times (24 where times are hours).

    Examples
    --------
    >>> Rules(cmax_window=(0, 60)).cmax_window
    (0, 60)
    """

    cmax_window: tuple[float, float] = (0.0, 90.0)
    lambda_z_points: int = 3
    lambda_z_r2adj: float = 0.8
    lambda_z_span: float = 2.0
    lambda_z_tolerance: float = 1e-4
    day: float = 1.0


@dataclass(frozen=True, eq=False)
class Decline:
    """The terminal log-linear phase of each profile; all arrays have shape (profiles,).

    Parameters
    ----------
    rate : array
        lambda_z, per unit of time; NaN where no regression falls.
    r2adj, points : array
        Adjusted R2 and number of levels of the regression that was chosen.
    start, end : array
        Times of its first and last level.
    candidates : array
        Quantifiable levels after the peak.
    """

    rate: Floats
    r2adj: Floats
    points: Floats
    start: Floats
    end: Floats
    candidates: Indices


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles one after another on flat arrays.

    Parameters
    ----------
    times : array, shape (samples,)
        Days after infusion, increasing within a profile.
    levels : array, shape (samples,)
        Level in the assay's unit; 0 below the limit of quantification, ``inf`` above
        the upper limit; never NaN.
    bounds : array, shape (profiles + 1,)
        Profile ``i`` holds the samples ``bounds[i]:bounds[i + 1]``; it may be empty.
    rules : Rules
        The choices behind the metrics.

    Examples
    --------
    >>> times, levels = np.array([7.0, 14, 7]), np.array([5.0, 2, 0])
    >>> two = Profiles(times, levels, bounds=np.array([0, 2, 3]))
    >>> two.highest(two.levels)
    array([5., 0.])
    """

    times: Floats
    levels: Floats
    bounds: Indices
    rules: Rules = field(default_factory=Rules)

    @classmethod
    def one(
        cls, times: ArrayLike, levels: ArrayLike, *, lloq: ArrayLike = 0.0, **rules: Any
    ) -> Self:
        """Return the profile of one patient.

        Parameters
        ----------
        times : array, shape (samples,)
            Days after infusion, increasing.
        levels : array, shape (samples,)
            Level in the assay's unit; NaN where not measured, ``inf`` above the
            upper limit.
        lloq : float or array, shape (samples,)
            Lower limit of quantification, in the unit of ``levels``.
        **rules
            Fields of :class:`Rules`.

        Raises
        ------
        DataError
            Where the arrays do not fit together, times fall or a level is negative.

        Examples
        --------
        >>> Profiles.one([7, 14, 21], [80, float("nan"), 20], lloq=50).levels
        array([80.,  0.])
        """
        t, y = np.asarray(times, float), np.asarray(levels, float)
        _check(t, y)
        measured = ~np.isnan(y)
        y = np.where(y < np.asarray(lloq, float), 0.0, y)[measured]
        return cls(t[measured], y, np.array([0, len(y)]), Rules(**rules))

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

    @cached_property
    def quantified(self) -> Flags:
        """Samples that reach the lower limit of quantification."""
        return self.levels > 0

    @cached_property
    def after(self) -> Flags:
        """Samples after the infusion; one at time 0 was taken before it began."""
        return self.times > 0

    def keep(self, mask: Flags) -> "Profiles":
        """Return the same profiles with only the samples of ``mask``."""
        kept = np.concatenate([[0], np.cumsum(mask)])[self.bounds]
        return replace(
            self, times=self.times[mask], levels=self.levels[mask], bounds=kept
        )

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

    @cached_property
    def top(self) -> Floats:
        """Highest level in the Cmax window, ``-inf`` where it holds no sample."""
        return self.highest(np.where(self._in_window, self.levels, -np.inf))

    @cached_property
    def at_top(self) -> Flags:
        """Quantifiable samples that hold the highest level in the Cmax window."""
        highest = self.levels == self.top[self.owner]
        return self._in_window & self.quantified & highest

    @cached_property
    def peak(self) -> Indices:
        """Where the first highest level in the Cmax window stands, -1 for none."""
        return self.first(self.at_top)

    @cached_property
    def last_quantified(self) -> Indices:
        """Where the last quantifiable sample after infusion stands, -1 for none."""
        return self.last(self.after & self.quantified)

    @cached_property
    def curve(self) -> "Profiles":
        """The levels that areas are taken under: from time 0, NaN above the limit.

        The last level up to time 0 stands at time 0; without one it is 0, because the
        infused cells spread through the body to below what assays reach.
        """
        before = self.last(~self.after)
        start = np.where(before < 0, 0.0, pick(self.levels, before))
        grown = self.keep(self.after)
        fronts = grown.bounds[:-1]
        levels = np.insert(grown.levels, fronts, start)
        return replace(
            self,
            times=np.insert(grown.times, fronts, 0.0),
            levels=np.where(np.isinf(levels), np.nan, levels),
            bounds=grown.bounds + np.arange(len(grown) + 1),
        )

    @cached_property
    def decline(self) -> Decline:
        """The terminal phase: the best regression that ends at the last level."""
        tail = self.keep(self._falls_after_peak)
        slope, r2adj, points = _regressions_to_the_end(tail)
        fit = points >= self.rules.lambda_z_points
        best = tail.highest(np.where(fit, r2adj, -np.inf))
        near = fit & (r2adj >= best[tail.owner] - self.rules.lambda_z_tolerance)
        chosen = tail.first(near & (slope < 0))
        end = np.where(chosen < 0, -1, tail.bounds[1:] - 1)
        return Decline(
            rate=-pick(slope, chosen),
            r2adj=pick(r2adj, chosen),
            points=pick(points, chosen),
            start=pick(tail.times, chosen),
            end=pick(tail.times, end),
            candidates=tail.counts,
        )

    @cached_property
    def _in_window(self) -> Flags:
        low, high = (day * self.rules.day for day in self.rules.cmax_window)
        return self.after & (self.times > low) & (self.times <= high)

    @cached_property
    def _falls_after_peak(self) -> Flags:
        """Samples that a terminal slope may use; the peak itself is not one of them."""
        peak = pick(self.times, self.peak)
        above = pick(self.times, self.last(np.isinf(self.levels)))
        from_here = np.fmax(peak, above)[self.owner]
        return self.quantified & (self.times > from_here)


def pick(values: NDArray[Any], places: Indices) -> Floats:
    """Return the values at these positions, NaN where the position is -1.

    Examples
    --------
    >>> pick(np.array([3.0, 4.0]), np.array([1, -1]))
    array([ 4., nan])
    """
    return np.append(values.astype(float), np.nan)[places]


def area_under(curve: Profiles, start: ArrayLike, end: ArrayLike) -> Floats:
    """Return the area under each profile between two days: linear up, log down.

    A segment that falls to a level above 0 is exponential, any other a straight line,
    and a segment cut by ``start`` or ``end`` keeps its own law. Nothing is added after
    the last sample.

    Parameters
    ----------
    curve : Profiles
        Levels to take the area under (:attr:`Profiles.curve`).
    start, end : float or array, shape (profiles,)
        Days between which the area is taken.

    Returns
    -------
    array, shape (profiles,)
        Area in the assay's unit times day; NaN where a level in between is NaN.

    Examples
    --------
    >>> area_under(Profiles.one([0, 10, 20], [0, 80, 40]).curve, 0, 10)
    array([400.])
    """
    pair = np.flatnonzero(curve.owner[1:] == curve.owner[:-1])
    owner = curve.owner[pair]
    t1, t2 = curve.times[pair], curve.times[pair + 1]
    c1, c2 = curve.levels[pair], curve.levels[pair + 1]
    low = np.clip(np.broadcast_to(start, len(curve))[owner], t1, t2)
    high = np.clip(np.broadcast_to(end, len(curve))[owner], t1, t2)
    between = np.where(t2 > t1, t2 - t1, 1.0)
    falling = (c2 > 0) & (c2 < c1) & (t2 > t1)
    drop = np.where(falling, c1 - c2, 1.0) / np.where(falling, c2, 1.0)
    rate = np.log1p(drop) / between
    log = -c1 * np.exp(-rate * (low - t1)) * np.expm1(-rate * (high - low)) / rate
    middle = c1 + (c2 - c1) / between * ((low + high) / 2 - t1)
    piece = np.where(falling, log, middle * (high - low))
    piece = np.where(high == low, 0.0, piece)  # a level outside may be unknown
    return np.bincount(owner, piece, minlength=len(curve))


def _regressions_to_the_end(tail: Profiles) -> tuple[Floats, Floats, Floats]:
    """Regress log level on time from each sample to its profile's last.

    Returns slope, adjusted R2 (-inf under three points or for equal levels) and number
    of points. One pass from the back over all profiles, with running centred moments,
    which lose no digits where sums of squares would.
    """
    x, y = tail.times, np.log(tail.levels)
    slope, points = np.full((2, len(x)), np.nan)
    r2adj = np.full(len(x), -np.inf)
    mean_x, mean_y, xx, xy, yy = np.zeros((5, len(tail)))
    for n in range(1, int(tail.counts.max(initial=0)) + 1):
        who = np.flatnonzero(tail.counts >= n)
        here = tail.bounds[who + 1] - n
        dx, dy = x[here] - mean_x[who], y[here] - mean_y[who]
        mean_x[who] += dx / n
        mean_y[who] += dy / n
        xx[who] += dx * (x[here] - mean_x[who])
        xy[who] += dx * (y[here] - mean_y[who])
        yy[who] += dy * (y[here] - mean_y[who])
        points[here] = n
        sound = (n > 2) & (xx[who] > 0) & (yy[who] > 0)
        at, of = here[sound], who[sound]
        slope[at] = xy[of] / xx[of]
        unexplained = 1 - (xy[of] / xx[of]) * (xy[of] / yy[of])
        r2adj[at] = 1 - unexplained * (n - 1) / (n - 2 if n > 2 else 1)
    return slope, r2adj, points


def _check(times: Floats, levels: Floats) -> None:
    """Refuse arrays that cannot be one patient's profile."""
    if times.ndim != 1 or times.shape != levels.shape:
        what = f"times have shape {times.shape} and levels {levels.shape}"
        raise DataError(Problem(what, "Give one level for each time."))
    wrong = np.flatnonzero(np.isnan(times) | np.append(False, np.diff(times) < 0))
    if len(wrong):
        what = (
            f"times must be known and must not fall, but time {wrong[0]} does not hold"
        )
        value = str(times[wrong[0]])
        raise DataError(Problem(what, "Sort the samples by time.", value=value))
    if (levels < 0).any():
        what = "a level cannot be negative"
        todo = "Write 0, or give lloq, where it marks a sample below the limit."
        raise DataError(Problem(what, todo, value=str(levels[levels < 0][0])))
