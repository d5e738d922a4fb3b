"""Profile-likelihood intervals: of parameters by lmfit, of all else by ours."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.individual.corners import turn_corners
from cellpk.fit.individual.door import inner_names, minimizer
from cellpk.fit.individual.numbers import (
    delta_variances,
    distances,
    freedom,
    quantity_names,
    values_of,
)
from cellpk.fit.individual.question import Question
from cellpk.fit.individual.search import search
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

_BETWEEN = np.array([0.25, 0.5, 0.75])
_STRETCH, _STRETCHES, _ROUNDS = 3.0, 4, 3
_STARTS = 8
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


@dataclass(eq=False)
class _Profile:
    """A profile of one patient: all places that are known, and how far to go.

    ``parameter`` is the place of the parameter that is profiled, None where it is
    another quantity.
    """

    aim: Aim
    target: Target
    parameter: int | None
    error: float
    loss: float
    theta: Array
    value: Array
    quantity: Array

    @property
    def least(self) -> float:
        """The best objective, at the estimate."""
        return float(self.value[0])

    def look(self, places: Array) -> list[tuple[float, float]]:
        """Return points of the profile: how far from the estimate, and the loss."""
        at, many = self.quantity[0] + places, np.zeros(len(places), np.intp)
        pulled = self._pulled if self.parameter is None else self._held
        best = pulled(self.aim.of(many), at)
        there, value = self.target(best)[0], self.aim.of(many).values(best)
        self.theta = np.concatenate([self.theta, best])
        self.value = np.append(self.value, value)
        self.quantity = np.append(self.quantity, there)
        away = (there - self.quantity[0]).tolist()
        return list(zip(away, (value - self.least).tolist(), strict=True))

    def _held(self, aim: Aim, at: Array) -> Array:
        """Return the best places with the parameter held."""
        low, high = (
            np.array(np.broadcast_to(x, aim.mean.shape)) for x in (aim.low, aim.high)
        )
        at = np.clip(at, low[:, self.parameter], high[:, self.parameter])
        low[:, self.parameter] = high[:, self.parameter] = at
        return search(replace(aim, low=low, high=high), self.theta, _STARTS).theta

    def _pulled(self, aim: Aim, at: Array) -> Array:
        """Return the best places with the quantity pulled to others."""
        pull = (_TIGHT * self.error) ** -2
        with np.errstate(over="ignore", invalid="ignore"):
            away = (self.quantity[:, None] - at) ** 2
            cost = self.value[:, None] + 0.5 * pull * away
        cost = np.where(np.isfinite(cost), cost, np.inf)
        starts = self.theta[np.argsort(cost, axis=0, kind="stable")[:_STARTS]]
        pins = pinned(aim, self.target, at=at, pull=pull)
        return turn_corners(pins, descend(pins, starts).sorted()).theta[0]


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
    free = freedom(aim.data, asked, solution)
    loss = 0.5 * float(distances(free, level)[0]) ** 2
    value = values_of(aim.data, asked.ties.full(solution.theta))[0]
    errors = np.sqrt(delta_variances(aim.data, asked, solution))[0]
    places = np.concatenate([solution.theta, points, asked.batch])
    # Profiles of all parameters first: they reach places that others need.
    alone = set(wanted) <= set(asked.names)
    ends = {}
    for name in wanted if alone else [*asked.names, *wanted]:
        lmfits = _by_lmfit(made, best, asked, (name, level, float(free[0])))
        if name in ends or (lmfits and alone):
            ends.setdefault(name, lmfits)
            continue
        error = errors[known.index(name)]
        profile = _profile(aim, asked, name, places=places, error=error, loss=loss)
        ours = _natural(asked, name, _ends(profile))
        places, ends[name] = profile.theta, lmfits or ours
    kinds = {True: "parameter", False: "derived"}
    rows = [
        (name, kinds[name in asked.model.free], value[known.index(name)], *ends[name])
        for name in wanted
    ]
    columns = ["quantity", "kind", "value", "low", "high"]
    return pd.DataFrame(rows, columns=pd.Index(columns))


def _by_lmfit(
    made: Any,
    best: "MinimizerResult",
    asked: Question,
    about: tuple[str, float, float],
) -> tuple[float, float] | None:
    """Return lmfit's interval of a parameter; None where ours is to be trusted more.

    Lmfit goes from place to place along the profile, and may get stuck where the
    objective has corners, which it has where a model switches.
    """
    import lmfit
    from lmfit.minimizer import MinimizerException
    from scipy.stats import t

    name, level, free = about
    if name not in asked.names or asked.model.switches:
        return None

    def probability(old: "MinimizerResult", new: "MinimizerResult") -> float:
        rise = vars(new)["chisqr"] - vars(old)["chisqr"]
        return float(2 * t.cdf(np.sqrt(max(rise, 0.0)), free) - 1)

    inner = inner_names(asked)[asked.names.index(name)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = lmfit.conf_interval(
                made, best, p_names=[inner], sigmas=[level], prob_func=probability
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


def _profile(
    aim: Aim, asked: Question, name: str, *, places: Array, error: float, loss: float
) -> _Profile:
    """Return a profile that begins at the first of places."""
    value, target = aim.values(places[:, None])[:, 0], _target(aim, asked, name)
    parameter = asked.names.index(name) if name in asked.names else None
    quantity = target(places)[0]
    return _Profile(aim, target, parameter, error, loss, places, value, quantity)


def _ends(profile: _Profile) -> tuple[float, float]:
    """Return the ends of a profile interval on the quantity's scale."""
    middle = float(profile.quantity[0])
    if not profile.error > 0:
        end = middle if profile.error == 0 else np.nan  # held, or not known how sure
        return end, end
    return middle + _end(profile, -1), middle + _end(profile, 1)


def _end(profile: _Profile, sign: int) -> float:
    """Return how far one end is: further and further out, then nearer to it."""
    reach, limit = profile.error * np.sqrt(2 * profile.loss), profile.loss
    seen = [(0.0, 0.0)]
    for stretch in range(_STRETCHES):
        seen += profile.look(sign * _PLACES * reach * _STRETCH**stretch)
        if max(loss for _, loss in seen) > limit:
            break
    for _ in range(_ROUNDS):
        low, high = _bracket(seen, sign, limit)
        if high is None:
            return sign * np.inf
        seen += profile.look(low[0] + _BETWEEN * (high[0] - low[0]))
    low, high = _bracket(seen, sign, limit)
    if high is None:
        return sign * np.inf
    # The root of the loss is nearly straight along the quantity.
    near, far = (np.sqrt(max(loss, 0.0)) for _, loss in (low, high))
    share = (np.sqrt(limit) - near) / (far - near)
    return float(low[0] + share * (high[0] - low[0]))


def _bracket(
    seen: list[tuple[float, float]], sign: int, limit: float
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Return the farthest point within the limit, and the next beyond, if any is."""
    out = sorted(seen, key=lambda pair: sign * pair[0])
    last = max(i for i, (_, loss) in enumerate(out) if loss <= limit)
    return out[last], next((pair for pair in out[last + 1 :]), None)
