"""From the text of levels and limits to numbers and states, and what is wrong there."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.errors import nearest
from cellpk.study import parsing
from cellpk.study.columns import STATES
from cellpk.study.level_texts import why_not
from cellpk.study.limits import states
from cellpk.study.sample_flags import contradicted_flags, flags_of, with_flags
from cellpk.study.sheet import Sheet
from cellpk.study.units import explain, factor

Floats = NDArray[np.float64]

UNFIT = "unit_does_not_fit"
"""The rule that is broken by a unit which does not fit its assay."""


def read_levels(
    sheet: Sheet, times: Floats, units: pd.DataFrame, *, texts: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.Series]:
    """Read the levels as delivered; bring numbers and bounds to the unit of the assay.

    Parameters
    ----------
    sheet : Sheet
        Delivered samples.
    times : ndarray
        What brings each row from the unit of its column to that of its assay.
    units : DataFrame
        ``said``, the unit that the column or study.toml states, and ``unit``, that of
        the assay, of each row.
    texts : mapping of str
        What stands for the file's own texts, as study.toml says.

    Returns
    -------
    read : DataFrame
        ``level``, ``state`` and ``bound``, as :func:`cellpk.study.parsing.levels`.
    said : Series of str
        The unit as delivered: that of the text where no column states one.

    Examples
    --------
    >>> from cellpk.study.file_sections import SamplesFile
    >>> section = SamplesFile(file="samples")
    >>> sheet = Sheet.of_frame(pd.DataFrame({"level": ["0.3 10^9/L"]}), section)
    >>> units = pd.DataFrame({"said": [""], "unit": ["cells/uL"]}, dtype="str")
    >>> read, said = read_levels(sheet, np.ones(1), units, texts={})
    >>> read["level"].tolist(), said.tolist()
    ([300.0], ['10^9/l'])
    """
    text = parsing.translated(sheet.text("level"), texts)
    read = parsing.levels(text, decimal=sheet.section.decimal)
    _unread(sheet, text.where(read["state"] == "", ""))
    wrong = (read["level"] < 0).to_numpy(bool)
    todo = "Correct it; a level below its limit is written '<50' or 'BLQ'."
    what = "a level cannot be negative"
    sheet.complain(wrong, what, todo, column="level", rule="negative_level")
    wrong = (read["bound"] <= 0).to_numpy(bool)
    what, rule = "a limit is above 0", "limit_not_above_zero"
    sheet.complain(wrong, what, "Correct it.", column="level", rule=rule)
    times = _times_of_texts(sheet, read["unit"], times, units)
    read["level"] *= times
    read["bound"] *= times
    return read, units["said"].where(units["said"] != "", read["unit"])


def _unread(sheet: Sheet, text: pd.Series) -> None:
    """Say of each text that is no level why it is none; elsewhere it is blank."""
    words = text[text != ""].unique()
    why = {word: why_not(word, decimal=sheet.section.decimal) for word in words}
    for what, todo in dict.fromkeys(why.values()):
        here = text.isin([w for w in why if why[w] == (what, todo)])
        rule = "level_not_understood"
        sheet.complain(here.to_numpy(bool), what, todo, column="level", rule=rule)


def _times_of_texts(
    sheet: Sheet, text: pd.Series, times: Floats, units: pd.DataFrame
) -> Floats:
    """Return what brings each level to our unit, by the unit of its text if any."""
    table = units.assign(text=text, times=times)
    key = ["text", "said", "unit", "times"]
    times = times.copy()
    for (word, said, unit, by_column), rows in table[text != ""].groupby(key):
        here = np.zeros(len(table), dtype=bool)
        here[rows.index] = True
        scale = factor(str(word), str(unit))
        if scale is None:
            what = f"the unit {word!r} in the text does not fit the assay"
            todo = explain(str(word), str(unit))
            sheet.complain(here, what, todo, column="level", rule=UNFIT)
        elif said and scale != by_column:
            what = f"the text states the unit {word!r}, but the unit is {said!r}"
            todo, rule = "Correct the one that is wrong.", "contradicted_unit"
            sheet.complain(here, what, todo, column="level", rule=rule)
        else:
            times[here] = scale
    return times


def stated_limits(
    sheet: Sheet, times: Floats, read: pd.DataFrame, *, known: pd.DataFrame
) -> pd.DataFrame:
    """Return each sample's limits: its own, its text's, or those of its assay.

    Parameters
    ----------
    sheet : Sheet
        Delivered samples.
    times : ndarray
        What brings the limits of each row to the unit of its assay.
    read : DataFrame
        The levels, as :func:`read_levels` returns them.
    known : DataFrame
        ``lloq``, ``llod`` and ``uloq`` by study.toml, of each row.

    Returns
    -------
    DataFrame
        ``lloq``, ``llod`` and ``uloq``, NaN where not known.
    """
    own = {
        name: sheet.number(name, positive=True) * times
        for name in ("lloq", "llod", "uloq")
    }
    bound = read["bound"].to_numpy()
    below = np.where(read["state"].isin(["below", "detected"]), bound, np.nan)
    above = np.where(read["state"] == "above", bound, np.nan)
    _contradicted(sheet, below > own["lloq"] * (1 + 1e-9), "lloq")
    _contradicted(sheet, above < own["uloq"] * (1 - 1e-9), "uloq")
    own["lloq"] = np.where(np.isnan(own["lloq"]), below, own["lloq"])
    own["uloq"] = np.where(np.isnan(own["uloq"]), above, own["uloq"])
    stated = pd.DataFrame(own)
    stated = stated.fillna(known[list(own)])
    _ordered(sheet, stated, "llod", "lloq")
    _ordered(sheet, stated, "lloq", "uloq")
    return stated


def _contradicted(sheet: Sheet, wrong: NDArray[np.bool_], name: str) -> None:
    what = f"the text of the level and {name!r} state different limits"
    todo, rule = "Correct the one that is wrong.", "contradicted_limit"
    sheet.complain(wrong, what, todo, column="level", rule=rule)


def _ordered(sheet: Sheet, limits: pd.DataFrame, low: str, high: str) -> None:
    wrong = (limits[low] > limits[high]).to_numpy(bool)
    what, rule = f"{low!r} is above {high!r}", "limits_out_of_order"
    column = low if low in sheet else high
    sheet.complain(wrong, what, "Correct one of them.", column=column, rule=rule)


def states_of(
    sheet: Sheet, read: pd.DataFrame, limits: pd.DataFrame, *, known: pd.DataFrame
) -> tuple[pd.Series, Floats]:
    """Return each sample's state and its number, if any.

    A stated state wins over what level and flags say; a flag that the state then
    contradicts is a problem.

    Parameters
    ----------
    sheet : Sheet
        Delivered samples.
    read : DataFrame
        The levels, as :func:`read_levels` returns them.
    limits : DataFrame
        ``lloq``, ``llod`` and ``uloq`` of each row.
    known : DataFrame
        ``zero``: whether study.toml reads a level of 0 as below.

    Returns
    -------
    state : Series of str
        One of ``STATES``, or what the file states in its place.
    number : ndarray
        The level where one stands; NaN where a flag says that it is none.
    """
    number = read["level"].to_numpy()
    quantified = (read["state"] == "quantified").to_numpy(bool)
    three = {name: limits[name].to_numpy() for name in ("lloq", "llod", "uloq")}
    state = np.where(quantified, states(number, **three), read["state"])
    flags = flags_of(sheet)
    state, number, told = with_flags(state, number, flags, limits=three)
    given = sheet.text("state")
    state = np.where(given != "", given, state)
    for word in given[~given.isin([*STATES, ""])].unique():
        wrong = (given == word).to_numpy(bool)
        what, rule = "the state is not known", "unknown_state"
        offer = nearest(word, STATES)
        sheet.complain(wrong, what, offer, column="state", rule=rule)
    limited = known["zero"].to_numpy(bool) | np.isfinite(three["lloq"])
    limited |= np.isfinite(three["llod"]) | told | (given != "").to_numpy(bool)
    what = "the level is 0 and no limit of quantification is known"
    todo = "Give its lloq, or say zero = 'below' under [limits.ASSAY] in study.toml."
    wrong, rule = quantified & (number == 0) & ~limited, "zero_without_limit"
    sheet.complain(wrong, what, todo, column="level", rule=rule)
    wrong = (given == "quantified").to_numpy(bool) & ~np.isfinite(number)
    wrong &= (read["state"] != "").to_numpy(bool)
    what, rule = "the state is 'quantified', but there is no level", "no_level"
    todo = "Correct the one that is wrong."
    sheet.complain(wrong, what, todo, column="level", rule=rule)
    contradicted_flags(sheet, state, flags)
    return pd.Series(state, dtype="str"), number
