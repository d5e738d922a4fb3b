"""Which patients expanded, which never did, and of whom too little is known."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.fit.likelihood import Evidence, evidence
from cellpk.study.study import Study

EXPANSION_WINDOW = (7.0, 21.0)
"""Days between which cells that expand are to be seen: published times of the peak
centre on day 9 to 11, and 9 of 10 patients peak before day 21."""

MIN_QUANTIFIED = 2
"""A curve is not drawn through fewer points."""

LEFT_OUT = {
    "early": "not after infusion",
    "later": "after a later infusion: the model knows one",
    "specimen": "another specimen than most samples",
}
"""Why a sample has no part in a patient's fit, besides those of the likelihood."""


@dataclass(frozen=True, eq=False)
class Case:
    """One patient's samples of one assay, and what can be asked of them.

    Parameters
    ----------
    patient : str
        Who.
    status : {"expanded", "never_expanded", "not_evaluable"}
        Whether a curve can be fitted, is not called for, or cannot be had.
    reason : str
        A sentence where no curve is fitted, else empty.
    samples : DataFrame
        All samples of the assay; ``left_out`` says why one is not used.
    said : Evidence
        What the n used samples say of the log level.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> case = classify(study, study.main_assay)[0]
    >>> bool((case.samples["left_out"] == "").sum() == case.said.low.size)
    True
    """

    patient: str
    status: str
    reason: str
    samples: pd.DataFrame
    said: Evidence

    @property
    def times(self) -> NDArray[np.float64]:
        """Days of the used samples, shape (n,)."""
        return self.used["time"].to_numpy(float)

    @property
    def used(self) -> pd.DataFrame:
        """The samples that the likelihood uses."""
        return self.samples.loc[self.samples["left_out"] == ""]

    @property
    def after_infusion(self) -> pd.DataFrame:
        """The samples that count: of the specimen and time that the fit is about."""
        return self.samples.loc[~self.samples["left_out"].isin(list(LEFT_OUT.values()))]

    @property
    def quantified(self) -> pd.DataFrame:
        """The used samples with a level."""
        return self.used.loc[self.said.quantified]

    def count(self, state: str) -> int:
        """Return how many samples after infusion are in a state.

        Examples
        --------
        >>> import cellpk as ck
        >>> study = ck.simulate_study(seed=1)
        >>> classify(study, study.main_assay)[0].count("missing")
        0
        """
        return list(self.after_infusion["state"]).count(state)


def classify(study: Study, assay: str) -> tuple[Case, ...]:
    """Return one case per patient of the study, in order of the patients' names.

    *never_expanded*: all samples after infusion are below the limit, and one of them
    was taken within ``EXPANSION_WINDOW``. The curve that stays at zero then has a
    likelihood of one, so that no curve can fit better. *not_evaluable*: fewer than
    ``MIN_QUANTIFIED`` quantified samples. *expanded*: the rest. Samples at or before
    time 0 are taken before the cells are in and are not used; neither are those after a
    second infusion.

    Parameters
    ----------
    study : Study
        The study; patients without a sample of the assay are among the cases.
    assay : str
        The assay.

    Returns
    -------
    tuple of Case
        With a sentence for each patient who is not to be fitted.

    Examples
    --------
    >>> import cellpk as ck
    >>> study = ck.simulate_study(seed=1)
    >>> len(classify(study, study.main_assay)) == len(study.patients)
    True
    """
    samples = study.select(assay)
    later = second_infusions(study)
    main = main_specimen(samples)
    cases = []
    for patient in sorted({*study.patients["patient"], *samples["patient"]}):
        own = samples.loc[samples["patient"] == patient]
        time = own["time"].to_numpy(float)
        left_out = np.select(
            [time <= 0, time > later.get(patient, np.inf), own["specimen"] != main],
            [LEFT_OUT["early"], LEFT_OUT["later"], LEFT_OUT["specimen"]],
            "",
        )
        cases.append(_case(patient, own.assign(left_out=left_out)))
    return tuple(cases)


def second_infusions(study: Study) -> dict[str, float]:
    """Return the day of each patient's first infusion after time 0, where there is one.

    Examples
    --------
    >>> import cellpk as ck
    >>> second_infusions(ck.simulate_study(seed=1))
    {}
    """
    days: dict[str, float] = {}
    infusions = study.infusions
    for patient, time in zip(infusions["patient"], infusions["time"], strict=True):
        if time > 0:
            days[patient] = min(time, days.get(patient, np.inf))
    return days


def main_specimen(samples: pd.DataFrame) -> str:
    """Return the specimen of most samples; specimens are never pooled.

    Examples
    --------
    >>> main_specimen(pd.DataFrame({"specimen": ["blood", "marrow", "blood"]}))
    'blood'
    """
    counts = Counter(samples["specimen"])
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _case(patient: str, samples: pd.DataFrame) -> Case:
    counts = samples["left_out"] == ""
    said, reasons = evidence(samples.loc[counts])
    status, reason = _status(samples.loc[counts], said)
    if samples.empty:
        reason = "No sample of this assay."
    samples.loc[counts, "left_out"] = reasons
    return Case(patient, status, reason, samples, said)


def _status(samples: pd.DataFrame, said: Evidence) -> tuple[str, str]:
    """Return the status of a patient by the samples after infusion, and the reason."""
    times, states = samples["time"].to_numpy(float), list(samples["state"])
    if not states:
        return "not_evaluable", "No sample after infusion."
    if states.count("below") == len(states):
        return _all_below(times)
    if said.quantified.sum() >= MIN_QUANTIFIED:
        return "expanded", ""
    seen = times[[state == "quantified" for state in states]]
    if not seen.size:
        return "not_evaluable", f"No quantified sample after infusion ({_days(times)})."
    return "not_evaluable", (
        f"1 quantified sample ({_days(seen)}): one point cannot hold a curve."
    )


def _all_below(times: NDArray[np.float64]) -> tuple[str, str]:
    """Tell zero expansion from samples taken when none was to be seen."""
    first, last = EXPANSION_WINDOW
    window = f"day {first:g} and day {last:g}, when expansion was to be expected"
    if ((times >= first) & (times <= last)).any():
        return "never_expanded", (
            f"{counted(len(times), 'sample')} after infusion ({_days(times)}), all "
            f"below the limit, also between {window}: a level of zero explains them, "
            f"and no curve does better."
        )
    return "not_evaluable", (
        f"All samples after infusion ({_days(times)}) are below the limit, and none "
        f"was taken between {window}."
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "sample"), counted(3, "sample")
    ('1 sample', '3 samples')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _days(times: NDArray[np.float64]) -> str:
    named = ", ".join(f"{time:g}" for time in times)
    return f"days {named}" if len(times) > 1 else f"day {named}"
