"""Log-linear regressions of many profiles at once: terminal fall and expansion."""

from dataclasses import dataclass, replace

import numpy as np

from cellpk.kinetics.segments import Flags, Floats, Indices, Segments, pick


@dataclass(frozen=True, eq=False)
class Slope:
    """One log-linear regression of each profile; arrays of shape (profiles,).

    Parameters
    ----------
    rate : array
        Change of the log level per unit of time; NaN where there is no regression.
    intercept : array
        Log level that the regression has at time 0.
    r2, r2adj : array
        R2 and adjusted R2, NaN under three points.
    points : array
        Number of levels.
    start, end : array
        Times of the first and the last of them.
    candidates : array of int
        Levels that could have been used.
    """

    rate: Floats
    intercept: Floats
    r2: Floats
    r2adj: Floats
    points: Floats
    start: Floats
    end: Floats
    candidates: Indices


@dataclass(frozen=True, eq=False)
class _Regressions:
    """Regressions from each sample to its profile's last; arrays (samples,)."""

    rate: Floats
    intercept: Floats
    r2: Floats
    r2adj: Floats
    points: Floats


def best_slope(
    tail: Segments, *, points: int, tolerance: float, falling: bool, by_hand: Flags
) -> Slope:
    """Choose the regression that ends at the last level and fits best.

    Of those with enough levels, that with the highest adjusted R2; of those within
    ``tolerance`` of it, that with most levels. It must fall.

    Parameters
    ----------
    tail : Segments
        Levels that may be used, all above 0.
    points : int
        Fewest levels.
    tolerance : float
        Difference of adjusted R2 that does not count.
    falling : bool
        Whether regressions that do not fall are no candidates.
    by_hand : array of bool, shape (profiles,)
        Profiles in which all levels are used: two of them are enough.

    Examples
    --------
    >>> tail = Segments(np.arange(4.0), np.array([9.0, 4, 2, 1]), np.array([0, 4]))
    >>> found = best_slope(tail, points=3, tolerance=1e-4, falling=False,
    ...                    by_hand=np.array([False]))
    >>> float(found.points[0]), round(float(found.rate[0]), 3)
    (3.0, -0.693)
    """
    all_ = _to_the_end(tail)
    enough = (all_.points >= points) & ((all_.rate < 0) | (not falling))
    score = np.where(enough & np.isfinite(all_.r2adj), all_.r2adj, -np.inf)
    best = tail.highest(score)[tail.owner]
    near = enough & np.isfinite(score) & (score >= best - tolerance)
    chosen = tail.first(near & (all_.rate < 0))
    whole = np.where(tail.counts >= 2, tail.bounds[:-1], -1)
    whole = np.where(pick(all_.rate, whole) < 0, whole, -1)
    return _of(tail, all_, np.where(by_hand, whole, chosen))


def whole_slope(tail: Segments) -> Slope:
    """Return the regression through all levels of each profile.

    Parameters
    ----------
    tail : Segments
        Levels to use, all above 0.

    Examples
    --------
    >>> rise = Segments(np.arange(3.0), np.array([1.0, 2, 4]), np.array([0, 3]))
    >>> whole_slope(rise).rate.round(3)
    array([0.693])
    """
    whole = np.where(tail.counts >= 2, tail.bounds[:-1], -1)
    return _of(tail, _to_the_end(tail), whole)


def _of(tail: Segments, all_: _Regressions, chosen: Indices) -> Slope:
    end = np.where(chosen < 0, -1, tail.bounds[1:] - 1)
    return Slope(
        rate=pick(all_.rate, chosen),
        intercept=pick(all_.intercept, chosen),
        r2=pick(all_.r2, chosen),
        r2adj=pick(all_.r2adj, chosen),
        points=pick(all_.points, chosen),
        start=pick(tail.times, chosen),
        end=pick(tail.times, end),
        candidates=tail.counts,
    )


def _to_the_end(tail: Segments) -> _Regressions:
    """Regress log level on time from each sample to its profile's last.

    One pass from the back over all profiles, with running centred moments, which lose
    no digits where sums of squares would.
    """
    x, y = tail.times, np.log(tail.levels)
    rate, intercept, r2, r2adj, points = np.full((5, len(x)), np.nan)
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
        sound = (xx[who] > 0) & (yy[who] > 0)
        at, of = here[sound], who[sound]
        rate[at] = xy[of] / xx[of]
        intercept[at] = mean_y[of] - rate[at] * mean_x[of]
        if n > 2:
            r2[at] = rate[at] * (xy[of] / yy[of])
            r2adj[at] = 1 - (1 - r2[at]) * (n - 1) / (n - 2)
    return _Regressions(rate, intercept, r2, r2adj, points)


def censored_slope(levels: Segments, *, censored: Flags, slope: Slope) -> Slope:
    """Return regressions with levels below the limit as left-censored (Tobit).

    Log levels are normal about a line; a censored one is known to lie below its limit.

    Parameters
    ----------
    levels : Segments
        Levels; where ``censored``, the limit below which one lies; all above 0.
    censored : array of bool, shape (samples,)
        Which are limits.
    slope : Slope
        The regressions without them: where to begin.

    Returns
    -------
    Slope
        ``slope`` with another rate and intercept where a level is censored; NaN where
        the maximum of the likelihood was not found.

    Notes
    -----
    Tobin (1958), Econometrica 26:24-36.

    Examples
    --------
    >>> levels = Segments(np.array([0.0, 1, 2, 3]), np.exp([4.1, 2.9, 2.0, 0.5]),
    ...                   np.array([0, 4]))
    >>> known = whole_slope(levels.keep(np.array([True, True, True, False])))
    >>> found = censored_slope(levels, slope=known,
    ...                        censored=np.array([False, False, False, True]))
    >>> known.rate.round(2), found.rate.round(2)
    (array([-1.05]), array([-1.2]))
    """
    rate, intercept = slope.rate.copy(), slope.intercept.copy()
    some = np.isfinite(rate) & (levels.total(censored) > 0)
    for one in np.flatnonzero(some):
        part = slice(*levels.bounds[one : one + 2])
        rate[one], intercept[one] = _tobit(
            levels.times[part],
            np.log(levels.levels[part]),
            censored[part],
            line=(rate[one], intercept[one]),
        )
    return replace(slope, rate=rate, intercept=intercept)


def _tobit(
    x: Floats, y: Floats, censored: Flags, *, line: tuple[float, float]
) -> tuple[float, float]:
    """Maximise the likelihood of one profile; sought from its regression, scaled."""
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    rate, intercept = line
    left = y - intercept - rate * x
    sigma = np.sqrt(np.mean(left[~censored] ** 2))
    if sigma < _LAST_DIGITS * max(1.0, np.abs(y).max()):  # all levels on the line
        if (left[censored] >= 0).all():
            return line
        sigma = np.abs(left[censored]).max()
    middle, width = x.mean(), x.max() - x.min()
    u, known = (x - middle) / width, int((~censored).sum())

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = np.exp(theta[2]) * (left / sigma) - theta[0] - theta[1] * u
        log_share = log_ndtr(z)
        mills = np.exp(-(z**2) / 2 - log_share) / np.sqrt(2 * np.pi)
        value = np.where(censored, log_share, -(z**2) / 2).sum() + known * theta[2]
        score = np.where(censored, mills, -z)
        by_precision = (score * np.exp(theta[2]) * left / sigma).sum() + known
        return -value, -np.array([-score.sum(), -(score * u).sum(), by_precision])

    found = minimize(loss, np.zeros(3), jac=True, method="BFGS", options=_EXACT)
    if np.abs(found.jac).max() > _FLAT:
        return np.nan, np.nan
    size = sigma / np.exp(found.x[2])
    tilt = found.x[1] * size / width
    return rate + tilt, intercept + found.x[0] * size - tilt * middle


_LAST_DIGITS = 1e-10
_EXACT = {"gtol": 1e-10, "maxiter": 500}
_FLAT = 1e-5  # BFGS stops for lost digits before it reaches 1e-10
