"""What a patient's fit minimises: -2 log likelihood, with or without a prior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.likelihood import Evidence, log_likelihood, residuals
from cellpk.fit.prior import Prior
from cellpk.model.model import Model

Array = NDArray[np.float64]


SD_RANGE = (0.01, 10.0)
"""Residual SDs of the log level between which one is sought: no assay repeats itself
to 1 %, and none that scatters over ten log units measures anything."""


@dataclass(frozen=True, eq=False)
class Objective:
    """One patient's censored likelihood as a function of the model's parameters.

    Parameters
    ----------
    model : Model
        Gives the curve.
    observed : str
        Which of the model's observed levels the assay measures.
    times : ndarray, shape (n,)
        Days of the samples after infusion.
    said : Evidence
        What the samples say.
    prior : Prior
        Distribution between patients; its bounds hold with and without ``penalised``.
    sd : float
        Residual standard deviation of the log level.
    penalised : bool
        Whether the distance from the prior is part of the objective (MAP) or not (ML).

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.prior import prior_of
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> prior = prior_of(stein, [], observed="qpcr", unit="copies/ug")
    >>> said = Evidence(np.array([10.0]), np.array([10.0]))
    >>> times = np.array([9.3])
    >>> objective = Objective(stein, "qpcr", times, said, prior, sd=0.5, penalised=True)
    >>> float(objective.value(stein.typical).round(4))    # ((log 24000 - 10) / 0.5)**2
    0.0295
    >>> r, jacobian = objective.residuals(stein.typical)
    >>> r.shape, jacobian.shape                           # 1 sample, 6 parameters
    ((7,), (7, 6))
    """

    model: Model
    observed: str
    times: Array
    said: Evidence
    prior: Prior
    sd: float
    penalised: bool

    def residuals(self, theta: Array) -> tuple[Array, Array]:
        """Return residuals whose squares add up to the objective, and their Jacobian.

        Parameters
        ----------
        theta : ndarray, shape (..., p)
            Parameters on the transformed scale.

        Returns
        -------
        r : ndarray, shape (..., m)
            One per sample, and one per parameter where the prior counts.
        jacobian : ndarray, shape (..., m, p)
            By theta.

        """
        mu, gradient = self.model.log_level_gradient(
            theta, self.times, observed=self.observed
        )
        r, slope = residuals(mu, self.said, self.sd)
        jacobian = slope[..., None] * gradient
        if not self.penalised:
            return r, jacobian
        pull = np.diag(1 / self.prior.sd)
        pull = np.broadcast_to(pull, (*theta.shape, theta.shape[-1]))
        return (
            np.concatenate([r, self.prior.standardised(theta)], axis=-1),
            np.concatenate([jacobian, pull], axis=-2),
        )

    def value(self, theta: Array) -> Array:
        """Return -2 log likelihood, less its best value, plus the prior's share.

        Parameters
        ----------
        theta : ndarray, shape (..., p)
            Parameters on the transformed scale.

        Returns
        -------
        ndarray, shape (...)

        """
        mu = self.model.log_level(theta, self.times, observed=self.observed)
        total = np.square(residuals(mu, self.said, self.sd)[0]).sum(-1)
        if self.penalised:
            total = total + np.square(self.prior.standardised(theta)).sum(-1)
        return total

    def log_density(self, points: Array) -> Array:
        """Return the log of the density that the intervals rest on.

        With the prior it is the posterior density. Without, it is the likelihood,
        which says the same of each parameter (transformed scale) and of the log
        residual SD, within the bounds: in a linear model this gives the classical
        t intervals.

        Parameters
        ----------
        points : ndarray, shape (..., p) or (..., p + 1)
            Parameters on the transformed scale and, where it was estimated, the log of
            the residual SD.

        Returns
        -------
        ndarray, shape (...)
            Up to a constant; minus infinity beyond the bounds.

        """
        size = self.prior.centre.size
        theta = points[..., :size]
        estimated = points.shape[-1] > size
        log_sd = points[..., size:] if estimated else np.log(np.full(1, self.sd))
        sd = np.exp(np.clip(log_sd, *np.log(SD_RANGE)))
        mu = self.model.log_level(theta, self.times, observed=self.observed)
        total = log_likelihood(mu, self.said, sd).sum(-1)
        if self.penalised:
            total = total - 0.5 * np.square(self.prior.standardised(theta)).sum(-1)
        inside = (theta >= self.prior.low) & (theta <= self.prior.high)
        inside = inside.all(-1) & (sd == np.exp(log_sd))[..., 0]
        return np.where(inside, total, -np.inf)
