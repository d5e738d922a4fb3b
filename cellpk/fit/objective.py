"""What a patient's fit minimises: -2 log likelihood, with or without a prior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.likelihood import Evidence, log_likelihood, residuals
from cellpk.fit.prior import Prior
from cellpk.model.levels import Levels
from cellpk.model.model import Model

Array = NDArray[np.float64]


SD_RANGE = (0.01, 10.0)
"""Residual SDs of the log level between which one is sought: no assay repeats itself
to 1 %, and none that scatters over ten log units measures anything."""

TOLERANCE = 1e-5
"""Error per step of a model without closed form: far below any residual SD."""

WORST = 1e8
"""Residual that stands for a curve that cannot be calculated: worse than any real one,
and a number, so that a search turns away from it as from any other bad place."""


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

    def levels(
        self, theta: Array, times: Array | None = None, *, gradient: bool = False
    ) -> Levels:
        """Return log levels from the compiled model, with a closed form or without.

        Parameters
        ----------
        theta : ndarray, shape (..., p)
            Parameters on the transformed scale.
        times : ndarray, shape (n,), optional
            Days after infusion; those of the samples where not given.
        gradient : bool
            Whether to work out the gradient by theta.

        Returns
        -------
        Levels
            Those that cannot be calculated have a reason.

        """
        return self.model.kernel.solve(
            theta,
            self.times if times is None else times,
            observed=self.observed,
            gradient=gradient,
            tolerance=TOLERANCE,
        )

    def residuals(self, theta: Array) -> tuple[Array, Array]:
        """Return residuals whose squares add up to the objective, and their Jacobian.

        Parameters
        ----------
        theta : ndarray, shape (..., p)
            Parameters on the transformed scale.

        Returns
        -------
        r : ndarray, shape (..., m)
            One per sample, and one per parameter where the prior counts. Those of
            samples are ``WORST`` where the curve cannot be calculated.
        jacobian : ndarray, shape (..., m, p)
            By theta.

        """
        found = self.levels(theta, gradient=True)
        r, slope = residuals(found.log_level, self.said, self.sd)
        r[found.failed] = WORST
        assert found.gradient is not None
        jacobian = slope[..., None] * found.gradient
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
        found = self.levels(theta)
        r, _ = residuals(found.log_level, self.said, self.sd)
        r[found.failed] = WORST
        total = np.square(r).sum(-1)
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
            Up to a constant; minus infinity beyond the bounds and where the curve
            cannot be calculated.

        """
        size = self.prior.centre.size
        theta = points[..., :size]
        estimated = points.shape[-1] > size
        log_sd = points[..., size:] if estimated else np.log(np.full(1, self.sd))
        sd = np.exp(np.clip(log_sd, *np.log(SD_RANGE)))
        found = self.levels(theta)
        total = log_likelihood(found.log_level, self.said, sd).sum(-1)
        if self.penalised:
            total = total - 0.5 * np.square(self.prior.standardised(theta)).sum(-1)
        inside = (theta >= self.prior.low) & (theta <= self.prior.high)
        inside = inside.all(-1) & (sd == np.exp(log_sd))[..., 0]
        return np.where(inside & ~found.failed, total, -np.inf)
