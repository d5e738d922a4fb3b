"""Patients' parameters from standard normal numbers, and slopes back, in plain loops.

Compiled once a machine, for all models: no model is called here. All arrays are of the
v parameters that vary between patients; within a patient they stand in her own order.
"""

import math

import numpy as np

from cellpk.fit.bayes.wall import before_wall, compiled
from cellpk.fit.bayes.wall import log_below as _log_below


@compiled
def forward(z, mean, between, known, found):
    """Fill in parameters for standard normal numbers.

    Parameters
    ----------
    z : ndarray, shape (N, v)
    mean : ndarray, shape (N, v)
        What is expected of each patient.
    between : ndarray, shape (v, v)
        Inverse of the covariance between patients.
    known : tuple
        ``pull, precision, order, steepness, start, side`` of a whitening.
    found : tuple
        Filled in: ``theta, value, inverse, centre, white, bend``.
    """
    pull, precision, order, steepness, start, side = known
    theta, value, inverse, centre, white, bend = found
    patients, v = z.shape
    root, right = np.empty((v, v)), np.empty(v)
    last = v - 1
    for i in range(patients):
        own, turned = order[i], inverse[i]
        for a in range(v):
            right[a] = pull[i, a]
            for b in range(v):
                right[a] += between[own[a], own[b]] * mean[i, own[b]]
        half = 0.0
        for a in range(v):
            for b in range(a + 1):
                total = precision[i, a, b] + between[own[a], own[b]]
                for c in range(b):
                    total -= root[a, c] * root[b, c]
                if a > b:
                    root[a, b] = total * turned[b, b]
                else:
                    root[a, a] = math.sqrt(total)  # not a number: not definite
                    turned[a, a] = 1.0 / root[a, a]
                    half += math.log(root[a, a])
        for b in range(v):
            for a in range(b + 1, v):
                total = 0.0
                for c in range(b, a):
                    total -= root[a, c] * turned[c, b]
                turned[a, b] = total * turned[a, a]
        for a in range(v):
            white[i, a] = z[i, a]
            for b in range(a):
                turned[b, a] = 0.0
        for a in range(v):
            total = 0.0
            for b in range(a + 1):
                total += turned[a, b] * right[b]
            centre[i, a] = total
        for a in range(v):
            total = 0.0
            for b in range(a, v):
                total += turned[b, a] * centre[i, b]
            centre[i, a] = total
        sign = side[i]
        size = turned[last, last]
        bent = before_wall(
            sign * z[i, last],
            steepness[i] * size * size,
            sign * (start[i] - centre[i, last]) / size,
        )
        white[i, last] = sign * bent[0]
        for k in range(6):
            bend[i, k] = bent[k + 1]
        for a in range(v):
            total = centre[i, a]
            for b in range(a, v):
                total += turned[b, a] * white[i, b]
            theta[i, own[a]] = total
        square = 0.0
        for a in range(v):
            for b in range(v):
                square += (
                    (theta[i, a] - mean[i, a])
                    * between[a, b]
                    * (theta[i, b] - mean[i, b])
                )
        value[i] = bent[3] - half - 0.5 * square


@compiled
def backward(score, mean, between, known, found):
    """Return slopes by z, by what is expected, and by the inverse of the covariance.

    Parameters
    ----------
    score : ndarray, shape (N, v)
        Slope of each patient's log likelihood by her parameters.
    mean, between, known, found
        As of :func:`forward`, which has filled in ``found``.

    Returns
    -------
    by_z, by_mean : ndarray, shape (N, v)
    by_between : ndarray, shape (v, v)
        Symmetric.
    """
    pull, precision, order, steepness, start, side = known
    theta, value, inverse, centre, white, bend = found
    patients, v = score.shape
    by_z, by_mean = np.empty((patients, v)), np.empty((patients, v))
    total_between = np.zeros((v, v))
    g, w, u = np.empty(v), np.empty(v), np.empty(v)
    away, pressed = np.empty(v), np.empty(v)
    s, half = np.empty((v, v)), np.empty((v, v))
    last = v - 1
    for i in range(patients):
        own, turned = order[i], inverse[i]
        for a in range(v):
            away[a] = theta[i, own[a]] - mean[i, own[a]]
        for a in range(v):
            pressed[a] = 0.0
            for b in range(v):
                pressed[a] += between[own[a], own[b]] * away[b]
            g[a] = score[i, own[a]] - pressed[a]
        for a in range(v):
            w[a] = 0.0
            for b in range(a + 1):
                w[a] += turned[a, b] * g[b]
            by_z[i, a] = w[a]
        sign, size = side[i], turned[last, last]
        by_steepness = w[last] * sign * bend[i, 0] + bend[i, 4]
        by_start = w[last] * sign * bend[i, 1] + bend[i, 5]
        by_z[i, last] = w[last] * math.exp(bend[i, 2]) + sign * bend[i, 3]
        apart = start[i] - centre[i, last]
        by_root = sign * apart * by_start
        by_root -= 2.0 * steepness[i] * size * size * size * by_steepness
        for a in range(v):
            for b in range(a):
                s[a, b] = s[b, a] = -0.5 * white[i, a] * w[b]
            s[a, a] = -0.5 * white[i, a] * w[a] - 0.5
        s[last, last] += 0.5 * by_root / size
        w[last] -= sign * by_start  # by the centre, through the start of the wall
        for a in range(v):
            u[a] = 0.0
            for b in range(a, v):
                u[a] += turned[b, a] * w[b]
        for a in range(v):
            total = pressed[a]
            for b in range(v):
                total += between[own[a], own[b]] * u[b]
            by_mean[i, own[a]] = total
            for b in range(v):
                half[a, b] = 0.0
                for c in range(b, v):
                    half[a, b] += s[a, c] * turned[c, b]
        for a in range(v):
            for b in range(v):
                total = -0.5 * away[a] * away[b]
                total += u[a] * (mean[i, own[b]] - centre[i, b])
                for c in range(a, v):
                    total += turned[c, a] * half[c, b]
                total_between[own[a], own[b]] += total
    return by_z, by_mean, 0.5 * (total_between + total_between.T)


@compiled
def lognormal(level, slope, low, high, sd):
    """Return log likelihood of patients and its slopes, for an error of the log level.

    Parameters
    ----------
    level : ndarray, shape (N, n)
        Log level of the curve.
    slope : ndarray, shape (N, n, p)
        Its slopes by natural values of the parameters.
    low, high : ndarray, shape (N, n)
        Ends of the samples, none of which is between two limits.
    sd : float

    Returns
    -------
    value, by_log_sd : ndarray, shape (N,)
    score : ndarray, shape (N, p)
    """
    patients, samples, size = slope.shape
    value, by_sd = np.zeros(patients), np.zeros(patients)
    score = np.zeros((patients, size))
    constant = math.log(sd) + 0.5 * math.log(2 * math.pi)
    for i in range(patients):
        for j in range(samples):
            if low[i, j] == high[i, j]:
                x = (low[i, j] - level[i, j]) / sd
                value[i] -= 0.5 * x * x + constant
                push = x / sd
                by_sd[i] += x * x - 1.0
            elif high[i, j] < np.inf:
                x = (high[i, j] - level[i, j]) / sd
                below, hazard = below_and_hazard(x)
                value[i] += below
                push = -hazard / sd
                by_sd[i] -= hazard * x
            elif low[i, j] > -np.inf:
                x = (level[i, j] - low[i, j]) / sd
                below, hazard = below_and_hazard(x)
                value[i] += below
                push = hazard / sd
                by_sd[i] -= hazard * x
            else:
                continue
            for k in range(size):
                score[i, k] += push * slope[i, j, k]
    return value, by_sd, score


@compiled
def below_and_hazard(x):
    """Return log of the normal probability below x, and density over probability."""
    if x > 9.0:
        return 0.0, 0.0
    below = _log_below(x)
    return below, math.exp(-0.5 * x * x - 0.9189385332046727 - below)
