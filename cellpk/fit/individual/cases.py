"""Which patients can be fitted, which never expanded, of whom too little is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import DataError
from cellpk.fit.cases import EVEN, MIN_QUANTIFIED, counted, nothing_seen
from cellpk.fit.cases import LEFT_OUT as NOT_OF_THE_FIT
from cellpk.fit.data import FitData, gathered
from cellpk.fit.histories import read_histories
from cellpk.fit.individual.question import Question
from cellpk.fit.likelihood import LEFT_OUT
from cellpk.fit.series import OTHER_ASSAY, read_series
from cellpk.model.model import Model
from cellpk.study.study import Study

Assays = str | Sequence[str] | Mapping[str, str] | None

_DRAWS = 4096


class Case(NamedTuple):
    """What can be asked of one patient.

    Parameters
    ----------
    patient : str
        Who.
    status : {"expanded", "never_expanded", "too_few_samples"}
        Whether a curve can be fitted, is not called for, or cannot be had.
    reason : str
        A sentence where no curve is fitted, else empty.

    Examples
    --------
    >>> Case("A", "expanded", "").status
    'expanded'
    """

    patient: str
    status: str
    reason: str


def told(model: Model, study: Study, assays: Assays) -> tuple[FitData, dict[str, str]]:
    """Return the samples for a fit, without patients of whom something is missing.

    Parameters
    ----------
    model, study, assays
        As for :func:`cellpk.fit.data.fit_data`.

    Returns
    -------
    data : FitData
        Of all patients but those.
    missing : dict of str to str
        What is missing, such as a covariate or a dose, by patient.

    Raises
    ------
    DataError
        As there, where it is of all patients.

    Examples
    --------
    >>> import cellpk as ck
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> data, missing = told(stein, ck.simulate_study(seed=1), "qpcr")
    >>> len(data.patients), missing
    (18, {})
    """
    found = read_series(model, study, assays)
    try:
        return gathered(model, study, found), {}
    except DataError:
        missing = _missing(model, study, found.patients)
        if len(missing) == len(found.patients):
            raise
    rows = [i for i, name in enumerate(found.patients) if name not in missing]
    kept, why = found.of(np.array(rows, np.intp)), found.samples["patient"].map(missing)
    out = (found.samples["left_out"] == "") & why.notna()
    said = "something is missing of the patient: " + why[out].str.rstrip(".")
    left_out = found.samples["left_out"].mask(out, said)
    samples = found.samples.assign(left_out=left_out)
    return gathered(model, study, replace(kept, samples=samples)), missing


def _missing(model: Model, study: Study, patients: Sequence[str]) -> dict[str, str]:
    """Say what is missing of each patient of whom something is."""
    missing = {}
    for patient in patients:
        try:
            read_histories(model, study, [patient])
        except DataError as error:
            said = [f"{x.what.rstrip('.')}. {x.todo}" for x in error.problems]
            missing[patient] = " ".join(said)
    return missing


def patients_of(study: Study) -> list[str]:
    """Return all patients of a study, by name.

    Examples
    --------
    >>> import cellpk as ck
    >>> len(patients_of(ck.simulate_study(seed=1)))
    18
    """
    return sorted({*study.patients["patient"], *study.samples["patient"]})


def classify(data: FitData, asked: Question) -> tuple[Case, ...]:
    """Return one case for each patient who has a sample that says something.

    *never_expanded*: no sample shows cells, and a level of zero explains that better
    than the curves of the model do, by likelihood. *too_few_samples*: neither is sure,
    or fewer than ``MIN_QUANTIFIED`` samples were quantified. *expanded*: the rest.

    Parameters
    ----------
    data : FitData
        Samples of N patients.
    asked : Question
        The model's distribution between patients.

    Returns
    -------
    tuple of Case
        In the order of ``data.patients``.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.individual.door import question
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> from cellpk.fit.data import fit_data
    >>> data = fit_data(stein, ck.simulate_study(seed=1), assays="qpcr")
    >>> cases = classify(data, question(data, None, starts=4, seed=1))
    >>> [case.patient for case in cases if case.status == "never_expanded"]
    ['S12', 'S16', 'S18']
    """
    used, seen = np.zeros((2, len(data.patients)), int)
    for one in data.series:
        used += one.known.sum(-1)
        seen += (one.said.quantified & one.known).sum(-1)
    expanded = _expanded(data, asked)
    cases = []
    for i, patient in enumerate(data.patients):
        status, reason = "expanded", ""
        if data.all_below[i]:
            status, reason = nothing_seen(int(used[i]), expanded[i])
        elif seen[i] < MIN_QUANTIFIED:
            status = "too_few_samples"
            reason = (
                f"{counted(int(seen[i]), 'quantified sample')} cannot hold a curve."
            )
        cases.append(Case(patient, status, reason))
    return tuple(cases)


def unusable(samples: pd.DataFrame, patient: str, assays: Sequence[str]) -> Case:
    """Return the case of a patient who has no sample that says something.

    Parameters
    ----------
    samples : DataFrame
        ``FitData.samples``.
    patient : str
        Who.
    assays : sequence of str
        What is fitted.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["A"], "assay": ["qpcr"],
    ...                         "left_out": ["not after infusion"]})
    >>> unusable(samples, "A", ["qpcr"]).reason
    'No sample that says something: 1 not after infusion.'
    >>> unusable(samples, "B", ["qpcr"]).reason
    'No sample of this assay.'
    """
    own = samples[(samples["patient"] == patient) & samples["assay"].isin(assays)]
    if own.empty:
        return Case(patient, "too_few_samples", "No sample of this assay.")
    counts = own["left_out"].value_counts()
    why = ", ".join(f"{number} {reason}" for reason, number in counts.items())
    return Case(patient, "too_few_samples", f"No sample that says something: {why}.")


def counts(samples: pd.DataFrame) -> pd.DataFrame:
    """Count the samples of the specimen and time that the fit is about.

    Parameters
    ----------
    samples : DataFrame
        ``FitData.samples``.

    Returns
    -------
    DataFrame
        By patient: ``n_samples, n_quantified, n_below``, used or without information.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["A", "A"], "state": ["quantified", "below"],
    ...                         "left_out": ["", "not after infusion"]})
    >>> counts(samples).loc["A"].to_list()
    [1, 1, 0]
    """
    reasons = samples["left_out"]
    other = {OTHER_ASSAY, LEFT_OUT["missing"], *NOT_OF_THE_FIT.values()}
    out = reasons.isin(other) | reasons.str.startswith("excluded")
    own = samples[~out]
    state = own["state"]
    return pd.DataFrame(
        {
            "n_samples": own.groupby("patient").size(),
            "n_quantified": (state == "quantified").groupby(own["patient"]).sum(),
            "n_below": (state == "below").groupby(own["patient"]).sum(),
        }
    )


class AboutHighest(NamedTuple):
    """Quantified samples of each assay and patient; arrays of shape (assays, N).

    Parameters
    ----------
    seen, before, after : ndarray of int
        How many there are, and how many before and after the highest of them.
    peak : ndarray
        The day of the highest.

    Examples
    --------
    >>> AboutHighest._fields
    ('seen', 'before', 'after', 'peak')
    """

    seen: NDArray[np.intp]
    before: NDArray[np.intp]
    after: NDArray[np.intp]
    peak: NDArray[np.float64]


def about_highest(data: FitData) -> AboutHighest:
    """Count quantified samples: all, and those before and after the highest.

    Examples
    --------
    >>> import cellpk as ck
    >>> from cellpk.fit.data import fit_data
    >>> stein = ck.load_model("stein_2019_tisagenlecleucel")
    >>> found = about_highest(fit_data(stein, ck.simulate_study(seed=1)))
    >>> [int(count[0, 0]) for count in found]
    [3, 2, 0, 13]
    """
    found = []
    for one in data.series:
        quantified = one.said.quantified
        level = np.where(quantified, one.said.low, -np.inf)
        peak = np.take_along_axis(one.times, level.argmax(-1)[:, None], axis=-1)
        early, late = one.times < peak, one.times > peak
        masks = (quantified, quantified & early, quantified & late)
        found.append((*(mask.sum(-1) for mask in masks), peak[:, 0]))
    return AboutHighest(*map(np.stack, zip(*found, strict=True)))


def _expanded(data: FitData, asked: Question) -> list[float]:
    """Return the probability that the cells expanded, where no sample shows any.

    The average likelihood over the prior against that of a level of zero.
    """
    found = [1.0] * len(data.patients)
    rows = np.flatnonzero(data.all_below)
    if not rows.size:
        return found
    aim = asked.aim(data.of(rows))
    drawn = np.clip(asked.prior_draws(_DRAWS), asked.low, asked.high)[:, None, :]
    wide = np.broadcast_to(drawn, (_DRAWS, *aim.mean.shape))
    average = np.exp(aim.log_likelihood(wide)).mean(0)
    zero = np.exp(aim.data.no_cells(aim.errors)[0])
    odds = EVEN * average / ((1 - EVEN) * zero)
    for i, value in zip(rows, odds / (1 + odds), strict=True):
        found[i] = float(value)
    return found
