"""What is known of one parameter, of whatever shape, and the way to it from a normal one.

Samples often set a limit to a parameter on one side only, or favour a value but leave
all smaller ones possible. So what they say of it is a sum of normal curves, among them
wide ones. Times a normal density of what is expected, it is a mixture of normal
densities, which follows exactly what is expected and how sure that is.
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
def moved(
    z: float, centre: float, sure: float, curves: np.ndarray, out: np.ndarray
) -> None:
    """Fill in the parameter for a standard normal number, both equally rare.

    Parameters
    ----------
    z : float
        A standard normal number.
    centre, sure : float
        Mean and inverse variance of the parameter without what the curves say.
    curves : ndarray, shape (3, K)
        Log height, pull and precision: together they say
        ``sum(exp(height + pull*x - precision/2*x**2))`` of the parameter x.
    out : ndarray, shape (7,)
        Filled in: the parameter, its slopes by ``centre`` and ``sure``, the log of its
        slope by z, and the slopes of that log by z, ``centre`` and ``sure``.

    Examples
    --------
    >>> out = np.empty(7)
    >>> moved(1.0, 0.0, 1.0, np.array([[0.0], [1.0], [3.0]]), out)   # N(1/4, 1/4)
    >>> round(out[0], 6)
    0.75
    """
    size = curves.shape[1]
    total, mean, square = -np.inf, 0.0, 0.0
    for k in range(size):
        total = max(total, _log_mass(centre, sure, curves, k))
    mass, by_centre, by_sure = 0.0, 0.0, 0.0
    for k in range(size):
        own = sure + curves[2, k]
        middle = (sure * centre + curves[1, k]) / own
        part = math.exp(_log_mass(centre, sure, curves, k) - total)
        mass += part
        mean += part * middle
        square += part * (middle * middle + 1.0 / own)
        by_centre += part * sure * (middle - centre)
        by_sure += part * _mass_by_sure(centre, sure, middle, own)
    total += math.log(mass)
    mean, by_centre, by_sure = mean / mass, by_centre / mass, by_sure / mass
    sd = math.sqrt(square / mass - mean * mean)
    side = 1.0 if z > 0.0 else -1.0
    x = _found(z, mean, sd, centre, sure, curves, total, side)
    log_density, slope = _density(x, centre, sure, curves, total)
    f_centre, f_sure = 0.0, 0.0
    for k in range(size):
        own = sure + curves[2, k]
        middle = (sure * centre + curves[1, k]) / own
        log_part = _log_mass(centre, sure, curves, k) - total - log_density
        away = (x - middle) * math.sqrt(own)
        tail = -side * math.exp(log_part + log_below(-side * away))
        here = math.exp(
            log_part - 0.5 * away * away - _LOG_SQRT_2PI + 0.5 * math.log(own)
        )
        f_centre += tail * (sure * (middle - centre) - by_centre)
        f_centre -= here * sure / own
        f_sure += tail * (_mass_by_sure(centre, sure, middle, own) - by_sure)
        f_sure += here * ((middle - centre) + 0.5 * (x - middle)) / own
    out[0], out[1], out[2] = x, -f_centre, -f_sure
    out[3] = -0.5 * z * z - _LOG_SQRT_2PI - log_density
    out[4] = -z - slope * math.exp(out[3])
    out[5] = slope * f_centre - sure * (x - centre) + by_centre
    far = (x - centre) * (x - centre)
    out[6] = slope * f_sure - 0.5 / sure + 0.5 * far + by_sure


@compiled
def _log_mass(centre: float, sure: float, curves: np.ndarray, k: int) -> float:
    """Return the log of the mass under a curve times the normal density."""
    height, pull, precision = curves[0, k], curves[1, k], curves[2, k]
    own = sure + precision
    square = (pull + 2.0 * sure * centre) * pull - sure * precision * centre * centre
    return height + 0.5 * (math.log(sure / own) + square / own)


@compiled
def _mass_by_sure(centre: float, sure: float, middle: float, own: float) -> float:
    away = middle - centre
    return 0.5 * (1.0 / sure - away * away - 1.0 / own)


@compiled
def _density(
    x: float, centre: float, sure: float, curves: np.ndarray, total: float
) -> tuple[float, float]:
    """Return the log density of the mixture, and its slope by x."""
    top, height, slope = -np.inf, 0.0, 0.0
    for k in range(curves.shape[1]):
        top = max(top, curves[0, k] + x * (curves[1, k] - 0.5 * curves[2, k] * x))
    for k in range(curves.shape[1]):
        part = math.exp(
            curves[0, k] + x * (curves[1, k] - 0.5 * curves[2, k] * x) - top
        )
        height += part
        slope += part * (curves[1, k] - curves[2, k] * x)
    away = x - centre
    log_density = top + math.log(height) - total - _LOG_SQRT_2PI
    log_density += 0.5 * math.log(sure) - 0.5 * sure * away * away
    return log_density, slope / height - sure * away


@compiled
def _log_tail(
    x: float,
    centre: float,
    sure: float,
    curves: np.ndarray,
    total: float,
    side: float,
) -> float:
    """Return the log of the probability beyond x, on one side."""
    found = 0.0
    top = -np.inf
    for k in range(curves.shape[1]):
        own = sure + curves[2, k]
        middle = (sure * centre + curves[1, k]) / own
        part = _log_mass(centre, sure, curves, k) - total
        part += log_below(-side * (x - middle) * math.sqrt(own))
        if part > top:
            found = found * math.exp(top - part) + 1.0
            top = part
        else:
            found += math.exp(part - top)
    return top + math.log(found)


@compiled
def _found(
    z: float,
    mean: float,
    sd: float,
    centre: float,
    sure: float,
    curves: np.ndarray,
    total: float,
    side: float,
) -> float:
    """Return where the probability beyond is that beyond z: Newton, on z's scale."""
    aim = -abs(z)
    low, high, x = -np.inf, np.inf, mean + sd * z
    for _ in range(60):
        log_tail = _log_tail(x, centre, sure, curves, total, side)
        if log_tail < -0.6931471805599453:
            here = quantile(log_tail)
        else:
            here = -quantile(math.log(max(-math.expm1(log_tail), 1e-300)))
        short = side * (here - aim)  # how far x is to go up, on the scale of z
        if short > 0.0:
            low = x
        else:
            high = x
        log_density, _ = _density(x, centre, sure, curves, total)
        step = short * math.exp(-0.5 * here * here - _LOG_SQRT_2PI - log_density)
        step = min(max(step, -3.0 * sd), 3.0 * sd)
        if abs(step) < 1e-11 * sd:
            return x + step
        if not low < x + step < high:
            step = 0.5 * (low + high) - x
        x += step
    return x
