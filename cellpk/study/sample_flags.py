"""Columns of 1 and 0 that say on which side of its limits a sample is.

``blq``: below the limit of quantification; ``alq``: above the upper one; ``detected``:
whether anything was seen. Where a flag says that a sample is beyond a limit, its level
column may hold the limit, 0, nothing, or the number that the instrument read.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cellpk.study import parsing
from cellpk.study.level_texts import NOT_DETECTED
from cellpk.study.sheet import Sheet

Floats = NDArray[np.float64]
Words = NDArray[np.object_]
Mask = NDArray[np.bool_]

_WORDS = ("below", "detected", "quantified", "above", "missing")
_ALLOWED: Mapping[tuple[str, int], tuple[str, ...]] = {
    ("blq", 1): ("below", "detected"),
    ("blq", 0): ("quantified", "above", "missing"),
    ("alq", 1): ("above",),
    ("alq", 0): ("below", "detected", "quantified", "missing"),
    ("detected", 1): ("detected", "quantified", "above"),
    ("detected", 0): ("below", "missing"),
}
"""The states that each flag goes with."""

_RULE = "contradicted_flag"
_ADVICE = "Correct the flag, the level or the limit, whichever is wrong."

FLAGS = tuple(dict.fromkeys(name for name, _ in _ALLOWED))
"""The names of the flags."""


def flags_of(sheet: Sheet) -> dict[str, Floats]:
    """Return the flags that a sheet has: 1, 0 or, where nothing stands, NaN.

    Examples
    --------
    >>> import pandas as pd
    >>> from cellpk.study.file_sections import SamplesFile
    >>> frame = pd.DataFrame({"blq": ["1", "0", ""]})
    >>> flags_of(Sheet.of_frame(frame, SamplesFile(file="s")))["blq"].tolist()
    [1.0, 0.0, nan]
    """
    there = [name for name in FLAGS if name in sheet]
    for name in there:
        sheet.flag(name)  # tells what is no flag
    return {name: parsing.flags(sheet.text(name)) for name in there}


def with_flags(
    state: Words,
    number: Floats,
    flags: Mapping[str, Floats],
    *,
    limits: Mapping[str, Floats],
) -> tuple[Words, Floats, Mask]:
    """Let flags say what the level alone does not.

    Parameters
    ----------
    state : ndarray of str
        What the levels say.
    number : ndarray
        The levels, NaN where there is none.
    flags : mapping of ndarray
        As :func:`flags_of` returns them.
    limits : mapping of ndarray
        ``lloq``, ``llod`` and ``uloq`` of each sample, NaN where not known.

    Returns
    -------
    state : ndarray of str
        A flag changes a state only where the level is 0, absent, or the limit itself,
        or where no limit is known to hold it against.
    number : ndarray
        NaN where the level of a detected sample is a limit or 0, which is none.
    told : ndarray of bool
        Where a flag says that the sample is below a limit.

    Examples
    --------
    >>> nan = np.array([np.nan])
    >>> limits = {"lloq": np.array([50.0]), "llod": nan, "uloq": nan}
    >>> level, flag = np.array([50.0]), {"blq": np.array([1.0])}
    >>> with_flags(np.array(["quantified"]), level, flag, limits=limits)[0].tolist()
    ['below']
    """
    state = np.asarray(state, dtype=object).copy()
    nowhere = np.full(len(state), np.nan)
    blq, alq, seen = (flags.get(name, nowhere) for name in FLAGS)
    lloq, llod, uloq = (limits[name] for name in ("lloq", "llod", "uloq"))
    none = np.isnan(number) | (number == 0)
    at_limit = np.isclose(number, lloq, rtol=1e-9) | np.isclose(number, llod, rtol=1e-9)
    unlimited = np.isnan(lloq) & np.isnan(llod)
    low = np.isin(state, ["quantified", "missing"]) & (none | at_limit | unlimited)
    told = (blq == 1) | (seen == 0)
    state[told & low] = "below"
    unseen = (seen == 0) & (state == "detected") & (none | at_limit)
    state[unseen] = "below"
    faint = np.isin(state, ["below", "missing"]) & ~(number < llod) & (seen == 1)
    state[faint | ((seen == 1) & none & (state == "below"))] = "detected"
    high = np.isnan(number) | np.isclose(number, uloq, rtol=1e-9) | np.isnan(uloq)
    state[(alq == 1) & np.isin(state, ["quantified", "missing"]) & high] = "above"
    stands_in = (state == "detected") & (none | (at_limit & (number >= lloq)))
    return state, np.where(stands_in, np.nan, number), told


def contradicted_flags(sheet: Sheet, state: Words, flags: Mapping[str, Floats]) -> None:
    """Report flags that say otherwise than the level, or the state, of their sample.

    Examples
    --------
    >>> import pandas as pd
    >>> from cellpk.study.file_sections import SamplesFile
    >>> frame = pd.DataFrame({"level": ["3"], "blq": ["0"]})
    >>> sheet = Sheet.of_frame(frame, SamplesFile(file="s"))
    >>> contradicted_flags(sheet, np.array(["below"]), flags_of(sheet))
    >>> sheet.problems[0].what
    "'blq' is 0, but the sample is below"
    """
    for (name, value), allowed in _ALLOWED.items():
        flagged = flags.get(name, np.full(len(state), np.nan)) == value
        wrong = flagged & np.isin(state, _WORDS) & ~np.isin(state, allowed)
        for word in dict.fromkeys(state[wrong]):
            said = f"{sheet.header(name)!r} is {value}, but the sample is {word}"
            here = wrong & (state == word)
            sheet.complain(here, said, _ADVICE, column="level", rule=_RULE)
    if "detected" in flags:
        text = sheet.text("level").str.casefold().str.replace(" ", "")
        wrong = (flags["detected"] == 1) & text.isin(NOT_DETECTED).to_numpy(bool)
        said = f"{sheet.header('detected')!r} is 1, but the text says that nothing was"
        sheet.complain(wrong, said, _ADVICE, column="level", rule=_RULE)
