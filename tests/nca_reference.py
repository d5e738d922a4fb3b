"""A plain non-compartmental analysis of one profile, written from published formulas.

One loop per step, nothing shared with ``cellpk``: what the tests of agreement compare
with. Levels below the limit of quantification are 0, missing ones None. Formulas:
Gabrielsson and Weiner, Pharmacokinetic and Pharmacodynamic Data Analysis, section 2.8,
as also printed in the Phoenix WinNonlin help, "NCA computation rules".
"""

from itertools import pairwise
from math import exp, expm1, inf, isnan, log, nan

KEEP = ("zero", "zero", "zero")
PKNCA = ("zero", "drop", "zero")
DROP = ("drop", "drop", "drop")


def prepared(times, levels, below=KEEP):
    """Return (time, level, quantified) of the samples that count in areas."""
    known = sorted((t, c) for t, c in zip(times, levels, strict=True) if c is not None)
    quantified = [t for t, c in known if c > 0]
    if not quantified:
        return [(t, 0.0, False) for t, _ in known if below[0] != "drop"]
    points = []
    for t, c in known:
        place = 0 if t < quantified[0] else 2 if t > quantified[-1] else 1
        if c > 0:
            points.append((t, c, True))
        elif below[place] != "drop":
            stand = 0.0 if below[place] == "zero" else below[place]
            points.append((t, stand, False))
    return points


def at_infusion(points, at_zero):
    """Return the level at time 0: measured, 0, of a bolus, or unknown."""
    for t, c, _ in points:
        if t == 0:
            return c
    if at_zero == "extrapolated" and points:
        (t1, c1, _), (t2, c2, _) = (points * 2)[:2]
        if c1 > c2 > 0:
            return exp(log(c1) + (log(c1) - log(c2)) / (t2 - t1) * t1)
        return c1
    return 0.0 if at_zero == "zero" else nan


def from_infusion(points, at_zero):
    """Return (time, level) from time 0 on."""
    start = [(0.0, at_infusion(points, at_zero))]
    return start + [(t, c) for t, c, _ in points if t > 0]


def peak(times, levels):
    """Return the highest level after time 0 and the first time it is reached."""
    later = [
        (t, c) for t, c in zip(times, levels, strict=True) if c is not None and t > 0
    ]
    if not later:
        return nan, nan
    top = max(c for _, c in later)
    return top, min(t for t, c in later if c == top) if top > 0 else nan


def log_from(curve, cmax, tmax):
    """Return where "linear_log" begins: Tmax, or time 0 where C0 is higher.

    Phoenix help, "Options tab": "after Cmax, or after C0 for IV bolus, if C0 > Cmax".
    """
    return 0.0 if curve[0][1] > cmax else tmax


def exponential(left, right, rule, tmax):
    """Say whether a level runs exponentially from one point to the next."""
    (t1, c1), (_, c2) = left, right
    if rule == "linear" or min(c1, c2) <= 0 or c1 == c2:
        return False
    return c2 < c1 if rule == "linear_up_log_down" else t1 >= tmax


def between(left, right, day, is_exponential):
    """Return the level on a day between two points."""
    (t1, c1), (t2, c2) = left, right
    share = (day - t1) / (t2 - t1)
    if is_exponential:
        return exp(log(c1) + share * (log(c2) - log(c1)))
    return c1 + share * (c2 - c1)


def pieces(curve, start, end, rule, tmax):
    """Yield (low, high, level, level, exponential) of a curve between two days."""
    for left, right in pairwise(curve):
        low, high = max(start, left[0]), min(end, right[0])
        if low >= high:
            continue
        law = exponential(left, right, rule, tmax)
        at_low = left[1] if low == left[0] else between(left, right, low, law)
        at_high = right[1] if high == right[0] else between(left, right, high, law)
        yield low, high, at_low, at_high, law


def area(curve, start, end, *, rule, tmax=inf):
    """Return the area under a curve between two days."""
    total = 0.0
    for low, high, c1, c2, law in pieces(curve, start, end, rule, tmax):
        if law:
            total += (high - low) * (c1 - c2) / log(c1 / c2)
        else:
            total += (high - low) * (c1 + c2) / 2
    return total


def moment(curve, start, end, *, rule, tmax=inf):
    """Return the area under time times level between two days."""
    total = 0.0
    for low, high, c1, c2, law in pieces(curve, start, end, rule, tmax):
        width = high - low
        if law:
            k = log(c1 / c2) / width
            total += (low * c1 - high * c2) / k + (c1 - c2) / k**2
        else:
            total += width * (low * c1 + high * c2) / 2
    return total


def time_above(curve, goal, *, rule, tmax=inf):
    """Return how long a curve is at or above a level."""
    total = 0.0
    for low, high, c1, c2, law in pieces(curve, -inf, inf, rule, tmax):
        bottom, top = min(c1, c2), max(c1, c2)
        if bottom >= goal:
            total += high - low
        elif top >= goal:
            part = (
                log(top / goal) / log(top / bottom)
                if law
                else (top - goal) / (top - bottom)
            )
            total += part * (high - low)
    return total


def regression(points):
    """Return slope, intercept, R2 and adjusted R2 of log level on time."""
    n = len(points)
    x, y = [t for t, _ in points], [log(c) for _, c in points]
    mx, my = sum(x) / n, sum(y) / n
    xx = sum((a - mx) ** 2 for a in x)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    yy = sum((b - my) ** 2 for b in y)
    if xx == 0 or yy == 0:
        return 0.0, my, nan, nan
    slope = xy / xx
    fitted = [my + slope * (a - mx) for a in x]
    left = sum((b - f) ** 2 for b, f in zip(y, fitted, strict=True))
    r2 = 1 - left / yy
    r2adj = 1 - (1 - r2) * (n - 1) / (n - 2) if n > 2 else nan
    return slope, my - slope * mx, r2, r2adj


def terminal(
    times, levels, *, with_peak=False, falling=False, fewest=3, tolerance=1e-4
):
    """Return the terminal slope, chosen by adjusted R2 as PKNCA and WinNonlin do.

    PKNCA seeks the best of all regressions, WinNonlin that of those that fall.
    """
    _, tmax = peak(times, levels)
    usable = sorted(
        (t, c)
        for t, c in zip(times, levels, strict=True)
        if c and (t >= tmax if with_peak else t > tmax)
    )
    found = [
        (usable[i:], *regression(usable[i:])) for i in range(len(usable) - fewest + 1)
    ]
    sound = [f for f in found if not isnan(f[4]) and (f[1] < 0 or not falling)]
    if not sound:
        return None
    best = max(fit[4] for fit in sound)
    near = [fit for fit in sound if fit[4] >= best - tolerance and fit[1] < 0]
    if not near:
        return None
    chosen, slope, intercept, r2, r2adj = max(near, key=lambda fit: len(fit[0]))
    start, end = chosen[0][0], chosen[-1][0]
    return {
        "lambda_z": -slope,
        "half_life": log(2) / -slope,
        "points": len(chosen),
        "start": start,
        "end": end,
        "r2": r2,
        "r2adj": r2adj,
        "span": (end - start) * -slope / log(2),
        "intercept": intercept,
    }


def areas(
    times, levels, *, rule, below=KEEP, at_zero="zero", with_peak=False, falling=False
):
    """Return what an analysis tells of one profile with a quantifiable level."""
    cmax, tmax = peak(times, levels)
    points = prepared(times, levels, below)
    curve = from_infusion(points, at_zero)
    t_last, c_last = max((t, c) for t, c, quantified in points if quantified)
    after = [t for t, *_ in points if t > t_last][:1]
    rules = {"rule": rule, "tmax": log_from(curve, cmax, tmax)}
    told = {
        "log_from": rules["tmax"],
        "cmax": cmax,
        "tmax": tmax,
        "t_last": t_last,
        "c_last": c_last,
        "auc_last": area(curve, 0, t_last, **rules),
        "auc_all": area(curve, 0, after[0] if after else t_last, **rules),
        "aumc_last": moment(curve, 0, t_last, **rules),
    }
    told["mrt_last"] = told["aumc_last"] / told["auc_last"]
    slope = terminal(times, levels, with_peak=with_peak, falling=falling)
    return told | (slope | to_infinity(told, slope) if slope else {})


def to_infinity(told, slope):
    """Return areas and moments to infinity, with Clast observed and predicted."""
    rate, t_last, more = slope["lambda_z"], told["t_last"], {}
    predicted = exp(slope["intercept"] - rate * t_last)
    for name, level in (("obs", told["c_last"]), ("pred", predicted)):
        auc = told["auc_last"] + level / rate
        aumc = told["aumc_last"] + level * t_last / rate + level / rate**2
        more[f"auc_inf_{name}"] = auc
        more[f"extrapolated_{name}"] = 100 * (1 - told["auc_last"] / auc)
        more[f"aumc_inf_{name}"] = aumc
        more[f"mrt_inf_{name}"] = aumc / auc
    return more


def area_beyond(told, end, *, predicted=False):
    """Return the area from Tlast to a later day with lambda_z."""
    rate, t_last = told["lambda_z"], told["t_last"]
    level = told["c_last"]
    if predicted:
        level = exp(told["intercept"] - rate * t_last)
    return -level * expm1(-rate * (end - t_last)) / rate
