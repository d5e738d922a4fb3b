"""Which visit each sample belongs to, for what is counted and averaged by visit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from cellpk.study.study import Study

DAYS = (0, 1, 3, 7, 10, 14, 21, 28, 42, 60, 90, 120, 180, 270, 360)
"""Days that samples without a plan are put to; every half year after."""

BEFORE = "Before infusion"
UNPLANNED = "Unscheduled"
FAR = "Far from all planned days"
_HALF_YEAR = 180.0
_VISIT = ["day", "visit"]


def by_visit(
    study: "Study", samples: pd.DataFrame, *, days: Sequence[float] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put samples of one assay to visits, one of each patient and visit.

    A sample is at its nominal day. Without one it is at its visit, whose day is that of
    the other samples of the visit, or the median of their actual times. Without a visit
    too it is put to the nearest of the days that are planned for the samples of CAR-T
    cells of the study, or of ``DAYS`` where nothing is planned.

    Parameters
    ----------
    study : Study
        The study.
    samples : DataFrame
        Usable samples of one assay and specimen.
    days : sequence of float, optional
        Days to put all samples to, by their actual time, instead.

    Returns
    -------
    DataFrame, tuple of str
        The samples with ``visit`` (its name) and ``day`` (the planned one, or as
        above), sorted by them; and a sentence for all that was not as planned.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"patient": "1", "time": [6.2, 7.4, 13.0], "level": 9.0})
    >>> study = ck.Study.from_frames(samples.assign(assay="flow"))
    >>> rows, notes = by_visit(study, study.select("flow"))
    >>> rows[["visit", "time"]].values.tolist()
    [['Day 7', 7.4], ['Day 14', 13.0]]
    >>> notes[-1]
    'Of several samples of a patient at a visit, the one nearest to its day counts; 1
    other is left out.'
    """
    rows, said = at_visits(study, samples, days=days)
    notes = [*said]
    left_out = rows.loc[rows["day"].isna(), "visit"].value_counts()
    if UNPLANNED in left_out:
        notes.insert(0, f"Unscheduled samples are left out ({left_out[UNPLANNED]}).")
    if FAR in left_out:
        notes.append(
            f"Samples far from all of these days are left out ({left_out[FAR]})."
        )
    one, again = _one_each(rows.dropna(subset="day"))
    if again:
        notes.append(
            "Of several samples of a patient at a visit, the one nearest to its day "
            f"counts; {again} other{'s are' if again > 1 else ' is'} left out."
        )
    return one, tuple(notes)


def at_visits(
    study: "Study", samples: pd.DataFrame, *, days: Sequence[float] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Say of every sample of one assay at which visit it was taken.

    Parameters
    ----------
    study : Study
        The study.
    samples : DataFrame
        Samples of one assay.
    days : sequence of float, optional
        Days to put all samples to, by their actual time, instead.

    Returns
    -------
    DataFrame, tuple of str
        The samples with ``visit``, ``day`` (as in :func:`by_visit`; NaN of unscheduled
        samples and of those far from all days) and ``loose`` (put there by its time);
        and a sentence on those.

    Examples
    --------
    >>> import cellpk as ck
    >>> samples = pd.DataFrame({"patient": "1", "time": [6.2, 7.4, 13.0], "level": 9.0})
    >>> study = ck.Study.from_frames(samples.assign(assay="flow"))
    >>> at_visits(study, study.samples)[0]["visit"].tolist()
    ['Day 7', 'Day 7', 'Day 14']
    """
    notes: list[str] = []
    unplanned = _unplanned(samples) & (days is None)
    planned = samples[~unplanned]
    day = planned["nominal_time"].fillna(_of_named(planned))
    if days is not None:
        day = pd.Series(np.nan, index=planned.index)
    loose = day.isna()
    if loose.any():
        plan, said = _plan(study, planned, days)
        day = day.fillna(_nearest(planned["time"], plan))
        every = "Samples" if loose.all() else "Samples without a visit or nominal day"
        notes.append(f"{every} are put to the nearest of {said}, by actual time.")
    visit = _names(planned, day, named=days is None).mask(day.isna(), FAR)
    found = pd.DataFrame({"visit": visit, "day": day, "loose": loose})
    found = found.reindex(samples.index)
    found["visit"] = found["visit"].mask(unplanned, UNPLANNED)
    return samples.drop(columns="visit").join(found), tuple(notes)


def _unplanned(samples: pd.DataFrame) -> pd.Series:
    """Mark the samples whose visit is called unscheduled and that have no day."""
    named = samples["visit"].fillna("").str.casefold().str.match(r"unsch|unplan")
    return named & samples["nominal_time"].isna()


def _of_named(samples: pd.DataFrame) -> pd.Series:
    """Return the day of each sample that has a visit, NaN of one that has none."""
    visit = samples["visit"].fillna("")
    key = visit.mask(visit.eq(""))
    planned = samples["nominal_time"].groupby(key).transform("median")
    return planned.fillna(samples["time"].groupby(key).transform("median"))


def _plan(
    study: "Study", samples: pd.DataFrame, days: Sequence[float] | None
) -> tuple[np.ndarray, str]:
    """Return the days that samples are put to, and how they are called."""
    if days is not None:
        plan = np.unique(np.asarray(days, float))
        return plan, f"days {_listed(plan)}"
    every = study.samples
    alike = [*study.kinetic_assays, *samples["assay"].unique()]
    if samples["assay"].iloc[0] not in study.kinetic_assays:
        alike = [samples["assay"].iloc[0]]
    planned = every.loc[every["assay"].isin(alike), "nominal_time"].dropna().unique()
    if len(planned) > 1:
        plan = np.sort(planned)
        return plan, f"the planned days {_listed(plan)}"
    last = samples["time"].max()
    later = np.arange(DAYS[-1] + _HALF_YEAR, last + _HALF_YEAR, _HALF_YEAR)
    plan = np.concatenate([np.asarray(DAYS, float), later])
    plan = plan[: np.searchsorted((plan[1:] + plan[:-1]) / 2, last, side="right") + 1]
    said = f"days {_listed(plan)}"
    early = (samples["time"] < 0) & samples["nominal_time"].isna()
    if early.any():
        said += "; those before the infusion stand apart"
        plan = np.insert(plan, 0, -1.0)
    return plan, said


def _listed(days: np.ndarray) -> str:
    *first, last = [f"{day:g}" for day in days]
    return f"{', '.join(first)} and {last}" if first else last


def _nearest(times: pd.Series, plan: np.ndarray) -> pd.Series:
    """Return the nearest planned day, NaN well before the first or after the last.

    Where day -1 is the first one, every time before 0 belongs to it and no other does.
    """
    steps = np.diff(plan) / 2 if len(plan) > 1 else np.array([np.inf])
    middles = plan[:-1] + steps[: len(plan) - 1]
    first, last = plan[0] - steps[0], plan[-1] + steps[-1]
    if len(plan) > 1 and plan[0] == -1 and plan[1] == 0:
        middles[0], first = 0.0, -np.inf
    place = np.searchsorted(middles, times, side="right")
    return pd.Series(plan[place], index=times.index).where(times.between(first, last))


def _names(samples: pd.DataFrame, day: pd.Series, *, named: bool) -> pd.Series:
    """Name the visit of each sample: as the files do, else by its day."""
    plain = day.map(lambda each: f"Day {each:g}", na_action="ignore").astype("str")
    plain = plain.mask(day.eq(-1) & samples["nominal_time"].isna(), BEFORE)
    if not named:
        return plain
    said = samples["visit"].fillna("")
    said = said.mask(said.eq(""))
    named_days = pd.DataFrame({"day": day, "name": said}).dropna()
    usual = named_days.groupby("day")["name"].agg(lambda names: names.mode().iloc[0])
    name = said.where(said.notna(), day.map(usual.to_dict()))
    name = name.where(name.notna(), plain).astype("str")
    several = day.groupby(name).transform("nunique") > 1
    return name.mask(several, name + " (" + plain.str.lower() + ")")


def _one_each(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep one sample of each patient and visit: planned, nearest, first."""
    distance = (rows["time"] - rows["day"]).abs()
    order = rows.assign(_far=distance).sort_values(
        [*_VISIT, "patient", "loose", "_far", "time"], kind="stable"
    )
    kept = order.drop_duplicates([*_VISIT, "patient"]).drop(columns=["loose", "_far"])
    return kept.reset_index(drop=True), len(rows) - len(kept)
