"""What happened to each patient after the infusion, as figures mark it."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from cellpk.study.study import Study

KINDS: dict[str, str] = {
    "crs": "CRS",
    "crs_end": "CRS over",
    "tocilizumab": "Tocilizumab",
    "corticosteroid": "Corticosteroid",
    "other_drug": "Other comedication",
    "infusion": "Further infusion",
    "progression": "Progression",
    "death": "Death",
}
"""Kinds of events in the order of printing, and what each is called."""

RULES = {
    "crs": "CRS: the first day with which a grade above 0 is recorded.",
    "crs_end": "CRS over: the day of the first grade 0 after that.",
}

_STEROIDS = (
    "corticosteroid",
    "steroid",
    "dexamethasone",
    "methylprednisolone",
    "prednisolone",
    "prednisone",
    "hydrocortisone",
)
_COLUMNS = ["patient", "event", "time"]


def patient_events(study: "Study") -> pd.DataFrame:
    """Return the events that figures of levels mark, one a row.

    Comedication is what ``study.comedication`` holds: each drug given to a patient, at
    each of its start times. Further infusions are those after the first.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    DataFrame
        patient, event (key of ``KINDS``), time (days after the first infusion; NaN
        where the study knows that it happened, not when), sorted.

    Examples
    --------
    >>> import cellpk as ck
    >>> events = patient_events(ck.simulate_study(seed=1))
    >>> events[events["patient"] == "S01"].values.tolist()
    [['S01', 'crs', 10.0], ['S01', 'tocilizumab', 12.2], ['S01', 'progression', 28.0],
     ['S01', 'death', 220.0]]
    """
    parts = [_drugs(study), _infusions(study), _reached(study), *_crs(study)]
    events = pd.concat([part for part in parts if len(part)] or [parts[0]])
    return events.sort_values(["patient", "time"], kind="stable", ignore_index=True)


def _drugs(study: "Study") -> pd.DataFrame:
    given = study.comedication
    kind = given["drug"].where(given["drug"].eq("tocilizumab"), "other_drug")
    steroid = given["drug"].str.contains("|".join(_STEROIDS), regex=True)
    given["event"] = kind.mask(steroid, "corticosteroid")
    return given[_COLUMNS].drop_duplicates()


def _infusions(study: "Study") -> pd.DataFrame:
    given = study.infusions
    later = given["time"] > given.groupby("patient")["time"].transform("min")
    return given[later].assign(event="infusion")[_COLUMNS]


def _reached(study: "Study") -> pd.DataFrame:
    """Return the first progression and the death of each patient."""
    rows = study.outcomes
    rows = rows[rows["endpoint"].isin(["progression", "death"]) & rows["value"].eq("1")]
    first = rows.sort_values("time").drop_duplicates(["patient", "endpoint"])
    return first.rename(columns={"endpoint": "event"})[_COLUMNS]


def _crs(study: "Study") -> list[pd.DataFrame]:
    """Return the first record of a CRS of each patient, and of its end."""
    rows = study.outcomes
    rows = rows[rows["endpoint"] == "crs_grade"].sort_values("time")
    none = rows["value"].eq("0")
    first = rows[~none].drop_duplicates("patient").assign(event="crs")
    onsets = dict(zip(first["patient"], first["time"], strict=True))
    onset = rows["patient"].map(onsets).astype("float64")
    over = rows[none & (rows["time"] > onset)].drop_duplicates("patient")
    return [first[_COLUMNS], over.assign(event="crs_end")[_COLUMNS]]


def event_notes(events: pd.DataFrame, *, until: float) -> tuple[str, ...]:
    """Say what is not drawn, and what the marks mean that their names do not say.

    Parameters
    ----------
    events : DataFrame
        As from :func:`patient_events`.
    until : float
        Last day that is drawn.

    Examples
    --------
    >>> events = pd.DataFrame({"patient": ["1", "2"], "event": ["death", "tocilizumab"],
    ...                        "time": [90.0, float("nan")]})
    >>> event_notes(events, until=28.0)
    ('Not drawn, since the study does not say when: tocilizumab (1 patient).',
     'Not drawn, since later than day 28: death (1 patient).')
    """
    late = events["time"] > until
    timed = events["time"].notna()
    drawn = set(events.loc[timed & ~late, "event"])
    reasons = {
        "the study does not say when": events[~timed],
        f"later than day {until:g}": events[late],
    }
    return (
        *(rule for name, rule in RULES.items() if name in drawn),
        *(
            f"Not drawn, since {why}: {_counted(rows)}."
            for why, rows in reasons.items()
            if len(rows)
        ),
    )


def _counted(events: pd.DataFrame) -> str:
    counts = events.groupby("event")["patient"].nunique()
    return ", ".join(
        f"{name if name.startswith('CRS') else name.lower()} "
        f"({counts[kind]} patient{'s' if counts[kind] > 1 else ''})"
        for kind, name in KINDS.items()
        if kind in counts
    )
