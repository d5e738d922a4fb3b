"""From results as SDTM writes them to levels, and back."""

import numpy as np
import pandas as pd

from cellpk.study import parsing
from cellpk.study.limits import states


def level_texts(results: pd.DataFrame) -> pd.Series:
    """Return the text of each level, of all that a record says of its result.

    The standardised result (--STRESC) counts, where it is blank its number
    (--STRESN), and where that is, too, the result as collected (--ORRES). A number
    beside a text such as "<BLQ" is none: it is often 0. What was not done has no
    level, and where a state is said, nothing stands in for the result.

    Parameters
    ----------
    results : DataFrame of str
        Columns ``stresc``, ``stresn``, ``orres``, ``state`` and ``done`` (bool).

    Examples
    --------
    >>> rows = [("<BLQ", "0", "<BLQ"), ("", "3", "3.0"), ("", "", "ND")]
    >>> results = pd.DataFrame(rows, columns=["stresc", "stresn", "orres"])
    >>> level_texts(results.assign(state="", done=True)).tolist()
    ['<BLQ', '3', 'ND']
    """
    text = results["stresc"].where(results["stresc"] != "", results["stresn"])
    collected = results["orres"].where(results["state"] == "", "")
    text = text.where(text != "", collected)
    return text.where(results["done"], "").astype("str")


def said_states(texts: pd.Series, limits: pd.DataFrame) -> pd.Series:
    """Return the state that is read from the text of a level and its limits.

    Examples
    --------
    >>> limits = pd.DataFrame({"lloq": [50.0] * 3, "llod": [10.0] * 3, "uloq": np.nan})
    >>> said_states(pd.Series(["30", "<50", "70"]), limits).tolist()
    ['detected', 'below', 'quantified']
    """
    read = parsing.levels(texts)
    number = read["level"].to_numpy()
    known = {name: limits[name].to_numpy(float) for name in ("lloq", "llod", "uloq")}
    of_number = states(number, **known)
    quantified = (read["state"] == "quantified").to_numpy(bool)
    return pd.Series(np.where(quantified, of_number, read["state"]), dtype="str")


def number_text(values: pd.Series) -> pd.Series:
    """Write numbers so that they read back equal, whole ones without a point.

    Examples
    --------
    >>> number_text(pd.Series([50.0, 0.1, np.nan])).tolist()
    ['50', '0.1', '']
    """
    known = values.notna()
    words = [repr(value) for value in values.fillna(0.0).astype("float64").tolist()]
    text = pd.Series(words, index=values.index, dtype="str")
    return text.str.replace(r"\.0$", "", regex=True).where(known, "").astype("str")


def written_texts(samples: pd.DataFrame) -> pd.Series:
    """Return the standardised result of each sample, as a laboratory would write it.

    Parameters
    ----------
    samples : DataFrame
        ``state``, ``level``, ``lloq``, ``uloq``, ``limit_assumed`` and ``reported``.

    Returns
    -------
    Series of str
        "310", "<50", ">1000"; "BLQ" where the limit is not known, or assumed; ""
        where there is no result, or nothing was reported.

    Examples
    --------
    >>> row = {"state": "below", "level": np.nan, "lloq": 50.0, "uloq": np.nan}
    >>> row |= {"limit_assumed": False, "reported": "ND"}
    >>> written_texts(pd.DataFrame([row])).tolist()
    ['<50']
    """
    state, number = samples["state"], number_text(samples["level"])
    low, high = number_text(samples["lloq"]), number_text(samples["uloq"])
    stated = (low != "") & ~samples["limit_assumed"]
    words = pd.Series("", index=samples.index, dtype="str")
    words = words.mask(state == "below", ("<" + low).where(stated, "BLQ"))
    words = words.mask(state == "above", (">" + high).where(high != "", ">ULOQ"))
    words = words.mask(state == "detected", "DETECTED")
    words = words.where(samples["reported"] != "", "")
    return number.where(number != "", words)
