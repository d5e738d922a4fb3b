"""Profile-likelihood intervals: of parameters by lmfit, of all else by ours."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.individual.corners import turn_corners
from cellpk.fit.individual.door import inner_names, minimizer
from cellpk.fit.individual.numbers import delta_variances, quantity_names, values_of
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.solution import Solution
from cellpk.fit.modes import Aim, Surroundings, descend
from cellpk.model.parameters import SCALES

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

Array = NDArray[np.float64]
Target = Callable[[Array], tuple[Array, Array]]
"""From parameters (..., k) to a quantity (...) and its slope (..., k)."""

_PLACES = np.array([0.4, 0.7, 1.0, 1.4, 2.0, 3.0])
"""Where a profile is looked at first, in lengths of the delta method's interval."""

_STRETCH, _STRETCHES, _ROUNDS = 3.0, 4, 3
_STARTS = 4
_TIGHT = 0.1  # a pin gives way by about so many standard errors, squared


@dataclass(frozen=True, eq=False)
class Pinned(Aim):
    """An aim, with a quantity of each patient pulled to a place.

    Where a descent ends, no other parameters with the same quantity are better: it is
    a point of the profile, though not quite where the quantity was pulled to.

    Parameters
    ----------
    target : callable
        The quantity.
    at : ndarray, shape (N,)
        Where it is pulled to.
    pull : float
        How strongly.

    Examples
    --------
    >>> Pinned.__base__.__name__
    'Aim'
    """

    target: Target = lambda theta: (theta[..., 0], np.zeros_like(theta))
    at: Array | float = 0.0
    pull: float = 0.0

    def values(self, theta: Array) -> Array:
        """Return the objective with the pull."""
        away = self.target(theta)[0] - self.at
        return super().values(theta) + 0.5 * self.pull * away**2

    def surroundings(self, theta: Array) -> Surroundings:
        """Return the objective with the pull, its slope and curvature."""
        here = super().surroundings(theta)
        value, slope = self.target(theta)
        away = value - self.at
        return Surroundings(
            here.value + 0.5 * self.pull * away**2,
            here.slope + self.pull * away[..., None] * slope,
            here.curvature + self.pull * slope[..., None] * slope[..., None, :],
        )

    def of(self, rows: NDArray[np.intp]) -> "Pinned":
        """Return the aim for some of the patients."""
        plain = super().of(rows)
        at = np.broadcast_to(self.at, len(self.mean))[rows]
        return pinned(plain, self.target, at=at, pull=self.pull)


def pinned(aim: Aim, target: Target, *, at: Array, pull: float) -> Pinned:
    """Return an aim with a quantity pulled to a place.

    Examples
    --------
    >>> pinned.__name__                                      # see Pinned
    'pinned'
    """
    own = {name: getattr(aim, name) for name in Aim.__annotations__}
    return Pinned(**own, target=target, at=at, pull=pull)


class _Asked(NamedTuple):
    """A profile of one patient: what is profiled, about what, and how far."""

    aim: Aim
    target: Target
    theta: Array
    points: Array
    error: float
    loss: float


def profiled(
    aim: Aim,
    asked: Question,
    solution: Solution,
    *,
    names: Sequence[str] | None,
    points: Array,
    level: float,
) -> pd.DataFrame:
    """Return profile-likelihood intervals of one patient.

    Parameters
    ----------
    aim : Aim
        What was sought, of this patient alone.
    asked : Question
        Names and ties.
    solution : Solution
        Her fit.
    names : sequence of str, optional
        Which quantities; all where not given.
    points : ndarray, shape (n, k)
        Where to look for starts.
    level : float
        Probability that the intervals hold.

    Returns
    -------
    DataFrame
        ``quantity, kind, value, low, high``.

    Raises
    ------
    FitError
        Where there is no such quantity.

    Examples
    --------
    >>> profiled.__name__                          # see IndividualFits.profile
    'profiled'
    """
    known = quantity_names(asked.model)
    wanted = list(known if names is None else names)
    for name in wanted:
        if name not in known:
            found = f"{name!r} is not a quantity of {asked.model.name}"
            raise FitError(found, todo=nearest(name, known))
    made = minimizer(aim, asked, solution.theta[0])
    best = made.leastsq()
    loss = _loss(best, solution, level)
    value = values_of(aim.data, asked.ties.full(solution.theta))[0]
    errors = np.sqrt(delta_variances(aim.data, asked, solution))[0]
    rows = []
    for name in wanted:
        i = known.index(name)
        kind = "parameter" if name in asked.model.free else "derived"
        ends = _by_lmfit(made, best, asked, (name, level, solution))
        if ends is None:
            target = _target(aim, asked, name)
            about = _Asked(aim, target, solution.theta[0], points, errors[i], loss)
            ends = _natural(asked, name, _ends(about))
        rows.append((name, kind, value[i], *ends))
    columns = ["quantity", "kind", "value", "low", "high"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _loss(best: "MinimizerResult", solution: Solution, level: float) -> float:
    """By how much minus the log likelihood may rise within the interval."""
    from scipy.stats import chi2, f

    if solution.with_prior[0]:
        return 0.5 * float(chi2.ppf(level, 1))
    spare = vars(best)["nfree"]
    return 0.5 * float(f.ppf(level, 1, spare)) * vars(best)["chisqr"] / spare


def _by_lmfit(
    made: Any,
    best: "MinimizerResult",
    asked: Question,
    about: tuple[str, float, Solution],
) -> tuple[float, float] | None:
    """Return lmfit's interval of a parameter; None where lmfit gives none."""
    import lmfit
    from lmfit.minimizer import MinimizerException
    from scipy.stats import chi2

    name, level, solution = about
    if name not in asked.names:
        return None

    def probability(old: "MinimizerResult", new: "MinimizerResult") -> float:
        return float(chi2.cdf(vars(new)["chisqr"] - vars(old)["chisqr"], 1))

    inner = inner_names(asked)[asked.names.index(name)]
    how = probability if solution.with_prior[0] else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = lmfit.conf_interval(
                made, best, p_names=[inner], sigmas=[level], prob_func=how
            )
    except (MinimizerException, ValueError):
        return None
    (_, low), _, (_, high) = found[inner]
    back = SCALES[asked.model.parameters[name].scale].back
    with np.errstate(over="ignore"):
        return float(back(low)), float(back(high))


def _target(aim: Aim, asked: Question, name: str) -> Target:
    """Return a quantity: a parameter on its scale, the log of a derived one."""
    model, ties = asked.model, asked.ties
    (group,) = aim.data.groups
    inputs = group.inputs

    def parameter(theta: Array) -> tuple[Array, Array]:
        i = model.free.index(name)
        return ties.full(theta)[..., i], ties.slopes(theta)[..., i, :]

    def derived(theta: Array) -> tuple[Array, Array]:
        flat = ties.full(theta).reshape(-1, 1, len(model.free))
        value, slope = model.quantities(flat, inputs=inputs)[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (slope / value[..., None])[:, 0].reshape(*theta.shape[:-1], 1, -1)
            log = np.log(value[:, 0]).reshape(theta.shape[:-1])
        return log, (along @ ties.slopes(theta))[..., 0, :]

    return parameter if name in model.free else derived


def _natural(
    asked: Question, name: str, ends: tuple[float, float]
) -> tuple[float, float]:
    """Carry ends back to natural units."""
    row = asked.model.parameters.get(name) if name in asked.model.free else None
    back = np.exp if row is None else SCALES[row.scale].back
    with np.errstate(over="ignore"):
        return float(back(ends[0])), float(back(ends[1]))


def _ends(asked: _Asked) -> tuple[float, float]:
    """Return the ends of a profile interval on the quantity's scale."""
    middle = float(asked.target(asked.theta[None])[0][0])
    if not asked.error > 0:
        return middle, middle
    return _end(asked, middle, -1), _end(asked, middle, 1)


def _end(asked: _Asked, middle: float, sign: int) -> float:
    """Return one end: further and further out, then nearer and nearer to it."""
    least = float(asked.aim.values(asked.theta[None])[0])
    reach = asked.error * np.sqrt(2 * asked.loss)
    seen = [(0.0, least)]
    for stretch in range(_STRETCHES):
        places = _PLACES * reach * _STRETCH**stretch
        seen += _points(asked, middle, sign * places)
        if max(value for _, value in seen) > least + asked.loss:
            break
    else:
        return sign * np.inf
    for _ in range(_ROUNDS):
        low, high = _bracket(seen, sign, least + asked.loss)
        between = low[0] + np.array([0.25, 0.5, 0.75]) * (high[0] - low[0])
        seen += _points(asked, middle, between)
    low, high = _bracket(seen, sign, least + asked.loss)
    # The root of the loss is nearly straight along the quantity.
    near, far = (np.sqrt(max(value - least, 0.0)) for _, value in (low, high))
    share = (np.sqrt(asked.loss) - near) / (far - near)
    return float(middle + low[0] + share * (high[0] - low[0]))


def _bracket(
    seen: list[tuple[float, float]], sign: int, limit: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the farthest point within the limit, and the next one beyond it."""
    out = sorted(seen, key=lambda pair: sign * pair[0])
    last = max(i for i, (_, value) in enumerate(out) if value <= limit)
    beyond = [pair for pair in out[last + 1 :] if pair[1] > limit]
    return out[last], beyond[0] if beyond else out[last]


def _points(asked: _Asked, middle: float, places: Array) -> list[tuple[float, float]]:
    """Return points of the profile: how far from the middle, and the objective."""
    at, pull = middle + places, (_TIGHT * asked.error) ** -2
    many = np.zeros(len(at), np.intp)
    aim = pinned(asked.aim.of(many), asked.target, at=at, pull=pull)
    points = np.concatenate([asked.theta[None], asked.points])
    value = asked.aim.values(points[:, None])[:, 0]
    quantity = asked.target(points)[0]
    cost = value[:, None] + 0.5 * pull * (quantity[:, None] - at) ** 2
    cost = np.where(np.isfinite(cost), cost, np.inf)
    starts = points[np.argsort(cost, axis=0, kind="stable")[:_STARTS]]
    best = turn_corners(aim, descend(aim, starts).sorted()).theta[0]
    there = asked.target(best)[0] - middle
    plain = asked.aim.of(many).values(best)
    return list(zip(there.tolist(), plain.tolist(), strict=True))
