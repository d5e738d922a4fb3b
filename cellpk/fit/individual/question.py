"""What all patients of a study are asked alike: parameters, prior, bounds, starts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.error_size import sized
from cellpk.fit.modes import Aim
from cellpk.fit.prior import Prior
from cellpk.fit.ties import Ties
from cellpk.model.model import Model

Array = NDArray[np.float64]

BATCH = 256
"""Draws from the distribution between patients among which starts are chosen."""


@dataclass(frozen=True, eq=False)
class Question:
    """What all patients of a study are asked alike.

    Parameters
    ----------
    model : Model
        The model.
    prior : Prior
        Distribution of its p free parameters between patients.
    ties : Ties
        Which k of them are estimated.
    low, high : ndarray, shape (k,)
        Bounds, on the transformed scale.
    given : ndarray, shape (m, k)
        Where else to start: m is 0 or 1.
    starts, seed : int
        From how many places to descend, and their chance.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.prior import prior_of
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> asked = Question(stein, prior, Ties(stein), prior.low, prior.high,
    ...                  given=np.empty((0, 6)), starts=16, seed=1)
    >>> asked.batch.shape, asked.precision.shape
    ((256, 6), (6, 6))
    """

    model: Model
    prior: Prior
    ties: Ties
    low: Array
    high: Array
    given: Array
    starts: int
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the k parameters that are estimated."""
        return self.ties.names

    @property
    def mean(self) -> Array:
        """Centre of their distribution between patients, shape (k,)."""
        return self.prior.centre[self.ties.places]

    @property
    def sd(self) -> Array:
        """Their spread between patients, shape (k,)."""
        return self.prior.sd[self.ties.places]

    @cached_property
    def precision(self) -> Array:
        """Inverse covariance between patients, correlations included, shape (k, k)."""
        places = self.ties.places
        correlation = self.model.correlation[np.ix_(places, places)]
        return np.linalg.inv(correlation * np.outer(self.sd, self.sd))

    @cached_property
    def batch(self) -> Array:
        """Points among which the starts are chosen, shape (b, k): a Sobol sequence."""
        drawn = self.prior_draws(max(BATCH, self.starts))
        return np.clip(np.concatenate([self.given, drawn]), self.low, self.high)

    def prior_draws(self, number: int) -> Array:
        """Return draws of the estimated parameters from the prior, shape (n, k).

        Examples
        --------
        >>> Question.prior_draws.__name__              # see Question
        'prior_draws'
        """
        standard = self.prior.standardised(self.prior.draws(number, self.seed))
        root = np.linalg.cholesky(self.model.correlation)
        drawn = self.prior.centre + self.prior.sd * (standard @ root.T)
        return drawn[:, self.ties.places]

    def aim(
        self,
        data: FitData,
        *,
        with_prior: NDArray[np.bool_] | bool = True,
        sizes: Array | None = None,
    ) -> Aim:
        """Return what is sought of N patients.

        Parameters
        ----------
        data : FitData
            Their samples.
        with_prior : bool or ndarray of bool, shape (N,)
            In whom the prior counts.
        sizes : ndarray, shape (N, assays), optional
            Logs of how many times the model's residual errors are; once where not
            given.

        Returns
        -------
        Aim

        Examples
        --------
        >>> Question.aim.__name__                      # see Question
        'aim'
        """
        count = np.broadcast_to(with_prior, len(data.patients))
        plain = self.ties.names == self.model.free
        return Aim(
            data,
            data.errors if sizes is None else sized(data.errors, sizes),
            np.tile(self.mean, (len(data.patients), 1)),
            self.precision * count[:, None, None],
            low=self.low,
            high=self.high,
            reach=self.sd,
            ties=None if plain else self.ties,
        )
