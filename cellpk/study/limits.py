"""What is known of a measured level beside the limits of its assay."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

NO_LIMIT = float("nan")


def states(
    level: ArrayLike,
    *,
    lloq: ArrayLike = NO_LIMIT,
    llod: ArrayLike = NO_LIMIT,
    uloq: ArrayLike = NO_LIMIT,
) -> NDArray[np.object_]:
    """Return the state of each level: on which side of the limits it lies.

    Parameters
    ----------
    level : array, shape (...)
        What the instrument would read, in the unit of the assay; NaN where it gave
        nothing. Nothing at all (0, or less by an error that adds) is below.
    lloq, llod, uloq : float or array, shape (...)
        Limits in the same unit; NaN where the assay has none. A level below the lower
        limit of quantification is detected where it reaches the limit of detection.

    Returns
    -------
    ndarray of str, shape (...)
        One of ``STATES`` each.

    Examples
    --------
    >>> states([600, 60, 30, 3, float("nan")], lloq=50, llod=10, uloq=500).tolist()
    ['above', 'quantified', 'detected', 'below', 'missing']
    >>> states([30, 0]).tolist()
    ['quantified', 'below']
    """
    level = np.asarray(level, dtype=float)
    # NaN compares as False: a limit that the assay does not have changes nothing.
    low = (level <= 0) | (level < np.asarray(lloq, dtype=float))
    found = {
        "missing": np.isnan(level),
        "above": level > np.asarray(uloq, dtype=float),
        "detected": low & (level >= np.asarray(llod, dtype=float)),
        "below": low,
    }
    words = np.array([*found, "quantified"], dtype=object)
    return words[np.select(list(found.values()), range(len(found)), len(found))]
