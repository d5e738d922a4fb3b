"""Whether chains agree, and how many independent draws theirs are worth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Mixing(NamedTuple):
    """Diagnostics of one or more quantities.

    Parameters
    ----------
    r_hat : ndarray
        Rank-normalised split R-hat; NaN of a single chain.
    ess_bulk, ess_tail : ndarray
        Effective draws for the middle, and for the 5th and 95th percentile.

    Examples
    --------
    >>> Mixing._fields
    ('r_hat', 'ess_bulk', 'ess_tail')
    """

    r_hat: Array
    ess_bulk: Array
    ess_tail: Array


def mixing(values: Array) -> Mixing:
    """Return R-hat and effective sample sizes.

    Parameters
    ----------
    values : ndarray, shape (chains, draws, ...)
        Draws.

    Returns
    -------
    Mixing
        Arrays of the shape (...); NaN where a draw is not a number or all are the same.

    References
    ----------
    Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C. Bayesian Anal
    2021;16:667-718.

    Examples
    --------
    >>> drawn = np.random.default_rng(1).standard_normal((4, 500))
    >>> found = mixing(drawn)
    >>> bool(found.r_hat < 1.01), bool(found.ess_bulk > 1000)
    (True, True)
    """
    from arviz_stats.base.array import array_stats

    shape = values.shape[2:]
    flat = values.reshape(*values.shape[:2], -1)
    moves = np.isfinite(flat).all((0, 1)) & (np.ptp(flat, axis=(0, 1)) > 0)
    found = np.full((3, flat.shape[-1]), np.nan)
    own = np.moveaxis(flat[..., moves], -1, 0)
    if not len(own):
        return Mixing(*found.reshape(3, *shape))
    # Of what is yes or no in equal shares, the distance from the median is one number.
    with np.errstate(invalid="ignore", divide="ignore"):
        if len(values) > 1:
            found[0, moves] = array_stats.rhat(own)
        found[1, moves] = array_stats.ess(own, method="bulk")
        # The percentiles of ArviZ's summaries and of Vehtari et al.
        found[2, moves] = array_stats.ess(own, method="tail", prob=(0.05, 0.95))
    return Mixing(*found.reshape(3, *shape))
