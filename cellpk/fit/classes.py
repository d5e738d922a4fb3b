"""What became of each patient's cells, decided by likelihood: ``kinetic_classes``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.cases import EVEN, MIN_QUANTIFIED, counted, nothing_seen
from cellpk.fit.data import FitData
from cellpk.fit.individual.cases import told, unusable
from cellpk.fit.modes import Aim
from cellpk.fit.population.conditional import aim_at, modes_at
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.posteriors import Posteriors, posteriors_of
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.population.structure import Structure
from cellpk.fit.prior import prior_for
from cellpk.fit.second_peak import second_peak
from cellpk.fit.series import Series
from cellpk.model.model import Model
from cellpk.study.study import Study

Array = NDArray[np.float64]

CLASSES = (
    "expanded",
    "second_peak",
    "lost_early",
    "never_expanded",
    "too_few_samples",
)

POSITIVE = 3.0
"""How many times likelier a second peak must be: "positive" evidence in the words of
Kass and Raftery (1995). Of simulated patients with one peak, 3 to 5 % reach it."""

_STARTS, _DRAWS = 16, 4000


@dataclass(frozen=True, eq=False, repr=False)
class KineticClasses:
    """What became of each patient's cells; made by :func:`kinetic_classes`.

    Parameters
    ----------
    table : DataFrame
        One row per patient: ``patient``; ``class``, one of ``CLASSES``; ``expanded``,
        the probability that the cells expanded. Of the patient's ``assay`` with most
        quantified samples: ``lost``, the probability that the level was below its limit
        on ``day``, given that they expanded; ``second_peak``, the log10 of how much
        likelier its samples are with a second peak (by BIC), and its day,
        ``second_peak_day``. ``sentence``.
    day : float
        The day before which a loss is called early.

    Examples
    --------
    >>> sorted(KineticClasses.__annotations__)
    ['day', 'table']
    """

    table: pd.DataFrame
    day: float

    @property
    def counts(self) -> pd.Series:
        """How many patients are in each class."""
        counts = self.table["class"].value_counts()
        return counts.reindex(list(CLASSES), fill_value=0)

    def __repr__(self) -> str:
        parts = [
            f"{number} {str(name).replace('_', ' ')}"
            for name, number in self.counts.items()
        ]
        return f"Classes of {len(self.table)} patients: {', '.join(parts)}"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table.to_html(index=False)}"


def kinetic_classes(
    source: PopulationFit | Model,
    study: Study | None = None,
    *,
    assays: str | Sequence[str] | Mapping[str, str] | None = None,
    day: float = 28.0,
    seed: int = 1,
) -> KineticClasses:
    """Say of each patient what became of the cells, and how sure that is.

    *never_expanded*: nothing was quantified, and a level of zero explains that better
    than a curve would: the probability is at least ``SURE``. *too_few_samples*: neither
    that nor expansion is sure, or fewer than two samples were quantified.
    *second_peak*: a curve with a second peak is ``POSITIVE`` times likelier, by BIC,
    than one without. *lost_early*: the level was below the limit of quantification on
    ``day`` with a probability above a half. *expanded*: the rest.

    All assays say together whether cells expanded and how. A second peak and a loss are
    those of one: the patient's with most quantified samples; of equals, the study's,
    then the first by name.

    Parameters
    ----------
    source : PopulationFit or Model
        The distribution between patients: an estimated one, or that of a published
        model, where half of the patients are held to never expand beforehand.
    study : Study, optional
        Whose patients; of a population fit, its own.
    assays : str, sequence of str, or mapping of str to str, optional
        With a model, as for :func:`fit_individuals`; the study's main assay where not
        given.
    day : float
        The day before which a loss is called early.
    seed : int
        Chance of the draws and starts; the draws of a population fit are its own.

    Returns
    -------
    KineticClasses

    Raises
    ------
    FitError, DataError
        Where a model comes without a study, or the day is not positive; as
        :func:`fit_individuals`, where no patient can be used.

    References
    ----------
    Kass RE, Raftery AE. Bayes factors. J Am Stat Assoc 1995;90:773-795.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> kinetic_classes(stein, ck.simulate_study(seed=1))
    Classes of 18 patients: 10 expanded, 0 second peak, 5 lost early, 3 never expanded,
    0 too few samples
    """
    if not 0 < day < np.inf:
        raise FitError(f"day = {day}", todo="Give a day after infusion, such as 28.")
    about = _about(source, study, assays, np.random.default_rng(seed))
    known = _known(about, day=day)
    rows = [_row(about, known, i, day=day) for i in range(len(about.data.patients))]
    rows += [_without(*each) for each in about.without.items()]
    table = pd.DataFrame(rows).sort_values("patient", ignore_index=True)
    return KineticClasses(table, day)


class _About(NamedTuple):
    """Samples, the distribution between patients, and what both say of each patient."""

    data: FitData
    aim: Aim
    starts: Array
    posteriors: Posteriors
    without: dict[str, str]


class _Known(NamedTuple):
    """What is known of each patient's curve."""

    seen: NDArray[np.intp]
    main: NDArray[np.intp]
    lost: Array
    odds: Array
    second: Array


def _about(
    source: PopulationFit | Model,
    study: Study | None,
    assays: str | Sequence[str] | Mapping[str, str] | None,
    rng: np.random.Generator,
) -> _About:
    if isinstance(source, PopulationFit):
        return _of_fit(source, rng)
    if study is None:
        todo = "Give the study, too, or a population fit alone."
        raise FitError(f"the model {source.name} comes without a study", todo=todo)
    data, missing = told(source, study, assays)
    return _of_model(data, missing, rng)


def _of_fit(fit: PopulationFit, rng: np.random.Generator) -> _About:
    """Return what an estimated distribution says, what lots add included."""
    layout = fit.estimates.layout
    aim = aim_at(Sampled(JointData(fit.data), layout.structure), layout.state)
    added = fit.expected - aim.mean
    aim = replace(aim, mean=fit.expected, low=aim.low + added, high=aim.high + added)
    return _About(
        fit.data, aim, _starts(aim, rng), fit.posteriors, _reasons(fit.data, {})
    )


def _of_model(
    data: FitData, missing: Mapping[str, str], rng: np.random.Generator
) -> _About:
    """Return what a published distribution says."""
    model, prior = data.model, prior_for(data)
    omega = model.correlation * np.outer(prior.sd, prior.sd)
    plain = Structure.without_covariates(model.free, len(data.patients))
    sampled = Sampled(JointData(data), replace(plain, correlated=omega != 0))
    share = EVEN if data.all_below.any() else 0.0
    state = State(prior.centre, omega, JointErrors.of(data), share)
    aim = aim_at(sampled, state)
    starts = _starts(aim, rng)
    modes = modes_at(sampled, state, starts, mean=aim.mean)
    varies = np.flatnonzero(sampled.structure.varies)
    covariance, own = np.zeros_like(modes.precision), np.ix_(varies, varies)
    covariance[:, *own] = np.linalg.inv(modes.precision[:, *own])
    moments = modes.theta, covariance
    found = Importance(sampled, state, moments=moments, rng=rng, draws=_DRAWS)
    known = posteriors_of(found, state, rng)
    return _About(data, aim, starts, known, _reasons(data, missing))


def _starts(aim: Aim, rng: np.random.Generator) -> Array:
    return aim.mean + aim.reach * rng.standard_normal((_STARTS, *aim.mean.shape))


def _reasons(data: FitData, missing: Mapping[str, str]) -> dict[str, str]:
    """Say of each patient who is not used why."""
    assays = [one.assay for one in data.series]
    return {
        patient: missing.get(patient) or unusable(data.samples, patient, assays).reason
        for patient in data.without
    }


def _known(about: _About, *, day: float) -> _Known:
    """Work out what is known of the curves of those who have enough samples."""
    data, draws = about.data, about.posteriors.draws
    each = np.stack([one.said.quantified.sum(-1) for one in data.series], axis=-1)
    seen, main = each.sum(-1), _main(data, each)
    lost, odds, second = np.full((3, len(seen)), np.nan)
    for k, one in enumerate(data.series):
        rows = np.flatnonzero((main == k) & (seen >= MIN_QUANTIFIED))
        if not rows.size:
            continue
        levels = data.curves(draws, [day], series=k).log_level[..., 0]
        lost[rows] = (levels < _limits(data, one)).mean(0)[rows]
        found = second_peak(_of_assay(about.aim.of(rows), k), about.starts[:, rows])
        odds[rows], second[rows] = found.bic / (2 * np.log(10)), found.day
    return _Known(seen, main, lost, odds, second)


def _main(data: FitData, each: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return which series has most quantified samples, whatever their order."""
    names, total = [one.assay for one in data.series], each.sum(0)
    order = sorted(range(len(names)), key=lambda k: (-total[k], names[k]))
    return np.array(order)[each[:, order].argmax(-1)]


def _of_assay(aim: Aim, k: int) -> Aim:
    """Return the aim of the samples of one assay."""
    data = replace(aim.data, series=aim.data.series[k : k + 1])
    return replace(aim, data=data, errors=aim.errors[k : k + 1])


def _limits(data: FitData, one: Series) -> Array:
    """Return each patient's highest log limit of quantification; -inf where unknown."""
    limit = data.samples["lloq"].to_numpy(float)[np.maximum(one.rows, 0)]
    with np.errstate(divide="ignore"):
        found = np.log(np.where(one.known & (limit > 0), limit, 0.0).max(-1))
    return found + one.log_size


def _row(about: _About, known: _Known, i: int, *, day: float) -> dict[str, object]:
    """Return the class of one patient with its reasons."""
    data, seen = about.data, int(known.seen[i])
    expanded, lost = float(about.posteriors.expanded[i]), float(known.lost[i])
    odds, second = float(known.odds[i]), float(known.second[i])
    if data.all_below[i]:
        used = sum(int(one.known[i].sum()) for one in data.series)
        name, sentence = nothing_seen(used, expanded)
    elif seen < MIN_QUANTIFIED:
        name = "too_few_samples"
        sentence = f"{counted(seen, 'quantified sample')} cannot hold a curve."
    elif odds > np.log10(POSITIVE):
        name = "second_peak"
        sentence = (
            f"A second peak about day {second:.0f} explains the samples "
            f"{10**odds:.3g} times better, by BIC."
        )
    elif lost > 0.5:
        name = "lost_early"
        sentence = (
            f"The level was below the limit on day {day:g} with a probability of "
            f"{lost:.2f}."
        )
    else:
        name = "expanded"
        sentence = f"Probability to be below the limit on day {day:g}: {lost:.2f}."
    return {
        "patient": data.patients[i],
        "class": name,
        "expanded": expanded,
        "assay": data.series[known.main[i]].assay if seen >= MIN_QUANTIFIED else "",
        "lost": lost,
        "second_peak": odds,
        "second_peak_day": second,
        "sentence": sentence,
    }


def _without(patient: str, sentence: str) -> dict[str, object]:
    """Return the row of a patient of whom nothing can be said."""
    return {
        "patient": patient,
        "class": "too_few_samples",
        "expanded": np.nan,
        "assay": "",
        **dict.fromkeys(("lost", "second_peak", "second_peak_day"), np.nan),
        "sentence": sentence,
    }
