"""From the end of a stochastic search to the maximum itself, and how sure it is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.estimates import SETTLED, Estimates
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.saem import Course
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

SD_RANGE = (0.05, 20.0)
"""SDs between patients, on the transformed scale, between which one is sought: of
log-normal parameters, patients who differ by less than 5% do not differ."""

_ROUNDS = (1, 1, 1, 4, 4)  # times as many draws
_FLAT, _LIFTED = 0.06, 0.3
_FAR = 1.5  # standard errors that an estimate may move in one round


@dataclass(frozen=True, eq=False)
class Maximum:
    """The maximum of the likelihood.

    Parameters
    ----------
    estimates : Estimates
        Where it is. Where the curvature is not that of a maximum, the covariance is
        that which follows from the slopes of the patients.
    importance : Importance
        Draws at the estimates, made anew after the last step.
    log_likelihood : ndarray, shape (patients,)
        Of each patient.

    Examples
    --------
    >>> sorted(Maximum.__annotations__)
    ['estimates', 'importance', 'log_likelihood']
    """

    estimates: Estimates
    importance: Importance
    log_likelihood: Array

    @property
    def state(self) -> State:
        """The estimates."""
        return self.estimates.state


def maximum(
    sampled: Sampled,
    course: Course,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Maximum:
    """Climb from the end of a stochastic search to the maximum of the likelihood.

    With the draws of every patient held, the likelihood is smooth, and is climbed; with
    new draws at the place that was reached it is climbed again, until that no longer
    moves the estimates.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    course : Course
        The search.
    rng : numpy Generator
        Chance of the draws.
    draws : int
        Draws of each patient.

    Returns
    -------
    Maximum

    References
    ----------
    Geyer CJ. On the convergence of Monte Carlo maximum likelihood calculations. J R
    Stat Soc B 1994;56:261-274.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> spread = np.tile(start.omega, (8, 1, 1))
    >>> means = sampled.structure.means(start.beta)
    >>> course = Course(start, means, spread, np.empty((0, 14)))
    >>> best = maximum(sampled, course, draws=100, rng=np.random.default_rng(1))
    >>> before = best.importance.log_likelihood(start)
    >>> bool(best.log_likelihood.sum() > before.sum())
    True
    """
    chance = {"rng": rng, "draws": draws}
    best = _rounds(sampled, course, **chance)
    flat = np.sqrt(np.diag(best.state.omega)) < _FLAT
    flat &= sampled.structure.varies
    if not flat.any():
        return best
    # A spread near 0 may be a trap: little there tells which way is up.
    lifted = np.diag(np.where(flat, _LIFTED**2, 0.0))
    state = best.state
    omega = np.where(flat[:, None] | flat, 0.0, state.omega) + lifted
    mean, covariance = best.importance.moments(state)
    again = Course(
        replace(state, omega=omega),
        mean,
        covariance + lifted,
        course.trace,
    )
    other = _rounds(sampled, again, **chance)
    higher = other.log_likelihood.sum() > best.log_likelihood.sum()
    return other if higher else best


def _rounds(
    sampled: Sampled,
    course: Course,
    *,
    rng: np.random.Generator,
    draws: int,
) -> Maximum:
    """Climb, draw anew, and climb again.

    What is doubted yet after some rounds is looked at with more draws.
    """
    state, moments = course.state, (course.mean, course.covariance)
    found = Importance(sampled, state, moments=moments, rng=rng, draws=draws)
    best: Maximum | None = None
    for times in _ROUNDS:
        state = _climbed(found, Layout(sampled.structure, state))
        moments, many = found.moments(state), times * draws
        found = Importance(sampled, state, moments=moments, rng=rng, draws=many)
        best = _concluded(found, Layout(sampled.structure, state))
        if best.estimates.moved < SETTLED and not best.estimates.untold:
            break
    assert best is not None
    return best


def bounds(layout: Layout) -> list[tuple[float, float]]:
    """Return between which values each estimate is sought.

    Parameters
    ----------
    layout : Layout
        Where each estimate stands.

    Returns
    -------
    list of (float, float)
        In the order of ``layout.vector()``.

    Examples
    --------
    >>> from cellpk.fit.population.fit import prepared
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> bounds(Layout(sampled.structure, start))[-1]       # log odds of a share
    (-7.0, 7.0)
    """
    kinds = {
        "beta": (-np.inf, np.inf),
        "log_sd": tuple(np.log(SD_RANGE)),
        "correlation": (-0.99, 0.99),
        "error": (np.log(1e-3), np.log(1e3)),
        "never": (-7.0, 7.0),
        "log_lot_sd": tuple(np.log(SD_RANGE)),
    }
    return [
        kinds[name]
        for name, where in layout.parts().items()
        for _ in range(where.stop - where.start)
    ]


def _climbed(found: Importance, layout: Layout) -> State:
    """Return where the likelihood is highest, as these draws see it."""
    from scipy.optimize import minimize

    low, high = np.array(bounds(layout)).T
    start = np.clip(layout.vector(), low, high)

    own = np.ix_(layout.structure.varies, layout.structure.varies)

    def loss(vector: Array) -> tuple[float, Array]:
        state = layout.state_at(vector)
        if np.linalg.eigvalsh(state.omega[own])[0] <= 0:
            return 1e12, np.zeros_like(vector)
        value = found.log_likelihood(state).sum()
        return -value, -found.slope(layout, vector)

    # Draws tell of their surroundings only: nothing goes far in one round.
    far = _FAR * _rough_errors(found, layout, start)
    nearby = np.fmax(low, start - far), np.fmin(high, start + far)
    best = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.transpose(nearby),
        options={"maxiter": 25, "ftol": 1e-7},
    )
    return layout.state_at(best.x)


def _rough_errors(found: Importance, layout: Layout, vector: Array) -> Array:
    """Return standard errors from the slopes of the patients, at most 0.5."""
    slopes = found.slopes(layout, vector)
    information = slopes.T @ slopes + np.eye(vector.size) / 0.25
    return np.sqrt(np.diag(np.linalg.inv(information)))


def _concluded(found: Importance, layout: Layout) -> Maximum:
    """Say how sure the estimates are, and how far off the maximum."""
    vector = layout.vector()
    low, high = np.array(bounds(layout)).T
    at_bound = (vector < low + 1e-6) | (vector > high - 1e-6)
    free = np.ix_(~at_bound, ~at_bound)
    covariance = np.full((vector.size, vector.size), np.nan)
    slopes = found.slopes(layout, vector)[:, ~at_bound]
    information = found.information(layout, vector)[free]
    values, directions = np.linalg.eigh(information)
    untold = np.abs(directions[:, values <= 0]).argmax(0)
    if untold.size:
        information = slopes.T @ slopes
    covariance[free] = np.linalg.pinv(information)
    step = slopes.sum(0) @ covariance[free] @ slopes.sum(0)
    moved = float(np.sqrt(step / max(1, slopes.shape[1])))
    estimates = Estimates(
        layout=layout,
        covariance=covariance,
        moved=moved,
        at_bound=tuple(at_bound.tolist()),
        untold=tuple(np.flatnonzero(~at_bound)[np.unique(untold)].tolist()),
        deviance_error=2 * found.error(layout.state),
    )
    return Maximum(estimates, found, found.log_likelihood(layout.state))
