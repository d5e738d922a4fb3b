"""What a metric is, why it may be missing, and how a function becomes one."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpk.kinetics.segments import Flags, Floats, Profiles

type UnitKind = Literal["level", "day", "day*level", "1/day", "1"]
type Reason = tuple[Flags, str]


class Found(NamedTuple):
    """One metric of every profile.

    Parameters
    ----------
    value : array, shape (profiles,)
        NaN where not calculable.
    reason : array of str, shape (profiles,)
        Key of ``REASONS``, empty where calculable.
    """

    value: Floats
    reason: NDArray[np.str_]


def found(value: Floats, *reasons: Reason) -> Found:
    """Return each value, or the first reason that applies why there is none.

    Parameters
    ----------
    value : array, shape (profiles,)
        The metric; what stands where a reason applies does not matter.
    *reasons : (array of bool, str)
        Where each code of ``REASONS`` applies.

    Examples
    --------
    >>> found(np.array([2.0, 3.0]), (np.array([False, True]), "no_sample"))
    Found(value=array([ 2., nan]), reason=array(['', 'no_sample'], dtype='<U9'))
    """
    masks, codes = zip(*reasons, strict=True)
    reason = np.select(masks, codes, default="")
    return Found(np.where(reason == "", value, np.nan), reason)


@dataclass(frozen=True)
class Metric:
    """What a metric is and how it is summarised.

    Parameters
    ----------
    name : str
        Column of ``Metrics.table``.
    label : str
        What it is called where a person reads.
    unit_kind : {"level", "day", "day*level", "1/day", "1"}
        How it scales with the levels and the times.
    cdisc : str
        CDISC controlled term (PPTESTCD).
    summary : {"geometric", "median"}
        Summarised by geometric mean and geometric CV%, or by median and range.
    compute : callable
        The metric of all profiles.
    cells_only : bool
        Whether it has a meaning only for levels of cells or transgene.
    days : (float, float) or None
        Days that an area covers.
    """

    name: str
    label: str
    unit_kind: UnitKind
    cdisc: str
    summary: Literal["geometric", "median"]
    compute: Callable[[Profiles], Found]
    cells_only: bool = False
    days: tuple[float, float] | None = None

    def unit(self, level: str) -> str:
        """Return the metric's unit where levels have the unit ``level``.

        Examples
        --------
        >>> from cellpk.kinetics.metrics import METRICS
        >>> METRICS["auc_0_28"].unit("cells/uL")
        'day*cells/uL'
        """
        return self.unit_kind.replace("level", level)


class OnePatient(Protocol):
    """A metric of one patient, computed from plain arrays."""

    def __call__(
        self,
        times: ArrayLike,
        levels: ArrayLike,
        *,
        lloq: ArrayLike = 0.0,
        **rules: Any,
    ) -> float:
        """Return the metric, NaN where it is not calculable."""
        ...


_ARGUMENTS = """

Parameters
----------
times : array, shape (samples,)
    Days after infusion, increasing.
levels : array, shape (samples,)
    Level in the assay's unit; NaN where not measured, ``inf`` above the upper limit.
lloq : float or array, shape (samples,)
    Lower limit of quantification, in the unit of ``levels``.
**rules
    Fields of :class:`cellpk.kinetics.segments.Rules`.

Returns
-------
float
    In the unit kind %r; NaN where not calculable.
"""


def register(
    metrics: dict[str, Metric], **declared: Any
) -> Callable[[Callable[[Profiles], Found]], OnePatient]:
    """Enter a metric under its function's name.

    Parameters
    ----------
    metrics : dict
        Every metric by its name.
    **declared
        Fields of :class:`Metric` except ``name`` and ``compute``.

    Returns
    -------
    callable
        Decorator of a function of :class:`Profiles`; it returns the metric of one
        patient's plain arrays.

    Examples
    --------
    >>> from cellpk.kinetics.metrics import METRICS, cmax
    >>> METRICS["cmax"].label, cmax([7, 14], [900, 300])
    ('Cmax', 900.0)
    """

    def enter(compute: Callable[[Profiles], Found]) -> OnePatient:
        name = compute.__name__
        metrics[name] = Metric(name=name, compute=compute, **declared)

        @wraps(compute, assigned=("__module__", "__name__", "__qualname__"))
        def one(
            times: ArrayLike, levels: ArrayLike, *, lloq: ArrayLike = 0.0, **rules: Any
        ) -> float:
            profile = Profiles.one(times, levels, lloq=lloq, **rules)
            return float(compute(profile).value[0])

        head, _, rest = inspect.cleandoc(compute.__doc__ or "").partition(
            "\n\nExamples"
        )
        arguments = _ARGUMENTS % metrics[name].unit_kind
        one.__doc__ = f"{head}{arguments}\nExamples{rest}"
        vars(one)["__signature__"] = inspect.signature(one, follow_wrapped=False)
        return one

    return enter
