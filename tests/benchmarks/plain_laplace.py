"""A population fit as one writes it with SciPy: EM with Laplace's approximation.

Each patient's most probable parameters by BFGS, their covariance from the curvature by
differences; from these typical values, spread and residual error; and all of it again.
Levels below the limit enter by their probability (M3).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_ndtr

STEP = 1e-3
PULLS = 20
"""Draws of each patient behind the residual error."""


@dataclass
class Trial:
    """Days, log levels and the log limit of patients, and a curve of theta and days."""

    days: np.ndarray
    log_level: np.ndarray
    log_limit: float
    curve: object

    def log_likelihood(self, patient, theta, sd):
        """Log likelihood of the samples of one patient."""
        mu = self.curve(theta, self.days)
        level = self.log_level[patient]
        seen = -0.5 * ((level - mu) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
        below = log_ndtr((self.log_limit - mu) / sd)
        return np.where(np.isnan(level), below, seen).sum()


def stein_curve(theta, days):
    """Log levels of Stein 2019."""
    tmax, alpha, fb, beta = np.exp(theta[[1, 3, 4, 5]])
    tau = days - tmax
    up = theta[0] / tmax * tau
    late = np.maximum(tau, 0)
    fast, slow = np.exp(-alpha * late), np.exp(-beta * late)
    with np.errstate(all="ignore"):
        down = np.log(np.maximum(fast + fb * (slow - fast), 1e-300))
    return theta[2] + np.where(tau < 0, up, down)


def curvature(loss, at):
    """Second derivatives by differences."""
    steps = STEP * np.eye(at.size)
    rows = [
        [
            sum(a * b * loss(at + a * u + b * v) for a in (1, -1) for b in (1, -1))
            for u in steps
        ]
        for v in steps
    ]
    return np.array(rows) / (4 * STEP**2)


def one_patient(trial, patient, start, state):
    """Mode, covariance and the Laplace approximation of log L of one patient."""
    beta, omega, sd = state
    inverse = np.linalg.inv(omega)

    def loss(theta):
        away = theta - beta
        return 0.5 * away @ inverse @ away - trial.log_likelihood(patient, theta, sd)

    mode = minimize(loss, start, method="BFGS").x
    values, vectors = np.linalg.eigh(curvature(loss, mode))
    values = np.maximum(values, 1 / np.diag(omega).max())  # kinks have no curvature
    covariance = (vectors / values) @ vectors.T
    logs = np.linalg.slogdet(omega)[1] + np.log(values).sum()
    return mode, covariance, -loss(mode) - 0.5 * logs


def laplace_em(trial, start, *, sweeps=30, seed=1):
    """Return beta, the SDs between patients, the residual SD, and -2 log L."""
    beta, spread, sd = start
    omega, deviance = np.diag(np.square(spread)), np.nan
    patients = range(len(trial.log_level))
    modes = np.tile(beta, (len(patients), 1))
    shape = len(patients), PULLS, beta.size
    normal = np.random.default_rng(seed).standard_normal(shape)
    for _ in range(sweeps):
        state = beta, omega, sd
        found = [one_patient(trial, i, modes[i], state) for i in patients]
        modes = np.array([mode for mode, _, _ in found])
        covariance = np.array([each for _, each, _ in found])
        deviance = -2 * sum(value for _, _, value in found)
        beta = modes.mean(0)
        spread2 = np.square(modes - beta) + np.diagonal(covariance, axis1=1, axis2=2)
        omega = np.diag(spread2.mean(0))
        roots = np.linalg.cholesky(covariance)
        drawn = modes[:, None] + normal @ np.swapaxes(roots, 1, 2)
        sd = _residual_error(trial, drawn, sd)
    return beta, np.sqrt(np.diag(omega)), sd, deviance


def _residual_error(trial, drawn, sd):
    """The residual SD that suits draws of all patients best."""
    curves = np.array([[trial.curve(x, trial.days) for x in own] for own in drawn])
    level, limit = trial.log_level[:, None], trial.log_limit
    quantified = ~np.isnan(level)

    def loss(log_sd):
        size = np.exp(log_sd)
        seen = -0.5 * ((level - curves) / size) ** 2 - log_sd
        return -np.where(quantified, seen, log_ndtr((limit - curves) / size)).sum()

    about = np.log(sd)
    return np.exp(minimize_scalar(loss, (about - 0.1, about + 0.1)).x)
