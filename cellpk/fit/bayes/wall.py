"""A normal distribution before a wall, and the way to it from a standard normal one.

The log density of a number x is that of a standard normal one up to ``start``; beyond,
``steepness/2 * (x - start)**2`` is taken off. So falls what is known of a parameter to
which the samples set a limit on one side only.
"""

import math

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SQRT_2 = math.sqrt(2.0)
_FAR = -30.0

# Wichura MJ. Algorithm AS 241: the percentage points of the normal distribution.
# Applied Statistics 1988;37:477-484.
_MIDDLE = np.array(
    [
        [2.5090809287301226727e3, 5.2264952788528545610e3],
        [3.3430575583588128105e4, 2.8729085735721942674e4],
        [6.7265770927008700853e4, 3.9307895800092710610e4],
        [4.5921953931549871457e4, 2.1213794301586595867e4],
        [1.3731693765509461125e4, 5.3941960214247511077e3],
        [1.9715909503065514427e3, 6.8718700749205790830e2],
        [1.3314166789178437745e2, 4.2313330701600911252e1],
        [3.3871328727963666080e0, 1.0],
    ]
)
_TAIL = np.array(
    [
        [7.74545014278341407640e-4, 1.05075007164441684324e-9],
        [2.27238449892691845833e-2, 5.47593808499534494600e-4],
        [2.41780725177450611770e-1, 1.51986665636164571966e-2],
        [1.27045825245236838258e0, 1.48103976427480074590e-1],
        [3.64784832476320460504e0, 6.89767334985100004550e-1],
        [5.76949722146069140550e0, 1.67638483018380384940e0],
        [4.63033784615654529590e0, 2.05319162663775882187e0],
        [1.42343711074968357734e0, 1.0],
    ]
)
_FAR_TAIL = np.array(
    [
        [2.01033439929228813265e-7, 2.04426310338993978564e-15],
        [2.71155556874348757815e-5, 1.42151175831644588870e-7],
        [1.24266094738807843860e-3, 1.84631831751005468180e-5],
        [2.65321895265761230930e-2, 7.86869131145613259100e-4],
        [2.96560571828504891230e-1, 1.48753612908506148525e-2],
        [1.78482653991729133580e0, 1.36929880922735805310e-1],
        [5.46378491116411436990e0, 5.99832206555887937690e-1],
        [6.65790464350110377720e0, 1.0],
    ]
)


@compiled
def log_below(z: float) -> float:
    """Return the log of the probability of a standard normal number below z.

    Examples
    --------
    >>> round(log_below(-1e3), 4)
    -500007.8267
    """
    if z > 5.0:
        return math.log1p(-0.5 * math.erfc(z / _SQRT_2))
    if z > _FAR:
        return math.log(0.5 * math.erfc(-z / _SQRT_2))
    return -0.5 * z * z - _LOG_SQRT_2PI + math.log(_mills(z))


@compiled
def _mills(z: float) -> float:
    """Return probability below over density, far down: the asymptotic series."""
    y = 1.0 / (z * z)
    return (1.0 - y * (1.0 - y * (3.0 - y * (15.0 - y * 105.0)))) / -z


@compiled
def _rational(table: np.ndarray, x: float) -> float:
    above, below = 0.0, 0.0
    for k in range(table.shape[0]):
        above = above * x + table[k, 0]
        below = below * x + table[k, 1]
    return above / below


@compiled
def quantile(log_p: float) -> float:
    """Return where a standard normal number is below with a probability, up to 1/2.

    Parameters
    ----------
    log_p : float
        Log of the probability.

    Examples
    --------
    >>> round(quantile(math.log(0.025)), 4)
    -1.96
    """
    if log_p > -2.5902671654:  # 0.075
        q = math.exp(log_p) - 0.5
        return q * _rational(_MIDDLE, 0.180625 - q * q)
    r = math.sqrt(-log_p)
    if r <= 5.0:
        return -_rational(_TAIL, r - 1.6)
    return -_rational(_FAR_TAIL, r - 5.0)


@compiled
def log_mass(steepness: float, start: float) -> tuple[float, float, float]:
    """Return the log of the whole mass, and its slopes.

    Returns
    -------
    log_mass, by_steepness, by_start : float

    Examples
    --------
    >>> round(log_mass(1e12, 0.0)[0], 4)                    # one half is behind it
    -0.6931
    """
    narrow = 1.0 / (1.0 + steepness)
    scale = math.sqrt(narrow)
    right = math.log(scale) - 0.5 * steepness * start * start * narrow
    right += log_below(-start * scale)
    left = log_below(start)
    top = max(left, right)
    total = top + math.log(math.exp(left - top) + math.exp(right - top))
    behind = math.exp(right - total)
    edge = math.exp(-0.5 * start * start - _LOG_SQRT_2PI - total)
    first = narrow * (edge - start * behind)
    second = narrow * (behind - start * first)
    return total, -0.5 * second, steepness * first


@compiled
def before_wall(
    z: float, steepness: float, start: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return the number before a wall for a standard normal one, both equally rare.

    Parameters
    ----------
    z : float
        A standard normal number.
    steepness : float
        Not negative.
    start : float
        Where the wall begins.

    Returns
    -------
    x, by_steepness, by_start : float
        The number and its slopes.
    log_slope : float
        Log of its slope by z.
    growth_by_z, growth_by_steepness, growth_by_start : float
        Slopes of that.

    Examples
    --------
    >>> before_wall(0.5, 0.0, 1.0)[0]
    0.5
    >>> round(before_wall(0.0, 1e12, 0.0)[0], 4)            # the lower quartile
    -0.6745
    """
    if steepness == 0.0:
        return z, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    total, mass_by_steepness, mass_by_start = log_mass(steepness, start)
    narrow = 1.0 / (1.0 + steepness)
    scale = math.sqrt(narrow)
    whole = math.log(scale) - 0.5 * steepness * start * start * narrow
    low, high = log_below(z), log_below(-z)
    if low + total <= log_below(start):
        x = _left(z, total, low, high, steepness, start)
        behind = 0.0
        pressure = -x
        density = -0.5 * x * x - _LOG_SQRT_2PI
        share = math.exp(low + total - density)
        by_steepness = share * mass_by_steepness
        by_start = share * mass_by_start
    else:
        x = _right(z, total, low, high, steepness, start)
        behind = max(x - start, 0.0)
        pressure = -x - steepness * behind
        density = -0.5 * (x * x + steepness * behind * behind) - _LOG_SQRT_2PI
        share = math.exp(high + total - density)
        first = narrow * (1.0 - start * share)
        second = narrow * (behind + share) - start * narrow * first
        by_steepness = -0.5 * second - share * mass_by_steepness
        by_start = steepness * first - share * mass_by_start
    log_slope = -0.5 * z * z - _LOG_SQRT_2PI + total - density
    return (
        x,
        by_steepness,
        by_start,
        log_slope,
        -z - pressure * math.exp(log_slope),
        mass_by_steepness - pressure * by_steepness + 0.5 * behind * behind,
        mass_by_start - pressure * by_start - steepness * behind,
    )


@compiled
def _left(
    z: float, total: float, low: float, high: float, steepness: float, start: float
) -> float:
    """Return the number where it is before the start of the wall."""
    log_p = low + total
    if log_p <= -0.6931471805599453:
        return quantile(log_p)
    narrow = 1.0 / (1.0 + steepness)
    scale = math.sqrt(narrow)
    taken = scale * math.exp(
        -0.5 * steepness * start * start * narrow + log_below(-start * scale)
    )
    rest = math.exp(log_below(-start)) - taken + math.exp(total + high)
    return -quantile(math.log(max(rest, 1e-300)))


@compiled
def _right(
    z: float, total: float, low: float, high: float, steepness: float, start: float
) -> float:
    """Return the number where it is behind the start of the wall."""
    narrow = 1.0 / (1.0 + steepness)
    scale = math.sqrt(narrow)
    whole = math.log(scale) - 0.5 * steepness * start * start * narrow
    middle = steepness * start * narrow
    log_p = high + total - whole
    if log_p <= -0.6931471805599453:
        return middle - scale * quantile(log_p)
    own = math.exp(log_below(start * scale))
    rest = own + math.exp(total + low - whole) - math.exp(log_below(start) - whole)
    return middle + scale * quantile(math.log(max(rest, 1e-300)))
