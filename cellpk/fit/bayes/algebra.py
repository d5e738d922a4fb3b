"""Patients' parameters from standard normal numbers, and slopes back, in plain loops.

Compiled once a machine, for all models: no model is called here. All arrays are of the
v parameters that vary between patients; within a patient they stand in her own order.
"""

import math

import numpy as np

from cellpk.fit.bayes.shape import compiled, log_below, moved


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
        ``pull, precision, order, curves, count`` of a whitening.
    found : tuple
        Filled in: ``theta, value, inverse, centre, white, bend``.
    """
    pull, precision, order, curves, count = known
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
        if count[i]:
            size = root[last, last]
            moved(
                z[i, last],
                centre[i, last],
                size * size,
                curves[i, :, : count[i]],
                bend[i],
            )
            white[i, last] = size * (bend[i, 0] - centre[i, last])
            half -= bend[i, 3] + math.log(size)
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
        value[i] = -half - 0.5 * square


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
    pull, precision, order, curves, count = known
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
        by_centre, by_root = 0.0, 0.0
        if count[i]:
            size = 1.0 / turned[last, last]
            by_z[i, last] = w[last] * size * math.exp(bend[i, 3]) + bend[i, 4]
            by_centre = w[last] * size * (bend[i, 1] - 1.0) + bend[i, 5]
            by_root = w[last] * (white[i, last] / size + 2 * size * size * bend[i, 2])
            by_root += 2.0 * size * bend[i, 6] + 1.0 / size
        for a in range(v):
            for b in range(a):
                s[a, b] = s[b, a] = -0.5 * white[i, a] * w[b]
            s[a, a] = -0.5 * white[i, a] * w[a] - 0.5
        s[last, last] += 0.5 * by_root / turned[last, last]
        w[last] += by_centre * turned[last, last]
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
    below = log_below(x)
    return below, math.exp(-0.5 * x * x - 0.9189385332046727 - below)
