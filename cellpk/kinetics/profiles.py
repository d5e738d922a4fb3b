"""The samples of every patient and series, and what all their metrics rest on.

A profile is one patient's samples of one series (assay and specimen). Levels carry what
is known of a sample: 0 is below the limit of quantification, ``inf`` above the upper
limit.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from cellpk.errors import DataError, Problem
from cellpk.kinetics.curves import Curve, area_under, moment_under
from cellpk.kinetics.rises import Rises, rises_after
from cellpk.kinetics.segments import Flags, Floats, Indices, Segments, pick
from cellpk.kinetics.slopes import Slope, best_slope, censored_slope, whole_slope
from cellpk.kinetics.standing import Standing, curve_of, standing, start_of
from cellpk.study.metric_rules import Rules, rules_with


@dataclass(frozen=True, eq=False)
class Profiles(Segments):
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
    lloq : array, shape (samples,)
        Lower limit of quantification; 0 where it is not known.
    by_hand, left_out : array of bool, shape (samples,)
        Samples that were chosen for the terminal slope, or refused for it, by hand.
    above : array, shape (profiles,)
        Level of which the time above it is told; NaN where none was given.
    rules : Rules
        The choices behind the metrics.
    day : float
        Length of a day in the unit of the times (24 where times are hours).

    Examples
    --------
    >>> Profiles.one([7, 14, 21], [80, float("nan"), 20], lloq=50).levels
    array([80.,  0.])
    """

    lloq: Floats
    by_hand: Flags
    left_out: Flags
    above: Floats
    rules: Rules
    day: float

    @classmethod
    def stacked(
        cls,
        times: ArrayLike,
        levels: ArrayLike,
        bounds: ArrayLike,
        *,
        above: ArrayLike = np.nan,
        rules: Rules | None = None,
        day: float = 1.0,
        **of_samples: ArrayLike,
    ) -> Self:
        """Return profiles from flat arrays; what is one number holds for all.

        Parameters
        ----------
        times, levels, bounds, above, rules, day
            As in :class:`Profiles`.
        **of_samples
            ``lloq`` (not known where it is not given), ``by_hand``, ``left_out``.

        Examples
        --------
        >>> Profiles.stacked([7, 14, 7], [5, 2, 0], [0, 2, 3], lloq=1).top
        array([5., 0.])
        """
        t, starts = np.asarray(times, float), np.asarray(bounds, np.intp)
        plain = {"lloq": 0.0, "by_hand": False, "left_out": False}
        known: dict[str, Any] = {
            name: np.broadcast_to(np.asarray(value, type(plain[name])), t.shape)
            for name, value in (plain | of_samples).items()
        }
        return cls(
            t,
            np.asarray(levels, float),
            starts,
            **known,
            above=np.broadcast_to(np.asarray(above, float), len(starts) - 1),
            rules=rules or Rules(),
            day=day,
        )

    @classmethod
    def one(
        cls,
        times: ArrayLike,
        levels: ArrayLike,
        *,
        lloq: ArrayLike = 0.0,
        day: float = 1.0,
        by_hand: ArrayLike = (),
        left_out: ArrayLike = (),
        above: float = np.nan,
        **rules: Any,
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
        day : float
            Length of a day in the unit of ``times``.
        by_hand, left_out : array of float
            Times of the samples that make the terminal slope, or that it leaves out.
        above : float
            Level of which the time above it is told.
        **rules
            Fields of :class:`~cellpk.study.metric_rules.Rules`.

        Raises
        ------
        DataError
            Where the arrays do not fit together, times fall, a level is negative or a
            rule is not known.

        Examples
        --------
        >>> Profiles.one([168, 336], [80, 20], day=24).day
        24
        """
        t, y = np.asarray(times, float), np.asarray(levels, float)
        _check(t, y)
        limit = np.broadcast_to(np.asarray(lloq, float), t.shape)
        measured = ~np.isnan(y)
        y = np.where(y < limit, 0.0, y)[measured]
        return cls.stacked(
            t[measured],
            y,
            [0, len(y)],
            lloq=limit[measured],
            by_hand=np.isin(t[measured], by_hand),
            left_out=np.isin(t[measured], left_out),
            above=above,
            rules=rules_with(Rules(), rules),
            day=day,
        )

    @cached_property
    def quantified(self) -> Flags:
        """Samples that reach the lower limit of quantification."""
        return self.levels > 0

    @cached_property
    def after(self) -> Flags:
        """Samples after the infusion; one at time 0 was taken before it began."""
        return self.times > 0

    @cached_property
    def never_after(self) -> Flags:
        """Profiles without a sample after the infusion."""
        return self.total(self.after) == 0

    @cached_property
    def top(self) -> Floats:
        """Highest level in the Cmax window, ``-inf`` where it holds no sample."""
        return self.highest(np.where(self.in_window, self.levels, -np.inf))

    @cached_property
    def at_top(self) -> Flags:
        """Quantifiable samples that hold the highest level in the Cmax window."""
        highest = self.levels == self.top[self.owner]
        return self.in_window & self.quantified & highest

    @cached_property
    def peak(self) -> Indices:
        """Where the first highest level in the Cmax window stands, -1 for none."""
        return self.first(self.at_top)

    @cached_property
    def tmax(self) -> Floats:
        """Time of the peak, NaN where there is none."""
        return pick(self.times, self.peak)

    @cached_property
    def last_quantified(self) -> Indices:
        """Where the last quantifiable sample after infusion stands, -1 for none."""
        return self.last(self.after & self.quantified)

    @cached_property
    def t_last(self) -> Floats:
        """Time of the last quantifiable sample after infusion, NaN for none."""
        return pick(self.times, self.last_quantified)

    @cached_property
    def first_lost(self) -> Indices:
        """Where the first sample after the last quantifiable one stands, -1 for none.

        Every sample from there on is below the limit.
        """
        return self.first(self.times > self.t_last[self.owner])

    @cached_property
    def ends(self) -> Floats:
        """Time of the last sample after infusion, NaN for none."""
        return pick(self.times, self.last(self.after))

    @cached_property
    def standing(self) -> Standing:
        """What the samples stand for under a curve."""
        return standing(self)

    @cached_property
    def start(self) -> Floats:
        """Level at time 0, NaN where it is not known."""
        return start_of(self, self.standing)

    @cached_property
    def curve(self) -> Curve:
        """The levels that areas are taken under, and how they run between samples."""
        return curve_of(self, self.standing)

    @cached_property
    def to_last(self) -> Floats:
        """Area from the infusion to the last quantifiable level (AUClast)."""
        return area_under(self.curve, 0.0, self.t_last)

    @cached_property
    def moment_to_last(self) -> Floats:
        """Area under time times level from the infusion to the last quantifiable."""
        return moment_under(self.curve, 0.0, self.t_last)

    @cached_property
    def decline(self) -> Slope:
        """The terminal phase: the best regression that ends at the last level."""
        chosen = self.total(self.by_hand) > 0
        mask = np.where(chosen[self.owner], self.by_hand, self._falls_after_peak)
        mask &= self.quantified & np.isfinite(self.levels) & ~self.left_out
        tail = self.keep(mask)
        rules = self.rules
        slope = best_slope(
            tail,
            points=rules.lambda_z_points,
            tolerance=rules.lambda_z_tolerance,
            falling=rules.lambda_z_among == "falling",
            by_hand=chosen,
        )
        if rules.lambda_z_below == "left_out":
            return slope
        limits = ~self.quantified & (self.lloq > 0) & ~self.left_out
        late = self.times >= slope.start[self.owner]
        used = late & (limits | mask)
        known = np.where(limits, self.lloq, self.levels)
        levels = Segments(self.times, known, self.bounds).keep(used)
        return censored_slope(levels, censored=limits[used], slope=slope)

    @cached_property
    def chosen_by_hand(self) -> Flags:
        """Profiles whose terminal slope rests on samples chosen by hand."""
        return self.total(self.by_hand) > 0

    @cached_property
    def rises(self) -> Rises:
        """Rises of the level after the peak."""
        return rises_after(
            self,
            np.where(self.peak < 0, self.bounds[1:], self.peak + 1),
            top=self.top,
            at_most=np.where(self.quantified, self.levels, self.lloq),
            fold=self.rules.second_peak_fold,
        )

    @cached_property
    def lowest_before_peak(self) -> Indices:
        """Where the last of the lowest samples before the peak stands, -1 for none."""
        rising = self.after & (self.times < self.tmax[self.owner])
        lowest = -self.highest(np.where(rising, -self.levels, -np.inf))
        return self.last(rising & (self.levels == lowest[self.owner]))

    @cached_property
    def rise(self) -> Slope:
        """The expansion: the regression from the lowest level to the peak."""
        low = pick(self.times, self.lowest_before_peak)[self.owner]
        inside = (self.times >= low) & (self.times <= self.tmax[self.owner])
        return whole_slope(self.keep(inside & self.quantified & self._finite))

    @cached_property
    def _finite(self) -> Flags:
        return np.isfinite(self.levels)

    @cached_property
    def in_window(self) -> Flags:
        """Samples among which Cmax is sought."""
        low, high = (day * self.day for day in self.rules.window)
        return self.after & (self.times > low) & (self.times <= high)

    @cached_property
    def _falls_after_peak(self) -> Flags:
        """Samples that a terminal slope may use: after the peak, or from it on."""
        above = pick(self.times, self.last(self.after & ~self._finite))
        late = self.times > np.fmax(self.tmax, above)[self.owner]
        if self.rules.lambda_z_peak:
            at_peak = np.isfinite(self.top) & ~(above > self.tmax)
            late |= (self.times == self.tmax[self.owner]) & at_peak[self.owner]
        return self.quantified & late


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
