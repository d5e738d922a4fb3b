"""Summary statistics of a metric over patients."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cellpk.kinetics.shares import exact_interval
from cellpk.reporting.printed import NOTHING, by_kind, interval, listed, percent

FEW = 3
"""Fewer values than this are listed one by one instead of summarised."""


@dataclass(frozen=True)
class Summary:
    """Statistics of one metric in one group of patients.

    Parameters
    ----------
    n : int
        Patients with a value; one in whom nothing was quantified counts with 0.
    n_quantified : int
        Patients with a value above 0: those that a geometric mean can hold.
    geometric_mean, geometric_cv : float
        Over the quantified; CV in percent, ``100 sqrt(exp(s^2) - 1)`` with ``s`` the
        standard deviation of the natural logarithms. NaN for fewer than 3.
    mean, sd, median, minimum, maximum : float
        Over all values, zeros included. NaN for fewer than 3.
    values : tuple of float
        The values themselves, where there are fewer than 3.

    Examples
    --------
    >>> round(summarise([1.0, 10.0, 100.0]).geometric_mean, 6)
    10.0
    """

    n: int
    n_quantified: int
    geometric_mean: float = np.nan
    geometric_cv: float = np.nan
    mean: float = np.nan
    sd: float = np.nan
    median: float = np.nan
    minimum: float = np.nan
    maximum: float = np.nan
    values: tuple[float, ...] = ()

    def geometric(self, kind: str) -> str:
        """Print geometric mean and geometric CV%, or the values where they are few.

        Examples
        --------
        >>> summarise([100.0, 1000.0, 10000.0]).geometric("level")
        '1,000 (1,413.2)'
        >>> summarise([100.0, 1000.0]).geometric("level")
        '100; 1,000'
        """
        if self.values:
            return listed(self.values, kind)
        if self.n_quantified < FEW:
            return NOTHING
        return f"{by_kind(self.geometric_mean, kind)} ({percent(self.geometric_cv)})"

    def arithmetic(self, kind: str) -> str:
        """Print mean and standard deviation; a dash where values are few.

        Examples
        --------
        >>> summarise([1.0, 2.0, 3.0]).arithmetic("level")
        '2.00 (1.00)'
        """
        if self.n < FEW:
            return NOTHING
        return f"{by_kind(self.mean, kind)} ({by_kind(self.sd, kind)})"

    def share(self) -> str:
        """Print how many of the values are 1, with the exact interval of the share.

        Examples
        --------
        >>> summarise([1.0, 1.0, 0.0, 1.0]).share()
        '3/4 (75.0) [19.4, 99.4]'
        """
        if not self.n:
            return NOTHING
        low, high = exact_interval(self.n_quantified, self.n)
        part = percent(100 * self.n_quantified / self.n)
        ends = f"[{percent(100 * low)}, {percent(100 * high)}]"
        return f"{self.n_quantified}/{self.n} ({part}) {ends}"

    def middle(self, kind: str, *, first: bool = False) -> str:
        """Print median and range; where values are few a dash, or the values if first.

        Parameters
        ----------
        kind : str
            Kind of the unit.
        first : bool
            Whether this is the first statistic of the metric, which lists few values.

        Examples
        --------
        >>> summarise([7.0, 14.0, 28.0]).middle("day")
        '14.0 (7.0, 28.0)'
        """
        if self.n < FEW:
            return listed(self.values, kind) if first else NOTHING
        ends = interval(self.minimum, self.maximum, kind)
        return f"{by_kind(self.median, kind)} {ends}"


def summarise(values: ArrayLike) -> Summary:
    """Summarise the values of one metric over patients.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One value a patient; NaN where not calculable, 0 where nothing was quantified.

    Returns
    -------
    Summary
        With fewer than 3 values the values themselves, no statistics.

    Notes
    -----
    Geometric CV as in rtables' ``tern`` (analyze_variables.R).

    Examples
    --------
    >>> result = summarise([0.0, 1.0, 10.0, 100.0, np.nan])
    >>> result.n, result.n_quantified, result.median, round(result.geometric_cv, 1)
    (4, 3, 5.5, 1413.2)
    """
    found = np.asarray(values, float)
    found = found[np.isfinite(found)]
    positive = found[found > 0]
    n, n_quantified = found.size, positive.size
    if n < FEW:
        return Summary(n, n_quantified, values=tuple(found.tolist()))
    statistics = {
        "mean": found.mean(),
        "sd": found.std(ddof=1),
        "median": np.median(found),
        "minimum": found.min(),
        "maximum": found.max(),
    }
    if n_quantified >= FEW:
        logs = np.log(positive)
        statistics["geometric_mean"] = np.exp(logs.mean())
        statistics["geometric_cv"] = 100 * np.sqrt(np.expm1(logs.var(ddof=1)))
    plain: dict[str, Any] = {name: float(each) for name, each in statistics.items()}
    return Summary(n, n_quantified, **plain)
