"""From the text of a cell to a number, a flag or a level with its state."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellpk.study.level_texts import BLANK, NUMBER, read_text

_UNTIDY = "^ | $|  |[^ -~]"
_SWAPPED = str.maketrans(".,", ",.")
_FLAGS = {"1": 1, "1.0": 1, "true": 1, "yes": 1, "y": 1}
_FLAGS |= {"0": 0, "0.0": 0, "false": 0, "no": 0, "n": 0}


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return every cell as the text that a CSV file would hold.

    Examples
    --------
    >>> as_text(pd.DataFrame({"a": [1.0, None], "b": ["x ", None]})).values.tolist()
    [['1', 'x'], ['', '']]
    """
    return pd.DataFrame(
        {str(name): _text(column) for name, column in frame.items()},
        index=pd.RangeIndex(len(frame)),
        dtype="str",
    )


def _text(column: pd.Series) -> "pd.Series | NDArray[np.object_]":
    """Return one column as text: whole numbers without a point, nothing as ''."""
    if isinstance(column.dtype, pd.StringDtype):
        return _tidied(column.reset_index(drop=True).fillna(""))
    known = column.notna().to_numpy()
    if pd.api.types.is_float_dtype(column.dtype):
        column = _whole(column.astype("float64"))
    cells = column.to_numpy(dtype=object)[known]
    # Each distinct cell is written once: most columns have few.
    written = {cell: " ".join(str(cell).split()) for cell in set(map(str, cells))}
    text = np.full(len(column), "", dtype=object)
    text[known] = [written[str(cell)] for cell in cells]
    return text


def _tidied(text: pd.Series) -> pd.Series:
    """Make one space of all white space, and none at the ends."""
    untidy = np.flatnonzero(text.str.contains(_UNTIDY).to_numpy(bool))
    if untidy.size:
        text = text.copy()
        text.iloc[untidy] = [" ".join(cell.split()) for cell in text.iloc[untidy]]
    return text


def _whole(column: pd.Series) -> pd.Series:
    """Make integers of floats where all of them are whole."""
    values = column.dropna()
    whole = bool(((values % 1 == 0) & (values.abs() < 2**53)).all())
    return column.astype("Int64") if whole else column


def is_blank(text: pd.Series) -> NDArray[np.bool_]:
    """Tell which cells say nothing.

    Examples
    --------
    >>> is_blank(pd.Series(["3", "NA", ""])).tolist()
    [False, True, True]
    """
    return text.str.casefold().isin(BLANK).to_numpy(bool)


def translated(text: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Put our words in place of the file's.

    Examples
    --------
    >>> translated(pd.Series(["flow_abs", "il6"]), {"flow_abs": "flow"}).tolist()
    ['flow', 'il6']
    """
    return text.map(dict(words)).astype("str").fillna(text)


def numbers(text: pd.Series, *, decimal: str = ".") -> NDArray[np.float64]:
    """Read numbers; what is not one, or not finite, comes back as NaN.

    Examples
    --------
    >>> numbers(pd.Series(["1e3", "1,5", "inf", ""])).tolist()
    [1000.0, nan, nan, nan]
    >>> numbers(pd.Series(["1,5"]), decimal=",").tolist()
    [1.5]
    """
    if decimal == ",":
        text = text.str.translate(_SWAPPED)
    is_number = text.str.fullmatch(NUMBER).to_numpy(bool)
    values = np.full(len(text), np.nan)
    # Not pd.to_numeric: NumPy reads as Python does, to the last bit.
    values[is_number] = text.to_numpy(object)[is_number].astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def flags(text: pd.Series) -> NDArray[np.float64]:
    """Read flags as 1 and 0; what is not one comes back as NaN.

    Examples
    --------
    >>> flags(pd.Series(["1", "no", "TRUE", "?"])).tolist()
    [1.0, 0.0, 1.0, nan]
    """
    return np.asarray(text.str.casefold().map(_FLAGS), dtype=np.float64)


def levels(text: pd.Series, *, decimal: str = ".") -> pd.DataFrame:
    """Read levels and the texts that stand in their place.

    Parameters
    ----------
    text : Series of str
        The cells, such as ``"310"``, ``"<50"``, ``"BLQ"``, ``""``.
    decimal : {".", ","}
        The decimal sign of the file.

    Returns
    -------
    DataFrame
        ``level`` (NaN where no number stands), ``state`` (one of ``STATES``; "" where
        the text is not known), ``bound``, the limit that the text itself states, and
        ``unit``, that which the text states ("" for none).

    Examples
    --------
    >>> levels(pd.Series(["310", "<50 copies/ug", "blq", "many"]))
       level       state  bound       unit
    0  310.0  quantified    NaN
    1    NaN       below   50.0  copies/ug
    2    NaN       below    NaN
    3    NaN                NaN
    """
    level = numbers(text, decimal=decimal)
    state = np.where(np.isfinite(level), "quantified", "").astype(object)
    bound = np.full(len(text), np.nan)
    unit = np.full(len(text), "", dtype=object)
    # Only the cells without a number are looked at as words, each word once.
    rest = np.flatnonzero(~np.isfinite(level))
    codes, words = pd.factorize(text.to_numpy(object)[rest])
    if len(words):
        said = [read_text(word, decimal=decimal) for word in words]
        number = numbers(pd.Series([word.number for word in said], dtype="str"))[codes]
        state[rest] = np.array([word.state for word in said], dtype=object)[codes]
        unit[rest] = np.array([word.unit for word in said], dtype=object)[codes]
        stated = np.array([word.number != "" for word in said])[codes]
        state[rest] = np.where(stated & np.isnan(number), "", state[rest])
        is_level = state[rest] == "quantified"
        level[rest] = np.where(is_level, number, np.nan)
        bound[rest] = np.where(is_level, np.nan, number)
    return pd.DataFrame({"level": level, "state": state, "bound": bound, "unit": unit})
