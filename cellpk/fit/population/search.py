"""Which covariates move which parameters: forward, then backward, step by step."""

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cellpk.errors import DataError, FitError, Problem, nearest
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.covariates import POWER, one_text
from cellpk.fit.population.fit import check_seed, fit_population
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.trial import Effect, Place, Trial, Trials
from cellpk.model.model import Model
from cellpk.study.study import Study

Progress = Callable[[int, int, str], Any]

COLUMNS = ["step", "direction", "parameter", "covariate", "deviance", "drop", "error"]
COLUMNS += ["df", "p", "chosen", "estimate", "reason"]


@dataclass(frozen=True, eq=False, repr=False)
class CovariateSearch:
    """What a search for covariates went through; made by :func:`covariate_search`.

    Parameters
    ----------
    table : DataFrame
        One row per candidate and step: ``step``, ``direction`` ("forward" or
        "backward"), ``parameter``, ``covariate``; ``deviance`` (-2 log L) of the model
        with it (forward) or without it (backward); ``drop``, what -2 log L is lower
        with the covariate, with its Monte Carlo standard error ``error``; ``df``,
        ``p`` of the likelihood-ratio test; ``chosen``, whether the step took it in
        (forward) or out (backward); ``estimate`` of its effect, NaN where it has
        several; ``reason``, why it was not calculated or not taken.
    fit : PopulationFit
        The final model, fitted anew from several starts.
    base : PopulationFit
        The model that the search began with.
    effects : tuple of (str, str)
        Parameter and covariate of all that stayed.
    forward, backward : float
        Highest p to come in, and to stay.

    Examples
    --------
    >>> "table" in CovariateSearch.__annotations__     # see covariate_search
    True
    """

    table: pd.DataFrame
    fit: PopulationFit
    base: PopulationFit
    effects: tuple[tuple[str, str], ...]
    forward: float
    backward: float

    def __repr__(self) -> str:
        tried = self.table[["parameter", "covariate"]].drop_duplicates()
        stayed = ", ".join(f"{name} on {of}" for of, name in self.effects)
        return (
            f"Covariate search of {self.base.model.name}: {len(tried)} candidates, "
            f"forward at p < {self.forward:g}, backward at p < {self.backward:g}: "
            f"{stayed or 'none stayed'}"
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(
            index=False, border=0, na_rep="", float_format="{:.3g}".format
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"


def covariate_search(
    base: PopulationFit | tuple[Model, Study],
    *,
    candidates: Mapping[str, Sequence[str]],
    forward: float = 0.05,
    backward: float = 0.01,
    steps: Steps | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> CovariateSearch:
    """Search covariates stepwise: in by one likelihood-ratio test, out by a stricter.

    Each step re-estimates all parameters with each candidate added (then removed), from
    the estimates that it stands at, on draws that all candidates share: their
    differences of -2 log L are then free of most of the chance that is in each. Where
    what is left of it could decide, four times as many draws are made; a drop that is
    not twice its error is never called significant. What comes in or goes is fitted
    anew, with new draws, before the next step.

    Parameters
    ----------
    base : PopulationFit, or Model and Study
        Where to begin; its own covariates stay. A model and a study are fitted first.
    candidates : mapping of str to sequence of str
        By parameter, covariates as for :func:`fit_population`: a number acts along
        itself, ``"log NAME"`` as a power, texts and flags by category.
    forward, backward : float
        Highest p with which a covariate comes in, and stays.
    steps : Steps, optional
        How long fits run, and how many draws tests rest on.
    seed : int
        Chance.
    progress : callable, optional
        Called as ``progress(done, total, text)``; done counts the tests.

    Returns
    -------
    CovariateSearch
        ``.table`` (all steps), ``.fit`` (the final model), ``.effects``.

    Raises
    ------
    DataError
        Where a parameter or a covariate is not known. One that cannot be tested, as
        its value is missing in some patients, is a row with a reason.
    FitError
        Where a p makes no sense.

    Notes
    -----
    Estimates and intervals of effects that were selected are too large and too narrow:
    a search finds what to look at, it does not confirm. The method is that of Jonsson
    EN, Karlsson MO. Pharm Res 1998;15:1463-1468 (stepwise covariate modelling); that
    likelihoods are compared on common draws follows Geyer CJ. J R Stat Soc B
    1994;56:261-274. The chi-square distribution of the drop is one for many patients:
    with few, p comes out a little too small.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> patients = study.patients.assign(age=range(12))
    >>> samples = study.samples[["patient", "time", "assay", "level", "lloq"]]
    >>> aged = ck.Study.from_frames(samples, patients=patients)
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> found = covariate_search((stein, aged), candidates={"cmax": ["age"]},
    ...                          steps=quick)
    >>> found.table[["step", "direction", "parameter", "covariate", "df"]]
       step direction parameter covariate  df
    0     1   forward      cmax       age   1
    """
    _check_levels(forward=forward, backward=backward)
    check_seed(seed)
    if not isinstance(base, PopulationFit):
        base = fit_population(*base, steps=steps, seed=seed)
    effects = _effects(base, candidates)
    walk = _Walk(Trials(base, draws=(steps or Steps()).draws, seed=seed), progress)
    place = walk.forward(effects, forward)
    place = walk.backward(place, backward)
    if place.effects:
        asked: dict[str, Any] = dict(base.asked) | {"steps": steps}
        asked["covariates"] = walk.trials.covariates(place.effects)
        final = fit_population(
            base.model,
            base.study,
            **asked,
            method=base.method,
            seed=seed,
            progress=progress,
        )
    else:
        final = base
    return CovariateSearch(
        table=pd.DataFrame(walk.rows, columns=pd.Index(COLUMNS)).astype(
            {"df": "Int64"}
        ),
        fit=final,
        base=base,
        effects=tuple((each.parameter, each.covariate) for each in place.effects),
        forward=forward,
        backward=backward,
    )


def _check_levels(**levels: float) -> None:
    for name, level in levels.items():
        if not 0 < level < 1:
            found = f"{name} = {level}"
            raise FitError(found, todo="Use a probability, such as 0.05.")


def _effects(
    base: PopulationFit, candidates: Mapping[str, Sequence[str]]
) -> tuple[Effect, ...]:
    """Return the candidates, once all names are known."""
    columns = [str(name) for name in base.study.patients.columns.drop("patient")]
    names = base.model.free
    problems = _unknown(candidates, names, "parameter")
    for parameter, wanted in candidates.items():
        if isinstance(wanted, str):
            problems.append(one_text(parameter, wanted))
            continue
        plain = [covariate.removeprefix(POWER) for covariate in wanted]
        problems += _unknown(plain, columns, "covariate")
    if not any(candidates.values()):
        problems.append(Problem("there are no candidates", "Name some.", value="{}"))
    if problems:
        raise DataError(problems)
    kept = base.asked["covariates"] or {}
    return tuple(
        Effect(parameter, covariate)
        for parameter, wanted in candidates.items()
        for covariate in dict.fromkeys(wanted)
        if covariate not in kept.get(parameter, ())
    )


def _unknown(named: Iterable[str], known: Sequence[str], what: str) -> list[Problem]:
    return [
        Problem(f"there is no such {what}", nearest(name, known), value=name)
        for name in named
        if name not in known
    ]


def _rank(trial: Trial) -> tuple[float, Effect]:
    return trial.p, trial.effect


class _Walk:
    """The steps of a search, and a row for every test in them."""

    def __init__(self, trials: Trials, progress: Progress | None) -> None:
        self.trials, self.progress = trials, progress
        self.rows: list[dict[str, object]] = []
        self.step = 0

    def forward(self, effects: Sequence[Effect], level: float) -> Place:
        """Take in what lowers -2 log L most surely, until nothing does so enough."""
        place, left = self.trials.start(), list(effects)
        while left:
            tried = self._tried("forward", place, left)
            tried.sort(key=_rank)
            best = None
            for i, trial in enumerate(tried):
                tried[i] = self.trials.surer(place, trial, level)
                if tried[i].significant(level):
                    best = tried[i]
                    break
            self._record("forward", tried, best, level=level)
            if best is None:
                break
            place = self.trials.moved(best)
            tested = [trial.effect for trial in tried]
            left = [each for each in tested if not each.same_as(best.effect)]
        return place

    def backward(self, place: Place, level: float) -> Place:
        """Take out what is least sure, until all is sure enough."""
        while place.effects:
            tried = self._tried("backward", place, place.effects)
            tried = [self.trials.surer(place, trial, level) for trial in tried]
            weak = [trial for trial in tried if not trial.significant(level)]
            worst = max(weak, key=_rank, default=None)
            self._record("backward", tried, worst, level=level)
            if worst is None:
                break
            place = self.trials.moved(worst)
        return place

    def _tried(
        self, direction: str, place: Place, effects: Sequence[Effect]
    ) -> list[Trial]:
        """Test all candidates of a step; what cannot be tested is a row at once."""
        self.step += 1
        tried = []
        for effect in effects:
            if self.progress is not None:
                total = len(self.rows) + len(effects)
                text = f"step {self.step}, {direction}: {effect.name}"
                self.progress(len(self.rows) + len(tried), total, text)
            trial, reason = self.trials.test(place, effect)
            if trial is None:
                self.rows.append(
                    {
                        "step": self.step,
                        "direction": direction,
                        "parameter": effect.parameter,
                        "covariate": effect.covariate,
                        "chosen": False,
                        "reason": reason,
                    }
                )
            else:
                tried.append(trial)
        return tried

    def _record(
        self,
        direction: str,
        tried: Sequence[Trial],
        chosen: Trial | None,
        *,
        level: float,
    ) -> None:
        """Add a row for each test of a step."""
        for trial in tried:
            row = {"step": self.step, "direction": direction, "chosen": trial is chosen}
            reason = trial.reason(level)
            if direction == "forward" and not reason and trial is not chosen:
                reason = "another one was surer"
            self.rows.append(row | trial.row() | {"reason": reason})
