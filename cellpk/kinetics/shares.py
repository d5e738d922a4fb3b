"""Shares of patients with their exact intervals."""


def exact_interval(
    count: int, total: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval of a share.

    Parameters
    ----------
    count, total : int
        Patients with something, of how many.
    confidence : float
        How often such intervals hold the truth at least.

    Returns
    -------
    low, high : float
        Between 0 and 1; NaN of no patients.

    Notes
    -----
    Clopper and Pearson (1934), Biometrika 26:404-413.

    Examples
    --------
    >>> low, high = exact_interval(61, 75)  # Maude et al. 2018: 81% (71, 89)
    >>> round(low, 2), round(high, 2)
    (0.71, 0.89)
    """
    from scipy.stats import binomtest

    if not total:
        return float("nan"), float("nan")
    ends = binomtest(count, total).proportion_ci(confidence, "exact")
    return float(ends.low), float(ends.high)
