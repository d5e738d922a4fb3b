"""Maximum likelihood by stochastic approximation of the EM algorithm (SAEM).

Kuhn E, Lavielle M. Maximum likelihood estimation in nonlinear mixed effects models.
Comput Stat Data Anal 2005;49:1020-1038. Levels below the limit enter by their
probability (M3), as do all others by their density; what maximises the likelihood of
the residual errors is followed by its gradient.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.population.chains import Chains, Steps
from cellpk.fit.population.state import Sampled, State

Array = NDArray[np.float64]

NARROW = 0.1
"""SD to which a parameter without spread is annealed during the search, in
``Structure.sizes``, as the least SD between lots."""

ANNEALED = 0.95
"""Most that a variance may shrink to in a step of the first half of the search."""

_MOST = 0.5
_FEW = 1e-3
_THIN = 0.01


@dataclass(frozen=True, eq=False)
class Course:
    """What came of a run.

    Parameters
    ----------
    state : State
        The estimates.
    mean, covariance : ndarray, shape (patients, p) and (patients, p, p)
        Moments of each patient's parameters, given her samples.
    trace : ndarray, shape (iterations, numbers)
        ``State.numbers`` after each iteration.

    Examples
    --------
    >>> sorted(Course.__annotations__)
    ['covariance', 'mean', 'state', 'trace']
    """

    state: State
    mean: Array
    covariance: Array
    trace: Array


def saem(
    sampled: Sampled,
    start: State,
    *,
    rng: np.random.Generator,
    steps: Steps | None = None,
) -> Course:
    """Maximise the likelihood of a population.

    Parameters
    ----------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    start : State
        Where to begin; a class of patients who never expand is estimated where its
        share is above 0.
    rng : numpy Generator
        Chance.
    steps : Steps, optional
        How long.

    Returns
    -------
    Course
        The same for the same generator.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.fit import prepared
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(8, design=ck.Design([4, 7, 14, 28]), seed=1).study()
    >>> sampled, start = prepared(stein, study)
    >>> short = Steps(search=5, average=5)
    >>> chance = np.random.default_rng(1)
    >>> course = saem(sampled, start, rng=chance, steps=short)
    >>> course.trace.shape, course.mean.shape      # 6 + 6 + 1 + 1 numbers
    ((10, 14), (8, 6))
    """
    steps = steps or Steps()
    chains, state, trace = Chains(sampled, start, rng), start, []
    for done in range(steps.search + steps.average):
        chains.move(state, steps)
        gain = 1.0 if done < steps.search else 1 / (done - steps.search + 1)
        chains.remember(gain)
        state = _maximised(chains, state, gain=gain, free=2 * done >= steps.search)
        trace.append(state.numbers())
    spread = chains.square - chains.mean[:, :, None] * chains.mean[:, None, :]
    numbers = np.array(trace)
    varies = chains.structure.varies
    shared = np.flatnonzero(~varies) + len(state.beta)
    numbers[:, shared] = 0.0
    state = replace(state, omega=np.where(np.outer(varies, varies), state.omega, 0.0))
    return Course(state, chains.mean, spread, numbers)


def _maximised(chains: Chains, state: State, *, gain: float, free: bool) -> State:
    """Return the estimates that suit what is remembered."""
    structure = chains.structure
    beta = structure.beta(chains.own_mean, state.omega)
    omega = structure.omega(chains.own_mean, chains.own_square.sum(0), beta)
    slope, curvature = chains.error_slopes(state.errors)
    step = slope / np.maximum(curvature, 1e-3 * np.abs(slope) + 1e-12)
    step = gain * np.clip(step, -_MOST, _MOST)
    if not free:  # early on nothing may collapse before the typical values are found
        least = ANNEALED * np.diag(state.omega)
        omega = np.diag(np.maximum(np.diag(omega), least))
        step = np.maximum(step, np.log(ANNEALED))
    shared = ~structure.varies
    before, least = np.diag(state.omega)[shared], NARROW * structure.sizes[shared]
    omega[shared, shared] = np.maximum(ANNEALED * before, least**2)
    never = state.never
    if never:
        never = float(np.clip(1 - chains.expanded_share, _FEW, 1 - _FEW))
    errors = state.errors.with_logs(state.errors.logs + step)
    # What all lots add is of the typical value (parameter-expanded EM: Liu C, Rubin DB,
    # Wu YN. Biometrika 1998;85:755-770).
    lot_sd = np.sqrt(chains.lot_square - chains.lot_mean**2)
    if structure.lots:
        beta[structure.lots.places] += chains.lot_mean
        lot_sd = np.maximum(lot_sd, _THIN * structure.sizes[structure.lots.places])
    if not free:
        lot_sd = np.maximum(lot_sd, np.sqrt(ANNEALED) * state.lot_sd)
    return State(beta, omega, errors, never, lot_sd)
