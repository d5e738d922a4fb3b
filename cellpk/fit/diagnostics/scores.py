"""Where a sample lies in a distribution, as a normal number, also where it is censored.

A quantified sample has one place in the distribution that is expected of it. Of one
below its limit only the probability to be there is known: a place is drawn in it, each
as likely as any other, so that under the true model all places are uniform.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.fit.bell import Bell
from cellpk.fit.likelihood import Evidence, Part
from cellpk.fit.residual_error import ResidualError
from cellpk.fit.standardised import Standardised, standardise

Array = NDArray[np.float64]


def in_sds(log_level: Array, said: Evidence, error: ResidualError) -> Standardised:
    """Return every sample against a curve, in standard deviations of its error.

    Parameters
    ----------
    log_level : ndarray, shape (..., N, n)
        Log level of the curve at the samples.
    said : Evidence
        What the samples say, shape (N, n).
    error : ResidualError
        How the assay errs.

    Returns
    -------
    Standardised
        Its arrays are of shape (..., N, n); ends far out are held at 1e100.

    Examples
    --------
    >>> said = Evidence(np.array([[2.0, -np.inf]]), np.array([[2.0, 1.5]]))
    >>> error = ResidualError("lognormal", {"sd": 0.5})
    >>> found = in_sds(np.array([[1.0, 1.0]]), said, error)
    >>> found.low, found.high
    (array([[ 2.e+000, -1.e+100]]), array([[2., 1.]]))
    """
    every = Part(np.arange(said.low.size), said.low, said.high)
    values = [np.asarray(error.values[name]) for name in error.names]
    return standardise(log_level, every, error.kind, values=values)


def normal_score(low: Array, high: Array, bell: Bell, *, share: ArrayLike) -> Array:
    """Return samples as standard normal numbers (randomised quantile residuals).

    Parameters
    ----------
    low, high : ndarray, shape (...)
        Ends of the samples in standard deviations; equal where quantified.
    bell : Bell
        The distribution that is expected of them.
    share : array_like, shape (...)
        Uniform numbers: where between its ends a censored sample is put.

    Returns
    -------
    ndarray, shape (...)
        Standard normal where the distribution is the true one. A quantified sample of
        a normal error is its own standardised residual.

    References
    ----------
    Dunn PK, Smyth GK. Randomized quantile residuals. J Comput Graph Stat
    1996;5:236-244.

    Examples
    --------
    >>> from cellpk.fit.bell import Normal
    >>> ends = np.array([1.5, -1e100]), np.array([1.5, 0.0])
    >>> normal_score(*ends, Normal(), share=[0.5, 0.5]).round(4)
    array([ 1.5   , -0.6745])
    """
    from scipy.special import ndtri_exp

    upper = low + high > 0  # in the lower tail small probabilities are numbers
    left, right = np.where(upper, -high, low), np.where(upper, -low, high)
    with np.errstate(divide="ignore"):
        near = np.log1p(-np.asarray(share)) + bell.log_below(left)
        far = np.log(share) + bell.log_below(right)
    score = ndtri_exp(np.logaddexp(near, far))
    return np.where(upper, -score, score)
