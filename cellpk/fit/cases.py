"""Words for what patients' samples show, and which samples a fit is not about."""

from collections import Counter

import numpy as np
import pandas as pd

from cellpk.study.study import Study

SURE = 0.95
"""Probability from which a patient of whom nothing was quantified never expanded."""

EVEN = 0.5
"""Share of patients who never expand that a published model is given beforehand."""

MIN_QUANTIFIED = 2
"""A curve is not drawn through fewer points."""

LEFT_OUT = {
    "early": "not after infusion",
    "later": "after a later infusion: the model knows one",
    "specimen": "another specimen than most samples",
}
"""Why a sample has no part in a patient's fit, besides those of the likelihood."""


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


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "sample"), counted(3, "sample")
    ('1 sample', '3 samples')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nothing_seen(number: int, expanded: float) -> tuple[str, str]:
    """Tell zero expansion from samples that would not have shown it.

    How well a level of zero explains samples below their limits (fully, unless the
    residual error adds to the level), and how well cells that expanded do, gives the
    probability.

    Parameters
    ----------
    number : int
        How many samples there are, all of them below the limit.
    expanded : float
        The probability that the cells expanded.

    Returns
    -------
    status, sentence : str
        ``never_expanded`` or ``too_few_samples``, and why.

    Examples
    --------
    >>> nothing_seen(4, 0.002)[1]
    '4 samples, all below the limit: the cells never expanded, with a probability of
    0.998.'
    >>> nothing_seen(1, 0.3)[0]
    'too_few_samples'
    """
    samples = counted(number, "sample")
    if 1 - expanded >= SURE:
        return "never_expanded", (
            f"{samples}, all below the limit: the cells never expanded, with a "
            f"probability of {1 - expanded:.3f}."
        )
    return "too_few_samples", (
        f"{samples}, all below the limit, which cells that expanded may show as well: "
        f"they expanded with a probability of {expanded:.2f}."
    )
