"""Each patient fitted alone: ``fit_individuals``."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cellpk.errors import FitError, nearest
from cellpk.fit.cases import Case, classify
from cellpk.fit.patient import PatientFit, Question, fit_patient, residual_sd
from cellpk.fit.prior import prior_of
from cellpk.fit.store import Saveable
from cellpk.fit.summary import described, quantities, sentence, values, variances
from cellpk.model.model import Model
from cellpk.study.study import Study

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

BATCH = 1024
"""Draws from the prior among which the starts are chosen."""

Progress = Callable[[int, int, str], Any]


@dataclass(frozen=True, eq=False, repr=False)
class IndividualFits(Saveable):
    """The fits of all patients, each alone.

    Parameters
    ----------
    table : DataFrame
        One row per patient: ``patient, assay, status, method, n_samples,
        n_quantified, n_below, converged``; per parameter and derived quantity its
        estimate and the ends of its interval (``NAME, NAME_low, NAME_high``; NaN where
        there is no fit); ``sentence``: what the data cannot tell, or why no curve was
        fitted. ``status`` is ``expanded``, ``never_expanded`` or ``not_evaluable``;
        ``method`` is ``ml`` (without prior), ``map`` (with it) or ``none``.
    long : DataFrame
        The same numbers, one row each: ``patient, quantity, kind, value, low, high,
        unit, information`` (share of the prior's variance that the data took away;
        NaN for ``ml``).
    failed : DataFrame
        ``patient, status, reason`` of those without a curve.
    prior : DataFrame
        ``parameter, centre, sd, unit, source``.
    samples : DataFrame
        The assay's samples with ``left_out`` (why not used, else empty),
        ``predicted`` and ``residual`` (in residual SDs).
    units : dict of str to str
        Unit of each column of ``table`` that has one.
    model : Model
        What was fitted.
    study_id, assay, unit : str
        What it was fitted to.
    level : float
        Probability that the intervals hold.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
    >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
    >>> fits.table[["patient", "status", "method", "converged"]].to_numpy().tolist()
    [['A', 'expanded', 'map', True]]
    """

    table: pd.DataFrame
    long: pd.DataFrame
    failed: pd.DataFrame
    prior: pd.DataFrame
    samples: pd.DataFrame
    units: Mapping[str, str]
    model: Model
    study_id: str
    assay: str
    unit: str
    level: float
    _fits: Mapping[str, PatientFit]

    @property
    def results(self) -> dict[str, "MinimizerResult"]:
        """Lmfit's result per fitted patient; parameters on the transformed scale."""
        return {patient: fit.result for patient, fit in self._fits.items()}

    def curve(self, patient: str, times: ArrayLike) -> pd.DataFrame:
        """Return the fitted curve of one patient with its pointwise interval.

        Parameters
        ----------
        patient : str
            A patient with a fit.
        times : array_like, shape (n,)
            Days after infusion, not negative.

        Returns
        -------
        DataFrame
            ``time, level, low, high`` in days and the study's unit: the estimate and
            where the true curve lies with probability ``level``. Measured levels
            scatter about the curve besides.

        Raises
        ------
        FitError
            If the patient has no fit, with the reason, or is not of the study; if the
            times make no sense or the model cannot be calculated for them.

        Examples
        --------
        >>> import cellpk as ck
        >>> samples = {"patient": "A", "time": [7, 14, 28], "level": [900, 9000, 800]}
        >>> samples = pd.DataFrame(samples).assign(assay="qpcr", lloq=50)
        >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
        >>> fits = ck.fit_individuals(stein, ck.Study.from_frames(samples), starts=4)
        >>> fits.curve("A", [14, 90])[["time", "level"]].shape
        (2, 2)
        """
        if patient not in self._fits:
            reasons = dict(self.failed[["patient", "reason"]].to_numpy())
            found = f"patient {patient!r} has no fit"
            todo = reasons.get(patient) or nearest(patient, self._fits)
            raise FitError(found, where=f"study {self.study_id!r}", todo=todo)
        fit, times = self._fits[patient], np.asarray(times, float)
        if not ((times >= 0) & (times < np.inf)).all():
            raise FitError(f"times are {times}", todo="Give days after infusion.")
        best, drawn = (fit.objective.levels(x, times) for x in (fit.theta, fit.draws))
        for reason in best.reasons:
            if reason is not None:
                raise FitError(f"the curve of {patient!r} cannot go on: {reason}")
        tails = [(1 - self.level) / 2, (1 + self.level) / 2]
        low, high = np.exp(np.quantile(drawn.log_level[~drawn.failed], tails, axis=0))
        level = np.exp(best.log_level)
        return pd.DataFrame({"time": times, "level": level, "low": low, "high": high})

    def __repr__(self) -> str:
        methods, states = Counter(self.table["method"]), Counter(self.table["status"])
        counts = [
            f"{methods['ml']} by ML",
            f"{methods['map']} by MAP",
            f"{states['never_expanded']} never expanded",
            f"{states['not_evaluable']} not evaluable",
        ]
        failed = states["expanded"] - methods["ml"] - methods["map"]
        if failed:
            counts.append(f"{failed} failed")
        head = f"Individual fits of {self.model.name} to {self.study_id} {self.assay}"
        return f"{head}: {len(self.table)} patients, {', '.join(counts)}"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table.to_html(index=False)}"


def fit_individuals(
    model: Model,
    study: Study,
    *,
    assay: str | None = None,
    starts: int = 16,
    level: float = 0.95,
    seed: int = 1,
    progress: Progress | None = None,
) -> IndividualFits:
    """Fit a model to each patient alone, by censored likelihood.

    Each patient's objective is evaluated at many draws from the distribution between
    patients, descended from the best of them, and handed to lmfit. Where data are
    sparse, that distribution stays in the fit as a prior (MAP); where they are rich, it
    does not (ML, with the patient's own residual SD). Intervals are those of weighted
    draws, not of curvature: they need no normal shape. A patient whose samples are all
    below the limit has not expanded and gets no curve. Nothing that happens in one
    patient ends the run.

    Parameters
    ----------
    model : Model
        What to fit.
    study : Study
        To whom.
    assay : str, optional
        Which levels; the study's main assay where not given.
    starts : int
        How many starts per patient.
    level : float
        Probability that the intervals hold.
    seed : int
        Chance; each patient has draws of their own, whatever the order of patients.
    progress : callable, optional
        Called as ``progress(done, total, text)`` after each patient.

    Returns
    -------
    IndividualFits

    Raises
    ------
    FitError
        If the study has no sample of the assay, or ``starts`` or ``level`` make no
        sense.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"patient": "A", "time": [7, 14, 21, 28],
    ...                         "level": [0, 0, 0, 0], "lloq": 50, "assay": "qpcr"})
    >>> zero = {"study": {"id": "T", "infusion_day": 0},
    ...         "limits": {"qpcr": {"zero": "below"}}}
    >>> study = ck.Study.from_frames(samples, settings=zero)
    >>> ck.fit_individuals(ck.load_model("stein_2019_tisagenlecleucel"), study)
    Individual fits of stein_2019_tisagenlecleucel to T qpcr: 1 patients, 0 by ML,
    0 by MAP, 1 never expanded, 0 not evaluable
    """
    assay = _checked(study, assay, starts, level)
    cases = classify(study, assay)
    unit = study.unit(assay)
    question = _question(model, cases, assay, unit=unit, starts=starts, seed=seed)
    before = variances(model, question.batch, values(model, question.batch))
    outcomes = []
    for done, case in enumerate(cases, 1):
        outcomes.append(_outcome(case, question, before, level=level, seed=seed))
        if progress is not None:
            progress(done, len(cases), f"patient {case.patient}")
    units = _units(question, unit)
    return IndividualFits(
        table=_table(outcomes, assay, list(units)),
        long=_long(outcomes, units),
        failed=_failed(outcomes),
        prior=question.prior.table,
        samples=pd.concat([o.samples for o in outcomes], ignore_index=True),
        units={end: units[n] for n in units for end in _with_ends([n])},
        model=model,
        study_id=study.settings.study.id,
        assay=assay,
        unit=unit,
        level=level,
        _fits={o.case.patient: o.fit for o in outcomes if o.fit is not None},
    )


@dataclass(frozen=True, eq=False)
class _Outcome:
    """One patient's case with the fit, if there is one."""

    case: Case
    sentence: str
    samples: pd.DataFrame
    fit: PatientFit | None = None
    numbers: pd.DataFrame | None = None


def _checked(study: Study, assay: str | None, starts: int, level: float) -> str:
    """Return the assay to fit, once all arguments make sense."""
    where = f"study {study.settings.study.id!r}"
    chosen = assay or study.main_assay
    if chosen not in study.assays:
        missing = f"assay {chosen!r}" if chosen else "an assay of CAR-T cells"
        todo = nearest(chosen, study.assays)
        raise FitError(f"no sample of {missing}", where=where, todo=todo)
    if starts < 1:
        raise FitError(f"starts = {starts}", where=where, todo="Use 1 or more.")
    if not 0 < level < 1:
        todo = "Use a probability between 0 and 1, such as 0.95."
        raise FitError(f"level = {level}", where=where, todo=todo)
    return chosen


def _question(
    model: Model,
    cases: Sequence[Case],
    assay: str,
    *,
    unit: str,
    starts: int,
    seed: int,
) -> Question:
    """Put the question to the patients: model, prior in the assay's unit, starts."""
    observed = model.stand_in(assay).name
    residual_sd(model, observed)
    levels = [case.quantified["level"].to_numpy(float) for case in cases]
    peaks = [seen.max() for seen in levels if seen.size]
    prior = prior_of(model, peaks, observed=observed, unit=unit)
    batch = prior.draws(max(BATCH, starts), seed)
    return Question(model, observed, prior, batch, starts)


def _outcome(
    case: Case,
    question: Question,
    before: Mapping[str, float],
    *,
    level: float,
    seed: int,
) -> _Outcome:
    """Fit one patient; whatever goes wrong becomes the reason why there is no fit."""
    unfitted = case.samples.assign(predicted=np.nan, residual=np.nan)
    if case.status != "expanded":
        return _Outcome(case, case.reason, unfitted)
    rng = np.random.default_rng([seed, zlib.crc32(case.patient.encode())])
    try:
        fit = fit_patient(case, question, rng)
        numbers = quantities(fit, before, level=level)
        samples = described(case, fit)
        said = sentence(case, fit, numbers=numbers, samples=samples)
    except Exception as error:
        reason = f"The fit failed: {type(error).__name__}: {error}."
        return _Outcome(case, reason, unfitted)
    return _Outcome(case, said, samples, fit, numbers)


def _units(question: Question, unit: str) -> dict[str, str]:
    """Units of parameters and derived quantities, levels in the study's unit."""
    model, prior = question.model, question.prior.table
    own = model.observed[question.observed].unit
    units = dict(zip(prior["parameter"], prior["unit"], strict=True))
    return units | {n: u.replace(own, unit) for n, u in model.quantity_units.items()}


def _long(outcomes: Sequence[_Outcome], units: Mapping[str, str]) -> pd.DataFrame:
    columns = ["patient", "quantity", "kind", "value", "low", "high", "unit"]
    columns += ["information"]
    frames = [
        outcome.numbers.assign(
            patient=outcome.case.patient,
            unit=[units[name] for name in outcome.numbers["quantity"]],
        )
        for outcome in outcomes
        if outcome.numbers is not None
    ]
    if not frames:
        return pd.DataFrame(columns=pd.Index(columns))
    return pd.concat(frames, ignore_index=True).loc[:, columns]


def _failed(outcomes: Sequence[_Outcome]) -> pd.DataFrame:
    rows = [
        (o.case.patient, o.case.status, o.sentence) for o in outcomes if o.fit is None
    ]
    return pd.DataFrame(rows, columns=["patient", "status", "reason"])


def _table(
    outcomes: Sequence[_Outcome], assay: str, names: Sequence[str]
) -> pd.DataFrame:
    rows = []
    for outcome in outcomes:
        case, fit, numbers = outcome.case, outcome.fit, outcome.numbers
        row: dict[str, Any] = {
            "patient": case.patient,
            "assay": assay,
            "status": case.status,
            "method": "none" if fit is None else fit.method,
            "n_samples": len(case.after_infusion),
            "n_quantified": case.count("quantified"),
            "n_below": case.count("below"),
            "converged": fit is not None and not fit.doubts,
        }
        row |= dict.fromkeys(_with_ends(names), np.nan)
        if numbers is not None:
            ends = numbers[["value", "low", "high"]].to_numpy().ravel()
            row |= dict(zip(_with_ends(numbers["quantity"]), ends, strict=True))
        rows.append(row | {"sentence": outcome.sentence})
    return pd.DataFrame(rows)


def _with_ends(names: Iterable[str]) -> list[str]:
    """Each name, followed by those of the ends of its interval."""
    return [name + end for name in names for end in ("", "_low", "_high")]
