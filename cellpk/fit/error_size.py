"""Residual errors of a patient's own size: how many times the model's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.residual_error import ResidualError, log_likelihood
from cellpk.model.levels import Levels

Array = NDArray[np.float64]

SIZES = (0.02, 20.0)
"""How many times the model's residual error a patient's own may be: no assay repeats
itself to 1 %, and none that scatters over ten log units measures anything."""

_GRID, _HALVINGS = 81, 30
_GOLDEN = 0.381966


def sized(errors: Sequence[ResidualError], logs: Array) -> list[ResidualError]:
    """Return residual errors of another size in each patient.

    Parameters
    ----------
    errors : sequence of ResidualError
        One per assay.
    logs : ndarray, shape (..., assays)
        Logs of the factors by which all parameters of an error are multiplied.

    Returns
    -------
    list of ResidualError
        With parameters of shape (..., 1).

    Examples
    --------
    >>> error = ResidualError("lognormal", {"sd": 0.5})
    >>> sized([error], np.log([[2.0], [4.0]]))[0].values["sd"].round(6).tolist()
    [[1.0], [2.0]]
    """
    return [
        error.with_logs(error.logs + logs[..., i, None])
        for i, error in enumerate(errors)
    ]


def best_sizes(
    data: FitData,
    levels: Sequence[Levels],
    errors: Sequence[ResidualError],
    *,
    spared: Array | float = 0.0,
    within: tuple[float, float] = SIZES,
) -> Array:
    """Return the size of each patient's residual error that suits her curve best.

    Parameters
    ----------
    data : FitData
        Samples of N patients.
    levels : sequence of Levels
        The curves at the samples, one entry per assay.
    errors : sequence of ResidualError
        One per assay: sizes are factors of these.
    spared : float or ndarray, shape (N, assays)
        Samples that the curve itself used up: the size is the one at which log L plus
        so many times its log is highest. With 0 that is maximum likelihood; with the
        number of parameters, in a linear model, the unbiased residual variance.
    within : pair of float
        Least and greatest factor.

    Returns
    -------
    ndarray, shape (N, assays)
        Logs of the factors, by golden section about the best of a grid.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> levels = data.levels(np.tile(stein.typical, (18, 1)))
    >>> best_sizes(data, levels, data.errors).shape
    (18, 1)
    """
    patients, grid = (
        len(data.patients),
        np.linspace(np.log(within[0]), np.log(within[1]), _GRID),
    )
    spared = np.broadcast_to(spared, (patients, len(errors)))
    found = np.empty((patients, len(errors)))
    for i, curve in enumerate(levels):

        def gain(logs: Array, i: int = i, curve: Levels = curve) -> Array:
            (error,) = sized(errors[i : i + 1], logs[..., None])
            each = log_likelihood(curve.log_level, data.series[i].said, error)
            return each.sum(-1) + spared[:, i] * logs

        wide = np.broadcast_to(grid[:, None], (len(grid), patients))
        place = gain(wide).argmax(0)
        low, high = (
            grid[np.maximum(place - 1, 0)],
            grid[np.minimum(place + 1, _GRID - 1)],
        )
        for _ in range(_HALVINGS):
            third = _GOLDEN * (high - low)
            left, right = low + third, high - third
            rising = gain(left) < gain(right)
            low, high = np.where(rising, left, low), np.where(rising, high, right)
        found[:, i] = 0.5 * (low + high)
    return found
