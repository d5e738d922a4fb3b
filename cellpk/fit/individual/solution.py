"""Each patient at her best fit: with the prior or without, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpk.fit.data import FitData
from cellpk.fit.error_size import best_sizes
from cellpk.fit.individual.cases import about_highest
from cellpk.fit.individual.drawing import drawn
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.search import Optimum, is_stationary, search
from cellpk.fit.modes import Aim, descend
from cellpk.fit.posterior import FEW
from cellpk.fit.prior import BOUND

Array = NDArray[np.float64]

SPARE, BEFORE, AFTER = 4, 2, 4
"""What a fit without prior needs: quantified samples beyond the number of parameters,
of which the residual SD is estimated; two for the slope of the rise; four for two
slopes of the fall. With fewer before the highest, fold expansion came out too high by a
factor of a hundred in simulated patients."""

TURNS, KEPT = 20, 4
"""Most turns between curve and residual error of a fit without prior; from how many of
the best ends each turn goes on."""

_SETTLED = 1e-3
_RIDGE = 1e-4
"""What is known at most, in SDs between patients, of what the samples do not tell."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What came of the samples of N patients.

    Parameters
    ----------
    theta : ndarray, shape (N, k)
        The estimates on the transformed scale.
    covariance : ndarray, shape (N, k, k)
        From the curvature there.
    sizes : ndarray, shape (N, assays)
        Logs of how many times the model's the residual errors are.
    no_ml : tuple of str
        Why the prior was needed; empty for a fit without (ML).
    doubts : tuple of tuple of str
        Why a fit cannot be taken for converged; empty where it can.
    draws : ndarray, shape (N, n, k)
        What else the parameters may be; n is 0 where none were asked for.

    Examples
    --------
    >>> sorted(Solution.__annotations__)[:3]                  # see solved
    ['covariance', 'doubts', 'draws']
    """

    theta: Array
    covariance: Array
    sizes: Array
    no_ml: tuple[str, ...]
    doubts: tuple[tuple[str, ...], ...]
    draws: Array

    def of(self, rows: NDArray[np.intp]) -> "Solution":
        """Return the fits of some of the patients.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            Which, in order.
        """
        return Solution(
            self.theta[rows],
            self.covariance[rows],
            self.sizes[rows],
            tuple(self.no_ml[i] for i in rows),
            tuple(self.doubts[i] for i in rows),
            self.draws[rows],
        )

    @property
    def with_prior(self) -> NDArray[np.bool_]:
        """In whom the prior had a part, shape (N,)."""
        return np.array([bool(reason) for reason in self.no_ml], bool)


def solved(
    data: FitData, asked: Question, draws: int
) -> tuple[Solution | None, list[str]]:
    """Return the fits of some patients.

    First with the prior (MAP). Then, where a patient's own samples may do without it,
    once more without (ML), with residual errors of her own size. They may if there are
    enough of them (``SPARE``, ``BEFORE``, ``AFTER``) and if, at the MAP estimate, they
    alone determine every parameter better than the spread between patients does. ML
    stands if it converged off its bounds; else MAP stands and says why. The choice
    rests on the model's residual error: resting it on the patient's own picked those in
    whom that came out too small by chance, and their intervals then covered too little.

    Parameters
    ----------
    data : FitData
        Their samples.
    asked : Question
        Model, prior and starts.
    draws : int
        How many draws to keep of each patient.

    Returns
    -------
    solution : Solution or None
        Of those with a curve, in order; None where nobody has one.
    reasons : list of str
        One per patient of ``data``: why there is no curve, else empty.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> from cellpk.fit.individual.door import question
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> solution, reasons = solved(data, question(data, None, starts=4, seed=1), 0)
    >>> assert solution is not None
    >>> solution.theta.shape, set(reasons), solution.no_ml[0]
    ((18, 6), {''}, '3 quantified samples are fewer than 10')
    """
    optimum = search(asked.aim(data), asked.batch, asked.starts)
    reasons = _uncalculated(data, asked, optimum)
    kept = np.array([i for i, reason in enumerate(reasons) if not reason], np.intp)
    if not kept.size:
        return None, reasons
    data, optimum = data.of(kept), optimum.of(kept)
    no_ml = _sparse(data, asked, optimum.theta)
    rich = np.array([i for i, reason in enumerate(no_ml) if not reason], np.intp)
    parts: list[tuple[NDArray[np.intp], Solution]] = []
    if rich.size:
        alone = _alone(data.of(rich), asked, optimum.of(rich), draws=draws)
        for i, doubts in zip(rich, alone.doubts, strict=True):
            if doubts:
                no_ml[i] = f"without it there is no sure fit: {'; '.join(doubts)}"
        sure = np.array([not no_ml[i] for i in rich], bool)
        parts.append((rich[sure], alone.of(np.flatnonzero(sure))))
    poor = np.array([i for i, reason in enumerate(no_ml) if reason], np.intp)
    if poor.size:
        sizes = np.zeros((poor.size, len(data.series)))
        whole = (data.of(poor), asked, optimum.of(poor))
        why = tuple(no_ml[i] for i in poor)
        parts.append((poor, _concluded(*whole, sizes=sizes, no_ml=why, draws=draws)))
    return joined(parts), reasons


def joined(parts: Sequence[tuple[NDArray[np.intp], Solution]]) -> Solution:
    """Return the fits of groups of patients as one, in their order.

    Parameters
    ----------
    parts : sequence of pairs
        Which patients, and their fits.

    Returns
    -------
    Solution

    Examples
    --------
    >>> one = Solution(np.zeros((1, 2)), np.zeros((1, 2, 2)), np.zeros((1, 1)), ("",),
    ...                ((),), np.zeros((1, 0, 2)))
    >>> joined([(np.array([1]), one), (np.array([0]), one)]).theta.shape
    (2, 2)
    """
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    each = [part for _, part in parts]

    def along(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in each])[order]

    no_ml = [reason for part in each for reason in part.no_ml]
    doubts = [own for part in each for own in part.doubts]
    return Solution(
        theta=along("theta"),
        covariance=along("covariance"),
        sizes=along("sizes"),
        no_ml=tuple(no_ml[i] for i in order),
        doubts=tuple(doubts[i] for i in order),
        draws=along("draws"),
    )


def _uncalculated(data: FitData, asked: Question, optimum: Optimum) -> list[str]:
    """Say in whom even the best end has no curve; else empty."""
    reasons = [""] * len(data.patients)
    bad = np.flatnonzero(~np.isfinite(optimum.value))
    for i in bad:
        alone = data.of(np.array([i]))
        found = alone.levels(asked.aim(alone).full(optimum.theta[i][None]))
        why = next((each.reasons[0] for each in found if each.reasons[0]), "no number")
        reasons[i] = (
            f"no curve can be calculated from any of {len(optimum.ends.value)} starts "
            f"({why}): look at the model's parameters and their spread, or try more "
            "starts"
        )
    return reasons


def _sparse(data: FitData, asked: Question, theta: Array) -> list[str]:
    """Say why a patient's own samples do not do without the prior; else empty."""
    alone = asked.aim(data, with_prior=False)
    errors = np.sqrt(np.diagonal(_covariance(alone, theta), axis1=-2, axis2=-1))
    about = about_highest(data)
    asks = (
        (about.seen.sum(0), len(asked.names) + SPARE, "quantified samples"),
        (about.before.max(0), BEFORE, "of them before the highest"),
        (about.after.max(0), AFTER, "of them after the highest"),
    )
    reasons = [""] * len(theta)
    for i in range(len(theta)):
        few = [(n[i], least, what) for n, least, what in asks if n[i] < least]
        worst = int((errors[i] / asked.sd).argmax())
        if few:
            number, least, what = few[0]
            reasons[i] = f"{number} {what} are fewer than {least}"
        elif errors[i, worst] >= asked.sd[worst]:
            reasons[i] = (
                f"the samples alone leave {asked.names[worst]} less certain than the "
                f"spread between patients does (SE {errors[i, worst]:.2g} against "
                f"{asked.sd[worst]:.2g})"
            )
    return reasons


def _alone(data: FitData, asked: Question, optimum: Optimum, *, draws: int) -> Solution:
    """Fit without prior, with residual errors of each patient's own size."""
    aim, theta = asked.aim(data, with_prior=False), optimum.theta
    seen = np.stack([one.said.quantified.sum(-1) for one in data.series], axis=-1)
    spared = len(asked.names) * seen / seen.sum(-1, keepdims=True)
    everywhere = np.broadcast_to(
        asked.batch[:, None, :], (len(asked.batch), *theta.shape)
    )
    found = search(aim, np.concatenate([everywhere, theta[None]]), asked.starts)
    ends = found.ends.theta
    sizes = np.zeros(seen.shape)
    moving = np.ones(len(theta), bool)
    for _ in range(TURNS):
        levels = data.levels(aim.full(found.theta))
        there = best_sizes(data, levels, data.errors, spared=spared)
        change = np.abs(there - sizes).max(-1)
        sizes = np.where(moving[:, None], there, sizes)
        aim = asked.aim(data, with_prior=False, sizes=sizes)
        found = Optimum(descend(aim, found.ends.theta[:KEPT]).sorted())
        moving &= change >= _SETTLED
        if not moving.any():
            break
    # From each start once more: ends of the turns would count one of them twice.
    found = search(aim, ends, len(ends))
    no_ml = ("",) * len(theta)
    return _concluded(data, asked, found, sizes=sizes, no_ml=no_ml, draws=draws)


def _concluded(
    data: FitData,
    asked: Question,
    optimum: Optimum,
    *,
    sizes: Array,
    no_ml: tuple[str, ...],
    draws: int,
) -> Solution:
    """Return how sure fits are that were all made with the prior, or all without."""
    with_prior = np.array([bool(reason) for reason in no_ml], bool)
    aim = asked.aim(data, with_prior=with_prior, sizes=sizes)
    covariance = _covariance(aim, optimum.theta)
    doubts = _doubts(aim, asked, optimum, covariance=covariance)
    points = np.zeros((len(sizes), draws, len(asked.names)))
    if draws:
        for i, own in enumerate(doubts):
            of_one = aim.of(np.array([i])), optimum.of(np.array([i])).ends
            found = drawn(
                *of_one, asked, sizes=None if no_ml[i] else sizes[i], number=draws
            )
            points[i], effective = found
            if effective < FEW:
                own.append(f"its intervals rest on {effective:.0f} effective draws")
    return Solution(
        theta=optimum.theta,
        covariance=covariance,
        sizes=sizes,
        no_ml=no_ml,
        doubts=tuple(map(tuple, doubts)),
        draws=points,
    )


def _covariance(aim: Aim, theta: Array) -> Array:
    """Inverse of the curvature; at most 100 SDs where nothing is known."""
    ridge = np.diag(_RIDGE / aim.reach**2)
    return np.linalg.inv(aim.surroundings(theta).curvature + ridge)


def _doubts(
    aim: Aim, asked: Question, optimum: Optimum, *, covariance: Array
) -> list[list[str]]:
    """Reasons not to call fits converged."""
    theta, starts = optimum.theta, len(optimum.ends.value)
    stationary, margin = is_stationary(aim, theta), 1e-3 * asked.sd
    stuck = (theta < asked.low + margin) | (theta > asked.high - margin)
    errors = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    loose = errors > BOUND * asked.sd
    found: list[list[str]] = [[] for _ in theta]
    for i, own in enumerate(found):
        reached = int(optimum.reached[i])
        if reached < min(2, starts):
            own.append(f"the best fit was reached from {reached} of {starts} starts")
        if not stationary[i]:
            own.append("a small step still improves it")
        for name, at_bound, anywhere in zip(
            asked.names, stuck[i], loose[i], strict=True
        ):
            if at_bound:
                own.append(f"{name} stands at its bound")
            elif anywhere:
                own.append(f"the samples do not tell {name}")
    return found
