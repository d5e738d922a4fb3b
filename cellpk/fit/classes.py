"""What became of each patient's cells, decided by likelihood: ``kinetic_classes``."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import FitError
from cellpk.fit.cases import EVEN, MIN_QUANTIFIED, counted, nothing_seen
from cellpk.fit.data import FitData
from cellpk.fit.modes import Aim, descend
from cellpk.fit.population.fit import prepared
from cellpk.fit.population.importance import Importance
from cellpk.fit.population.joint import JointData, JointErrors
from cellpk.fit.population.posteriors import posteriors_of
from cellpk.fit.population.result import PopulationFit
from cellpk.fit.population.state import Sampled, State
from cellpk.fit.prior import prior_for
from cellpk.fit.second_peak import SecondPeak, second_peak
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
        the probability that the cells expanded; ``lost``, that their level was below
        the limit on ``day``, given that they expanded; ``second_peak``, the log10 of
        how much likelier the samples are with a second peak (by BIC), and its day,
        ``second_peak_day``; ``sentence``.
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
    assay: str | None = None,
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

    Parameters
    ----------
    source : PopulationFit or Model
        The distribution between patients: an estimated one, or that of a published
        model, where half of the patients are held to never expand beforehand.
    study : Study, optional
        Whose patients; of a population fit, its own.
    assay : str, optional
        Which levels, with a model; the study's main assay where not given.
    day : float
        The day before which a loss is called early.
    seed : int
        Chance of the draws.

    Returns
    -------
    KineticClasses

    Raises
    ------
    FitError
        Where a model comes without a study, or the day is not positive.

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
    about = _about(source, study, assay)
    known = _known(about, day=day, seed=seed)
    rows = [_row(about, known, i, day=day) for i in range(len(about.data.patients))]
    rows += [_unsampled(patient) for patient in about.data.without]
    table = pd.DataFrame(rows).sort_values("patient", ignore_index=True)
    return KineticClasses(table, day)


class _About(NamedTuple):
    """Samples, and the distribution between patients."""

    sampled: Sampled
    data: FitData
    state: State


class _Known(NamedTuple):
    """What is known of each patient."""

    expanded: Array
    lost: Array
    second: SecondPeak


def _about(
    source: PopulationFit | Model, study: Study | None, assay: str | None
) -> _About:
    if isinstance(source, PopulationFit):
        layout = source.estimates.layout
        sampled = Sampled(JointData(source.data), layout.structure)
        return _About(sampled, source.data, layout.state)
    if study is None:
        todo = "Give the study, too, or a population fit alone."
        raise FitError(f"the model {source.name} comes without a study", todo=todo)
    sampled, start = prepared(source, study, assays=assay)
    assert isinstance(sampled.data, JointData)
    data = sampled.data.data
    prior = prior_for(data)
    share = EVEN if data.all_below.any() else 0.0
    state = State(prior.centre, np.diag(prior.sd**2), start.errors, share)
    return _About(sampled, data, state)


def _known(about: _About, *, day: float, seed: int) -> _Known:
    """Work out from draws and descents what is known of each patient."""
    data, state, errors = about.data, about.state, about.state.errors
    assert isinstance(errors, JointErrors)
    mean = about.sampled.structure.means(state.beta)
    sd = np.sqrt(np.diag(state.omega))
    aim = Aim(
        data,
        errors.parts,
        mean,
        np.linalg.inv(state.omega),
        low=mean - 6 * sd,
        high=mean + 6 * sd,
        reach=sd,
    )
    rng = np.random.default_rng(seed)
    starts = mean + sd * rng.standard_normal((_STARTS, *mean.shape))
    modes = descend(aim, np.concatenate([mean[None], starts])).best
    curvature = aim.surroundings(modes).curvature
    moments = modes, np.linalg.inv(curvature)
    found = Importance(about.sampled, state, moments=moments, rng=rng, draws=_DRAWS)
    posteriors = posteriors_of(found, state, rng)
    levels = data.curves(posteriors.draws, [day]).log_level[..., 0]
    return _Known(
        expanded=posteriors.expanded,
        lost=(levels < _limits(data)).mean(0),
        second=second_peak(aim, starts),
    )


def _limits(data: FitData) -> Array:
    """Return each patient's highest log limit of quantification; -inf where unknown."""
    one = data.series[0]
    limit = data.samples["lloq"].to_numpy(float)[np.maximum(one.rows, 0)]
    with np.errstate(divide="ignore"):
        return np.log(np.where(one.known & (limit > 0), limit, 0.0).max(-1))


def _row(about: _About, known: _Known, i: int, *, day: float) -> dict[str, object]:
    """Return the class of one patient with its reasons."""
    one = about.data.series[0]
    seen = int((one.said.quantified & one.known)[i].sum())
    expanded, lost = float(known.expanded[i]), float(known.lost[i])
    odds = float(known.second.bic[i] / (2 * np.log(10)))
    if about.data.all_below[i]:
        name, sentence = nothing_seen(int(one.known[i].sum()), expanded)
    elif seen < MIN_QUANTIFIED:
        name = "too_few_samples"
        sentence = f"{counted(seen, 'quantified sample')} cannot hold a curve."
    elif odds > np.log10(POSITIVE):
        name = "second_peak"
        sentence = (
            f"A second peak about day {known.second.day[i]:.0f} explains the samples "
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
    alone = seen >= MIN_QUANTIFIED
    return {
        "patient": about.data.patients[i],
        "class": name,
        "expanded": expanded,
        "lost": lost if alone else np.nan,
        "second_peak": odds if alone else np.nan,
        "second_peak_day": float(known.second.day[i]) if alone else np.nan,
        "sentence": sentence,
    }


def _unsampled(patient: str) -> dict[str, object]:
    numbers = dict.fromkeys(
        ("expanded", "lost", "second_peak", "second_peak_day"), np.nan
    )
    return {
        "patient": patient,
        "class": "too_few_samples",
        **numbers,
        "sentence": "No sample that says something.",
    }
