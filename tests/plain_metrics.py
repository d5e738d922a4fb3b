"""Metrics of one patient by plain loops over her samples, written a second time."""

import statistics
from decimal import Decimal
from itertools import pairwise
from math import exp, log

MONTH = 365.25 / 12
DAYS = {"auc_0_7": 7, "auc_0_14": 14, "auc_0_28": 28}
DAYS |= {f"auc_0_{n}m": n * MONTH for n in (3, 6, 12)}
VISITS = {"d28": (28, 7), "m2": (2 * MONTH, 14), "m3": (3 * MONTH, 14)}
VISITS |= {f"m{n}": (n * MONTH, 30) for n in (6, 9, 12)}


def plain_area(points, last):
    """Area under (time, level) points from the first of them to day ``last``."""
    total = 0.0
    for (t1, c1), (t2, c2) in pairwise(points):
        if t1 >= last or t1 == t2:
            continue
        falls = 0 < c2 < c1
        end, level = min(t2, last), c2
        if t2 > last:
            share = (last - t1) / (t2 - t1)
            level = c1 * (c2 / c1) ** share if falls else c1 + (c2 - c1) * share
        mean = (c1 - level) / log(c1 / level) if falls else (c1 + level) / 2
        total += (end - t1) * mean
    return total


def plain_terminal(points):
    """Adjusted R2, points, rate, start and end of the best regression, or None."""
    fits = []
    for start in range(len(points) - 2):
        x, y = zip(*points[start:], strict=True)
        y = [log(level) for level in y]
        if len(set(y)) == 1 or len(set(x)) == 1:
            continue
        n, r2 = len(x), statistics.correlation(x, y) ** 2
        slope = statistics.linear_regression(x, y).slope
        fits.append((1 - (1 - r2) * (n - 1) / (n - 2), n, -slope, x[0], x[-1]))
    best = max((fit[0] for fit in fits), default=0)
    near = [fit for fit in fits if fit[0] > best - 1e-4 and fit[2] > 0]
    return max(near, key=lambda fit: fit[1]) if near else None


def plain_slope(tail):
    """The terminal metrics, none where the best regression is not good enough."""
    best = plain_terminal(tail)
    if not best:
        return {}
    r2adj, points, rate, start, end = best
    if r2adj < 0.8 or (end - start) * rate / log(2) < 2 - 1e-9:
        return {}
    found = {"lambda_z": rate, "half_life": log(2) / rate, "lambda_z_r2adj": r2adj}
    return found | {
        "lambda_z_points": points,
        "lambda_z_start": start,
        "lambda_z_end": end,
        "lambda_z_span": (end - start) * rate / log(2),
    }


def plain_metrics(times, levels):
    """All metrics of one patient by loops; a metric left out is not calculable."""
    found = {}
    samples = list(zip(times, levels, strict=True))
    after = [(t, c) for t, c in samples if t > 0]
    if not after:
        return found
    window = [(t, c) for t, c in after if t <= 90]
    start = [c for t, c in samples if t <= 0][-1:] or [0.0]
    points = [(0.0, start[0]), *after]
    seen = [(t, c) for t, c in after if c > 0]
    found |= plain_visits(after)
    tail = []
    if window:
        found["cmax"] = max(c for _, c in window)
        if found["cmax"] > 0:
            found["tmax"] = min(t for t, c in window if c == found["cmax"])
            tail = [(t, c) for t, c in seen if t > found["tmax"]]
            found |= plain_rise(after, found["tmax"], found["cmax"])
            found |= plain_rebounds(after, found["tmax"], found["cmax"])
    if seen:
        found["t_last"], found["c_last"] = seen[-1]
        found["auc_last"] = plain_area(points, seen[-1][0])
        found |= plain_loss(after, seen, points)
        low = min(c for t, c in after if t <= seen[-1][0])
        if window and low > 0:
            found["swing"] = (found["cmax"] - low) / low
    found |= plain_slope(tail)
    return found | plain_areas(points, after, found.get("lambda_z"))


def plain_areas(points, after, rate):
    """Areas to fixed days, extrapolated where three quarters of them are sampled."""
    found, (end, level) = {}, after[-1]
    for name, day in DAYS.items():
        if after[0][0] > day:
            continue
        if end >= day or (end > 0.75 * day and (level == 0 or rate)):
            found[name] = plain_area(points, day)
            if end < day and level > 0:
                found[name] += level * (1 - exp(-rate * (day - end))) / rate
    return found


def plain_moment(points, last):
    """Area under time times level, to a sample."""
    total = 0.0
    for (t1, c1), (t2, c2) in pairwise(points):
        if t2 > last or t1 == t2:
            continue
        if 0 < c2 < c1:
            u1, u2, d1, d2 = map(Decimal, (t1, t2, c1, c2))  # floats cancel here
            k = (d1 / d2).ln() / (u2 - u1)
            total += float((u1 * d1 - u2 * d2) / k + (d1 - d2) / k**2)
        else:
            total += (t2 - t1) * (t1 * c1 + t2 * c2) / 2
    return total


def plain_loss(after, seen, points):
    """What is said of the end: still there or lost, and since when."""
    last = seen[-1][0]
    lost = [t for t, c in after if t > last]
    area = plain_area(points, last)
    found = {"t_last_censored": float(not lost)}
    found["auc_all"] = plain_area(points, lost[0]) if lost else area
    if area > 0:
        found["mrt_last"] = plain_moment(points, last) / area
    return found | ({"t_bql": lost[0]} if lost else {})


def plain_rise(after, tmax, cmax):
    """Expansion from the last of the lowest levels before the peak."""
    before = [(t, c) for t, c in after if t < tmax]
    if not before:
        return {}
    low = min(c for _, c in before)
    start = max(t for t, c in before if c == low)
    found = {"fold_expansion": cmax / low} if low > 0 else {}
    rise = [(t, log(c)) for t, c in after if start <= t <= tmax and c > 0]
    if len(rise) < 3 or len({t for t, _ in rise}) == 1:
        return found
    x, y = zip(*rise, strict=True)
    slope = statistics.linear_regression(x, y).slope
    r2 = statistics.correlation(x, y) ** 2 if len(set(y)) > 1 else 0
    r2adj = 1 - (1 - r2) * (len(x) - 1) / (len(x) - 2)
    if slope <= 0 or r2adj < 0.8:
        return found
    found |= {"expansion_rate": slope, "doubling_time": log(2) / slope}
    return found | {"expansion_points": len(x), "expansion_r2adj": r2adj}


def plain_rebounds(after, tmax, cmax, fold=2.0):
    """Rises after the peak: each begins where the level is twice its lowest."""
    place = next(i for i, (t, c) in enumerate(after) if t == tmax and c == cmax)
    rises, low, high = [], cmax, None
    for t, c in after[place + 1 :]:
        if high is None and c > 0 and (c >= fold * low or c > cmax):
            rises.append([(t, c)])
            high = c
        elif high is None:
            low = min(low, c)
        elif fold * c <= high:
            low, high = c, None
        else:
            rises[-1].append((t, c))
            high = max(high, c)
    found = {"rebounds": len(rises)}
    if rises:
        best = max(c for rise in rises for _, c in rise)
        found["second_peak"] = best
        found["second_peak_time"] = min(t for r in rises for t, c in r if c == best)
    return found


def plain_visits(after):
    """Whether the sample nearest to each visit, within its window, has a level."""
    found = {}
    for name, (day, window) in VISITS.items():
        near = [(abs(t - day), i) for i, (t, _) in enumerate(after)]
        near = [each for each in near if each[0] <= window]
        if near:
            found[f"present_{name}"] = float(after[min(near)[1]][1] > 0)
    return found
