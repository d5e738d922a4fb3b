"""A linear mixed model as data of a population fit: all that is sought has a formula.

Levels of patient i are ``a_i + b_i t`` with normal a, b and normal residuals.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal

NAMES = ("a", "b")


@dataclass(frozen=True)
class Sd:
    """One residual SD."""

    sd: float
    names = ("sd",)
    ranges = np.log([[1e-3], [1e3]])

    @property
    def logs(self):
        return np.array([np.log(self.sd)])

    def with_logs(self, logs):
        return Sd(float(np.exp(logs[0])))


@dataclass(frozen=True, eq=False)
class Lines:
    """Samples of patients at times, ``high`` where only an upper end is known."""

    times: np.ndarray
    level: np.ndarray
    below: np.ndarray

    @property
    def patients(self):
        return tuple(str(i) for i in range(len(self.times)))

    @property
    def all_below(self):
        return self.below.all(-1)

    def of(self, rows):
        return Lines(self.times[rows], self.level[rows], self.below[rows])

    def levels(self, theta):
        return [theta[..., :1] + theta[..., 1:] * self.times]

    def score(self, theta, errors):
        z = (self.level - self.levels(theta)[0]) / errors.sd
        mills = np.exp(-0.5 * z**2 - log_ndtr(z)) / np.sqrt(2 * np.pi)
        slope = np.where(self.below, -mills, z) / errors.sd
        return np.stack([slope.sum(-1), (slope * self.times).sum(-1)], axis=-1)

    def log_likelihood(self, levels, errors):
        z = (self.level - levels[0]) / errors.sd
        seen = -0.5 * z**2 - np.log(errors.sd * np.sqrt(2 * np.pi))
        return np.where(self.below, log_ndtr(z), seen).sum(-1)

    def error_gradient(self, levels, errors):
        z = (self.level - levels[0]) / errors.sd
        mills = np.exp(-0.5 * z**2 - log_ndtr(z)) / np.sqrt(2 * np.pi)
        return np.where(self.below, -z * mills, z**2 - 1).sum(-1)[..., None]

    def no_cells(self, errors):
        """Of lines on the log scale: any limit is above a level of zero."""
        value = np.where(self.all_below, 0.0, -np.inf)
        return value, np.zeros((value.size, 1))

    def exact(self, beta, omega, sd):
        """Log likelihood of each patient, where nothing is below."""
        found = []
        for times, level in zip(self.times, self.level, strict=True):
            design = np.stack([np.ones_like(times), times], axis=-1)
            spread = design @ omega @ design.T + sd**2 * np.eye(times.size)
            found.append(multivariate_normal(design @ beta, spread).logpdf(level))
        return np.array(found)


def lines(
    patients=40, *, seed=1, sd=0.5, limit=None, rho=0.0, times=(0, 1, 2, 4), b_sd=0.5
):
    """Draw data with a ~ N(2, 1), b ~ N(-1, b_sd^2), correlated by ``rho``."""
    rng = np.random.default_rng(seed)
    cross = rho * b_sd
    omega = np.array([[1.0, cross], [cross, b_sd**2]])
    theta = rng.multivariate_normal([2.0, -1.0], omega, patients)
    times = np.tile(np.array(times, float), (patients, 1))
    level = theta[:, :1] + theta[:, 1:] * times + sd * rng.standard_normal(times.shape)
    below = np.zeros(times.shape, bool) if limit is None else level < limit
    return Lines(times, np.where(below, limit or 0.0, level), below)
