"""Who still had a quantifiable level at each visit, of those who were sampled."""

import numpy as np
import pandas as pd

from cellpk.kinetics.persistence_intervals import follow_up
from cellpk.kinetics.shares import exact_interval
from cellpk.study.metric_rules import Rules
from cellpk.study.study import Study

FOUND = {
    "quantified": "quantifiable",
    "above": "quantifiable",
    "detected": "detected",
    "below": "not_detected",
}
"""State of a sample to what was found at its visit."""


def states_at_visits(study: Study, samples: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Return what was found in each patient at each visit.

    Parameters
    ----------
    study : Study
        Its records say who was followed to the visit.
    samples : DataFrame
        The usable samples of one series
        (:func:`~cellpk.kinetics.persistence_intervals.usable`).
    rules : Rules
        Those of the metrics: the visits and what ends the time that counts.

    Returns
    -------
    DataFrame
        patient, visit, day, window, at_risk (alive and not infused again when the
        window opens, and some record reaches it), found ("quantifiable", "detected",
        "not_detected"; empty where not sampled). Of several samples in the window that
        nearest to the day of the visit counts.

    Examples
    --------
    >>> from cellpk.kinetics.persistence_intervals import usable
    >>> frame = pd.DataFrame({"patient": ["1", "2"], "time": [27, 27], "level": [9, 0]})
    >>> study = Study.from_frames(frame.assign(assay="flow", specimen="blood", lloq=1))
    >>> rules = Rules(visits={"d28": (28, 7)})
    >>> samples = usable(study, rules, assay="flow", specimen="blood")
    >>> states_at_visits(study, samples, rules)["found"].tolist()
    ['quantifiable', 'not_detected']
    """
    followed = follow_up(study, rules)
    parts = []
    for visit, (day, window) in rules.visits.items():
        opens = day - window
        at_risk = (
            (followed["last_record"] >= opens)
            & (followed["death"] >= opens)
            & (followed["cut"] > opens)
        )
        off = (samples["time"] - day).abs()
        inside = samples.assign(off=off)[off <= window].sort_values(
            "off", kind="stable"
        )
        nearest = inside.drop_duplicates("patient").set_index("patient")["state"]
        found = nearest.map(FOUND).reindex(followed.index).fillna("")
        rows = {"visit": visit, "day": day, "window": window}
        rows |= {"at_risk": at_risk | found.ne(""), "found": found}
        parts.append(pd.DataFrame(rows, index=followed.index).reset_index())
    columns = ["patient", "visit", "day", "window", "at_risk", "found"]
    return pd.concat(parts, ignore_index=True)[columns]


def counted(states: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Count the patients at each visit.

    Parameters
    ----------
    states : DataFrame
        As from :func:`states_at_visits`.
    confidence : float
        Of the exact (Clopper-Pearson) interval.

    Returns
    -------
    DataFrame
        A row for each visit: visit, day, window, at_risk, sampled, quantifiable, share
        (of those sampled; NaN where nobody was), low, high, detected, not_detected,
        not_sampled (at risk, but without a usable sample in the window).

    Examples
    --------
    >>> states = pd.DataFrame({"visit": "d28", "day": 28.0, "window": 7.0,
    ...                        "at_risk": True, "found": ["quantifiable"] * 4 + [""]})
    >>> row = counted(states).iloc[0]
    >>> int(row["sampled"]), round(float(row["low"]), 4), int(row["not_sampled"])
    (4, 0.3976, 1)
    """
    rows = []
    for (visit, day, window), part in states.groupby(
        ["visit", "day", "window"], sort=False
    ):
        found = part["found"]
        number = {name: int(found.eq(name).sum()) for name in FOUND.values()}
        sampled = sum(number.values())
        there = number["quantifiable"]
        low, high = exact_interval(there, sampled, confidence=confidence)
        rows.append(
            {
                "visit": visit,
                "day": day,
                "window": window,
                "at_risk": int(part["at_risk"].sum()),
                "sampled": sampled,
                "quantifiable": there,
                "share": there / sampled if sampled else np.nan,
                "low": low,
                "high": high,
                "detected": number["detected"],
                "not_detected": number["not_detected"],
                "not_sampled": int((part["at_risk"] & found.eq("")).sum()),
            }
        )
    return pd.DataFrame(rows)
