"""From a study's samples to profiles on flat arrays."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from cellpk.errors import DataError, Problem, nearest
from cellpk.kinetics.profiles import Profiles
from cellpk.kinetics.segments import Flags
from cellpk.study.metric_rules import PointsByHand, Rules
from cellpk.study.study import Study

SERIES = ["patient", "assay", "specimen"]
"""What a profile is of."""

_SAME_TIME = 1e-6


def series_of(study: Study) -> pd.DataFrame:
    """Pair every patient with every series of the study, sampled or not.

    Returns
    -------
    DataFrame
        ``patient``, ``assay``, ``specimen``: a row for each profile.

    Examples
    --------
    >>> import cellpk as ck
    >>> series_of(ck.simulate_study(seed=1)).shape
    (54, 3)
    """
    samples = study.samples.drop_duplicates(SERIES[1:]).sort_values(SERIES[1:])
    return study.patients[["patient"]].merge(samples[SERIES[1:]], how="cross")


def assay_of(study: Study, assay: str | None) -> str:
    """Return the assay that is asked for, else the main one of the study.

    Raises
    ------
    DataError
        If none is asked for, and the study has none of CAR-T cells or their transgene.

    Examples
    --------
    >>> import cellpk as ck
    >>> assay_of(ck.simulate_study(seed=1), None)
    'qpcr'
    """
    if assay or study.main_assay:
        return assay or study.main_assay
    what = "the study has no series of CAR-T cells or of their transgene"
    todo = f"Name another one as 'assay', such as {study.assays[0]!r}."
    raise DataError(Problem(what, todo, column="assay"))


def usable_samples(study: Study, rules: Rules) -> tuple[pd.DataFrame, Flags]:
    """Return the samples that can be used, and which of them come too late.

    Returns
    -------
    samples : DataFrame
        Rows of ``study.samples``.
    late : array of bool, shape (rows,)
        Those after a further infusion or another cell therapy, which do not count.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples, late = usable_samples(ck.simulate_study(seed=1), Rules())
    >>> bool(late.any())
    False
    """
    samples = study.samples
    samples = samples.loc[~samples["excluded"] & (samples["state"] != "missing")]
    ends = counted_until(study, rules)
    if ends.empty:
        return samples, np.zeros(len(samples), bool)
    until = samples["patient"].map(ends)
    late = samples["time"].to_numpy() > until.fillna(np.inf).to_numpy(float)
    return samples, late


def counted_until(study: Study, rules: Rules) -> pd.Series:
    """Return the day up to which each patient's samples count, where there is one.

    Returns
    -------
    Series of float, indexed by patient
        Day of a further infusion or another cell therapy, the earlier one.

    Examples
    --------
    >>> import cellpk as ck
    >>> counted_until(ck.simulate_study(seed=1), Rules()).empty
    True
    """
    ends = pd.concat([_further_infusions(study, rules), _other_therapies(study, rules)])
    return ends.groupby(level=0).min()


def laid_out(samples: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Profiles:
    """Lay samples out on flat arrays, one profile for each row of ``series``.

    Parameters
    ----------
    samples : DataFrame
        Usable rows of ``study.samples``.
    series : DataFrame
        From :func:`series_of`.
    rules : Rules
        The choices behind the metrics.

    Raises
    ------
    DataError
        Where points that were chosen by hand are no quantified samples.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> samples, late = usable_samples(study, Rules())
    >>> len(laid_out(samples, series_of(study), Rules()))
    54
    """
    places = series.assign(place=np.arange(len(series)))
    placed = samples.merge(places, on=SERIES)
    later = np.diff(placed["time"]) >= 0
    step = np.diff(placed["place"])
    if not ((step > 0) | ((step == 0) & later)).all():
        placed = placed.sort_values(["place", "time"], kind="stable")
    known = placed["level"].where(placed["state"] == "quantified", 0.0)
    levels = known.where(placed["state"] != "above", np.inf)
    return Profiles.stacked(
        placed["time"].to_numpy(),
        levels.to_numpy(),
        np.searchsorted(placed["place"], np.arange(len(series) + 1)),
        lloq=placed["lloq"].fillna(0.0).to_numpy(),
        by_hand=_by_hand(placed, rules.lambda_z_times, name="lambda_z_times"),
        left_out=_by_hand(placed, rules.lambda_z_without, name="lambda_z_without"),
        above=series["assay"].map(rules.above).to_numpy(float),
        rules=rules,
    )


def checked(rules: Rules, study: Study) -> Rules:
    """Return the rules, after a look at what they say of a study's assays and patients.

    Raises
    ------
    DataError
        Naming every assay and patient that the study does not have.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> checked(Rules(above={"flw": 10.0}), study)
    Traceback (most recent call last):
        ...
    cellpk.errors.DataError: column above, value 'flw':
      the study has no such assay. Did you mean 'flow'?
    """
    problems = [*_unknown("above", rules.above, study.assays, "assay")]
    by_hand = rules.lambda_z_times or rules.lambda_z_without
    patients = list(study.patients["patient"]) if by_hand else []
    for name in ("lambda_z_times", "lambda_z_without"):
        chosen: PointsByHand = getattr(rules, name)
        problems += _unknown(name, chosen, study.assays, "assay")
        for points in chosen.values():
            problems += _unknown(name, points, patients, "patient")
    if problems:
        raise DataError(problems)
    return rules


def _unknown(
    rule: str,
    given: Mapping[str, object],
    known: "list[str] | tuple[str, ...]",
    what: str,
) -> Iterator[Problem]:
    for name in given:
        if name not in known:
            yield Problem(
                f"the study has no such {what}",
                nearest(name, known),
                column=rule,
                value=name,
            )


def _further_infusions(study: Study, rules: Rules) -> pd.Series:
    """Return the time of the first infusion that is no part of the first dose."""
    infusions = study.infusions
    if rules.reinfusion == "keep" or infusions.empty:
        return pd.Series(dtype=float)
    begin = infusions.groupby("patient")["time"].transform("min")
    further = infusions[infusions["time"] > begin + rules.split_dose_days]
    return further.groupby("patient")["time"].min()


def _other_therapies(study: Study, rules: Rules) -> pd.Series:
    """Return the time of the first other cell therapy of each patient."""
    given = study.comedication
    drug = given["drug"].str.casefold().str.replace(r"[^a-z0-9]+", "_", regex=True)
    other = given[drug.isin(rules.cut_at) & (given["time"] > 0)]
    return other.groupby("patient")["time"].min()


def _by_hand(placed: pd.DataFrame, chosen: PointsByHand, *, name: str) -> Flags:
    """Mark the samples whose times were named, and refuse times without a sample."""
    mask, problems = np.zeros(len(placed), bool), []
    for assay, patients in chosen.items():
        for patient, times in patients.items():
            here = (placed["assay"] == assay) & (placed["patient"] == patient)
            here &= placed["state"] == "quantified"
            for time in times:
                near = here & ((placed["time"] - time).abs() < _SAME_TIME)
                mask |= near.to_numpy()
                if not near.any():
                    problems.append(_no_sample(name, assay, patient, time=time))
    if problems:
        raise DataError(problems)
    return mask


def _no_sample(rule: str, assay: str, patient: str, *, time: float) -> Problem:
    return Problem(
        f"there is no quantified sample of {assay!r} at this time",
        "Name days after infusion as in study.samples.",
        patient=patient,
        column=rule,
        value=f"{time:g}",
    )
