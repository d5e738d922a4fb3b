"""What a row of event records says of a level: a number, beyond a limit, or nothing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import Problem
from cellpk.study import parsing
from cellpk.study.events.records import Events, Levels, Records
from cellpk.study.sheet import Mask

Floats = NDArray[np.float64]

CLOSE = 1e-6
"""Limits that differ by this part or less are the same, as written with few digits."""

MDVS = {0: "a level", 1: "no level", 100: "as 0, not in estimation", 101: "as 1"}
"""What the codes of MDV mean (NONMEM help, "DV and MDV" data items)."""

MANY = 0.2
"""From this share of negative levels on, a file looks like one of logarithms."""


@dataclass(frozen=True)
class Beyond:
    """Which samples lie beyond a limit, and the limits, as a format's columns say.

    Parameters
    ----------
    below, above, detected : ndarray of bool
        Flagged as below the limit of quantification, above the upper one, or between
        the limit of detection and that of quantification.
    measured : ndarray of bool
        Of those below, where DV is what was measured and not a limit.
    lloq, llod, uloq : ndarray
        The limits of each sample, NaN where the row states none.
    reported : Series of str
        The level as delivered.

    Examples
    --------
    >>> none = np.zeros(1, dtype=bool)
    >>> nan = np.full(1, np.nan)
    >>> text = pd.Series(["3"])
    >>> Beyond(none, none, none, none, nan, nan, nan, text).below.tolist()
    [False]
    """

    below: Mask
    above: Mask
    detected: Mask
    measured: Mask
    lloq: Floats
    llod: Floats
    uloq: Floats
    reported: pd.Series


@dataclass(frozen=True)
class Observed:
    """What DV, MDV and EXCL say of each row.

    Parameters
    ----------
    text : Series of str
        DV as delivered, "" where it is blank or ".".
    level : ndarray
        Its number, back from the logarithm; NaN where it is none.
    mdv : ndarray
        0, 1, 100 or 101; blank counts as 0.
    excluded : ndarray of bool
        Flagged as excluded from analysis.
    stated : Series of str
        The state where a column tells it, else "".

    Examples
    --------
    >>> no = np.zeros(1, dtype=bool)
    >>> text, stated = pd.Series(["3"]), pd.Series([""])
    >>> one = Observed(text, np.array([3.0]), np.zeros(1), no, stated)
    >>> one.ignored.tolist()
    [False]
    """

    text: pd.Series
    level: Floats
    mdv: Floats
    excluded: Mask
    stated: pd.Series

    @property
    def ignored(self) -> Mask:
        """Rows whose DV a run takes as missing."""
        return np.isin(self.mdv, [1, 101])

    @property
    def blank(self) -> Mask:
        """Rows without a DV."""
        return (self.text == "").to_numpy(bool)

    @property
    def untold(self) -> Mask:
        """Rows whose state no column tells."""
        return (self.stated == "").to_numpy(bool)


def observed(records: Records, events: Events) -> Observed:
    """Read DV, MDV and EXCL.

    Examples
    --------
    >>> from cellpk.study.delivery import Delivery
    >>> from cellpk.study.events.records import events_of, opened
    >>> from cellpk.study.events.section import EventFiles
    >>> from cellpk.study.grid import Grid
    >>> frame = pd.DataFrame({"ID": 1, "TIME": [0, 7], "DV": [".", "4.6"]})
    >>> section = EventFiles(format="", files=("a",), time_unit="day", dv="log")
    >>> records = opened(Grid.of_frame(frame, file="a"), section, Delivery())
    >>> observed(records, events_of(records, both=False)).level.round(1).tolist()
    [nan, 99.5]
    """
    text = records.text("level")
    number = parsing.numbers(text)
    level = number
    if records.section.dv == "log":
        # Beyond e^700 there is no double; nobody measures such a level.
        wrong = events.samples & (number > 700)
        todo = "Say dv = 'level' in [[data]], if DV is a level and no logarithm."
        records.complain(wrong, "the DV is no logarithm", todo, role="level")
        level = np.exp(np.minimum(number, 700))
    mdv = np.nan_to_num(records.number("mdv"))
    codes = ", ".join(f"{code} ({word})" for code, word in MDVS.items())
    wrong = ~np.isin(mdv, list(MDVS))
    records.complain(wrong, "the MDV is not known", f"Use one of {codes}.", role="mdv")
    state = records.text("state").where(events.samples, "").astype("str")
    return Observed(text, level, mdv, records.flag("excluded"), state)


def settled(
    records: Records, events: Events, dv: Observed, *, beyond: Beyond
) -> Levels:
    """Put together what the columns of a file say of its samples.

    MDV=1 makes no difference where a sample is below or above a limit: it was taken and
    has a result. Where a row has a level, MDV=1 excludes it, with that reason; a
    negative number is none, and with MDV=1 it is a sample without a result.

    Parameters
    ----------
    records : Records
        The file.
    events : Events
        Which of its rows are samples.
    dv : Observed
        What DV, MDV and EXCL say.
    beyond : Beyond
        Which samples lie beyond a limit.

    Returns
    -------
    Levels
        One text per row of the file.
    """
    here = events.samples
    censored = beyond.below | beyond.above
    _doubts(records, here, dv, beyond=beyond)
    logged = _looks_logged(records, here & ~censored, dv)
    logarithm = records.section.dv == "log"
    # Codes such as -99 stand where a run takes DV as missing: they are no level.
    code = here & dv.ignored & (dv.level < 0) & dv.untold & (not logarithm)
    number = ~dv.blank & ~(censored & ~beyond.measured) & ~logged & ~code
    text = _as_text(dv, log=logarithm)
    level = text.where(number, "")
    detected = records.text("detected")
    level = level.where(detected == "", detected)
    stated = dv.stated.to_numpy(object)
    state = np.where(beyond.below & ~beyond.measured, "below", "")
    state = np.where(beyond.detected, "detected", state)
    state = np.where(beyond.above, "above", state)
    state = np.where(dv.untold, state, stated)
    by_mdv = here & dv.ignored & ~dv.blank & ~censored & dv.untold & ~dv.excluded
    by_mdv &= ~code
    by_100 = here & (dv.mdv == 100) & dv.untold & ~dv.excluded
    reason = records.text("reason")
    reason = reason.mask(by_mdv & (reason == ""), "MDV=1")
    reason = reason.mask(by_100 & (reason == ""), "MDV=100: not in estimation")
    excluded = dv.excluded | by_mdv | by_100
    columns = {
        "level": level,
        "state": pd.Series(state, dtype="str"),
        "reported": beyond.reported,
        "excluded": pd.Series(np.where(excluded, "1", "0"), dtype="str"),
        "reason": reason,
        **_limits(records, beyond),
    }
    if "reported" in records:
        columns["reported"] = records.text("reported")
    if "reported_unit" in records:
        columns["reported_unit"] = records.text("reported_unit")
    return Levels({name: text.astype("str") for name, text in columns.items()})


def _as_text(dv: Observed, *, log: bool) -> pd.Series:
    """Return DV as a level, to the last digit."""
    return with_numbers(dv.text, np.isfinite(dv.level), dv.level) if log else dv.text


def with_numbers(text: pd.Series, rows: Mask, values: Floats) -> pd.Series:
    """Put numbers in place of some texts, so that they read back equal.

    Examples
    --------
    >>> rows = np.array([False, True])
    >>> with_numbers(pd.Series(["5", ""]), rows, np.array([5.0, 0.1])).tolist()
    ['5', '0.1']
    """
    cells = text.to_numpy(dtype=object, copy=True)
    cells[rows] = [repr(value) for value in values[rows].tolist()]
    return pd.Series(cells, dtype="str")


def _limits(records: Records, beyond: Beyond) -> dict[str, pd.Series]:
    """Return the limits as text, as delivered where they are not worked out."""
    columns: dict[str, pd.Series] = {}
    for name in ("lloq", "llod", "uloq"):
        values, delivered = getattr(beyond, name), records.text(name)
        changed = np.isfinite(values) & (values != parsing.numbers(delivered))
        if name in records or changed.any():
            columns[name] = with_numbers(delivered, changed, values)
    return columns


def _doubts(records: Records, here: Mask, dv: Observed, *, beyond: Beyond) -> None:
    """Tell what a run would do to samples, and what looks like something else."""
    censored = beyond.below | beyond.above
    kept = here & dv.ignored & censored & dv.untold & ~dv.excluded
    what = "samples beyond a limit have MDV=1 and are kept; a run would leave them out"
    todo = "Set MDV to 0 there, so that a fit uses what is known of them."
    records.doubt(kept, what, todo, role="mdv")
    untaken = here & dv.blank & ~dv.ignored & ~censored & dv.untold
    what = "DV is missing though MDV is not 1: read as samples without a result"
    todo = "Set MDV to 1 there: NONMEM takes a missing DV as 0."
    records.doubt(untaken, what, todo, role="level")
    low = here & ~censored & (dv.level < beyond.lloq) & dv.untold
    what = "DV is below its limit and not flagged so: read as below"
    records.doubt(low, what, "Correct the flag, the level or the limit.", role="level")
    _states_agree(records, here, dv, beyond=beyond)


def _states_agree(
    records: Records, here: Mask, dv: Observed, *, beyond: Beyond
) -> None:
    said = here & ~dv.untold
    low = dv.stated.isin(["below", "detected"]).to_numpy(bool)
    high = (dv.stated == "above").to_numpy(bool)
    wrong = said & ((low != beyond.below) | (high != beyond.above))
    what = "the state and the flags of limits contradict each other"
    records.complain(wrong, what, "Correct the one that is wrong.", role="state")
    lost = said & (dv.stated == "quantified").to_numpy(bool) & dv.ignored & ~dv.excluded
    what = "the state is 'quantified', but MDV is 1"
    todo = "Set MDV to 0, or exclude the sample with a reason."
    records.complain(lost, what, todo, role="mdv")


def _looks_logged(records: Records, here: Mask, dv: Observed) -> Mask:
    """Say so where levels look like logarithms; return those that are impossible."""
    name, number = records.headers["level"], parsing.numbers(dv.text)
    nothing = np.zeros(len(records), dtype=bool)
    if records.section.dv == "log":
        return nothing
    known = here & np.isfinite(number)
    negative = known & (number < 0) & ~dv.ignored
    todo = "Say dv = 'log' in [[data]] if DV is the natural logarithm of the level."
    usual = [word.casefold() for word in records.section.names["log_level"]]
    if name.casefold() in usual:
        what = f"{name!r} is read as a level, though it is named as a logarithm"
        records.doubt(known, what, todo, role="level")
    other = parsing.numbers(records.text("log_level"))
    same = known & (number == other) & (number != 0)
    if same.any() and (same == known).all():
        what = f"DV equals {records.headers['log_level']!r} and is read as a level"
        records.doubt(same, what, todo, role="level")
    if negative.sum() < max(1, MANY * known.sum()):
        return nothing
    what = f"{negative.sum()} of {known.sum()} levels are negative, as logarithms are"
    file = records.grid.file
    records.delivery.problems.append(Problem(what, todo, file=file, column=name))
    return negative
