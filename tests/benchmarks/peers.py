"""The models of the benchmark as one writes them by hand for SciPy.

Right sides are plain Python on floats, the fastest that SciPy's solvers take: for a few
states NumPy is several times slower. States are logs where they never are zero.
"""

import math
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp


def solved(pieces, start, days, *, method, tolerance, scale):
    """States (states, days) of right sides that hold from day to day, in order.

    ``pieces`` are (right side, first day, last day, what jumps at its start).
    """
    state, found, seen = np.array(start, dtype=float), [], 0
    atol = tolerance * np.asarray(scale, dtype=float)
    for right_side, begin, end, jump in pieces:
        state = state + jump
        last = int(np.searchsorted(days, end, side="right"))
        here = days[seen:last]
        inner = here if here.size and here[-1] == end else np.append(here, end)
        if end > begin:
            run = solve_ivp(
                right_side,
                (begin, end),
                state,
                method=method,
                t_eval=inner,
                rtol=tolerance,
                atol=atol,
            )
            assert run.success, run.message
            found.append(run.y[:, : here.size])
            state = run.y[:, -1]
        seen = last
    return np.concatenate(found, axis=1)


def stein(theta, days, *, method, tolerance):
    """Log level of Stein 2019: states are log E and M/E, stopped at the peak."""
    log_foldx, log_cmax = theta[0], theta[2]
    tmax, alpha, fb, beta = (math.exp(theta[i]) for i in (1, 3, 4, 5))
    rho, k = log_foldx / tmax, fb * (alpha - beta)

    def rise(t, y):
        return rho, -rho * y[1]

    def fall(t, y):
        return -alpha, k + (alpha - beta) * y[1]

    end, peak = days[-1], min(tmax, days[-1])
    log_effector, ratio = solved(
        [(rise, 0.0, peak, 0.0), (fall, peak, end, 0.0)],
        [log_cmax - log_foldx, 0.0],
        days,
        method=method,
        tolerance=tolerance,
        scale=[1.0, 1.0],
    )
    return log_effector + np.log1p(ratio)


def kimmel(theta, days, *, method, tolerance):
    """Log CAR-T cells of Kimmel 2021: all states are logs."""
    K_c, r_n, rho_c, a, b, r_b, gamma_b, k_b = map(math.exp, theta)
    log_K_n, log_K_c, K_n = math.log(2.5e11), math.log(K_c), 2.5e11

    def right_side(t, y):
        cells = math.exp(y[1])
        total = math.exp(y[0]) + cells
        size, away = math.log(total), (total - K_n) ** 2
        growth = rho_c + b * away / (a * total * total + away)
        return (
            -r_n * (size - log_K_n),
            -growth * (size - log_K_c),
            r_b - gamma_b * cells / (k_b + cells),
        )

    found = solved(
        [(right_side, 0.0, days[-1], 0.0)],
        np.log([3e9, 1.8e8, 9.486e10]),
        days,
        method=method,
        tolerance=tolerance,
        scale=[1.0, 1.0, 1.0],
    )
    return found[1]


DOSES = (0.11, 0.33, 0.66)
"""Of UPN1 on days 0, 1 and 2, in 1e9 cells."""


def hardiansyah(theta, days, *, method, tolerance):
    """Log CAR-T cells of Hardiansyah & Ng 2019, UPN1.

    Of the states only log B is a log: the others start at or near zero. What is allowed
    of their errors is relative to sizes that they soon have.
    """
    r_e, d_e, a_e, k_bc, p_il6, p_il10, p_ifn = map(math.exp, theta)
    loss_il6, loss_il10, loss_ifn, most, half = 3.96, 4.68, 1.51, 0.59, 650.0
    grow_m, loss_m, back, inward, outward, h = 0.0509, 0.408, 1.0, 76.78, 1.84, 1e5
    net_b = 0.0093 - 0.0076

    def right_side(t, y):
        log_b, e, e_t, m, m_t, il6, il10, ifn = y.tolist()
        tumour = math.exp(log_b)
        share = tumour / (tumour + h)
        made = tumour * e * 1e6
        turned = a_e * e * (1.0 - share) - back * m * share
        e_out, m_out = inward * e - outward * e_t, inward * m - outward * m_t
        return (
            net_b - k_bc * e,
            r_e * e * tumour - d_e * e - e_out - turned,
            e_out,
            (grow_m - loss_m) * m - m_out + turned,
            m_out,
            loss_il6 * (1.7 - il6) + p_il6 * made,
            loss_il10 * (4.5 - il10) + p_il10 * made,
            loss_ifn * (2.3 - ifn)
            + p_ifn * made * (most + (1.0 - most) * half / (il10 + half)),
        )

    ends = [0.0, 1.0, 2.0, days[-1]]
    pieces = [
        (right_side, begin, end, dose * np.eye(8)[1])
        for (begin, end), dose in zip(pairwise(ends), DOSES, strict=True)
    ]
    found = solved(
        pieces,
        [math.log(4.14), 0.0, 0.0, 0.0, 0.0, 1.7, 4.5, 2.3],
        days,
        method=method,
        tolerance=tolerance,
        scale=[1.0, 1e-4, 1e-3, 1e-5, 1e-4, 1.0, 1.0, 1.0],
    )
    return np.log(found[1] + found[3])


def with_differences(log_level, theta, days, *, method, tolerance):
    """Slopes (days, p) of the log level: p + 1 solutions.

    With steps of the root of the tolerance what is cut off of the series and what the
    solver leaves are about equal.
    """
    settings, step = {"method": method, "tolerance": tolerance}, math.sqrt(tolerance)
    value = log_level(theta, days, **settings)
    slopes = [
        (log_level(there, days, **settings) - value) / step
        for there in theta + step * np.eye(theta.size)
    ]
    return np.stack(slopes, axis=-1)
