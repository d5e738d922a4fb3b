"""One test of a covariate: a fitted model with and without it, on shared draws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import DataError
from cellpk.fit.population.climb import climbed
from cellpk.fit.population.covariates import POWER, structure_with
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.polish import maximum
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.saem import Course
from cellpk.fit.population.shared import contrast, under
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure

Array = NDArray[np.float64]

MORE = 4
"""How many times more draws decide where chance could."""

_FAR = 4.0  # standard errors: beyond, draws of another place are needed
_CLOSE = 2.0  # standard errors of a drop from the critical one within which it could


@dataclass(frozen=True, order=True)
class Effect:
    """A covariate of a parameter.

    Parameters
    ----------
    parameter, covariate : str
        As ``covariates`` of a fit names them.

    Examples
    --------
    >>> Effect("cmax", "log burden").name
    'log burden on cmax'
    >>> Effect("cmax", "log burden").same_as(Effect("cmax", "burden"))
    True
    """

    parameter: str
    covariate: str

    @property
    def name(self) -> str:
        """Return what it is called."""
        return f"{self.covariate} on {self.parameter}"

    def same_as(self, other: "Effect") -> bool:
        """Whether it is the same covariate of the same parameter, in whatever form."""
        plain = self.covariate.removeprefix(POWER), other.covariate.removeprefix(POWER)
        return self.parameter == other.parameter and plain[0] == plain[1]


@dataclass(frozen=True, eq=False)
class Place:
    """A fitted model of a search.

    Parameters
    ----------
    effects : tuple of Effect
        What the search took in.
    found : Importance
        Draws at the estimates, under the structure of the model.
    state : State
        Estimates: where the likelihood is highest, as these draws see it.

    Examples
    --------
    >>> sorted(Place.__annotations__)
    ['effects', 'found', 'state']
    """

    effects: tuple[Effect, ...]
    found: Importance
    state: State


@dataclass(frozen=True, eq=False)
class Trial:
    """The likelihood-ratio test of an effect.

    Parameters
    ----------
    effect : Effect
        What was put in, or taken out.
    other : Place
        The model with it put in or taken out, on the draws that both share.
    drop, error : float
        What -2 log L is lower with the effect, and its Monte Carlo standard error.
    estimates : tuple of float
        Its coefficients.

    Examples
    --------
    >>> from typing import Any
    >>> anywhere: Any = None
    >>> trial = Trial(Effect("cmax", "age"), anywhere, 3.9, 0.1, (0.2,))
    >>> round(trial.p, 3), trial.significant(0.05), trial.reason(0.01)
    (0.048, True, 'p is above 0.01')
    """

    effect: Effect
    other: Place
    drop: float
    error: float
    estimates: tuple[float, ...]

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return len(self.estimates)

    @property
    def p(self) -> float:
        """The chance of such a drop where there is no effect (chi-square)."""
        from scipy.stats import chi2

        return float(chi2.sf(max(self.drop, 0.0), self.df))

    def close(self, level: float) -> bool:
        """Whether chance of the draws could decide."""
        from scipy.stats import chi2

        critical = float(chi2.isf(level, self.df))
        return abs(self.drop - critical) < _CLOSE * self.error

    def significant(self, level: float) -> bool:
        """Whether p is below a level, and the drop is more than chance of the draws."""
        return self.p < level and self.drop > _CLOSE * self.error

    def reason(self, level: float) -> str:
        """Why it is not significant; empty where it is."""
        if self.significant(level):
            return ""
        if self.p < level:
            return f"the draws leave an error of {self.error:.2g}: use more of them"
        return f"p is above {level:g}"

    def row(self) -> dict[str, object]:
        """Return its numbers."""
        deviance = -2 * self.other.found.log_likelihood(self.other.state).sum()
        return {
            "parameter": self.effect.parameter,
            "covariate": self.effect.covariate,
            "deviance": float(deviance),
            "drop": self.drop,
            "error": self.error,
            "df": self.df,
            "p": self.p,
            "estimate": self.estimates[0] if self.df == 1 else np.nan,
        }


class Trials:
    """Makes the tests of a search.

    Parameters
    ----------
    base : PopulationFit
        What the search begins with.
    draws : int
        Draws of each patient.
    seed : int
        Chance.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.population.chains import Steps
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> fit = ck.fit_population(stein, study, steps=quick)
    >>> Trials(fit, draws=100, seed=1).start().effects
    ()
    """

    def __init__(self, base: PopulationFit, *, draws: int, seed: int) -> None:
        self.base, self.draws, self.seed = base, draws, seed
        self.data = JointData(base.data)
        rows = base.study.patients.set_index("patient").reindex(list(base.patients))
        self.people = rows.reset_index()

    def start(self) -> Place:
        """Return the base model as a place to begin at."""
        known = self.base.posteriors
        state, moments = self.base.estimates.state, (known.mean, known.covariance)
        return self._placed((), state, moments, draws=self.draws)

    def covariates(self, effects: Sequence[Effect]) -> dict[str, list[str]]:
        """Return the base model's covariates and effects, as a fit takes them."""
        asked = dict(self.base.asked["covariates"] or {})
        found = {name: list(columns) for name, columns in asked.items()}
        for each in effects:
            found.setdefault(each.parameter, []).append(each.covariate)
        return found

    def test(self, place: Place, effect: Effect) -> tuple[Trial | None, str]:
        """Test an effect: put it in where it is not, else take it out.

        Returns
        -------
        trial : Trial or None
            None where it cannot be tested.
        reason : str
            Why not.
        """
        inside = effect in place.effects
        effects = tuple(each for each in place.effects if each != effect)
        effects = effects if inside else (*effects, effect)
        try:
            structure = self._structure(effects)
        except DataError as error:
            return None, "; ".join(f"{x.what}. {x.todo}" for x in error.problems)
        found = under(place.found, structure)
        state = _carried(place.found.structure, place.state, structure)
        try:
            state = _at_top(found, state)
        except np.linalg.LinAlgError as error:
            return None, f"it could not be fitted: {error}"
        other = Place(effects, found, state)
        pair = (other, place) if inside else (place, other)
        drop, error = contrast(*((each.found, each.state) for each in pair))
        estimates = _only_in(pair[1], pair[0].found.structure)
        return Trial(effect, other, drop, error, estimates), ""

    def surer(self, place: Place, trial: Trial, level: float) -> Trial:
        """Repeat a test with more draws where chance could decide."""
        if not trial.close(level):
            return trial
        moments = place.found.moments(place.state)
        more = self._placed(
            place.effects, place.state, moments, draws=MORE * self.draws
        )
        again, _ = self.test(more, trial.effect)
        return trial if again is None else again

    def moved(self, trial: Trial) -> Place:
        """Return the other model of a test, fitted anew with draws of its own."""
        other = trial.other
        moments = other.found.moments(other.state)
        sampled = Sampled(self.data, other.found.structure)
        course = Course(other.state, *moments, np.empty((0, 0)))
        best = maximum(
            sampled, course, rng=self._chance(other.effects), draws=self.draws
        )
        found = best.importance
        return Place(other.effects, found, _at_top(found, best.state))

    def _placed(
        self,
        effects: tuple[Effect, ...],
        state: State,
        moments: tuple[Array, Array],
        *,
        draws: int,
    ) -> Place:
        structure = self._structure(effects)
        rng = self._chance(effects)
        sampled = Sampled(self.data, structure)
        found = Importance(sampled, state, moments=moments, rng=rng, draws=draws)
        return Place(effects, found, _at_top(found, state))

    def _chance(self, effects: Sequence[Effect]) -> np.random.Generator:
        return np.random.default_rng([self.seed, 3, len(effects)])

    def _structure(self, effects: Sequence[Effect]) -> Structure:
        base = self.base.estimates.layout.structure
        made = structure_with(
            base.names,
            self.people,
            self.covariates(effects),
            correlated=base.correlated,
        )
        return replace(base, design=made.design, coefficients=made.coefficients)


def _at_top(found: Importance, state: State) -> State:
    """Return where the likelihood is highest, as these draws see it."""
    layout = Layout(found.structure, state)
    return climbed(layout, found.look, far=_FAR, steps=60, close=1e-9)


def _carried(old: Structure, state: State, new: Structure) -> State:
    """Return estimates for another structure; new effects begin at 0."""
    values = dict(zip(old.coefficients, state.beta, strict=True))
    beta = np.array([values.get(name, 0.0) for name in new.coefficients])
    return replace(state, beta=beta)


def _only_in(place: Place, smaller: Structure) -> tuple[float, ...]:
    """Return the coefficients that a smaller structure has not."""
    names = place.found.structure.coefficients
    values = zip(names, place.state.beta, strict=True)
    return tuple(float(x) for name, x in values if name not in smaller.coefficients)
