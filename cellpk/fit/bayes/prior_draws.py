"""Draws of the population from its prior."""

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.bayes.joint_model import blocks
from cellpk.fit.bayes.prior_numbers import PriorNumbers
from cellpk.fit.bayes.sampling import Chain
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]


def prior_draws(
    priors: PriorNumbers,
    structure: Structure,
    number: int,
    *,
    never: bool,
    rng: np.random.Generator,
) -> Chain:
    """Return draws of everything that is estimated of a population, from its prior.

    Parameters
    ----------
    priors : PriorNumbers
        The priors.
    structure : Structure
        How parameters differ between patients.
    number : int
        How many draws.
    never : bool
        Whether there is a class of patients whose cells never expand.
    rng : numpy Generator
        Chance.

    Returns
    -------
    mapping of str to ndarray, shape (number, ...)
        ``location, spread, correlation, error`` and, where they are estimated,
        ``never_expanded, lot_spread``; as in the posterior.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.bayes.prior_choice import Priors
    >>> from cellpk.fit.bayes.prior_numbers import prior_numbers
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> plain = Structure.without_covariates(stein.free, 18)
    >>> data = fit_data(stein, ck.simulate_study(seed=1))
    >>> priors = prior_numbers(data, plain, Priors(), never=True)
    >>> drawn = prior_draws(priors, plain, 9, never=True, rng=np.random.default_rng(1))
    >>> sorted(drawn), drawn["correlation"].shape
    (['correlation', 'error', 'location', 'never_expanded', 'spread'], (9, 6, 6))
    """
    numbers = priors.numbers
    from scipy.special import betaincinv, ndtri

    varying = int(structure.varies.sum())
    correlation = np.tile(np.eye(varying), (number, 1, 1))
    for group in blocks(structure):
        own = lkj(numbers.correlation, len(group), number, rng=rng)
        correlation[:, *np.ix_(group, group)] = own

    def half_normal(scale: Array) -> Array:
        return scale * ndtri(0.5 + evenly_drawn(number, len(scale), rng) / 2)

    away = ndtri(evenly_drawn(number, len(numbers.centre), rng))
    drawn = {
        "location": numbers.centre + numbers.sd * away,
        "spread": half_normal(numbers.spread),
        "error": half_normal(numbers.error),
        "correlation": correlation,
    }
    if structure.lots:
        drawn["lot_spread"] = half_normal(numbers.lot)
    if never:
        share = evenly_drawn(number, 1, rng)[:, 0]
        drawn["never_expanded"] = betaincinv(*numbers.never, share)
    return drawn


def evenly_drawn(number: int, size: int, rng: np.random.Generator) -> Array:
    """Return uniform draws, of which each of as many equal parts holds one.

    Percentiles of so few draws are then those of the distribution.

    Parameters
    ----------
    number, size : int
        How many draws, of how many independent variables.
    rng : numpy Generator
        Chance.

    Returns
    -------
    ndarray, shape (number, size)

    References
    ----------
    McKay MD, Beckman RJ, Conover WJ. Technometrics 1979;21:239-245 (Latin hypercube).

    Examples
    --------
    >>> drawn = evenly_drawn(4, 1, np.random.default_rng(1))
    >>> np.sort(np.floor(4 * drawn[:, 0]))
    array([0., 1., 2., 3.])
    """
    order = rng.permuted(np.tile(np.arange(number)[:, None], (1, size)), axis=0)
    return (order + rng.random((number, size))) / number


def lkj(shape: float, size: int, number: int, *, rng: np.random.Generator) -> Array:
    """Draw correlation matrices whose density goes with their determinant.

    The density is proportional to ``det ** (shape - 1)``: the onion method.

    Parameters
    ----------
    shape : float
        1 is uniform; more is closer to no correlation.
    size, number : int
        Rows of a matrix, and how many matrices.
    rng : numpy Generator
        Chance.

    Returns
    -------
    ndarray, shape (number, size, size)

    References
    ----------
    Lewandowski D, Kurowicka D, Joe H. J Multivar Anal 2009;100:1989-2001, section 3.2.

    Examples
    --------
    >>> drawn = lkj(2.0, 3, 5, rng=np.random.default_rng(1))
    >>> drawn.shape, bool((np.linalg.eigvalsh(drawn) > 0).all())
    ((5, 3, 3), True)
    """
    root = np.zeros((number, size, size))
    root[:, 0, 0] = 1.0
    for k in range(1, size):
        # The squared length of a new row of the root, and its direction.
        square = rng.beta(k / 2, shape + (size - 1 - k) / 2, size=number)
        direction = rng.standard_normal((number, k))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        root[:, k, :k] = np.sqrt(square)[:, None] * direction
        root[:, k, k] = np.sqrt(1 - square)
    return root @ np.swapaxes(root, -1, -2)
