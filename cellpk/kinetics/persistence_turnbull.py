"""The persistence function of interval-censored losses: Turnbull's estimate.

A patient's loss lies in (left, right]: after the last sample that was still
quantifiable, up to the first below the limit. ``right`` is infinite where no loss was
seen. Nothing is assumed about when within that interval the level fell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import DataError, FitError, Problem

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]

GAP = 1e-9
"""An estimate is found when its log-likelihood is within this of the maximum."""

_CLOSE = 1e-6  # the same in a likelihood ratio, of which 3.84 is critical
_HEAVY = 1e3
_REFUTED = 30.0  # a likelihood ratio beyond doubt
_STEPS = 200
_HALVINGS = 30
_EVEN = 1e-9  # a share that differs from another by less equals it


class Region(NamedTuple):
    """Days between which a share of the patients loses the level, and the share."""

    left: float
    right: float
    mass: float


@dataclass(frozen=True, eq=False)
class Turnbull:
    """Turnbull's nonparametric maximum-likelihood estimate (NPMLE) of persistence.

    Parameters
    ----------
    left, right : array, shape (patients,)
        Each patient's loss lies in (left, right]; an infinite ``right`` is censored.
    confidence : float
        Of all intervals, which come from inverting likelihood-ratio tests.

    Notes
    -----
    Turnbull (1976), J R Stat Soc B 38:290-295. The likelihood is maximised by
    constrained Newton steps (Wang 2008, Comput Stat Data Anal 52:2388-2402) until the
    Kuhn-Tucker conditions bound the distance to its maximum by ``GAP``. Intervals:
    Goodall, Dunn and Babiker (2004), Stat Med 23:1131-1145, who found the likelihood
    ratio closest to its nominal coverage.

    Examples
    --------
    >>> three = Turnbull(np.array([0.0, 28, 28]), np.array([28.0, 56, np.inf]))
    >>> [(left, right, round(mass, 3)) for left, right, mass in three.regions]
    [(0.0, 28.0, 0.333), (28.0, 56.0, 0.667)]
    >>> round(three.median, 6), three.median_interval
    (35.0, (0.0, inf))
    """

    left: Floats
    right: Floats
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse intervals in which nothing can lie."""
        wrong = ~((self.left >= 0) & (self.right > self.left))
        if len(self.left) == 0 or wrong.any():
            what = "an interval of loss must begin at day 0 or later and end after that"
            text = "no patient"
            if wrong.any():
                text = f"({self.left[wrong][0]:g}, {self.right[wrong][0]:g}]"
            raise DataError(Problem(what, "Correct its ends.", value=text))

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """Where losses are estimated to lie, in order; the masses sum to 1.

        Within a region the estimate says nothing; between regions it is level.
        """
        keep = self._best.mass > _EVEN
        parts = (part[keep] for part in (*self._ends, self._best.mass))
        return tuple(Region(*map(float, row)) for row in zip(*parts, strict=True))

    @property
    def log_likelihood(self) -> float:
        """The highest log-likelihood that a persistence function reaches."""
        return self._best.log_likelihood

    @property
    def gap(self) -> float:
        """How far below its maximum the log-likelihood can be at most."""
        return self._best.gap

    def share(self, day: float) -> tuple[float, float]:
        """Return the lowest and highest share still persistent on a day.

        They differ only within a region, where the estimate is not defined.

        Examples
        --------
        >>> Turnbull(np.array([0.0, 28]), np.array([28.0, 56])).share(40)
        (0.0, 0.5)
        """
        lost = sum(region.mass for region in self.regions if region.right <= day)
        begun = sum(region.mass for region in self.regions if region.left < day)
        return max(1.0 - begun, 0.0), max(1.0 - lost, 0.0)

    @cached_property
    def median_region(self) -> Region | None:
        """The region that holds the median, or None where half are not lost."""
        lost = np.cumsum([region.mass for region in self.regions])
        region = self.regions[int(np.argmax(lost >= 0.5 - _EVEN))]
        return region if np.isfinite(region.right) else None

    @property
    def median(self) -> float:
        """Day by which half are lost, as if losses spread evenly over their region.

        NaN where fewer than half are lost.
        """
        region = self.median_region
        if region is None:
            return np.nan
        _, before = self.share(region.left)
        part = min((before - 0.5) / region.mass, 1.0)
        return region.left + part * (region.right - region.left)

    @cached_property
    def median_interval(self) -> tuple[float, float]:
        """Days that could be the median; the second is infinite where not estimable.

        Every day on which the likelihood ratio does not refute that half persist. The
        ends are days of samples: nothing finer can be told.
        """
        ends = np.unique([0.0, *self.left, *self.right])
        days = np.append(ends[ends < np.inf], np.inf)
        last = len(days) - 2
        middle = days[-2] if self.median_region is None else self.median_region.right
        start = int(np.searchsorted(days, middle, side="left")) - 1
        start = last if self.median_region is None else start

        def held(gap: int) -> bool:
            low, high = days[gap], days[gap + 1]
            day = low + 1.0 if np.isinf(high) else (low + high) / 2
            return self._excess(day, 0.5) <= 0

        first = _furthest(held, start, 0)
        final = _furthest(held, start, last)
        return float(days[first]), float(days[final + 1])

    def interval(self, day: float) -> tuple[float, float]:
        """Return the interval of the share still persistent on a day.

        Parameters
        ----------
        day : float
            Day after the infusion.

        Returns
        -------
        low, high : float
            Between 0 and 1.

        Examples
        --------
        >>> four = Turnbull(np.array([0.0, 0, 0, 28]), np.array([28.0, 28, 28, np.inf]))
        >>> low, high = four.interval(28)
        >>> round(low, 3), round(high, 3)  # of a binomial share, 1 of 4
        (0.016, 0.722)
        """
        if day <= 0:
            return 1.0, 1.0
        low, high = self.share(day)
        return self._limit(day, low, 0.0), self._limit(day, high, 1.0)

    def _limit(self, day: float, inside: float, outside: float) -> float:
        """Return where the likelihood ratio begins to refute, from the estimate out."""
        from scipy.optimize import brentq

        if abs(inside - outside) < _EVEN or self._excess(day, outside) <= 0:
            return outside

        def excess(part: float) -> float:
            return self._excess(day, inside + part * (outside - inside))

        root: Any = brentq(excess, 1e-9, 1.0, xtol=1e-5)
        return inside + root * (outside - inside)

    def _excess(self, day: float, share: float) -> float:
        """Return the likelihood ratio of a share on a day, less its critical value."""
        from scipy.special import chdtri

        ends = _innermost(self.left, self.right, split=day)
        shares = np.where(ends[0] >= day, share, 1 - share)
        covers, counts = self._covered(ends)
        allowed = shares > 0
        covers = (covers * shares)[:, allowed]
        if not covers.any(axis=1).all():  # a patient for whom this share leaves no room
            return _REFUTED
        _, group = np.unique(ends[0][allowed] >= day, return_inverse=True)
        found = _maximise(covers, counts, group, enough=_CLOSE)
        ratio = 2 * (self.log_likelihood - found.log_likelihood)
        return min(ratio - float(chdtri(1, 1 - self.confidence)), _REFUTED)

    @cached_property
    def _ends(self) -> tuple[Floats, Floats]:
        return _innermost(self.left, self.right)

    @cached_property
    def _best(self) -> "_Found":
        group = np.zeros(len(self._ends[0]), np.intp)
        return _maximise(*self._covered(self._ends), group)

    def _covered(self, ends: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Return which region lies in which different interval, and their numbers."""
        both, counts = np.unique(
            np.column_stack([self.left, self.right]), axis=0, return_counts=True
        )
        left, right = both.T[:, :, None]
        inside = (left <= ends[0]) & (ends[1] <= right)
        return inside.astype(float), counts.astype(float)


class _Found(NamedTuple):
    mass: Floats
    log_likelihood: float
    gap: float


def _innermost(
    left: Floats, right: Floats, *, split: float | None = None
) -> tuple[Floats, Floats]:
    """Return the left and right ends of the regions that can hold mass (Turnbull).

    Each begins where some interval begins and ends where the next one ends, with no
    other end between. ``split`` cuts every interval at a day, so that the mass before
    and after it can be told.
    """
    begins, ends = np.unique(left), np.unique(right)
    if split is not None:
        begins = np.union1d(begins, [0.0, split])
        ends = np.union1d(ends, [split, np.inf])
    nearest = np.append(ends, np.inf)[np.searchsorted(ends, begins, side="right")]
    innermost = nearest <= np.append(begins[1:], np.inf)
    return begins[innermost], nearest[innermost]


def _maximise(
    covers: Floats, counts: Floats, group: Indices, *, enough: float = GAP
) -> _Found:
    """Find the masses of highest likelihood; those of each group sum to 1.

    ``covers[i, j]`` is what a mass in region ``j`` gives to the likelihood of interval
    ``i``, which ``counts`` patients have. By concavity no masses can be better than
    these by more than the gap: what the steepest region of each group promises
    (Kuhn-Tucker).
    """
    mass = 1.0 / np.bincount(group)[group]
    gap = np.inf
    for _ in range(_STEPS):
        likelihood = covers @ mass
        slope = (counts / likelihood) @ covers
        steepest = np.zeros(group.max() + 1)
        np.maximum.at(steepest, group, slope)
        gap = float(steepest.sum() - counts.sum())
        if gap < enough:
            return _Found(mass, float(counts @ np.log(likelihood)), gap)
        mass = _scaled(mass * slope, group, otherwise=mass)  # EM
        mass = _newton(mass, covers, counts, group=group)
    what = f"the NPMLE of persistence was not found in {_STEPS} steps (gap {gap:g})"
    raise FitError(what, todo="Report these intervals of loss to cellpk.")


def _scaled(mass: Floats, group: Indices, *, otherwise: Floats) -> Floats:
    """Let each group sum to 1; one that has nothing stays as it was."""
    total = np.bincount(group, mass)[group]
    return np.where(total > 0, mass / np.where(total > 0, total, 1.0), otherwise)


def _newton(mass: Floats, covers: Floats, counts: Floats, *, group: Indices) -> Floats:
    """Take a constrained Newton step, halved until the likelihood does not fall.

    The quadratic that touches the log-likelihood is minimised over masses of a fixed
    sum as non-negative least squares (Dax 1990, as in Wang 2008); where there are two
    groups, a heavy row holds them to equal sums.
    """
    from scipy.optimize import nnls

    groups = group.max() + 1
    weight = np.sqrt(counts)[:, None]
    likelihood = covers @ mass
    rows = [covers * weight / likelihood[:, None] - 2 * weight / groups]
    rows.append(np.ones((1, len(mass))))
    if groups > 1:
        rows.append(_HEAVY * weight.sum() * (1.0 - 2.0 * group)[None, :])
    aims = np.zeros(len(counts) + groups)
    aims[len(counts)] = 1.0
    target = _scaled(nnls(np.vstack(rows), aims)[0], group, otherwise=mass)
    before = counts @ np.log(likelihood)
    with np.errstate(divide="ignore"):
        for halving in range(_HALVINGS):
            tried = mass + (target - mass) / 2**halving
            if counts @ np.log(covers @ tried) >= before:
                return tried
    return mass


def _furthest(held: Callable[[int], bool], near: int, far: int) -> int:
    """Return the place furthest from ``near`` that is held, as all before it are."""
    if held(far):
        return far
    while abs(far - near) > 1:
        middle = (near + far) // 2
        near, far = (middle, far) if held(middle) else (near, middle)
    return near
