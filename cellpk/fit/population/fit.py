"""A model fitted to all patients together: ``fit_population``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError, nearest
from cellpk.fit.data import FitData, fit_data
from cellpk.fit.population.chains import Steps
from cellpk.fit.population.covariates import structure_with
from cellpk.fit.population.drift import drift
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.laplace_search import laplace_maximum, laplace_search
from cellpk.fit.population.layout import Layout
from cellpk.fit.population.lots import Lots, lots_of
from cellpk.fit.population.polish import Maximum, maximum
from cellpk.fit.population.posteriors import posteriors_of
from cellpk.fit.population.result import METHODS, Method, PopulationFit
from cellpk.fit.population.saem import Course, saem
from cellpk.fit.population.spread import Correlations, freed, listed, which_vary
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure
from cellpk.fit.prior import prior_for
from cellpk.model.model import Model
from cellpk.study.study import Study

Array = NDArray[np.float64]
Progress = Callable[[int, int, str], Any]

MANY = 90
"""Patients whose draws together make the likelihood smooth enough: fewer patients have
more draws each, by the root of how many times fewer they are."""

WIDER = 1.5
"""How many times wider than in the model patients are held to spread at the start."""

ROUGH = 1e-3
"""Error per step, of a model without closed form, while SAEM searches: log levels are
then right to about 0.005. What is stated of the maximum is worked out more closely."""

_LEAST_SPREAD = 0.3
_NEVER = 0.1
_TOGETHER = 0.7  # in standard errors, root mean square: SAEM ends a little off


def fit_population(
    model: Model,
    study: Study,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    covariates: Mapping[str, Sequence[str]] | None = None,
    correlations: Correlations = "none",
    without_spread: Sequence[str] = (),
    lots: Sequence[str] = (),
    method: Method = "saem",
    steps: Steps | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> PopulationFit:
    """Fit a model to all patients together, by maximum likelihood.

    SAEM searches from several starts. From each end the likelihood, by importance
    sampling, is climbed to its maximum; the curvature at the highest gives the standard
    errors. A fit from one start only is doubted, as is one whose starts disagree or
    whose SAEM still drifted while it averaged. Laplace's method (FOCE with interaction)
    climbs an approximation of the likelihood instead; the likelihood itself is sampled
    at its end, and the fit is doubted where its maximum is elsewhere.

    A sample below its limit enters by the probability to be there (M3), one between two
    limits or above one likewise. Where every sample of some patients is below its
    limit, cells may never have expanded in them: they are a class of its own, whose
    share is estimated.

    Parameters
    ----------
    model : Model
        What to fit; its typical values are where the search begins.
    study : Study
        To whom.
    assays : str, sequence of str, or mapping of str to str, optional
        As for :func:`cellpk.fit.data.fit_data`: one assay, several jointly, or the
        model's observed levels by assay; the study's main assay where not given.
    covariates : mapping of str to sequence of str, optional
        By parameter, columns of ``study.patients`` that it depends on; ``"log NAME"``
        for a power law.
    correlations : {"none", "full"} or sequence of groups
        Which parameters may be correlated between patients: a group of two names is a
        pair, one of more a block, in which all may be.
    without_spread : sequence of str
        Parameters that are the same in all patients but for their covariates. One that
        the model holds fixed is estimated, too, where it is named here.
    lots : sequence of str
        Parameters (at most two) in which donor lots differ, besides their patients: a
        second random effect, shared by those whose first infusion was of one lot.
    method : {"saem", "laplace"}
        How.
    steps : Steps, optional
        How long, and from how many starts.
    seed : int
        Chance.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    PopulationFit
        ``.table`` (estimates), ``.individuals``, ``.criteria``, ``.doubts``.

    Raises
    ------
    FitError, DataError
        Where the data or the arguments allow no fit, with what to do.

    References
    ----------
    Kuhn E, Lavielle M. Comput Stat Data Anal 2005;49:1020-1038 (SAEM). Almquist J,
    Leander J, Jirstrand M. J Pharmacokinet Pharmacodyn 2015;42:191-209 (Laplace). Beal
    SL. J Pharmacokinet Pharmacodyn 2001;28:481-504 (M3).

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> study = stein.simulate(12, design=ck.Design([4, 7, 28]), seed=1).study()
    >>> quick = Steps(starts=1, search=20, average=10, draws=100)
    >>> fit = fit_population(stein, study, steps=quick)
    >>> fit.table.columns[:4].tolist(), len(fit.individuals)
    (['parameter', 'kind', 'value', 'unit'], 12)
    """
    check_seed(seed)
    asked = {"covariates": covariates, "correlations": correlations}
    asked |= {"without_spread": listed("without_spread", without_spread)}
    asked |= {"lots": listed("lots", lots)}
    sampled, start = prepared(model, study, assays=assays, **asked)
    steps = _checked(steps or Steps())
    if method not in METHODS:
        raise FitError(f"method = {method!r}", todo=nearest(method, METHODS))
    search = _laplace if method == "laplace" else _saem
    best, apart, courses = search(sampled, start, steps, seed=seed, progress=progress)
    assert isinstance(sampled.data, JointData)
    data = sampled.data.data
    return PopulationFit(
        model=data.model,
        study=study,
        data=data,
        asked=asked | {"assays": assays, "steps": asdict(steps)},
        method=method,
        seed=seed,
        units=_units(data),
        estimates=replace(best.estimates, apart=apart if steps.starts > 1 else None),
        posteriors=posteriors_of(
            best.importance, best.state, np.random.default_rng([seed, 2])
        ),
        trace=_trace(courses, sampled.structure, start),
    )


def prepared(
    model: Model,
    study: Study,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    covariates: Mapping[str, Sequence[str]] | None = None,
    correlations: Correlations = "none",
    without_spread: Sequence[str] = (),
    lots: Sequence[str] = (),
) -> tuple[Sampled, State]:
    """Return what a population fit is about, and where it begins.

    Parameters
    ----------
    model, study, assays, covariates, correlations, without_spread, lots
        As for :func:`fit_population`.

    Returns
    -------
    sampled : Sampled
        The samples, and how parameters differ between patients.
    start : State
        The model's typical values, a wider spread, the model's residual errors.

    Raises
    ------
    FitError, DataError
        As :func:`fit_population`.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> sampled, start = prepared(stein, ck.simulate_study(seed=1))
    >>> len(sampled.data.patients), start.never       # 3 of 18 were never quantified
    (18, 0.1)
    """
    model = freed(model, without_spread)
    data = fit_data(model, study, assays=assays)
    patients = study.patients.set_index("patient").reindex(list(data.patients))
    structure = structure_with(
        model.free,
        patients.reset_index(),
        covariates or {},
        correlated=which_vary(model.free, correlations, without_spread),
    )
    structure = replace(structure, size=_sizes(data))
    if lots:
        structure = replace(structure, lots=_lots(study, data, structure, lots))
    return Sampled(JointData(data), structure), _start(data, structure)


def _lots(
    study: Study, data: FitData, structure: Structure, differ: Sequence[str]
) -> Lots:
    """Return who was given which lot."""
    names = structure.names
    for name, varies in zip(names, structure.varies, strict=True):
        if name in differ and not varies:
            found = f"{name} is in lots and in without_spread"
            raise FitError(found, todo="Name it in one of them.")
    return lots_of(study, data.patients, names=names, differ=differ)


def _sizes(data: FitData) -> Array:
    """Return how large a difference of each parameter is of note."""
    prior, model = prior_for(data), data.model
    usual = np.fmax(np.abs(prior.centre), prior.sd)
    own = [model.parameters[name].scale == "identity" for name in model.free]
    return np.where(own & (usual > 0), usual, 1.0)


def _start(data: FitData, structure: Structure) -> State:
    """Return where to begin: at the model's numbers, with a wider spread."""
    prior = prior_for(data)
    spread = np.maximum(WIDER * prior.sd, _LEAST_SPREAD * structure.sizes)
    beta = np.zeros(len(structure.coefficients))
    beta[: len(structure.names)] = prior.centre
    errors = JointErrors.of(data)
    share = _NEVER if data.all_below.any() else 0.0
    between = spread[structure.lots.places] / 2 if structure.lots else np.zeros(0)
    return State(beta, np.diag(spread**2), errors, share, between)


def _units(data: FitData) -> dict[str, str]:
    """Return the unit of each parameter."""
    table = prior_for(data).table
    return dict(zip(table["parameter"], table["unit"], strict=True))


def check_seed(seed: int) -> None:
    """Refuse a seed that no chance begins with.

    Examples
    --------
    >>> check_seed(-1)
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: seed = -1. Use a whole number from 0 on.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise FitError(f"seed = {seed!r}", todo="Use a whole number from 0 on.")


def _checked(steps: Steps) -> Steps:
    """Return the steps, once they make sense."""
    least = {"starts": 1, "search": 1, "average": 1, "draws": 50}
    for name, number in least.items():
        if getattr(steps, name) < number:
            found = f"{name} = {getattr(steps, name)}"
            raise FitError(found, todo=f"Use {number} or more.")
    return steps


def _saem(
    sampled: Sampled,
    start: State,
    steps: Steps,
    *,
    seed: int,
    progress: Progress | None,
) -> tuple[Maximum, float, Sequence[Course]]:
    """Run SAEM from all starts, and climb from their ends."""
    assert isinstance(sampled.data, JointData)
    rough = replace(sampled, data=replace(sampled.data, tolerance=ROUGH))
    courses = []
    for run in range(steps.starts):
        _tell(progress, run, steps, f"SAEM, start {run + 1}")
        begin, rng = _begin(sampled, start, (seed, run))
        courses.append(saem(rough, begin, rng=rng, steps=steps))
    _tell(progress, steps.starts, steps, "likelihood and standard errors")
    best, apart = _best(sampled, courses, steps=steps, seed=seed)
    found = best.estimates
    drifts = [
        drift(course.trace[steps.search :], found.layout, found.standard_errors)
        for course in courses
    ]
    best = replace(best, estimates=replace(found, drift=max(drifts)))
    return best, apart, courses


def _laplace(
    sampled: Sampled,
    start: State,
    steps: Steps,
    *,
    seed: int,
    progress: Progress | None,
) -> tuple[Maximum, float, Sequence[Course]]:
    """Climb Laplace's approximation from all starts, and sample at the highest end."""
    ends = []
    for run in range(steps.starts):
        _tell(progress, run, steps, f"Laplace, start {run + 1}")
        begin, rng = _begin(sampled, start, (seed, run))
        ends.append(laplace_search(sampled, begin, rng=rng))
    _tell(progress, steps.starts, steps, "likelihood and standard errors")
    values = [end.value for end in ends]
    best = laplace_maximum(
        sampled,
        ends[int(np.argmax(values))],
        rng=np.random.default_rng([seed, 1]),
        draws=_draws(sampled, steps),
    )
    courses = [end.course for end in ends]
    return best, 2 * (max(values) - min(values)), courses


def _draws(sampled: Sampled, steps: Steps) -> int:
    """Return how many draws each patient has."""
    more = math.sqrt(MANY / len(sampled.data.patients))
    return steps.draws * math.ceil(more)


def _tell(progress: Progress | None, run: int, steps: Steps, text: str) -> None:
    if progress is not None:
        progress(run, steps.starts + 1, text)


def _begin(
    sampled: Sampled, start: State, seed: tuple[int, int]
) -> tuple[State, np.random.Generator]:
    """Return the start, or a place about it, and the chance of the run."""
    rng = np.random.default_rng(seed)
    beta, size = start.beta.copy(), len(sampled.structure.names)
    if seed[1]:
        away = np.sqrt(np.diag(start.omega)) * rng.standard_normal(size)
        beta[:size] += away / 2
    return replace(start, beta=beta), rng


def _best(
    sampled: Sampled, courses: Sequence[Course], *, steps: Steps, seed: int
) -> tuple[Maximum, float]:
    """Return the highest maximum, and by how much of -2 log L another fell short.

    A run that ended where the first one did is not climbed from again.
    """
    found: list[Maximum] = []
    draws = _draws(sampled, steps)
    for run, course in enumerate(courses):
        if found and _together(
            found[0], Layout(sampled.structure, course.state).vector()
        ):
            continue
        rng = np.random.default_rng([seed, run, 1])
        found.append(maximum(sampled, course, rng=rng, draws=draws))
    values = [each.log_likelihood.sum() for each in found]
    return found[int(np.argmax(values))], float(2 * (max(values) - min(values)))


def _together(best: Maximum, vector: Array) -> bool:
    """Say whether a run ended within the standard errors of a maximum."""
    errors = best.estimates.standard_errors
    away = (vector - best.estimates.layout.vector())[np.isfinite(errors)]
    away = away / errors[np.isfinite(errors)]
    return bool(away.size and np.sqrt(np.mean(away**2)) < _TOGETHER)


def _trace(
    courses: Sequence[Course], structure: Structure, start: State
) -> pd.DataFrame:
    """Return what the search went through, one row per run and iteration."""
    names = [
        *structure.coefficients,
        *(f"{name} sd" for name in structure.names),
        *start.errors.names,
        "never expanded",
        *Layout(structure, start).lot_names,
    ]
    frames = [
        pd.DataFrame(course.trace, columns=names).assign(
            run=run + 1, iteration=np.arange(len(course.trace)) + 1
        )
        for run, course in enumerate(courses)
    ]
    return pd.concat(frames, ignore_index=True)[["run", "iteration", *names]]
