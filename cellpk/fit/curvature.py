"""How the log likelihood of a sample curves along the log level of the curve."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.fit.likelihood import Evidence
from cellpk.fit.residual_error import ResidualError, curve_of, gradients, prepared

Array = NDArray[np.float64]

_STEP = 1e-4


def curvature(log_level: ArrayLike, said: Evidence, error: ResidualError) -> Array:
    """Return the curvature of minus the log likelihood of each sample by the log level.

    Parameters
    ----------
    log_level, said, error
        As in :func:`log_likelihood`.

    Returns
    -------
    ndarray, shape (..., n)
        Of a log-normal error exact, but between two limits; else by differences of the
        slopes, which are exact. 0 for a sample that says nothing.

    Examples
    --------
    >>> said = Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5]))
    >>> error = ResidualError("lognormal", {"sd": 0.5})
    >>> curvature([1.0, 1.5], said, error).round(4)     # 1/sd**2, and 2/pi of it
    array([4.    , 2.5465])
    """
    if error.kind != "lognormal":
        return _by_differences(log_level, said, error)
    flat, values, shape = prepared(log_level, said, error)
    found = np.zeros((*shape[: len(shape) - said.low.ndim], said.low.size))
    for name, part in said.parts.items():
        if name == "between":
            own = [
                x[..., part.place] if x.ndim and x.shape[-1] > 1 else x for x in values
            ]
            alone = ResidualError("lognormal", {"sd": own[0]})
            ends = Evidence(part.low, part.high)
            found[..., part.place] = _by_differences(flat[..., part.place], ends, alone)
            continue
        curve = curve_of(flat, part, error, values=values)
        if name == "quantified":
            found[..., part.place] = curve.slope**2
            continue
        z = curve.high if name == "below" else -curve.low
        hazard = error.bell.hazard(z)
        found[..., part.place] = hazard * (hazard + z) * curve.slope**2
    return found.reshape(shape)


def _by_differences(
    log_level: ArrayLike, said: Evidence, error: ResidualError
) -> Array:
    """Return curvatures by differences of the slopes, which are exact."""
    mu = np.asarray(log_level, float)
    up, down = (gradients(mu + step, said, error)[0] for step in (_STEP, -_STEP))
    return (down - up) / (2 * _STEP)
