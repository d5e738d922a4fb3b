"""The times of event records: what they count from, and the order of the rows."""

import numpy as np
import pandas as pd

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.events.levels import with_numbers
from cellpk.study.events.records import Events, Records


def are_elapsed(records: Records) -> bool:
    """Tell whether times are numbers; clock times and dates are a problem.

    NM-TRAN and Monolix work out elapsed times where TIME holds a ":" or there is a
    column DATE (NONMEM Users Guide IV, day-time translation). We do not: what the first
    record of a patient is does not tell when the infusion was.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": ["8:30", "9:00"], "DV": 3})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> are_elapsed(records), records.delivery.problems[0].row
    (False, 2)
    """
    text = records.text("time")
    clock = text.str.contains(":", regex=False).to_numpy(bool)
    if not clock.any():
        what = "a date stands beside TIME, which is read as elapsed time all the same"
        todo = "Nothing, if $INPUT drops the date; else give the elapsed time."
        dated = (records.text("date") != "").to_numpy(bool)
        records.doubt(dated, what, todo, role="date")
        return True
    first = int(np.flatnonzero(clock)[0])
    also = " and dates" if "date" in records else ""
    what = (
        f"the times are clock times{also}, not elapsed times ({records.lines(clock)})"
    )
    todo = "Give the time since the first infusion as a number, in time_unit."
    problem = Problem(
        what,
        todo,
        file=records.grid.file,
        row=int(records.grid.rows[first]),
        column=records.headers["time"],
        value=text.iloc[first],
    )
    records.delivery.problems.append(problem)
    return False


def times(records: Records, events: Events) -> pd.Series:
    """Return the times as text, from the first dose on where study.toml says so.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [48, 72], "DV": [".", 3], "AMT": [9, 0]})
    >>> said = {"time_unit": "hour", "time_zero": "first_dose"}
    >>> section = EventFiles(format="", files=("a",), **said)
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> times(records, events_of(records, both=False)).tolist()
    ['0.0', '24.0']
    """
    text = records.text("time")
    if records.section.time_zero == "as_given":
        return text
    number = parsing.numbers(text)
    patients = records.text("patient")
    doses = pd.Series(number).where(events.infusions)
    first = doses.groupby(patients).transform("min").to_numpy()
    lost = np.isnan(first) & ~patients.duplicated().to_numpy(bool)
    what = "the patient has no dose from which the times could count"
    todo = "Add the dose, or say time_zero = 'as_given' if TIME counts from it already."
    records.complain(lost, what, todo, role="patient")
    since = number - first
    return with_numbers(text, np.isfinite(since), since)


def look_at_order(records: Records, events: Events) -> None:
    """Doubt rows that a run would take otherwise: by their order, or for their EVID.

    NONMEM takes each run of rows with one ID as one individual and wants times that do
    not go back, but at a reset (NONMEM Users Guide VI, chapter V).

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": [1, 2, 1], "TIME": [0, 0, 7], "DV": 3})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> look_at_order(records, events_of(records, both=False))
    >>> print(records.delivery.doubts[0].what)
    rows of a patient stand in two places; a run would take two patients (row 4)
    """
    time, patients = parsing.numbers(records.text("time")), records.text("patient")
    number = pd.Series(patients).ne(patients.shift()).cumsum()
    starts = ~number.duplicated().to_numpy(bool)
    again = starts & patients.duplicated().to_numpy(bool)
    what = "rows of a patient stand in two places; a run would take two patients"
    records.doubt(again, what, "Sort the rows by patient and time.", role="patient")
    back = np.zeros(len(time), dtype=bool)
    back[1:] = (time[1:] < time[:-1]) & ~starts[1:]
    reset = np.isin(events.evid, [3, 4])
    what = "the time goes back within a patient; a run would stop there"
    todo = "Sort the rows by patient and time, or correct the time."
    records.doubt(back & ~reset, what, todo, role="time")
    what = "TIME starts again at a reset, so that later times have another time 0"
    todo = "Give times that count from the first infusion in all rows."
    records.complain(back & reset, what, todo, role="time")
    _look_at_resets(records, events)


def _look_at_resets(records: Records, events: Events) -> None:
    what = "EVID=4, a reset and a dose, is read as an infusion without the reset"
    todo = "Nothing, if it is a further infusion: CAR-T cells are not reset by one."
    records.doubt(events.evid == 4, what, todo, role="evid")
    what = "EVID=3, a reset, is set aside: the cells of a patient are not reset"
    todo = "Nothing, if the times before and after it count from the same time 0."
    records.doubt(events.evid == 3, what, todo, role="evid")


def look_at_doses(records: Records, events: Events, *, levels: bool) -> None:
    """Refuse doses that stand for several, and doubt what of a dose is not read.

    Parameters
    ----------
    records : Records
        The file.
    events : Events
        Which of its rows are infusions.
    levels : bool
        Whether to look for levels in the rows of doses.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": [1], "TIME": 0, "DV": ".", "AMT": 9, "ADDL": 2})
    >>> section = EventFiles(format="", files=("a",), time_unit="day")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> look_at_doses(records, events_of(records, both=False), levels=True)
    >>> records.delivery.problems[0].column
    'ADDL'
    """
    given = events.infusions
    amount = np.nan_to_num(records.number("dose"))
    several = (("addl", "further doses"), ("ss", "doses without a beginning"))
    for role, words in several:
        wrong = given & (np.nan_to_num(records.number(role)) > 0)
        name = records.headers.get(role, "")
        what = f"{name} stands for {words}, which no one gives of a CAR-T product"
        todo = "Write one row for each infusion that was given."
        records.complain(wrong, what, todo, role=role)
    for role in ("rate", "duration"):
        lasting = given & (np.nan_to_num(records.number(role)) != 0)
        name = records.headers.get(role, "")
        what = f"{name} is not read: an infusion is at the time of its start"
        todo = "Nothing: minutes of infusion do not show in levels of cells."
        records.doubt(lasting, what, todo, role=role, severity="note")
    what = "the dose of an infusion is not known"
    told = records.text("record") == "infusion"
    unknown = given & (amount == 0) & ~told.to_numpy(bool)
    records.doubt(unknown, what, "Give it in AMT if it is known.", role="dose")
    what = "a row with EVID=0 has an amount: read as a sample, not as an infusion"
    todo = "Set EVID to 1 if it is an infusion, else AMT to 0."
    records.doubt((events.evid == 0) & (amount > 0), what, todo, role="dose")
    if levels:
        unread = given & ~np.isin(parsing.numbers(records.text("level")), [0])
        unread &= (records.text("level") != "").to_numpy(bool)
        what = "the DV of an infusion is not read, as NONMEM does not read it"
        todo = "Write a sample at the time of the infusion as a row of its own."
        records.doubt(unread, what, todo, role="level")
