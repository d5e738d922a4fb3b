"""What samples say of the log level.

Every sample says that the log level, as measured, lies between two ends: a quantified
sample between a number and itself, a sample below the limit between minus infinity and
the log limit. That one form serves every fit and every kind of residual error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEFT_OUT = {
    "lloq": "below a limit that is not known: no information",
    "uloq": "above a limit that is not known: no information",
    "level": "no positive level",
    "missing": "missing",
}
"""Why a sample cannot enter the likelihood."""


@dataclass(frozen=True, eq=False)
class Part:
    """Samples that say the same sort of thing: where they stand, and their ends.

    Parameters
    ----------
    place : ndarray of int, shape (m,)
        Where they stand among all samples, counted through all axes.
    low, high : ndarray, shape (m,)
        Ends of the log level.

    Examples
    --------
    >>> Part(np.array([3]), np.array([-np.inf]), np.array([0.0])).level_ends
    (array([-inf]), array([1.]))
    """

    place: NDArray[np.intp]
    low: Array
    high: Array

    @property
    def log_ends(self) -> tuple[Array, Array]:
        """Ends of the log level as measured."""
        return self.low, self.high

    @cached_property
    def level_ends(self) -> tuple[Array, Array]:
        """Ends of the level as measured, which may be below 0 where nothing bounds it.

        An instrument whose error adds to the level may read less than nothing.
        """
        if self.low is self.high:
            level = np.exp(self.low)
            return level, level
        low = np.where(np.isneginf(self.low), -np.inf, np.exp(self.low))
        return low, np.exp(self.high)


@dataclass(frozen=True)
class Evidence:
    """What the samples say of the log level: that it lies from ``low`` to ``high``.

    Parameters
    ----------
    low, high : ndarray, shape (n,) or (patients, n)
        Ends on the natural-log scale; equal where the level is quantified, infinite
        where nothing bounds it. A sample without any end says nothing: rows of
        patients are padded with such.

    Examples
    --------
    >>> Evidence(np.array([2.0, -np.inf]), np.array([2.0, 1.5])).quantified
    array([ True, False])
    """

    low: Array
    high: Array

    @property
    def quantified(self) -> NDArray[np.bool_]:
        """Which samples give a level rather than a range."""
        return self.low == self.high

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """Samples by what they say, worked out once.

        Names are "quantified", "below" (one end, above the level), "above" and
        "between"; those of which there is no sample are left out.
        """
        left, right = np.isfinite(self.low), np.isfinite(self.high)
        masks = {
            "quantified": self.quantified,
            "below": ~left & right,
            "above": left & ~right,
            "between": left & right & ~self.quantified,
        }
        found = {}
        for name, mask in masks.items():
            low = self.low[mask]
            high = low if name == "quantified" else self.high[mask]
            if mask.any():
                found[name] = Part(np.flatnonzero(mask), low, high)
        return found


def evidence(samples: pd.DataFrame) -> tuple[Evidence, pd.Series]:
    """Return what each sample says of the log level, and why a sample says nothing.

    A quantified sample gives its level; a detected one that it lies between the limits
    of detection and quantification; a sample below or above gives one end (the M3
    rule). A limit that nobody knows gives no end, so that the sample is left out. Where
    a laboratory reports samples of an assay as detected, one below was not detected: it
    lies below the limit of detection.

    Parameters
    ----------
    samples : DataFrame
        With ``assay``, ``state``, ``level``, ``lloq``, ``llod`` and ``uloq``, as in
        ``study.samples``.

    Returns
    -------
    evidence : Evidence
        One entry per usable sample, in the order of the rows.
    left_out : Series of str
        One entry per row: why it is not used, empty where it is.

    References
    ----------
    Beal SL. Ways to fit a PK model with some data below the quantification limit.
    J Pharmacokinet Pharmacodyn 2001;28:481-504 (M3).

    Examples
    --------
    >>> rows = pd.DataFrame({"assay": "qpcr", "state": ["quantified", "below", "below"],
    ...                      "level": [100.0, np.nan, np.nan], "llod": np.nan,
    ...                      "lloq": [10.0, 10.0, np.nan], "uloq": np.nan})
    >>> said, left_out = evidence(rows)
    >>> said.high.round(2)
    array([4.61, 2.3 ])
    >>> left_out[2]
    'below a limit that is not known: no information'
    """
    state = samples["state"].to_numpy()
    numbers = samples[["level", "lloq", "llod", "uloq"]].to_numpy(float)
    level, lloq, llod, uloq = np.log(np.where(numbers > 0, numbers, np.nan)).T
    seen = state == "quantified"
    detected = state == "detected"
    above = state == "above"
    under = detected | (state == "below")
    between = detected & (llod < lloq)
    low = np.select([seen, above, between], [level, uloq, llod], -np.inf)
    # Who tells detected samples from others says more of those below.
    telling = samples["assay"].isin(samples.loc[between, "assay"]).to_numpy()
    undetected = (state == "below") & telling & (llod < lloq)
    high = np.select([seen, undetected, under], [level, llod, lloq], np.inf)
    left_out = np.select(
        [
            seen & ~np.isfinite(level),
            under & ~np.isfinite(lloq),
            above & ~np.isfinite(uloq),
            ~(seen | under | above),
        ],
        [LEFT_OUT[name] for name in ("level", "lloq", "uloq", "missing")],
        "",
    )
    used = left_out == ""
    return Evidence(low[used], high[used]), pd.Series(
        left_out, samples.index, dtype="str"
    )
