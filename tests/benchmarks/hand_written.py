"""Stein's closed form as an expert writes it for the machine: level and slopes."""

import math

import numpy as np
from numba import njit


@njit(cache=False, nogil=True, error_model="numpy")
def stein_levels(theta, times, out, jac):
    """Log levels (n, m) and their slopes (n, m, 6) by theta, all on the log scale.

    In the order of the model: foldx, tmax, cmax, alpha, fb, beta.
    """
    for i in range(theta.shape[0]):
        log_foldx, log_cmax = theta[i, 0], theta[i, 2]
        tmax, alpha = math.exp(theta[i, 1]), math.exp(theta[i, 3])
        fb, beta = math.exp(theta[i, 4]), math.exp(theta[i, 5])
        rho = log_foldx / tmax
        for j in range(times.size):
            tau = times[j] - tmax
            jac[i, j, 2] = 1.0
            if tau < 0:
                out[i, j] = log_cmax + rho * tau
                jac[i, j, 0] = tau / tmax
                jac[i, j, 1] = -rho * (tau / tmax + 1.0) * tmax
                jac[i, j, 3] = jac[i, j, 4] = jac[i, j, 5] = 0.0
            else:
                fast, slow = math.exp(-alpha * tau), math.exp(-beta * tau)
                level = fast + fb * (slow - fast)
                inverse = 1.0 / level
                by_fast = (1.0 - fb) * fast
                out[i, j] = log_cmax + math.log(level)
                jac[i, j, 0] = 0.0
                jac[i, j, 1] = tmax * inverse * (alpha * by_fast + beta * fb * slow)
                jac[i, j, 3] = -alpha * tau * inverse * by_fast
                jac[i, j, 4] = fb * inverse * (slow - fast)
                jac[i, j, 5] = -beta * tau * inverse * fb * slow


def hand_written(theta, times):
    """What the compiled model returns, in arrays of its own."""
    shape = (len(theta), times.size)
    out, jac = np.empty(shape), np.empty((*shape, theta.shape[1]))
    stein_levels(theta, times, out, jac)
    return out, jac
