"""The samples of assays, a row for each patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError, Problem, nearest
from cellpk.fit.cases import LEFT_OUT as NOT_OF_THE_FIT
from cellpk.fit.cases import main_specimen, second_infusions
from cellpk.fit.likelihood import LEFT_OUT, Evidence, evidence
from cellpk.model.model import Model
from cellpk.study.specimens import specimen as ours
from cellpk.study.study import Study
from cellpk.study.units import factor

Array = NDArray[np.float64]

OTHER_ASSAY = "of an assay that is not fitted"
"""Why a sample is left out, besides the reasons of cases and of the likelihood."""

ADDITIVE = ("normal", "combined")
"""Kinds of residual error that are stated in the unit of the level."""

TOLD = ("quantified", "detected", "above")
"""States of a sample that show cells."""


@dataclass(frozen=True, eq=False)
class Series:
    """The samples of one assay, a row for each patient, rows padded to one length.

    Parameters
    ----------
    observed : str
        Which of the model's observed levels the assay measures.
    assay, specimen, unit : str
        What was measured, in what, and the unit of the levels here.
    log_size : float
        Natural log of what the study's levels are multiplied by to be in that unit.
    times : ndarray, shape (N, n)
        Days after infusion, in order; a row is padded with its last.
    said : Evidence
        Ends of the log level, shape (N, n); without ends where a row is padded.
    rows : ndarray of int, shape (N, n)
        Which rows of the samples' table they are; -1 where padded.
    left_out : DataFrame
        The samples of the assay that are not used; ``left_out`` says why.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> (qpcr,) = read_series(stein, ck.simulate_study(seed=1), "qpcr").series
    >>> qpcr.times.shape[0], int(qpcr.known.sum())
    (18, 213)
    """

    observed: str
    assay: str
    specimen: str
    unit: str
    log_size: float
    times: Array
    said: Evidence
    rows: NDArray[np.intp]
    left_out: pd.DataFrame

    @property
    def known(self) -> NDArray[np.bool_]:
        """Samples that say something, shape (N, n)."""
        return self.rows >= 0

    def of(self, rows: NDArray[np.intp]) -> "Series":
        """Return the samples of some of the patients; see ``FitData.of``."""
        return replace(
            self,
            times=self.times[rows],
            said=Evidence(self.said.low[rows], self.said.high[rows]),
            rows=self.rows[rows],
        )


@dataclass(frozen=True, eq=False)
class Found:
    """The samples of all assays, and who has any.

    Parameters
    ----------
    patients : tuple of str
        Who has a sample that says something.
    series : tuple of Series
        One per assay.
    all_below : ndarray of bool, shape (N,)
        In whom no sample shows cells.
    samples : DataFrame
        Every sample of the study with the reason why it is left out.
    notes : tuple of str
        What was assumed of units.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> int(read_series(stein, ck.simulate_study(seed=1), "qpcr").all_below.sum())
    3
    """

    patients: tuple[str, ...]
    series: tuple[Series, ...]
    all_below: NDArray[np.bool_]
    samples: pd.DataFrame
    notes: tuple[str, ...]

    def of(self, rows: NDArray[np.intp]) -> "Found":
        """Return the samples of some of the patients; see ``FitData.of``."""
        return replace(
            self,
            patients=tuple(self.patients[row] for row in rows),
            series=tuple(one.of(rows) for one in self.series),
            all_below=self.all_below[rows],
        )


def read_series(
    model: Model,
    study: Study,
    assays: str | Sequence[str] | Mapping[str, str] | None,
    *,
    specimen: str | None = None,
) -> Found:
    """Return the samples of assays, each used or left out with a reason.

    Parameters
    ----------
    model, study, assays, specimen
        As in :func:`cellpk.fit.data.fit_data`.

    Raises
    ------
    DataError
        As there.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> found = read_series(stein, ck.simulate_study(seed=1), "qpcr")
    >>> found.samples["left_out"].value_counts().index.tolist()
    ['of an assay that is not fitted', '', 'not after infusion', 'missing']
    """
    chosen = _chosen(model, study, assays)
    units, notes = _units(model, study, chosen)
    samples = study.samples
    samples["left_out"] = OTHER_ASSAY
    later = {} if model.infusions is not None else second_infusions(study)
    said, specimens = {}, {}
    for assay in chosen:
        own = samples.loc[samples["assay"] == assay]
        specimens[assay] = ours(specimen) if specimen else _most_frequent(own)
        reasons, said[assay] = _reasons(own, later, specimens[assay])
        samples.loc[own.index, "left_out"] = reasons
    used = samples.loc[samples["left_out"] == ""]
    patients = tuple(sorted(used["patient"].unique()))
    if not patients:
        _refuse(samples, list(chosen))
    series = []
    for assay, observed in chosen.items():
        own = samples.loc[samples["assay"] == assay]
        unit, log_size = units[assay][0], float(np.log(units[assay][1]))
        times, ends, rows = _padded(own, said[assay], patients, log_size=log_size)
        about = (observed, assay, specimens[assay], unit, log_size)
        left_out = own.loc[own["left_out"] != ""]
        series.append(Series(*about, times, ends, rows, left_out))
    shown = set(used.loc[used["state"].isin(TOLD), "patient"])
    all_below = np.array([name not in shown for name in patients])
    return Found(patients, tuple(series), all_below, samples, notes)


def _chosen(
    model: Model,
    study: Study,
    assays: str | Sequence[str] | Mapping[str, str] | None,
) -> dict[str, str]:
    """Return the model's observed level of each assay to fit."""
    if not isinstance(model, Model):
        what, todo = "it is a model that is fitted", "Give what load_model returns."
        raise DataError(Problem(what, todo, value=type(model).__name__))
    if not isinstance(study, Study):
        what, todo = "a model is fitted to a study", "Give what read_study returns."
        raise DataError(Problem(what, todo, value=type(study).__name__))
    if assays is None or isinstance(assays, str):
        name = assays or study.main_assay
        chosen = {name: model.stand_in(name).name}
    elif isinstance(assays, Mapping):
        chosen = dict(assays)
    else:
        chosen = {name: name for name in assays}
    where = f"study {study.settings.study.id!r}"
    problems = [
        Problem(
            f"{where} has no sample of {f'assay {assay!r}' if assay else 'CAR-T'}",
            nearest(assay, study.assays),
        )
        for assay in chosen
        if assay not in study.assays
    ]
    problems += [
        Problem(
            f"{observed!r} is not observed by {model.name}",
            f"{nearest(observed, model.observed)} Say what an assay stands for as "
            f"assays={{{assay!r}: ...}}.",
        )
        for assay, observed in chosen.items()
        if observed not in model.observed
    ]
    if problems or not chosen:
        raise DataError(problems or Problem("assays is empty", "Name one."))
    return chosen


def _units(
    model: Model, study: Study, chosen: Mapping[str, str]
) -> tuple[dict[str, tuple[str, float]], tuple[str, ...]]:
    """Return the unit of each assay's levels here, by what they are multiplied, notes.

    The levels of one assay may be in a unit of their own: what scales the curve takes
    it up. Two assays of one curve cannot both, and an additive error does not scale.
    """
    found: dict[str, tuple[str, float]] = {}
    notes, problems = [], []
    for assay, observed in chosen.items():
        row = model.observed[observed]
        unit, own = study.unit(assay), row.unit
        size = factor(unit, own)
        found[assay] = (unit, 1.0) if size is None else (own, size)
        if size is None:
            said = f"{assay}: {own} of the model say nothing of {unit}"
            notes.append(f"{said}: parameters that scale the level are in {unit}")
            todo = f"Observe it in {unit} in the model, with a factor as a parameter."
            if len(chosen) > 1:
                problems.append(Problem(said, todo))
            elif row.error in ADDITIVE:
                said = f"the additive error of {observed} is in {own}"
                todo = f"State it, and the level, in {unit} in a variant of the model."
                problems.append(Problem(f"{said} and says nothing of {unit}", todo))
        elif size != 1:
            notes.append(f"{assay}: {unit} converted to {own}")
    if problems:
        raise DataError(problems)
    return found, tuple(notes)


def _most_frequent(samples: pd.DataFrame) -> str:
    usable = ~samples["excluded"] & (samples["state"] != "missing")
    return main_specimen(samples.loc[usable])


def _reasons(
    samples: pd.DataFrame, later: Mapping[str, float], specimen: str
) -> tuple[NDArray[np.str_], Evidence]:
    """Return why each sample is left out, and what the used ones say."""
    time = samples["time"].to_numpy(float)
    second = samples["patient"].map(later).to_numpy(float)
    why = samples["reason"].where(samples["reason"] != "", "no reason given")
    reasons = np.select(
        [
            samples["excluded"],
            samples["state"] == "missing",
            ~(time > 0),
            time > second,
            samples["specimen"] != specimen,
        ],
        [
            "excluded: " + why,
            LEFT_OUT["missing"],
            *(NOT_OF_THE_FIT[name] for name in ("early", "later", "specimen")),
        ],
        "",
    ).astype(object)
    said, more = evidence(samples.loc[reasons == ""])
    reasons[reasons == ""] = more.to_numpy()
    return reasons, said


def _refuse(samples: pd.DataFrame, assays: Sequence[str]) -> None:
    own = samples.loc[samples["assay"].isin(assays), "left_out"]
    counts = ", ".join(f"{n} {why}" for why, n in own.value_counts().items())
    what = f"no sample of {', '.join(assays)} says anything of the level"
    raise DataError(Problem(what, f"They are: {counts}.", value=", ".join(assays)))


def _padded(
    samples: pd.DataFrame, said: Evidence, patients: Sequence[str], *, log_size: float
) -> tuple[Array, Evidence, NDArray[np.intp]]:
    """Return times, evidence and rows of the used samples, a row for each patient."""
    used = samples.loc[samples["left_out"] == "", ["patient", "time"]]
    used = used.assign(low=said.low + log_size, high=said.high + log_size)
    used = used.sort_values(["patient", "time"], kind="stable")
    row = np.searchsorted(patients, used["patient"].to_numpy(str))
    place = used.groupby("patient").cumcount().to_numpy()
    shape = (len(patients), int(place.max(initial=0)) + 1)
    times, low, high = (
        np.full(shape, np.nan),
        np.full(shape, -np.inf),
        np.full(shape, np.inf),
    )
    rows = np.full(shape, -1, dtype=np.intp)
    times[row, place] = used["time"]
    low[row, place], high[row, place] = used["low"], used["high"]
    rows[row, place] = used.index
    last = np.nan_to_num(times, nan=0.0).max(axis=1, keepdims=True)
    return np.where(np.isnan(times), last, times), Evidence(low, high), rows
