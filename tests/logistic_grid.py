"""An independent answer to compare with: the posterior on a grid, no sampler.

Censored and uncertain exposures are integrated here by the trapezoid rule on a dense
grid, not by the nodes of cellpk.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit
from scipy.stats import norm

A = np.linspace(-12, 12, 161)
B = np.linspace(-12, 16, 225)


@dataclass
class Grid:
    weight: np.ndarray  # (A, B)

    @property
    def slope(self):
        return self.weight.sum(axis=0)

    @property
    def mean(self):
        return float(self.slope @ B)

    @property
    def sd(self):
        return float(np.sqrt(self.slope @ (B - self.mean) ** 2))

    @property
    def intercept(self):
        return float(self.weight.sum(axis=1) @ A)

    @property
    def intercept_sd(self):
        return float(np.sqrt(self.weight.sum(axis=1) @ (A - self.intercept) ** 2))

    @property
    def pr_positive(self):
        return float(self.slope[B > 0].sum() + self.slope[B == 0].sum() / 2)

    def quantile(self, p):
        return float(np.interp(p, np.cumsum(self.slope) - self.slope / 2, B))

    def probability(self, x):
        """Posterior mean of the probability at x."""
        eta = A[:, None] + B * x
        return float((self.weight / (1 + np.exp(-eta))).sum())


def below(limit, mean, sd):
    """Points and weights of a normal distribution below a limit."""
    x = np.linspace(min(mean, limit) - 9 * sd, limit, 240)
    return x, _trapezoid(x, norm.pdf(x, mean, sd))


def normal(mean, sd):
    x = np.linspace(mean - 7 * sd, mean + 7 * sd, 121)
    return x, _trapezoid(x, norm.pdf(x, mean, sd))


def exactly(x):
    return np.array([x]), np.array([1.0])


def _trapezoid(x, density):
    weight = density * np.gradient(x)
    weight[[0, -1]] /= 2
    return weight / weight.sum()


def posterior(exposures, event, *, prior=(0.0, 2.0, 0.0, 2.5)):
    """Posterior of the logistic regression.

    exposures: one (points, weights) per patient; event: one bool per patient.
    """
    log_density = norm.logpdf(A, *prior[:2])[:, None] + norm.logpdf(B, *prior[2:])
    alike = Counter(
        (x.tobytes(), weight.tobytes(), bool(happened))
        for (x, weight), happened in zip(exposures, event, strict=True)
    )
    for (x, weight, happened), count in alike.items():
        points, shares = np.frombuffer(x), np.frombuffer(weight)
        sign = 1.0 if happened else -1.0
        log_density += count * _log_likelihood(points, shares, sign)
    density = np.exp(log_density - log_density.max())
    return Grid(density / density.sum())


def _log_likelihood(x, weight, sign):
    if len(x) == 1:
        return log_expit(sign * (A[:, None] + B * x[0]))
    total = np.zeros((len(A), len(B)))
    for point, share in zip(x, weight, strict=True):
        total += share / (1 + np.exp(-sign * (A[:, None] + B * point)))
    return np.log(total)
